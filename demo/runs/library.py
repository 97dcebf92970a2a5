"""What there is to look at: runs, dataset cards, published results; read once, read again when
the files have changed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from adaclip.errors import AdaClipError
from adaclip.runs.results import RESULTS, Run, list_runs
from adaclip.runs.scores import ScoreBook
from demo.services import Services

_COLUMNS = ("method", "venue", "year", "training_data", "protocol", "dataset", "class_name")
NOTHING_PUBLISHED = pd.DataFrame(
    columns=[*_COLUMNS, "level", "metric", "value", "source", "confidence"], dtype=object
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Holdings:
    """One reading. `problems`: a sentence for each thing that could not be read."""

    runs: Mapping[str, Run] = field(default_factory=dict)
    cards: Mapping[str, Any] = field(default_factory=dict)
    published: pd.DataFrame = field(default_factory=lambda: NOTHING_PUBLISHED)
    problems: tuple[str, ...] = ()

    @property
    def newest(self) -> list[Run]:
        """All runs, the newest first."""
        return sorted(self.runs.values(), key=_created)[::-1]


class Library:
    """One per page, for all visitors. Safe across threads."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._marks: dict[Path, tuple[int, int]] | None = None
        self._holdings = Holdings()
        self.book = ScoreBook()

    def holdings(self) -> Holdings:
        """What there is now; a look at the files' dates, and a reading when they differ."""
        with self._lock:
            marks = _marks(self._services.run_roots)
            if marks != self._marks:
                self._forget(marks)
                self._holdings = self._read()
                self._marks = marks
            return self._holdings

    def _forget(self, marks: Mapping[Path, tuple[int, int]]) -> None:
        """Scores of runs that have grown or gone."""
        before = self._marks or {}
        for folder in {*before, *marks}:
            if before.get(folder) != marks.get(folder):
                self.book.forget(folder.name)

    def _read(self) -> Holdings:
        runs, problems = list_runs(self._services.run_roots)
        cards, published = self._holdings.cards, self._holdings.published
        if self._marks is None:
            try:
                cards, published = self._services.cards(), self._services.published()
            except AdaClipError as error:
                problems.append(str(error))
        # A run that has just begun has no pictures and no values: it is listed where it is made.
        shown = [run for run in runs if run.complete]
        return Holdings(
            runs={run.id: run for run in shown},
            cards=cards,
            published=published,
            problems=tuple(problems),
        )

    def unfinished(self) -> list[Run]:
        """Runs that were stopped or are being made, newest first."""
        runs, _ = list_runs(self._services.run_roots[:1])
        waiting = [run for run in runs if not run.complete]
        return sorted(waiting, key=_created, reverse=True)


def _created(run: Run) -> str:
    return run.results.created_utc


def _marks(roots: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Folder -> (when its results were written, their size)."""
    marks = {}
    for root in roots:
        try:
            folders = list(root.iterdir())
        except OSError:
            continue
        for folder in folders:
            try:
                facts = (folder / RESULTS).stat()
            except OSError:
                continue
            marks[folder] = (facts.st_mtime_ns, facts.st_size)
    return marks
