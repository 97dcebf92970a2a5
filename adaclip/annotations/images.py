"""Pictures people agreed to keep: each once, named by its pixels, nothing but its pixels in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adaclip.annotations.masks import png_of
from adaclip.data.images import as_pixels, pixel_sha256, read_image
from adaclip.errors import InputError
from adaclip.storage.atomic import write_bytes

FOLDER = "images"


def image_path(folder: Path, digest: str) -> Path:
    """Where the picture of a pixel hash is kept; `digest` has been checked to be one."""
    return folder / FOLDER / digest[:2] / f"{digest}.png"


def keep_image(folder: Path, pixels: np.ndarray, digest: str) -> None:
    """Keep (H, W, 3) uint8 RGB, on disk when it returns. Raises AdaClipError."""
    rgb = as_pixels(pixels)
    if pixel_sha256(rgb) != digest:
        raise InputError(
            "the picture to be kept is not the one that was judged (its pixels have another "
            "hash), so nothing was stored"
        )
    path = image_path(folder, digest)
    if not path.exists():
        write_bytes(path, png_of(rgb))


def kept_image(folder: Path, digest: str) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB, or None where it was not kept. Raises ImageError when damaged."""
    path = image_path(folder, digest)
    return read_image(path) if path.is_file() else None
