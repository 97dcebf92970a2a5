"""The synthetic benchmark set: 160 drawn pictures that anyone can draw again, pixel for pixel.

Its kinds and defects are held out: no shipped weights were trained on them. It needs no files:
`draw` gives picture and mask by their path. `write` puts them on disk as a tree of the MVTec kind.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.data.sample import NORMAL
from adaclip.errors import DatasetError, InputError
from adaclip.synthetic import BENCHMARK_DEFECTS, BENCHMARK_KINDS, SyntheticSample, generate
from adaclip.text import printable

# Its own: other seeds train, validate and decorate.
SEED = 15_795
SIZE = 518
NORMAL_PER_CLASS = ANOMALOUS_PER_CLASS = 10


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One picture of the set: its path in the tree, its labels, its `index` in the series SEED."""

    rel_path: str
    class_name: str
    defect_type: str | None
    index: int

    @property
    def mask_rel_path(self) -> str | None:
        """Where its mask lies; None for a normal picture."""
        if self.defect_type is None:
            return None
        stem = self.rel_path.rsplit("/", 1)[1].removesuffix(".png")
        return f"{self.class_name}/ground_truth/{self.defect_type}/{stem}_mask.png"


@functools.cache
def entries() -> tuple[Entry, ...]:
    """All pictures, by class and path. Every class meets different defects, all of them in all."""
    found = []
    for place, class_name in enumerate(BENCHMARK_KINDS):
        used: Counter[str] = Counter()
        for number in range(NORMAL_PER_CLASS + ANOMALOUS_PER_CLASS):
            defect = number - NORMAL_PER_CLASS
            turn = (place * ANOMALOUS_PER_CLASS + defect) % len(BENCHMARK_DEFECTS)
            defect_type = None if defect < 0 else BENCHMARK_DEFECTS[turn]
            folder = defect_type or NORMAL
            found.append(
                Entry(
                    rel_path=f"{class_name}/test/{folder}/{used[folder]:03}.png",
                    class_name=class_name,
                    defect_type=defect_type,
                    index=1000 * place + number,
                )
            )
            used[folder] += 1
    return tuple(sorted(found, key=lambda entry: (entry.class_name, entry.rel_path)))


def draw(rel_path: str) -> SyntheticSample:
    """The picture of that path, with its mask. Raises InputError for a path not in the set."""
    entry = _by_path().get(rel_path)
    if entry is None:
        raise InputError(
            f"{printable(rel_path)}: the synthetic set has no such picture; its first is "
            f"{entries()[0].rel_path}"
        )
    return generate(
        SEED,
        entry.index,
        size=SIZE,
        defective=entry.defect_type is not None,
        kinds=(entry.class_name,),
        defect_types=None if entry.defect_type is None else (entry.defect_type,),
    )


def write(root: Path, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Write the whole set under `root`, a new or empty folder or an earlier copy; how many.

    Each file appears whole or not at all. `progress` is told (done, total). Raises DatasetError
    for a folder with other things in it, or one that cannot be written to.
    """
    shown = printable(str(root))
    try:
        root.mkdir(parents=True, exist_ok=True)
        foreign = sorted({path.name for path in root.iterdir()} - set(BENCHMARK_KINDS))
    except OSError as error:
        raise DatasetError(f"{shown}: cannot be written to: {error.strerror or error}") from error
    if foreign:
        raise DatasetError(
            f"{shown}: has other things in it, such as {printable(foreign[0])}; name a new folder "
            f"for the {SYNTHETIC_KEY} set"
        )
    for done, entry in enumerate(entries(), 1):
        picture = draw(entry.rel_path)
        _save(root / entry.rel_path, picture.image)
        if entry.mask_rel_path is not None:
            _save(root / entry.mask_rel_path, picture.mask.astype(np.uint8) * 255)
        if progress is not None:
            progress(done, len(entries()))
    return len(entries())


@functools.cache
def _by_path() -> dict[str, Entry]:
    return {entry.rel_path: entry for entry in entries()}


def _save(path: Path, pixels: np.ndarray) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(partial, format="PNG")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise DatasetError(
            f"{printable(str(path))}: cannot be written: {reason}; name another folder"
        ) from error
