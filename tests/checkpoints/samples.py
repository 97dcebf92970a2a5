"""A checkpoint of ours in a few bytes, written from the format's description."""

from __future__ import annotations

import json
import struct
from typing import Any

METADATA: dict[str, Any] = {
    "format": 1,
    "title": "Mine",
    "model": {"backbone": "ViT-B-16", "stage_layers": [3, 6, 9, 12]},
    "preprocessing": {},
    "trained_on": ["synthetic"],
    "threshold": {"value": 0.3, "source": "own images", "review_band": 0.5},
    "map_threshold": 0.4,
    "licence": "MIT",
    "includes_backbone": True,
    "details": {"seed": 7},
}


def safetensors(metadata: dict[str, Any] | str | None, *, tensor: str = "weight") -> bytes:
    """A safetensors file of one tensor, written from the format's description."""
    header: dict[str, Any] = {tensor: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    if metadata is not None:
        text = metadata if isinstance(metadata, str) else json.dumps(metadata)
        header["__metadata__"] = {"adaclip": text}
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(8)
