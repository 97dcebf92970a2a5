"""How the shipped checkpoint is built, on numbers small enough for a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adaclip.engine import build_lite, lite_features
from adaclip.engine.build_lite import Recipe, batches, metadata_of, read_features, train
from adaclip.engine.lite_features import LITE_MODEL, FeatureStore, Scaling
from adaclip.model import text_prompts
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.backbone import build_clip
from adaclip.model.dinov2 import LITE_BACKBONE_CONFIG
from adaclip.stores.metadata import _check


@pytest.fixture
def stores(tmp_path: Path) -> list[FeatureStore]:
    """Two stores of made-up tokens: in every other picture a corner differs, as its mask says."""
    filled = []
    for seed, count in ((1, 16), (2, 8)):
        store = FeatureStore(tmp_path, seed, count)
        rng = np.random.default_rng(seed)
        store.tokens[:] = rng.normal(size=store.tokens.shape) * 0.02 + 0.1
        store.class_tokens[:] = rng.normal(size=store.class_tokens.shape)
        store.masks[:] = 0
        store.masks[::2, :40, :40] = 255
        corner = (np.arange(37)[:, None] < 10) & (np.arange(37)[None] < 10)
        store.tokens[::2, :, corner.ravel(), :8] += 0.2
        store.names[:] = "metal nut"
        filled.append(store)
    return filled


@pytest.fixture
def model() -> AdaCLIP:
    torch.manual_seed(0)
    return AdaCLIP(build_clip(LITE_BACKBONE_CONFIG), LITE_MODEL)


def test_scaling_in_the_projections_is_scaling_of_the_tokens(
    stores: list[FeatureStore], model: AdaCLIP
) -> None:
    rows, ids = np.arange(4), text_prompts.tokenize("metal nut")
    stores[0].scaling = Scaling.of(stores[0])
    with torch.inference_mode():
        scaled = read_features(model, stores[0], rows, ids)
    stores[0].scaling.fold_into(model)
    stores[0].scaling = None
    with torch.inference_mode():
        folded = read_features(model, stores[0], rows, ids)
    torch.testing.assert_close(folded.patch_margins, scaled.patch_margins, atol=0.02, rtol=0)


def test_an_epoch_shows_every_picture_once() -> None:
    names = [f"name {index}" for index in range(21)]
    epoch = list(batches(names, Recipe(), np.random.default_rng(0)))
    rows = np.concatenate([rows for rows, _ in epoch])
    assert sorted(rows.tolist()) == list(range(21))
    assert all(isinstance(name, str) for _, name in epoch)


def test_training_learns_and_leaves_the_image_tower_alone(
    stores: list[FeatureStore], model: AdaCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(build_lite.tqdm, "write", lines.append)
    before = {k: v.clone() for k, v in model.clip.visual.state_dict().items()}
    recipe = replace(Recipe(), epochs=3)
    train(model, stores[0], recipe, stores[1])
    after: Any = model.clip.visual.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert float(lines[-1].split("loss ")[1].split()[0]) < float(
        lines[0].split("loss ")[1].split()[0]
    )
    metadata = metadata_of(model, stores[1], recipe)
    _check(Path("lite.safetensors"), metadata)
    assert 0 < metadata["threshold"]["value"] < 1
    assert metadata["trained_on"] == ["synthetic"]


def test_what_is_done_is_kept_on_disk(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, 5, 4)
    store.names[2] = "bottle"
    again = FeatureStore(tmp_path, 5, 4)
    assert [bool(name) for name in again.names] == [False, False, True, False]
    assert again.masks.shape[1] == lite_features.LOSS_SIZE
