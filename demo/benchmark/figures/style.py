"""What all figures share. Text and grid lines are recoloured per theme by assets/benchmark.css."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

CLEAR = "rgba(0,0,0,0)"
# Readable on both grounds where the style sheet is not loaded.
TEXT, LINE = "#7d8595", "rgba(125,133,149,.28)"
ACCENT, GREY = "#5b6cf0", "#596273"
# Colour-blind safe; with the words normal and anomalous beside them, and hatching on one.
NORMAL, ANOMALOUS = "#1f9e89", "#e0662a"
# Okabe and Ito's palette without yellow and black, which vanish on white or on black.
SERIES = ("#1f84c9", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98", "#7a5195")
FONT = "IBM Plex Sans, system-ui, sans-serif"
HOVER = {
    "bgcolor": "#171a21",
    "bordercolor": "#171a21",
    "font": {"color": "#ffffff", "family": FONT, "size": 13},
    "align": "left",
}


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis with quiet lines and a title that names its unit."""
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": 12.5}},
        "gridcolor": LINE,
        "linecolor": LINE,
        "zerolinecolor": LINE,
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        **more,
    }


def figure(
    data: list[Any], height: int, x: dict[str, Any], y: dict[str, Any], **layout: Any
) -> go.Figure:
    """A figure in the page's look: no title, no ground, legend above."""
    base: dict[str, Any] = {
        "height": height,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": TEXT, "family": FONT, "size": 12.5},
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "legend": legend(),
        "hoverlabel": HOVER,
        "xaxis": x,
        "yaxis": y,
        "dragmode": False,
        "barcornerradius": 2,
        "template": None,
    }
    return go.Figure(data=data, layout={**base, **layout})


def legend(**more: Any) -> dict[str, Any]:
    """Above the plot, left, wrapping on narrow screens."""
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "bgcolor": CLEAR,
        "itemclick": "toggle",
        **more,
    }


def empty(message: str, height: int = 320) -> go.Figure:
    """A figure's place with a sentence in it: nothing jumps when the figure comes."""
    hidden = {"visible": False, "fixedrange": True}
    note = {
        "text": wrapped(message),
        "x": 0.5,
        "y": 0.5,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "font": {"size": 14},
    }
    return figure([], height, hidden, hidden, annotations=[note])


def wrapped(text: str, width: int = 44) -> str:
    """Lines that fit a narrow screen, as plotly writes them; nothing in it is markup."""
    lines, line = [], ""
    for word in escaped(text).split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "<br>".join([*lines, line])


def escaped(text: str) -> str:
    """Text for plotly, which reads a few tags, entities and %{...} templates."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("%{", "%\u200b{").replace("$", "\uff04")


def hover(text: str, width: int = 64) -> str:
    """A cell's source, line by line, wrapped."""
    return "<br>".join(wrapped(line, width) for line in text.splitlines())


def short(text: str, length: int = 22) -> str:
    """A label for an axis or legend; the whole text belongs in the hover."""
    return escaped(text if len(text) <= length else text[: length - 1] + "…")
