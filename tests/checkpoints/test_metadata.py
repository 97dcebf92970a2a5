"""What a checkpoint's header says is read without its tensors, and doubted."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from adaclip.checkpoints import catalogue, limits
from adaclip.config import ModelConfig, PreprocessingConfig
from adaclip.errors import CheckpointError
from tests.checkpoints.samples import METADATA, safetensors


def huge(**vision: float) -> dict[str, Any]:
    """A model whose backbone's config says so of its image tower."""
    return {"model": {"backbone_config": {"embed_dim": 64, "vision_cfg": vision}}}


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"a": inner}
    return inner


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "metadata format 2 and this version reads 1"),
        ({"format": None}, "metadata format None"),
        ({"title": None}, "'title'"),
        ({"map_threshold": True}, "'map_threshold'"),
        ({"map_threshold": 1.5}, "from 0 to 1"),
        ({"threshold": {"value": float("nan"), "source": "s"}}, "from 0 to 1"),
        ({"threshold": {"value": 0.5}}, "'threshold'"),
        ({"threshold": {"value": 0.5, "source": "s", "more": 1}}, "'threshold'"),
        ({"threshold": {"value": 0.5, "source": "s", "review_band": -1}}, "review band"),
        ({"trained_on": [1]}, "'trained_on'"),
        ({"includes_backbone": 1}, "'includes_backbone'"),
        ({"details": []}, "'details'"),
        ({"model": {"depth": 3}}, "unknown ModelConfig field"),
        ({"model": {"backbone": 3}}, "ModelConfig field backbone"),
        ({"preprocessing": {"zoom": 3}}, "unknown PreprocessingConfig field"),
        ({"model": {"image_size": -14}}, "model.image_size is -14; it has to be from 1 to 2048"),
        ({"model": {"image_size": 10**400}}, "model.image_size is too large"),
        ({"model": {"smoothing_sigma": float("nan")}}, "model.smoothing_sigma is nan"),
        ({"model": {"logit_scale": float("inf")}}, "model.logit_scale is inf"),
        ({"model": {"stage_layers": [1, 10**6]}}, "model.stage_layers is 1000000"),
        ({"model": {"stage_layers": [1] * 10_000}}, "stage_layers has 10,000 entries"),
        ({"model": {"clusters": 0}}, "model.clusters is 0"),
        ({"model": {"adapter_rank": 1 << 30}}, "model.adapter_rank"),
        ({"model": {"least_image_size": -1}}, "model.least_image_size"),
        ({"preprocessing": {"std": [0.0, 1.0, 1.0]}}, "preprocessing.std is 0.0"),
        ({"preprocessing": {"mean": [float("nan"), 1.0, 1.0]}}, "preprocessing.mean is nan"),
        (huge(layers=10**9), "vision_cfg.layers is 1000000000; it has to be from 1 to 128"),
        (huge(layers=128, width=8192), "describes 1.0e.11 parameters"),
        (huge(patch_size=0), "vision_cfg.patch_size is 0"),
        (huge(anything=1e300), "vision_cfg.anything is 1e.300"),
        ({"model": {"backbone_config": {str(n): n for n in range(1000)}}}, "more than 256 entries"),
        ({"model": {"backbone_config": nested(100)}}, "more than 256 entries"),
        ({"title": "x" * 301}, "title has 301 characters"),
        ({"trained_on": ["x"] * 1001}, "trained_on names 1,001 datasets"),
        ({"details": {"x": "y" * 1_000_001}}, "its AdaCLIP metadata has 1,000"),
    ],
)
def test_metadata_that_cannot_be_used_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(safetensors(METADATA | change))
    with pytest.raises(CheckpointError, match=message) as caught:
        catalogue.read_metadata(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "1"])
def test_metadata_that_is_no_object_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(safetensors(text))
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        catalogue.read_metadata(path)


def test_every_number_of_a_models_config_has_a_range() -> None:
    numbers = {
        field.name
        for kind in (ModelConfig, PreprocessingConfig)
        for field in dataclasses.fields(kind)
        if isinstance(field.default, int | float | tuple) and not isinstance(field.default, bool)
    }
    assert numbers == {*limits._MODEL, *limits._PREPROCESSING}


def test_metadata_written_by_safetensors_reads_back(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    from safetensors.numpy import save_file

    path = tmp_path / "c.safetensors"
    tensors = {"a": numpy.ones((3, 5), numpy.float32), "b": numpy.zeros(7, numpy.int8)}
    save_file(tensors, path, metadata={"adaclip": json.dumps(METADATA)})
    assert catalogue.read_metadata(path) == METADATA
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        catalogue.read_metadata(path)
