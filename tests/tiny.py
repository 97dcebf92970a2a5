"""A tiny random model in real checkpoint files: for testing the machinery, never for detecting."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from adaclip.config import ModelConfig, PreprocessingConfig
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.adapters import LowRankChange
from adaclip.model.backbone import build_clip, fit_to_image_size
from adaclip.model.checkpoint import published_state, save_checkpoint

TINY_CLIP = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 56, "layers": 4, "width": 128, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 3},
}


def tiny_model(seed: int = 0, **changes: object) -> AdaCLIP:
    fields: dict = {
        "backbone": "tiny",
        "backbone_config": TINY_CLIP,
        "image_size": 84,
        "stage_layers": (1, 2, 3, 4),
        "prompt_length": 2,
        "prompt_depth": 3,
        "clusters": 3,
        "logit_scale": 10.0,
        "smoothing_sigma": 1.0,
    }
    torch.manual_seed(seed)
    config = ModelConfig(**(fields | changes))
    clip = build_clip(TINY_CLIP)
    fit_to_image_size(clip, config.image_size)
    return AdaCLIP(clip, config).eval()


def changes(model: AdaCLIP) -> list[LowRankChange]:
    """What low-rank adapters change, a matrix each."""
    return [part for part in model.modules() if isinstance(part, LowRankChange)]


def tiny_metadata(model: AdaCLIP, title: str = "Tiny", **changes: object) -> dict:
    config = asdict(model.config)
    return {
        "format": 1,
        "title": title,
        "model": config,
        "preprocessing": asdict(PreprocessingConfig()),
        "trained_on": ["synthetic"],
        "threshold": {"value": 0.5, "source": "made up for tests", "review_band": 0.5},
        "map_threshold": 0.5,
        "licence": "MIT",
        "includes_backbone": True,
        "details": {},
    } | changes


def write_tiny(path: Path, seed: int = 0, *, int8: bool = False, **changes: object) -> Path:
    """Write a complete checkpoint of our own at the backbone's native size."""
    model = tiny_model(seed, image_size=56, **changes)
    save_checkpoint(path, model, tiny_metadata(model, path.stem), with_backbone=True, int8=int8)
    return path


def write_published(path: Path, model: AdaCLIP) -> Path:
    """Write a model's learned parameters as the authors' files hold them."""
    torch.save(published_state(model.state_dict()), path)
    return path
