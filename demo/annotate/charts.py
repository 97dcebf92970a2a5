"""Charts over the annotations: per class, per reason, over time; for light and dark pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from adaclip.data.registry import spoken
from demo.flag import words as flag_words

if TYPE_CHECKING:
    from adaclip.annotations.store import Annotation

# Told apart by the colour-blind too (after Okabe and Ito), on white and on black.
COLOURS = {
    "FP": "#e69f00",
    "TP": "#009e73",
    "FN": "#d55e00",
    "TN": "#56b4e9",
    "unsure": "#999999",
}
_INK = "#8a8f98"
_MAX_BARS, _MAX_TICKS = 20, 5
_HEIGHT = 280
# So many days are shown hour by hour, and so many day by day.
_MAX_HOURLY_DAYS, _MAX_DAYS = 3, 92


def per_class(current: Iterable[Annotation]) -> go.Figure:
    """How often each verdict was given, for each object; the most judged ones."""
    counts = Counter((spoken(a.class_name), a.verdict) for a in current)
    totals: Counter[str] = Counter()
    for (name, _), count in counts.items():
        totals[name] += count
    names = [name for name, _ in totals.most_common(_MAX_BARS)][::-1]
    figure = _figure(max(_HEIGHT, 70 + 26 * len(names)))
    for verdict, label in flag_words.VERDICTS.items():
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
    figure.update_xaxes(title_text="annotations", **_counts(figure, "x"))
    return figure


def per_reason(current: Iterable[Annotation]) -> go.Figure:
    """Why the model was wrong, in the words of those who judged it."""
    counts = Counter(a.reason_code for a in current if a.reason_code)
    codes = [code for code in reversed(flag_words.REASONS) if counts[code]]
    figure = _figure(_HEIGHT)
    figure.add_bar(
        x=[counts[code] for code in codes],
        y=[flag_words.REASONS[code] for code in codes],
        orientation="h",
        marker_color=COLOURS["FP"],
        hovertemplate="%{y}: %{x}<extra></extra>",
    )
    figure.update_xaxes(title_text="annotations", **_counts(figure, "x"))
    return figure


def over_time(current: Sequence[Annotation]) -> go.Figure:
    """How many annotations there were, by verdict: in hours of some days, days of some months."""
    figure = _figure(_HEIGHT)
    times = [a.ts_utc for a in current]
    if times:
        step, steps = _steps(min(times), max(times))
        # Stored times are texts of one form: the beginning tells the hour, the day, the month.
        bins = Counter((a.ts_utc[: len(steps[0])], a.verdict) for a in current)
        for verdict, label in flag_words.VERDICTS.items():
            values = [bins[text, verdict] for text in steps]
            if any(values):
                figure.add_bar(
                    x=[_label(text) for text in steps],
                    y=values,
                    name=label,
                    marker_color=COLOURS[verdict],
                    hovertemplate="%{x}: %{y} " + label.lower() + "<extra></extra>",
                )
        marked = steps[:: -(-len(steps) // _MAX_TICKS)]
        figure.update_xaxes(
            title_text=f"{step}, UTC",
            type="category",
            tickvals=[_label(text) for text in marked],
            ticktext=[_short(text) for text in marked],
            tickangle=0,
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title_text="annotations", **_counts(figure, "y"))
    return figure


def _steps(first: str, last: str) -> tuple[str, list[str]]:
    """The hours, days or months from one time to another, none left out, as times begin."""
    start, end = date.fromisoformat(first[:10]), date.fromisoformat(last[:10])
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    if len(days) <= _MAX_HOURLY_DAYS:
        hours = [f"{day.isoformat()}T{hour:02}" for day in days for hour in range(24)]
        return "hour", [text for text in hours if first[:13] <= text <= last[:13]]
    if len(days) <= _MAX_DAYS:
        return "day", [day.isoformat() for day in days]
    return "month", sorted({day.isoformat()[:7] for day in days})


def _label(step: str) -> str:
    """An hour, day or month in full: "2026-01-31 09:00", "2026-01-31", "2026-01"."""
    return f"{step.replace('T', ' ')}:00" if "T" in step else step


def _short(step: str) -> str:
    """The same below an axis, where five have to fit on a phone."""
    day = date.fromisoformat(f"{step}-01"[:10])
    if "T" in step:
        return f"{step[11:]}:00<br>{day.day} {day:%b}"
    return f"{day.day} {day:%b}" if len(step) > 7 else f"{day:%b}<br>{day.year}"


def _counts(figure: go.Figure, side: str) -> dict[str, Any]:
    """An axis of whole numbers from zero on."""
    few = sum(max(bar[side] or (0,)) for bar in figure.data) <= 6
    return {"rangemode": "tozero", "dtick": 1 if few else None}


def _figure(height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _INK, "size": 12},
        margin={"l": 10, "r": 10, "t": 10, "b": 45},
        showlegend=False,  # the counts above the charts are in the same colours
        bargap=0.25,
        dragmode=False,
    )
    title = {"color": _INK, "size": 12}
    lines = {
        "title_font": title,
        "gridcolor": "rgba(138,143,152,.25)",
        "zerolinecolor": "rgba(138,143,152,.5)",
    }
    figure.update_xaxes(**lines, automargin=True, fixedrange=True)
    figure.update_yaxes(**lines, automargin=True, fixedrange=True)
    return figure
