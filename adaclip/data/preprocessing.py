"""From an image to the model's input."""

from __future__ import annotations

import numpy as np
from PIL import Image

from adaclip.config import PreprocessingConfig


def preprocess(
    image: np.ndarray, size: int | tuple[int, int], config: PreprocessingConfig
) -> np.ndarray:
    """Resize, scale to [0, 1], normalise.

    To a square the aspect is not kept, as in the published method. Pillow's bicubic averages over
    the source area when shrinking, which is what torchvision does for Pillow images.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: the model's input size in pixels: S of a square, or (H, W).

    Returns:
        (3, H, W) float32.
    """
    height, width = (size, size) if isinstance(size, int) else size
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    scaled = np.asarray(resized, dtype=np.float32) / 255.0
    normalised = (scaled - np.array(config.mean, np.float32)) / np.array(config.std, np.float32)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))
