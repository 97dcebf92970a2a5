"""A weights folder and a stand-in hub with tiny files."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from adaclip.checkpoints import download
from tests.checkpoints.hub_server import HubServer

FIRST = "cubert-gmbh/adaclip/resolve/main/pretrained_all.pth"
SECOND = "spaces/Caoyunkang/AdaCLIP/resolve/main/weights/pretrained_all.pth"
BACKBONE = "timm/vit_large_patch14_clip_336.openai/resolve/main/open_clip_model.safetensors"
PICKLED = "timm/vit_large_patch14_clip_336.openai/resolve/main/open_clip_pytorch_model.bin"
WEIGHTS = random.Random(0).randbytes(200_000)
CLIP = random.Random(1).randbytes(50_000)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder that does not exist yet, and waits too short to notice."""
    folder = tmp_path / "weights home"
    monkeypatch.setenv("ADACLIP_HOME", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(download, "RETRY_SECONDS", (0.01, 0.01, 0.01))
    monkeypatch.setattr(download, "PROGRESS_SECONDS", 0.0)
    return folder


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer(files={FIRST: WEIGHTS, SECOND: WEIGHTS, BACKBONE: CLIP}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
        yield server


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}
