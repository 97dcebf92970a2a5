"""How many normal values lie at or above each of many thresholds: all that rank metrics need.

And the other way round, `just_above`: the threshold that few enough reach.

The values are sorted apart from the abnormal ones and looked up: numpy sorts float32 several at a
time, which no merging of the two sides or counting through a grid keeps up with. But on AMD's
Zen 4 its AVX-512 sort is slower than none (numpy's x86-simd-sort, issue 6): there the grid wins.
"""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import numpy as np

from adaclip.metrics.grid import Counts, grid_for

T = TypeVar("T")

# Values from which sorting is shared out, and the most parts: each is searched by itself later.
_SHARE_FROM, _MOST_PARTS = 1 << 20, 4


def false_alarms(normal: np.ndarray, thresholds: np.ndarray) -> Callable[[slice], Counts]:
    """What to ask for the counts of a slice of `thresholds`, which rise and are distinct.

    Both are 1-D, finite and of one floating type; `normal` may be in any order. A threshold lets
    through the values at or above it.
    """
    if normal.size >= _SHARE_FROM and _sorts_slowly():
        grid = grid_for(normal, thresholds)
        if grid is not None:
            at_or_above, above = grid.counts(normal, _processors())
            return lambda wanted: (at_or_above[wanted], above[wanted])
    parts = [part for part in _sorted_parts(normal) if part.size]

    def counts(wanted: slice) -> Counts:
        some = thresholds[wanted]
        passed = [np.zeros(some.size, np.int64), np.zeros(some.size, np.int64)]
        for part in _each(lambda part: _passed(part, some), parts):
            passed = [total + more for total, more in zip(passed, part, strict=True)]
        return passed[0], passed[1]

    return counts


def just_above(ordered: np.ndarray, quantile: float) -> float:
    """The lowest threshold that at least `quantile` of ascending scores stay below, 0-1."""
    place = min(math.ceil(quantile * ordered.size - 1e-9), ordered.size) - 1
    return min(float(np.nextafter(ordered[place], 2.0)), 1.0)


def _passed(part: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Of one ascending array, not empty."""
    below = np.searchsorted(part, thresholds, "left")
    # Most thresholds meet no equal: the others alone are looked up again.
    equal = np.flatnonzero((below < part.size) & (part.take(below, mode="clip") == thresholds))
    up_to = below.copy()
    up_to[equal] = np.searchsorted(part, thresholds[equal], "right")
    return part.size - below, part.size - up_to


def _sorted_parts(values: np.ndarray) -> list[np.ndarray]:
    """1-D `values` in ascending arrays: one, or where there are many a copy for each processor."""
    shared = _processors() if values.size >= _SHARE_FROM else 1
    return _each(np.sort, np.array_split(values, shared))


def _each(work: Callable[[np.ndarray], T], parts: list[np.ndarray]) -> list[T]:
    """`work` on each part at once: numpy sorts and searches without the interpreter's lock."""
    if len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(work, parts))


@functools.cache
def _sorts_slowly() -> bool:
    """Whether numpy's vectorised sort is hardly faster than its plain one; only speed hangs on it.

    Tried once, in some milliseconds: no flag of the processor says it.
    """
    values = np.random.default_rng(0).random(1 << 16, np.float32)

    def seconds(kind: Literal["quicksort", "stable"]) -> float:
        taken = []
        for _ in range(3):
            started = time.perf_counter()
            np.sort(values, kind=kind)
            taken.append(time.perf_counter() - started)
        return min(taken)

    return seconds("quicksort") > 0.3 * seconds("stable")


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, _MOST_PARTS)
