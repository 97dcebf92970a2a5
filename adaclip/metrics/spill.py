"""Sorted values on disk, read back from the highest down in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_TOP_BIT = np.uint32(1 << 31)


@dataclass
class SortedRuns:
    """Ascending runs of float32 values in one file; beside each value, if wanted, its area.

    Written only by its owner; the files lie in a folder that the owner removes.
    """

    folder: Path
    name: str
    with_areas: bool = False
    # Where each run begins and ends, in values.
    runs: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Values on disk."""
        return self.runs[-1][1] if self.runs else 0

    def append(self, values: np.ndarray, areas: np.ndarray | None = None) -> None:
        """Write one more ascending run. Raises OSError on a full disk."""
        if not values.size:
            return
        for path, column in ((self._values, values), (self._areas, areas)):
            if column is not None:
                with path.open("ab") as file:
                    column.tofile(file)
        self.runs.append((self.size, self.size + values.size))

    def extremes(self) -> tuple[np.float32, np.float32]:
        """The lowest and the highest value of all; there must be one."""
        ends = [(run[0], run[-1]) for run in self._mapped()]
        return min(low for low, _ in ends), max(high for _, high in ends)

    def position(self, value: np.float32) -> np.ndarray:
        """For each run, how many of its values are below `value`. Reads only a few pages."""
        return np.array([np.searchsorted(run, value) for run in self._mapped()], np.int64)

    def read(self, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values from `start` to `stop` of each run, unsorted, and their areas (or none)."""
        pieces = [
            (begin + int(low), int(high - low))
            for (begin, _), low, high in zip(self.runs, start, stop, strict=True)
            if high > low
        ]
        values = [np.fromfile(self._values, np.float32, n, offset=4 * at) for at, n in pieces]
        areas = [
            np.fromfile(self._areas, np.uint32, n, offset=4 * at)
            for at, n in pieces
            if self.with_areas
        ]
        return (
            np.concatenate([np.zeros(0, np.float32), *values]),
            np.concatenate([np.zeros(0, np.uint32), *areas]),
        )

    def _mapped(self) -> Iterator[np.ndarray]:
        for begin, end in self.runs:
            shape = (end - begin,)
            yield np.memmap(self._values, np.float32, "r", offset=4 * begin, shape=shape)

    @property
    def _values(self) -> Path:
        return self.folder / f"{self.name}.values"

    @property
    def _areas(self) -> Path:
        return self.folder / f"{self.name}.areas"


def key_of(value: np.float32) -> int:
    """An integer per float32, in the order of the values; 0.0 and -0.0 share one."""
    bits = (np.float32(value) + np.float32(0.0)).view(np.uint32)
    return int(~bits if bits & _TOP_BIT else bits | _TOP_BIT)


def value_of(key: int) -> np.float32:
    """The float32 of a key, infinity for those past the largest finite one."""
    bits = np.uint32(key)
    value = (bits ^ _TOP_BIT if bits & _TOP_BIT else ~bits).view(np.float32)
    return value if np.isfinite(value) else np.float32(np.inf)
