"""Read pictures of any common kind into one: (H, W, 3) uint8 RGB, or one clear ImageError.

What becomes of the rest of a file: EXIF orientation is applied; transparency is placed on white;
more than 8 bits per channel are brought to 8 (`adaclip.data.levels` has the rule); of an
animation, a document of several pages or a DICOM series the first is taken; metadata and colour
profiles are dropped. The format is found from the content, never from the file's name. Whatever
is not plain is said in a note.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from adaclip.data.decoding import UPRIGHT, check_size, open_picture
from adaclip.data.levels import Deep, range_of, to_8_bit
from adaclip.errors import ImageError
from adaclip.text import printable

if TYPE_CHECKING:
    from adaclip.data.series import Series

FORMATS_TEXT = "PNG, JPEG, BMP, TIFF or WebP"


@dataclass(frozen=True, kw_only=True)
class LoadedImage:
    """An image as the model takes it: (H, W, 3) uint8 RGB, and what was done to get there."""

    pixels: np.ndarray
    notes: tuple[str, ...] = ()


def read_image(
    source: Path | str | bytes | IO[bytes],
    *,
    name: str | None = None,
    series: Series | None = None,
) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a picture; `load_image` without its notes. Raises ImageError."""
    return load_image(source, name=name, series=series).pixels


def load_image(
    source: Path | str | bytes | IO[bytes],
    *,
    name: str | None = None,
    series: Series | None = None,
) -> LoadedImage:
    """Read a picture from a path, its bytes or an open binary file.

    `name` is what errors call it; by default the path, or "the image". Sides of
    MIN_IMAGE_SIDE pixels to MAX_IMAGE_PIXELS in all. With `series`, more than 8 bits are brought
    to 8 as in all of its pictures. Raises ImageError, and nothing else.
    """
    with _reading(source, name) as (file, shown):
        found = open_picture(file, shown)
        return _upright_rgb(found.content, found.orientation, list(found.notes), series)


def deep_of(path: Path | str) -> Deep | None:
    """A file's values where they are of more than 8 bits, else None. Raises ImageError."""
    with _reading(path, None) as (file, shown):
        content = open_picture(file, shown, only_deep=True).content
    return content if isinstance(content, Deep) else None


def as_pixels(array: Any, *, name: str = "the image") -> np.ndarray:
    """(H, W, 3) uint8 RGB of an array from a Python caller, copied only where needed.

    Takes (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), RGB order: uint8 as it is, uint16 scaled as
    in a file, floats of 0-1. Transparency is placed on white. Raises ImageError.
    """
    if not isinstance(array, np.ndarray):
        raise ImageError(
            f"{name}: expected a numpy array, got {type(array).__name__}; "
            "read files with adaclip.data.images.read_image"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"{name}: an array of shape {array.shape} is no image; "
            "expected (H, W), (H, W, 3) or (H, W, 4)"
        )
    check_size(array.shape[1], array.shape[0], name)
    levels = _array_to_uint8(array, name)
    if levels.ndim == 2:
        levels = levels[:, :, None]
    if levels.shape[2] == 1:
        levels = np.repeat(levels, 3, axis=2)
    elif levels.shape[2] == 4:
        levels = np.asarray(_on_white(Image.fromarray(np.ascontiguousarray(levels))))
    return np.ascontiguousarray(levels)


def pixel_sha256(pixels: np.ndarray) -> str:
    """Hex digest of decoded pixels and their shape: equal for equal pictures in any file."""
    digest = hashlib.sha256(repr((pixels.shape, pixels.dtype.str)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


@contextmanager
def _reading(
    source: Path | str | bytes | IO[bytes], name: str | None
) -> Iterator[tuple[IO[bytes], str]]:
    """The open file and what to call it; whatever goes wrong is an ImageError."""
    shown = printable(name or (str(source) if isinstance(source, str | Path) else "the image"))
    try:
        # Odd floats are looked at one by one; numpy need not warn of them.
        with _open_binary(source) as file, np.errstate(invalid="ignore", over="ignore"):
            yield file, shown
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{shown}: cannot be read: {reason}") from error


def _open_binary(source: Path | str | bytes | IO[bytes]) -> IO[bytes]:
    """A seekable binary file, owned by the caller. Raises OSError."""
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | Path):
        try:
            mode = os.stat(source).st_mode
        except ValueError as error:  # a NUL in the path
            raise OSError(str(error)) from error
        if stat.S_ISDIR(mode):
            raise OSError("it is a folder, not an image")
        if not stat.S_ISREG(mode):  # a pipe or a device may never end
            raise OSError("it is not a regular file")
        return open(source, "rb")
    if not hasattr(source, "read"):
        raise ImageError(f"expected a path, bytes or an open file, got {type(source).__name__}")
    return io.BytesIO(source.read())


def _upright_rgb(
    content: Image.Image | Deep, orientation: int, notes: list[str], series: Series | None
) -> LoadedImage:
    """8 bits, upright, on white."""
    if isinstance(content, Deep):
        scale = series.range_for(content) if series is not None else None
        levels, said = to_8_bit(content, scale or range_of(content))
        notes += said
        image = Image.fromarray(levels)
    else:
        image = content
    turn = UPRIGHT.get(orientation)
    if turn is not None:
        image = image.transpose(turn)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        if np.asarray(rgba.getchannel("A")).min() < 255:
            notes.append("transparency placed on white")
        image = _on_white(rgba)
    pixels = np.array(image.convert("RGB"))
    # The first row alone settles it for nearly every picture.
    if (pixels[0] == pixels[0, 0]).all() and (pixels == pixels[0, 0]).all():
        notes.append("every pixel has the same value; is this the right picture?")
    return LoadedImage(pixels=pixels, notes=tuple(notes))


def _array_to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        deep = Deep(values=array, words="16-bit")
        return to_8_bit(deep, range_of(deep))[0]
    if array.dtype.kind == "f":
        # Written so that NaN fails it too.
        if not (array.min() >= 0.0 and array.max() <= 1.0):
            raise ImageError(f"{name}: a {array.dtype} array must hold 0 to 1 and no NaN")
        return np.rint(array.astype(np.float64) * 255.0).astype(np.uint8)
    raise ImageError(f"{name}: {array.dtype} is not supported; give uint8, uint16 or floats of 0-1")


def _on_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")
