"""The stored reference models, rebuilt from their weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from adaclip.config import ModelConfig
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.backbone import build_clip
from adaclip.model.checkpoint import _our_name, load_learned

GOLDEN = Path(__file__).parent / "golden"
CASES = ("VL_SD", "VL_S", "V_SD", "L_SD", "none_none")
CLASS_NAMES = ("metal nut", "candle")
ENCODERS = {"VL": "both", "V": "image", "L": "text", "none": "none"}
KINDS = {"SD": "hybrid", "S": "static", "none": "none"}


def values(name: str) -> np.lib.npyio.NpzFile:
    return np.load(GOLDEN / f"{name}.npz")


def tiny_clip_config() -> dict:
    return json.loads((GOLDEN / "config.json").read_text(encoding="utf-8"))["cfg"]


def tiny_config(case: str, **changes: object) -> ModelConfig:
    encoders, kind = case.split("_")
    fields: dict = {
        "backbone": "tiny",
        "backbone_config": tiny_clip_config(),
        "image_size": 70,
        "stage_layers": (1, 2, 3, 4),
        "prompted_encoders": ENCODERS[encoders],
        "prompt_kind": KINDS[kind],
        "prompt_length": 2,
        "prompt_depth": 3,
        "clusters": 4,
        "fusion_weight": 0.0,
        "round_prompts_to_half": False,
    }
    return ModelConfig(**(fields | changes))


def stored_model(case: str, **changes: object) -> AdaCLIP:
    stored = values(f"model_{case}")
    clip = build_clip(tiny_clip_config())
    clip_state, learned = {}, {}
    embedding = torch.zeros(49408, 32)
    embedding[torch.from_numpy(stored["rows/token_embedding.ids"])] = torch.from_numpy(
        stored["rows/token_embedding.weight"]
    )
    clip_state["token_embedding.weight"] = embedding
    for name in stored.files:
        if name.startswith("state/"):
            value = torch.from_numpy(stored[name])
            name = name.removeprefix("state/")
            ours = _our_name(name)
            if ours is None:
                clip_state[name] = value
            else:
                learned[ours] = value
    clip.load_state_dict(clip_state)
    model = AdaCLIP(clip, tiny_config(case, **changes)).eval()
    load_learned(model, learned, case)
    return model
