"""From an anomaly map to a mask and its connected regions. Arrays in, records out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from adaclip.errors import InputError

# Pixels that touch at a corner belong together: thin scratches run diagonally.
_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, kw_only=True)
class Region:
    """One connected part of a mask, measured on the anomaly map."""

    area_px: int
    area_fraction: float  # of the whole image, 0-1
    peak: float
    mean: float
    box: tuple[int, int, int, int]  # x0, y0, x1, y1; x1 and y1 are just outside, as in slices
    peak_xy: tuple[int, int]


def anomaly_mask(anomaly_map: np.ndarray, threshold: float, min_area: int = 0) -> np.ndarray:
    """(H, W) bool: pixels of (H, W) `anomaly_map` at or above `threshold`.

    Connected regions of fewer than `min_area` pixels are left out. Raises InputError.
    """
    _check_map(anomaly_map)
    mask: np.ndarray = anomaly_map >= threshold
    if min_area <= 1 or not mask.any():
        return mask
    labels, _ = ndimage.label(mask, structure=_NEIGHBOURS)
    large = np.bincount(labels.ravel()) >= min_area
    large[0] = False  # the background
    return large[labels]


def find_regions(anomaly_map: np.ndarray, mask: np.ndarray) -> list[Region]:
    """Connected regions (8 neighbours) of (H, W) bool `mask`, highest peak first.

    Equal peaks: the larger region first. Raises InputError when the shapes differ.
    """
    _check_map(anomaly_map)
    if mask.shape != anomaly_map.shape:
        raise InputError(
            f"the mask is {mask.shape} and the anomaly map {anomaly_map.shape}; "
            "they must be of one image"
        )
    labels, _ = ndimage.label(mask, structure=_NEIGHBOURS)
    regions = []
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        values = np.where(labels[window] == index, anomaly_map[window], -np.inf)
        inside = values[values > -np.inf]
        rows, columns = window
        y, x = np.unravel_index(int(values.argmax()), values.shape)
        regions.append(
            Region(
                area_px=int(inside.size),
                area_fraction=inside.size / mask.size,
                peak=float(inside.max()),
                mean=float(inside.mean(dtype=np.float64)),
                box=(columns.start, rows.start, columns.stop, rows.stop),
                peak_xy=(int(columns.start + x), int(rows.start + y)),
            )
        )
    return sorted(regions, key=lambda region: (-region.peak, -region.area_px, region.box))


def _check_map(anomaly_map: np.ndarray) -> None:
    if anomaly_map.ndim != 2 or anomaly_map.size == 0:
        raise InputError(f"an anomaly map has shape (H, W), this one {anomaly_map.shape}")
