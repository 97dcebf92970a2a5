"""Counting values between thresholds without sorting them, for processors that sort slowly.

Few thresholds among many values are the usual case: defects are small. Values are counted between
the thresholds, which are found through a grid of equal steps over their range.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

# (at or above, above) each threshold.
Counts = tuple[np.ndarray, np.ndarray]

# The grid is worth its making for this many values to a threshold, and its counts take memory.
_VALUES_PER_THRESHOLD, _MOST_THRESHOLDS = 8, 1 << 21
_STEPS_PER_THRESHOLD, _MOST_STEPS = 8, 1 << 21
# A step with more thresholds than this is crowded: its values are sorted after all.
_CROWD = 8
# Values at a time, so that what is made of them stays in the processor's cache.
_AT_ONCE = 1 << 18
# Of a step: the first threshold that a value of it may not exceed, by place and by value. Beside
# each other, as looking up either takes a trip to main memory.
_STEP = np.dtype([("place", np.int32), ("threshold", np.float32)])


def grid_for(normal: np.ndarray, thresholds: np.ndarray) -> Grid | None:
    """A grid over ascending float32 thresholds, None where there are too many or it cannot be."""
    few = min(normal.size // _VALUES_PER_THRESHOLD, _MOST_THRESHOLDS)
    if normal.dtype != np.float32 or not 1 < thresholds.size <= few:
        return None
    grid = Grid(thresholds)
    return grid if grid.usable else None


class Grid:
    """Steps of equal width from the lowest threshold to the highest.

    A value's step never falls as the value rises, whatever the rounding, so thresholds in lower
    steps are below it and those in higher steps above it: only its own step's are compared.
    """

    def __init__(self, thresholds: np.ndarray) -> None:
        self._count = count = thresholds.size
        steps = min(1 << (count * _STEPS_PER_THRESHOLD).bit_length(), _MOST_STEPS)
        self._low, self._last = thresholds[0], thresholds.dtype.type(steps - 1)
        with np.errstate(all="ignore"):
            self._scale = self._last / (thresholds[-1] - thresholds[0])
        self.usable = bool(0 < self._scale < np.inf)
        if not self.usable:
            return
        # Two more, above all: for values above every threshold, and for those of crowded steps.
        self._thresholds = np.append(thresholds, np.full(2, np.inf, np.float32))
        held = np.bincount(self._steps(thresholds), minlength=steps)
        table = np.empty(steps, _STEP)
        table["place"] = np.cumsum(held) - held
        table["place"][held > _CROWD] = count + 1
        table["threshold"] = self._thresholds.take(table["place"])
        self._table = table.view(np.int64)  # whole entries are copied faster

    def counts(self, normal: np.ndarray, shares: int) -> Counts:
        """For each threshold, how many values are at or above it, and how many above it.

        The work is shared out among so many threads.
        """
        with ThreadPoolExecutor(shares) as pool:  # numpy counts without the lock
            counted = list(pool.map(self._count_share, np.array_split(normal, shares)))
        between, equal = (np.sum([each[place] for each in counted], axis=0) for place in (0, 1))
        up_to = np.cumsum(between[: self._count])
        above, at_or_above = normal.size - up_to, normal.size - up_to + equal[: self._count]
        crowd = np.concatenate([each[2] for each in counted])
        if crowd.size:
            # So far they count as above every threshold.
            crowd.sort()
            at_or_above -= np.searchsorted(crowd, self._thresholds[: self._count], "left")
            above -= np.searchsorted(crowd, self._thresholds[: self._count], "right")
        return at_or_above, above

    def _count_share(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values by the lowest threshold they do not exceed; those equal to it; the crowd."""
        between, equal = (np.zeros(self._count + 2, np.int64) for _ in range(2))
        crowds = [values[:0]]
        at_once = max(_AT_ONCE, self._count // 2)
        for start in range(0, values.size, at_once):
            some = values[start : start + at_once]
            places, ties = self._places(some)
            found = np.bincount(places, minlength=between.size)
            between += found
            if ties.size:
                equal += np.bincount(ties, minlength=equal.size)
            if found[-1]:
                crowds.append(some[places == self._count + 1])
        return between, equal, np.concatenate(crowds)

    def _places(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lowest threshold that each value does not exceed, and those that are equalled."""
        found = self._table.take(self._steps(values), mode="clip").view(_STEP)
        places, threshold = found["place"].astype(np.intp), found["threshold"]
        ties = [places[threshold == values]]
        waiting = np.flatnonzero(threshold < values)
        while waiting.size:
            at, value = places[waiting] + 1, values[waiting]
            places[waiting] = at
            threshold = self._thresholds.take(at)
            ties.append(at[threshold == value])
            waiting = waiting[threshold < value]
        return places, np.concatenate(ties)

    def _steps(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # infinity is past the last step
            steps = values - self._low
            steps *= self._scale
        return steps.clip(0, self._last, out=steps).astype(np.intp)
