"""Regions as files and as text: 8-bit PNGs of 0 and 255, and COCO's run lengths.

Run lengths count pixels column by column, background first. COCO's compressed form writes each
as digits of five bits, from the third on as the difference to the one two before; it is what
`pycocotools` takes as {"size": [height, width], "counts": text}.
"""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from adaclip.config import MAX_IMAGE_PIXELS
from adaclip.errors import StoreError
from adaclip.storage.atomic import write_bytes

# A digit of five bits, a sixth that says more follow, from this character on.
_FIRST, _MORE, _SIGN = 48, 0x20, 0x10


def rle_text(mask: np.ndarray) -> str:
    """COCO's compressed counts of a (H, W) bool mask."""
    counts = rle_counts(mask)
    digits = bytearray()
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            low = value & 0x1F
            value >>= 5
            more = value != (-1 if low & _SIGN else 0)
            digits.append(_FIRST + (low | _MORE if more else low))
    return digits.decode("ascii")


def rle_counts(mask: np.ndarray) -> list[int]:
    """Run lengths of a (H, W) bool mask, column by column, background first (it may be 0)."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]]))
    counts = [int(run) for run in runs]
    return [0, *counts] if flat[0] else counts


def mask_of_rle(text: str, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of COCO's compressed counts; `size` is (H, W). Raises StoreError."""
    height, width = size
    counts: list[int] = []
    for place, value in enumerate(_values(text)):
        counts.append(value + counts[place - 2] if place > 2 else value)
    total = height * width
    if total > MAX_IMAGE_PIXELS or any(c < 0 for c in counts) or sum(counts) != total:
        raise StoreError(
            f"a region's run lengths do not fill {width} x {height} pixels; the row is damaged"
        )
    kinds = np.arange(len(counts)) % 2 == 1
    return np.repeat(kinds, counts).reshape((height, width), order="F")


def write_mask(path: Path, mask: np.ndarray, *, sync_entry: bool = True) -> None:
    """Write a (H, W) bool mask as a PNG of 0 and 255, on disk when it returns.

    `sync_entry` as for `write_bytes`. Raises StoreError.
    """
    write_bytes(path, png_of(mask.astype(np.uint8) * np.uint8(255)), sync_entry=sync_entry)


def read_mask(
    source: Path | IO[bytes], size: tuple[int, int], *, name: str | None = None
) -> np.ndarray:
    """(H, W) bool of a mask file; `size` is the (H, W) it must have. Raises StoreError.

    `name` is what errors call it; by default its path.
    """
    path = name or str(source)
    if size[0] * size[1] > MAX_IMAGE_PIXELS:
        raise StoreError(f"{path}: the picture's size, {size[1]} x {size[0]}, is too large")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source, formats=["PNG"]) as file:
                if (file.height, file.width) != size or file.mode != "L":
                    raise StoreError(
                        f"{path}: the mask is {file.width} x {file.height} pixels of mode "
                        f"{file.mode}; its picture is {size[1]} x {size[0]}"
                    )
                return np.asarray(file) > 127
    except StoreError:
        raise
    # Pillow's decoders answer damaged data with errors of a dozen types.
    except Exception as error:
        raise StoreError(f"{path}: the mask cannot be read: {error}") from error


def png_of(pixels: np.ndarray) -> bytes:
    """(H, W) or (H, W, 3) uint8 as a PNG that holds nothing but the pixels."""
    buffer = io.BytesIO()
    # Level 3 is several times as fast as the default, for files a tenth larger.
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """x, y, width and height of the smallest box around a mask; zeros for an empty one."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return (0, 0, 0, 0)
    x, y = int(columns[0]), int(rows[0])
    return (x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1)


def _values(text: str) -> Iterator[int]:
    """The numbers in compressed counts, differences not yet added up. Raises StoreError."""
    digits: Sequence[int] = [ord(c) - _FIRST for c in text]
    places = iter(digits)
    for first in places:
        value, shift = 0, 0
        for digit in itertools.chain([first], places):
            if not 0 <= digit < 2 * _MORE or shift > 40:
                raise StoreError("a region's run lengths are damaged")
            value |= (digit & 0x1F) << shift
            shift += 5
            if not digit & _MORE:
                if digit & _SIGN:
                    value |= -1 << shift
                break
        else:
            raise StoreError("a region's run lengths are cut short")
        yield value
