"""The nouns of the project: plain frozen records of numpy arrays and numbers. No torch here."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adaclip.logits import logit, sigmoid


class Verdict(enum.StrEnum):
    """What is said of an image at a threshold."""

    NORMAL = "normal"
    REVIEW = "review"
    ANOMALOUS = "anomalous"


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The cut between normal and anomalous images, and where it comes from.

    `value` is an anomaly score, 0-1. Scores less than `review_band` below it, measured in
    logits so that the band keeps its meaning near 0 and 1, ask for a person's review.
    """

    value: float
    source: str
    review_band: float = 0.0

    @property
    def review_value(self) -> float:
        """The anomaly score from which an image is at least to be reviewed, 0-1."""
        if not 0.0 < self.value < 1.0:
            return self.value
        return sigmoid(logit(self.value) - self.review_band)

    def verdict(self, anomaly_score: float) -> Verdict:
        """Anomalous from `value` on, review from `review_value` on, else normal."""
        if anomaly_score >= self.value:
            return Verdict.ANOMALOUS
        return Verdict.REVIEW if anomaly_score >= self.review_value else Verdict.NORMAL


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """What is known of a checkpoint without loading it.

    `path` is None while its file is not on this machine; `how_to_get` then says what to do.
    `trained_on` holds dataset keys (as in `datasets_meta`) or "synthetic".
    """

    id: str
    title: str
    backbone: str
    trained_on: tuple[str, ...]
    threshold: Threshold
    map_threshold: float
    licence: str
    path: Path | None = None
    # None: not known before the file is here.
    size_bytes: int | None = None
    sha256: str | None = None
    how_to_get: str = ""
    # Ids whose margins are averaged, for an ensemble.
    members: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def present(self) -> bool:
        """True when everything the checkpoint needs is on this machine."""
        return self.path is not None


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One image's result, frozen.

    The maps are kept at the model's resolution (S, S), which is all the model knows; the
    properties resize them to the image's own size when asked, so a long batch stays small.
    """

    class_name: str
    checkpoint: str
    image_size: tuple[int, int]  # (H, W) of the image given
    model_margin_map: np.ndarray  # (S, S) float32, logits, refined or smoothed
    model_anomaly_map: np.ndarray  # (S, S) float32, 0-1; smoothed after the softmax, as published
    anomaly_margin: float  # image level, logits
    anomaly_score: float  # image level, 0-1
    seconds: float  # wall time of the model's work for this image
    device: str
    precision: str
    notes: tuple[str, ...] = ()  # what the user should know, e.g. "recomputed in fp32"
    # Of a picture compared with others: what with ("23 others", "4 good examples"), and the
    # thresholds that these give. None: it was judged by itself, at the checkpoint's thresholds.
    compared_with: str | None = None
    threshold: Threshold | None = None
    map_threshold: float | None = None

    @property
    def margin_map(self) -> np.ndarray:
        """(H, W) float32: abnormal minus normal logit of every pixel of the image, unbounded."""
        return resize_map(self.model_margin_map, self.image_size)

    @property
    def anomaly_map(self) -> np.ndarray:
        """(H, W) float32, 0-1: abnormality of every pixel of the image."""
        return resize_map(self.model_anomaly_map, self.image_size)


def resize_map(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(S, T) float32 brought to `size` (H, W): bilinear, averaging over the area when shrinking."""
    height, width = size
    resized = Image.fromarray(array).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)
