"""The metrics of a class from its images' values and maps, and their mean. No torch here."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adaclip.logits import sigmoid
from adaclip.metrics.intervals import bootstrap_intervals
from adaclip.metrics.pixels import MAX_VALUES, PixelMetrics, PixelResult
from adaclip.metrics.ranking import METRICS, ranking
from adaclip.runs.records import ClassResults, LevelResults, Measures, NormalPeak, level_of
from adaclip.runs.rows import Row
from adaclip.types import Threshold, resize_map

RANKED_BY = ("margin", "probability")
# Side of the square of the resolution "518", the paper's.
PAPER_SIDE = 518


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is known of one image that did not fail."""

    row: Row
    # (S, S) float32 by "margin" and "probability"; empty where no pixel metric needs them.
    maps: Mapping[str, np.ndarray]
    mask: np.ndarray | None  # (H, W) bool; None where there is none or none is needed
    # Of normal images: 1 or 0 for a peak on a contour, and the share of the image near contours.
    peak: np.ndarray | None


class ClassTally:
    """Takes a class's images one by one; `results()` gives its entry in results.json."""

    def __init__(
        self, *, threshold: Threshold, ranked_by: str, resolution: str, folder: Path
    ) -> None:
        """`folder` takes the temporary files of pixel values that do not fit into memory."""
        self._threshold = threshold
        self._ranked_by = ranked_by
        self._resolution = resolution
        self._rows: list[Row] = []
        self._peaks: list[np.ndarray] = []
        self._pixels = {
            name: PixelMetrics(max_values=MAX_VALUES // len(RANKED_BY), folder=folder)
            for name in RANKED_BY
        }
        self._without_mask = 0

    def add(self, judged: Judged) -> None:
        """Count one image. Raises StoreError when pixel values cannot be kept."""
        self._rows.append(judged.row)
        if judged.peak is not None:
            self._peaks.append(judged.peak)
        if judged.mask is None:
            self._without_mask += judged.row.anomalous
            return
        mask, size = judged.mask, judged.mask.shape
        if self._resolution != "native":
            size = (PAPER_SIDE, PAPER_SIDE)
            resized = Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST)
            mask = np.asarray(resized, dtype=bool)
        for name, pixels in self._pixels.items():
            pixels.add(resize_map(judged.maps[name], size), mask)

    def results(self, class_name: str, prompt: str, failed: int) -> ClassResults:
        """The class's entry."""
        other = next(name for name in RANKED_BY if name != self._ranked_by)
        values = self._image_values(self._ranked_by)
        pixels, aupro = self._pixel_level(self._ranked_by)
        other_pixels, other_aupro = self._pixel_level(other)
        return ClassResults(
            class_name=class_name,
            prompt=prompt,
            normal=len(values[0]),
            anomalous=len(values[1]),
            failed=failed,
            without_mask=self._without_mask,
            image_level=image_level(*values, logits=self._ranked_by == "margin"),
            pixel_level=pixels,
            aupro=aupro,
            **self._rates(),
            normal_peak=self._normal_peak(),
            alternative=Measures(
                ranked_by=other,
                image_level=level_of(ranking(*self._image_values(other))),
                pixel_level=other_pixels,
                aupro=other_aupro,
            ),
        )

    def close(self) -> None:
        """Remove temporary files."""
        for pixels in self._pixels.values():
            pixels.close()

    def _image_values(self, ranked_by: str) -> tuple[np.ndarray, np.ndarray]:
        """Of normal and of anomalous images: margins, or scores."""
        name = "anomaly_margin" if ranked_by == "margin" else "anomaly_score"
        normal, anomalous = (
            np.array([getattr(row, name) for row in self._rows if row.anomalous == kind], float)
            for kind in (False, True)
        )
        return normal, anomalous

    def _pixel_level(self, ranked_by: str) -> tuple[LevelResults, float | None]:
        """Pixel metrics and AUPRO."""
        result = self._pixels[ranked_by].result()
        level = level_of(result.ranking)
        if result.aupro is None:
            reasons = dict.fromkeys((*METRICS, "aupro"), self._why_no_pixels(result))
            level = dataclasses.replace(level, undefined=reasons)
        return level, result.aupro

    def _why_no_pixels(self, result: PixelResult) -> str:
        if not any(row.anomalous for row in self._rows):
            return "no anomalous images" if self._rows else "no images"
        if not result.ranking.abnormal and self._without_mask:
            return "no masks"
        return result.ranking.undefined["auroc"]

    def _rates(self) -> dict[str, Any]:
        """Shares of images at or above the threshold or its review value; None of none."""
        scores = self._image_values("probability")
        alarm, review = self._threshold.value, self._threshold.review_value
        return {
            "false_alarm_rate": _share(scores[0] >= alarm),
            "review_rate": _share(scores[0] >= review),
            "detection_rate": _share(scores[1] >= alarm),
        }

    def _normal_peak(self) -> NormalPeak:
        """Where the maps of normal images peak; `near_contours` is what chance would give."""
        on_contour = np.array([peak[0] > 0 for peak in self._peaks], bool)
        normal = self._image_values("probability")[0]
        alarms = normal >= self._threshold.value
        near = [float(peak[1]) for peak in self._peaks]
        return NormalPeak(
            images=len(self._peaks),
            on_contour=_share(on_contour),
            on_contour_of_false_alarms=_share(on_contour[alarms]),
            near_contours=math.fsum(near) / len(near) if near else None,
        )


def image_level(normal: np.ndarray, anomalous: np.ndarray, *, logits: bool = True) -> LevelResults:
    """The image-level entry: metrics, intervals of 95 %, and the reason of each that is None.

    With `logits` the values are margins, and `max_f1_score` says the threshold as a score.
    """
    level = level_of(ranking(normal, anomalous))
    intervals = bootstrap_intervals(normal, anomalous)
    few = "fewer than two normal or two anomalous images"
    reasons = {
        f"{name}_interval": few
        for name in METRICS
        if intervals[name] is None and getattr(level, name) is not None
    }
    threshold = level.max_f1_threshold
    if threshold is not None and logits:
        threshold = sigmoid(threshold)
    return dataclasses.replace(
        level,
        intervals={name: intervals[name] for name in METRICS},
        undefined={**level.undefined, **reasons},
        max_f1_score=threshold,
    )


def _share(flags: np.ndarray) -> float | None:
    return float(flags.mean()) if flags.size else None
