"""Counts through the grid equal those of a plain comparison, whatever the values' spread."""

from __future__ import annotations

import numpy as np
import pytest

from adaclip.metrics import alarms

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


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few values are treated as many: shared out, and counted piece by piece."""
    monkeypatch.setattr(alarms, "_SHARE_FROM", 10)
    monkeypatch.setattr(alarms, "_AT_ONCE", 64)
    monkeypatch.setattr(alarms.os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("crowd", [0, 1, 8])
@pytest.mark.parametrize("count", [1, 2, 40, 300, 2900])
@pytest.mark.parametrize("kind", NORMALS)
def test_counts_are_those_of_comparing_every_pair(
    kind: str, count: int, crowd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "_CROWD", crowd)
    normal = NORMALS[kind].astype(np.float32)
    with np.errstate(over="ignore"):
        near = np.nextafter(normal, np.float32(np.inf))
    pool = np.r_[normal, near, normal * np.float32(0.5)]
    thresholds = np.unique(RNG.choice(pool[np.isfinite(pool)], count))
    ask = alarms.false_alarms(normal, thresholds)
    for part in (slice(0, thresholds.size), slice(1, 3)):
        at_or_above, above = ask(part)
        these = thresholds[part, None]
        assert at_or_above.tolist() == (normal >= these).sum(axis=1).tolist()
        assert above.tolist() == (normal > these).sum(axis=1).tolist()


@pytest.mark.usefixtures("many")
def test_the_grid_is_used_for_few_thresholds_and_not_where_it_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is sorted through the grid unless a step is crowded."""
    sorted_values = []
    monkeypatch.setattr(alarms, "_sorted_parts", lambda v: sorted_values.append(v) or [np.sort(v)])
    few, many = NOISE[:50], NOISE[:1000]
    alarms.false_alarms(NOISE, np.unique(few))
    assert not sorted_values
    for normal, thresholds in (
        (NOISE, many),
        (NOISE.astype(np.float64), few.astype(np.float64)),
        (NOISE, np.r_[few, LARGEST, -LARGEST]),  # their distance is no float32
        (NOISE, np.float32([0, 1e-45])),  # one step would be wider than their distance
    ):
        sorted_values.clear()
        alarms.false_alarms(normal, np.unique(thresholds))
        assert len(sorted_values) == 1


def test_no_values_are_above_nothing() -> None:
    at_or_above, above = alarms.false_alarms(NOISE[:0], NOISE[:2])(slice(0, 2))
    assert at_or_above.tolist() == above.tolist() == [0, 0]
