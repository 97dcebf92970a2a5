"""What several tests of training start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import write_tiny
from tests.training.training_set import write_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint, `tiny.safetensors`, and a dataset, `set`."""
    folder = tmp_path_factory.mktemp("training")
    write_tiny(folder / "tiny.safetensors", logit_scale=30.0)
    write_set(folder / "set", normal=4, anomalous=4)
    return folder
