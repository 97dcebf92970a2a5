"""More than 8 bits become 8: hot pixels, bit depths, no data, white-is-zero, series."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.data.images import as_pixels, load_image, read_image
from adaclip.data.series import Series
from tests.broken_inputs import encode, png_chunk
from tests.data.tiffs import tiff


def plate(low: int = 1000, high: int = 1200, *, size: int = 32, seed: int = 0) -> np.ndarray:
    """A plate of uint16 from `low` to `high`, its right side brighter."""
    generator = np.random.default_rng(seed)
    ramp = np.linspace(low, high, size).round()
    noisy = ramp + generator.integers(-3, 4, (size, size))
    return np.clip(noisy, low, high).astype(np.uint16)


def grey_levels(pixels: np.ndarray) -> int:
    return len(np.unique(pixels[..., 0]))


def png(values: np.ndarray) -> bytes:
    return encode(Image.fromarray(values), "PNG")


def test_one_hot_pixel_hides_nothing() -> None:
    hot = plate()
    hot[5, 7] = 65535
    clean, spoilt = load_image(png(plate())), load_image(png(hot))
    assert grey_levels(clean.pixels) > 100
    other = np.ones(hot.shape, bool)
    other[5, 7] = False
    np.testing.assert_array_equal(spoilt.pixels[other], clean.pixels[other])
    assert spoilt.pixels[5, 7].tolist() == [255, 255, 255]
    assert spoilt.notes == ("16-bit, 992 to 1216 shown as black to white, 1 value beyond cut off",)


@pytest.mark.parametrize("spoil", ["dead", "column", "corner", "surround", "two hot"])
def test_siblings_of_the_hot_pixel_hide_nothing(spoil: str) -> None:
    """A dead pixel, a stuck column, a burnt-out corner, a black surround, two hot pixels."""
    values = plate()
    places = {
        "dead": (np.s_[3, 4], 0),
        "column": (np.s_[:, 9], 65535),
        "corner": (np.s_[:6, :6], 4095),
        "surround": (np.s_[:4], 0),
        "two hot": (np.s_[2, 3:5], np.array([40000, 65535])),
    }
    where, value = places[spoil]
    values[where] = value
    untouched = np.ones(values.shape, bool)
    untouched[where] = False
    shown = read_image(png(values))
    assert len(np.unique(shown[untouched][:, 0])) > 100
    np.testing.assert_array_equal(shown[untouched], read_image(png(plate()))[untouched])


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_bit_depth_in_use_is_recognised(image_format: str, bits: int) -> None:
    """Pictures of one camera that reach 60 % and 100 % of its range are scaled alike."""
    top = 2**bits - 1
    for share in (0.6, 1.0):
        stored = np.linspace(0, top * share, 3072).astype(np.uint16).reshape(48, 64)
        image = load_image(encode(Image.fromarray(stored), image_format))
        assert image.notes == (f"16-bit, 0 to {top} shown as black to white",)
        np.testing.assert_allclose(image.pixels[..., 1], stored / top * 255, atol=0.51)


def test_twelve_bits_shifted_up_by_four_are_the_same_picture() -> None:
    stored = np.linspace(0, 4000, 3072).astype(np.uint16).reshape(48, 64)
    np.testing.assert_array_equal(read_image(png(stored)), read_image(png(stored << 4)))


def test_the_bits_that_a_png_names_are_believed() -> None:
    """sBIT 12: a picture that reaches 1000 of 4095 is dark, not one of a 10-bit camera."""
    stored = np.linspace(0, 1000, 3072).astype(np.uint16).reshape(48, 64)
    data = png(stored)
    named = data[:33] + png_chunk(b"sBIT", bytes([12])) + data[33:]
    assert "0 to 1023" in load_image(data).notes[0]
    assert "0 to 1024" in load_image(named).notes[0]  # not half of 12 bits: its own range


def test_sixteen_bit_colour_of_a_twelve_bit_camera_is_not_black() -> None:
    colours = np.linspace(0, 4095, 3 * 48 * 64).astype(np.uint16).reshape(48, 64, 3)
    for data in (tiff(colours), tiff(colours, order=">"), tiff(colours, planar=True)):
        image = load_image(data)
        assert image.notes == ("16-bit colour, 0 to 4095 shown as black to white",)
        np.testing.assert_allclose(image.pixels, colours / 4095 * 255, atol=0.51)


def test_arrays_are_scaled_as_files_are() -> None:
    np.testing.assert_array_equal(as_pixels(plate()), read_image(png(plate())))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "f4"])
def test_white_is_zero_is_turned_in_every_byte_order(order: str, kind: str) -> None:
    scene = np.linspace(0, 255, 1024).round().reshape(32, 32)
    stored = scene.astype(kind) if kind != "f4" else (scene / 255).astype(kind)
    black_is_zero = load_image(tiff(stored, order=order, photometric=1))
    white_is_zero = load_image(tiff(stored, order=order, photometric=0))
    np.testing.assert_array_equal(white_is_zero.pixels, 255 - black_is_zero.pixels)
    if kind != "u1":  # an ordinary picture that any program shows right
        assert "white to black" in white_is_zero.notes[0]


def test_white_is_zero_in_a_compressed_sixteen_bit_file_is_turned_too() -> None:
    scene = np.linspace(0, 65535, 1024).astype(np.uint16).reshape(32, 32)
    data = encode(Image.fromarray(scene), "TIFF", compression="tiff_lzw", tiffinfo={262: 0})
    with Image.open(io.BytesIO(data)) as file:
        assert file.tag_v2[262] == 0
    assert read_image(data)[0, 0, 0] == 255


@pytest.mark.parametrize("none", [-9999.0, np.nan, np.inf, -3.4028234663852886e38])
def test_no_data_is_left_out_of_the_range(none: float) -> None:
    scene = np.linspace(200, 1200, 1024).reshape(32, 32).astype(np.float32)
    framed = scene.copy()
    framed[:3] = none
    image, whole = load_image(tiff(framed)), load_image(tiff(scene))
    differ = np.abs(image.pixels[3:].astype(int) - whole.pixels[3:])
    assert differ.max() <= 16  # the range is that of what is left
    assert grey_levels(image.pixels) > 150
    np.testing.assert_array_equal(image.pixels[:3], np.repeat(image.pixels[3:4], 3, axis=0))
    said = "NaN or infinite" if not np.isfinite(none) else f"{none:g}"
    assert (
        image.notes[1]
        == f"no data ({said}) in 9.4 % of the picture, filled with the nearest values"
    )


def test_the_value_a_file_calls_no_data_is_left_out() -> None:
    scene = np.linspace(200, 1200, 1024).reshape(32, 32).astype(np.int16)
    scene[:3] = 77
    image = load_image(tiff(scene, more={42113: b"77\0"}))
    assert "no data (77) in 9.4 %" in image.notes[1]


def test_signed_values_are_no_large_unsigned_ones() -> None:
    scene = np.linspace(-100, 100, 1024).astype(np.int8).reshape(32, 32)
    for data in (tiff(scene), tiff(scene.astype(np.int16), order=">")):
        pixels = read_image(data)[..., 0].astype(int)
        assert (np.diff(pixels.ravel()) >= 0).all()


def test_one_value_is_said() -> None:
    image = load_image(encode(Image.new("RGB", (16, 16), (9, 9, 9)), "PNG"))
    assert image.notes == ("every pixel has the same value; is this the right picture?",)


def _plain_ink(*, adobe: bool) -> bytes:
    """A CMYK JPEG with 0 for no ink: white paper with a cyan stripe and grey text."""
    ink = np.zeros((32, 32, 4), np.uint8)
    ink[8:16, :, 0] = 200
    ink[20:24, 4:28, 3] = 120
    turned = (
        Image.fromarray(255 - ink, "CMYK") if False else Image.fromarray(255 - ink, mode="CMYK")
    )
    data = encode(turned, "JPEG", quality=95)  # Pillow writes 255 - ours: plain ink
    if adobe:
        return data
    start = data.index(b"\xff\xee")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    return data[:start] + data[start + 2 + length :]


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_with_plain_ink_is_not_read_black(adobe: bool) -> None:
    image = load_image(_plain_ink(adobe=adobe))
    assert image.pixels[0, 0].min() > 240
    assert image.pixels[12, 12, 0] < 80 < 200 < image.pixels[12, 12, 2]
    assert "0 was read as no ink" in image.notes[0] or "0 read as no ink" in image.notes[0]


def test_cielab_is_read_as_colour() -> None:
    lab = np.zeros((16, 16, 3), np.uint8)
    lab[..., 0] = 128
    lab[8:, :, 1] = 60
    pixels = read_image(tiff(lab, photometric=8))
    assert np.ptp(pixels[0, 0].astype(int)) <= 2
    assert pixels[12, 0, 0] > pixels[12, 0, 1] + 60


# --- series -----------------------------------------------------------------------------------


def _series(tmp_path: Path, pictures: list[np.ndarray]) -> list[Path]:
    paths = []
    for number, values in enumerate(pictures):
        paths.append(tmp_path / f"{number:03}.png")
        paths[-1].write_bytes(png(values))
    return paths


def test_a_series_has_one_range_so_that_one_level_is_one_grey(tmp_path: Path) -> None:
    pictures = [plate(1000, 1000 + 40 * n, seed=n) for n in range(1, 12)]
    paths = _series(tmp_path, pictures)
    series = Series(paths)
    greys: dict[int, set[int]] = {}
    for path, values in zip(paths, pictures, strict=True):
        image = load_image(path, series=series)
        assert "as in the whole series, by 11 of its pictures" in image.notes[0]
        for level, grey in zip(values.ravel(), image.pixels[..., 0].ravel(), strict=True):
            greys.setdefault(int(level), set()).add(int(grey))
    assert all(len(found) == 1 for found in greys.values())
    alone = {load_image(path).notes[0] for path in paths}
    assert len(alone) > 1  # each by itself would have had its own


def test_a_series_of_eight_bits_is_never_looked_at(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "plain.png"
    Image.new("RGB", (16, 16)).save(path)
    series = Series([path, path])
    monkeypatch.setattr("adaclip.data.series.deep_of", lambda path: pytest.fail("read twice"))
    load_image(path, series=series)


def test_a_broken_picture_does_not_spoil_its_series(tmp_path: Path) -> None:
    paths = _series(tmp_path, [plate(seed=n) for n in range(4)])
    paths[1].write_bytes(b"broken")
    assert "by 3 of its pictures" in load_image(paths[0], series=Series(paths)).notes[0]
