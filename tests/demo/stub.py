"""A detector without a model: the darker a pixel, the more anomalous. Counts its calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from adaclip.errors import CheckpointError
from adaclip.types import CheckpointInfo, Detection, Threshold
from demo.batch import ResultStore
from demo.services import Services

SIDE = 64
HOW_TO_GET = "Run `python -m adaclip fetch published`. By hand: put it into the weights folder."


def infos() -> list[CheckpointInfo]:
    """A small one that is here, one trained on MVTec AD, one that is not here."""
    facts = {
        "backbone": "stub",
        "threshold": Threshold(value=0.5, source="F1-max on synthetic parts", review_band=1.0),
        "map_threshold": 0.5,
        "licence": "MIT",
    }
    return [
        CheckpointInfo(
            id="lite",
            title="Lite",
            trained_on=("synthetic",),
            path=Path(__file__),
            size_bytes=31_000_000,
            **facts,
        ),
        CheckpointInfo(
            id="mvtec",
            title="AdaCLIP · MVTec AD",
            trained_on=("mvtec", "colondb"),
            path=Path(__file__),
            **facts | {"threshold": Threshold(value=0.9, source="stored")},
        ),
        CheckpointInfo(
            id="published",
            title="AdaCLIP · VisA",
            trained_on=("visa", "clinicdb"),
            how_to_get=HOW_TO_GET,
            **facts,
        ),
    ]


class StubDetector:
    """`stream` and `detect` as the engine's; `calls` counts images."""

    device, precision = "cpu", "fp32"

    def __init__(self, info: CheckpointInfo, seconds: float) -> None:
        self.info, self.slow = info, seconds
        self.calls = 0

    def describe_device(self) -> str:
        return "CPU, 2 threads, fp32"

    def detect(
        self, images: Sequence[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> list[Detection]:
        return list(self.stream(images, class_name, batch_size=batch_size))

    def stream(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> Iterator[Detection]:
        for image in images:
            self.calls += 1
            time.sleep(self.slow)
            yield stub_detection(image, class_name, self.info.id)


def stub_detection(image: np.ndarray, class_name: str = "tile", checkpoint: str = "lite"):
    """Dark parts are anomalous; the score is the highest of the map."""
    grey = Image.fromarray(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    anomaly_map = 1.0 - np.asarray(grey, dtype=np.float32) / 255.0
    inner = np.clip(anomaly_map, 1e-4, 1 - 1e-4)
    margin = np.log(inner / (1 - inner)).astype(np.float32)
    return Detection(
        class_name=class_name,
        checkpoint=checkpoint,
        image_size=image.shape[:2],
        model_margin_map=margin,
        model_anomaly_map=anomaly_map,
        anomaly_margin=float(margin.max()),
        anomaly_score=float(anomaly_map.max()),
        seconds=0.25,
        device="CPU, 2 threads",
        precision="fp32",
    )


class StubPool:
    """Every listed checkpoint that is here; one detector each."""

    device_name = "CPU, 2 threads, fp32"

    def __init__(self, seconds: float = 0.0, load_seconds: float = 0.0) -> None:
        self._seconds, self._load_seconds = seconds, load_seconds
        self.detectors: dict[str, StubDetector] = {}
        self._lock = threading.Lock()

    def get(self, checkpoint_id: str) -> StubDetector:
        with self._lock:
            if checkpoint_id not in self.detectors:
                known = {info.id: info for info in infos() if info.present}
                if checkpoint_id not in known:
                    raise CheckpointError(f"{checkpoint_id!r} is not on this machine")
                time.sleep(self._load_seconds)
                self.detectors[checkpoint_id] = StubDetector(known[checkpoint_id], self._seconds)
            return self.detectors[checkpoint_id]

    def state(self, checkpoint_id: str) -> str:
        if checkpoint_id in self.detectors:
            return "ready"
        return "idle" if any(i.id == checkpoint_id and i.present for i in infos()) else "absent"

    def failure(self, checkpoint_id: str) -> str | None:
        return None

    @property
    def calls(self) -> int:
        return sum(detector.calls for detector in self.detectors.values())


def stub_services(folder: Path, *, seconds: float = 0.0, load_seconds: float = 0.0, **changes):
    """Services with the stub behind them."""
    values = {
        "pool": StubPool(seconds, load_seconds),
        "store": ResultStore(folder),
        "catalogue": infos,
        "fetch": no_hub,
        "downloads": lambda checkpoint_id: [("hub",)] if checkpoint_id == "published" else [],
    }
    return Services(**values | changes)


def no_hub(checkpoint_id: str, **_: object) -> None:
    raise CheckpointError(f"the hub cannot be reached for {checkpoint_id}")


def tile(defects: Sequence[tuple[int, int, int, int]] = (), size: tuple[int, int] = (120, 160)):
    """(H, W, 3) uint8: a light tile with dark boxes (x0, y0, x1, y1)."""
    pixels = np.full((*size, 3), 235, np.uint8)
    for x0, y0, x1, y1 in defects:
        pixels[y0:y1, x0:x1] = 15
    return pixels
