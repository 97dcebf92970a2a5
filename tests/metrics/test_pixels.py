"""Pixel metrics: AUPRO against hand-drawn cases and a slow walk; spilled equals in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from adaclip.errors import InputError
from adaclip.metrics import sweep
from adaclip.metrics.pixels import PixelMetrics, PixelResult
from adaclip.metrics.regions import aupro, region_areas
from adaclip.metrics.spill import key_of, value_of
from tests.metrics.oracles import by_scikit_learn, random_case, slow_aupro

Case = tuple[list[np.ndarray], list[np.ndarray]]


def measured(case: Case, **options: object) -> PixelResult:
    with PixelMetrics(**options) as metrics:
        for anomaly_map, mask in zip(*case, strict=True):
            metrics.add(anomaly_map, mask)
        return metrics.result()


def drawn(picture: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in picture.split()])


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    mask = drawn("#..# .#.# .... ##..")
    assert region_areas(mask).tolist() == [2, 2, 2, 2, 2, 2]
    assert region_areas(drawn("#.# ... #..")).tolist() == [1, 1, 1]


def test_a_perfect_map_has_an_aupro_of_one_and_an_inverted_one_of_zero() -> None:
    mask = drawn("##... ##... ..... ....#")
    perfect = mask.astype(np.float32)
    assert aupro([perfect], [mask]) == 1
    assert aupro([-perfect], [mask]) == 0


def test_a_constant_map_gives_half_the_limit() -> None:
    """One threshold: a straight line from (0, 0) to (1, 1), of which 0.3 x 0.3 / 2 is counted."""
    mask = drawn("##... ..... .....")
    assert aupro([np.zeros(mask.shape, np.float32)], [mask]) == pytest.approx(0.15)


def test_a_missed_small_region_counts_as_much_as_a_found_large_one() -> None:
    mask = drawn("#### #### .... ...#")
    anomaly_map = np.where(mask, 1.0, 0.5).astype(np.float32)
    anomaly_map[3, 3] = 0.0
    assert aupro([anomaly_map], [mask]) == pytest.approx(0.5)


def test_the_limit_cuts_between_two_points() -> None:
    """10 normal pixels, 4 of which tie with half of the only region."""
    mask = np.array([[True, True] + [False] * 10])
    anomaly_map = np.array([[1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]], np.float32)
    anomaly_map[0, 1] = -1
    # Overlap rises from 0 to 0.5 while the rate goes from 0 to 0.4: at 0.3 it is 0.375.
    assert aupro([anomaly_map], [mask]) == pytest.approx(0.375 / 2)


@pytest.mark.parametrize("levels", [1, 2, 4, 9, 10**6])
def test_aupro_equals_a_slow_walk_over_every_threshold_and_region(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for limit in (0.05, 0.3, 1.0):
        maps, masks = random_case(rng, levels)
        expected = slow_aupro(maps, masks, limit)
        assert aupro(maps, masks, limit) == pytest.approx(expected, abs=1e-9)
        assert measured((maps, masks), fpr_limit=limit).aupro == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("levels", [1, 3, 20, 10**6])
@pytest.mark.parametrize("budget", [7, 100, 2000])
def test_spilled_values_give_the_same(levels: int, budget: int, tmp_path: Path) -> None:
    case = random_case(np.random.default_rng(levels), levels, images=4, side=9)
    case[0][1][:3] = -0.0  # equal to 0.0 in every way but its bits
    case[0][2][:3] *= -1
    whole = measured(case)
    spilled = measured(case, max_values=budget, folder=tmp_path)
    assert not list(tmp_path.iterdir())
    assert whole.spilled_bytes == 0
    assert bool(spilled.spilled_bytes) == (budget < 4 * 9 * 9)
    assert spilled.aupro == pytest.approx(whole.aupro, abs=1e-12)
    for name in ("auroc", "average_precision", "max_f1", "max_f1_threshold"):
        assert getattr(spilled.ranking, name) == pytest.approx(
            getattr(whole.ranking, name), abs=1e-12
        )
    assert (spilled.ranking.normal, spilled.ranking.abnormal, spilled.images) == (
        whole.ranking.normal,
        whole.ranking.abnormal,
        4,
    )
    normal, abnormal = (
        np.concatenate([m[mask == kind] for m, mask in zip(*case, strict=True)])
        for kind in (False, True)
    )
    assert (
        spilled.ranking.auroc,
        spilled.ranking.average_precision,
        spilled.ranking.max_f1,
    ) == pytest.approx(by_scikit_learn(normal, abnormal), abs=1e-9)


def test_results_can_be_asked_for_between_images(tmp_path: Path) -> None:
    case = random_case(np.random.default_rng(1), 9)
    with PixelMetrics(max_values=300, folder=tmp_path) as metrics:
        for anomaly_map, mask in zip(*case, strict=True):
            metrics.add(anomaly_map, mask)
            metrics.result()
        assert metrics.result().aupro == pytest.approx(measured(case).aupro, abs=1e-12)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_memory_stays_within_what_is_promised(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight times the budget of pixels; the constant part is made small, as the budget is."""
    monkeypatch.setattr(sweep, "_SLICE", 1 << 12)
    rng = np.random.default_rng(0)
    budget, side = 200_000, 200
    mask = np.zeros((side, side), bool)
    mask[: int(share * side)] = True
    tracemalloc.start()
    with PixelMetrics(max_values=budget, folder=tmp_path) as metrics:
        for _ in range(8 * budget // mask.size):
            metrics.add(rng.normal(size=mask.shape).astype(np.float32), mask)
        metrics.result()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * budget + 32 * mask.size


def test_pixels_of_one_kind_are_undefined_with_the_reason(tmp_path: Path) -> None:
    blank = np.zeros((4, 4), np.float32)
    for mask, reason in ((blank > 0, "no anomalous pixels"), (blank == 0, "no normal pixels")):
        for options in ({}, {"max_values": 1, "folder": tmp_path}):
            result = measured(([blank, blank], [mask, mask]), **options)
            assert result.aupro is None
            assert set(result.ranking.undefined.values()) == {reason}
    assert measured(([], [])).ranking.undefined["auroc"] == "no pixels"
    assert aupro([], []) is None
    assert aupro([blank], [blank > 0]) is None


def test_maps_and_masks_must_belong_together() -> None:
    blank = np.zeros((4, 4), np.float32)
    with PixelMetrics() as metrics:
        for bad_map, bad_mask in (
            (blank, np.zeros((4, 5), bool)),
            (blank, blank),
            (blank.astype(np.float64), blank > 0),
            (np.full_like(blank, np.nan), blank > 0),
        ):
            with pytest.raises(InputError):
                metrics.add(bad_map, bad_mask)


def test_keys_are_in_the_order_of_the_values_and_lead_back() -> None:
    rng = np.random.default_rng(0)
    values = np.r_[rng.normal(size=500) * 10.0 ** rng.integers(-40, 38, 500), 0, 1e-45, -1e-45]
    values = np.unique(values.astype(np.float32))
    keys = [key_of(value) for value in values]
    assert keys == sorted(set(keys))
    assert [value_of(key) for key in keys] == values.tolist()
    assert key_of(np.float32(-0.0)) == key_of(np.float32(0.0))
    assert value_of(key_of(np.finfo(np.float32).max) + 1) == np.inf
