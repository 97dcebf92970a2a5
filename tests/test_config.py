"""Stored configs are checked field by field before anything is built from them."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from adaclip.config import ModelConfig, PreprocessingConfig
from adaclip.errors import CheckpointError
from adaclip.types import Threshold


def test_what_was_stored_comes_back() -> None:
    config = ModelConfig(stage_layers=(1, 2), prompt_kind="static")
    stored = asdict(config) | {"stage_layers": [1, 2]}
    assert ModelConfig.from_mapping(stored) == config
    assert PreprocessingConfig.from_mapping(asdict(PreprocessingConfig())) == PreprocessingConfig()


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ({"surprise": 1}, "surprise"),
        ({"image_size": "518"}, "image_size"),
        ({"stage_layers": [1, "2"]}, "stage_layers"),
        ({"prompt_kind": "foo"}, "foo"),
        ({"prompted_encoders": "neither"}, "neither"),
        ({"round_prompts_to_half": 1}, "round_prompts_to_half"),
        ({"backbone": None}, "backbone"),
    ],
)
def test_what_does_not_fit_is_named(field: dict, named: str) -> None:
    with pytest.raises(CheckpointError, match=named):
        ModelConfig.from_mapping(field)


def test_pre_processing_of_another_version_is_refused() -> None:
    with pytest.raises(CheckpointError, match="version=2"):
        PreprocessingConfig.from_mapping({"version": 2})


@pytest.mark.parametrize("value", [0.0, 1e-6, 0.5, 0.9999, 1.0])
def test_review_starts_at_or_below_the_threshold(value: float) -> None:
    threshold = Threshold(value=value, source="test", review_band=200.0)
    assert 0.0 <= threshold.review_value <= value
    assert threshold.verdict(value) == "anomalous"
