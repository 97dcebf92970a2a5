"""Kinds of picture beyond the ordinary: read with an optional library, or refused by name."""

from __future__ import annotations

import io
import random
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from adaclip.data import kinds
from adaclip.data.images import load_image
from adaclip.errors import ImageError
from tests.broken_inputs import encode, photo
from tests.data.tiffs import tiff

RAMP = np.linspace(0, 4095, 1024).astype(np.uint16).reshape(32, 32)


def refused(data: bytes, monkeypatch: pytest.MonkeyPatch, *, libraries: bool = False) -> str:
    """What is said of a file, by default as if no optional library were installed."""
    if not libraries:
        for library in ("pydicom", "pillow_heif", "pillow_jxl"):
            monkeypatch.setitem(sys.modules, library, None)
        kinds.formats.cache_clear()
    try:
        with pytest.raises(ImageError) as caught:
            load_image(data, name="x")
    finally:
        kinds.formats.cache_clear()
    assert "damaged or incomplete" not in str(caught.value)
    return str(caught.value)


def jpeg_with_precision(bits: int) -> bytes:
    data = bytearray(encode(photo(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = bits
    return bytes(data)


def lossless_jpeg() -> bytes:
    return encode(photo(), "JPEG").replace(b"\xff\xc0", b"\xff\xc3", 1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\0" * 128 + b"DICM" + b"\0" * 400, "is a DICOM file.*adaclip-studio\\[formats\\]"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99, "an HEIC photo.*\\[formats\\]"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 99, "a JPEG XL picture.*\\[formats\\]"),
        (b"\xff\x0a" + b"\0" * 99, "a JPEG XL picture.*\\[formats\\]"),
        (tiff(RAMP, more={50706: (1, 4)}), "raw photo \\(DNG\\); develop it"),
        (tiff(RAMP, photometric=32803), "raw photo"),
        (tiff(RAMP, more={254: (1,)}), "begins with a reduced preview"),
        (b"\0\0\0\x18ftypcrx " + b"\0" * 99, "a Canon CR3 raw photo, .*develop it"),
        (b"FUJIFILMCCD-RAW 0201" + b"\0" * 99, "a Fuji raw photo"),
        (b"v/1\x01" + b"\0" * 99, "an OpenEXR picture.*16-bit TIFF"),
        (b"SIMPLE  =                    T" + b" " * 99, "a FITS picture"),
        (b"8BPS\0\1" + b"\0" * 99, "a Photoshop file.*flattened copy"),
        (b"\x93NUMPY\1\0" + b"\0" * 99, "a NumPy array"),
        (encode(photo(), "PPM"), "a PNM picture"),
        (jpeg_with_precision(12), "a 12-bit JPEG"),
        (lossless_jpeg(), "a lossless JPEG"),
        (tiff(RAMP, compression=50001), "a TIFF that is damaged or of a rare kind"),
        ("Text in UTF-16".encode("utf-16"), "is text"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(data, said, monkeypatch):
    text = refused(data, monkeypatch)
    assert re.search(said, text), text


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("values", [RAMP, np.asarray(photo())], ids=["16-bit", "colour"])
def test_bigtiff_is_read_in_either_byte_order(order, values):
    np.testing.assert_array_equal(
        load_image(tiff(values, order=order, big=True)).pixels, load_image(tiff(values)).pixels
    )


def test_a_tiff_whose_tags_claim_too_much_is_refused_at_once():
    """4000 entries that each point at the whole file, and a picture far too large."""
    data = bytearray(tiff(RAMP))
    entry = data[10:22]
    many = struct.pack("<HHII", 273, 4, 2**31, 8) + struct.pack("<HHII", 700, 4, 2**20, 8) * 4000
    bomb = data[:8] + struct.pack("<H", 4002) + entry + many + b"\0" * 4 + b"\0" * (1 << 22)
    with pytest.raises(ImageError):
        load_image(bytes(bomb), name="x")
    with pytest.raises(ImageError, match="megapixels"):
        load_image(
            bytes(data).replace(
                struct.pack("<HHIHH", 256, 3, 1, 32, 0), struct.pack("<HHII", 256, 4, 1, 20_000_000)
            ),
            name="x",
        )


@pytest.mark.parametrize("image_format", ["AVIF", "JPEG2000"])
def test_what_pillow_was_built_with_is_read(image_format):
    if not features.check({"AVIF": "avif", "JPEG2000": "jpg_2000"}[image_format]):
        pytest.skip("this Pillow was built without it")
    smooth = photo().resize((16, 12)).resize((64, 48))
    image = load_image(encode(smooth, image_format))
    assert np.abs(image.pixels.astype(int) - np.asarray(smooth)).mean() < 6


def test_heic_is_read_with_its_library():
    library = pytest.importorskip("pillow_heif")
    library.register_heif_opener()
    smooth = photo().resize((16, 12)).resize((64, 48))
    image = load_image(encode(smooth, "HEIF", quality=95))
    assert np.abs(image.pixels.astype(int) - np.asarray(smooth)).mean() < 6


def test_jpeg_xl_is_read_with_its_library():
    pytest.importorskip("pillow_jxl")
    data = encode(photo(), "JXL", lossless=True)
    np.testing.assert_array_equal(load_image(data).pixels, np.asarray(photo()))


def test_damage_in_deep_tiffs_is_read_or_refused(capfd):
    """Mutated headers of every arrangement; libtiff writes its own complaints to stderr."""
    generator = random.Random(5)
    sources = [
        tiff(RAMP, order=">", big=True),
        tiff(RAMP, bits=12),
        tiff(np.dstack([RAMP] * 3), planar=True, compression=8),
        tiff(RAMP.astype(np.float32), predictor=3, compression=8),
        tiff(RAMP, tile=16),
    ]
    refused = 0
    for _ in range(400):
        data = bytearray(generator.choice(sources))
        for _ in range(generator.choice((1, 2, 6))):
            data[generator.randrange(min(len(data), 330))] = generator.randrange(256)
        try:
            assert load_image(bytes(data)).pixels.shape[2] == 3
        except ImageError:
            refused += 1
    assert 80 < refused < 390


# --- DICOM ------------------------------------------------------------------------------------


def dicom(values: np.ndarray, **tags: object) -> bytes:
    pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    colour = values.shape[-1] == 3
    frames = values.ndim == 3 and not colour
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    header.Rows, header.Columns = values.shape[1:3] if frames else values.shape[:2]
    if frames:
        header.NumberOfFrames = values.shape[0]
    if colour:
        header.PlanarConfiguration = 0
    header.SamplesPerPixel = 3 if colour else 1
    header.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8 * values.dtype.itemsize
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(values.dtype.kind == "i")
    header.PixelData = values.tobytes()
    for tag, value in tags.items():
        setattr(header, tag, value)
    file = io.BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_dicom_bits_photometric_and_frames():
    plain = load_image(dicom(RAMP, BitsStored=12, HighBit=11))
    assert plain.notes == ("DICOM, 12-bit, 0 to 4095 shown as black to white",)
    np.testing.assert_allclose(plain.pixels[..., 0], RAMP / 4095 * 255, atol=0.51)
    turned = dicom(RAMP, BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(load_image(turned).pixels, 255 - plain.pixels)
    several = load_image(dicom(np.stack([RAMP, RAMP[::-1]]), BitsStored=12, HighBit=11))
    assert several.notes[0] == "first of 2 frames"
    np.testing.assert_array_equal(several.pixels, plain.pixels)
    colours = np.asarray(photo())
    np.testing.assert_array_equal(load_image(dicom(colours)).pixels, colours)


def test_dicom_window_and_rescaling_are_those_of_the_file():
    """Window 1000 to 2000 in rescaled units: stored 2000 to 3000."""
    data = dicom(RAMP, RescaleSlope=1, RescaleIntercept=-1000, WindowCenter=1500, WindowWidth=1000)
    pixels = load_image(data).pixels[..., 0]
    np.testing.assert_allclose(pixels, np.clip((RAMP - 2000.0) / 1000, 0, 1) * 255, atol=0.51)


def test_dicom_padding_is_no_data():
    values = RAMP.astype(np.int16)
    values[:4] = -2000
    image = load_image(dicom(values, PixelPaddingValue=-2000))
    assert "no data" in image.notes[1]
    assert len(np.unique(image.pixels)) > 200


def test_a_broken_dicom_is_refused_by_name(monkeypatch):
    assert "is a DICOM file that cannot be decoded" in refused(
        dicom(RAMP)[:900], monkeypatch, libraries=True
    )


def test_a_mistaken_file_in_a_folder_is_tried_and_named(tmp_path: Path):
    """A HEIC photo among others is no longer passed over without a word."""
    from adaclip.data.folders import collect_image_paths

    (tmp_path / "a.heic").write_bytes(b"x")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    assert [path.name for path in collect_image_paths([tmp_path])] == ["a.heic", "b.png"]
