"""Charts of the overview and of a run's categories."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from adaclip.data.registry import dataset_name, spoken
from adaclip.runs import wording
from adaclip.runs.scores import RunLike
from demo.benchmark import words
from demo.benchmark.cells import (
    MEASURED_METRICS,
    Cell,
    absent,
    category_rows,
    measured_cell,
    metric_title,
    protocol_label,
    published_cell,
)
from demo.benchmark.figures import style
from demo.benchmark.table import Column, Overview

CHANCE = {"auroc": 50.0}
# From here up the scale's colours are bright enough for dark text: one ink cannot serve all.
DARK_TEXT_FROM = 0.48


def bars(table: Overview, limit: int = 6) -> go.Figure:
    """Grouped bars: a group per dataset, a bar per method; measured solid, published hatched.

    The `limit` columns shown: the pinned ones and AdaCLIP, the measured ones, the best means.
    """
    places = chosen_columns(table, limit)
    rows = [row for row in table.rows if any(row.cells[at].value is not None for at in places)]
    if not rows:
        quantity = metric_title(table.metric, table.level)
        return style.empty(f"No {quantity} to draw: see the reasons in the table.", 380)
    colours = style.colours([table.columns[at].id for at in places])
    traces = []
    for at in places:
        column, cells = table.columns[at], [row.cells[at] for row in rows]
        traces.append(_bar(column, cells, [row.name for row in rows], colours[column.id]))
    shown = [value for row in rows for at in places if (value := row.cells[at].value) is not None]
    base = CHANCE.get(table.metric, 0.0)
    base = base if shown and 100 * min(shown) >= base else 0.0
    y = style.axis(
        f"{metric_title(table.metric, table.level)} ({words.TIMES_100})", range=[base, 102]
    )
    said = "n: datasets with a value" + (
        f"<br>the axis starts at chance, {base:.0f}" if base else ""
    )
    x = style.axis(said, showgrid=False, tickangle=-40)
    return style.figure(traces, 420, x, y, barmode="group", bargap=0.24, bargroupgap=0.06)


def chosen_columns(table: Overview, limit: int) -> list[int]:
    """Which columns a chart has room for."""
    candidates = [at for at, column in enumerate(table.columns) if not column.floor]

    def rank(at: int) -> tuple[bool, bool, float]:
        column, mean = table.columns[at], table.means[at].value
        return (
            not (column.pinned or _is_ours(column)),
            not column.measured,
            -(mean or 0.0),
        )

    return sorted(candidates, key=rank)[:limit]


def _is_ours(column: Column) -> bool:
    """The method itself, as its authors published it: what all others are held against."""
    return column.label == "AdaCLIP" and not column.re_evaluated


def _bar(column: Column, cells: Sequence[Cell], names: list[str], colour: str) -> go.Bar:
    count = sum(cell.value is not None for cell in cells)
    return go.Bar(
        x=[style.short(name, 18) for name in names],
        y=[None if cell.value is None else 100 * cell.value for cell in cells],
        name=f"{column_name(column)} (n = {count})",
        marker={
            "color": colour,
            "line": {"color": colour, "width": 1},
            "pattern": {"shape": "" if column.measured else "/", "size": 5, "solidity": 0.35},
        },
        hovertext=[style.hover(cell.source) for cell in cells],
        hoverinfo="text",
        customdata=[dict(cell.patch) for cell in cells],
    )


def column_name(column: Column) -> str:
    """A legend's name for a column: measured ones say so."""
    kind = words.MEASURED.lower() if column.measured else column.sublabel
    return f"{style.short(column.label)}, {style.short(kind, 18)}" if kind else column.label


def heatmap(run: RunLike) -> go.Figure:
    """Categories by metrics of one run; a click gives the class and the metric."""
    rows = category_rows(run)
    if not rows:
        return style.empty(wording.NO_IMAGES)
    name = dataset_name(run.results.dataset)
    labels = [(row["words"], row["normal"] + row["anomalous"]) for row in rows]
    cells = [[row["cells"][key] for key in MEASURED_METRICS] for row in rows]
    if len(rows) > 1:
        labels.append(("mean", sum(count for _, count in labels)))
        cells.append([_mean_cell(run, name, level, metric) for level, metric in MEASURED_METRICS])
    return heat(labels, [_short_metric(*key) for key in MEASURED_METRICS], cells)


def _mean_cell(run: RunLike, name: str, level: str, metric: str) -> Cell:
    cell = measured_cell(run, name, metric, level, None)
    patch = {"run": run.id, "class": "", "level": level, "metric": metric}
    return dataclasses.replace(cell, patch=patch)


def _short_metric(level: str, metric: str) -> str:
    return f"{words.LEVELS[level]}<br>{words.METRICS[metric].replace('-', '')}"


def heatmap_published(
    published: pd.DataFrame, protocol: str, dataset: str, method: str = "AdaCLIP"
) -> go.Figure:
    """The same of a publication, where it prints values per category."""
    mine = published[
        (published["dataset"] == dataset)
        & (published["method"] == method)
        & (published["class_name"].fillna("") != "")
        & (published["protocol"].astype(str) == protocol)
    ]
    if mine.empty:
        return style.empty(f"{method} publishes no values per category for this dataset.")
    printings: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in mine.to_dict("records"):
        record = {str(key): value for key, value in row.items()}
        key = (str(record["class_name"]), str(record["level"]), str(record["metric"]))
        printings.setdefault(key, []).append(record)
    classes = list(dict.fromkeys(key[0] for key in printings))
    metrics = [key for key in MEASURED_METRICS if any(one[1:] == key for one in printings)]
    cells = [
        [
            published_cell(printings[(name, *key)], spoken(name), protocol_label(protocol))
            if (name, *key) in printings
            else absent(words.NOT_PUBLISHED)
            for key in metrics
        ]
        for name in classes
    ]
    return heat(
        [(spoken(name), None) for name in classes], [_short_metric(*key) for key in metrics], cells
    )


def heat(
    labels: Sequence[tuple[str, int | None]], columns: list[str], cells: list[list[Cell]]
) -> go.Figure:
    """Rows from the top, numbers in the squares; n/a squares are grey and say why.

    `labels`: a row's name and its number of images. No colour bar: every square has its number.
    """
    rows = [_row_label(name, count, place) for place, (name, count) in enumerate(labels)]
    values = np.array(
        [[np.nan if c.value is None else 100 * c.value for c in row] for row in cells]
    )
    low = min(10.0 * np.floor(np.nanmin(values) / 10), 90.0) if np.isfinite(values).any() else 0.0
    bright = values >= low + DARK_TEXT_FROM * (100 - low)
    shared: dict[str, Any] = {
        "x": columns,
        "y": rows,
        "customdata": [[dict(cell.patch) for cell in row] for row in cells],
        "hovertext": [[style.hover(cell.source) for cell in row] for row in cells],
        "hoverinfo": "text",
        "texttemplate": "%{text}",
        "showscale": False,
        "hoverongaps": False,
        "xgap": 2,
        "ygap": 2,
    }
    scale = {"zmin": low, "zmax": 100, "colorscale": "Cividis"}
    grey = {"zmin": 0, "zmax": 1, "colorscale": [[0, style.GREY], [1, style.GREY]], "opacity": 0.6}
    layers = (
        (bright, values, "#101216", scale),
        (values < low + DARK_TEXT_FROM * (100 - low), values, "#ffffff", scale),
        (np.isnan(values), np.zeros_like(values), "#ffffff", grey),
    )
    traces = [
        go.Heatmap(
            z=_only(layer, z),
            text=[
                [c.text if on else "" for c, on in zip(row, shown, strict=True)]
                for row, shown in zip(cells, layer, strict=True)
            ],
            textfont={"color": ink},
            **shared,
            **look,
        )
        for layer, z, ink, look in layers
        if layer.any()
    ]
    x = style.axis(f"values {words.TIMES_100}, yellow is best", side="top", tickangle=0)
    x = {**x, "showgrid": False, "tickfont": {"size": 10}}
    y = style.axis(showgrid=False, autorange="reversed")
    return style.figure(traces, 96 + 34 * max(len(rows), 3), x, y)


def _only(layer: np.ndarray, values: np.ndarray) -> list[list[float | None]]:
    """The squares of a layer; the others are gaps."""
    pairs = zip(values.tolist(), layer.tolist(), strict=True)
    return [[z if on else None for z, on in zip(*pair, strict=True)] for pair in pairs]


def _row_label(name: str, count: int | None, place: int) -> str:
    """Two short lines; plotly would join equal labels, so invisible spaces tell rows apart."""
    told = f"<br>n = {count:,}" if count is not None else ""
    return style.short(name, 18) + told + "\u200b" * place


def radar(tables: Sequence[Overview], limit: int = 5) -> go.Figure:
    """Means per domain and level, an axis for each overview given, a ring per method."""
    spokes = [table for table in tables if any(cell.value is not None for cell in table.means)]
    if len(spokes) < 3:
        return style.empty("A radar needs three domains and levels with values.", 400)
    columns: dict[str, Column] = {}
    values: dict[str, dict[int, Cell]] = {}
    for at, table in enumerate(spokes):
        for column, mean in zip(table.columns, table.means, strict=True):
            if not column.floor and mean.value is not None:
                columns.setdefault(column.id, column)
                values.setdefault(column.id, {})[at] = mean
    ranked = sorted(columns, key=lambda one: _radar_rank(columns[one], values[one]))[:limit]
    names = [f"{words.DOMAINS[table.domain]}<br>{table.level}" for table in spokes]
    colours = style.colours(ranked)
    traces = [_ring(columns[one], values[one], names, colours[one]) for one in ranked]
    lowest = min(100 * (cell.value or 0.0) for one in ranked for cell in values[one].values())
    low = max(0.0, 10.0 * np.floor(lowest / 10) - 10.0)
    radial = {
        "range": [low, 100],
        "gridcolor": style.LINE,
        "linecolor": style.LINE,
        "tickfont": {"size": 10.5},
        # Between the first two spokes, where no spoke's name is.
        "angle": 90 - 180 / len(spokes),
        "tickangle": 0,
        "nticks": 5,
    }
    angular = {"gridcolor": style.LINE, "linecolor": style.LINE, "direction": "clockwise"}
    polar = {"bgcolor": style.CLEAR, "radialaxis": radial, "angularaxis": angular}
    margin = {"l": 64, "r": 64, "t": 44, "b": 28}
    note = style.legend(y=-0.12, yanchor="top")
    hidden = {"visible": False}
    return style.figure(traces, 460, hidden, hidden, polar=polar, margin=margin, legend=note)


def _radar_rank(column: Column, cells: Mapping[int, Cell]) -> tuple[bool, bool, int, float]:
    """Pinned ones and AdaCLIP, then measured ones, then those on most spokes, then the best."""
    mean = float(np.mean([cell.value for cell in cells.values() if cell.value is not None]))
    compared = column.pinned or _is_ours(column)
    return (not compared, not column.measured, -len(cells), -mean)


def _ring(
    column: Column, cells: Mapping[int, Cell], names: list[str], colour: str
) -> go.Scatterpolar:
    at = [*range(len(names)), 0]
    said = [style.hover(cells[i].source) if i in cells else "" for i in at]
    symbol = style.MEASURED_SYMBOL if column.measured else style.PUBLISHED_SYMBOL
    return go.Scatterpolar(
        r=[100 * (cells[i].value or 0.0) if i in cells else None for i in at],
        theta=[names[i] for i in at],
        mode="lines+markers",
        connectgaps=False,
        name=column_name(column),
        line={"color": colour, "width": 2, "dash": "solid" if column.measured else "dot"},
        marker={"symbol": symbol, "size": 8},
        hovertext=said,
        hoverinfo="text",
    )
