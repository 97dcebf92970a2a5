"""From similarities to maps: margins, up-sampling, smoothing, probabilities.

The margin (abnormal minus normal logit) is what is kept: at a logit scale of 100 the softmax
saturates, ties thousands of pixels at 0 or 1, and cannot be undone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def patch_logits(patch_tokens: Tensor, text_features: Tensor, logit_scale: float) -> Tensor:
    """Scaled cosine similarities of unit vectors: (B, L, D) and (B, D, 2) -> (B, L, 2)."""
    return logit_scale * patch_tokens @ text_features


def to_map(patch_values: Tensor, size: int) -> Tensor:
    """Lay (B, L, C) out on its square patch grid and up-sample it to (B, C, size, size)."""
    batch, length, channels = patch_values.shape
    side = round(length**0.5)
    grid = patch_values.transpose(1, 2).reshape(batch, channels, side, side)
    return F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=True)


def smooth(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian smoothing of (B, H, W), edges mirrored, cut off at four sigma.

    The same values as `scipy.ndimage.gaussian_filter`, which the published pipeline uses.
    """
    if sigma <= 0:
        return maps
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    rows = _mirrored(maps, radius, dim=1).unsqueeze(1)
    rows = F.conv2d(rows, kernel.view(1, 1, -1, 1)).squeeze(1)
    columns = _mirrored(rows, radius, dim=2).unsqueeze(1)
    return F.conv2d(columns, kernel.view(1, 1, 1, -1)).squeeze(1)


def _mirrored(maps: Tensor, radius: int, dim: int) -> Tensor:
    """Pad `dim` by `radius` on both sides, repeating the edge: (d c b a | a b c d | d c b a)."""
    size = maps.shape[dim]
    index = torch.arange(-radius, size + radius, device=maps.device) % (2 * size)
    index = torch.where(index < size, index, 2 * size - 1 - index)
    return maps.index_select(dim, index)
