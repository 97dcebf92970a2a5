"""The Results page's table, list of runs and dataset cards as HTML, from demo/templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from adaclip.data.registry import spoken
from adaclip.runs import wording
from demo.benchmark import words
from demo.benchmark.cells import Cell, day, interval_words, metric_title
from demo.benchmark.columns import Column, Measured
from demo.benchmark.palette import look_of
from demo.benchmark.ranks import Totals
from demo.benchmark.select import Selection
from demo.benchmark.table import Overview, Row, below_chance
from demo.page.templates import render

ARROWS = {True: "\u2193", False: "\u2191"}
NAMED = 14  # sets that a sentence names


def table_html(table: Overview, selection: Selection | None = None) -> Markup:
    """The table with sticky head and first column, its notes, and the runs measured here.

    What can be clicked says so: `.cell` (data-source: where it comes from; data-run, data-measure:
    what can be done about it), data-card (a dataset's key), data-sort and data-pin (a column's id).
    """
    rows = [_row(row, table, selection) for row in table.rows] if table.columns else []
    return render(
        "overview",
        title=f"{_capital(metric_title(table.metric, table.level))}, {words.TIMES_100}.",
        help=words.METRIC_HELP[table.metric],
        columns=[_head(column, table) for column in table.columns],
        groups=_groups(table.columns),
        sort=table.sort,
        arrow=ARROWS[table.descending],
        aria="descending" if table.descending else "ascending",
        rows=rows,
        shared=len(table.shared),
        means=[_mean(*one, table) for one in zip(table.columns, table.totals, strict=True)],
        ranks=_ranks(table),
        records=_records(table),
        notes=[*_scope(table, rows), *table.notes],
        measured=[_measured(one, table, selection) for one in table.measured],
        value=metric_title(table.metric, table.level),
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _head(column: Column, table: Overview) -> dict[str, Any]:
    again = f" {words.RE_EVALUATED_MARK}" if column.re_evaluated else ""
    return {
        "id": column.id,
        "kind": column.kind,
        "label": column.label + again,
        "sublabel": column.sublabel,
        "pinned": column.pinned,
        "colour": "" if column.floor else look_of(column.label).colour,
        "base": table.baseline is not None and table.columns[table.baseline] is column,
    }


def _groups(columns: Sequence[Column]) -> list[list[Any]]:
    """The line over the columns that tells published from measured: [kind, title, columns]."""
    titles = {"floor": "", "measured": words.MEASURED, "published": words.PUBLISHED}
    spans: list[list[Any]] = []
    for column in columns:
        kind = column.kind
        if spans and spans[-1][0] == kind:
            spans[-1][2] += 1
        else:
            spans.append([kind, titles[kind], 1])
    return spans


def _row(row: Row, table: Overview, selection: Selection | None) -> dict[str, Any]:
    reason = row.reason.removeprefix(f"{row.name}: ")
    whole = reason if not any([cell.value is not None for cell in row.cells]) else ""
    return {
        "dataset": row.dataset,
        "name": row.name,
        "domain": row.domain,
        "current": selection is not None and selection.dataset == row.dataset,
        "reason": whole,
        "cells": [] if whole else [_cell(row, at, table) for at in range(len(row.cells))],
    }


def _cell(row: Row, at: int, table: Overview) -> dict[str, Any]:
    cell, column = row.cells[at], table.columns[at]
    classes = [column.kind]
    marks = cell.marks
    if cell.value is None:
        classes.append("na")
    elif not column.floor:
        classes += ["best"] if at in row.best else ["second"] if at in row.second else []
        if below_chance(cell, table.metric):
            classes.append("below")
            marks = (*marks, words.BELOW_MARK)
    missing = cell.value is None and not column.floor and not row.reason
    offer = missing and column.measured
    return {
        "classes": " ".join(classes),
        "text": words.MEASURE if offer else cell.text,
        "marks": "".join(marks),
        "source": cell.source,
        "column": column.id,
        "run": cell.run_id or "",
        "measure": row.dataset if missing else "",
        "delta": _delta(row, at, table),
    }


def _delta(row: Row, at: int, table: Overview) -> str:
    """Points over or under the baseline, of the printed values; "" without one."""
    base = table.baseline
    if base is None or at == base or table.columns[at].floor or at not in table.ranked:
        return ""
    one, other = row.cells[at], row.cells[base]
    if one.value is None or other.value is None:
        return ""
    return f"{(one.tenths - other.tenths) / 10:+.1f}".replace("-", "\u2212")


def _mean(column: Column, totals: Totals, table: Overview) -> dict[str, str]:
    count = len(table.shared)
    if column.floor:
        return {"text": "", "source": "", "kind": "floor"}
    if totals.mean is None:
        reason = words.no_mean(totals.covers, count)
        return {"text": wording.NA, "source": f"{column.label}: {reason}", "kind": "na"}
    lines = [
        f"{column.label}: mean {wording.percent(totals.mean)}",
        f"Over {count} sets: {', '.join(table.shared)}",
        *table.stated.get(column.id, ()),
    ]
    return {"text": wording.percent(totals.mean), "source": "\n".join(lines), "kind": column.kind}


def _ranks(table: Overview) -> list[str]:
    """Under each column its mean rank; nothing where nothing is ranked."""
    if not any([one.rank for one in table.totals]):
        return []
    return ["" if one.rank is None else f"{one.rank:.1f}" for one in table.totals]


def _records(table: Overview) -> list[str]:
    """Under each column its wins, ties and losses against the baseline."""
    if table.baseline is None:
        return []
    return [
        "\u2013" if one.record is None else "{}\u2013{}\u2013{}".format(*one.record)
        for one in table.totals
    ]


def _scope(table: Overview, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What means, ranks and differences are over."""
    if not table.columns or not table.rows:
        return []
    said = []
    count = len(table.shared)
    if count:
        names = ", ".join(table.shared[:NAMED])
        sets = "one set" if count == 1 else f"{count} sets"
        kind = "published " if any([one.kind == "published" for one in table.columns]) else ""
        said.append(f"Means and ranks are over the {sets} that all {kind}columns share: {names}.")
    else:
        said.append(words.NOTHING_SHARED)
    if table.baseline is not None:
        label = table.columns[table.baseline].label
        said.append(
            f"Small figures: points over or under {label}. Wins, ties and losses are over the "
            "sets that both have."
        )
    if any(["below" in cell["classes"] for row in rows for cell in row["cells"]]):
        said.append(words.BELOW_CHANCE)
    return said


def _measured(one: Measured, table: Overview, selection: Selection | None) -> dict[str, Any]:
    cell: Cell = one.cell
    seconds = one.run.results.seconds_per_image
    low, high = cell.interval or (0.0, 0.0)
    return {
        "run": one.run.id,
        "dataset": one.dataset,
        "name": one.name,
        "label": one.column.label,
        "way": one.column.sublabel,
        "colour": look_of(one.column.label).colour,
        "text": cell.text,
        "marks": "".join(cell.marks),
        "missing": cell.value is None,
        "source": cell.source,
        "column": one.column.id,
        "interval": interval_words(cell.interval) if cell.interval else wording.NA,
        # Per cent of the bar, which goes from 0 to 100.
        "at": f"{100 * (cell.value or 0.0):.1f}",
        "low": f"{100 * low:.1f}",
        "wide": f"{100 * (high - low):.1f}",
        "whiskers": cell.interval is not None,
        "pictures": f"{cell.count:,}" if cell.count is not None else "",
        "seconds": f"{seconds:.2g} s" if seconds else wording.NA,
        "day": day(one.run)[:10],
        "current": selection is not None and selection.run == one.run.id,
    }


def card_html(
    card: Any, *, kinds: Mapping[str, int], run: str, per_object: Sequence[str]
) -> Markup:
    """A dataset's card: pictures, sizes, defect kinds, licence; each unknown says so.

    kinds: anomalous pictures of each kind of defect in a run of it; run: the newest run's id, ""
    without one; per_object: methods with published values per object.
    """
    return render(
        "dataset_card",
        card=card,
        objects=[
            (one.words, one.normal, one.anomalous)
            for one in card.class_cards
            if one.normal is not None
        ],
        kinds=[(spoken(kind), count) for kind, count in kinds.items()],
        run=run,
        per_object=", ".join(per_object),
    )
