"""The benchmark page's figures, by name."""

from __future__ import annotations

from demo.charts.runs import agreement, deltas, tradeoff
from demo.charts.scores import (
    confusion,
    histogram,
    precision_recall,
    roc,
    threshold_json,
    threshold_marks,
)
from demo.charts.style import empty
from demo.charts.tables import bars, heatmap, heatmap_published, radar

__all__ = [
    "agreement",
    "bars",
    "confusion",
    "deltas",
    "empty",
    "heatmap",
    "heatmap_published",
    "histogram",
    "precision_recall",
    "radar",
    "roc",
    "threshold_json",
    "threshold_marks",
    "tradeoff",
]
