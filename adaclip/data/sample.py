"""One labelled image of a dataset, and how its mask is read. Nothing here walks a folder."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from adaclip.config import MAX_IMAGE_PIXELS
from adaclip.data.images import EXTENSIONS, FORMATS
from adaclip.errors import DatasetError
from adaclip.text import printable

NORMAL = "good"
# A JPEG cannot hold a clean mask: its black is 0 to a few levels, its white 250 to 255.
JPEG_ABOVE = 127


@dataclass(frozen=True, kw_only=True)
class MaskRule:
    """How mask files become True and False.

    `above`: a pixel is a defect where its brightest channel is above this level of 0-255; None
    is 0, and JPEG_ABOVE for JPEG files. `more`: further mask files of the same image; a pixel is
    a defect where any of them says so.
    """

    above: int | None = None
    more: tuple[Path, ...] = ()


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
        part = read_mask_file(path, above=sample.mask_rule.above, name=name)
        if part.shape != tuple(size):
            raise DatasetError(
                f"{printable(name)}: the mask is {part.shape[1]} x {part.shape[0]} pixels and "
                f"its image {size[1]} x {size[0]}; save the mask at its image's size"
            )
        mask = part if mask is None else mask | part
    return mask


def read_mask_file(path: Path, *, above: int | None = None, name: str = "") -> np.ndarray:
    """(H, W) bool of one mask file, by MaskRule's `above`.

    Raises DatasetError, which calls it `name`, or else by its path.
    """
    shown = printable(name or str(path))
    try:
        # Pillow warns of metadata and sizes; the one is dropped, the other checked below.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as file:
                if file.width * file.height > MAX_IMAGE_PIXELS:
                    raise DatasetError(
                        f"{shown}: the mask has {file.width * file.height / 1e6:.0f} megapixels, "
                        f"more than the {MAX_IMAGE_PIXELS / 1e6:.0f} that are read"
                    )
                if above is None:
                    above = JPEG_ABOVE if file.format in ("JPEG", "MPO") else 0
                return _levels(file) > above
    except DatasetError:
        raise
    except UnidentifiedImageError as error:  # whose words name the folders above
        raise _unreadable(shown, "it is no picture") from error
    # Pillow's decoders answer damaged data with errors of a dozen types.
    except Exception as error:
        raise _unreadable(shown, getattr(error, "strerror", None) or str(error)) from error


def _unreadable(shown: str, reason: str) -> DatasetError:
    return DatasetError(
        f"{shown}: the mask cannot be read ({printable(reason)}); put back the dataset's own file"
    )


def _relative(path: Path, sample: Sample) -> str:
    """POSIX path below the root that the sample was loaded from; the name of a file elsewhere."""
    root = sample.image_path
    for _ in PurePosixPath(sample.rel_path).parts:
        root = root.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for a picture when a dataset is searched."""
    return not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS


def _levels(file: Image.Image) -> np.ndarray:
    """(H, W) numbers; the brightest colour channel, as a mask may be red on black."""
    if file.mode in ("1", "L", "I", "F") or file.mode.startswith("I;16"):
        return np.asarray(file if file.mode != "1" else file.convert("L"))
    if file.mode == "LA":
        return np.asarray(file.getchannel("L"))
    return np.asarray(file.convert("RGB")).max(-1)
