"""What each visitor of the Benchmark tab is looking at, kept on the server and bounded."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from demo.benchmark import words
from demo.benchmark.select import PARAMETERS, Known, Selection

MOST = 512
MOST_PINS = 12
VIEW_PARTS = {
    "results": ("controls", "table", "charts"),
    "run": ("controls", "run", "scores", "marks", "gallery", "inspector"),
    "compare": ("controls", "compare", "pair"),
    "measure": ("measure",),
}
EVERYTHING = frozenset(part for parts in VIEW_PARTS.values() for part in parts)
# Field of the selection -> what must be drawn anew when it changes.
_AFFECTS = {
    "run": EVERYTHING - {"charts", "measure"},
    "dataset": EVERYTHING - {"charts", "measure"},
    "class_name": {"controls", "scores", "gallery", "inspector"},
    "threshold": {"marks", "gallery", "inspector"},
    "outcome": {"gallery", "inspector"},
    "score_range": {"gallery", "inspector"},
    "image": {"inspector", "pair"},
    "against": {"controls", "compare", "pair"},
    "cuts": {"compare", "pair"},
    "alarms": {"compare", "pair"},
    "scale": {"controls", "scores"},
    "metric": {"controls", "table", "charts", "compare"},
    "level": {"controls", "table", "charts"},
    "domain": {"controls", "table", "charts"},
    "protocol": {"controls", "table", "charts"},
    "methods": {"controls", "table", "charts"},
    "datasets": {"controls", "table", "charts"},
    "baseline": {"controls", "table"},
}
MOVED = _AFFECTS["threshold"]
# A link with one of these is of one run's page.
_OF_A_RUN = ("run", "class", "threshold", "outcome", "scores", "image")
# Changes that are no step of their own: back goes to before them.
_NO_STEP = {"threshold"}


@dataclass(kw_only=True, eq=False)
class Desk:
    """One visitor's view. Hold `lock` while changing it."""

    selection: Selection = field(default_factory=Selection)
    view: str = "results"
    # Of the table.
    sort: str | None = None
    descending: bool = True
    pinned: tuple[str, ...] = ()
    offset: int = 0  # of the gallery
    notes: tuple[str, ...] = ()  # on a link that names what is not here
    stale: set[str] = field(default_factory=lambda: set(EVERYTHING))
    # The overview drawn last: what there was, its settings, the table.
    drawn: tuple[Any, Mapping[str, object], Any] | None = None
    measured: int = 0  # finished evaluations that the page has been told of
    lock: threading.RLock = field(default_factory=threading.RLock)

    def follow(self, query: str, known: Known) -> None:
        """Become what an address says; what it does not say is at its default."""
        given = parse_qsl(query.lstrip("?")[:8000], keep_blank_values=False)
        asked = dict(given)
        # Of the Detect tab's address.
        selection, notes = known.from_query(
            {k: asked[k] for k in PARAMETERS.values() if k in asked}
        )
        view = asked.get("view", "")
        if view not in VIEW_PARTS:
            view = _implied_view(asked)
        if asked.get("view", view) != view:
            notes.append(words.dropped("view", asked["view"], "there is no such page"))
        notes += self._arrange(given, known)
        self.stale |= {"table", "charts"}
        self.notes = tuple(notes)
        self.look_at(selection)
        self.view = view

    def _arrange(self, given: list[tuple[str, str]], known: Known) -> list[str]:
        """Sort and pin as an address says; a sentence for every column that does not exist."""
        sort = dict(given).get("sort", "")
        column = sort.removeprefix("-")
        notes = [known.column_note("sort", column) if column else ""]
        self.sort = column if column and not notes[0] else None
        self.descending = self.sort is None or not sort.startswith("-")
        self.pinned = ()
        pins = dict.fromkeys(column for name, column in given if name == "pin")
        unknown = [one for one in pins if known.column_note("pin", one)]
        if unknown:
            notes.append(known.column_note("pin", ", ".join(unknown)))
        for one in pins:
            if one not in unknown:
                self.pin(one)
        return list(filter(None, notes))

    def pin(self, column: str) -> None:
        """Keep a column at the left, or let it go again; the oldest pins make room."""
        column = column[:200]
        if column in self.pinned:
            self.pinned = tuple(one for one in self.pinned if one != column)
        else:
            self.pinned = (*self.pinned, column)[-MOST_PINS:]

    def look_at(self, selection: Selection) -> bool:
        """Take a selection; whether that is a step one may want to go back from."""
        changed = {
            name for name in PARAMETERS if getattr(selection, name) != getattr(self.selection, name)
        }
        for name in changed:
            self.stale |= _AFFECTS[name]
        if changed - {"image"}:
            self.offset = 0
        self.selection = selection
        return bool(changed - _NO_STEP)

    def to_draw(self, among: Collection[str] = EVERYTHING) -> set[str]:
        """The stale parts of the open view, of those asked for; they are not stale any more."""
        parts = self.stale & set(VIEW_PARTS[self.view]) & set(among)
        self.stale -= parts
        # A chart that is drawn anew has the threshold's marks.
        return parts - {"marks"} if "scores" in parts else parts

    def query(self) -> str:
        """The address of this view."""
        parameters: dict[str, str | tuple[str, ...]] = {"tab": "benchmark"}
        selected = self.selection.to_query()
        if self.view != "results" or _implied_view(selected) != "results":
            parameters["view"] = self.view
        parameters |= selected
        if self.sort:
            parameters["sort"] = ("" if self.descending else "-") + self.sort
        if self.pinned:
            parameters["pin"] = self.pinned
        return urlencode(parameters, doseq=True)

    def table_settings(self) -> dict[str, Any]:
        """As `overview` takes them."""
        return {
            "metric": self.selection.metric,
            "level": self.selection.level,
            "domain": self.selection.domain,
            "protocol": self.selection.protocol,
            "methods": self.selection.methods,
            "datasets": self.selection.datasets,
            "baseline": self.selection.baseline,
            "sort": self.sort,
            "descending": self.descending,
            "pinned": self.pinned,
        }


def _implied_view(query: Mapping[str, str]) -> str:
    """The page that an address without a view means."""
    of_a_run = any(name in query for name in _OF_A_RUN)
    return "compare" if "against" in query else "run" if of_a_run else "results"


class Desks:
    """By key, the longest unused make room."""

    def __init__(self) -> None:
        self._desks: OrderedDict[str, Desk] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> tuple[str, Desk]:
        """The desk of a key, or a new one under a new key."""
        with self._lock:
            if key not in self._desks:
                key = secrets.token_urlsafe(16)
                self._desks[key] = Desk()
            self._desks.move_to_end(key)
            while len(self._desks) > MOST:
                self._desks.popitem(last=False)
            return key, self._desks[key]
