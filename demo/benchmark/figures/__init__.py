"""The benchmark page's figures, by name."""

from __future__ import annotations

from demo.benchmark.figures.runs import agreement, deltas, timed, tradeoff
from demo.benchmark.figures.scores import (
    confusion,
    histogram,
    precision_recall,
    roc,
    threshold_changes,
    threshold_json,
    threshold_marks,
)
from demo.benchmark.figures.style import empty
from demo.benchmark.figures.tables import (
    bars,
    chosen_columns,
    heatmap,
    heatmap_published,
    per_object,
    printed_by,
    radar,
)

__all__ = [
    "agreement",
    "bars",
    "chosen_columns",
    "confusion",
    "deltas",
    "empty",
    "heatmap",
    "heatmap_published",
    "histogram",
    "per_object",
    "precision_recall",
    "printed_by",
    "radar",
    "roc",
    "threshold_changes",
    "threshold_json",
    "threshold_marks",
    "timed",
    "tradeoff",
]
