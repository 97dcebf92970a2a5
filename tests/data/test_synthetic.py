"""The synthesiser: what it promises of pictures, masks and twins."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.data.synthetic import (
    DEFECT_TYPES,
    MATERIAL_KINDS,
    OBJECT_KINDS,
    SyntheticSample,
    examples,
    generate,
)
from adaclip.data.synthetic.generator import changed_pixels, spoil
from adaclip.data.synthetic.scene import Scene, draw_scene
from adaclip.errors import InputError

KINDS = MATERIAL_KINDS + OBJECT_KINDS
BUNDLED = Path(__file__).parents[2] / "demo" / "assets" / "examples"


def change(sample: SyntheticSample, twin: SyntheticSample) -> np.ndarray:
    """(H, W) int: change of the strongest channel against the normal twin, 0-255."""
    return np.abs(sample.image.astype(int) - twin.image.astype(int)).max(-1)


@pytest.fixture(params=["plastic", "toy_figure", "brain_scan"])
def scene(request: pytest.FixtureRequest) -> Scene:
    """A material, an object and a framed picture."""
    return draw_scene(np.random.default_rng(4), request.param, (256, 300))


def test_the_same_arguments_give_the_same_picture() -> None:
    """Twice the same call, bit for bit; the next index is another picture."""
    first, second, other = generate(3, 5), generate(3, 5), generate(3, 6)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)
    assert (first.class_name, first.defect_type, first.kind) == (
        second.class_name,
        second.defect_type,
        second.kind,
    )
    assert not np.array_equal(first.image, other.image)


def test_the_seed_decides_what_the_caller_leaves_open() -> None:
    """`defective` left open gives the picture that saying the same thing would give."""
    for index in range(6):
        left_open = generate(8, index, size=128)
        said = generate(8, index, size=128, defective=left_open.defect_type is not None)
        assert np.array_equal(left_open.image, said.image)


@pytest.mark.parametrize("size", [64, 224, 518])
def test_shapes_and_types(size: int) -> None:
    """Always square RGB bytes and a boolean mask of the size asked for."""
    for index in range(4):
        sample = generate(1, index, size=size)
        assert sample.image.shape == (size, size, 3)
        assert sample.image.dtype == np.uint8
        assert sample.image.flags.writeable
        assert sample.mask.shape == (size, size)
        assert sample.mask.dtype == bool


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(kind: str) -> None:
    """Normal pictures have an empty mask, a name in words, and something to see."""
    sample = generate(0, 1, size=256, defective=False, kinds=[kind])
    assert sample.kind == kind
    assert sample.defect_type is None
    assert not sample.mask.any()
    assert sample.image.std() > 0.5
    assert sample.class_name.replace(" ", "").replace("-", "").isalpha()


@pytest.mark.parametrize("defect", DEFECT_TYPES)
def test_every_defect_is_drawn_and_seen(defect: str) -> None:
    """The picture differs from its normal twin where the mask is, and is the same thing."""
    for index in range(3):
        wanted = {"size": 256, "defect_types": [defect]}
        sample = generate(2, index, defective=True, **wanted)
        twin = generate(2, index, defective=False, **wanted)
        assert sample.defect_type == defect
        assert (sample.class_name, sample.kind) == (twin.class_name, twin.kind)
        assert sample.mask.sum() >= 5
        # Grey levels of 255. Low, since a change of hue alone nearly vanishes in a grey picture;
        # the next test holds such cases down to a few.
        assert change(sample, twin)[sample.mask].mean() > 0.5


def test_nearly_all_defects_are_plain_to_see() -> None:
    """At most one in twenty changes its pixels by less than five grey levels."""
    means = []
    for index in range(40):
        sample = generate(91, index, size=256, defective=True)
        twin = generate(91, index, size=256, defective=False)
        means.append(change(sample, twin)[sample.mask].mean())
    assert np.mean(np.array(means) < 5) <= 0.05


def test_a_defect_at_full_size_has_twenty_pixels_or_more() -> None:
    """At 518 px no mask is too small to learn from, nor does one cover nearly everything."""
    for index in range(25):
        mask = generate(6, index, defective=True).mask
        assert 20 <= mask.sum() <= 0.65 * mask.size


def test_the_picture_changes_inside_the_mask_and_hardly_outside() -> None:
    """Against the normal twin the mean change inside is far larger than outside."""
    for index in range(20):
        sample = generate(7, index, size=300, defective=True)
        change_of = change(sample, generate(7, index, size=300, defective=False))
        assert change_of[sample.mask].mean() > 4 * change_of[~sample.mask].mean()


@pytest.mark.parametrize("defect", DEFECT_TYPES)
def test_the_mask_is_where_the_scene_changed(scene: Scene, defect: str) -> None:
    """Before the camera: every masked pixel or its neighbour changed, none far away did."""
    image, mask, _ = spoil(np.random.default_rng(9), scene, (defect,))
    difference = np.abs(image - scene.image).max(-1)
    assert mask.any()
    assert difference[mask].min() > 0.004
    # What is left out is fainter than what is in.
    if (outside := difference[~mask]).any():
        assert outside.max() <= 0.5 * difference.max() + 0.02


@pytest.mark.parametrize("defect", sorted(set(DEFECT_TYPES) - {"extra_part", "bend"}))
def test_defects_stay_on_the_object(scene: Scene, defect: str) -> None:
    """Only an extra or a bent part reaches over the contour."""
    mask = spoil(np.random.default_rng(1), scene, (defect,))[1]
    # Missing pieces take the soft contour with them, a pixel or so.
    assert (scene.foreground[mask] > 0.02).mean() > 0.97


def test_changed_pixels_follows_a_drawn_square() -> None:
    """A hard square on a flat picture is masked exactly; no change gives an empty mask."""
    flat = np.full((40, 50, 3), 0.5, np.float32)
    changed = flat.copy()
    changed[10:20, 15:30] += 0.2
    expected = np.zeros((40, 50), bool)
    expected[10:20, 15:30] = True
    assert np.array_equal(changed_pixels(flat, changed), expected)
    assert not changed_pixels(flat, flat).any()


def test_normal_and_defective_are_about_even() -> None:
    """Left open, about half of the pictures are defective, and both sorts of kind occur."""
    samples = [generate(11, index, size=64) for index in range(120)]
    assert 40 <= sum(sample.defect_type is not None for sample in samples) <= 80
    assert 35 <= sum(sample.kind in OBJECT_KINDS for sample in samples) <= 85


def test_about_half_of_the_pictures_are_grey() -> None:
    """Grey and near-grey pictures are as common as coloured ones."""
    spreads = [
        np.ptp(generate(12, index, size=64).image.astype(int), axis=-1).mean()
        for index in range(120)
    ]
    assert 0.35 <= np.mean(np.array(spreads) < 6) <= 0.75


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"seed": -1}, "-1"),
        ({"index": -2}, "-2"),
        ({"size": 10}, "10"),
        ({"size": 99999}, "99999"),
        ({"kinds": ["unicorn"]}, "unicorn"),
        ({"kinds": []}, "empty"),
        ({"defect_types": ["rust-proof"]}, "rust-proof"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, named: str) -> None:
    """An InputError says which value cannot be used."""
    with pytest.raises(InputError, match=named):
        generate(**{"seed": 0, "index": 0, **arguments})


def test_the_bundled_examples_are_what_the_command_draws(tmp_path: Path) -> None:
    """The files in the repository can be redrawn by anyone, and none is too heavy for a page."""
    assert examples.main([str(tmp_path)]) == 0
    listing = json.loads((BUNDLED / "examples.json").read_text(encoding="utf-8"))
    assert listing == json.loads((tmp_path / "examples.json").read_text(encoding="utf-8"))
    assert {entry["file"] for entry in listing} == {path.name for path in BUNDLED.glob("*.jpg")}
    for entry in listing:
        bundled, drawn = BUNDLED / entry["file"], tmp_path / entry["file"]
        assert bundled.stat().st_size < 150_000
        with Image.open(bundled) as first, Image.open(drawn) as second:
            gap = np.asarray(first).astype(int) - np.asarray(second).astype(int)
        # Another JPEG library may round differently; another drawing would differ far more.
        assert np.abs(gap).mean() < 1


def test_examples_show_a_defect_where_they_say_so() -> None:
    """Defective examples have a mask, flawless ones none."""
    for example in examples.EXAMPLES:
        _, mask = examples.draw(example)
        assert mask.any() == (example.defect is not None)


def test_the_examples_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a folder, or with one that cannot be written, it says so and fails."""
    assert examples.main([]) == 2
    assert "FOLDER" in capsys.readouterr().err
    assert examples.main(["/dev/null/nowhere"]) == 2
    assert "/dev/null/nowhere" in capsys.readouterr().err
