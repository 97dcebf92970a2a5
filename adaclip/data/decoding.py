"""Open a picture file of whatever kind: an 8-bit Pillow image, or the deep values as stored."""

from __future__ import annotations

import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageChops, ImageCms, UnidentifiedImageError

from adaclip.config import MAX_IMAGE_PIXELS
from adaclip.data import kinds, tiff
from adaclip.data.levels import Deep
from adaclip.errors import ImageError
from adaclip.text import printable

# A verdict on less than this would be about nothing.
MIN_IMAGE_SIDE = 8

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION_TAG = 0x0112
_CFA, _LINEAR_RAW = 32803, 34892  # photometric interpretations of raw photos
_PLAIN_INK, _MOSTLY = 16, 0.9
# None, CCITT, LZW, JPEG, Deflate, PackBits.
_COMMON_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946})
_warning_filters = threading.Lock()


@dataclass(frozen=True)
class Opened:
    """A decoded picture as stored, its EXIF orientation (1: upright), and what to say of it."""

    content: Image.Image | Deep
    orientation: int
    notes: tuple[str, ...]


def open_picture(file: IO[bytes], name: str, *, only_deep: bool = False) -> Opened:
    """Decode a file; with `only_deep`, what has 8 bits is not decoded. Raises ImageError."""
    head = file.read(512)
    file.seek(0)
    if not head:
        raise ImageError(f"{name}: is empty (0 bytes)")
    try:
        with quiet_pillow():
            if kinds.is_dicom(head):
                return _dicom(file, name)
            if kinds.is_tiff(head) and (deep := _deep_tiff(file, name)) is not None:
                return deep
            file.seek(0)
            with Image.open(file, formats=kinds.formats()) as image:
                check_size(*image.size, name)
                if only_deep and not _is_deep(image):
                    return Opened(image, 1, ())
                return _decoded(image, file)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: {_refusal(file, head)}") from error
    except Image.DecompressionBombError as error:
        # Pillow's own, much higher cap; its text holds the only count there is.
        count = re.search(r"\d+", str(error))
        raise ImageError(_too_large(name, int(count.group()) if count else 0)) from error
    # Pillow's decoders answer damaged data with errors of a dozen types (SyntaxError, struct.error,
    # KeyError, ...); to the user they all mean the same.
    except Exception as error:
        raise ImageError(f"{name}: {_damaged(file, error)}") from error


def orientation_of(path: Path) -> int:
    """The EXIF orientation a picture file names, 1 where it names none or is no picture."""
    try:
        with quiet_pillow(), Image.open(path, formats=kinds.formats()) as image:
            return orientation_in(image)
    except Exception:  # reading the picture itself will tell what is wrong
        return 1


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's warnings are about metadata we drop or sizes we check ourselves.

    The filters are the process's own, so one reader at a time sets and restores them.
    """
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_size(width: int, height: int, name: str) -> None:
    """Raise ImageError for a picture too large to read or too small to judge."""
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


def _refusal(file: IO[bytes], head: bytes) -> str:
    file.seek(0)
    kind = kinds.odd_jpeg(file.read(1 << 16))
    if kind:
        return f"is {kind}, which is not read; save it as PNG, TIFF or an ordinary JPEG"
    return kinds.refusal(head)


def _damaged(file: IO[bytes], error: Exception) -> str:
    file.seek(0)
    head = file.read(512)
    if kinds.odd_jpeg(head) or _rare_tiff(file):
        return _refusal(file, head)
    return (
        f"is damaged or incomplete and cannot be decoded ({printable(str(error))}); "
        "save it again as PNG, JPEG, BMP, TIFF or WebP"
    )


def _rare_tiff(file: IO[bytes]) -> bool:
    """Whether a TIFF is compressed in a way that not every libtiff knows."""
    found = tiff.directory(file)
    return found is not None and found.first(tiff.COMPRESSION, 1) not in _COMMON_COMPRESSIONS


def _dicom(file: IO[bytes], name: str) -> Opened:
    from adaclip.data import dicom

    deep, notes = dicom.read(file, name, check_size)
    if deep.values.dtype == np.uint8 and deep.values.ndim == 3:
        return Opened(Image.fromarray(deep.values), 1, notes)
    return Opened(deep, 1, notes)


def _deep_tiff(file: IO[bytes], name: str) -> Opened | None:
    """A TIFF that Pillow would not read, or not as it is; None for any other."""
    found = tiff.directory(file)
    if found is None:
        return None
    photometric = found.first(tiff.PHOTOMETRIC, 1)
    if tiff.DNG_VERSION in found.tags or photometric in (_CFA, _LINEAR_RAW):
        raise ImageError(f"{name}: is a raw photo (DNG); develop it to TIFF or JPEG")
    if found.first(tiff.SUBFILE, 0) & 1:
        raise ImageError(
            f"{name}: begins with a reduced preview, as raw photos do; develop it to TIFF or JPEG, "
            "or save the full picture as a TIFF of its own"
        )
    # Pillow knows large files of one byte order alone.
    unknown = not found.is_deep and _begins(file, b"MM\0+") and min(found.bits) == 8
    if not (found.is_deep or unknown) or photometric not in (0, 1, 2):
        return None
    check_size(found.first(tiff.WIDTH, 0), found.first(tiff.HEIGHT, 0), name)
    values = tiff.decode(file, found)
    if values is None:
        return None
    if unknown:
        plain = 255 - values if photometric == 0 else values
        image = Image.fromarray(_as_colour(plain))
        return Opened(image, found.first(tiff.ORIENTATION, 1), _pages(file))
    return Opened(
        Deep(
            values=_as_colour(values),
            words=_words(found),
            bits=found.bits[0] if found.bits[0] not in (8, 16, 32, 64) else None,
            no_data=found.no_data,
            inverted=photometric == 0,
        ),
        found.first(tiff.ORIENTATION, 1),
        _pages(file),
    )


def _begins(file: IO[bytes], head: bytes) -> bool:
    """Whether these are a file's first bytes."""
    file.seek(0)
    return file.read(len(head)) == head


def _as_colour(values: np.ndarray) -> np.ndarray:
    """Two channels are grey and transparency; more than four are no colour."""
    if values.ndim == 3 and values.shape[2] == 2:
        grey = values[..., :1]
        return np.concatenate([grey, grey, grey, values[..., 1:]], axis=2)
    return values


def _words(found: tiff.Directory) -> str:
    kind = {2: " signed", 3: " floating point"}.get(found.sample_format, "")
    return f"{found.bits[0]}-bit{kind}" + (" colour" if len(found.bits) > 2 else "")


def _pages(file: IO[bytes]) -> tuple[str, ...]:
    file.seek(0)
    try:
        with Image.open(file, formats=("TIFF",)) as image:
            count = getattr(image, "n_frames", 1)
    except Exception:  # Pillow does not know this kind; one page is what we read
        return ()
    return (f"first of {count} pages",) if count > 1 else ()


def _is_deep(image: Image.Image) -> bool:
    return image.mode in {"F", "I"} or image.mode.startswith("I;16") or _is_16_bit(image)


def _is_16_bit(image: Image.Image) -> bool:
    """Pillow keeps 8 bits of 16-bit colour and tells only in the raw mode of its tiles."""
    return any(";16" in str(tile) for tile in getattr(image, "tile", []))


def orientation_in(image: Image.Image) -> int:
    """The EXIF orientation of an open picture, 1 where it has none."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    # Whatever damaged EXIF makes Pillow raise, the picture itself is fine as it stands.
    except Exception:
        return 1


def _decoded(image: Image.Image, file: IO[bytes]) -> Opened:
    """The first frame, decoded."""
    notes = []
    frames = getattr(image, "n_frames", 1)
    # An MPO is a photo with its own previews behind it: nothing is left out.
    if frames > 1 and image.format != "MPO":
        notes.append(f"first of {frames} {'pages' if image.format == 'TIFF' else 'frames'}")
    tags = getattr(image, "tag_v2", {})
    deep_colour = _is_16_bit(image) and image.mode != "I;16"
    image.load()
    # Read after load(): Pillow turns TIFFs by itself while loading and drops the tag.
    orientation = orientation_in(image)
    values, words = _deep_values(image, tags, deep_colour, file)
    if values is not None:
        bits = kinds.significant_bits(file) if image.format == "PNG" else None
        white_is_zero = bool(tags) and tags.get(tiff.PHOTOMETRIC) == 0
        none = _number(tags.get(tiff.GDAL_NO_DATA))
        deep = Deep(values=values, words=words, bits=bits, no_data=none, inverted=white_is_zero)
        return Opened(deep, orientation, tuple(notes))
    if deep_colour:
        notes.append("16-bit colour read at 8 bits")
    if image.mode == "LAB":
        return Opened(_from_lab(image), orientation, (*notes, "CIELab colour"))
    if image.mode == "CMYK":
        image, said = _from_cmyk(image)
        notes += said
    return Opened(image, orientation, tuple(notes))


def _deep_values(
    image: Image.Image, tags: Any, deep_colour: bool, file: IO[bytes]
) -> tuple[np.ndarray | None, str]:
    """The values of a picture of more than 8 bits, and what to call it; None for any other."""
    if image.mode in {"F", "I"} or image.mode.startswith("I;16"):
        words = {"F": "32-bit floating point", "I": "32-bit"}.get(image.mode, "16-bit")
        return np.asarray(image), words
    if image.mode == "L" and tags.get(tiff.SAMPLE_FORMAT) in (2, (2,)):
        return np.asarray(image).view(np.int8), "8-bit signed"
    if deep_colour and (values := _sixteen_bit_colour(file)) is not None:
        shape = (image.height, image.width)
        return (values, "16-bit colour") if values.shape[:2] == shape else (None, "")
    return None, ""


def _sixteen_bit_colour(file: IO[bytes]) -> np.ndarray | None:
    """(H, W, 3 or 4) uint16 of a picture of which Pillow decodes one byte in two.

    It is decoded twice, the second time as if the bytes lay the other way round.
    """
    halves = []
    for other in ({}, {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}):
        file.seek(0)
        with Image.open(file, formats=kinds.formats()) as image:
            rawmode = _rawmode(image)
            if rawmode == "LA;16B":  # four bytes a pixel, as RGBA has
                image._mode = "RGBA"  # type: ignore[attr-defined]
                _set_rawmode(image, "RGBA")
                image.load()
                pairs = np.asarray(image).astype(np.uint16)
                grey, alpha = pairs[..., ::2].transpose(2, 0, 1) << 8 | pairs[..., 1::2].transpose(
                    2, 0, 1
                )
                return np.dstack([grey, grey, grey, alpha])
            if not rawmode.startswith(("RGB;16", "RGBX;16", "RGBA;16")):
                return None
            _set_rawmode(image, rawmode[:-1] + other.get(rawmode[-1], rawmode[-1]))
            image.load()
            halves.append(np.asarray(image).astype(np.uint16))
    return halves[0] << 8 | halves[1]


def _rawmode(image: Image.Image) -> str:
    arguments = {tile.args if isinstance(tile.args, str) else tile.args[0] for tile in image.tile}  # type: ignore[attr-defined]
    return str(arguments.pop()) if len(arguments) == 1 else ""


def _set_rawmode(image: Image.Image, rawmode: str) -> None:
    image.tile = [  # type: ignore[attr-defined]
        tile._replace(args=rawmode if isinstance(tile.args, str) else (rawmode, *tile.args[1:]))
        for tile in image.tile  # type: ignore[attr-defined]
    ]


def _number(tag: Any) -> float | None:
    try:
        return float(tag)
    except (TypeError, ValueError):
        return None


def _from_lab(image: Image.Image) -> Image.Image:
    """sRGB of CIELab as TIFF stores it."""
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    turned = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert turned is not None
    return turned


def _from_cmyk(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """CMYK with 0 for no ink, whichever way round a JPEG has it.

    Adobe's programs write 255 for no ink and say so with a marker; without it 0 is no ink. Some
    write the marker and plain ink: then nearly everything is black one way and not the other.
    """
    if image.format != "JPEG":
        return image, ["CMYK colour"]
    turned = ImageChops.invert(image)
    if "adobe" not in image.info:
        return turned, ["CMYK colour, 0 read as no ink"]
    black = np.asarray(image.getchannel("K"))
    if (black > 255 - _PLAIN_INK).mean() > _MOSTLY and (
        np.asarray(turned.getchannel("K")) < 255 - _PLAIN_INK
    ).mean() > _MOSTLY:
        return turned, ["CMYK colour: all black as Adobe writes it, so 0 was read as no ink"]
    return image, ["CMYK colour"]
