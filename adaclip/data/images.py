"""Read pictures of any common kind into one: (H, W, 3) uint8 RGB, or one clear ImageError.

What becomes of the rest of a file: EXIF orientation is applied; transparency is placed on white;
16-bit grey and 32-bit integers are scaled by their maximum; of an animation or a document of
several pages the first is taken; metadata and colour profiles are dropped. The format is found
from the content, never from the file's name.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from adaclip.config import MAX_IMAGE_PIXELS
from adaclip.errors import ImageError
from adaclip.text import printable

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
FORMATS_TEXT = "PNG, JPEG, BMP, TIFF or WebP"
# What a folder is searched for; a file named by the user is tried whatever its extension.
EXTENSIONS = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp"}
)
# A verdict on less than this would be about nothing.
MIN_IMAGE_SIDE = 8

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# First bytes of what people give by mistake, to tell them what it is.
_KNOWN_MISTAKES = (
    (rb"GIF8[79]a", "a GIF"),
    (rb"%PDF-", "a PDF"),
    (rb"version https://git-lfs", "a Git LFS pointer (`git lfs pull` fetches the image)"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", "an HEIC photo"),
    (rb"....ftypavi[fs]", "an AVIF picture"),
    (rb"....ftyp", "a video"),
    (rb"\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>)?\s*<svg", "an SVG drawing"),
    (rb"\s*<(!DOCTYPE html|html)", "a web page"),
)
_warning_filters = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class LoadedImage:
    """An image as the model takes it: (H, W, 3) uint8 RGB, and what was done to get there."""

    pixels: np.ndarray
    notes: tuple[str, ...] = ()


def read_image(source: Path | str | bytes | IO[bytes], *, name: str | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a picture; `load_image` without its notes. Raises ImageError."""
    return load_image(source, name=name).pixels


def load_image(source: Path | str | bytes | IO[bytes], *, name: str | None = None) -> LoadedImage:
    """Read a picture from a path, its bytes or an open binary file.

    `name` is what errors call it; by default the path, or "the image". Sides of
    MIN_IMAGE_SIDE pixels to MAX_IMAGE_PIXELS in all. Raises ImageError, and nothing else.
    """
    shown = printable(name or (str(source) if isinstance(source, str | Path) else "the image"))
    try:
        with _open_binary(source) as file:
            return _decode(file, shown)
    except ImageError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{shown}: cannot be read: {reason}") from error


def as_pixels(array: Any, *, name: str = "the image") -> np.ndarray:
    """(H, W, 3) uint8 RGB of an array from a Python caller, copied only where needed.

    Takes (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), RGB order: uint8 as it is, uint16 scaled by
    its maximum, floats of 0-1. Transparency is placed on white. Raises ImageError.
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
    _check_size(array.shape[1], array.shape[0], name)
    levels = _array_to_uint8(array, name)
    if levels.ndim == 2:
        levels = levels[:, :, None]
    if levels.shape[2] == 1:
        levels = np.repeat(levels, 3, axis=2)
    elif levels.shape[2] == 4:
        levels = np.asarray(_on_white(Image.fromarray(np.ascontiguousarray(levels))))
    return np.ascontiguousarray(levels)


def collect_image_paths(paths: Iterable[Path | str]) -> list[Path]:
    """The files to try, each once: named files as they are, folders searched to the bottom.

    A named file is listed even when it is missing or has an odd extension, so that reading it
    gives the reason. In folders, files come in sorted order before those of subfolders; hidden
    ones and those without an image extension are passed over. A folder that cannot be opened is
    listed itself, for the same reason.
    """
    found: dict[Path, None] = {}
    for given in paths:
        path = Path(given)
        found.update(dict.fromkeys(_walk(path) if _is_dir(path) else [path]))
    return list(found)


def pixel_sha256(pixels: np.ndarray) -> str:
    """Hex digest of decoded pixels and their shape: equal for equal pictures in any file."""
    digest = hashlib.sha256(repr((pixels.shape, pixels.dtype.str)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


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


def _decode(file: IO[bytes], name: str) -> LoadedImage:
    head = file.read(512)
    file.seek(0)
    if not head:
        raise ImageError(f"{name}: is empty (0 bytes)")
    try:
        with _quiet_pillow(), Image.open(file, formats=FORMATS) as image:
            _check_size(*image.size, name)
            return _to_rgb(image)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: {_what_it_is(head)}; give {FORMATS_TEXT}") from error
    except Image.DecompressionBombError as error:
        # Pillow's own, much higher cap; its text holds the only count there is.
        count = re.search(r"\d+", str(error))
        raise ImageError(_too_large(name, int(count.group()) if count else 0)) from error
    # Pillow's decoders answer damaged data with errors of a dozen types (SyntaxError, struct.error,
    # KeyError, ...); to the user they all mean the same.
    except Exception as error:
        raise ImageError(
            f"{name}: is damaged or incomplete and cannot be decoded "
            f"({printable(str(error))}); save it again as {FORMATS_TEXT}"
        ) from error


@contextmanager
def _quiet_pillow():
    """Pillow's warnings are about metadata we drop or sizes we check ourselves.

    The filters are the process's own, so one reader at a time sets and restores them.
    """
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _to_rgb(image: Image.Image) -> LoadedImage:
    """Decode the first frame, turn it upright, bring it to 8-bit RGB."""
    notes = []
    frames = getattr(image, "n_frames", 1)
    # An MPO is a photo with its own previews behind it: nothing is left out.
    if frames > 1 and image.format != "MPO":
        notes.append(f"first of {frames} {'pages' if image.format == 'TIFF' else 'frames'}")
    deep_colour = image.mode.startswith(("RGB", "LA")) and _is_16_bit(image)
    image.load()
    # Read after load(): Pillow turns TIFFs by itself while loading and drops the tag.
    turn = _UPRIGHT.get(_orientation(image))
    if image.mode in {"F", "I"} or image.mode.startswith("I;16"):
        image, note = _grey_to_8_bit(image)
        notes.append(note)
    elif deep_colour:
        notes.append("16-bit colour read at 8 bits")
    if turn is not None:
        image = image.transpose(turn)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        if np.asarray(rgba.getchannel("A")).min() < 255:
            notes.append("transparency placed on white")
        image = _on_white(rgba)
    return LoadedImage(pixels=np.array(image.convert("RGB")), notes=tuple(notes))


def _grey_to_8_bit(image: Image.Image) -> tuple[Image.Image, str]:
    """Grey of more than 8 bits to mode L, with a note of how.

    Black is 0, or the lowest value where that is negative; white is the highest value, or 1 for
    floating point within 0-1. NaN and infinities count as 0.
    """
    values = np.asarray(image)
    depth = {"F": "floating point", "I": "32-bit"}.get(image.mode, "16-bit")
    if image.mode == "F":
        values = np.where(np.isfinite(values), values, 0.0)
    lowest, highest = min(float(values.min()), 0.0), float(values.max())
    if image.mode == "F" and lowest == 0.0 and highest <= 1.0:
        return Image.fromarray(_scale(values, 0.0, 1.0)), "floating point, 0 to 1"
    how = "scaled by its maximum" if lowest == 0.0 else "scaled by its range"
    return Image.fromarray(_scale(values, lowest, highest)), f"{depth} {how}"


def _scale(values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """uint8 of `values`, `lowest` to `highest` becoming 0 to 255; a flat range becomes 0."""
    spread = highest - lowest
    if spread <= 0:
        return np.zeros(values.shape, np.uint8)
    # 16 bits fit float32; 32-bit values and the widest floats do not.
    wide: type[np.floating] = np.float32 if values.dtype == np.uint16 else np.float64
    scaled = (values.astype(wide) - lowest) / spread * 255.0
    return np.rint(scaled).astype(np.uint8)


def _array_to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return _scale(array, 0, int(array.max()))
    if array.dtype.kind == "f":
        # Written so that NaN fails it too.
        if not (array.min() >= 0.0 and array.max() <= 1.0):
            raise ImageError(f"{name}: a {array.dtype} array must hold 0 to 1 and no NaN")
        return _scale(array, 0.0, 1.0)
    raise ImageError(f"{name}: {array.dtype} is not supported; give uint8, uint16 or floats of 0-1")


def _on_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _is_16_bit(image: Image.Image) -> bool:
    """Pillow keeps 8 bits of 16-bit colour and tells only in the raw mode of its tiles."""
    return any(";16" in str(tile) for tile in getattr(image, "tile", []))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    # Whatever damaged EXIF makes Pillow raise, the picture itself is fine as it stands.
    except Exception:
        return 1


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_IMAGE_PIXELS:
        raise ImageError(_too_large(name, width * height))
    if min(width, height) < MIN_IMAGE_SIDE:
        raise ImageError(
            f"{name}: {width} x {height} pixels are too few to judge; "
            f"at least {MIN_IMAGE_SIDE} x {MIN_IMAGE_SIDE} are needed"
        )


def _too_large(name: str, pixels: int) -> str:
    return (
        f"{name}: has {pixels / 1e6:.0f} megapixels, more than the {MAX_IMAGE_PIXELS / 1e6:.0f} "
        "that are read; scale it down or cut it into parts"
    )


def _what_it_is(head: bytes) -> str:
    for pattern, what in _KNOWN_MISTAKES:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return f"is {what}, which is not read"
    if _is_text(head):
        return "is text, not an image"
    return "is damaged or not an image of a known format"


def _is_text(head: bytes) -> bool:
    try:
        # An incremental decoder forgives a character cut at the end.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c.isprintable() or c.isspace() for c in text)


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, a NUL, no permission: reading it will tell
        return False


def _walk(folder: Path) -> Iterable[Path]:
    """Image files under `folder`; linked folders are followed, each real one once."""
    unreadable: list[Path] = []
    seen: set[str] = set()

    def note_unreadable(error: OSError) -> None:
        unreadable.append(Path(error.filename))

    for root, folders, files in os.walk(folder, followlinks=True, onerror=note_unreadable):
        seen.add(os.path.realpath(root))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(root, name)) not in seen
        )
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS:
                yield Path(root, name)
    yield from unreadable
