"""Pixel metrics of any number of images, exactly and in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from adaclip.errors import InputError, StoreError
from adaclip.metrics.ranking import Ranking, finished, missing, undefined_ranking
from adaclip.metrics.regions import FPR_LIMIT, add_pixels, check_pair, region_areas
from adaclip.metrics.spill import SortedRuns, key_of, value_of
from adaclip.metrics.sweep import Sweep

# 32 million pixels: about 120 images of 518 x 518.
MAX_VALUES = 1 << 25
# An anomalous pixel takes as much memory as that many normal ones: its area, its place in the
# order and its share of a region go with it.
_ABNORMAL_COST = 4


@dataclass(frozen=True, kw_only=True)
class PixelResult:
    """What all pixels together gave; `aupro` is None whenever the ranking is undefined."""

    ranking: Ranking
    aupro: float | None
    images: int
    spilled_bytes: int  # written to disk on the way; 0 when all fitted


class PixelMetrics:
    """Collects maps with their masks; `result()` is exact however many there were.

    Keeps up to `max_values` pixels in memory, an anomalous one counting four times. Beyond that it
    sorts them, writes them to a temporary folder (4 bytes for a normal pixel, 8 for an anomalous
    one) and later reads them back from the highest value down, as many at a time. Memory peaks
    below 16 bytes per value, half a gigabyte at the default, and one image more. Use it in a
    `with` block, which removes the temporary folder.
    """

    def __init__(
        self,
        *,
        max_values: int = MAX_VALUES,
        folder: Path | None = None,
        fpr_limit: float = FPR_LIMIT,
    ) -> None:
        """`folder`: where the temporary folder is made; by default the system's place for them."""
        self._max_values = max_values
        self._parent = folder
        self._fpr_limit = fpr_limit
        self._normal: list[np.ndarray] = []
        self._abnormal: list[np.ndarray] = []
        self._areas: list[np.ndarray] = []
        self._waiting = 0
        self._images = 0
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._runs: tuple[SortedRuns, SortedRuns] | None = None

    def add(self, anomaly_map: np.ndarray, mask: np.ndarray) -> None:
        """One image: (H, W) float32 map, higher is more anomalous; (H, W) bool mask.

        Raises:
            InputError: not such a pair, or a value that is not finite.
            StoreError: the temporary file cannot be written.
        """
        check_pair(anomaly_map, mask)
        if anomaly_map.dtype != np.float32:
            raise InputError(f"pixel metrics take float32 maps, not {anomaly_map.dtype}")
        if not np.isfinite(anomaly_map).all():
            raise InputError("an anomaly map holds NaN or infinity; look for what made it")
        self._normal.append(anomaly_map[~mask])
        self._abnormal.append(anomaly_map[mask])
        self._areas.append(region_areas(mask))
        self._waiting += mask.size + (_ABNORMAL_COST - 1) * self._abnormal[-1].size
        self._images += 1
        if self._waiting > self._max_values:
            self._spill()

    def result(self) -> PixelResult:
        """The metrics of all added so far. Raises StoreError as `add` does."""
        if self._runs is not None:
            self._spill()
            normals, abnormals = (runs.size for runs in self._runs)
        else:
            normals = sum(part.size for part in self._normal)
            abnormals = sum(part.size for part in self._abnormal)
        if reason := missing(normals, abnormals, "pixels"):
            return self._result(undefined_ranking(normals, abnormals, reason), None)
        sweep = Sweep(normals=normals, abnormals=abnormals, fpr_limit=self._fpr_limit)
        if self._runs is None:
            add_pixels(sweep, *map(np.concatenate, self._columns()))
        else:
            _sweep_runs(sweep, *self._runs, self._max_values)
        return self._result(finished(sweep), sweep.aupro)

    def close(self) -> None:
        """Remove the temporary folder; nothing can be added afterwards."""
        self._runs = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> PixelMetrics:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _columns(self) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        return self._normal, self._abnormal, self._areas

    def _result(self, ranking: Ranking, aupro: float | None) -> PixelResult:
        spilled = 0 if self._runs is None else 4 * self._runs[0].size + 8 * self._runs[1].size
        return PixelResult(ranking=ranking, aupro=aupro, images=self._images, spilled_bytes=spilled)

    def _spill(self) -> None:
        """Move what waits in memory to disk."""
        if not self._waiting:
            return
        try:
            if self._runs is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="pixels-", dir=self._parent)
                folder = Path(self._temporary.name)
                self._runs = (
                    SortedRuns(folder, "normal"),
                    SortedRuns(folder, "abnormal", with_areas=True),
                )
            normal, abnormal, areas = map(np.concatenate, self._columns())
            for column in self._columns():  # before the sort: they hold as much again
                column.clear()
            normal.sort()
            self._runs[0].append(normal)
            order = np.argsort(abnormal)
            self._runs[1].append(abnormal[order], areas[order])
        except OSError as error:
            raise StoreError(
                f"cannot keep pixel values in {self._parent or tempfile.gettempdir()}: "
                f"{error.strerror or error}; free space there"
            ) from error
        self._waiting = 0


def _sweep_runs(sweep: Sweep, normal: SortedRuns, abnormal: SortedRuns, at_once: int) -> None:
    """From the highest value down, a range of values at a time."""
    for key, normals, abnormals in _ranges(normal, abnormal, at_once):
        false, true = (_length(stretch) for stretch in (normals, abnormals))
        if false + _ABNORMAL_COST * true <= at_once:
            add_pixels(sweep, normal.read(*normals)[0], *abnormal.read(*abnormals))
            continue
        # One value alone, too often for memory: its pixels need no order.
        weight = 0.0
        for piece in _pieces(*abnormals, at_once):
            weight += float((1.0 / abnormal.read(*piece)[1]).sum())
        sweep.add_tied(float(value_of(key)), false, true, weight)


# For each run, where a range of values begins and where it ends.
_Stretch = tuple[np.ndarray, np.ndarray]


def _ranges(
    normal: SortedRuns, abnormal: SortedRuns, at_once: int
) -> Iterator[tuple[int, _Stretch, _Stretch]]:
    """Ranges of values from the top, halved until `at_once` lie in each or all are the same.

    Each with the key of its lowest value and its stretches of both kinds.
    """

    def positions(key: int) -> tuple[np.ndarray, np.ndarray]:
        value = value_of(key)
        return normal.position(value), abnormal.position(value)

    bottom, top = (key_of(value) for value in _extremes(normal, abnormal))
    waiting = [(bottom, top + 1, positions(bottom), positions(top + 1))]
    while waiting:
        low, high, starts, stops = waiting.pop()
        normals, abnormals = zip(starts, stops, strict=True)
        cost = _length(normals) + _ABNORMAL_COST * _length(abnormals)
        if not cost:
            continue
        if cost <= at_once or high - low == 1:
            yield low, normals, abnormals
            continue
        middle = (low + high) // 2
        between = positions(middle)
        waiting.append((low, middle, starts, between))
        waiting.append((middle, high, between, stops))


def _length(stretch: _Stretch) -> int:
    return int((stretch[1] - stretch[0]).sum())


def _extremes(normal: SortedRuns, abnormal: SortedRuns) -> tuple[np.float32, np.float32]:
    ends = [normal.extremes(), abnormal.extremes()]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _pieces(start: np.ndarray, stop: np.ndarray, at_once: int) -> Iterator[_Stretch]:
    """The stretches from `start` to `stop` of every run in pieces of at most `at_once` values."""
    for run in range(start.size):
        for begin in range(int(start[run]), int(stop[run]), at_once):
            first, last = start.copy(), start.copy()
            first[run], last[run] = begin, min(begin + at_once, int(stop[run]))
            yield first, last
