"""The counts equal those of a plain comparison, whatever the values' spread and the way."""

from __future__ import annotations

import numpy as np
import pytest

from adaclip.metrics import alarms, grid

RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal(3000).astype(np.float32)
LARGEST = np.finfo(np.float32).max
NORMALS = {
    "spread": NOISE,
    "tied": NOISE.round(1),
    "saturated": (1 / (1 + np.exp(-20 * NOISE))).astype(np.float32),
    "far away": NOISE + np.float32(1e6),
    "huge and tiny": np.float32(10) ** (12 * NOISE).clip(-44, 38),
    "all one": np.full(3000, 0.25, np.float32),
    "the largest there are": np.r_[NOISE, LARGEST, -LARGEST, 0.0, -0.0],
}


@pytest.mark.parametrize("way", ["sorted", "sorted in parts", "grid", "crowded grid"])
@pytest.mark.parametrize("count", [1, 2, 40, 300, 2900])
@pytest.mark.parametrize("kind", NORMALS)
def test_counts_are_those_of_comparing_every_pair(
    kind: str, count: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "_sorts_slowly", lambda: "grid" in way)
    if way != "sorted":  # few values are treated as many
        monkeypatch.setattr(alarms, "_SHARE_FROM", 10)
        monkeypatch.setattr(alarms, "_processors", lambda: 3)
        monkeypatch.setattr(grid, "_AT_ONCE", 64)
        monkeypatch.setattr(grid, "_CROWD", 0 if "crowded" in way else 8)
    normal = NORMALS[kind].astype(np.float32)
    with np.errstate(over="ignore"):
        near = np.nextafter(normal, np.float32(np.inf))
    pool = np.r_[normal, near, normal * np.float32(0.5)]
    thresholds = np.unique(RNG.choice(pool[np.isfinite(pool)], count))
    before = normal.copy()
    ask = alarms.false_alarms(normal, thresholds)
    for part in (slice(0, thresholds.size), slice(1, 3)):
        at_or_above, above = ask(part)
        these = thresholds[part, None]
        assert at_or_above.tolist() == (normal >= these).sum(axis=1).tolist()
        assert above.tolist() == (normal > these).sum(axis=1).tolist()
    assert (normal == before).all()


def test_the_grid_serves_few_thresholds_whose_distance_is_a_number() -> None:
    few = np.unique(NOISE[:50])
    assert grid.grid_for(NOISE, few) is not None
    for thresholds in (
        np.unique(NOISE[:1000]),
        few.astype(np.float64),
        np.r_[-LARGEST, few, LARGEST],  # their distance is no float32
        np.float32([0, 1e-45]),  # one step would be wider than their distance
    ):
        assert grid.grid_for(NOISE.astype(thresholds.dtype), thresholds) is None


def test_no_values_are_above_nothing() -> None:
    at_or_above, above = alarms.false_alarms(NOISE[:0], NOISE[:2])(slice(0, 2))
    assert at_or_above.tolist() == above.tolist() == [0, 0]
