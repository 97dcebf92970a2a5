"""Kinds made of other people's pictures: cut-out drawings as objects, photographs as surfaces.

They widen what `lite` is trained on; nothing else needs them. A collection is a folder with
`objects/GROUP/*.png` (with transparency) and `surfaces/GROUP/*.{png,jpg}`, and a `SOURCES.csv`
that names the origin and licence of each. `adaclip.lite.collecting` makes one out of two
Debian packages, taking only what is in the public domain or under a licence as free.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from adaclip.errors import InputError
from adaclip.synthetic.canvas.easel import Easel
from adaclip.synthetic.canvas.fields import Rng, resize
from adaclip.synthetic.canvas.grounds import ground
from adaclip.synthetic.catalogue import Entry
from adaclip.synthetic.kinds.hardware import Placed
from adaclip.synthetic.kinds.materials import GROUNDS, Shape

# Which defects are likely on a group of surfaces, as in the catalogue.
SURFACE_GROUPS = {
    "brick": "mineral",
    "carpet": "pattern",
    "concrete": "mineral",
    "fitting": "metal",
    "metal": "metal",
    "panel": "metal",
    "pavement": "mineral",
    "rock": "mineral",
    "soil": "mineral",
    "wood": "fibre",
}
FREE_LICENCES = ("public-domain", "Expat", "CC-BY-3.0")
OBJECT_NAMES = ("thing", "toy", "figure", "part", "product", "object", "article", "model")
SURFACE_NAMES = ("surface", "material", "texture", "wall", "floor", "sheet", "part", "product")


def collected_kinds(folder: Path) -> dict[str, Entry]:
    """The kinds of a collection by name, as entries of the catalogue.

    Raises InputError for a folder that is none, and for a picture that is not said to be free.
    """
    free = _free_files(folder)
    kinds: dict[str, Entry] = {}
    for group in sorted(folder.glob("objects/*/")):
        if files := _all_free(group.glob("*.png"), free):
            kinds[f"drawn_{group.name}"] = (partial(_drawn, files), "object", OBJECT_NAMES)
    for group in sorted(folder.glob("surfaces/*/")):
        if group.name not in SURFACE_GROUPS:
            raise InputError(
                f"{group}: no such group of surfaces; there are {', '.join(SURFACE_GROUPS)}"
            )
        if files := _all_free([*group.glob("*.png"), *group.glob("*.jpg")], free):
            likely = SURFACE_GROUPS[group.name]
            kinds[f"photographed_{group.name}"] = (
                partial(_photographed, files),
                likely,
                SURFACE_NAMES,
            )
    if not kinds:
        raise InputError(
            f"{folder} has neither objects/GROUP/*.png nor surfaces/GROUP/*.png: "
            "python -m adaclip.lite.collecting makes such a folder"
        )
    return kinds


def _free_files(folder: Path) -> frozenset[Path]:
    """The pictures that the collection's SOURCES.csv says are free to use."""
    try:
        with (folder / "SOURCES.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return frozenset()
    free = (row.get("file") for row in rows if row.get("licence") in FREE_LICENCES)
    return frozenset(folder / file for file in free if file)


def _all_free(files: Iterable[Path], free: frozenset[Path]) -> tuple[Path, ...]:
    """The files in order; whatever ends in shipped weights must be free."""
    files = tuple(sorted(files))
    if bound := [file for file in files if file not in free]:
        licences = ", ".join(FREE_LICENCES)
        raise InputError(
            f"{bound[0]}: SOURCES.csv names no free licence for it ({licences}); of the "
            f"{len(files)} pictures of its group {len(bound)} lack one"
        )
    return files


def _pixels(file: Path) -> np.ndarray:
    """(H, W, 4) float32, 0-1."""
    with Image.open(file) as image:
        return np.asarray(image.convert("RGBA"), dtype=np.float32) / 255


def _photographed(files: tuple[Path, ...], rng: Rng, shape: Shape) -> np.ndarray:
    """A window of a photograph, turned by quarters, mirrored, in other contrast and colour."""
    picture = _pixels(files[rng.integers(len(files))])[..., :3]
    picture = np.rot90(picture, int(rng.integers(4)))[:: rng.choice([-1, 1])]
    ratio = shape[0] / shape[1]
    height = min(picture.shape[0], picture.shape[1] * ratio) * rng.uniform(0.4, 1.0)
    size = (max(16, int(height)), max(16, int(height / ratio)))
    top, left = (int(rng.integers(max(1, picture.shape[a] - size[a] + 1))) for a in (0, 1))
    window = picture[top : top + size[0], left : left + size[1]]
    window = np.stack([resize(window[..., c], shape) for c in range(3)], -1)
    mean = window.mean((0, 1))
    gain = rng.uniform(0.5, 1.3) * min(1.0, 0.16 / max(window.std(), 0.01))
    tone = rng.uniform(0.15, 0.85)
    tint = mean / max(float(mean.mean()), 0.02)
    return np.clip((window - mean) * gain + tint * tone, 0, 1).astype(np.float32)


def _drawn(files: tuple[Path, ...], rng: Rng, shape: Shape) -> Placed:
    """A cut-out drawing as a body with rounded edges, of plain or textured stuff, on a ground."""
    art = _pixels(files[rng.integers(len(files))])
    upright = rng.random() < 0.6
    easel = Easel(rng, ground(rng, shape), fill=(0.7, 1.0), turn=0.25 if upright else np.pi)
    colours, alpha = _placed(easel, art[:, :: rng.choice([-1, 1])])
    colours = colours[..., rng.permutation(3)] if rng.random() < 0.5 else colours
    colours = colours ** np.float32(rng.uniform(0.6, 1.6))
    if rng.random() < 0.5:
        stuff = GROUNDS[rng.integers(len(GROUNDS))](rng, shape)
        grain = stuff.mean(-1, keepdims=True) / max(float(stuff.mean()), 0.05)
        colours = colours * (1 + rng.uniform(0.3, 1) * (grain - 1))
    inside = alpha > 0.5
    if not inside.any():
        return easel.finish()
    away = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    distance = (away * easel.pixel).astype(np.float32)
    bevel = rng.uniform(0.04, 0.3) if rng.random() < 0.75 else 0.0
    easel.paint(distance, colours, bevel=bevel, depth=rng.uniform(0.1, 0.6))
    if rng.random() < 0.4:
        easel.sheen(distance, int(rng.integers(1, 5)), rng.uniform(0.2, 0.9))
    return easel.finish()


def _placed(easel: Easel, art: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A drawing in the easel's pose: colours (H, W, 3), spread past its rim, and alpha (H, W)."""
    height, width = art.shape[:2]
    half = max(height, width) / 2
    rows, columns = easel.y * half + height / 2, easel.x * half + width / 2
    at = np.stack([rows, columns])
    # Colours weighted by alpha, so that transparent pixels lend the rim none of theirs.
    layers = np.concatenate([art[..., :3] * art[..., 3:], art[..., 3:]], axis=-1)
    laid = [ndimage.map_coordinates(layers[..., c], at, order=1, mode="constant") for c in range(4)]
    alpha = laid[3]
    colours = np.stack(laid[:3], -1) / np.maximum(alpha, 1 / 255)[..., None]
    return np.clip(colours, 0, 1).astype(np.float32), alpha
