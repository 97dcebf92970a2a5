"""One scene in 500 encodings: the pixels of plain RGB, or a sentence; and the detector agrees."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from adaclip.data.images import load_image
from adaclip.errors import ImageError
from adaclip.synthetic import generate
from tests.broken_inputs import encode
from tests.data.tiffs import tiff

COUNT = 500
# Stored so that a viewer who applies the orientation sees the scene.
STORED = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.swapaxes(0, 1),
    6: lambda seen: np.rot90(seen, 1),
    7: lambda seen: seen[::-1, ::-1].swapaxes(0, 1),
    8: lambda seen: np.rot90(seen, -1),
}


def scene(size: int = 40) -> np.ndarray:
    """(H, W, 3) uint8 from black to white, not square, not symmetrical."""
    rows, columns = np.mgrid[:size, : size + 8]
    planes = np.stack([columns * 5, rows * 6, (rows + columns) * 3], axis=2)
    drawn = np.clip(planes + np.random.default_rng(1).integers(-9, 10, planes.shape), 0, 255)
    drawn[4:9, 5:20] = 255
    drawn[20:26, 8:12] = 0
    return drawn.astype(np.uint8)


def deep(values: np.ndarray, pick: random.Random) -> tuple[np.ndarray, dict]:
    """8-bit levels as another type holds them, and what a TIFF has to be told."""
    share = values / 255.0
    kind = pick.choice(["u2", "u2", "u4", "f4", "f8", "counts", "packed", "shifted"])
    bits = pick.choice([10, 12, 14, 16])
    whole = np.rint(share * (2**bits - 1))
    if kind in ("f4", "f8"):
        return share.astype(kind), {}
    if kind == "counts":
        return whole.astype(np.float32), {}
    if kind == "packed" and bits < 16:
        return whole.astype(np.uint16), {"bits": bits}
    if kind == "shifted":
        return whole.astype(np.uint16) << (16 - bits), {}
    return whole.astype(kind if kind in ("u2", "u4") else "u2"), {}


def as_tiff(colours: np.ndarray, pick: random.Random) -> tuple[bytes, np.ndarray]:
    grey = pick.random() < 0.6
    seen = colours[..., 1] if grey else colours
    told: dict = {}
    orientation = pick.randint(1, 8)
    stored = np.ascontiguousarray(STORED[orientation](seen))
    if pick.random() < 0.75:
        stored, told = deep(stored, pick)
    photometric = pick.choice([0, 1]) if grey else 2
    if photometric == 0:
        kind, bits = stored.dtype.kind, told.get("bits", 8 * stored.dtype.itemsize)
        top = stored.max() if kind == "f" or bits > 8 else stored.dtype.type(255)
        stored = (top - stored).astype(stored.dtype)
    if stored.dtype == np.uint16 and pick.random() < 0.2 and "bits" not in told:
        stored = stored.copy()
        stored.reshape(-1)[pick.randrange(stored.size)] = 65535
    options = told | {
        "order": pick.choice("<>"),
        "photometric": photometric,
        "compression": pick.choice([1, 8, 32946]),
        "big": pick.random() < 0.3,
        "planar": not grey and pick.random() < 0.4,
        "orientation": orientation,
    }
    if options["compression"] == 1:
        pass  # predictors belong to compressed data
    elif stored.dtype.kind == "f" and stored.dtype.itemsize == 4 and pick.random() < 0.3:
        options["predictor"] = 3
    elif stored.dtype.kind == "u" and "bits" not in told and pick.random() < 0.3:
        options["predictor"] = 2
    if pick.random() < 0.3:
        options["tile"] = 16
    elif pick.random() < 0.5:
        options["rows_per_strip"] = pick.choice([1, 7, 16])
    return tiff(stored, **options), np.dstack([seen] * 3) if grey else seen


def by_pillow(colours: np.ndarray, pick: random.Random) -> tuple[bytes, np.ndarray]:
    image_format = pick.choice(["PNG", "JPEG", "BMP", "WEBP", "TIFF", "JPEG2000"])
    modes = {"PNG": "RGB L I;16 RGBA LA P", "JPEG": "RGB L CMYK", "BMP": "RGB L P"}
    modes |= {"WEBP": "RGB", "TIFF": "RGB L I;16 CMYK LAB P RGBA", "JPEG2000": "RGB L I;16"}
    mode = pick.choice(modes[image_format].split())
    grey = mode in ("L", "I;16", "LA", "P")
    seen = np.dstack([colours[..., 1]] * 3) if grey else colours
    turns = image_format in ("PNG", "JPEG", "WEBP", "TIFF")
    orientation = pick.randint(1, 8) if turns else 1
    stored = np.ascontiguousarray(STORED[orientation](seen))
    options: dict = {"lossless": True} if image_format == "WEBP" else {}
    if turns:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    if image_format == "TIFF":
        lossless = [None, "tiff_lzw", "packbits", "tiff_adobe_deflate"]
        options["compression"] = pick.choice(lossless)
    if image_format == "JPEG":
        options |= {"quality": 98, "subsampling": 0, "progressive": pick.random() < 0.5}
    if mode == "I;16":
        picture = Image.fromarray(stored[..., 0].astype(np.uint16) * 257)
    elif mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        picture = ImageCms.profileToProfile(Image.fromarray(stored), *profiles, outputMode="LAB")
    else:
        picture = (
            Image.fromarray(stored).convert("L").convert(mode)
            if grey
            else (Image.fromarray(stored).convert(mode))
        )
    return encode(picture, image_format, **options), seen


@pytest.fixture(scope="module")
def encodings() -> list[tuple[int, bytes, np.ndarray]]:
    made = []
    for number in range(COUNT):
        pick = random.Random(number)
        make = as_tiff if pick.random() < 0.6 else by_pillow
        made.append((number, *make(scene(), pick)))
    return made


def test_every_encoding_gives_the_pixels_of_plain_rgb_or_a_sentence(encodings):
    outcomes: Counter[str] = Counter()
    wrong = []
    for number, data, expected in encodings:
        try:
            image = load_image(data, name="scene")
        except ImageError as error:
            outcomes["damaged" if "damaged or incomplete" in str(error) else "sentence"] += 1
            continue
        outcomes["read"] += 1
        same_shape = image.pixels.shape == expected.shape
        apart = np.abs(image.pixels.astype(int) - expected) if same_shape else np.array([999])
        if float(np.mean(apart)) > 3.0:
            wrong.append((number, image.notes, float(np.mean(apart))))
    assert wrong == []
    assert outcomes["damaged"] == 0
    assert outcomes["read"] >= 0.97 * COUNT


def test_the_detector_scores_encodings_alike(lite):
    """Within 0.02 of plain RGB: a hot pixel, white-is-zero, 12 bits, no data, CMYK, a turn."""
    drawn = generate(3, 5, size=128, defective=True)
    grey = np.asarray(Image.fromarray(drawn.image).convert("L"))
    grey = np.clip((grey.astype(int) - grey.min()) * 255 // max(1, int(np.ptp(grey))), 0, 255)
    twelve = np.rint(grey / 255 * 4095).astype(np.uint16)
    hot = twelve.copy()
    hot[3, 3] = 65535
    none = (grey * 4.0).astype(np.float32)
    none[0, :64] = -9999
    plain = np.dstack([grey] * 3).astype(np.uint8)
    files = [
        tiff(hot),
        tiff(4095 - twelve, photometric=0, order=">"),
        tiff(twelve, bits=12),
        tiff(none),
        tiff(np.ascontiguousarray(STORED[6](twelve)), orientation=6),
        encode(Image.fromarray(plain).convert("CMYK"), "TIFF"),
    ]
    pictures = [plain, *(load_image(data).pixels for data in files)]
    scores = [float(found.anomaly_score) for found in lite.stream(iter(pictures), "object")]
    assert np.abs(np.array(scores[1:]) - scores[0]).max() < 0.02, scores


@pytest.fixture(scope="module")
def lite():
    from adaclip.detecting.detector import load_detector

    return load_detector("lite", device="cpu")
