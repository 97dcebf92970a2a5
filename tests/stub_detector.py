"""A detector without a model, for tests of what stands around the engine."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.checkpoints import catalogue
from adaclip.errors import InputError
from adaclip.types import CheckpointInfo, Detection, Threshold

# What a line of `detect --format json` holds, in this order.
FIELDS = [
    "image",
    "class_name",
    "anomaly_score",
    "verdict",
    "threshold",
    "threshold_source",
    "checkpoint",
    "seconds",
]


class StubDetector:
    """Brightness is abnormality: an image of mean 204 scores 0.8. Works in batches, like ours."""

    def __init__(self) -> None:
        self.info = CheckpointInfo(
            id="stub",
            title="Stub",
            backbone="none",
            trained_on=("synthetic",),
            threshold=Threshold(value=0.6, source="made up", review_band=1.0),
            map_threshold=0.5,
            licence="MIT",
            path=Path("stub.safetensors"),
        )
        self.before: Callable[[int], None] = lambda index: None
        self.asked: dict[str, object] = {}
        self.read = 0

    def load(self, checkpoint: str, **options: object) -> StubDetector:
        self.asked = {"checkpoint": checkpoint, **options}
        return self

    def stream(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> Iterator[Detection]:
        if len(class_name) > 80:
            raise InputError("the class name is too long")
        self.asked |= {"class_name": class_name, "batch_size": batch_size}
        return self._stream(iter(images), class_name, batch_size or 1)

    def _stream(
        self, images: Iterator[np.ndarray], class_name: str, size: int
    ) -> Iterator[Detection]:
        while batch := list(islice(images, size)):
            for image in batch:
                self.before(self.read)
                self.read += 1
                yield self._judge(image, class_name)

    def _judge(self, image: np.ndarray, class_name: str) -> Detection:
        score = float(image.mean() / 255)
        return Detection(
            class_name=class_name,
            checkpoint="stub",
            image_size=image.shape[:2],
            model_margin_map=np.full((16, 16), 10 * score - 5, np.float32),
            model_anomaly_map=np.full((16, 16), score, np.float32),
            anomaly_margin=0.0,
            anomaly_score=score,
            seconds=0.25,
            device="cpu",
            precision="fp32",
        )

    def install(self, monkeypatch: pytest.MonkeyPatch) -> StubDetector:
        """Stand in for the engine and for the catalogue's `find`."""
        module = types.ModuleType("adaclip.detecting.detector")
        module.load_detector = self.load  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "adaclip.detecting.detector", module)
        monkeypatch.setattr(catalogue, "find", lambda checkpoint: self.info)
        return self


def save(path: Path, level: int = 51, size: tuple[int, int] = (24, 16)) -> Path:
    """A picture of mean `level`; not of one value, which is noted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), level, np.uint8)
    pixels[0, :2] = [[level + 1], [level - 1]]
    Image.fromarray(pixels).save(path, format="PNG")
    return path


def json_lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]
