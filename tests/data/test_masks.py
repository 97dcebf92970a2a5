"""What a mask means: turned, inverted, in the transparency, on white paper; and whose it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.data.checks import check
from adaclip.data.images import read_image
from adaclip.data.mask_doubts import doubts_of, mask_doubts
from adaclip.data.samples import load_samples, read_mask
from adaclip.errors import DatasetError
from tests.data import trees

SHAPE = trees.expected_mask()
CORNER = np.zeros(trees.SIZE, bool)
CORNER[:6, :9] = True


def found(root: Path) -> list[tuple[str, str]]:
    return [(finding.kind, finding.path) for finding in check(root).findings]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return trees.mvtec_like(tmp_path / "own")


def only_sample(root: Path):
    return next(s for s in load_samples(root) if s.rel_path == "tile/test/crack/000.png")


def turn(path: Path, orientation: int) -> None:
    """Store a picture's pixels as they are, with an EXIF orientation."""
    with Image.open(path) as image:
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.copy().save(path, exif=exif)


def write_mask(root: Path, image: Image.Image, **options: object) -> Path:
    path = root / "tile/ground_truth/crack/000_mask.png"
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_turned_picture_whose_mask_has_no_orientation_is_a_finding(own: Path, orientation: int):
    turn(own / "tile/test/crack/000.png", orientation)
    report = check(own)
    assert [(f.kind, f.path) for f in report.findings] == [
        ("turned picture", "tile/test/crack/000.png")
    ]
    assert f"orientation is {orientation}" in report.findings[0].detail
    [said] = doubts_of(load_samples(own))
    assert "turned by EXIF" in said
    assert "tile/test/crack/000.png" in said


@pytest.mark.parametrize("orientation", range(2, 9))
def test_the_masks_own_orientation_is_applied(own: Path, orientation: int):
    """Picture and mask from one camera, both turned: they fit, and nothing is found."""
    shape = trees.SIZE if orientation < 5 else trees.SIZE[::-1]
    image, mask = own / "tile/test/crack/000.png", own / "tile/ground_truth/crack/000_mask.png"
    stored = np.zeros(shape, np.uint8)
    stored[:6, :9] = 255
    Image.fromarray(stored).save(mask)
    turn(mask, orientation)
    marked = np.full((*shape, 3), 90, np.uint8)
    marked[stored > 0] = (255, 0, 0)
    Image.fromarray(marked).save(image)
    turn(image, orientation)
    expected = read_image(image)[..., 0] > 200
    np.testing.assert_array_equal(read_mask(only_sample(own), expected.shape), expected)
    assert found(own) == []


def test_swapped_sizes_name_exif_as_the_reason(own: Path):
    turn(own / "tile/test/crack/000.png", 6)
    with pytest.raises(DatasetError, match=r"24 x 32 \(its EXIF orientation turns it"):
        read_mask(only_sample(own), trees.SIZE[::-1])
    assert ("wrong mask", "tile/ground_truth/crack/000_mask.png") in found(own)


def rgba(colour: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([colour, alpha.astype(np.uint8) * 255]))


BLACK, WHITE = np.zeros((*trees.SIZE, 3), np.uint8), np.full((*trees.SIZE, 3), 255, np.uint8)
RED_ON_WHITE = np.where(SHAPE[..., None], np.uint8([255, 0, 0]), WHITE)


def palette(colours: list[int]) -> Image.Image:
    image = Image.fromarray(SHAPE.astype(np.uint8))
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(colours)
    return image


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rgba(BLACK, SHAPE), "transparency"),
        (lambda: rgba(WHITE, SHAPE), "transparency"),
        (lambda: palette([255, 255, 255, 200, 0, 0]), "has no black"),
        (lambda: Image.fromarray(RED_ON_WHITE), "has no black"),
        (lambda: Image.fromarray(np.where(SHAPE, 2, 1).astype(np.uint8)), "has no black"),
        (lambda: Image.fromarray(np.where(SHAPE, 255, 128).astype(np.uint8)), "has no black"),
    ],
    ids=["alpha on black", "alpha on white", "palette", "red on white", "1 and 2", "128 and 255"],
)
def test_masks_that_mean_something_else_are_read_so_and_said(own: Path, make, said: str):
    write_mask(own, make())
    np.testing.assert_array_equal(read_mask(only_sample(own), trees.SIZE), SHAPE)
    assert found(own) == [("guessed mask", "tile/ground_truth/crack/000_mask.png")]
    assert said in check(own).findings[0].detail
    [sentence] = doubts_of(load_samples(own))
    assert said in sentence


@pytest.mark.parametrize(
    "make",
    [
        lambda: Image.fromarray(SHAPE.astype(np.uint8)),
        lambda: rgba(np.repeat(SHAPE[..., None] * np.uint8(255), 3, axis=2), np.ones(trees.SIZE)),
        lambda: rgba(np.repeat(SHAPE[..., None] * np.uint8(255), 3, axis=2), SHAPE),
        lambda: rgba(RED_ON_WHITE, SHAPE),
        lambda: palette([0, 0, 0, 255, 255, 255]),
    ],
    ids=["0 and 1", "opaque", "white on clear", "red on clear white", "plain palette"],
)
def test_plain_masks_are_no_guess(own: Path, make):
    write_mask(own, make())
    np.testing.assert_array_equal(read_mask(only_sample(own), trees.SIZE), SHAPE)
    assert found(own) == []


def test_inverted_and_empty_masks_are_found(own: Path):
    write_mask(own, Image.fromarray(np.where(CORNER, 0, 255).astype(np.uint8)))
    empty = own / "tile/ground_truth/crack/001_mask.png"
    Image.new("L", trees.SIZE[::-1]).save(empty)
    report = check(own)
    assert [(f.kind, f.path) for f in report.findings] == [
        ("large mask", "tile/ground_truth/crack/000_mask.png"),
        ("empty mask", "tile/ground_truth/crack/001_mask.png"),
    ]
    assert report.findings[0].detail.startswith("93 % are marked; is it inverted?")
    assert [kind for s in load_samples(own) for kind, _ in mask_doubts(s)] == [
        "large mask",
        "empty mask",
    ]


@pytest.mark.parametrize(
    ("image", "masks", "guessed"),
    [
        ("0001", ["0001", "0001_1"], True),  # 0001_1's picture is missing
        ("plate", ["plate_001"], True),
        ("bolt", ["bolt-7", "bolt-9"], True),
        ("cap", ["cap_mask", "cap_2"], True),
        ("gear", ["gear_0", "gear_1"], False),
        ("nut", ["nut_1", "nut_2", "nut_3"], False),
        ("pin", ["pin_mask_0", "pin_mask_1"], False),
        ("lid", ["lid_mask"], False),
    ],
)
def test_a_guess_at_pairing_is_a_finding(tmp_path: Path, image: str, masks: list[str], guessed):
    root = tmp_path / "own"
    trees.picture(root / "tile/test/good/000.png")
    trees.picture(root / f"tile/test/crack/{image}.png")
    for number, name in enumerate(masks):
        trees.mask(
            root / f"tile/ground_truth/crack/{name}.png", where=np.s_[number * 3 : number * 3 + 2]
        )
    expected = [("guessed pair", f"tile/test/crack/{image}.png")] if guessed else []
    assert found(root) == expected
    assert bool(doubts_of(load_samples(root))) == guessed
