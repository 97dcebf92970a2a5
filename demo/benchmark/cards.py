"""A dataset's card on the Results page, asked for by the browser without an event."""

from __future__ import annotations

from typing import Any

from adaclip.errors import AdaClipError
from adaclip.runs.scores import has_error
from demo.benchmark.results_html import card_html
from demo.page import messages
from demo.runs.library import Holdings, Library


def card_of(library: Library, asked: Any) -> dict[str, str]:
    """{"html": the card of a dataset by its key} or {"error": why there is none}."""
    key = asked.get("dataset") if isinstance(asked, dict) else None
    holdings = library.holdings()
    card = holdings.cards.get(key) if isinstance(key, str) else None
    if card is None or not isinstance(key, str):
        known = any([run.results.dataset == key for run in holdings.newest])
        return {"error": "An own folder: it has no card." if known else messages.UNKNOWN_VALUE}
    run = next((one for one in holdings.newest if one.results.dataset == key), None)
    kinds: dict[str, int] = {}
    if run is not None:
        try:
            kinds = _kinds(library.book.frame(run))
        except AdaClipError:  # its images.csv is damaged, which its own page says
            kinds = {}
    shown = card_html(
        card, kinds=kinds, run="" if run is None else run.id, per_object=_per_object(holdings, key)
    )
    return {"html": str(shown)}


def _kinds(frame: Any) -> dict[str, int]:
    """Kind of defect -> anomalous pictures of it, the most frequent first."""
    bad = frame[(frame["anomalous"] == 1) & ~has_error(frame)]
    counts = bad["defect_type"].value_counts()
    return {str(kind): int(count) for kind, count in counts.items() if str(kind)}


def _per_object(holdings: Holdings, key: str) -> list[str]:
    """Methods whose values for each object of a dataset are published."""
    table = holdings.published
    mine = table[(table["dataset"] == key) & (table["class_name"].fillna("") != "")]
    return sorted(set(mine["method"]))
