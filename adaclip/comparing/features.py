"""What a picture is compared by: frozen patch tokens, kept small, and the model's own verdict."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from adaclip.comparing.tokens import pooled
from adaclip.types import Detection

# Neighbourhoods of so many patches across, each compared by itself: averaging gained nothing on the
# sets tried, and each costs time.
SCALES = (1,)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """One picture's frozen tokens and what the model's own margins are; frozen, about 2 MB.

    Pictures of one model alone compare.
    """

    grid: tuple[int, int]  # (rows, columns) of patches, L in all
    tokens: np.ndarray  # (stages, L, D) float16, unit length
    class_token: np.ndarray  # (D,) float16, unit length
    patch_margins: np.ndarray  # (L,) float32, zero-shot logits before any up-sampling
    anomaly_margin: float  # zero-shot, of the image
    picture: str  # the pixels' SHA-256: what is sampled depends on it, never on an order
    model: str  # the frozen backbone, its stages and its pre-processing


@dataclass(frozen=True, kw_only=True)
class Features(Tokens):
    """A picture to be judged: its tokens and its zero-shot detection, made in one pass."""

    detection: Detection

    @property
    def nbytes(self) -> int:
        """Bytes in memory, the detection's maps included."""
        arrays = (self.tokens, self.class_token, self.patch_margins)
        maps = (self.detection.model_margin_map, self.detection.model_anomaly_map)
        return sum(array.nbytes for array in (*arrays, *maps))

    def without_detection(self) -> Tokens:
        """The tokens alone, as good examples are kept."""
        names = (field.name for field in fields(Tokens))
        return Tokens(**{name: getattr(self, name) for name in names})


def unit_half(tokens: Tensor) -> np.ndarray:
    """Unit vectors along the last axis, as float16 on the CPU, read-only."""
    array = F.normalize(tokens.float(), dim=-1).half().cpu().numpy().copy()
    array.flags.writeable = False
    return array


def views(shown: Tokens, device: torch.device) -> list[Tensor]:
    """(L, D) unit vectors in fp32 for every stage and scale, in a fixed order."""
    stages = torch.from_numpy(shown.tokens.astype(np.float32)).to(device)
    return [
        pooled(F.normalize(stage, dim=-1), shown.grid, size) for stage in stages for size in SCALES
    ]
