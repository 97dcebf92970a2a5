"""Reading pictures: every common kind becomes uint8 RGB, everything else one ImageError."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip import text
from adaclip.config import MAX_IMAGE_PIXELS
from adaclip.data.folders import collect_image_paths
from adaclip.data.images import as_pixels, load_image, pixel_sha256, read_image
from adaclip.errors import ImageError
from tests.broken_inputs import (
    SIZE,
    broken_inputs,
    encode,
    odd_inputs,
    ordinary,
    photo,
    png_chunk,
    png_of_size,
)

BROKEN, ODD = broken_inputs(), odd_inputs()


def test_there_are_two_hundred_odd_files() -> None:
    assert len(BROKEN) + len(ODD) >= 200
    assert not set(BROKEN) & set(ODD)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gives_one_line_that_names_it(name: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(BROKEN[name], name=name)
    message = str(caught.value)
    assert message.startswith(text.printable(name) + ": ")
    assert message.isprintable()
    assert len(message) < len(name) + 250


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_read(name: str) -> None:
    pixels = read_image(ODD[name], name=name)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_damage_never_raises_anything_but_image_error() -> None:
    """Four thousand random mutations of good files: read or refused."""
    generator = random.Random(7)
    # libtiff's C code writes its complaints to stderr itself; other formats are silent.
    sources = [d for n, d in {**ordinary(), **ODD}.items() if not n.endswith(".tif")]
    refused = 0
    for _ in range(4000):
        data = bytearray(generator.choice(sources))
        for _ in range(generator.choice((1, 3, 20))):
            data[generator.randrange(min(len(data), 400))] = generator.randrange(256)
        try:
            assert read_image(bytes(data)).shape[2] == 3
        except ImageError:
            refused += 1
    assert 1000 < refused < 3900


@pytest.mark.parametrize(
    "name", ["plain.png", "plain.bmp", "plain.tif", "lzw.tif", "lossless.webp"]
)
def test_lossless_formats_give_the_pixels_that_were_saved(name: str) -> None:
    np.testing.assert_array_equal(read_image(ordinary()[name]), np.asarray(photo()))


def test_path_text_bytes_and_open_file_read_the_same(tmp_path: Path) -> None:
    data = ordinary()["plain.jpg"]
    path = tmp_path / "bild ü 🙂.png"
    path.write_bytes(data)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    for source in (path, str(path), data, io.BytesIO(data)):
        np.testing.assert_array_equal(read_image(source), expected)


# EXIF 2.3, tag 0x0112: what the 0th row and column of the stored picture are to the viewer.
VIEWED = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored, 1),
}


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", VIEWED)
def test_exif_orientation_is_applied(orientation: int, image_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if image_format == "WEBP" else {}
    pixels = read_image(encode(photo(), image_format, exif=exif, **options))
    np.testing.assert_array_equal(pixels, VIEWED[orientation](np.asarray(photo())))


def test_sixteen_bit_grey_is_upright_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(np.zeros((48, 64), np.uint16)), "PNG", exif=exif)
    assert read_image(data).shape == (64, 48, 3)


def test_sixteen_bit_colour_keeps_all_its_bits() -> None:
    """A 16-bit RGB PNG made by hand, as Pillow writes none."""
    rows = b"".join(b"\0" + bytes([200, 200, 100, 100, 50, 50]) * 8 for _ in range(8))
    data = _png(8, 8, depth=16, colour=2, rows=rows)
    image = load_image(data)
    assert image.notes[0] == "16-bit colour, 0 to 65535 shown as black to white"
    assert image.pixels[3, 3].tolist() == [200, 100, 50]


def _png(width: int, height: int, *, depth: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.25, 0.5, 1.0], [0, 64, 128, 255]),
        ([0.0, 0.25, 0.5, 0.5], [0, 64, 128, 128]),  # within 0-1: taken as it is
        ([0.0, 50.0, 100.0, 200.0], [0, 50, 100, 200]),  # within 0-255: so is this
        ([-1.0, 0.0, 0.5, 1.0], [0, 128, 191, 255]),
        ([0.0, np.nan, np.inf, 1.0], [0, 0, 255, 255]),  # no data: the nearest value
        ([7.0, 7.0, 7.0, 7.0], [7, 7, 7, 7]),
    ],
)
def test_float_tiffs(values: list[float], expected: list[int]) -> None:
    stored = np.tile(np.float32(values), (8, 2))
    pixels = read_image(encode(Image.fromarray(stored), "TIFF"))
    assert pixels[0, :4, 0].tolist() == expected


def test_transparency_is_placed_on_white() -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, :4] = (200, 0, 0, 255)
    rgba[:, 4:] = (200, 0, 0, 0)
    rgba[4:, 4:, 3] = 51  # a fifth: 200 / 5 + 255 x 4 / 5 = 244, 255 x 4 / 5 = 204
    image = load_image(encode(Image.fromarray(rgba), "PNG"))
    assert image.notes == ("transparency placed on white",)
    assert image.pixels[0, 0].tolist() == [200, 0, 0]
    assert image.pixels[0, 7].tolist() == [255, 255, 255]
    assert image.pixels[7, 7].tolist() == [244, 204, 204]


def test_an_opaque_alpha_channel_is_not_worth_a_note() -> None:
    assert load_image(encode(photo().convert("RGBA"), "PNG")).notes == ()


def test_cmyk_red_is_red() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert read_image(encode(red, "TIFF"))[0, 0].tolist() == [255, 0, 0]
    jpeg = read_image(encode(red, "JPEG", quality=100))[0, 0].astype(int)
    assert np.abs(jpeg - [255, 0, 0]).max() <= 4


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("animated.png", ("first of 3 frames",)),
        ("animated.webp", ("first of 3 frames",)),
        ("pages.tif", ("first of 3 pages",)),
        ("photo with previews.jpg", ()),
    ],
)
def test_the_first_frame_is_taken(name: str, note: tuple[str, ...]) -> None:
    image = load_image(ODD[name])
    assert image.notes == note
    tolerance = 40 if name.endswith("jpg") else 0
    assert np.abs(image.pixels.astype(int) - np.asarray(photo())).mean() <= tolerance


def test_the_cap_holds_before_anything_is_decoded() -> None:
    """Just below it the empty body is the complaint, just above it the size."""
    side = int(MAX_IMAGE_PIXELS**0.5)
    with pytest.raises(ImageError, match="megapixels, more than the 50"):
        read_image(png_of_size(side + 1, side + 1))
    with pytest.raises(ImageError, match="damaged or incomplete"):
        read_image(png_of_size(side - 100, 100))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.png", "No such file"),
        ("folder.png", "folder, not an image"),
        ("pipe.png", "not a regular file"),
        ("nul\0.png", "null"),
        ("x" * 300 + ".png", "too long"),
    ],
)
def test_paths_that_cannot_be_read(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(tmp_path / path)
    assert str(caught.value).startswith(text.printable(str(tmp_path / path)))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("svg with prolog called.png", "SVG"),
        ("heic called.jpg", "HEIC"),
        ("gif called.png", "GIF"),
        ("text called.jpg", "text"),
        ("umlauts called.jpg", "text"),
        ("lfs pointer called.png", "git lfs pull"),
        ("empty.png", "empty"),
        ("1x1.png", "1 x 1"),
        ("20000x20000.png", "400 megapixels"),
        ("20000x20000.tif", "400 megapixels"),
    ],
)
def test_the_message_says_what_the_file_is(name: str, what: str) -> None:
    with pytest.raises(ImageError, match=what):
        read_image(BROKEN[name])


# --- arrays -----------------------------------------------------------------------------------


def test_rgb_arrays_are_passed_on_without_a_copy() -> None:
    pixels = np.asarray(photo())
    assert as_pixels(pixels) is pixels


def test_arrays_of_other_kinds() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(as_pixels(grey), expected)
    np.testing.assert_array_equal(as_pixels(grey[:, :, None]), expected)
    np.testing.assert_array_equal(as_pixels(grey.astype(np.uint16) * 16), expected)
    np.testing.assert_array_equal(as_pixels(grey / 255), expected)
    np.testing.assert_array_equal(as_pixels((grey / 255).astype(np.float32)), expected)
    clear = np.concatenate([expected, np.zeros((16, 16, 1), np.uint8)], axis=2)
    assert (as_pixels(clear) == 255).all()
    assert as_pixels(np.asarray(photo())[::-1, ::2]).flags.c_contiguous


@pytest.mark.parametrize(
    "array",
    [
        None,
        [[1, 2], [3, 4]],
        "photo.png",
        np.zeros(9, np.uint8),
        np.zeros((9, 9, 2), np.uint8),
        np.zeros((2, 9, 9, 3), np.uint8),
        np.zeros((0, 9), np.uint8),
        np.zeros((9, 9), np.int64),
        np.zeros((9, 9), bool),
        np.zeros((9, 9), complex),
        np.full((9, 9), np.nan),
        np.full((9, 9), 1.01),
        np.full((9, 9), -0.01),
        np.zeros((7, 9), np.uint8),
        np.broadcast_to(np.uint8(0), (8_000, 8_000)),
    ],
    ids=lambda array: f"{type(array).__name__}{getattr(array, 'shape', '')}",
)
def test_what_is_no_image_is_refused(array: object) -> None:
    with pytest.raises(ImageError, match=r"^photo 3: "):
        as_pixels(array, name="photo 3")


# --- folders ----------------------------------------------------------------------------------


def _touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders_are_searched_in_sorted_order(tmp_path: Path) -> None:
    _touch(tmp_path, "b.PNG", "a.jpeg", "notes.txt", ".hidden.png", ".git/x.png")
    _touch(tmp_path, "z/deep/c.tif", "b/d.webp", "b/mask.npy", "no_extension")
    found = [path.relative_to(tmp_path).as_posix() for path in collect_image_paths([tmp_path])]
    assert found == ["a.jpeg", "b.PNG", "b/d.webp", "z/deep/c.tif"]


def test_named_files_are_always_tried_and_listed_once(tmp_path: Path) -> None:
    _touch(tmp_path, "a.png", ".hidden.png", "notes.txt")
    named = [tmp_path / name for name in ("notes.txt", ".hidden.png", "missing.png")]
    assert collect_image_paths([*named, tmp_path, str(tmp_path / "a.png")]) == [
        *named,
        tmp_path / "a.png",
    ]


def test_links_that_lead_out_are_followed_only_when_asked_and_circles_end(tmp_path: Path) -> None:
    _touch(tmp_path, "in/a.png", "in/more/c.png", "elsewhere/b.png")
    (tmp_path / "in/file.png").symlink_to(tmp_path / "elsewhere/b.png")
    (tmp_path / "in/within").symlink_to(tmp_path / "in/more")
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/circle").symlink_to(tmp_path / "in")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "in")
    outside: list[Path] = []
    found = collect_image_paths([tmp_path / "in"], outside=outside)
    assert found == [tmp_path / "in/a.png", tmp_path / "in/more/c.png"]
    assert sorted(outside) == [tmp_path / "in/file.png", tmp_path / "in/link"]
    followed = collect_image_paths([tmp_path / "in"], follow_links=True)
    assert {path.name for path in followed} == {"a.png", "b.png", "c.png", "file.png"}


def test_a_folder_that_cannot_be_opened_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, "a.png", "closed/b.png")
    scan = os.scandir

    def refuse(path: str) -> object:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert collect_image_paths([tmp_path]) == [tmp_path / "a.png", tmp_path / "closed"]


def test_the_hash_is_of_the_picture_not_the_file() -> None:
    as_png, as_bmp = (read_image(ordinary()[name]) for name in ("plain.png", "plain.bmp"))
    assert pixel_sha256(as_png) == pixel_sha256(as_bmp)
    assert pixel_sha256(as_png) != pixel_sha256(as_png.reshape(SIZE[0], SIZE[1], 3))
    as_bmp[0, 0, 0] ^= 1
    assert pixel_sha256(as_png) != pixel_sha256(as_bmp)
