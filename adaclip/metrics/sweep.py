"""Lowering a threshold over sorted values, block by block: the arithmetic of every rank metric.

Only thresholds equal to an abnormal value are looked at. Between two of them nothing is found
and only false alarms are added, so precision and F1 fall, recall stands still, and the ROC and
PRO curves are straight: the sums over the abnormal values are exact.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

# Values from which a sort is shared out, and the most parts: each is searched by itself later.
_SHARE_FROM, _MOST_PARTS = 1 << 20, 4
# Distinct abnormal values worked on at a time: bounds the memory of the temporary arrays.
_SLICE = 1 << 17


@dataclass
class Sweep:
    """What has been counted so far, from the highest values down.

    Attributes:
        normals: how many normal values there are in all; with `abnormals`, both above 0.
        fpr_limit: false-positive rate up to which the area under the PRO curve is taken.
    """

    normals: int
    abnormals: int
    fpr_limit: float = 0.3
    # Counts at or above the lowest value seen.
    _false: int = 0
    _true: int = 0
    # Twice the number of (normal, abnormal) pairs in the right order, a tie counting one.
    _ordered: int = 0
    _precisions: float = 0.0
    _best: tuple[float, float] = (-1.0, 0.0)  # F1, threshold
    # Under the PRO curve: its height (sum of weights), where it ends, and the area so far.
    _overlap: float = 0.0
    _reached: int = 0
    _overlap_area: float = 0.0

    def add(
        self,
        normal: Sequence[np.ndarray],
        abnormal: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> None:
        """Go down through the values of a block, all of which are below those of earlier blocks.

        Args:
            normal: 1-D arrays, each ascending; together they are the block's normal values.
            abnormal: 1-D, ascending, of the same type.
            weights: share of its region's overlap that each abnormal value stands for.
        """
        first = np.flatnonzero(np.r_[True, abnormal[1:] != abnormal[:-1]][: abnormal.size])
        with ThreadPoolExecutor(max(len(normal), 1)) as pool:
            for end in range(first.size, 0, -_SLICE):
                starts = first[max(end - _SLICE, 0) : end]
                stop = first[end] if end < first.size else abnormal.size
                counts = np.diff(starts, append=stop)[::-1]
                values = abnormal[starts]
                at, above = (self._false + c[::-1] for c in _passed(normal, values, pool))
                self._count(values[::-1], counts, at, above)
                if weights is not None:
                    shares = np.add.reduceat(weights[:stop], starts, dtype=np.float64)
                    self._integrate(shares[::-1], at, above)
        self._false += sum(part.size for part in normal)

    def add_tied(self, value: float, normals: int, abnormals: int, weight: float) -> None:
        """A block that holds one value only, so often that nobody wants it as an array."""
        if abnormals:
            at, above = np.array([self._false + normals]), np.array([self._false])
            self._count(np.array([value]), np.array([abnormals]), at, above)
            self._integrate(np.array([weight]), at, above)
        self._false += normals

    def _count(
        self, values: np.ndarray, counts: np.ndarray, at_or_above: np.ndarray, above: np.ndarray
    ) -> None:
        """Distinct abnormal values from high to low and how many normal ones each lets through."""
        true = self._true + np.cumsum(counts)
        self._ordered += int((counts * (2 * self.normals - at_or_above - above)).sum())
        self._precisions += float((counts * (true / (true + at_or_above))).sum())
        f1 = 2 * true / (true + at_or_above + self.abnormals)
        best = int(f1.argmax())
        # The first of equals: the highest threshold raises the fewest false alarms.
        if f1[best] > self._best[0]:
            self._best = (float(f1[best]), float(values[best]))
        self._true = int(true[-1])

    def _integrate(self, shares: np.ndarray, at_or_above: np.ndarray, above: np.ndarray) -> None:
        """Add the area under the PRO curve, up to the limit, in units of normal values.

        The curve is level until a threshold's ties begin and rises straight through them.
        """
        limit = self.fpr_limit * self.normals
        after = self._overlap + np.cumsum(shares)
        before = after - shares
        level_from = np.minimum(np.r_[self._reached, at_or_above[:-1]], limit)
        level_to = np.minimum(above, limit)
        rise = np.minimum(at_or_above, limit) - level_to
        ties = np.maximum(at_or_above - above, 1)
        top = before + shares * (rise / ties)
        self._overlap_area += float(
            ((level_to - level_from) * before + rise * (before + top) / 2).sum()
        )
        self._overlap = float(after[-1])
        self._reached = int(at_or_above[-1])

    @property
    def auroc(self) -> float:
        """Area under the ROC curve, 0-1."""
        return self._ordered / (2 * self.normals * self.abnormals)

    @property
    def average_precision(self) -> float:
        """Mean precision over the abnormal values, 0-1; no interpolation."""
        return self._precisions / self.abnormals

    @property
    def max_f1(self) -> tuple[float, float]:
        """The highest F1 of any threshold, 0-1, and that threshold."""
        return self._best

    @property
    def aupro(self) -> float:
        """Area under the PRO curve up to the limit, divided by the limit, 0-1."""
        limit = self.fpr_limit * self.normals
        rest = max(limit - self._reached, 0.0) * self._overlap
        return (self._overlap_area + rest) / (limit * self._overlap)


def sorted_parts(values: np.ndarray) -> list[np.ndarray]:
    """1-D `values` in ascending arrays: one, or where there are many a copy for each processor."""
    if values.size < _SHARE_FROM:
        return [np.sort(values)]
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    parts = np.array_split(values, min(processors, _MOST_PARTS))
    with ThreadPoolExecutor(len(parts)) as pool:  # numpy sorts without the interpreter's lock
        return list(pool.map(np.sort, parts))


def _passed(
    normal: Sequence[np.ndarray], values: np.ndarray, pool: ThreadPoolExecutor
) -> tuple[np.ndarray, np.ndarray]:
    """How many of the normal values are at or above each of `values`, and how many above it."""

    def passed(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        below = np.searchsorted(part, values, "left")
        # Most values meet no equal: the others alone are looked up again.
        equal = np.flatnonzero((below < part.size) & (part.take(below, mode="clip") == values))
        up_to = below.copy()
        up_to[equal] = np.searchsorted(part, values[equal], "right")
        return part.size - below, part.size - up_to

    at_or_above, above = np.zeros(values.size, np.int64), np.zeros(values.size, np.int64)
    parts = [part for part in normal if part.size]
    for first, second in pool.map(passed, parts) if len(parts) > 1 else map(passed, parts):
        at_or_above += first
        above += second
    return at_or_above, above
