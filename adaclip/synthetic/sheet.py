"""The contact sheet: every kind as a flawless picture and its defective twin, side by side.

    python -m adaclip.synthetic --sheet FILE.png [--framed]

The same sheet each time; framed ones show what `lite` is trained on. A coloured line runs round
each defect.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from adaclip.errors import InputError, StoreError
from adaclip.synthetic.generator import BENCHMARK_DEFECTS, SyntheticSample, generate
from adaclip.synthetic.scene import BENCHMARK_KINDS, MATERIAL_KINDS, OBJECT_KINDS

SEED = 20
_TILE = 88
_LABEL = 13
_PAIRS_PER_ROW = 8
_OUTLINE = (255, 30, 90)
_PAPER, _INK, _HELD_OUT_INK = (250, 250, 250), (40, 40, 40), (170, 60, 0)
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def draw_sheet(*, framed: bool = False) -> Image.Image:
    """All kinds in catalogue order, the held-out ones last and with their own defects."""
    kinds = (*MATERIAL_KINDS, *OBJECT_KINDS, *BENCHMARK_KINDS)
    rows = -(-len(kinds) // _PAIRS_PER_ROW)
    size = (_PAIRS_PER_ROW * 2 * _TILE, rows * (_TILE + _LABEL))
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, kind in enumerate(kinds):
        held_out = kind in BENCHMARK_KINDS
        left = number % _PAIRS_PER_ROW * 2 * _TILE
        top = number // _PAIRS_PER_ROW * (_TILE + _LABEL)
        flawless, spoiled = draw_pair(number, kind, framed=framed)
        sheet.paste(Image.fromarray(flawless.image).resize((_TILE, _TILE)), (left, top + _LABEL))
        sheet.paste(outlined(spoiled), (left + _TILE, top + _LABEL))
        said = f"{kind}: {spoiled.defect_type}".replace("_", " ")
        pen.text((left + 2, top), said, fill=_HELD_OUT_INK if held_out else _INK)
    return sheet


def draw_pair(
    number: int, kind: str, *, framed: bool = False
) -> tuple[SyntheticSample, SyntheticSample]:
    """A flawless picture of `kind` and the same scene with a defect."""
    types = BENCHMARK_DEFECTS if kind in BENCHMARK_KINDS else None
    draw = partial(
        generate, SEED, number, size=2 * _TILE, kinds=[kind], defect_types=types, framed=framed
    )
    return draw(defective=False), draw(defective=True)


def outlined(sample: SyntheticSample) -> Image.Image:
    """The picture, as large as a tile, with a line just outside its mask."""
    around = ndimage.binary_dilation(sample.mask, iterations=5)
    line = around & ~ndimage.binary_dilation(sample.mask, iterations=3)
    picture = Image.fromarray(sample.image).resize((_TILE, _TILE))
    stencil = Image.fromarray(line.astype(np.uint8) * 255).resize((_TILE, _TILE))
    picture.paste(_OUTLINE, (0, 0), stencil)
    return picture


def write_sheet(file: Path, *, framed: bool = False) -> None:
    """Draw the sheet into a PNG or JPEG file.

    Raises InputError for another format and StoreError when the file cannot be written.
    """
    kind = _FORMATS.get(file.suffix.lower())
    if kind is None:
        raise InputError(f"{file}: the sheet is a picture; end its name in .png or .jpg")
    sheet = draw_sheet(framed=framed)
    try:
        if kind == "JPEG":
            sheet.save(file, kind, quality=78, optimize=True)
        else:
            sheet.save(file, kind, optimize=True)
    except OSError as problem:
        raise StoreError(
            f"cannot write the sheet to {file}: {problem}; choose a folder you may write to"
        ) from problem
