"""Lowering a threshold over sorted values, block by block: the arithmetic of every rank metric.

Only thresholds equal to an abnormal value are looked at. Between two of them nothing is found
and only false alarms are added, so precision and F1 fall, recall stands still, and the ROC and
PRO curves are straight: the sums over the abnormal values are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adaclip.metrics.alarms import false_alarms

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
        normal: np.ndarray,
        abnormal: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> None:
        """Go down through the values of a block, all of which are below those of earlier blocks.

        Args:
            normal: 1-D, in any order.
            abnormal: 1-D, ascending, of the same type.
            weights: share of its region's overlap that each abnormal value stands for.
        """
        first = np.flatnonzero(np.r_[True, abnormal[1:] != abnormal[:-1]][: abnormal.size])
        thresholds = abnormal[first]
        alarms = false_alarms(normal, thresholds)
        for end in range(first.size, 0, -_SLICE):
            part = slice(max(end - _SLICE, 0), end)
            starts = first[part]
            stop = first[end] if end < first.size else abnormal.size
            counts = np.diff(starts, append=stop)[::-1]
            at, above = (self._false + passed[::-1] for passed in alarms(part))
            self._count(thresholds[part][::-1], counts, at, above)
            if weights is not None:
                shares = np.add.reduceat(weights[:stop], starts, dtype=np.float64)
                self._integrate(shares[::-1], at, above)
        self._false += normal.size

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
