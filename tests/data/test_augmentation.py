"""Mosaics and masks brought to the model's size."""

from __future__ import annotations

import numpy as np
import pytest

from adaclip.data.augmentation import fit_mask, mosaic


def test_a_mosaic_holds_four_pictures_and_their_masks_in_reading_order() -> None:
    shapes = [(40, 60), (20, 20), (33, 17), (64, 64)]
    images = [np.full((*shape, 3), 50 * n, np.uint8) for n, shape in enumerate(shapes)]
    masks = [np.full(shape, n % 2 == 1) for n, shape in enumerate(shapes)]
    picture, mask = mosaic(images, masks, 84)
    assert (picture.shape, picture.dtype) == ((84, 84, 3), np.uint8)
    corners = picture[[5, 5, 80, 80], [5, 80, 5, 80], 0]
    assert corners.tolist() == [0, 50, 100, 150]
    assert mask is not None
    assert mask[:42, 42:].all()
    assert mask[42:, 42:].all()
    assert not mask[:, :42].any()


def test_a_mosaic_with_an_unknown_mask_has_none() -> None:
    images = [np.zeros((20, 20, 3), np.uint8)] * 4
    picture, mask = mosaic(images, [np.zeros((20, 20), bool)] * 3 + [None], 71)
    assert picture.shape == (72, 72, 3)
    assert mask is None


def test_a_mosaic_takes_four() -> None:
    with pytest.raises(ValueError, match="4 pictures"):
        mosaic([np.zeros((20, 20, 3), np.uint8)] * 3, [None] * 3, 84)


@pytest.mark.parametrize(("height", "width", "size"), [(100, 200, 50), (30, 20, 60), (64, 64, 64)])
def test_a_fitted_mask_covers_the_same_share(height: int, width: int, size: int) -> None:
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height // 2, width // 2 :] = True
    fitted = fit_mask(mask, size)
    assert (fitted.shape, fitted.dtype) == ((size, size), bool)
    expected = np.zeros((size, size), bool)
    expected[size // 4 : size // 2, size // 2 :] = True
    assert (fitted != expected).mean() < 0.03


def test_a_defect_too_fine_for_the_size_is_kept() -> None:
    mask = np.zeros((1000, 800), bool)
    mask[500, 400] = True
    fitted = fit_mask(mask, 50)
    assert fitted.sum() == 1
    assert fitted[25, 25]
    assert not fit_mask(np.zeros((1000, 800), bool), 50).any()
