"""What training does to pictures and masks before the model sees them. No randomness here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image


def mosaic(
    images: Sequence[np.ndarray], masks: Sequence[np.ndarray | None], size: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Four pictures as one: upper left, upper right, lower left, lower right.

    Published with AdaCLIP as an option: the object gets smaller and is there several times.

    Args:
        images: four of (H, W, 3) uint8, each brought to a square tile, aspect not kept.
        masks: for each (H, W) bool, or None where it is not known; then it is not known for all.
        size: about the result's side; an odd one is made even.

    Returns:
        (S, S, 3) uint8 and (S, S) bool or None.
    """
    if len(images) != 4 or len(masks) != 4:
        raise ValueError(f"a mosaic takes 4 pictures and masks, not {len(images)}, {len(masks)}")
    tile = (size + 1) // 2
    bicubic = Image.Resampling.BICUBIC
    tiles = [np.asarray(Image.fromarray(image).resize((tile, tile), bicubic)) for image in images]
    known = [fit_mask(mask, tile) for mask in masks if mask is not None]
    return _laid_out(tiles), _laid_out(known) if len(known) == len(masks) else None


def fit_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """(H, W) bool to (S, S) bool: a pixel is set when about half of what it covers is.

    A mask too fine for that to leave anything keeps the pixels in which its own lie.
    """
    levels = Image.fromarray(mask.astype(np.uint8) * 255)
    fitted = np.asarray(levels.resize((size, size), Image.Resampling.BILINEAR)) >= 128
    if mask.any() and not fitted.any():
        rows, columns = np.nonzero(mask)
        fitted = np.zeros((size, size), bool)
        fitted[rows * size // mask.shape[0], columns * size // mask.shape[1]] = True
    return fitted


def _laid_out(tiles: Sequence[np.ndarray]) -> np.ndarray:
    upper, lower = (np.concatenate(tiles[start : start + 2], axis=1) for start in (0, 2))
    return np.concatenate([upper, lower])
