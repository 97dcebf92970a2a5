"""From similarities to maps: margins, up-sampling, refinement, smoothing, probabilities.

The margin (abnormal minus normal logit) is what is kept: at a logit scale of 100 the softmax
saturates, ties thousands of pixels at 0 or 1, and cannot be undone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Of the guide's mean variance: where it varies less than that, the map is smoothed.
REGULARISER = 0.1
# About that of one grey level of 255 in a pre-processed image: less is noise.
LEAST_VARIANCE = 3e-4


def patch_logits(patch_tokens: Tensor, text_features: Tensor, logit_scale: float) -> Tensor:
    """Scaled cosine similarities of unit vectors: (B, L, D) and (B, D, 2) -> (B, L, 2)."""
    return logit_scale * patch_tokens @ text_features


def to_map(patch_values: Tensor, size: int, grid: tuple[int, int] | None = None) -> Tensor:
    """Lay (B, L, C) out on its patch grid and up-sample it to (B, C, size, size).

    `grid` is (rows, columns) of patches, by default a square.
    """
    batch, length, channels = patch_values.shape
    rows, columns = grid or (round(length**0.5), round(length**0.5))
    laid_out = patch_values.transpose(1, 2).reshape(batch, channels, rows, columns)
    return F.interpolate(laid_out, size=(size, size), mode="bilinear", align_corners=True)


def margin_map(
    patch_margins: Tensor,
    images: Tensor,
    size: int,
    refinement_radius: float,
    grid: tuple[int, int] | None = None,
) -> Tensor:
    """Margins of patches as a map, its edges drawn to those of the image if that is asked for.

    Args:
        patch_margins: (B, L).
        images: (B, 3, H, W), the pre-processed input.
        size: of the map, in pixels.
        refinement_radius: of the guided filter, in patches; 0 leaves the map as it is.
        grid: (rows, columns) of patches, by default a square.

    Returns:
        (B, size, size).
    """
    maps = to_map(patch_margins.unsqueeze(-1), size, grid).squeeze(1)
    if refinement_radius <= 0:
        return maps
    grey = images.to(maps).mean(dim=1, keepdim=True)
    guide = F.interpolate(grey, size=maps.shape[1:], mode="bilinear").squeeze(1)
    pixels_per_patch = size / patch_margins.shape[1] ** 0.5
    return guided_filter(maps, guide, max(1, round(refinement_radius * pixels_per_patch)))


def guided_filter(maps: Tensor, guide: Tensor, radius: int) -> Tensor:
    """In every window the least-squares fit of the map by the guide, mean over the windows.

    Where map and guide go together, the map takes over the guide's edges; elsewhere it is
    smoothed. Source: He, Sun and Tang, Guided Image Filtering, ECCV 2010; the regulariser is
    relative to the guide's own mean variance, so that its contrast does not matter.

    Args:
        maps, guide: (B, H, W).
        radius: a window is (2 radius + 1) pixels wide and high; edges are mirrored.

    Returns:
        (B, H, W).
    """
    window = maps.new_full((2 * radius + 1,), 1 / (2 * radius + 1))
    moments = torch.cat((guide, maps, guide * maps, guide * guide))
    mean_guide, mean_map, mean_product, mean_square = _filtered(moments, window).chunk(4)
    variance = (mean_square - mean_guide**2).clamp(min=0)
    usual = variance.mean(dim=(1, 2), keepdim=True)
    slope = mean_product - mean_guide * mean_map
    slope = slope / (variance + REGULARISER * usual + LEAST_VARIANCE)
    offset = mean_map - slope * mean_guide
    slope, offset = _filtered(torch.cat((slope, offset)), window).chunk(2)
    return slope * guide + offset


def smooth(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian smoothing of (B, H, W), edges mirrored, cut off at four sigma.

    The same values as `scipy.ndimage.gaussian_filter`, which the published pipeline uses.
    """
    if sigma <= 0:
        return maps
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return _filtered(maps, kernel / kernel.sum())


def _filtered(maps: Tensor, kernel: Tensor) -> Tensor:
    """Convolve (B, H, W) with an odd kernel along rows and columns, edges mirrored."""
    radius = len(kernel) // 2
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
