"""Charts over several runs: accuracy against speed and size, and two runs side by side."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from adaclip.data.registry import dataset_name, spoken
from adaclip.runs import wording
from adaclip.runs.compare import Comparison, Delta
from adaclip.runs.scores import RunLike
from demo.benchmark import words
from demo.benchmark.cells import metric_title
from demo.benchmark.figures import style
from demo.benchmark.palette import look_of

BUBBLE = (9.0, 44.0)  # px, of an unknown or tiny and of the largest checkpoint
POINTS = 2000  # of an agreement chart; images that changed sides are all shown


def timed(runs: Sequence[RunLike], metric: str, level: str) -> list[RunLike]:
    """The runs that have the metric and a time per image."""
    return [
        run
        for run in runs
        if run.results.mean.value(level, metric) is not None and run.results.seconds_per_image
    ]


def tradeoff(
    runs: Sequence[RunLike],
    metric: str = "auroc",
    level: str = "image",
    *,
    parts: Collection[str] = (),
) -> go.Figure:
    """Accuracy against time per image; the bubble's area is the checkpoint's size.

    Each bubble is a run and bears its dataset's name: those of one name compare. `parts`: ids of
    runs of a part of their dataset, which are marked.
    """
    drawn = timed(runs, metric, level)
    if not drawn:
        return style.empty(
            f"No run here has {metric_title(metric, level)} and a time per image.", 380
        )
    largest = max(float(run.results.size_bytes or 0) for run in drawn) or 1.0
    by_checkpoint: dict[str, list[RunLike]] = {}
    for run in drawn:
        by_checkpoint.setdefault(run.results.checkpoint, []).append(run)
    traces = [_bubbles(mine, metric, level, largest, parts) for mine in by_checkpoint.values()]
    x = _time_axis([run.results.seconds_per_image or 0.0 for run in drawn])
    y = style.axis(f"{metric_title(metric, level)} ({words.TIMES_100})")
    note = style.legend(itemsizing="constant")
    return style.figure(traces, 460, x, y, legend=note, hovermode="closest")


def _time_axis(seconds: list[float]) -> dict[str, Any]:
    """Logarithmic, with whole bubbles inside and numbers also where all are within one decade."""
    low, high = math.log10(min(seconds) / 1.7), math.log10(max(seconds) * 1.7)
    decades = range(math.floor(low), math.ceil(high) + 1)
    wide = high - low > 3
    ticks = [base * 10.0**power for power in decades for base in ((1,) if wide else (1, 2, 5))]
    shown = {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    return style.axis("seconds per image (log scale)", type="log", range=[low, high], **shown)


def _bubbles(
    runs: list[RunLike], metric: str, level: str, largest: float, parts: Collection[str]
) -> go.Scatter:
    sizes = [float(run.results.size_bytes or 0) for run in runs]
    size = sizes[0]
    title = runs[0].results.checkpoint_name
    colour = look_of(title).colour
    known = f", {size / 1e6:,.0f} MB" if size else ", size not recorded"
    return go.Scatter(
        x=[run.results.seconds_per_image for run in runs],
        y=[100 * (run.results.mean.value(level, metric) or 0.0) for run in runs],
        mode="markers+text",
        text=[
            style.short(dataset_name(run.results.dataset), 16)
            + (f" {words.PARTIAL_MARK}" if run.id in parts else "")
            for run in runs
        ],
        textposition="top center",
        cliponaxis=False,
        name=f"{style.short(title)}{known}",
        marker={
            "color": colour,
            "opacity": 0.75,
            "symbol": "circle" if size else "circle-open",
            "line": {"color": colour, "width": 1.5},
            "size": [max(BUBBLE[0], BUBBLE[1] * (one / largest) ** 0.5) for one in sizes],
        },
        customdata=[
            {
                "run": run.id,
                "dataset": run.results.dataset,
                "metric": metric,
                "level": level,
            }
            for run in runs
        ],
        hovertext=[_bubble_text(run, title, metric, level) for run in runs],
        hoverinfo="text",
    )


def _bubble_text(run: RunLike, title: str, metric: str, level: str) -> str:
    value = run.results.mean.value(level, metric)
    normal, abnormal, _ = run.results.images
    lines = [
        f"{title} on {dataset_name(run.results.dataset)}",
        f"{metric_title(metric, level)} {wording.percent(value)}, "
        f"{wording.images(normal + abnormal)}",
        f"{run.results.seconds_per_image:.3g} s per image on {run.results.device}",
        f"run {run.id}",
    ]
    return style.hover("\n".join(lines))


def deltas(comparison: Comparison) -> go.Figure:
    """B minus A per class with 95 % intervals; filled where the interval leaves out zero."""
    rows = [row for row in (*comparison.rows, comparison.mean) if row.delta is not None]
    if not rows:
        return style.empty("No class of both runs has this metric.")
    groups = {
        "better": ("B better", style.SERIES[0], "triangle-right"),
        "worse": ("B worse", style.SERIES[5], "triangle-left"),
        "even": ("no clear difference", style.SERIES[6], "circle-open"),
    }
    labels = {id(row): _delta_label(row) for row in rows}
    traces = []
    for group, (name, colour, symbol) in groups.items():
        mine = [row for row in rows if row.side == group]
        if mine:
            traces.append(_dots(mine, labels, name, colour, symbol))
    title = f"{metric_title(comparison.metric, 'image')}: B \u2212 A<br>(points of 100)"
    x = style.axis(title, zeroline=True, zerolinewidth=1.5)
    order = [labels[id(row)] for row in rows]
    y = style.axis(categoryorder="array", categoryarray=order[::-1], showgrid=False)
    return style.figure(traces, _height(len(rows)), x, y)


def _height(rows: int) -> int:
    """Of both charts of a comparison, so that their cards end on one line."""
    return max(320, 110 + 26 * rows)


def _delta_label(row: Delta) -> str:
    name = spoken(row.class_name) if row.class_name else "mean"
    return f"{style.short(name)} (n = {row.n_normal + row.n_abnormal:,})"


def _dots(
    rows: list[Delta], labels: dict[int, str], name: str, colour: str, symbol: str
) -> go.Scatter:
    delta = np.array([100 * (row.delta or 0.0) for row in rows])
    low = np.array(
        [100 * row.low if row.low is not None else d for row, d in zip(rows, delta, strict=True)]
    )
    high = np.array(
        [100 * row.high if row.high is not None else d for row, d in zip(rows, delta, strict=True)]
    )
    return go.Scatter(
        x=delta,
        y=[labels[id(row)] for row in rows],
        mode="markers",
        name=name,
        marker={"color": colour, "size": 11, "symbol": symbol},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.maximum(high - delta, 0.0),
            "arrayminus": np.maximum(delta - low, 0.0),
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[{"class": row.class_name} for row in rows],
        hovertext=[style.hover(row.words) for row in rows],
        hoverinfo="text",
    )


def agreement(comparison: Comparison) -> go.Figure:
    """Score under A against score under B; images that changed sides stand out."""
    both = comparison.images
    if both.empty:
        return style.empty("The runs have no image in common.")
    changed = both[both["change"] != ""]
    same = both[both["change"] == ""]
    thinned = same
    if len(same) > POINTS:
        thinned = same.iloc[np.linspace(0, len(same) - 1, POINTS).astype(int)]
    shown = f"{len(thinned):,} of {len(same):,}" if len(thinned) < len(same) else f"{len(same):,}"
    kinds = (
        (thinned, f"same side ({shown})", style.SERIES[6], "circle", 5),
        (changed[changed["change"] == "mended"], "mended by B", style.SERIES[0], "triangle-up", 9),
        (changed[changed["change"] == "broken"], "broken by B", style.SERIES[5], "x", 9),
    )
    traces = [_points(*kind) for kind in kinds if len(kind[0])]
    lines = [
        {
            "type": "line",
            "x0": comparison.threshold_a,
            "x1": comparison.threshold_a,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
        },
        {
            "type": "line",
            "y0": comparison.threshold_b,
            "y1": comparison.threshold_b,
            "xref": "paper",
            "x0": 0,
            "x1": 1,
        },
    ]
    cuts = comparison.threshold_a, comparison.threshold_b
    shapes = [
        {**line, "line": {"color": style.ACCENT, "width": 1.5, "dash": "dash"}} for line in lines
    ]
    ends = [
        float(both[["score_a", "score_b"]].min(axis=None)),
        float(both[["score_a", "score_b"]].max(axis=None)),
    ]
    room = max(0.04 * (ends[1] - ends[0]), 0.005)
    span = [min(ends[0], *cuts) - room, max(ends[1], *cuts) + room]  # the same on both axes
    equal = {"type": "line", "x0": span[0], "y0": span[0], "x1": span[1], "y1": span[1]}
    quiet = {"line": {"color": style.TEXT, "width": 1, "dash": "dot"}, "layer": "below"}
    x = style.axis("anomaly score under A (0 to 1)", range=span)
    y = style.axis("anomaly score under B (0 to 1)", range=span)
    drawn = min(_height(len(comparison.rows) + 1), 560)
    return style.figure(
        traces,
        drawn,
        x,
        y,
        shapes=[{**equal, **quiet}, *shapes],
        hovermode="closest",
        annotations=_cut_labels(*cuts),
    )


def _cut_labels(cut_a: float, cut_b: float) -> list[dict[str, Any]]:
    """Which dashed line is whose threshold."""
    shared = {"showarrow": False, "font": {"color": style.ACCENT, "size": 11.5}}
    at_a = {
        "x": cut_a,
        "yref": "paper",
        "y": 0,
        "xanchor": "left",
        "yanchor": "bottom",
        "textangle": -90,
    }
    at_b = {"y": cut_b, "xref": "paper", "x": 1, "xanchor": "right", "yanchor": "bottom"}
    named = ((at_a, "A", cut_a), (at_b, "B", cut_b))
    return [
        {**shared, **place, "text": f"{run}'s threshold {words.threshold(cut)}"}
        for place, run, cut in named
    ]


def _points(rows: pd.DataFrame, name: str, colour: str, symbol: str, size: int) -> go.Scatter:
    counted = name if name.endswith(")") else f"{name} ({len(rows):,})"
    told = zip(rows["rel_path"], rows["anomalous"], rows["score_a"], rows["score_b"], strict=True)
    return go.Scatter(
        x=rows["score_a"].to_numpy(),
        y=rows["score_b"].to_numpy(),
        mode="markers",
        name=counted,
        marker={"color": colour, "size": size, "symbol": symbol, "opacity": 0.7},
        customdata=[{"image": path} for path in rows["rel_path"]],
        hovertext=[
            f"{style.escaped(str(path))}<br>{'anomalous' if bad else 'normal'}<br>"
            f"A {a:.3f}, B {b:.3f}"
            for path, bad, a, b in told
        ],
        hoverinfo="text",
    )
