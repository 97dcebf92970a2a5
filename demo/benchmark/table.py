"""The overview: datasets by methods, published and measured kept apart, protocols never mixed."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
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
    elsewhere,
    floor_of,
    image_count,
    is_re_evaluation,
    measured_cell,
    measured_id,
    metric_title,
    name_of,
    protocol_label,
    published_cell,
    published_id,
    venue_of,
)
from demo.benchmark.select import DEFAULT_PROTOCOL

_TRAILING_NOTE = re.compile(r"^(.*?)\s*\((.+)\)$")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A method or a checkpoint. `id` names it in sorting and pinning."""

    id: str
    label: str
    sublabel: str = ""
    measured: bool = False
    floor: bool = False
    re_evaluated: bool = False
    pinned: bool = False
    protocol: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A dataset; `cells` in the order of the overview's columns."""

    dataset: str
    name: str
    domain: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The table for one metric, level, domain and protocol; `means` under the columns."""

    metric: str
    level: str
    domain: str
    protocol: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    means: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
    sort: str | None = None
    descending: bool = True

    def column(self, column_id: str) -> int:
        """Where a column is. Raises ValueError when it is not shown."""
        return [column.id for column in self.columns].index(column_id)


def metrics_of(level: str) -> list[tuple[str, str]]:
    """(id, label) of the metrics a level has."""
    return [
        (key, label) for key, label in words.METRICS.items() if level == "pixel" or key != "aupro"
    ]


def protocols(published: pd.DataFrame) -> list[tuple[str, str, int]]:
    """(id, label, how many values), AdaCLIP's first, then the fullest, "all" last."""
    counts = published["protocol"].astype(str).value_counts()
    ids = [DEFAULT_PROTOCOL, *(key for key in counts.index if key != DEFAULT_PROTOCOL)]
    listed = [(key, protocol_label(key), int(counts.get(key, 0))) for key in ids]
    return [*listed, ("all", words.ALL_PROTOCOLS, int(counts.sum()))]


def overview(
    published: pd.DataFrame,
    runs: Sequence[RunLike],
    cards: Mapping[str, Any],
    *,
    metric: str = "auroc",
    level: str = "image",
    domain: str = "all",
    protocol: str = DEFAULT_PROTOCOL,
    text: str = "",
    sort: str | None = None,
    descending: bool = True,
    pinned: Sequence[str] = (),
) -> Overview:
    """The whole table. `text` filters rows and columns, whichever it matches (commas: or).

    `sort`: None (as published), "name", "mean" (columns by their mean) or a column's id.
    """
    datasets = _datasets(runs, cards, domain)
    builder = _Builder(cards=cards, metric=metric, level=level, datasets=datasets)
    columns = builder.measured(runs) + builder.published(published, protocol)
    notes = list(builder.notes)
    if not columns:
        notes.append(elsewhere(published, metric, level, protocol))
    columns, datasets, note = _filtered(columns, datasets, cards, text)
    notes += [note] if note else []
    columns = _ordered_columns(columns, datasets, sort, descending, pinned)
    if metric == "max_f1" and columns:
        columns.insert(0, builder.floor())
    datasets = _ordered_rows(datasets, columns, cards, sort, descending)
    rows = tuple(
        Row(
            dataset=key,
            name=name_of(key, cards),
            domain=domain_of(key, cards),
            cells=tuple(cells[key] for _, cells in columns),
        )
        for key in datasets
    )
    means = tuple(
        _mean(column, [cells[key] for key in datasets], builder.stated.get(column.id, ()))
        for column, cells in columns
    )
    return Overview(
        metric=metric,
        level=level,
        domain=domain,
        protocol=protocol,
        columns=tuple(column for column, _ in columns),
        rows=rows,
        means=means,
        notes=tuple(dict.fromkeys(notes + _legend(rows))),
        sort=sort,
        descending=descending,
    )


Filled = tuple[Column, dict[str, Cell]]


@dataclass(kw_only=True)
class _Builder:
    """Columns with a cell for every dataset; what is left out becomes a note."""

    cards: Mapping[str, Any]
    metric: str
    level: str
    datasets: list[str]
    notes: list[str] = field(default_factory=list)
    # Column id -> means the publication itself states.
    stated: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def published(self, table: pd.DataFrame, protocol: str) -> list[Filled]:
        """A column per method and protocol; others' measurements of a method apart from its own."""
        wanted = (table["metric"] == self.metric) & (table["level"] == self.level)
        wanted &= table["class_name"].fillna("") == ""
        if protocol != "all":
            wanted &= table["protocol"].astype(str) == protocol
        printings: dict[tuple[str, str, bool], dict[str, list[Any]]] = {}
        for row in table[wanted].to_dict("records"):
            key = (str(row["method"]), str(row["protocol"]), is_re_evaluation(row))
            printings.setdefault(key, defaultdict(list))[str(row["dataset"])].append(row)
        columns = []
        for (method, protocol_id, again), by_dataset in printings.items():
            column = self._published_column(method, protocol_id, again, by_dataset, protocol)
            cells = {key: self._published(by_dataset, key, protocol_id) for key in self.datasets}
            self.stated[column.id] = [
                f"Stated by the source, {name.removeprefix('mean:')} mean: "
                f"{wording.percent(float(rows[0]['value']))}"
                for name, rows in by_dataset.items()
                if name.startswith("mean:")
            ]
            if any(cell.value is not None for cell in cells.values()):
                columns.append((column, cells))
        return sorted(columns, key=lambda one: _as_published(one[0]))

    def _published_column(
        self, method: str, protocol: str, again: bool, by_dataset: Any, asked: str
    ) -> Column:
        venue = venue_of(next(iter(by_dataset.values()))[0])
        noted = _TRAILING_NOTE.match(method)
        label, note = noted.groups() if noted else (method, "")
        parts = [note or venue] + ([protocol_label(protocol)] if asked == "all" else [])
        if again and not note and asked != "all":
            parts.append(words.RE_EVALUATED)
        return Column(
            id=published_id(next(iter(by_dataset.values()))[0]),
            label=label,
            sublabel=" · ".join(parts),
            re_evaluated=again,
            protocol=protocol,
        )

    def _published(self, by_dataset: Mapping[str, list[Any]], key: str, protocol: str) -> Cell:
        if by_dataset.get(key):
            return published_cell(by_dataset[key], self.name(key), protocol_label(protocol))
        reason = dataset_reason(self.cards.get(key), self.metric, self.level)
        return absent(reason or words.NOT_PUBLISHED)

    def measured(self, runs: Sequence[RunLike]) -> list[Filled]:
        """A column per checkpoint and way of measuring; the newest complete run of a dataset."""
        groups: dict[tuple[str, str, str], dict[str, RunLike]] = {}
        for run in sorted(runs, key=lambda one: one.results.created_utc):
            if not run.results.complete:
                self.notes.append(f"Run {run.id} is not finished and not in the table.")
                continue
            results = run.results
            way = (results.resolution, results.ranked_by)
            groups.setdefault((results.checkpoint, *way), {})[results.dataset] = run
        columns = []
        for (_, size, rank), by_dataset in groups.items():
            if not any(key in by_dataset for key in self.datasets):
                continue
            latest = max(by_dataset.values(), key=day)
            column = Column(
                id=measured_id(latest),
                label=latest.results.checkpoint_name,
                sublabel=f"{'own size' if size == 'native' else f'at {size} px'}, by {rank}",
                measured=True,
                protocol="measured",
            )
            columns.append(
                (column, {key: self._measured(by_dataset, key) for key in self.datasets})
            )
        return columns

    def _measured(self, by_dataset: Mapping[str, RunLike], key: str) -> Cell:
        card = self.cards.get(key)
        if key in by_dataset:
            expected = image_count(card)
            return measured_cell(by_dataset[key], self.name(key), self.metric, self.level, expected)
        return absent(dataset_reason(card, self.metric, self.level) or words.NOT_MEASURED)

    def floor(self) -> Filled:
        """What calling everything anomalous reaches: max-F1 does not start at 0."""
        column = Column(id=FLOOR_ID, label=words.FLOOR, sublabel="everything anomalous", floor=True)
        return column, {key: self._floor(key) for key in self.datasets}

    def _floor(self, key: str) -> Cell:
        if self.level == "pixel":
            return absent(words.NO_PIXEL_FLOOR)
        card = self.cards.get(key)
        value = floor_of(card)
        if value is None:
            return absent(dataset_reason(card, self.metric, self.level) or words.NO_FLOOR)
        text = wording.percent(value)
        return Cell(value=value, text=text, source=f"{self.name(key)}: {text}\n{words.FLOOR_HELP}")

    def name(self, key: str) -> str:
        """A dataset's name."""
        return name_of(key, self.cards)


def _datasets(runs: Sequence[RunLike], cards: Mapping[str, Any], domain: str) -> list[str]:
    """Rows: the cards of the domain in their order, then folders that runs are of."""
    listed = [key for key in cards if domain in ("all", cards[key].domain)]
    own = dict.fromkeys(run.results.dataset for run in runs)
    return listed + [key for key in own if key not in cards and domain == "all"]


def _as_published(column: Column) -> tuple[bool, bool, str]:
    """AdaCLIP first, others' measurements after originals, then by name."""
    return (column.label != "AdaCLIP", column.re_evaluated, column.label.lower())


def _filtered(
    columns: list[Filled], datasets: list[str], cards: Mapping[str, Any], text: str
) -> tuple[list[Filled], list[str], str]:
    """Columns and rows that a text names; a text that names no row keeps every row."""
    terms = [term.strip().lower() for term in text.split(",") if term.strip()]
    if not terms:
        return columns, datasets, ""

    def named(*texts: str) -> bool:
        return any(term in one.lower() for term in terms for one in texts)

    kept_columns = [one for one in columns if named(one[0].label, one[0].sublabel)]
    kept_rows = [key for key in datasets if named(key, name_of(key, cards))]
    if not kept_columns and not kept_rows:
        return [], datasets, f"Nothing is called “{text[:60]}”."
    return kept_columns or columns, kept_rows or datasets, ""


def _ordered_columns(
    columns: list[Filled],
    datasets: list[str],
    sort: str | None,
    descending: bool,
    pinned: Sequence[str],
) -> list[Filled]:
    if sort == "mean":

        def by_mean(one: Filled) -> float:
            value = _mean(one[0], [one[1][key] for key in datasets], ()).value
            return math.inf if value is None else (-value if descending else value)

        columns = sorted(columns, key=by_mean)
    first = {column_id: place for place, column_id in enumerate(pinned)}
    columns = [(replace(column, pinned=column.id in first), cells) for column, cells in columns]
    return sorted(columns, key=lambda one: first.get(one[0].id, len(first)))


def _ordered_rows(
    datasets: list[str],
    columns: list[Filled],
    cards: Mapping[str, Any],
    sort: str | None,
    descending: bool,
) -> list[str]:
    """Rows by name or by a column, n/a last whichever way; else in their published order."""
    if sort == "name":
        return sorted(datasets, key=lambda key: name_of(key, cards).lower(), reverse=descending)
    cells = next((cells for column, cells in columns if column.id == sort), None)
    if cells is None:
        return datasets

    def by_value(key: str) -> float:
        value = cells[key].value
        return math.inf if value is None else (-value if descending else value)

    return sorted(datasets, key=by_value)


def _mean(column: Column, cells: Sequence[Cell], stated: Sequence[str]) -> Cell:
    """The mean over the cells that exist, with their count: "90.2 (7)"."""
    used = [cell.value for cell in cells if cell.averaged and cell.value is not None]
    left_out = sum(cell.value is not None and not cell.averaged for cell in cells)
    if not used:
        return absent(words.NO_MEAN)
    value = float(np.mean(used))
    noun = "dataset" if len(used) == 1 else "datasets"
    lines = [f"{column.label}: mean of {len(used)} {noun} shown, {wording.percent(value)}", *stated]
    if left_out:
        lines.append(f"{left_out} marked {words.TRAINED_MARK} or {words.PARTIAL_MARK} left out")
    return Cell(
        value=value,
        text=f"{wording.percent(value)} ({len(used)})",
        source="\n".join(lines),
        count=len(used),
    )


def _legend(rows: Sequence[Row]) -> list[str]:
    """What the marks in the cells mean, those that occur."""
    marks = {mark for row in rows for cell in row.cells for mark in cell.marks}
    said = {
        words.TRAINED_MARK: words.TRAINED_ON_IT,
        words.PARTIAL_MARK: words.PARTIAL,
        words.RE_EVALUATED_MARK: words.RE_EVALUATION,
    }
    return [text for mark, text in said.items() if mark in marks]


def as_frame(table: Overview) -> pd.DataFrame:
    """The table for a CSV file: a row per cell, values 0-1, never without its source."""
    return pd.DataFrame(
        [
            {
                "dataset": row.dataset,
                "domain": row.domain,
                "method": column.label,
                "about_method": column.sublabel,
                "kind": "floor" if column.floor else "measured" if column.measured else "published",
                "protocol": column.protocol,
                "level": table.level,
                "metric": table.metric,
                "quantity": metric_title(table.metric, table.level),
                "value": cell.value,
                "marks": " ".join(cell.marks),
                "run": cell.run_id or "",
                "reason": cell.reason,
                "source": cell.source,
            }
            for row in table.rows
            for column, cell in zip(table.columns, row.cells, strict=True)
        ]
    )
