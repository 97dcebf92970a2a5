"""Where an evaluation's images and masks come from: files, or the generator. No torch here."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.data.images import read_image
from adaclip.data.samples import Sample, read_mask
from adaclip.data.series import series_of_classes
from adaclip.errors import InputError
from adaclip.synthetic import benchmark_set


class ImageSource(Protocol):
    """Gives a sample's pixels and its mask."""

    def image(self, sample: Sample) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises AdaClipError."""

    def has_mask(self, sample: Sample) -> bool:
        """True for an anomalous sample whose mask is there to be read."""

    def mask(self, sample: Sample, size: tuple[int, int]) -> np.ndarray | None:
        """(H, W) bool at the image's own size; None for an anomalous sample without one.

        Raises AdaClipError.
        """


class FileSource:
    """A dataset on disk; more than 8 bits are brought to 8 alike in all images of a class."""

    def __init__(self, samples: Sequence[Sample] = ()) -> None:
        self._series = series_of_classes(samples)

    def image(self, sample: Sample) -> np.ndarray:
        series = self._series.get(sample.class_name)
        return read_image(sample.image_path, name=sample.rel_path, series=series)

    def has_mask(self, sample: Sample) -> bool:
        return sample.anomalous and sample.mask_path is not None

    def mask(self, sample: Sample, size: tuple[int, int]) -> np.ndarray | None:
        return read_mask(sample, size)


class SyntheticSource:
    """The synthetic set, drawn when asked for: the same picture each time."""

    def __init__(self) -> None:
        # An image and its mask are asked for one after the other, and drawing takes a while.
        self._draw = functools.lru_cache(maxsize=2)(benchmark_set.draw)

    def image(self, sample: Sample) -> np.ndarray:
        image: np.ndarray = self._draw(sample.rel_path).image
        return image

    def has_mask(self, sample: Sample) -> bool:
        return sample.anomalous

    def mask(self, sample: Sample, size: tuple[int, int]) -> np.ndarray | None:
        mask: np.ndarray = self._draw(sample.rel_path).mask
        if mask.shape != size:
            raise InputError(f"{sample.rel_path}: was drawn at {mask.shape}, not {size}")
        return mask


def synthetic_samples() -> list[Sample]:
    """The images of the synthetic set, by class and path; their files need not exist."""
    samples = [
        Sample(
            dataset=SYNTHETIC_KEY,
            class_name=entry.class_name,
            defect_type=entry.defect_type,
            anomalous=entry.defect_type is not None,
            image_path=Path(entry.rel_path),
            mask_path=None,
            rel_path=entry.rel_path,
            mask_rel_path=entry.mask_rel_path,
        )
        for entry in benchmark_set.entries()
    ]
    return sorted(samples, key=lambda sample: (sample.class_name, sample.rel_path))
