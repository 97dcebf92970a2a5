"""How the shipped checkpoint is built, on numbers small enough for a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adaclip.data.synthetic import MATERIAL_KINDS, OBJECT_KINDS
from adaclip.data.synthetic.catalogue import OBJECTS
from adaclip.engine import build_lite
from adaclip.engine.build_lite import (
    UNSEEN_COLLECTED,
    UNSEEN_KINDS,
    Recipe,
    metadata_of,
    name_for,
    train,
)
from adaclip.engine.lite_calibration import Judged
from adaclip.engine.lite_model import LITE_MODEL, LearnedParts, mean_of, standardise
from adaclip.engine.lite_pictures import POINTS_PER_PATCH, PicturePairs
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.backbone import build_clip
from adaclip.model.checkpoint import save_checkpoint
from adaclip.model.dinov2 import LITE_BACKBONE_CONFIG
from adaclip.stores.metadata import _check

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
    monkeypatch.setattr(build_lite.tqdm, "write", lines.append)
    visual: Any = model.clip.visual
    before = {k: v.clone() for k, v in visual.state_dict().items()}
    train(model, SMALL, tmp_path / "state", workers=0)
    assert all(torch.equal(v, before[k]) for k, v in visual.state_dict().items())
    assert model.adapters is not None
    assert all(change.up.abs().max() > 0 for change in model.adapters.changes().values())
    assert lines[-1].startswith("4/4 loss ")


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    ends = []
    for stops in (False, True):
        torch.manual_seed(0)
        training = build_lite.Training(
            AdaCLIP(build_clip(LITE_BACKBONE_CONFIG), LITE_MODEL), SMALL, {}
        )
        for index in range(3):
            training.take(training.pictures[index])
            if stops and index == 1:
                training.save(tmp_path / "state")
                torch.manual_seed(0)
                training = build_lite.Training(
                    AdaCLIP(build_clip(LITE_BACKBONE_CONFIG), LITE_MODEL), SMALL, {}
                )
                training.load(tmp_path / "state")
        ends.append(training.average)
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_the_learning_rate_is_a_cosine_whose_first_60_steps_are_held_back() -> None:
    rates = [build_lite._rate(step, 300) for step in range(302)]
    expected = np.cos(np.pi * np.arange(300) / 300 / 2) ** 2
    np.testing.assert_allclose(rates[59:300], expected[59:], rtol=1e-9)
    assert rates[0] == pytest.approx(expected[0] / 60)
    assert rates[300] == rates[301] == 0


def test_every_learned_parameter_gets_a_gradient_but_the_dead_prompt(model: AdaCLIP) -> None:
    parts = LearnedParts.of(model)
    [batch] = [PicturePairs(seed=1, pairs=1, sizes=(70,), kinds=OBJECT_KINDS, count=1)[0]]
    output = build_lite.run(model, batch.images, build_lite.text_prompts.tokenize("nut"))
    build_lite.loss_of(output, batch.masks, 0.25).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None]
    # A weight of 1 on the fused tokens leaves the class token out of the image vector.
    assert [n for n in without if not n.startswith("class_projection")] == [
        "text_prompts.static.blocks.0"
    ]
    assert all(p.grad is not None for p in parts.adapters)


def test_the_mean_of_several_is_the_mean_of_every_weight(model: AdaCLIP, tmp_path: Path) -> None:
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    other = AdaCLIP(build_clip(LITE_BACKBONE_CONFIG), LITE_MODEL)
    changes = []
    for path, one in zip(paths, (model, other), strict=True):
        assert one.adapters is not None
        for change in one.adapters.changes().values():
            change.approximate(torch.outer(change.up[0].detach() + 1, change.down[0].detach()))
        changes.append(one.adapters.changes())
        save_checkpoint(path, one, {}, with_backbone=True, int8=False)
    mean = mean_of(paths)
    assert mean.adapters is not None
    for name, change in mean.adapters.changes().items():
        # Two changes of rank 1 have a mean of rank 2, which fits.
        expected = (changes[0][name].matrix + changes[1][name].matrix) / 2
        torch.testing.assert_close(change.matrix, expected, atol=1e-4, rtol=1e-4)
    for both in (lambda m: m, lambda m: m.clip):
        named = (dict(both(m).named_parameters()) for m in (mean, model, other))
        found, *pair = named
        for name in found:
            if not name.startswith("adapters."):
                middle = (pair[0][name] + pair[1][name]) / 2
                torch.testing.assert_close(found[name], middle, atol=1e-6, rtol=1e-6)


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
    metadata = metadata_of(judged, Recipe())
    _check(Path("lite.safetensors"), metadata)
    assert metadata["threshold"]["value"] == pytest.approx(1 / (1 + np.exp(-0.8)), abs=1e-3)
    normal = np.concatenate([calm, odd])
    review = 0.8 - metadata["threshold"]["review_band"]
    assert (normal >= review).mean() == pytest.approx(0.1, abs=0.01)
    assert metadata["map_threshold"] == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1e-3)
    assert metadata["trained_on"] == ["synthetic"]
