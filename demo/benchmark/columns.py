"""The columns of the overview: a method as published, a checkpoint as measured here."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from adaclip.runs import wording
from adaclip.runs.scores import RunLike
from demo.benchmark import words
from demo.benchmark.cells import (
    FLOOR_ID,
    Cell,
    absent,
    dataset_reason,
    day,
    domain_of,
    floor_of,
    image_count,
    measured_cell,
    measured_id,
    name_of,
)
from demo.benchmark.printed import column_id, protocol_label, published_cell, venue_of

_TRAILING_NOTE = re.compile(r"^(.*?)\s*\((.+)\)$")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A method or a checkpoint. `id` names it in sorting, pinning and choosing."""

    id: str
    label: str
    sublabel: str = ""
    measured: bool = False
    floor: bool = False
    re_evaluated: bool = False
    pinned: bool = False
    protocol: str = ""

    @property
    def kind(self) -> str:
        """floor, measured or published."""
        return "floor" if self.floor else "measured" if self.measured else "published"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one run has measured."""

    column: Column
    dataset: str
    name: str
    run: RunLike = field(repr=False)
    cell: Cell


Filled = tuple[Column, dict[str, Cell]]


@dataclass(kw_only=True)
class Builder:
    """Columns with a cell for every dataset; what is left out becomes a note."""

    cards: Mapping[str, Any]
    metric: str
    level: str
    datasets: list[str]
    notes: list[str] = field(default_factory=list)
    # Column id -> means that the publication itself states.
    stated: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    runs: dict[str, dict[str, RunLike]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {key: name_of(key, self.cards) for key in self.datasets}
        self.reasons = {
            key: dataset_reason(self.cards.get(key), self.metric, self.level)
            for key in self.datasets
        }
        self.not_published = {
            key: absent(reason or words.NOT_PUBLISHED) for key, reason in self.reasons.items()
        }
        self.not_measured = {
            key: absent(reason or words.NOT_MEASURED) for key, reason in self.reasons.items()
        }

    def published(self, table: pd.DataFrame, protocol: str) -> list[Filled]:
        """A column per method and protocol; others' measurements of a method apart from its own."""
        wanted = (table["metric"] == self.metric) & (table["level"] == self.level)
        wanted &= table["class_name"].fillna("") == ""
        if protocol != "all":
            wanted &= table["protocol"].astype(str) == protocol
        printings: dict[str, dict[str, list[Any]]] = {}
        for row in table[wanted].to_dict("records"):
            key = column_id(row["method"], row["protocol"], row["source"])
            if row["dataset"].startswith("mean:"):
                name, value = row["dataset"].removeprefix("mean:"), float(row["value"])
                self.stated[key].append(words.stated(name, wording.percent(value)))
            if row["dataset"] not in self.names:
                continue
            printings.setdefault(key, defaultdict(list))[row["dataset"]].append(row)
        columns = []
        for key, by_dataset in printings.items():
            label = protocol_label(next(iter(by_dataset.values()))[0]["protocol"])
            cells = dict(self.not_published)
            for dataset, rows in by_dataset.items():
                cells[dataset] = published_cell(rows, self.names[dataset], label)
            columns.append((self._published_column(key, by_dataset, label, protocol), cells))
        return sorted(columns, key=lambda one: _as_published(one[0]))

    def _published_column(self, key: str, by_dataset: Any, label: str, asked: str) -> Column:
        first = next(iter(by_dataset.values()))[0]
        noted = _TRAILING_NOTE.match(first["method"])
        name, note = noted.groups() if noted else (first["method"], "")
        again = key.endswith("1")
        parts = [note or venue_of(first)] + ([label] if asked == "all" else [])
        if again and not note and asked != "all":
            parts.append(words.RE_EVALUATED)
        return Column(
            id=key,
            label=name,
            sublabel=" · ".join(parts),
            re_evaluated=again,
            protocol=first["protocol"],
        )

    def measured(self, runs: Sequence[RunLike]) -> list[Filled]:
        """A column per checkpoint and way of measuring that was measured on one of the datasets."""
        columns = []
        for key, by_dataset in self._newest(runs).items():
            cells = dict(self.not_measured)
            for dataset in by_dataset.keys() & cells.keys():
                cells[dataset] = self._measured(by_dataset[dataset], dataset)
            if any([cell.run_id for cell in cells.values()]):
                columns.append((_measured_column(key, by_dataset), cells))
                self.runs[key] = by_dataset
        return columns

    def listed(
        self, runs: Sequence[RunLike], domain: str, datasets: Sequence[str]
    ) -> list[Measured]:
        """The newest run of each checkpoint on each dataset of the domain, newest first."""
        found = []
        for key, by_dataset in self._newest(runs).items():
            column = _measured_column(key, by_dataset)
            for dataset, run in by_dataset.items():
                own = domain_of(dataset, self.cards)
                if (datasets and dataset not in datasets) or domain not in ("all", own):
                    continue
                cell = self._measured(run, dataset)
                name = name_of(dataset, self.cards)
                found.append(
                    Measured(column=column, dataset=dataset, name=name, run=run, cell=cell)
                )
        return sorted(found, key=lambda one: day(one.run), reverse=True)

    def _newest(self, runs: Sequence[RunLike]) -> dict[str, dict[str, RunLike]]:
        groups: dict[str, dict[str, RunLike]] = {}
        for run in sorted(runs, key=lambda one: one.results.created_utc):
            if run.results.complete:
                groups.setdefault(measured_id(run), {})[run.results.dataset] = run
            else:
                self.notes.append(f"Run {run.id} is not finished and not in the table.")
        return groups

    def _measured(self, run: RunLike, key: str) -> Cell:
        name, expected = name_of(key, self.cards), image_count(self.cards.get(key))
        return measured_cell(run, name, self.metric, self.level, expected)

    def floor(self) -> Filled:
        """What calling everything anomalous reaches: max-F1 does not start at 0."""
        column = Column(id=FLOOR_ID, label=words.FLOOR, sublabel="everything anomalous", floor=True)
        return column, {key: self._floor(key) for key in self.datasets}

    def _floor(self, key: str) -> Cell:
        if self.level == "pixel":
            return absent(words.NO_PIXEL_FLOOR)
        value = floor_of(self.cards.get(key))
        if value is None:
            return absent(self.reasons[key] or words.NO_FLOOR)
        text = wording.percent(value)
        return Cell(value=value, text=text, source=f"{self.names[key]}: {text}\n{words.FLOOR_HELP}")


def _measured_column(key: str, by_dataset: Mapping[str, RunLike]) -> Column:
    results = max(by_dataset.values(), key=day).results
    size, rank, way = results.resolution, results.ranked_by, wording.comparison(results)
    compared = "" if way == wording.ZERO_SHOT else f"{way}, "
    return Column(
        id=key,
        label=results.checkpoint_name,
        sublabel=f"{compared}{'own size' if size == 'native' else f'at {size} px'}, by {rank}",
        measured=True,
        protocol="measured" if way == wording.ZERO_SHOT else way,
    )


def _as_published(column: Column) -> tuple[bool, bool, str]:
    """AdaCLIP first, others' measurements after originals, then by name."""
    return (column.label != "AdaCLIP", column.re_evaluated, column.label.lower())
