"""Charts over one run's scores. The threshold moves marks in them and nothing else."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from adaclip.logits import sigmoid
from adaclip.metrics import curves
from adaclip.runs import wording
from adaclip.runs.scores import Confusion, Scores
from demo.benchmark import words
from demo.benchmark.figures import style
from demo.benchmark.scale import MARGIN_END, place_on
from demo.benchmark.select import written_range

HEIGHT = 300
BINS = (24, 60)  # fewest and most
CURVE_POINTS = 400


def histogram(
    scores: Scores, threshold: float, review: float | None = None, scale: str = "score"
) -> go.Figure:
    """How the scores of normal and anomalous images lie about the threshold.

    On the scale "margin", the log-odds of the score, those near 0 and 1 lie apart. A click on a
    bar gives its score range and kind of image.
    """
    return _marked("histogram", scores, threshold, review, scale)


def roc(scores: Scores, threshold: float) -> go.Figure:
    """Detection rate against false alarms; a click on the curve moves the threshold there."""
    return _marked("roc", scores, threshold)


def precision_recall(scores: Scores, threshold: float) -> go.Figure:
    """Precision against detection rate; a click on the curve moves the threshold there."""
    return _marked("precision_recall", scores, threshold)


def threshold_json(
    name: str, scores: Scores, threshold: float, review: float | None = None, scale: str = "score"
) -> str:
    """The JSON of histogram, roc, precision_recall or confusion, as `to_json` of it would be.

    For a moving threshold: only its marks are written anew.
    """
    if name == "confusion":
        return str(confusion(scores, threshold).to_json())
    drawn = scores.drawn.get((name, scale, "json"))
    if drawn is None:
        plain = json.loads(_plain(name, scores, scale).to_json())
        drawn = (json.dumps(plain["data"])[1:-1], plain["layout"])
        scores.drawn[name, scale, "json"] = drawn
    data, layout = drawn
    traces, marks = _marks(name, scores, threshold, review, scale)
    parts = [part for part in (data, *(trace.to_json() for trace in traces)) if part]
    return f'{{"data":[{",".join(parts)}],"layout":{json.dumps({**layout, **marks})}}}'


def threshold_changes(
    name: str, scores: Scores, threshold: float, review: float | None = None, scale: str = "score"
) -> dict[str, Any]:
    """What a moved threshold changes in a chart that is drawn already.

    `keep`: how many of its traces stay; `traces` come after them, `layout` is laid over its own.
    """
    traces: Sequence[Any]
    layout: dict[str, Any]
    if name == "confusion":
        keep, (traces, layout) = 0, (confusion(scores, threshold).data, {})
    else:
        keep = len(_plain(name, scores, scale).data)
        traces, layout = _marks(name, scores, threshold, review, scale)
    return {"keep": keep, "traces": [json.loads(one.to_json()) for one in traces], "layout": layout}


def _plain(name: str, scores: Scores, scale: str) -> go.Figure:
    """The chart without a threshold; drawn once for its scores, so not to be changed."""
    plain = scores.drawn.get((name, scale))
    if plain is None:
        reason = _reason(name, scores)
        if reason:
            title = "Scores" if name == "histogram" else CURVES[name].title
            plain = style.empty(f"{title}: {wording.NA}, {reason}", HEIGHT)
        else:
            histogram = name == "histogram"
            plain = _histogram(scores, scale) if histogram else _curve(scores, CURVES[name])
        scores.drawn[name, scale] = plain
    return plain


def _reason(name: str, scores: Scores) -> str | None:
    """Why a chart has nothing to show."""
    if name == "histogram":
        return None if scores.n_normal + scores.n_abnormal else wording.NO_IMAGES
    return scores.undefined


def _marked(
    name: str, scores: Scores, threshold: float, review: float | None = None, scale: str = "score"
) -> go.Figure:
    figure = go.Figure(_plain(name, scores, scale))
    traces, layout = _marks(name, scores, threshold, review, scale)
    return figure.add_traces(traces).update_layout(**layout)


def _marks(
    name: str, scores: Scores, threshold: float, review: float | None, scale: str
) -> tuple[list[go.Scatter], dict[str, Any]]:
    """(traces, layout) that the threshold adds to a chart: all that changes when it moves."""
    if _reason(name, scores):
        return [], {}
    if name == "histogram":
        _plain(name, scores, scale)
        return [], threshold_marks(threshold, review, scores.drawn["edges", scale], scale)
    counts = scores.confusion(threshold)
    x, y, said = CURVES[name].point(counts)
    if x is None or y is None:
        return [], {}
    point = go.Scatter(
        x=[x],
        y=[y],
        mode="markers",
        name="at the threshold",
        marker={"size": 13, "color": style.ACCENT, "line": {"color": "#ffffff", "width": 2}},
        hovertext=[f"at {words.threshold(threshold)}: {said}"],
        hoverinfo="text",
    )
    return [point], {}


def bin_edges(scores: Scores, scale: str = "score") -> np.ndarray:
    """Edges on a scale, at round numbers, that hold every score; the last is over the highest.

    Ascending, the same for every threshold. Between 24 and 60 bins over the scores' own range.
    """
    both = np.concatenate([scores.normal, scores.abnormal])
    ends = (float(both.min()), float(both.max())) if len(both) else (0.0, 1.0)
    low, high = (place_on(scale, end) for end in ends)
    width = max(high - low, 1e-6) / BINS[1]
    power = math.floor(math.log10(width))
    step, digits = next(
        (base * 10.0**power, -power + (base == 2.5))
        for base in (1, 2, 2.5, 5, 10)
        if base * 10.0**power >= width
    )
    first = math.floor(low / step)
    count = max(math.floor(high / step) - first + 1, 1)
    edges = np.round((first + np.arange(count + 1)) * step, max(digits, 0) + 1)
    if edges[-1] <= high:
        edges = np.append(edges, np.round(edges[-1] + step, max(digits, 0) + 1))
    limits = (0.0, 1.0) if scale == "score" else (-MARGIN_END, MARGIN_END)
    edges = np.unique(np.clip(edges, *limits))
    return edges if len(edges) > 1 else np.array(limits)


def _score_edges(edges: np.ndarray, scale: str) -> np.ndarray:
    """The edges as scores; the ends of the margins' scale hold what lies beyond them."""
    if scale == "score":
        return edges
    scored = sigmoid(edges)
    scored[edges <= -MARGIN_END], scored[edges >= MARGIN_END] = 0.0, 1.0
    return scored


def _histogram(scores: Scores, scale: str) -> go.Figure:
    edges = scores.drawn["edges", scale] = bin_edges(scores, scale)
    scored = _score_edges(edges, scale)
    centres, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    ranges = [written_range(float(a), float(b)) for a, b in itertools.pairwise(scored)]
    traces = []
    kinds = (
        ("normal", scores.normal, style.NORMAL, ""),
        ("anomalous", scores.abnormal, style.ANOMALOUS, "/"),
    )
    for kind, values, colour, hatch in kinds:
        # As the gallery counts: half-open, but for an upper edge of 1.
        counts = np.histogram(values, bins=scored)[0]
        traces.append(
            go.Bar(
                x=centres,
                y=counts,
                width=widths,
                name=f"{kind} (n = {len(values):,})",
                marker={
                    "color": colour,
                    "opacity": 0.72,
                    "line": {"width": 0},
                    "pattern": {"shape": hatch, "size": 5, "solidity": 0.25},
                },
                customdata=[{"scores": one, "outcome": kind} for one in ranges],
                hovertext=[
                    f"{count:,} {kind}, {scale} {low:g} to {high:g}"
                    for count, low, high in zip(counts, edges, edges[1:], strict=False)
                ],
                hoverinfo="text",
            )
        )
    title = "anomaly score (0 to 1)" if scale == "score" else "margin (log-odds of the score)"
    x = style.axis(title, range=[edges[0], edges[-1]], showgrid=False)
    highest = max((max(trace.y, default=0) for trace in traces), default=0)
    whole = {"dtick": 1} if highest < 8 else {}  # plotly would count few images in halves
    y = style.axis("images", rangemode="tozero", **whole)
    return style.figure(traces, HEIGHT, x, y, barmode="overlay", bargap=0)


def threshold_marks(
    threshold: float,
    review: float | None = None,
    edges: Sequence[float] | np.ndarray = (0.0, 1.0),
    scale: str = "score",
) -> dict[str, Any]:
    """Layout of a histogram's line and label: all that a threshold move changes.

    `threshold` and `review` are scores, `edges` are on the scale. A threshold beyond the edges
    is said at that end.
    """
    low, high = float(edges[0]), float(edges[-1])
    said = words.threshold(threshold)
    threshold = place_on(scale, threshold)
    review = None if review is None else place_on(scale, review)
    if scale != "score":
        said = f"{threshold:.2f} (score {said})"
    at = min(max(threshold, low), high)
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at}
    dash = "solid" if at == threshold else "dot"
    shapes = [{**line, "line": {"color": style.ACCENT, "width": 2.5, "dash": dash}}]
    if review is not None and low < threshold and review < min(threshold, high):
        band = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "x0": max(review, low), "x1": at}
        shapes.append({**band, "fillcolor": style.ACCENT, "opacity": 0.12, "line": {"width": 0}})
    right = at > (low + high) / 2
    beyond = {-1: " is below", 0: "", 1: " is above"}[int(threshold > high) - int(threshold < low)]
    label = {
        "x": at,
        "y": 1,
        "yref": "paper",
        "yanchor": "top",
        "xanchor": "right" if right else "left",
        "xshift": -4 if right else 4,
        "text": said + beyond,
        "showarrow": False,
        "font": {"color": style.ACCENT, "size": 13},
        "name": "threshold",
    }
    return {"shapes": shapes, "annotations": [label]}


@dataclass(frozen=True, kw_only=True)
class _Curve:
    """What the two curves differ in."""

    title: str
    points: Callable[..., curves.Curve]
    axes: tuple[str, str]
    rates: tuple[str, str]
    # Counts -> (x, y, what is said of the point).
    point: Callable[[Confusion], tuple[float | None, float | None, str]]


def _roc_point(counts: Confusion) -> tuple[float | None, float | None, str]:
    said = (
        f"{words.share(counts.detection_rate)} of anomalies found,<br>"
        f"{words.share(counts.false_alarm_rate)} of normals called anomalous"
    )
    return counts.false_alarm_rate, counts.detection_rate, said


def _pr_point(counts: Confusion) -> tuple[float | None, float | None, str]:
    said = (
        f"{words.share(counts.precision)} of alarms right,<br>"
        f"{words.share(counts.detection_rate)} of anomalies found, F1 {wording.percent(counts.f1)}"
    )
    return counts.detection_rate, counts.precision, said


CURVES = {
    "roc": _Curve(
        title="ROC",
        points=curves.roc_curve,
        axes=("false alarms (share of normals)", "found (share of anomalies)"),
        rates=("false alarm rate", "detection rate"),
        point=_roc_point,
    ),
    "precision_recall": _Curve(
        title="Precision and recall",
        points=curves.pr_curve,
        axes=("found (share of anomalies)", "precision (share of alarms)"),
        rates=("recall", "precision"),
        point=_pr_point,
    ),
}


def _curve(scores: Scores, kind: _Curve) -> go.Figure:
    curve = kind.points(scores.normal_rank, scores.abnormal_rank, points=CURVE_POINTS)
    cuts = scores.score_at(curve.threshold)
    said = [
        f"{kind.rates[1]} {100 * y:.1f} %<br>{kind.rates[0]} {100 * x:.1f} %<br>"
        f"threshold {words.threshold(float(cut))}"
        for x, y, cut in zip(curve.x, curve.y, cuts, strict=True)
    ]
    share = scores.n_abnormal / (scores.n_abnormal + scores.n_normal)
    traces = [
        go.Scatter(
            x=[0, 1],
            y=[0, 1] if kind.title == "ROC" else [share, share],
            mode="lines",
            line={"color": style.TEXT, "width": 1, "dash": "dot"},
            name="chance",
            hoverinfo="skip",
        ),
        go.Scatter(
            x=curve.x,
            y=curve.y,
            mode="lines",
            line={"color": style.SERIES[0], "width": 2.5},
            name=f"n = {scores.n_normal:,} normal, {scores.n_abnormal:,} anomalous",
            customdata=[{"threshold": repr(float(cut))} for cut in cuts],
            hovertext=said,
            hoverinfo="text",
        ),
    ]
    ends = {"range": [-0.02, 1.03], "tickformat": ".0%", "dtick": 0.25}
    x, y = (style.axis(title, **ends) for title in kind.axes)
    return style.figure(traces, HEIGHT, x, y, hovermode="closest")


SQUARES = (
    # column, row, outcome, its title
    (0, 1, "tn", "Correct pass"),
    (1, 1, "fp", "False alarm"),
    (0, 0, "fn", "Missed"),
    (1, 0, "tp", "Detected"),
)


def confusion(scores: Scores, threshold: float) -> go.Figure:
    """Four squares with counts and rates; a click on one gives its images."""
    counts = scores.confusion(threshold)
    if not scores.n_normal + scores.n_abnormal:
        return style.empty(wording.NO_IMAGES, HEIGHT)
    rates = _rates(counts)
    share: list[list[float]] = [[0.0, 0.0], [0.0, 0.0]]
    text, patches, said = ([["", ""], ["", ""]] for _ in range(3))
    for column, row, outcome, title in SQUARES:
        rate, count = rates[outcome], getattr(counts, outcome)
        good = outcome in ("tn", "tp")
        share[row][column] = (1 if good else -1) * (0.0 if rate is None else rate)
        of = "normal" if outcome in ("tn", "fp") else "anomalous"
        told = f"{wording.NA}: no {of} images" if rate is None else f"{words.share(rate)} of {of}"
        text[row][column] = f"<b>{count:,}</b><br>{title}<br>{words.share(rate)}"
        patches[row][column] = {"outcome": outcome}  # type: ignore[call-overload]
        said[row][column] = f"{title}: {wording.images(count)}<br>{told}"
    heat = go.Heatmap(
        x=["called normal", "called anomalous"],
        y=[f"anomalous<br>n = {scores.n_abnormal:,}", f"normal<br>n = {scores.n_normal:,}"],
        z=share,
        zmin=-1,
        zmax=1,
        # Right verdicts towards blue, wrong ones towards orange: safe for every eye, and white
        # text is readable on all of them.
        colorscale=[[0, "#b5490d"], [0.5, style.GREY], [1, "#0072b2"]],
        showscale=False,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 14, "color": "#ffffff"},
        customdata=patches,
        hovertext=said,
        hoverinfo="text",
        xgap=4,
        ygap=4,
    )
    x = style.axis(showgrid=False, side="top", ticks="")
    y = style.axis(showgrid=False, ticks="", tickangle=-90)
    return style.figure([heat], HEIGHT, x, y)


def _rates(counts: Confusion) -> dict[str, float | None]:
    found, alarms = counts.detection_rate, counts.false_alarm_rate
    return {
        "tp": found,
        "fn": None if found is None else 1 - found,
        "fp": alarms,
        "tn": None if alarms is None else 1 - alarms,
    }
