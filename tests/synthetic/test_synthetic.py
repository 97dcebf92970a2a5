"""The synthesiser: what it promises of pictures, masks and twins."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from adaclip.errors import InputError
from adaclip.synthetic import (
    BENCHMARK_DEFECTS,
    BENCHMARK_KINDS,
    DEFECT_TYPES,
    MATERIAL_KINDS,
    OBJECT_KINDS,
    SyntheticSample,
    __main__,
    catalogue,
    examples,
    generate,
    sheet,
)
from adaclip.synthetic.canvas import camera
from adaclip.synthetic.canvas.camera import Exposure, draw_exposure
from adaclip.synthetic.generator import changed_pixels, spoil
from adaclip.synthetic.kinds import held_out
from adaclip.synthetic.scene import Scene, draw_scene

KINDS = MATERIAL_KINDS + OBJECT_KINDS + BENCHMARK_KINDS
DEFECTS = DEFECT_TYPES + BENCHMARK_DEFECTS
# These put material beside the object; the rest stays on it.
REACH_OVER = {"extra_part", "bend", "broken_off", "misfit", "extra_limb"}
SHEET = Path(__file__).parents[2] / "datasets_meta" / "synthetic_sheet.jpg"
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


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_is_drawn_and_seen(defect: str) -> None:
    """The picture differs from its normal twin where the mask is, and is the same thing."""
    for index in range(3):
        wanted = {"size": 256, "defect_types": [defect]}
        sample = generate(2, index, defective=True, **wanted)
        twin = generate(2, index, defective=False, **wanted)
        assert sample.defect_type == defect
        assert (sample.class_name, sample.kind) == (twin.class_name, twin.kind)
        assert sample.mask.sum() >= 5
        # Grey levels of 255, after blur and compression.
        assert change(sample, twin)[sample.mask].mean() > 3


@pytest.mark.parametrize("defect", ["colour", "wrong_colour", "stain", "texture", "corrosion"])
def test_a_change_of_hue_is_seen_in_a_grey_picture(defect: str) -> None:
    """Where the camera drops the colour, the defect is drawn until it differs in tone too."""
    grey = 0
    for index in range(12):
        wanted = {"size": 160, "defect_types": [defect]}
        sample = generate(92, index, defective=True, **wanted)
        if np.ptp(sample.image.astype(int), axis=-1).max() > 12:
            continue
        grey += 1
        twin = generate(92, index, defective=False, **wanted)
        assert change(sample, twin)[sample.mask].mean() > 3
    assert grey


def test_nearly_all_defects_are_plain_to_see() -> None:
    """Hardly any changes its pixels by less than five grey levels, none by less than three."""
    means = []
    for index in range(40):
        sample = generate(91, index, size=256, defective=True)
        twin = generate(91, index, size=256, defective=False)
        means.append(change(sample, twin)[sample.mask].mean())
    assert np.mean(np.array(means) < 5) <= 0.025
    assert min(means) > 3


def test_another_process_draws_the_same() -> None:
    """Nothing depends on the process: hash seeds, caches or the order of sets."""

    def digest() -> str:
        bits = hashlib.sha256()
        for index in range(3):
            sample = generate(14, index, size=96, defective=True)
            bits.update(sample.image.tobytes() + sample.mask.tobytes())
        return bits.hexdigest()

    code = (
        "import hashlib\nfrom adaclip.synthetic import generate\n"
        "bits = hashlib.sha256()\n"
        "for index in range(3):\n"
        "    s = generate(14, index, size=96, defective=True)\n"
        "    bits.update(s.image.tobytes() + s.mask.tobytes())\n"
        "print(bits.hexdigest())\n"
    )
    # Code of our own, run by this interpreter.
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest()


def test_held_out_kinds_and_defects_are_apart_from_the_trained_ones() -> None:
    """No name in common, nor a drawing function, nor a name a thing goes by."""
    assert not set(BENCHMARK_KINDS) & set(MATERIAL_KINDS + OBJECT_KINDS)
    assert not set(BENCHMARK_DEFECTS) & set(DEFECT_TYPES)
    assert len(BENCHMARK_KINDS) == 8
    trained = [*catalogue.MATERIALS.values(), *catalogue.OBJECTS.values()]
    held = [*held_out.MATERIALS.values(), *held_out.OBJECTS.values()]
    assert not {entry[0] for entry in trained} & {entry[0] for entry in held}
    names = {name for entry in trained for name in entry[2]}
    assert not names & {name for entry in held for name in entry[2]}


def test_what_is_held_out_is_never_drawn_unasked() -> None:
    """With nothing said, only kinds and defects for training come up; asked for, the others."""
    for index in range(60):
        sample = generate(17, index, size=64, defective=True)
        assert sample.kind in MATERIAL_KINDS + OBJECT_KINDS
        assert sample.defect_type in DEFECT_TYPES
    asked = {"kinds": BENCHMARK_KINDS, "defect_types": BENCHMARK_DEFECTS}
    for index in range(12):
        sample = generate(17, index, size=96, defective=True, **asked)
        assert sample.kind in BENCHMARK_KINDS
        assert sample.defect_type in BENCHMARK_DEFECTS


def test_a_defect_at_full_size_has_twenty_pixels_or_more() -> None:
    """At 518 px no mask is too small to learn from, nor does one cover nearly everything."""
    for index in range(25):
        mask = generate(6, index, defective=True).mask
        assert 20 <= mask.sum() <= 0.65 * mask.size


def test_the_picture_changes_inside_the_mask_and_hardly_outside() -> None:
    """Against the normal twin the mean change inside is far larger than outside."""
    for index in range(10):
        sample = generate(7, index, size=300, defective=True)
        change_of = change(sample, generate(7, index, size=300, defective=False))
        assert change_of[sample.mask].mean() > 4 * change_of[~sample.mask].mean()


def test_away_from_the_mask_only_compression_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without JPEG, whose blocks spread a change, nothing but soft edges is left outside."""

    def uncompressed(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
        rng.integers(45, 96)
        return picture

    monkeypatch.setattr(camera, "_compress", uncompressed)
    for index in range(10):
        sample = generate(7, index, size=300, defective=True)
        change_of = change(sample, generate(7, index, size=300, defective=False))
        away = change_of[~ndimage.binary_dilation(sample.mask, iterations=12)]
        assert np.median(away) == 0
        assert np.quantile(away, 0.995) <= 10


@pytest.mark.parametrize("kind", BENCHMARK_KINDS)
def test_every_held_out_defect_is_drawn_on_every_held_out_kind(kind: str) -> None:
    """The benchmark shows each of them on each, and none swallows the picture."""
    for defect in BENCHMARK_DEFECTS:
        wanted = {"size": 160, "kinds": [kind], "defect_types": [defect]}
        sample = generate(23, 4, defective=True, **wanted)
        assert (sample.kind, sample.defect_type) == (kind, defect)
        assert 5 <= sample.mask.sum() <= 0.65 * sample.mask.size


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_mask_is_where_the_scene_changed(scene: Scene, defect: str) -> None:
    """Before the camera: every masked pixel or its neighbour changed, none far away did."""
    image, mask, _ = spoil(np.random.default_rng(9), scene, (defect,))
    difference = np.abs(image - scene.image).max(-1)
    assert mask.any()
    assert difference[mask].min() > 0.004
    # What is left out is fainter than what is in.
    if (outside := difference[~mask]).any():
        assert outside.max() <= 0.5 * difference.max() + 0.02


@pytest.mark.parametrize("defect", sorted(set(DEFECTS) - REACH_OVER))
def test_defects_stay_on_the_object(scene: Scene, defect: str) -> None:
    """Only extra, moved and bent parts reach over the contour."""
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


def test_a_hairline_is_thin_long_and_dark() -> None:
    """Hairlines on rough ground are a few pixels wide, run far and darken what they cross."""
    for index in range(8):
        wanted = {"kinds": ["asphalt", "concrete", "cast_metal"], "defect_types": ["hairline"]}
        scene_rng = np.random.default_rng((5, index))
        scene = draw_scene(scene_rng, wanted["kinds"][index % 3], (400, 400))
        image, mask, name = spoil(scene_rng, scene, ("hairline",))
        assert name == "hairline"
        assert (image[mask].mean(-1) < scene.image[mask].mean(-1)).mean() > 0.9
        # Area over length: a line of 3 px has about a third of its pixels along its middle.
        rows, columns = np.nonzero(mask)
        length = max(np.ptp(rows), np.ptp(columns))
        assert length > 25
        assert mask.sum() < 60 * length


def test_the_exposure_of_some_pixels_is_that_of_the_whole_picture() -> None:
    """Developing only masked pixels gives what developing all of them gives there."""
    image = np.random.default_rng(3).random((40, 60, 3), dtype=np.float32)
    mask = np.zeros((40, 60), bool)
    mask[10:20, 5:50] = True
    for seed in range(8):
        exposure = draw_exposure(np.random.default_rng(seed), (40, 60))
        whole = exposure.develop(image)
        assert whole.min() >= 0
        assert whole.max() <= 1
        assert np.allclose(whole[mask], exposure.develop(image[mask], mask), atol=1e-6)


def test_an_exposure_without_saturation_is_grey() -> None:
    """Pure hues of the same luminance come out alike."""
    exposure = Exposure(
        gain=None,
        saturation=0.0,
        contrast=1.0,
        offset=0.0,
        gamma=1.0,
        balance=np.ones(3, np.float32),
    )
    red, green = np.array([[[0.59, 0, 0]], [[0, 0.3, 0]]], np.float32)
    assert np.allclose(exposure.develop(red), exposure.develop(green), atol=1e-6)
    assert np.allclose(exposure.develop(red), 0.177, atol=1e-6)


def test_normal_and_defective_are_about_even() -> None:
    """Left open, about half of the pictures are defective, and both sorts of kind occur."""
    samples = [generate(11, index, size=64) for index in range(120)]
    assert 40 <= sum(sample.defect_type is not None for sample in samples) <= 80
    assert 35 <= sum(sample.kind in OBJECT_KINDS for sample in samples) <= 85


def test_grey_pictures_are_common() -> None:
    """A third to three quarters of the pictures are grey or near it."""
    spreads = [
        np.ptp(generate(12, index, size=64).image.astype(int), axis=-1).mean()
        for index in range(120)
    ]
    assert 0.3 <= np.mean(np.array(spreads) < 6) <= 0.75


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


def test_the_bundled_sheet_shows_every_kind() -> None:
    """The sheet in the repository has two tiles for each kind and is light enough for a page."""
    assert SHEET.stat().st_size <= 400_000
    with Image.open(SHEET) as picture:
        tiles = np.asarray(picture.convert("RGB")).astype(int)
    number = len(KINDS) - 1
    last = sheet.draw_pair(number, KINDS[number])
    assert last[0].kind == KINDS[number]
    assert last[0].defect_type is None
    assert last[1].defect_type in BENCHMARK_DEFECTS
    top, left = 13 + number // 8 * 101, number % 8 * 176
    drawn = np.asarray(Image.fromarray(last[0].image).resize((88, 88))).astype(int)
    assert np.abs(tiles[top : top + 88, left : left + 88] - drawn).mean() < 6


def test_the_sheet_command_draws_and_explains_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes the file it is told to; another format or a closed folder is named."""
    monkeypatch.setattr(sheet, "draw_sheet", lambda framed: Image.new("RGB", (8 + framed, 8)))
    assert __main__.main(["--sheet", str(tmp_path / "kinds.png")]) == 0
    with Image.open(tmp_path / "kinds.png") as picture:
        assert picture.size == (8, 8)
    assert __main__.main(["--sheet", str(tmp_path / "kinds.jpg"), "--framed"]) == 0
    with Image.open(tmp_path / "kinds.jpg") as framed:
        assert framed.width == 9
    assert __main__.main(["--sheet", str(tmp_path / "kinds.txt")]) == 2
    assert "kinds.txt" in capsys.readouterr().err
    assert __main__.main(["--sheet", "/dev/null/kinds.png"]) == 2
    assert "/dev/null/kinds.png" in capsys.readouterr().err
