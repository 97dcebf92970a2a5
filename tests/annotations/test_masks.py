"""Regions as files and as run lengths; pycocotools is the oracle for the latter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.annotations.masks import (
    box_of,
    mask_of_rle,
    read_mask,
    rle_counts,
    rle_text,
    write_mask,
)
from adaclip.errors import StoreError
from tests.annotations.samples import random_mask

coco = pytest.importorskip("pycocotools.mask")


def masks(count: int) -> list[np.ndarray]:
    """Random ones of random sizes, then empty, full and one pixel."""
    rng = np.random.default_rng(3)
    found = [
        random_mask(rng, (int(rng.integers(1, 60)), int(rng.integers(1, 60)))) for _ in range(count)
    ]
    one = np.zeros((5, 7), bool)
    one[4, 6] = True
    return [*found, np.zeros((9, 4), bool), np.ones((9, 4), bool), one, np.ones((1, 1), bool)]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # its own
def test_run_lengths_of_300_masks_are_cocos_and_come_back():
    for mask in masks(300):
        text = rle_text(mask)
        oracle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert text == oracle["counts"].decode()
        assert (mask_of_rle(text, mask.shape) == mask).all()
        decoded = coco.decode({"size": list(mask.shape), "counts": text})
        assert (decoded.astype(bool) == mask).all()
        assert box_of(mask) == tuple(coco.toBbox(oracle).astype(int))


def test_counts_start_with_the_background_and_run_down_columns():
    mask = np.array([[True, False], [True, True]])
    assert rle_counts(mask) == [0, 2, 1, 1]
    assert rle_counts(~mask) == [2, 1, 1]


def test_files_of_300_masks_come_back(tmp_path: Path):
    for number, mask in enumerate(masks(300)):
        path = tmp_path / f"{number}.png"
        # Each is put on disk in earnest; a few show that, the others only that they come back.
        if number < 20:
            write_mask(path, mask)
        else:
            Image.fromarray(mask.astype(np.uint8) * 255).save(path)
        with Image.open(path) as file:
            assert file.mode == "L"
            assert {level for _, level in file.getcolors()} <= {0, 255}
            assert not file.info
        assert (read_mask(path, mask.shape) == mask).all()


@pytest.mark.parametrize(
    "text", ["", "0", "~", "oooooooooooo", "5", "é", "1O1O1O", "\x00", "o", "P1", "12345678901234"]
)
def test_damaged_run_lengths_are_refused(text):
    with pytest.raises(StoreError, match="run lengths"):
        mask_of_rle(text, (4, 4))


def test_run_lengths_of_a_giant_are_not_unrolled():
    with pytest.raises(StoreError, match="do not fill"):
        mask_of_rle("0", (1 << 20, 1 << 20))


def test_mask_files_of_another_size_or_kind_are_refused(tmp_path: Path):
    path = tmp_path / "mask.png"
    write_mask(path, np.ones((4, 6), bool))
    with pytest.raises(StoreError, match="its picture is 4 x 6"):
        read_mask(path, (6, 4))
    Image.new("RGB", (6, 4)).save(path)
    with pytest.raises(StoreError, match="mode RGB"):
        read_mask(path, (4, 6))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StoreError, match="cannot be read"):
        read_mask(path, (4, 6))
    with pytest.raises(StoreError, match="too large"):
        read_mask(path, (100_000, 100_000))
