"""Refined maps: the guided filter against its definition, and what it does to a map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import uniform_filter

from adaclip.model import scoring


def noise(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def filtered(maps: np.ndarray, guide: np.ndarray, radius: int) -> np.ndarray:
    tensors = [torch.from_numpy(values.astype(np.float32))[None] for values in (maps, guide)]
    return scoring.guided_filter(*tensors, radius)[0].numpy()


def windows(values: np.ndarray, radius: int) -> np.ndarray:
    """(H, W, N): the pixels around each, edges mirrored."""
    padded = np.pad(values, radius, mode="symmetric")
    side = 2 * radius + 1
    return sliding_window_view(padded, (side, side)).reshape(*values.shape, side * side)


@pytest.mark.parametrize("radius", [1, 3])
def test_guided_filter_is_the_mean_of_ridge_fits_in_windows(radius: int) -> None:
    maps, guide = noise(9, 12, seed=1), noise(9, 12, seed=2)
    of_map, of_guide = windows(maps, radius), windows(guide, radius)
    ridge = scoring.REGULARISER * of_guide.var(axis=-1).mean() + scoring.LEAST_VARIANCE
    fits = np.empty((9, 12, 2))
    for place in np.ndindex(9, 12):
        x, y = of_guide[place], of_map[place]
        # Ridge regression of y on x, whose slope alone is held down.
        rows = np.vstack((np.column_stack((x, np.ones_like(x))), [np.sqrt(ridge * len(x)), 0.0]))
        fits[place] = np.linalg.lstsq(rows, np.append(y, 0.0), rcond=None)[0]
    slope, offset = (windows(fits[..., i], radius).mean(axis=-1) for i in (0, 1))
    np.testing.assert_allclose(filtered(maps, guide, radius), slope * guide + offset, atol=1e-4)


def test_an_even_guide_leaves_a_mean_over_the_windows() -> None:
    maps = noise(20, 20, seed=3)
    expected = uniform_filter(uniform_filter(maps, 5, mode="reflect"), 5, mode="reflect")
    np.testing.assert_allclose(filtered(maps, np.full((20, 20), 0.7), 2), expected, atol=1e-5)


def test_the_contrast_of_the_guide_does_not_matter() -> None:
    maps, guide = noise(30, 30, seed=4), noise(30, 30, seed=5)
    dark = filtered(maps, 3 - 4 * guide, 4)
    np.testing.assert_allclose(dark, filtered(maps, guide, 4), atol=1e-3)


def test_a_blurred_mark_takes_the_shape_of_what_is_seen() -> None:
    crack = np.zeros((80, 80))
    crack[:, 38:41] = 1
    blurred = uniform_filter(crack, 21)
    found = filtered(blurred, 0.05 * noise(80, 80, seed=6) - crack, 14)
    inside, beside = crack > 0, (uniform_filter(crack, 21) > 0) & (crack == 0)
    before = blurred[inside].mean() / blurred[beside].mean()
    assert found[inside].mean() / found[beside].mean() > 1.5 * before


@pytest.mark.parametrize("shape", [(1, 1), (3, 50)])
def test_windows_may_be_larger_than_the_map(shape: tuple[int, int]) -> None:
    found = filtered(np.full(shape, 2.0), noise(*shape, seed=7), 28)
    np.testing.assert_allclose(found, 2.0, atol=1e-4)


def test_images_of_a_batch_do_not_mix() -> None:
    margins = torch.from_numpy(noise(3, 25, seed=8)).float()
    images = torch.from_numpy(noise(3, 3, 70, 70, seed=9) * [[[[0.1]]], [[[1]]], [[[9]]]]).float()
    together = scoring.margin_map(margins, images, 100, refinement_radius=1.0)
    assert together.shape == (3, 100, 100)
    for row in range(3):
        one = slice(row, row + 1)
        alone = scoring.margin_map(margins[one], images[one], 100, refinement_radius=1.0)
        torch.testing.assert_close(together[one], alone, atol=1e-5, rtol=0)


def test_without_refinement_the_image_has_no_say() -> None:
    margins, images = torch.arange(4.0)[None], torch.randn(1, 3, 28, 28)
    plain = scoring.margin_map(margins, images, 4, refinement_radius=0.0)
    torch.testing.assert_close(plain, scoring.to_map(margins[..., None], 4)[:, 0])
