"""How many normal values lie at or above each of many thresholds: all that rank metrics need.

The values are sorted apart from the abnormal ones and looked up: numpy sorts float32 several at a
time, which no merging of the two sides or counting through a grid keeps up with.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

T = TypeVar("T")

# (at or above, above) each threshold of a slice.
Counts = tuple[np.ndarray, np.ndarray]

# Values from which sorting is shared out, and the most parts: each is searched by itself later.
_SHARE_FROM, _MOST_PARTS = 1 << 20, 4


def false_alarms(normal: np.ndarray, thresholds: np.ndarray) -> Callable[[slice], Counts]:
    """What to ask for the counts of a slice of `thresholds`, which rise and are distinct.

    Both are 1-D, finite and of one floating type; `normal` may be in any order. A threshold lets
    through the values at or above it.
    """
    parts = [part for part in _sorted_parts(normal) if part.size]

    def counts(wanted: slice) -> Counts:
        some = thresholds[wanted]
        at_or_above, above = (np.zeros(some.size, np.int64) for _ in range(2))
        for part_at_or_above, part_above in _each(lambda part: _passed(part, some), parts):
            at_or_above += part_at_or_above
            above += part_above
        return at_or_above, above

    return counts


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


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, _MOST_PARTS)
