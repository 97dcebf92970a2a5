"""The overview: datasets by methods, published and measured kept apart, protocols never mixed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from adaclip.runs.scores import RunLike
from demo.benchmark import words
from demo.benchmark.cells import Cell, domain_of, metric_title, name_of
from demo.benchmark.columns import Builder, Column, Filled, Measured
from demo.benchmark.printed import elsewhere, protocol_label
from demo.benchmark.ranks import Totals, leaders, shared_rows, totals
from demo.benchmark.select import DEFAULT_PROTOCOL

# Protocols whose methods have seen pictures of the dataset: never ranked with zero-shot ones.
NOT_ZERO_SHOT = ("full-shot", "transductive")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A dataset; `cells` in the order of the overview's columns.

    `best` and `second`: which of them lead. `reason`: why no column can have a value here.
    """

    dataset: str
    name: str
    domain: str
    cells: tuple[Cell, ...]
    best: frozenset[int] = frozenset()
    second: frozenset[int] = frozenset()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The table for one metric, level, domain and protocol; `totals` under the columns.

    `rows` are the published datasets. A checkpoint has a column when it was measured on one of
    them; `measured` lists every run, also of other sets.
    """

    metric: str
    level: str
    domain: str
    protocol: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    totals: tuple[Totals, ...] = ()
    shared: tuple[str, ...] = ()  # names of the sets that means and ranks are over
    stated: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by sources, per column id
    measured: tuple[Measured, ...] = ()
    notes: tuple[str, ...] = ()
    sort: str | None = None
    descending: bool = True
    baseline: int | None = None
    ranked: tuple[int, ...] = ()  # the columns that are held against each other
    chosen: bool = False  # whether the visitor chose the columns
    offered: tuple[Column, ...] = ()  # every column that could be chosen
    # Column id -> dataset -> the run behind it.
    runs: Mapping[str, Mapping[str, RunLike]] = field(default_factory=dict, repr=False)

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
    methods: Sequence[str] = (),
    datasets: Sequence[str] = (),
    baseline: str | None = None,
    sort: str | None = None,
    descending: bool = True,
    pinned: Sequence[str] = (),
) -> Overview:
    """The whole table. `methods` (column ids) and `datasets` (keys) limit it; empty: all.

    `sort`: None (as published), "name", "mean" (columns by their mean) or a column's id.
    """
    listed = [key for key in cards if cards[key].domain in _domains(domain)]
    keys = [key for key in listed if not datasets or key in datasets]
    builder = Builder(cards=cards, metric=metric, level=level, datasets=keys)
    columns = builder.published(published, protocol)
    offered = columns + builder.measured(runs)
    notes = list(builder.notes)
    if not columns:
        notes.append(elsewhere(published, metric, level, protocol))
    chosen = [one for one in offered if one[0].id in methods] if methods else offered
    columns = _pinned_first(chosen or offered, pinned)
    if sort == "mean":
        columns = _by_mean(columns, [keys[at] for at in _shared(columns, keys)], descending)
    if metric == "max_f1" and columns:
        columns.insert(0, builder.floor())
    keys = _ordered_rows(keys, columns, cards, sort, descending)
    ranked = _ranked([column for column, _ in columns])
    notes += [words.NOT_RANKED] if columns and not ranked else []
    rows = [_row(key, builder, columns, ranked) for key in keys]
    measured = builder.listed(runs, domain, datasets)
    cells = [cell for row in rows for cell in row.cells] + [one.cell for one in measured]
    return Overview(
        metric=metric,
        level=level,
        domain=domain,
        protocol=protocol,
        columns=tuple([column for column, _ in columns]),
        rows=tuple(rows),
        stated=builder.stated,
        measured=tuple(measured),
        notes=tuple(dict.fromkeys(notes + _legend(cells, rows))),
        sort=sort,
        descending=descending,
        ranked=tuple(ranked),
        chosen=bool(methods and chosen),
        offered=tuple([column for column, _ in offered]),
        runs=builder.runs,
        **_summed(rows, columns, ranked, _shared(columns, keys), baseline),
    )


def _summed(
    rows: Sequence[Row],
    columns: Sequence[Filled],
    ranked: Sequence[int],
    shared: Sequence[int],
    baseline: str | None,
) -> dict[str, Any]:
    """What stands under the columns, as `Overview` takes it."""
    base = next((at for at in ranked if columns[at][0].id == baseline), None)
    shown = [at for at, (column, _) in enumerate(columns) if not column.floor]
    under = totals([row.cells for row in rows], shown, ranked, shared, base)
    return {
        "baseline": base,
        "shared": tuple([rows[at].name for at in shared]),
        "totals": tuple([under.get(at, Totals()) for at in range(len(columns))]),
    }


def _domains(domain: str) -> tuple[str, ...]:
    """The domains of the table's rows: nothing is published for drawn pictures."""
    return ("industrial", "medical") if domain == "all" else (domain,) * (domain != "synthetic")


def _pinned_first(columns: list[Filled], pinned: Sequence[str]) -> list[Filled]:
    first = {name: place for place, name in enumerate(pinned)}
    marked = [(replace(one, pinned=True) if one.id in first else one, c) for one, c in columns]
    return sorted(marked, key=lambda one: first.get(one[0].id, len(first)))


def _shared(columns: Sequence[Filled], keys: list[str]) -> list[int]:
    """Rows that means are over: those that all published columns have, else all measured ones."""
    published = [cells for column, cells in columns if column.kind == "published"]
    used = published or [cells for column, cells in columns if column.measured]
    return shared_rows([[cells[key] for key in keys] for cells in used])


def _ranked(columns: Sequence[Column]) -> list[int]:
    """The columns that are held against each other: of one protocol, measured ones zero-shot."""
    protocols = {column.protocol for column in columns if column.kind == "published"}
    if len(protocols) > 1:
        return []
    alone = protocols <= set(NOT_ZERO_SHOT) and bool(protocols)
    kinds = ("published",) if alone else ("published", "measured")
    return [
        at
        for at, column in enumerate(columns)
        if column.kind in kinds and (not column.measured or column.protocol == "measured")
    ]


def _by_mean(columns: list[Filled], shared: list[str], descending: bool) -> list[Filled]:
    """Columns by their mean over the shared sets, those without one last."""

    def order(one: Filled) -> float:
        cells = [one[1][key] for key in shared]
        if not cells or not all([cell.averaged for cell in cells]):
            return math.inf
        total = sum([cell.value or 0.0 for cell in cells])
        return -total if descending else total

    return sorted(columns, key=order)


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


def _row(key: str, builder: Builder, columns: list[Filled], ranked: list[int]) -> Row:
    cells = tuple([cells[key] for _, cells in columns])
    best, second = leaders(cells, ranked)
    return Row(
        dataset=key,
        name=builder.names[key],
        domain=domain_of(key, builder.cards),
        cells=cells,
        best=frozenset(best),
        second=frozenset(second),
        reason=builder.reasons[key] or "",
    )


def below_chance(cell: Cell, metric: str) -> bool:
    """True for a value that guessing would beat, as it is printed."""
    chance = words.CHANCE.get(metric)
    return chance is not None and cell.value is not None and cell.tenths < round(1000 * chance)


def _legend(cells: Sequence[Cell], rows: Sequence[Row]) -> list[str]:
    """What the marks in the cells mean, those that occur."""
    marks = {mark for cell in cells for mark in cell.marks}
    said = {
        words.TRAINED_MARK: words.TRAINED_ON_IT,
        words.PARTIAL_MARK: words.PARTIAL,
        words.RE_EVALUATED_MARK: words.RE_EVALUATION,
    }
    led = [words.LEGEND] if any([row.best for row in rows]) else []
    return led + [text for mark, text in said.items() if mark in marks]


def as_frame(table: Overview) -> pd.DataFrame:
    """The table for a CSV file: a row per cell, values 0-1, never without its source.

    Measured values are once in it: those of the columns, then those of other datasets.
    """
    placed = [
        (row.dataset, row.domain, column, cell)
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
    ]
    there = {(dataset, column.id) for dataset, _, column, _ in placed}
    placed += [
        (one.dataset, "", one.column, one.cell)
        for one in table.measured
        if (one.dataset, one.column.id) not in there
    ]
    return pd.DataFrame(
        [
            {
                "dataset": dataset,
                "domain": domain,
                "method": column.label,
                "about_method": column.sublabel,
                "kind": column.kind,
                "protocol": column.protocol,
                "level": table.level,
                "metric": table.metric,
                "quantity": metric_title(table.metric, table.level),
                "value": cell.value,
                "interval_low": None if cell.interval is None else cell.interval[0],
                "interval_high": None if cell.interval is None else cell.interval[1],
                "marks": " ".join(cell.marks),
                "run": cell.run_id or "",
                "reason": cell.reason,
                "source": cell.source,
            }
            for dataset, domain, column, cell in placed
        ]
    )
