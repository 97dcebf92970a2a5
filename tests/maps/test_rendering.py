"""Maps as pictures and files, checked with Pillow, numpy and the published colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from adaclip.errors import InputError
from adaclip.maps import rendering

RAMP = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 256)


def _luma(pixels: np.ndarray) -> np.ndarray:
    return pixels @ np.array([0.299, 0.587, 0.114])


def _photo(height: int = 30, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_inferno_is_the_default_and_jet_a_choice() -> None:
    assert list(rendering.COLOUR_MAPS) == ["inferno", "viridis", "jet"]
    assert rendering.DEFAULT_COLOUR_MAP == "inferno"
    np.testing.assert_array_equal(
        rendering.heat_map(RAMP), rendering.heat_map(RAMP, colour_map="inferno")
    )


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("inferno", (0, 0, 4), (252, 255, 164)),
        ("viridis", (68, 1, 84), (253, 231, 37)),
        ("jet", (0, 0, 131), (128, 0, 0)),
    ],
)
def test_the_ends_are_the_published_colours(
    name: str, first: tuple[int, ...], last: tuple[int, ...]
) -> None:
    """matplotlib's _cm_listed.py for the first two; plotly's Jet."""
    colours = rendering.heat_map(RAMP, colour_map=name)[0]
    assert tuple(colours[0]) == first
    assert tuple(colours[-1]) == last


@pytest.mark.parametrize("name", ["inferno", "viridis"])
def test_perceptual_colour_maps_grow_lighter_all_the_way(name: str) -> None:
    colours = rendering.heat_map(RAMP, colour_map=name)[0]
    assert (np.diff(_luma(colours)[::8]) > 0).all()


def test_a_low_score_image_renders_dark_on_the_fixed_scale() -> None:
    """The map of a normal image: noise below 0.1. Stretched, the same map glows."""
    calm = np.random.default_rng(1).random((50, 60), dtype=np.float32) * 0.1
    assert _luma(rendering.heat_map(calm)).max() < 25
    assert _luma(rendering.heat_map(calm, scale="stretch")).max() > 200


def test_a_low_score_image_shows_the_photo_itself() -> None:
    photo = _photo()
    calm = np.full(photo.shape[:2], 0.05, np.float32)
    shown = rendering.overlay(photo, calm, opacity=0.5)
    assert np.abs(shown.astype(int) - photo).max() <= 4


def test_the_fixed_scale_is_the_same_for_every_image() -> None:
    alone = rendering.heat_map(np.full((2, 2), 0.3, np.float32))
    beside = rendering.heat_map(np.array([[0.3, 1.0]], np.float32))
    assert alone[0, 0].tolist() == beside[0, 0].tolist()


def test_stretch_uses_all_colours_of_this_map() -> None:
    colours = rendering.heat_map(np.array([[0.4, 0.45, 0.5]], np.float32), scale="stretch")[0]
    table = rendering.COLOUR_MAPS["inferno"]
    assert colours[0].tolist() == table[0].tolist()
    assert colours[2].tolist() == table[255].tolist()


def test_values_outside_the_scale_take_its_ends() -> None:
    odd = np.array([[-3.0, 7.0, np.nan, np.inf, -np.inf]], np.float32)
    levels = [0, 255, 0, 255, 0]
    expected = rendering.COLOUR_MAPS["inferno"][levels]
    np.testing.assert_array_equal(rendering.heat_map(odd)[0], expected)


def test_a_flat_map_has_nothing_to_stretch() -> None:
    flat = np.full((3, 3), 0.9, np.float32)
    assert _luma(rendering.heat_map(flat, scale="stretch")).max() < 5


@pytest.mark.parametrize("opacity", [0.0, 0.3, 0.5, 1.0])
def test_opacity_is_the_share_of_the_photo_that_is_hidden(opacity: float) -> None:
    photo = _photo()
    hot = np.full(photo.shape[:2], 0.8, np.float32)
    heat = rendering.heat_map(hot).astype(float)
    expected = photo * (1 - opacity) + heat * opacity
    shown = rendering.overlay(photo, hot, opacity=opacity)
    assert np.abs(shown - expected).max() <= 1.5


def test_opacity_none_and_full_are_exact() -> None:
    photo = _photo(600, 40)  # more rows than are rendered at a time
    hot = np.random.default_rng(2).uniform(0.5, 1.0, photo.shape[:2]).astype(np.float32)
    np.testing.assert_array_equal(rendering.overlay(photo, hot, opacity=0.0), photo)
    heat = rendering.heat_map(hot)
    full = rendering.overlay(photo, hot, opacity=1.0)
    # At half the scale the cover begins to fade.
    assert (full == heat)[hot > 0.51].all()


def test_normal_areas_show_the_photo_at_any_opacity() -> None:
    photo = _photo()
    calm = np.zeros(photo.shape[:2], np.float32)
    np.testing.assert_array_equal(rendering.overlay(photo, calm, opacity=1.0), photo)


def test_the_cover_grows_with_the_anomaly() -> None:
    """On grey, viewed in a colour map without dark colours: further from the photo step by step."""
    grey = np.full((1, 256, 3), 128, np.uint8)
    shown = rendering.overlay(grey, RAMP, opacity=1.0, colour_map="jet").astype(int)
    distance = np.abs(shown - 128).max(axis=2)[0]
    assert distance[0] == 0
    assert (np.diff(distance[:60]) >= 0).all()
    assert distance[:60][-1] > 40


def test_inputs_are_left_alone() -> None:
    photo, hot = _photo(), np.full((30, 40), 0.7, np.float32)
    before = photo.copy()
    mask = np.zeros((30, 40), bool)
    mask[5:9, 5:9] = True
    rendering.overlay(photo, hot)
    rendering.draw_contours(photo, mask)
    photo.flags.writeable = False
    rendering.draw_contours(photo, mask)
    np.testing.assert_array_equal(photo, before)
    with pytest.raises(ValueError, match="read-only"):
        rendering.COLOUR_MAPS["inferno"][0] = 9


# --- contours ---------------------------------------------------------------------------------


def test_contours_are_white_inside_and_black_outside() -> None:
    grey = np.full((40, 40, 3), 128, np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:30] = True
    drawn = rendering.draw_contours(grey, mask)[..., 0]
    expected = np.full((40, 40), 128)
    expected[9:21, 9:31] = 0
    expected[10:20, 10:30] = 255
    expected[11:19, 11:29] = 128
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_contours_stand_out_on_any_ground(ground: int) -> None:
    plain = np.full((50, 50, 3), ground, np.uint8)
    mask = np.zeros((50, 50), bool)
    mask[20:30, 20:30] = True
    drawn = rendering.draw_contours(plain, mask)[15:35, 15:35].astype(int)
    assert np.ptp(drawn) == 255


@pytest.mark.parametrize(("side", "width"), [(64, 1), (518, 1), (800, 2), (2000, 5), (4000, 10)])
def test_lines_grow_with_the_image(side: int, width: int) -> None:
    image = np.full((side, 40, 3), 128, np.uint8)
    mask = np.zeros((side, 40), bool)
    mask[side // 2 :] = True
    column = rendering.draw_contours(image, mask)[: side // 2 + 20, 20, 0]
    assert np.count_nonzero(column == 255) == width
    assert np.count_nonzero(column == 0) == width


def test_a_region_at_the_border_has_a_closed_outline() -> None:
    grey = np.full((30, 30, 3), 128, np.uint8)
    drawn = rendering.draw_contours(grey, np.ones((30, 30), bool))[..., 0]
    assert (drawn[0] == 255).all()
    assert (drawn[:, -1] == 255).all()
    assert (drawn[1:-1, 1:-1] == 128).all()


def test_an_empty_mask_draws_nothing() -> None:
    photo = _photo()
    drawn = rendering.draw_contours(photo, np.zeros((30, 40), bool))
    np.testing.assert_array_equal(drawn, photo)
    assert drawn is not photo


# --- legend and files -------------------------------------------------------------------------


def test_the_legend_says_what_the_colours_stand_for() -> None:
    some = np.array([[0.2, 0.3, 0.6]])
    assert rendering.legend_values(some) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert rendering.legend_values(None) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert rendering.legend_values(some, "stretch") == pytest.approx((0.2, 0.3, 0.4, 0.5, 0.6))
    with pytest.raises(InputError, match="map"):
        rendering.legend_values(None, "stretch")


def test_the_colour_bar_runs_from_first_to_last_colour() -> None:
    bar = rendering.colour_bar("viridis", width=256, height=3)
    assert bar.shape == (3, 256, 3)
    np.testing.assert_array_equal(bar[1], rendering.COLOUR_MAPS["viridis"])
    assert rendering.colour_bar(width=2, height=1).tolist() == [[[0, 0, 4], [252, 255, 164]]]


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_the_map_png_keeps_sixteen_bits() -> None:
    anomaly_map = np.random.default_rng(3).random((30, 40), dtype=np.float32)
    image = _opened(rendering.map_to_png16(anomaly_map))
    assert (image.format, image.size, image.mode) == ("PNG", (40, 30), "I;16")
    np.testing.assert_allclose(np.asarray(image) / 65535, anomaly_map, atol=0.5 / 65535)


def test_the_map_png_has_exact_ends() -> None:
    data = rendering.map_to_png16(np.array([[0, 1, 1.5, -1, np.nan]], np.float32))
    assert np.asarray(_opened(data)).tolist() == [[0, 65535, 65535, 0, 0]]


def test_mask_margin_and_image_come_back_as_they_were() -> None:
    generator = np.random.default_rng(4)
    mask = generator.random((30, 40)) > 0.5
    image = _opened(rendering.mask_to_png(mask))
    assert image.mode == "L"
    assert sorted(np.unique(np.asarray(image))) == [0, 255]
    np.testing.assert_array_equal(np.asarray(image) > 0, mask)

    margin = generator.normal(0, 9, (30, 40)).astype(np.float32)
    restored = np.load(io.BytesIO(rendering.margin_to_npy(margin)), allow_pickle=False)
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored, margin)

    photo = _photo()
    np.testing.assert_array_equal(np.asarray(_opened(rendering.image_to_png(photo))), photo)


# --- refusals ---------------------------------------------------------------------------------


def test_refusals_name_the_value() -> None:
    photo, hot = _photo(), np.ones((30, 40), np.float32)
    with pytest.raises(InputError, match=r"'rainbow'.*inferno, viridis, jet"):
        rendering.heat_map(hot, colour_map="rainbow")
    with pytest.raises(InputError, match=r"'auto'.*fixed, stretch"):
        rendering.heat_map(hot, scale="auto")  # type: ignore[arg-type]
    for opacity in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="opacity"):
            rendering.overlay(photo, hot, opacity=opacity)
    with pytest.raises(InputError, match="sizes must agree"):
        rendering.overlay(photo, hot.T)
    with pytest.raises(InputError, match="sizes must agree"):
        rendering.draw_contours(photo, hot.T > 0)
    with pytest.raises(InputError, match="uint8"):
        rendering.overlay(photo / 255, hot)
    with pytest.raises(InputError, match="shape"):
        rendering.heat_map(hot[0])
