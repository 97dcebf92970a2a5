"""AUPRO: how much of every anomalous region is found while false alarms stay below a limit.

A region is a set of anomalous pixels that touch at sides or corners (8 neighbours), as in MVTec
AD's definition of the metric. Each region counts the same, however small. The false-positive
rate is over all normal pixels, those of anomalous images among them. The area under overlap
against that rate is taken from 0 to the limit, with straight lines between the points of distinct
thresholds, and divided by the limit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from adaclip.errors import InputError
from adaclip.metrics.ranking import comparable
from adaclip.metrics.sweep import Sweep

FPR_LIMIT = 0.3
_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def region_areas(mask: np.ndarray) -> np.ndarray:
    """The area in pixels of the region of every True pixel of (H, W) `mask`, in `mask`'s order."""
    labels, _ = ndimage.label(mask, structure=_NEIGHBOURS)
    inside = labels[mask]
    return np.bincount(inside)[inside].astype(np.uint32) if inside.size else np.zeros(0, np.uint32)


def aupro(
    maps: Sequence[np.ndarray], masks: Sequence[np.ndarray], fpr_limit: float = FPR_LIMIT
) -> float | None:
    """AUPRO, 0-1, of (H, W) maps and their (H, W) bool masks; None without both kinds of pixel.

    Raises InputError when a map and its mask differ in shape or a value is not finite.
    """
    for anomaly_map, mask in zip(maps, masks, strict=True):
        check_pair(anomaly_map, mask)
    if not len(maps):
        return None
    normal, abnormal = comparable(
        np.concatenate([m[~mask] for m, mask in zip(maps, masks, strict=True)]),
        np.concatenate([m[mask] for m, mask in zip(maps, masks, strict=True)]),
    )
    if not normal.size or not abnormal.size:
        return None
    areas = np.concatenate([region_areas(mask) for mask in masks])
    sweep = Sweep(normals=normal.size, abnormals=abnormal.size, fpr_limit=fpr_limit)
    add_pixels(sweep, normal, abnormal, areas)
    return sweep.aupro


def add_pixels(sweep: Sweep, normal: np.ndarray, abnormal: np.ndarray, areas: np.ndarray) -> None:
    """Go down through pixels in any order; `areas` are those of the abnormal ones' regions."""
    order = np.argsort(abnormal)
    sweep.add(normal, abnormal[order], 1.0 / areas[order])


def check_pair(anomaly_map: np.ndarray, mask: np.ndarray) -> None:
    """Raise InputError unless both are (H, W) of one size and the mask is bool."""
    if anomaly_map.ndim != 2 or anomaly_map.shape != mask.shape or mask.dtype != bool:
        raise InputError(
            f"a map of shape {anomaly_map.shape} needs a bool mask of the same (H, W), not "
            f"{mask.dtype} of shape {mask.shape}"
        )
