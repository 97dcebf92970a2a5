"""A page's worth of services with the stub behind them, and files to upload."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from adaclip.types import Threshold
from demo.batch import Batch, ResultStore
from tests.demo.stub import infos, stub_detection, stub_services, tile

DEFECT = (40, 30, 80, 70)


@pytest.fixture
def services(tmp_path: Path):
    return stub_services(tmp_path / "served")


@pytest.fixture
def upload(tmp_path: Path):
    """Write a picture where Gradio would have put an upload: HASH/NAME."""

    def write(name: str = "tile.png", pixels=None, content: bytes | None = None) -> Path:
        folder = tmp_path / "served" / ("a" * 60 + f"{len(list(tmp_path.glob('served/*'))):04d}")
        folder.mkdir(parents=True)
        path = folder / name
        if content is not None:
            path.write_bytes(content)
        else:
            Image.fromarray(tile([DEFECT]) if pixels is None else pixels).save(path)
        return path

    return write


@pytest.fixture
def batch(services, upload) -> Batch:
    """One judged picture: a light tile with one dark box."""
    path = upload()
    store: ResultStore = services.store
    made = store.get(store.create([("tile.png", path)]))
    assert made is not None
    item = made.current
    item.detection = stub_detection(tile([DEFECT]))
    item.size = (120, 160)
    made.checkpoint, made.class_name, made.phase = infos()[0], "tile", "done"
    made.threshold = Threshold(value=0.5, source="F1-max", review_band=1.0)
    return made
