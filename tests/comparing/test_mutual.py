"""A batch compared with itself: bounded, and the same in any order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adaclip.comparing import mutual
from adaclip.comparing.features import Features, views
from adaclip.comparing.mutual import bank_of, compare_all, compared_with_others
from adaclip.comparing.store import FeatureStore
from tests.comparing.samples import features

CPU = torch.device("cpu")


def batch(normal: int = 14, defective: int = 4) -> list[Features]:
    good = [features(seed) for seed in range(normal)]
    return good + [features(200 + seed, defect=True) for seed in range(defective)]


def test_a_patch_is_as_far_as_the_mean_of_the_nearest_third_of_other_pictures() -> None:
    pictures = batch(8, 2)
    own = pictures[0]
    found = compared_with_others(views(own, CPU), bank_of(pictures, CPU), own.picture)
    expected = []
    for number, mine in enumerate(views(own, CPU)):
        others = [views(p, CPU)[number].numpy().astype(np.float64) for p in pictures[1:]]
        each = np.stack([(1 - mine.numpy().astype(np.float64) @ o.T).min(axis=1) for o in others])
        expected.append(np.sort(each, axis=0)[: int(0.3 * 9)].mean(axis=0))
    np.testing.assert_allclose(found.distances, np.mean(expected, axis=0), atol=1e-6)


@pytest.mark.parametrize("defective", [0, 6])
def test_defective_pictures_stand_out_and_normal_ones_pass(defective: int) -> None:
    found = compare_all(batch(14, defective), CPU)
    flags = [one.anomaly_score >= 0.5 for one in found]
    assert sum(flags[:14]) <= 1
    assert sum(flags[14:]) >= defective - 1
    assert found[0].compared_with == f"{13 + defective} others"
    assert found[0].threshold is not None
    assert found[0].threshold.source.startswith(f"this batch of {14 + defective}")


def test_order_does_not_matter_and_the_same_call_gives_the_same_bits() -> None:
    pictures = batch()
    order = np.random.default_rng(0).permutation(len(pictures))
    first, again = compare_all(pictures, CPU), compare_all(pictures, CPU)
    shuffled = compare_all([pictures[i] for i in order], CPU)
    for place, index in enumerate(order):
        assert shuffled[place].anomaly_margin == first[index].anomaly_margin
        assert again[index].anomaly_margin == first[index].anomaly_margin
        np.testing.assert_array_equal(
            shuffled[place].model_margin_map, first[index].model_margin_map
        )


def test_too_few_pictures_are_judged_each_by_itself() -> None:
    pictures = batch(mutual.LEAST_BATCH - 1, 0)
    assert compare_all(pictures, CPU) == [each.detection for each in pictures]
    twice = [pictures[0]] * mutual.LEAST_BATCH
    assert compare_all(twice, CPU) == [each.detection for each in twice]


def test_the_bank_is_bounded_however_large_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutual, "BANK_PICTURES", 5)
    monkeypatch.setattr(mutual, "BANK_PATCHES", 60)
    bank = bank_of(batch(30, 0), CPU)
    assert len(bank) == 5
    assert all(len(view) <= 12 for parts in bank.values() for view in parts)


def test_a_store_spills_to_disk_and_gives_back_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = batch()
    expected = compare_all(pictures, CPU)
    with FeatureStore(max_memory=3 * pictures[0].nbytes) as store:
        kept = [store.keep(each) for each in pictures]
        assert [isinstance(each.tokens, np.memmap) for each in kept] == [False] * 3 + [True] * 15
        found = compare_all(kept, CPU)
    for one, other in zip(found, expected, strict=True):
        assert one.anomaly_margin == other.anomaly_margin
        np.testing.assert_array_equal(one.model_margin_map, other.model_margin_map)
