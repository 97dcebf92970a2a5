"""AUROC, average precision and max-F1 equal scikit-learn's and the stored values, ties included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from adaclip.errors import InputError
from adaclip.metrics import alarms, sweep
from adaclip.metrics.ranking import Ranking, ranking
from tests.metrics.oracles import by_scikit_learn

STORED = np.load(Path(__file__).parent / "golden.npz")


def values_of(result: Ranking) -> tuple[float | None, float | None, float | None]:
    return result.auroc, result.average_precision, result.max_f1


@pytest.mark.parametrize("levels", [1, 2, 5, 40, 10**6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_equals_scikit_learn_from_all_tied_to_all_distinct(levels: int, dtype: type) -> None:
    rng = np.random.default_rng(levels)
    for _ in range(40):
        n, m = rng.integers(1, 70, 2)
        normal = rng.integers(-levels, levels + 1, n).astype(dtype)
        abnormal = (rng.integers(-levels, levels + 1, m) + rng.integers(0, 2)).astype(dtype)
        result = ranking(normal, abnormal)
        assert values_of(result) == pytest.approx(by_scikit_learn(normal, abnormal), abs=1e-9)
        called = np.r_[normal, abnormal] >= result.max_f1_threshold
        truth = np.r_[np.zeros(n, int), np.ones(m, int)]
        assert f1_score(truth, called) == pytest.approx(result.max_f1, abs=1e-9)


def test_many_values_are_shared_out_and_sliced_without_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    normal = rng.normal(size=4000).round(2).astype(np.float32)
    abnormal = rng.normal(1, 1, 3000).round(2).astype(np.float32)
    whole = ranking(normal, abnormal)
    monkeypatch.setattr(alarms, "_SHARE_FROM", 10)
    monkeypatch.setattr(sweep, "_SLICE", 7)
    monkeypatch.setattr(alarms.os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    shared = ranking(normal, abnormal)
    assert values_of(shared) == pytest.approx(values_of(whole), abs=1e-12)
    assert shared.max_f1_threshold == whole.max_f1_threshold
    assert values_of(whole) == pytest.approx(by_scikit_learn(normal, abnormal), abs=1e-9)


def test_equals_the_stored_values() -> None:
    mask, maps = STORED["mask"] > 0, STORED["map"]
    pixel = ranking(maps[~mask], maps[mask])
    auroc, f1, precision = STORED["pixel_auroc_f1_ap"] / 100
    assert values_of(pixel) == pytest.approx((auroc, precision, f1), abs=1e-9)
    label, score = STORED["label"] > 0, STORED["score"]
    image = ranking(score[~label], score[label])
    precision, auroc, f1 = STORED["image_ap_auroc_f1"] / 100
    assert values_of(image) == pytest.approx((auroc, precision, f1), abs=1e-9)


def test_no_threshold_beats_calling_everything_anomalous_when_the_ranking_is_backwards() -> None:
    result = ranking(np.array([5.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    assert result.auroc == 0
    assert result.max_f1 == pytest.approx(2 * 3 / (2 * 3 + 2))
    assert result.max_f1_threshold == 1.0


def test_of_equal_f1_the_threshold_with_fewer_alarms_is_taken() -> None:
    # At 4: 1 of 2 found, no alarm: 2/3. At 1: 2 found, 2 alarms: 4/6.
    result = ranking(np.array([2.0, 3.0]), np.array([1.0, 4.0]))
    assert (result.max_f1, result.max_f1_threshold) == (pytest.approx(2 / 3), 4.0)


@pytest.mark.parametrize(
    ("normal", "abnormal", "reason"),
    [([], [1.0], "no normal images"), ([1.0], [], "no anomalous images"), ([], [], "no images")],
)
def test_one_kind_alone_is_undefined_with_the_reason(
    normal: list[float], abnormal: list[float], reason: str
) -> None:
    result = ranking(np.array(normal), np.array(abnormal))
    assert values_of(result) == (None, None, None)
    assert result.max_f1_threshold is None
    assert set(result.undefined) == {"auroc", "average_precision", "max_f1"}
    assert set(result.undefined.values()) == {reason}


@pytest.mark.parametrize("bad", [np.array([np.nan]), np.array([np.inf]), np.zeros((2, 2))])
def test_what_cannot_be_ranked_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"NaN or infinite|one-dimensional"):
        ranking(np.array([1.0]), bad)


def test_huge_finite_values_are_ranked() -> None:
    assert ranking(np.array([1e308, 1e308]), np.array([1.1e308, 1.7e308])).auroc == 1


def test_float64_beside_float32_makes_no_ties() -> None:
    close = np.array([1.0 + 1e-12])
    assert ranking(np.array([1.0], np.float32), close).auroc == 1
