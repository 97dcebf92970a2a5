"""Small made-up features: unit tokens around a few prototypes, no model."""

from __future__ import annotations

import numpy as np

from adaclip.comparing.features import Features
from adaclip.types import Detection

STAGES, WIDTH = 2, 16


def detection(margin: float = 0.0) -> Detection:
    return Detection(
        class_name="nut",
        checkpoint="made-up",
        image_size=(30, 40),
        model_margin_map=np.full((12, 12), margin, np.float32),
        model_anomaly_map=np.full((12, 12), 0.5, np.float32),
        anomaly_margin=margin,
        anomaly_score=0.5,
        seconds=0.1,
        device="cpu",
        precision="fp32",
    )


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float16)


def features(
    seed: int, *, defect: bool = False, grid: tuple[int, int] = (6, 8), model: str = "m"
) -> Features:
    """A picture of one object; a defect is a corner of patches that no other picture has."""
    rng = np.random.default_rng(seed)
    layout = np.random.default_rng(99).normal(size=(STAGES, 1, WIDTH))
    tokens = layout + 0.25 * rng.normal(size=(STAGES, grid[0] * grid[1], WIDTH))
    if defect:
        tokens[:, :3] = rng.normal(size=(STAGES, 3, WIDTH)) * 3
    margin = float(rng.normal()) + (1.5 if defect else 0.0)
    return Features(
        grid=grid,
        tokens=unit(tokens),
        class_token=unit(layout[0, 0] + 0.1 * rng.normal(size=WIDTH)),
        patch_margins=rng.normal(size=grid[0] * grid[1]).astype(np.float32),
        anomaly_margin=margin,
        picture=f"{seed:064x}"[::-1],
        model=model,
        detection=detection(margin),
    )
