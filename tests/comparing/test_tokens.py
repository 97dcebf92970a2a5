"""The arithmetic of patches, against brute force in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from adaclip.comparing.tokens import both_ways, nearest, pooled, spread_rows, thinned, top_mean


def vectors(count: int, width: int = 8, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, width))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_distances_both_ways_are_those_of_brute_force() -> None:
    a, b = vectors(1500), vectors(70, seed=1)
    distances = 1 - a.astype(np.float64) @ b.astype(np.float64).T
    forward, backward = both_ways(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(forward, distances.min(axis=1), atol=1e-6)
    np.testing.assert_allclose(backward, distances.min(axis=0), atol=1e-6)
    np.testing.assert_array_equal(nearest(torch.from_numpy(a), torch.from_numpy(b)), forward)


def test_a_picture_is_at_distance_zero_from_itself_and_never_below() -> None:
    a = torch.from_numpy(vectors(50))
    assert float(nearest(a, a).min()) >= 0
    assert float(nearest(a, a).max()) < 1e-6


@pytest.mark.parametrize("size", [1, 3, 5])
def test_neighbourhoods_are_means_within_the_picture(size: int) -> None:
    grid = (5, 7)
    tokens = vectors(35)
    got = pooled(torch.from_numpy(tokens), grid, size).numpy()
    laid_out = tokens.reshape(*grid, -1).astype(np.float64)
    kernel = np.ones((size, size, 1))
    total = ndimage.convolve(laid_out, kernel, mode="constant")
    mean = (total / np.linalg.norm(total, axis=-1, keepdims=True)).reshape(35, -1)
    np.testing.assert_allclose(got, mean, atol=1e-5)


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.1, 10), (1.0, 100)])
def test_the_score_is_the_mean_of_the_highest_share(share: float, count: int) -> None:
    values = np.random.default_rng(0).normal(size=100)
    assert top_mean(torch.from_numpy(values), share) == pytest.approx(
        np.sort(values)[-count:].mean()
    )


def test_thinning_takes_the_farthest_each_time() -> None:
    bank = vectors(40)
    kept = thinned(torch.from_numpy(bank), 7).numpy()
    taken = [int((bank @ bank.mean(axis=0)).argmax())]
    while len(taken) < 7:
        taken.append(int((bank @ bank[taken].T).max(axis=1).argmin()))
    np.testing.assert_array_equal(kept, bank[sorted(taken)])
    np.testing.assert_array_equal(thinned(torch.from_numpy(bank), 40), bank)


@pytest.mark.parametrize("grid", [(1, 1), (2, 50), (37, 37), (13, 4), (100, 3)])
@pytest.mark.parametrize("limit", [1, 7, 64, 10_000])
def test_a_regular_sample_keeps_its_bound(grid: tuple[int, int], limit: int) -> None:
    rows = spread_rows(grid, limit)
    assert 1 <= len(rows) <= limit
    assert len(set(rows.tolist())) == len(rows)
    assert 0 <= int(rows.min()) <= int(rows.max()) < grid[0] * grid[1]
    if limit >= grid[0] * grid[1]:
        assert rows.tolist() == list(range(grid[0] * grid[1]))
