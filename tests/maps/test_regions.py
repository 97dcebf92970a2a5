"""Masks and regions, checked on maps drawn by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from adaclip.errors import InputError
from adaclip.maps.regions import Region, anomaly_mask, find_regions


def _map(drawing: str) -> np.ndarray:
    """Digits are tenths, dots are 0."""
    rows = [row.strip().replace(".", "0") for row in drawing.split()]
    return np.array([[int(cell) / 10 for cell in row] for row in rows], dtype=np.float32)


TWO = _map(
    """
    ........
    .57.....
    ..6.....
    ......8.
    .....98.
    """
)


def test_the_mask_includes_the_threshold_itself() -> None:
    mask = anomaly_mask(np.array([[0.25, 0.5, 0.75]], np.float32), 0.5)
    assert mask.dtype == bool
    assert mask.tolist() == [[False, True, True]]


@pytest.mark.parametrize(("threshold", "pixels"), [(0.0, 40), (0.55, 5), (1.0, 0)])
def test_the_mask_at_thresholds(threshold: float, pixels: int) -> None:
    assert anomaly_mask(TWO, threshold).sum() == pixels


@pytest.mark.parametrize(
    ("min_area", "pixels"), [(0, 7), (1, 7), (2, 6), (3, 6), (4, 0), (10**9, 0)]
)
def test_small_regions_are_left_out(min_area: int, pixels: int) -> None:
    drawing = TWO.copy()
    drawing[4, 0] = 1.0  # a region of one pixel beside two of three
    assert anomaly_mask(drawing, 0.5, min_area).sum() == pixels


def test_regions_are_measured_and_come_by_peak() -> None:
    first, second = find_regions(TWO, anomaly_mask(TWO, 0.5))
    assert first == Region(
        area_px=3,
        area_fraction=3 / 40,
        peak=pytest.approx(0.9),
        mean=pytest.approx(2.5 / 3),
        box=(5, 3, 7, 5),
        peak_xy=(5, 4),
    )
    assert second == Region(
        area_px=3,
        area_fraction=3 / 40,
        peak=pytest.approx(0.7),
        mean=pytest.approx(0.6),
        box=(1, 1, 3, 3),
        peak_xy=(2, 1),
    )


def test_the_box_cuts_out_the_region() -> None:
    for region in find_regions(TWO, anomaly_mask(TWO, 0.5)):
        x0, y0, x1, y1 = region.box
        assert np.count_nonzero(TWO[y0:y1, x0:x1]) == region.area_px
        x, y = region.peak_xy
        assert TWO[y, x] == np.float32(region.peak)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    assert len(find_regions(np.eye(9), np.eye(9, dtype=bool))) == 1


def test_a_region_inside_another_ones_box_is_not_counted_with_it() -> None:
    """A ring of 0.5 around a single hot pixel."""
    ring = np.full((7, 7), 0.5)
    ring[1:6, 1:6] = 0.0
    ring[3, 3] = 0.9
    hot, outer = find_regions(ring, ring > 0)
    assert (hot.area_px, hot.peak, hot.peak_xy) == (1, 0.9, (3, 3))
    assert (outer.area_px, outer.peak, outer.mean, outer.box) == (24, 0.5, 0.5, (0, 0, 7, 7))


def test_equal_peaks_come_by_area() -> None:
    drawing = _map("5.55 5.55 ..55")
    areas = [region.area_px for region in find_regions(drawing, drawing > 0)]
    assert areas == [6, 2]


def test_nothing_anomalous_is_no_region() -> None:
    calm = np.zeros((5, 5), np.float32)
    assert find_regions(calm, anomaly_mask(calm, 0.5)) == []
    assert not anomaly_mask(calm, 0.5, 10).any()


def test_an_all_anomalous_image_is_one_region() -> None:
    hot = np.ones((6, 4), np.float32)
    [region] = find_regions(hot, anomaly_mask(hot, 0.5, 24))
    assert (region.area_px, region.area_fraction, region.box) == (24, 1.0, (0, 0, 4, 6))


def test_regions_are_frozen() -> None:
    [region] = find_regions(np.ones((2, 2)), np.ones((2, 2), bool))
    with pytest.raises(dataclasses.FrozenInstanceError):
        region.peak = 0.0  # type: ignore[misc]


def test_areas_add_up_on_random_maps() -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        anomaly_map = generator.random((40, 50)).astype(np.float32)
        mask = anomaly_mask(anomaly_map, 0.8)
        regions = find_regions(anomaly_map, mask)
        assert sum(region.area_px for region in regions) == mask.sum()
        large = anomaly_mask(anomaly_map, 0.8, 5)
        assert large.sum() == sum(r.area_px for r in regions if r.area_px >= 5)
        assert regions[0].peak == anomaly_map.max()


@pytest.mark.parametrize("shape", [(0, 0), (9,), (2, 3, 4)])
def test_what_is_no_map_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="shape"):
        anomaly_mask(np.zeros(shape), 0.5)


def test_the_mask_must_be_of_the_same_image() -> None:
    with pytest.raises(InputError, match=r"\(2, 3\)"):
        find_regions(np.zeros((3, 2)), np.zeros((2, 3), bool))
