"""A region drawn by hand: what the brush editor starts with, and the mask that comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from adaclip.errors import InputError
from adaclip.maps.regions import anomaly_mask
from adaclip.types import resize_map
from demo.flag import words as flag_words
from demo.flag.flagging import Subject

# Beyond this the browser's canvas fails; larger pictures are edited smaller and scaled back.
MAX_EDIT_SIDE = 4096
_PAINT = (229, 57, 53)
_HALF = 128  # alpha: the picture stays visible below the paint


def editor_value(subject: Subject, mask: np.ndarray | None) -> tuple[dict[str, Any], int]:
    """What the editor shows, and a brush radius that fits: the picture, the mask as its layer.

    Without a mask the predicted region is filled in. Raises AdaClipError.
    """
    filled = predicted_mask(subject) if mask is None else mask
    size = edit_size(subject.size)
    picture = Image.fromarray(subject.pixels()).resize(size[::-1], Image.Resampling.LANCZOS)
    layer = np.zeros((*size, 4), np.uint8)
    layer[_resized(filled, size)] = (*_PAINT, _HALF)
    value = {"background": picture, "layers": [Image.fromarray(layer)], "composite": None}
    return value, max(3, round(max(size) / 60))


def predicted_mask(subject: Subject) -> np.ndarray:
    """(H, W) bool of what the model marked; nothing when its map was not kept."""
    values = subject.anomaly_map()
    if values is None or subject.map_threshold is None:
        return np.zeros(subject.size, dtype=bool)
    return anomaly_mask(resize_map(values, subject.size), subject.map_threshold)


def mask_of(value: Any, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of what was painted, at the picture's own size. Raises InputError.

    Layers of another picture's size are refused, never stretched.
    """
    if not isinstance(value, dict) or not isinstance(value.get("layers"), list):
        raise InputError(flag_words.NO_REGION)
    wanted = edit_size(size)
    painted = np.zeros(wanted, dtype=bool)
    for layer in value["layers"]:
        painted |= _alpha(layer, wanted) > 0
    return _resized(painted, size)


def edit_size(size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) at which a picture is edited: its own, unless a canvas cannot hold it."""
    scale = min(1.0, MAX_EDIT_SIDE / max(size))
    return (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def _alpha(layer: Any, wanted: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 of a layer of that size; one of another size is not even decoded."""
    if not isinstance(layer, Image.Image):  # a path, say: nothing is opened for a browser
        raise InputError(flag_words.UNREADABLE_REGION)
    if layer.size[::-1] != wanted:
        raise InputError(flag_words.wrong_size(layer.size[::-1], wanted))
    try:
        return np.asarray(layer.convert("RGBA"))[..., 3]
    # Pillow answers damaged data with errors of a dozen types.
    except Exception as error:
        raise InputError(flag_words.UNREADABLE_REGION) from error


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if mask.shape == size:
        return mask
    grey = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    return np.asarray(grey.resize(size[::-1], Image.Resampling.NEAREST)) > 127
