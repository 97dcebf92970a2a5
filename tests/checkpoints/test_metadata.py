"""What a checkpoint's header says is read without its tensors, and doubted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adaclip.checkpoints import catalogue
from adaclip.errors import CheckpointError
from tests.checkpoints.samples import METADATA, safetensors


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
