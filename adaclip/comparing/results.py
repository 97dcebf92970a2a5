"""From a comparison to a detection."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch.nn import functional as F

from adaclip.comparing.calibration import Compared
from adaclip.comparing.features import Features
from adaclip.comparing.joining import Calibration
from adaclip.logits import sigmoid
from adaclip.types import Detection, Threshold

# Margin 0 is the threshold, so the score there is one half.
MIDDLE = 0.5


def detection_of(
    features: Features,
    found: Compared,
    calibration: Calibration,
    compared_with: str,
    notes: tuple[str, ...] = (),
) -> Detection:
    """A picture's detection after comparison; margins and maps are 0 at the thresholds."""
    alone = features.detection
    margin = calibration.margin((found.forward, found.backward, features.anomaly_margin))
    size = alone.model_margin_map.shape
    distances = up_sampled(found.distances, features.grid, size)
    margins = calibration.patch_margins(distances, np.asarray(alone.model_margin_map))
    maps: tuple[np.ndarray, np.ndarray] = (
        margins,
        sigmoid(margins.astype(np.float64)).astype(np.float32),
    )
    for each in maps:
        each.flags.writeable = False
    return dataclasses.replace(
        alone,
        model_margin_map=maps[0],
        model_anomaly_map=maps[1],
        anomaly_margin=margin,
        anomaly_score=sigmoid(margin),
        notes=(*alone.notes, *notes),
        compared_with=compared_with,
        threshold=Threshold(
            value=MIDDLE, source=calibration.source, review_band=calibration.review_band
        ),
        map_threshold=MIDDLE,
    )


def up_sampled(values: np.ndarray, grid: tuple[int, int], size: tuple[int, ...]) -> np.ndarray:
    """(L,) values of patches as a map of `size` (H, W), bilinear between the patches' centres."""
    laid_out = torch.from_numpy(np.asarray(values, np.float32)).reshape(1, 1, *grid)
    array: np.ndarray = F.interpolate(laid_out, size=tuple(size), mode="bilinear")[0, 0].numpy()
    return array
