"""One labelled image of a dataset, and how its mask is read. Nothing here walks a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from adaclip.data.decoding import orientation_of
from adaclip.data.folders import EXTENSIONS
from adaclip.data.masks import read_mask_file
from adaclip.errors import DatasetError
from adaclip.text import printable

NORMAL = "good"


@dataclass(frozen=True, kw_only=True)
class MaskRule:
    """How mask files become True and False.

    `above`: a pixel is a defect where its brightest channel is above this level of 0-255; None
    is 0, and 127 for JPEG files (`adaclip.data.masks`). `more`: further mask files of the same
    image; a pixel is a defect where any of them says so. `guess`: why it is not certain that
    they belong to the image, "" where it is.
    """

    above: int | None = None
    more: tuple[Path, ...] = ()
    guess: str = ""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image of a dataset with its label.

    `dataset` is a card's key, or the folder's name where no card fits. `class_name` is as the
    dataset writes it. `defect_type` is None for a normal image. `mask_path` is None for a normal
    image and where no mask exists. `rel_path` and `mask_rel_path` are POSIX and relative to the
    root the samples were loaded from; `rel_path` is unique and names the image in runs.
    """

    dataset: str
    class_name: str
    defect_type: str | None
    anomalous: bool
    image_path: Path
    mask_path: Path | None
    rel_path: str
    mask_rel_path: str | None
    mask_rule: MaskRule = MaskRule()

    @property
    def mask_paths(self) -> tuple[Path, ...]:
        """All mask files of the image."""
        return () if self.mask_path is None else (self.mask_path, *self.mask_rule.more)


def read_mask(sample: Sample, size: tuple[int, int]) -> np.ndarray | None:
    """(H, W) bool, True on defect pixels; `size` is the image's own (height, width).

    All False for a normal image. None when an anomalous image has no mask: it counts at image
    level only. Raises DatasetError for a mask that cannot be read or has another size; it names
    the mask by its path below the samples' root, so that what is recorded can be shared.
    """
    if not sample.anomalous:
        return np.zeros(size, bool)
    mask: np.ndarray | None = None
    for path in sample.mask_paths:
        name = _relative(path, sample)
        part = read_mask_file(path, above=sample.mask_rule.above, name=name).mask
        if part.shape != tuple(size):
            turned = ""
            if part.shape == tuple(size)[::-1] and orientation_of(sample.image_path) in range(5, 9):
                turned = (
                    " (its EXIF orientation turns it, and the mask has none: it was drawn on the "
                    "stored pixels)"
                )
            raise DatasetError(
                f"{printable(name)}: the mask is {part.shape[1]} x {part.shape[0]} pixels and "
                f"its image {size[1]} x {size[0]}{turned}; save the mask at its image's size"
            )
        mask = part if mask is None else mask | part
    return mask


def _relative(path: Path, sample: Sample) -> str:
    """POSIX path below the root that the sample was loaded from; the name of a file elsewhere."""
    root = sample.image_path
    for _ in PurePosixPath(sample.rel_path).parts:
        root = root.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for a picture when a dataset is searched."""
    return not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS
