"""Does the map of a normal image peak on a contour? Edges are what false alarms are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

# Shares of the map's side. Texture finer than the first is no contour: published maps are
# smoothed as much. The second is half a patch of ViT/14 at 518.
_GRAIN, _REACH = 4 / 518, 7 / 518
_STRONGEST = 0.1  # of all pixels, by gradient


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Where a map peaks in relation to the image's contours."""

    on_contour: bool
    near_contours: float  # share of the image that counts as on a contour: what chance would give


def peak_on_contour(pixels: np.ndarray, margin_map: np.ndarray) -> Peak:
    """(H, W, 3) uint8 image and (S, S) map of it, at the model's resolution.

    A contour is where the Sobel gradient of the smoothed grey image, at the map's size, is in its
    top tenth and not zero. The peak lies on one when a contour is within half a patch of the map's
    maximum. Compare the share of images with `near_contours`: a busy image has contours everywhere.
    """
    height, width = margin_map.shape
    grey = Image.fromarray(pixels).convert("L").resize((width, height), Image.Resampling.BOX)
    smooth = ndimage.gaussian_filter(np.asarray(grey, np.float32), _GRAIN * height)
    gradient = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))
    strong = (gradient >= np.quantile(gradient, 1 - _STRONGEST)) & (gradient > 0)
    if not strong.any():
        return Peak(on_contour=False, near_contours=0.0)
    near = ndimage.distance_transform_edt(~strong) <= _REACH * height
    peak = np.unravel_index(int(margin_map.argmax()), margin_map.shape)
    return Peak(on_contour=bool(near[peak]), near_contours=float(near.mean()))
