"""What the Benchmark tab does: from a visitor's key and a click to what each component shows.

No event is wired here; a handler returns {component name: value}. What a click changes marks the
parts that depend on it as stale; those of the open view are drawn, the others when they are seen.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import gradio as gr
import pandas as pd

from adaclip.errors import InputError
from adaclip.runs.results import Run
from demo.benchmark import view
from demo.benchmark.desk import EVERYTHING, MOVED, Desk, Desks
from demo.benchmark.scale import place_on, score_on
from demo.benchmark.screens import Screen, Screens
from demo.benchmark.select import SEPARATOR, Known, threshold_of
from demo.benchmark.tab import VIEWS
from demo.flag.flagging import Subject
from demo.look import MARGIN_STEP, SLIDER_STEP
from demo.page import messages
from demo.runs.jobs import sources
from demo.runs.library import Holdings, Library
from demo.services import Services


@functools.lru_cache(maxsize=1)
def known_of(holdings: Holdings) -> Known:
    """What an address may name; made once for each reading of the library."""
    return Known.of(holdings.newest, holdings.cards, holdings.published)


class BenchmarkActions:
    """One per page; visitors are told apart by their key."""

    def __init__(self, services: Services, library: Library) -> None:
        self._services, self._library = services, library
        self._desks = Desks()
        self._screens = Screens(services, library)

    # Coming and going.

    def arrive(self, key: str, query: Any) -> Screen:
        """What an address shows: on coming, on coming back."""
        key, desk = self._desks.get(key)
        holdings = self._library.holdings()
        with desk.lock:
            desk.follow(str(query or ""), known_of(holdings))
            return {"key": key, **self._draw(desk, holdings, step=False, arriving=True)}

    # Clicks.

    def act(self, key: str, data: Any) -> Screen:
        """A click on a cell, a bar, a point, a square, a picture: a query patch, or less."""
        if not isinstance(data, dict):
            raise InputError(messages.UNKNOWN_VALUE)
        key, desk = self._desks.get(key)
        with desk.lock:
            if "patch" in data:
                screen = self._patched(desk, _patch_of(data["patch"]))
            elif "sort" in data:
                screen = self._sorted(desk, str(data["sort"])[:200])
            elif "pin" in data:
                screen = self._pinned(desk, str(data["pin"]))
            elif "turn" in data:
                screen = self._turned(desk, data["turn"])
            elif "measure" in data:
                screen = self._to_measure(desk, str(data["measure"])[:200])
            elif "view" in data:
                screen = self._opened(desk, data["view"])
            else:
                raise InputError(messages.UNKNOWN_VALUE)
            return {"key": key, **screen}

    def _patched(self, desk: Desk, patch: Mapping[str, str]) -> Screen:
        """A click never leads back to the table; one into a run opens its page."""
        if not patch:
            return {}
        holdings = self._library.holdings()
        if patch.get("dataset") and "run" not in patch:  # its newest run, where there is one
            ours = (run for run in holdings.newest if run.results.dataset == patch["dataset"])
            patch = {**patch, "run": next((run.id for run in ours), "")}
        selection, notes = known_of(holdings).apply(desk.selection, patch)
        before, desk.notes = desk.view, tuple(notes)
        step = desk.look_at(selection)
        into = {"run", "class", "image", "outcome", "scores"} & set(patch)
        if desk.view == "compare" and into == {"image"}:  # of two runs it is shown under both
            into = set()
        if into or ("dataset" in patch and "level" not in patch):
            desk.view = "run"
        return self._draw(desk, holdings, step=step or desk.view != before)

    def _to_measure(self, desk: Desk, dataset: str) -> Screen:
        """The page that measures, with a dataset chosen where this server has it."""
        holdings = self._library.holdings()
        if dataset:
            selection, notes = known_of(holdings).apply(desk.selection, {"dataset": dataset})
            desk.look_at(selection)
            missing = view.not_here(dataset, holdings.cards.get(dataset), sources(self._services))
            desk.notes = tuple([*notes, *missing])
        desk.view = "measure"
        desk.stale.add("measure")
        return self._draw(desk, holdings, step=True)

    def _opened(self, desk: Desk, label: Any) -> Screen:
        """Another of the tab's pages, by the word on it."""
        name = next((key for key, word in VIEWS.items() if word.lower() == label), None)
        if name is None:
            raise InputError(messages.UNKNOWN_VALUE)
        step, desk.view = name != desk.view, name
        return self._draw(desk, self._library.holdings(), step=step)

    def _sorted(self, desk: Desk, column: str) -> Screen:
        if desk.sort == column:
            # A third press goes back to the published order.
            desk.sort, desk.descending = (column, False) if desk.descending else (None, True)
        else:
            desk.sort, desk.descending = column, column != "name"
        desk.stale |= {"table", "charts"}
        return self._draw(desk, self._library.holdings(), step=True)

    def _pinned(self, desk: Desk, column: str) -> Screen:
        desk.pin(column)
        desk.stale |= {"table", "charts"}
        return self._draw(desk, self._library.holdings(), step=True)

    def _turned(self, desk: Desk, by: Any) -> Screen:
        if by not in (1, -1):
            raise InputError(messages.UNKNOWN_VALUE)
        desk.offset = max(0, desk.offset + by * view.PAGE)
        desk.stale.add("gallery")
        return self._draw(desk, self._library.holdings(), step=False)

    # Controls.

    def filtered(self, key: str, level: Any, metric: Any, domain: Any, protocol: Any) -> Screen:
        """The table's choices."""
        patch = {"level": str(level), "metric": str(metric), "domain": str(domain)}
        patch["protocol"] = str(protocol)
        if level == "image" and metric == "aupro":  # pixels only
            patch["metric"] = "auroc"
        return self._controlled(key, patch)

    def chose_columns(self, key: str, methods: Any, datasets: Any, baseline: Any) -> Screen:
        """Which methods and datasets are shown, all when none is named; what they differ from."""
        patch = {"methods": _listed(methods), "sets": _listed(datasets)}
        return self._controlled(key, {**patch, "baseline": str(baseline or "")})

    def chose_run(self, key: str, run: Any) -> Screen:
        """Another run."""
        return self._controlled(key, {"run": str(run or "")})

    def chose_class(self, key: str, class_name: Any) -> Screen:
        """Another object of the run."""
        return self._controlled(key, {"class": str(class_name or "")})

    def compared(self, key: str, run_a: Any, run_b: Any, metric: Any) -> Screen:
        """Two runs side by side."""
        patch = {"run": str(run_a or ""), "against": str(run_b or ""), "metric": str(metric)}
        return self._controlled(key, patch)

    def moved(self, key: str, value: Any) -> Screen:
        """The threshold's slider; it repeats the visitor's threshold when it was set from here."""
        key, desk = self._desks.get(key)
        with desk.lock:
            scale = desk.selection.scale
            threshold = score_on(scale, value)
            if threshold is None:
                raise InputError(messages.THRESHOLD_RANGE)
            run = self._library.holdings().runs.get(desk.selection.run or "")
            if run is None:
                return {}
            step = SLIDER_STEP if scale == "score" else MARGIN_STEP
            if abs(value - place_on(scale, threshold_of(desk.selection, run))) <= step / 2:
                return {}
            return self._controlled(key, {"threshold": repr(threshold)}, moving=True)

    def scaled(self, key: str, scale: Any) -> Screen:
        """Histogram and slider on another scale: the same threshold at another place."""
        return self._controlled(key, {"scale": str(scale)})

    def reset(self, key: str) -> Screen:
        """The run's own threshold."""
        return self._controlled(key, {"threshold": ""})

    def _controlled(self, key: str, patch: Mapping[str, str], *, moving: bool = False) -> Screen:
        key, desk = self._desks.get(key)
        with desk.lock:
            holdings = self._library.holdings()
            selection, notes = known_of(holdings).apply(desk.selection, patch)
            if selection == desk.selection and not notes:
                return {}
            desk.notes = tuple(notes)
            step = desk.look_at(selection)
            return {
                "key": key,
                **self._draw(desk, holdings, step=step, moving=moving),
            }

    # Drawing.

    def refresh(self, key: str) -> Screen:
        """Runs have come or gone: everything is drawn from what is here now."""
        key, desk = self._desks.get(key)
        with desk.lock:
            holdings = self._library.holdings()
            run = desk.selection.run
            if run is None or run not in holdings.runs:
                desk.look_at(known_of(holdings).default())
            desk.stale |= {"controls", "table", "charts", "compare"}
            return {"key": key, **self._draw(desk, holdings, step=False)}

    def _draw(
        self,
        desk: Desk,
        holdings: Holdings,
        *,
        step: bool,
        moving: bool = False,
        arriving: bool = False,
    ) -> Screen:
        parts = desk.to_draw(MOVED if moving else EVERYTHING)
        screen = self._screens.draw(desk, holdings, parts)
        changes = screen.pop("changes", None)
        screen["link"] = view.address_html(desk.query(), step=step, changes=changes)
        chosen, unread = desk.selection, self._library.book.unread
        damaged = [unread[one] for one in (chosen.run, chosen.against) if one and one in unread]
        screen["problems"] = view.problems_html(holdings.problems, [*desk.notes, *damaged])
        if step or arriving:
            screen["views"] = gr.Tabs(selected=desk.view)
        # The slider is left to the hand that moves it.
        if {"run", "scores", "marks"} & parts and not moving:
            run = holdings.runs.get(desk.selection.run or "")
            if run is not None:
                screen["threshold"] = self._screens.slider(desk, run)
        return screen

    # Asked by others.

    def run_of(self, key: str) -> Run:
        """The run in view. Raises InputError."""
        _, desk = self._desks.get(key)
        run = self._library.holdings().runs.get(desk.selection.run or "")
        if run is None:
            raise InputError("There is no run to export yet.")
        return run

    def subject(self, key: str, row: int | None = None) -> Subject | None:
        """The picture in the inspector, for a flag; pictures are not listed by number here."""
        if row is not None:
            raise InputError(messages.UNKNOWN_VALUE)
        _, desk = self._desks.get(key)
        with desk.lock:
            return self._screens.subject(desk, self._library.holdings())

    def table(self, key: str) -> pd.DataFrame:
        """The table in view, for a file."""
        from demo.benchmark.table import as_frame

        _, desk = self._desks.get(key)
        return as_frame(self._screens.overview(desk, self._library.holdings()))

    def desk_of(self, key: str) -> tuple[str, Desk]:
        """A visitor's desk, for what is measured."""
        return self._desks.get(key)


def _listed(values: Any) -> str:
    """What a choice of several holds, as an address has it."""
    return SEPARATOR.join(map(str, values)) if isinstance(values, list) else ""


def _patch_of(value: Any) -> dict[str, str]:
    """A browser's query patch: texts under short names. Raises InputError."""
    try:
        patch = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        patch = None
    if not isinstance(patch, dict) or len(patch) > 12:
        raise InputError(messages.UNKNOWN_VALUE)
    return {str(name): str(text) for name, text in patch.items() if text is not None}
