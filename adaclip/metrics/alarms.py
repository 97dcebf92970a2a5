"""How many normal values lie at or above each of many thresholds: all that rank metrics need.

Few thresholds among many values are the usual case: defects are small. Then the values are not
sorted but counted between the thresholds, found through a grid of equal steps over their range.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# (at or above, above) each threshold of a slice.
Counts = tuple[np.ndarray, np.ndarray]

# Values from which work is shared out, and the most parts: each is searched by itself later.
_SHARE_FROM, _MOST_PARTS = 1 << 20, 4
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


def false_alarms(normal: np.ndarray, thresholds: np.ndarray) -> Callable[[slice], Counts]:
    """What to ask for the counts of a slice of `thresholds`, which rise and are distinct.

    Both are 1-D, finite and of one floating type; `normal` may be in any order. A threshold lets
    through the values at or above it.
    """
    few = min(normal.size // _VALUES_PER_THRESHOLD, _MOST_THRESHOLDS)
    large = normal.size >= _SHARE_FROM and normal.dtype == np.float32
    if large and 1 < thresholds.size <= few:
        grid = _Grid(thresholds)
        if grid.usable:
            at_or_above, above = grid.counts(normal)
            return lambda part: (at_or_above[part], above[part])
    parts = _sorted_parts(normal)
    return lambda part: _searched(parts, thresholds[part])


class _Grid:
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

    def counts(self, normal: np.ndarray) -> Counts:
        """For each threshold, how many values are at or above it, and how many above it."""
        shares = np.array_split(normal, _processors())
        with ThreadPoolExecutor(len(shares)) as pool:  # numpy counts without the lock
            counted = list(pool.map(self._count_share, shares))
        between, equal = (np.sum([each[place] for each in counted], axis=0) for place in (0, 1))
        up_to = np.cumsum(between[: self._count])
        above, at_or_above = normal.size - up_to, normal.size - up_to + equal[: self._count]
        crowd = np.concatenate([each[2] for each in counted])
        if crowd.size:
            # So far they count as above every threshold.
            low, high = _searched([np.sort(crowd)], self._thresholds[: self._count])
            at_or_above += low - crowd.size
            above += high - crowd.size
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


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, _MOST_PARTS)


def _sorted_parts(values: np.ndarray) -> list[np.ndarray]:
    """1-D `values` in ascending arrays: one, or where there are many a copy for each processor."""
    if values.size < _SHARE_FROM:
        return [np.sort(values)]
    parts = np.array_split(values, _processors())
    with ThreadPoolExecutor(len(parts)) as pool:  # numpy sorts without the interpreter's lock
        return list(pool.map(np.sort, parts))


def _searched(parts: list[np.ndarray], thresholds: np.ndarray) -> Counts:
    """As `counts`, from values in ascending arrays."""

    def passed(part: np.ndarray) -> Counts:
        below = np.searchsorted(part, thresholds, "left")
        # Most thresholds meet no equal: the others alone are looked up again.
        equal = np.flatnonzero((below < part.size) & (part.take(below, mode="clip") == thresholds))
        up_to = below.copy()
        up_to[equal] = np.searchsorted(part, thresholds[equal], "right")
        return part.size - below, part.size - up_to

    parts = [part for part in parts if part.size]
    if not parts:
        return np.zeros(thresholds.size, np.int64), np.zeros(thresholds.size, np.int64)
    if len(parts) == 1:
        return passed(parts[0])
    with ThreadPoolExecutor(len(parts)) as pool:
        counted = list(pool.map(passed, parts))
    at_or_above, above = (np.sum([each[place] for each in counted], axis=0) for place in (0, 1))
    return at_or_above, above
