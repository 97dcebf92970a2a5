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
)
from demo.benchmark.columns import Column
from demo.benchmark.figures import style
from demo.benchmark.palette import MEASURED_SYMBOL, RE_EVALUATED_PATTERN, look_of
from demo.benchmark.printed import protocol_label, published_cell, venue_of
from demo.benchmark.select import DEFAULT_PROTOCOL
from demo.benchmark.spokes import Spoke
from demo.benchmark.table import Overview, Row

# From here up the scale's colours are bright enough for dark text: one ink cannot serve all.
DARK_TEXT_FROM = 0.48
MOST_BARS = 6  # methods, unless the visitor chose them
MOST_CHOSEN = 12


def bars(table: Overview) -> go.Figure:
    """Grouped bars: a group per dataset, a bar per method; those below chance hang down.

    The methods are the visitor's choice, else the pinned ones, AdaCLIP, the measured ones and the
    best means. A click gives [dataset, column id] as `cell`.
    """
    places = chosen_columns(table)
    rows = [row for row in table.rows if any([row.cells[at].value is not None for at in places])]
    if not rows:
        quantity = metric_title(table.metric, table.level)
        return style.empty(f"No {quantity} to draw: see the reasons in the table.", 380)
    base = 100 * words.CHANCE.get(table.metric, 0.0)
    traces: list[Any] = [_bar(table, rows, at, base) for at in places]
    ends = [
        100 * end
        for row in rows
        for at in places
        for end in (row.cells[at].interval or (row.cells[at].value,))
        if end is not None
    ]
    low = base if min(ends) >= base else max(0.0, min(ends) - 4)
    if table.columns[0].floor:
        traces.append(_floors(rows))
    y = style.axis(f"{metric_title(table.metric, table.level)} ({words.TIMES_100})")
    y |= {"range": [low, 102], "zeroline": False}
    x = style.axis(showgrid=False, tickangle=-40)
    marks = _chance_line(base) if base else {}
    return style.figure(traces, 420, x, y, barmode="group", bargap=0.24, bargroupgap=0.06, **marks)


def _chance_line(base: float) -> dict[str, Any]:
    across = {"xref": "paper", "x0": 0, "x1": 1, "y0": base, "y1": base, "type": "line"}
    said = {"text": f"chance, {base:.0f}", "xref": "paper", "x": 0, "y": base, "showarrow": False}
    return {
        "shapes": [{**across, "line": {"color": style.TEXT, "width": 1.2, "dash": "dot"}}],
        "annotations": [{**said, "xanchor": "left", "yanchor": "top", "font": {"size": 11.5}}],
    }


def _floors(rows: Sequence[Row]) -> go.Scatter:
    """max-F1 without a method, a line across each dataset that has it."""
    known = [row for row in rows if row.cells[0].value is not None]
    return go.Scatter(
        x=[style.short(row.name, 18) for row in known],
        y=[100 * (row.cells[0].value or 0.0) for row in known],
        mode="markers",
        name="floor: everything called anomalous",
        marker={"symbol": "line-ew-open", "size": 30, "color": style.TEXT, "line": {"width": 2}},
        hovertext=[f"{style.escaped(row.name)}: floor {row.cells[0].text}" for row in known],
        hoverinfo="text",
    )


def chosen_columns(table: Overview) -> list[int]:
    """Which columns a chart has room for."""
    candidates = [at for at, column in enumerate(table.columns) if not column.floor]
    if table.chosen:
        return candidates[:MOST_CHOSEN]

    def rank(at: int) -> tuple[bool, bool, float]:
        column, mean = table.columns[at], table.totals[at].mean
        ours = column.label == "AdaCLIP" and not column.re_evaluated
        return (not (column.pinned or ours), not column.measured, -(mean or 0.0))

    return sorted(candidates, key=rank)[:MOST_BARS]


def _bar(table: Overview, rows: Sequence[Row], at: int, base: float) -> go.Bar:
    column, cells = table.columns[at], [row.cells[at] for row in rows]
    look = look_of(column.label)
    values = [None if cell.value is None else 100 * cell.value - base for cell in cells]
    pattern = RE_EVALUATED_PATTERN if column.re_evaluated else look.pattern
    edge = style.TEXT if column.measured else look.colour
    bar = go.Bar(
        x=[style.short(row.name, 18) for row in rows],
        y=values,
        base=base,
        name=column_name(column),
        marker={
            "color": look.colour,
            "line": {"color": edge, "width": 2 if column.measured else 0},
            "pattern": {"shape": pattern, "size": 6, "solidity": 0.3},
        },
        hovertext=[
            f"{style.escaped(f'{column.label} on {row.name}')}: <b>{cell.text}</b>"
            for row, cell in zip(rows, cells, strict=True)
        ],
        hoverinfo="text",
        customdata=[{"cell": [row.dataset, column.id]} for row in rows],
    )
    if any([cell.interval for cell in cells]):
        bar.error_y = _whiskers(cells)
    return bar


def _whiskers(cells: Sequence[Cell]) -> dict[str, Any]:
    """The 95 % intervals of measured values, up and down from each."""
    up, down = [], []
    for cell in cells:
        low, high = cell.interval or (cell.value or 0.0, cell.value or 0.0)
        up.append(100 * (high - (cell.value or 0.0)))
        down.append(100 * ((cell.value or 0.0) - low))
    ends = {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
    return {**ends, "color": style.TEXT, "thickness": 1.5, "width": 3}


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


def per_object(published: pd.DataFrame, dataset: str | None) -> pd.DataFrame:
    """The published values for each object of a dataset: AdaCLIP's own, else one other method's."""
    mine = published[(published["dataset"] == dataset) & (published["class_name"].fillna("") != "")]
    if mine.empty:
        return mine
    ours = mine[(mine["method"] == "AdaCLIP") & (mine["protocol"] == DEFAULT_PROTOCOL)]
    first = (ours if len(ours) else mine).iloc[0]
    return mine[(mine["method"] == first["method"]) & (mine["protocol"] == first["protocol"])]


def printed_by(rows: pd.DataFrame) -> str:
    """Whose values those are, in words; "" without any."""
    if rows.empty:
        return ""
    first = {str(key): value for key, value in rows.iloc[0].items()}
    where = f"{first['method']}'s values per object as published ({venue_of(first)})"
    return f"{where}, not measured here. Protocol: {protocol_label(str(first['protocol']))}"


def heatmap_published(mine: pd.DataFrame) -> go.Figure:
    """The same of a publication, from `per_object`."""
    if mine.empty:
        return style.empty("No values per object are published for this dataset.")
    protocol = str(mine["protocol"].iloc[0])
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


def radar(spokes: Sequence[Spoke], columns: Sequence[Column]) -> go.Figure:
    """Means per domain and level, a spoke for each, a ring per method."""
    if len(spokes) < 3:
        return style.empty("A radar needs three domains and levels with shared sets.", 400)
    drawn = [one for one in columns if any([one.id in spoke.means for spoke in spokes])]
    traces = [_ring(column, spokes) for column in drawn]
    lowest = 100 * min([min(spoke.means.values()) for spoke in spokes])
    low = max(0.0, 10.0 * (lowest // 10) - 10.0)
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


def _ring(column: Column, spokes: Sequence[Spoke]) -> go.Scatterpolar:
    look, around = look_of(column.label), [*spokes, spokes[0]]
    means = [spoke.means.get(column.id) for spoke in around]
    return go.Scatterpolar(
        r=[None if mean is None else 100 * mean for mean in means],
        theta=[f"{words.DOMAINS[one.domain]}<br>{one.level} ({len(one.sets)})" for one in around],
        mode="lines+markers",
        connectgaps=False,
        name=column_name(column),
        line={"color": look.colour, "width": 2, "dash": look.dash},
        marker={"symbol": MEASURED_SYMBOL if column.measured else look.symbol, "size": 8},
        hovertext=[
            f"{style.escaped(column.label)}: {wording.percent(mean)}<br>mean of {len(one.sets)} "
            f"{one.domain} sets, {one.level}"
            for one, mean in zip(around, means, strict=True)
        ],
        hoverinfo="text",
    )
