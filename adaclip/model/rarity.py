"""Rarity: how little a patch resembles the rest of its own image. Nothing in it is learned.

In a frozen encoder's tokens most of a normal surface or part is like about half of the image;
what is not is often a defect, whatever the image shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# A patch is compared with the nearer half of all (itself included, at distance 0): the rest may
# show another thing.
COMPARED_SHARE = 0.5
# Cosine distance. Where no patch stands out by more than this, as on an empty image, none is rare.
LEAST_DEVIATION = 0.01


def rarity(stage_tokens: Sequence[Tensor]) -> Tensor:
    """Deviations from the image's mean rarity, averaged over stages; the mean of an image is 0.

    Args:
        stage_tokens: one or more of (B, L, Dv), a frozen encoder's patch tokens.

    Returns:
        (B, L).
    """
    return torch.stack([_of_stage(tokens) for tokens in stage_tokens]).mean(dim=0)


def _of_stage(tokens: Tensor) -> Tensor:
    # Neighbours differ by less than bf16 can tell.
    with torch.autocast(tokens.device.type, enabled=False):
        unit = F.normalize(tokens.float(), dim=-1)
        distances = 1 - unit @ unit.transpose(1, 2)  # (B, L, L)
    compared = max(1, int(COMPARED_SHARE * distances.shape[-1]))
    nearest = distances.topk(compared, dim=-1, largest=False, sorted=False).values.mean(dim=-1)
    mean = nearest.mean(dim=1, keepdim=True)
    deviation = nearest.std(dim=1, keepdim=True, correction=0)
    return (nearest - mean) / (deviation + LEAST_DEVIATION)
