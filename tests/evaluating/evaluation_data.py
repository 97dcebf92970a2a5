"""A small labelled dataset on disk, and a detector without a model that judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from adaclip.errors import AdaClipError
from adaclip.types import CheckpointInfo, Detection, Threshold


def write_dataset(
    root: Path, *, classes: Sequence[str] = ("nut", "tile"), count: int = 4, masks: bool = True
) -> Path:
    """`count` normal and `count` defective noisy pictures per class, as MVTec AD lays them out."""
    rng = np.random.default_rng(0)
    for class_name in classes:
        for defect in ("good", "hole", "scratch"):
            for index in range(count if defect == "good" else count // 2):
                height, width = rng.integers(30, 60, 2)
                pixels = rng.integers(80, 120, (height, width, 3), dtype=np.uint8)
                mask = np.zeros((height, width), np.uint8)
                if defect != "good":
                    y, x = rng.integers(2, 20, 2)
                    mask[y : y + 7, x : x + 9] = 255
                    pixels[mask > 0] = rng.integers(90, 200, 3)
                path = root / class_name / "test" / defect / f"{index:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
                if masks and defect != "good":
                    path = root / class_name / "ground_truth" / defect / f"{index:03d}_mask.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mask).save(path)
    return root


class BrightDetector:
    """Brightness is abnormality. Counts what it judges and can be told what to do before."""

    device = "cpu"
    precision = "fp32"

    def __init__(self, trained_on: tuple[str, ...] = ()) -> None:
        self.info = CheckpointInfo(
            id="bright",
            title="Bright",
            backbone="none",
            trained_on=trained_on,
            threshold=Threshold(value=0.5, source="made up", review_band=1.0),
            map_threshold=0.5,
            licence="MIT",
            sha256="0" * 64,
        )
        self.judged = 0
        self.prompts: set[str] = set()
        self.batches: list[int] = []
        self.before: Callable[[int], None] = lambda judged: None

    def describe_device(self) -> str:
        return "CPU, 1 thread, fp32"

    def detect(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> list[Detection]:
        images = list(images)
        self.batches.append(len(images))
        self.prompts.add(class_name)
        found = []
        for image in images:
            self.before(self.judged)
            self.judged += 1
            found.append(self._judge(image, class_name))
        return found

    def _judge(self, image: np.ndarray, class_name: str) -> Detection:
        if image[0, 0].tolist() == [255, 0, 255]:
            raise AdaClipError("there is no memory for this image")
        small = Image.fromarray(image).convert("L").resize((24, 24), Image.Resampling.BILINEAR)
        margin = ((np.asarray(small, np.float32) - 110) / 8).clip(-9, 9)
        peak = float(margin.max()) - 1
        return Detection(
            class_name=class_name,
            checkpoint="bright",
            image_size=image.shape[:2],
            model_margin_map=margin,
            model_anomaly_map=1 / (1 + np.exp(-8 * margin)),
            anomaly_margin=peak,
            anomaly_score=float(1 / (1 + np.exp(-peak))),
            seconds=0.25,
            device="cpu",
            precision="fp32",
        )
