"""Bootstrap intervals: how far a value could have come out otherwise with other images.

Images are drawn again with replacement, normal and anomalous ones apart (stratified), so that every
draw holds as many of each as the data does. The interval runs between percentiles of the draws'
values. It is seeded: the same images give the same interval.
"""

from __future__ import annotations

import numpy as np

from adaclip.metrics.ranking import METRICS, comparable

RESAMPLES, LEVEL = 1000, 0.95
Interval = tuple[float, float]
# Entries of the largest temporary array.
_AT_ONCE = 1 << 22


def bootstrap_intervals(
    normal: np.ndarray,
    abnormal: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Interval | None]:
    """(low, high) of "auroc", "average_precision" and "max_f1", each 0-1.

    None with fewer than two images of a kind, of which nothing can be drawn otherwise. Raises
    InputError as `ranking` does.
    """
    normal, abnormal = comparable(normal, abnormal)
    if min(normal.size, abnormal.size) < 2:
        return dict.fromkeys(METRICS)
    draws = _draws([normal], [abnormal], resamples, seed)
    return {name: _interval(draws[name][0], level) for name in METRICS}


def bootstrap_interval(
    normal: np.ndarray,
    abnormal: np.ndarray,
    metric: str = "auroc",
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval | None:
    """One metric's interval; see `bootstrap_intervals`."""
    found = bootstrap_intervals(normal, abnormal, resamples=resamples, level=level, seed=seed)
    return found[metric]


def bootstrap_difference(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    metric: str = "auroc",
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval | None:
    """(low, high) of second minus first on the same images: every draw takes both their values.

    Each is (normal, abnormal) values in the same order of images. None as in
    `bootstrap_intervals`, and when the two do not hold equally many.
    """
    sizes = [tuple(len(side) for side in both) for both in (first, second)]
    if sizes[0] != sizes[1] or min(sizes[0]) < 2:
        return None
    both = [comparable(*pair) for pair in (first, second)]
    draws = _draws([n for n, _ in both], [a for _, a in both], resamples, seed)[metric]
    return _interval(draws[1] - draws[0], level)


def _interval(values: np.ndarray, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _draws(
    normals: list[np.ndarray], abnormals: list[np.ndarray], resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """metric -> (methods, resamples); the methods share the images drawn."""
    rng = np.random.default_rng(seed)
    values = {name: np.zeros((len(normals), resamples)) for name in METRICS}
    n, m = normals[0].size, abnormals[0].size
    step = max(_AT_ONCE // (n + m), 1)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn_normal = rng.integers(n, size=(rows, n))
        drawn_abnormal = rng.integers(m, size=(rows, m))
        for method, (normal, abnormal) in enumerate(zip(normals, abnormals, strict=True)):
            _, place = np.unique(np.concatenate([normal, abnormal]), return_inverse=True)
            # From the highest value down.
            place = place.max() - place
            false = _tally(place[:n][drawn_normal], int(place.max()) + 1).cumsum(axis=1)
            true = _tally(place[n:][drawn_abnormal], int(place.max()) + 1)
            for name, column in _metrics(false, true, n, m).items():
                values[name][method, start : start + rows] = column
    return values


def _tally(places: np.ndarray, width: int) -> np.ndarray:
    """(R, width): how often each row of (R, n) `places` names each place."""
    rows = places.shape[0]
    flat = places + width * np.arange(rows)[:, None]
    return np.bincount(flat.ravel(), minlength=rows * width).reshape(rows, width)


def _metrics(false: np.ndarray, found: np.ndarray, n: int, m: int) -> dict[str, np.ndarray]:
    """The metrics of each row: false alarms so far and anomalies found at each distinct value."""
    true = found.cumsum(axis=1)
    above = np.pad(false, ((0, 0), (1, 0)))[:, :-1]
    alarms = np.maximum(true + false, 1)
    return {
        "auroc": (found * (2 * n - false - above)).sum(axis=1) / (2 * n * m),
        "average_precision": (found * (true / alarms)).sum(axis=1) / m,
        "max_f1": (2 * true / (true + false + m)).max(axis=1),
    }
