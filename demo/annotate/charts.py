"""Charts over the annotations: per class, per reason, over time; for light and dark pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from adaclip.data.registry import spoken
from demo.annotate import words

if TYPE_CHECKING:
    from adaclip.stores.annotations import Annotation

# Told apart by the colour-blind too (after Okabe and Ito), on white and on black.
COLOURS = {
    "FP": "#e69f00",
    "TP": "#009e73",
    "FN": "#d55e00",
    "TN": "#56b4e9",
    "unsure": "#999999",
}
_INK = "#8a8f98"
_MAX_BARS = 20
_HEIGHT = 320


def per_class(current: Iterable[Annotation]) -> go.Figure:
    """How often each verdict was given, for each object; the most judged ones."""
    counts = Counter((spoken(a.class_name), a.verdict) for a in current)
    totals: Counter[str] = Counter()
    for (name, _), count in counts.items():
        totals[name] += count
    names = [name for name, _ in totals.most_common(_MAX_BARS)][::-1]
    figure = _figure(max(_HEIGHT, 90 + 26 * len(names)))
    for verdict, label in words.VERDICTS.items():
        values = [counts[name, verdict] for name in names]
        if any(values):
            figure.add_bar(
                x=values,
                y=names,
                name=label,
                orientation="h",
                marker_color=COLOURS[verdict],
                hovertemplate="%{y}: %{x} " + label.lower() + "<extra></extra>",
            )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="annotations", **_counts(figure, "x"))
    return figure


def per_reason(current: Iterable[Annotation]) -> go.Figure:
    """Why the model was wrong, in the words of those who judged it."""
    counts = Counter(a.reason_code for a in current if a.reason_code)
    codes = [code for code in reversed(words.REASONS) if counts[code]]
    figure = _figure(_HEIGHT)
    figure.add_bar(
        x=[counts[code] for code in codes],
        y=[words.REASONS[code] for code in codes],
        orientation="h",
        marker_color=COLOURS["FP"],
        hovertemplate="%{y}: %{x}<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(title="annotations", **_counts(figure, "x"))
    return figure


def over_time(current: Sequence[Annotation]) -> go.Figure:
    """How many annotations there were, by verdict: per hour of a short time, per day of a long."""
    times = [(_when(a.ts_utc), a.verdict) for a in current]
    known = [(when, verdict) for when, verdict in times if when is not None]
    figure = _figure(_HEIGHT)
    if known:
        first, last = min(known)[0], max(known)[0]
        hourly = last - first < timedelta(days=3)
        bins = Counter((_bin(when, hourly), verdict) for when, verdict in known)
        steps = sorted({step for step, _ in bins})
        for verdict, label in words.VERDICTS.items():
            values = [bins[step, verdict] for step in steps]
            if any(values):
                figure.add_bar(
                    x=steps,
                    y=values,
                    name=label,
                    marker_color=COLOURS[verdict],
                    hovertemplate="%{x}: %{y} " + label.lower() + "<extra></extra>",
                )
        figure.update_xaxes(title="hour, UTC" if hourly else "day, UTC", type="category", nticks=12)
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="annotations", **_counts(figure, "y"))
    return figure


def _counts(figure: go.Figure, side: str) -> dict[str, Any]:
    """An axis of whole numbers from zero on."""
    few = sum(max(bar[side] or (0,)) for bar in figure.data) <= 6
    return {"rangemode": "tozero", "dtick": 1 if few else None}


def _bin(when: datetime, hourly: bool) -> str:
    return when.strftime("%d %b %H:00" if hourly else "%Y-%m-%d")


def _when(ts_utc: str) -> datetime | None:
    try:
        return datetime.fromisoformat(ts_utc).astimezone(UTC)
    except ValueError:
        return None


def _figure(height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _INK, "size": 12},
        margin={"l": 10, "r": 10, "t": 72, "b": 45},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        bargap=0.25,
        dragmode=False,
    )
    lines = {"gridcolor": "rgba(138,143,152,.25)", "zerolinecolor": "rgba(138,143,152,.5)"}
    figure.update_xaxes(**lines, automargin=True, fixedrange=True)
    figure.update_yaxes(**lines, automargin=True, fixedrange=True)
    return figure
