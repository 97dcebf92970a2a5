"""A small dataset in the MVTec layout, drawn anew for each test: dark spots on grey noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adaclip.config import TrainConfig

SIDE = 64


def write_set(
    root: Path,
    *,
    classes: tuple[str, ...] = ("plate", "metal_nut"),
    normal: int = 6,
    anomalous: int = 6,
    masks: bool = True,
    seed: int = 0,
) -> Path:
    """A tree `<class>/test/{good,spot}` with masks of the spots, if wanted."""
    rng = np.random.default_rng(seed)
    for class_name in classes:
        folder = root / class_name
        save(folder / "train" / "good" / "000.png", picture(rng)[0])
        for index in range(normal):
            save(folder / "test" / "good" / f"{index:03}.png", picture(rng)[0])
        for index in range(anomalous):
            pixels, mask = picture(rng, spot=True)
            save(folder / "test" / "spot" / f"{index:03}.png", pixels)
            if masks:
                path = folder / "ground_truth" / "spot" / f"{index:03}_mask.png"
                save(path, mask.astype(np.uint8) * 255)
    return root


def picture(rng: np.random.Generator, *, spot: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(64, 64, 3) uint8 and its mask (64, 64) bool."""
    pixels = rng.integers(120, 180, (SIDE, SIDE, 3)).astype(np.uint8)
    mask = np.zeros((SIDE, SIDE), bool)
    if spot:
        row, column = rng.integers(4, 36, 2)
        mask[row : row + 24, column : column + 24] = True
        pixels[mask] = (20, 30, 200)
    return pixels, mask


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def options(folder: Path, out: Path, **changes: Any) -> TrainConfig:
    """Of a short run on the fixture `folder`."""
    fields: dict[str, Any] = {
        "auxiliary": (str(folder / "set"),),
        "backbone": str(folder / "tiny.safetensors"),
        "out": str(out),
        "validation": 0.25,
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 2e-3,
        "precision": "fp32",
        "device": "cpu",
    }
    return TrainConfig(**(fields | changes))
