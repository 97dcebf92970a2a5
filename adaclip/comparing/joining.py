"""Distances and zero-shot margins on one scale: how far from normal, in spreads of the normal.

A picture gives three values: the logarithm of its distance to the normal ones, that of what the
normal ones have and it lacks, and its zero-shot margin. Each is measured from where the normal
pictures lie and divided by how far they spread; what is joined is their weighted sum. A threshold
is subtracted, so that a margin of 0 is the threshold and a score of 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

# What is known of spreads before a picture is seen, of log distances both ways, and how many
# pictures that knowledge is worth.
PRIOR_SPREADS = (0.25, 0.25)
PRIOR_WEIGHT = 4.0
# Shares of the three in the sum.
WEIGHTS = (1.0, 0.3, 0.5)
# Of the maps' two: distance and zero-shot margin.
MAP_WEIGHTS = (1.0, 1.0)
# Normal pictures that are to pass.
PASSED = 0.97
REVIEW_PASSED = 0.90


@dataclass(frozen=True, kw_only=True)
class Normal:
    """Where values of normal pictures lie: a centre, and a spread above 0."""

    centre: float
    spread: float

    def __call__(self, value: float) -> float:
        return (value - self.centre) / self.spread


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """All that turns a picture's values into a margin; see the module."""

    values: tuple[Normal, Normal, Normal]  # log distance, log distance back, zero-shot margin
    patch_distance: Normal
    patch_margin: Normal
    threshold: float  # of the sum
    review_band: float
    map_threshold: float  # of a patch's sum
    foreign: float  # median distance from which a picture shows another object
    source: str  # what the threshold rests on, in words

    def margin(self, values: Sequence[float]) -> float:
        """A picture's margin: 0 at the threshold."""
        return joined(values, self.values) - self.threshold

    def patch_margins(self, distances: np.ndarray, margins: np.ndarray) -> np.ndarray:
        """The same of patches or pixels: 0 at the map threshold."""
        total = patch_sums(distances, margins, self.patch_distance, self.patch_margin)
        return (total - self.map_threshold).astype(np.float32)


def patch_sums(
    distances: np.ndarray, margins: np.ndarray, distance: Normal, margin: Normal
) -> np.ndarray:
    """The weighted sum of patches' distances and zero-shot margins, each in its own spreads."""
    near, zero_shot = MAP_WEIGHTS
    total: np.ndarray = near * (distances - distance.centre) / distance.spread
    return total + zero_shot * (margins - margin.centre) / margin.spread


def joined(values: Sequence[float], normals: Sequence[Normal]) -> float:
    """The weighted sum of values in their own spreads, itself about one spread wide."""
    total = sum(w * n(v) for w, n, v in zip(WEIGHTS, normals, values, strict=True))
    return total / math.hypot(*WEIGHTS)


def shrunk(values: Sequence[float], prior: float) -> Normal:
    """Centre and spread of a few values; the spread is drawn to what is known of such values.

    The variance is that of the values and of a prior worth PRIOR_WEIGHT more: with one value the
    spread is the prior's, with many it is their own.
    """
    given = np.sort(np.asarray(values, np.float64))
    centre = math.fsum(given) / len(given)
    squares = math.fsum((given - centre) ** 2)
    variance = (PRIOR_WEIGHT * prior**2 + squares) / (PRIOR_WEIGHT + len(given) - 1)
    return Normal(centre=centre, spread=math.sqrt(variance))


def quantile(values: Sequence[float], passed: float) -> float:
    """Below which a further normal picture's sum lies with probability `passed`."""
    return quantile_of(shrunk(values, 1.0), len(values), passed)


def quantile_of(normal: Normal, count: int, passed: float) -> float:
    """The same from a centre and a spread that `count` values gave.

    A prediction of Student's t: few pictures leave spread and centre uncertain, and both widen it.
    """
    t = float(stats.t.ppf(passed, PRIOR_WEIGHT + count - 1))
    return normal.centre + t * normal.spread * math.sqrt(1 + 1 / count)


def robust(values: Sequence[float], prior: float) -> Normal:
    """Centre and spread of the normal pictures in a batch of which up to a third is defective.

    The centre is that of the shortest interval with half of the values: the defective lie on one
    side of it. The spread is that of the values below, which the defective do not widen, drawn to
    what is known as in `shrunk`.
    """
    given = np.sort(np.asarray(values, np.float64))
    half = len(given) // 2 + 1
    lengths = given[half - 1 :] - given[: len(given) - half + 1]
    start = int(lengths.argmin())
    centre = float(np.median(given[start : start + half]))
    below = given[given <= centre] - centre
    squares = math.fsum(below**2)
    variance = (PRIOR_WEIGHT * prior**2 + squares) / (PRIOR_WEIGHT + len(below))
    return Normal(centre=centre, spread=math.sqrt(variance))
