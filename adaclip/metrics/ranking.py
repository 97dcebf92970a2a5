"""AUROC, average precision and max-F1 of two sets of values, exactly and with ties as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from adaclip.errors import InputError
from adaclip.metrics.sweep import Sweep

METRICS = ("auroc", "average_precision", "max_f1")


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """How well a value tells abnormal from normal. Values 0-1; None where undefined.

    `max_f1` is the highest F1 of calling values >= `max_f1_threshold` abnormal, over every
    threshold there is; calling everything abnormal is one of them, so it is never near 0.
    `undefined` gives the reason of each metric that is None.
    """

    auroc: float | None
    average_precision: float | None
    max_f1: float | None
    max_f1_threshold: float | None
    normal: int
    abnormal: int
    undefined: Mapping[str, str] = field(default_factory=dict)


def ranking(normal: np.ndarray, abnormal: np.ndarray, *, of: str = "images") -> Ranking:
    """The rank metrics of 1-D arrays of finite numbers, in any order; higher is more abnormal.

    Equal to scikit-learn's roc_auc_score, average_precision_score and the maximum over
    precision_recall_curve. Values keep their type (float64 beside float32 makes both float64), so
    no tie is made or lost. Where either side is empty all three are undefined: a perfect average
    precision of nothing but anomalies would say nothing. `of` is the noun in that reason.

    Raises InputError for NaN, infinities, or another shape.
    """
    normal, abnormal = comparable(normal, abnormal)
    if reason := missing(normal.size, abnormal.size, of):
        return undefined_ranking(normal.size, abnormal.size, reason)
    sweep = Sweep(normals=normal.size, abnormals=abnormal.size)
    sweep.add(normal, np.sort(abnormal))
    return finished(sweep)


def finished(sweep: Sweep) -> Ranking:
    """The metrics of a sweep that has gone through all values."""
    f1, threshold = sweep.max_f1
    return Ranking(
        auroc=sweep.auroc,
        average_precision=sweep.average_precision,
        max_f1=f1,
        max_f1_threshold=threshold,
        normal=sweep.normals,
        abnormal=sweep.abnormals,
    )


def undefined_ranking(normal: int, abnormal: int, reason: str) -> Ranking:
    """No metric at all, for one reason."""
    return Ranking(
        auroc=None,
        average_precision=None,
        max_f1=None,
        max_f1_threshold=None,
        normal=normal,
        abnormal=abnormal,
        undefined=dict.fromkeys(METRICS, reason),
    )


def missing(normal: int, abnormal: int, of: str) -> str | None:
    """Why counts of these sizes cannot be ranked: "no normal images"; None when they can."""
    if not normal and not abnormal:
        return f"no {of}"
    if not normal:
        return f"no normal {of}"
    return None if abnormal else f"no anomalous {of}"


def comparable(normal: np.ndarray, abnormal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays in one floating type that holds every value of either. Raises InputError."""
    arrays = [np.asarray(values) for values in (normal, abnormal)]
    kinds = [array.dtype if array.dtype.kind == "f" else np.float64 for array in arrays]
    common = np.result_type(np.float32, *kinds)
    for array in arrays:
        if array.ndim != 1 or array.dtype.kind not in "fiu":
            raise InputError(
                f"rank metrics take one-dimensional arrays of numbers, not {array.dtype} of "
                f"shape {array.shape}"
            )
        # NaN spreads to both ends.
        if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
            raise InputError("a value to rank is NaN or infinite; look for what made it")
    return arrays[0].astype(common, copy=False), arrays[1].astype(common, copy=False)
