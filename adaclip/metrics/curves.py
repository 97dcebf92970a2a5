"""ROC and precision-recall curves thinned for a chart, and the counts at one threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adaclip.metrics.ranking import comparable


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points from the highest threshold to the lowest; each is exact, none is interpolated."""

    x: np.ndarray
    y: np.ndarray
    threshold: np.ndarray  # values >= it are called anomalous

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts at a threshold: values at or above it are called anomalous."""

    tp: int
    fp: int
    tn: int
    fn: int


def roc_curve(normal: np.ndarray, abnormal: np.ndarray, points: int = 400) -> Curve:
    """False-positive rate (x) and true-positive rate (y), from (0, 0) at infinity to (1, 1).

    At most `points` points, spread evenly along the curve. Empty when a side is empty. Raises
    InputError as `ranking` does.
    """
    thresholds, true, false = _counts(normal, abnormal)
    if not thresholds.size:
        return _empty()
    x = np.r_[0.0, false / false[-1]]
    y = np.r_[0.0, true / true[-1]]
    kept = _thin(x + y, points)
    return Curve(x=x[kept], y=y[kept], threshold=np.r_[np.inf, thresholds][kept])


def pr_curve(normal: np.ndarray, abnormal: np.ndarray, points: int = 400) -> Curve:
    """Recall (x) and precision (y), from the highest value to "everything is anomalous".

    As `roc_curve` otherwise; there is no made-up point at recall 0.
    """
    thresholds, true, false = _counts(normal, abnormal)
    if not thresholds.size:
        return _empty()
    recall, precision = true / true[-1], true / (true + false)
    length = np.abs(np.diff(recall, prepend=recall[0])) + np.abs(
        np.diff(precision, prepend=precision[0])
    )
    kept = _thin(np.cumsum(length), points)
    return Curve(x=recall[kept], y=precision[kept], threshold=thresholds[kept])


def confusion(normal: np.ndarray, abnormal: np.ndarray, threshold: float) -> Confusion:
    """How many of either side are at or above the threshold, and how many below it."""
    false, true = (int(np.count_nonzero(side >= threshold)) for side in (normal, abnormal))
    return Confusion(tp=true, fp=false, tn=len(normal) - false, fn=len(abnormal) - true)


def _counts(normal: np.ndarray, abnormal: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct values from high to low, and how many of either side are at or above each."""
    normal, abnormal = comparable(normal, abnormal)
    if not normal.size or not abnormal.size:
        return (np.zeros(0),) * 3
    thresholds = np.unique(np.concatenate([normal, abnormal]))[::-1]
    false, true = (
        side.size - np.searchsorted(np.sort(side), thresholds) for side in (normal, abnormal)
    )
    return thresholds.astype(np.float64), true, false


def _thin(along: np.ndarray, points: int) -> np.ndarray:
    """Indices of at most `points` entries spread evenly over the rising `along`; both ends stay."""
    if along.size <= points:
        return np.arange(along.size)
    wanted = np.linspace(along[0], along[-1], points)
    found = np.searchsorted(along, wanted)
    found[0], found[-1] = 0, along.size - 1
    return np.unique(found.clip(max=along.size - 1))


def _empty() -> Curve:
    return Curve(x=np.zeros(0), y=np.zeros(0), threshold=np.zeros(0))
