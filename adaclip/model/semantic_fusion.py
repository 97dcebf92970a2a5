"""Hybrid semantic fusion (HSF): an image vector from its most abnormal patches.

The 5K most abnormal patches are clustered into K by their tokens of all stages; every cluster
gives the mean of its tokens over members and stages, and the K centres are averaged. Averaging
centres, not patches, lets a small abnormal region weigh as much as a large one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

PATCHES_PER_CLUSTER = 5
MAX_ITERATIONS = 100


def most_abnormal(patch_margins: Tensor, clusters: int) -> Tensor:
    """Which patches are fused, for K clusters: (B, L) margins -> indices (B, 5K or L).

    Margins order patches as the abnormal probability does, without that one's ties.
    """
    length = patch_margins.shape[1]
    return patch_margins.topk(min(PATCHES_PER_CLUSTER * clusters, length), dim=1).indices


def semantic_fusion(patch_tokens: Tensor, chosen: Tensor, clusters: int, seed: int) -> Tensor:
    """The fused unit vector of each image.

    Args:
        patch_tokens: (stages, B, L, D), unit vectors.
        chosen: (B, P), indices of the patches to fuse.
        clusters: K; fewer when fewer patches are fused.
        seed: of the k-means start. It is used anew for every image, so an image has one vector
            whatever it is batched with.

    Returns:
        (B, D).
    """
    dim = patch_tokens.shape[-1]
    clusters = min(clusters, chosen.shape[1])
    index = chosen[None, :, :, None].expand(len(patch_tokens), -1, -1, dim)
    tokens = patch_tokens.gather(2, index)  # (stages, B, P, D)
    points = tokens.permute(1, 2, 0, 3).flatten(2)  # (B, P, stages*D)
    assignment = k_means(points.detach(), clusters, seed)  # (B, P)
    member = F.one_hot(assignment, clusters).to(tokens.dtype)  # (B, P, K)
    counts = member.sum(dim=1)  # (B, K)
    sums = member.transpose(1, 2) @ tokens.mean(dim=0)  # (B, K, D)
    centres = sums / counts.clamp(min=1).unsqueeze(-1)
    # An empty cluster, possible only among identical patches, has no centre to average.
    present = (counts > 0).to(tokens.dtype).unsqueeze(-1)
    fused = (centres * present).sum(dim=1) / present.sum(dim=1)
    return F.normalize(fused, dim=-1)


def k_means(points: Tensor, clusters: int, seed: int) -> Tensor:
    """Lloyd's k-means from a seeded k-means++ start: (B, P, F) -> cluster of each point (B, P).

    Runs on the points' device. The random numbers are drawn on the CPU, so every device starts
    alike.
    """
    trials = 2 + int(math.log(clusters))
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(clusters, trials, generator=generator).to(points.device)
    centres = _plus_plus(points, draws)
    assignment = _nearest(points, centres)
    for _ in range(MAX_ITERATIONS):
        member = F.one_hot(assignment, clusters).to(points.dtype)
        counts = member.sum(dim=1).unsqueeze(-1)  # (B, K, 1)
        means = member.transpose(1, 2) @ points / counts.clamp(min=1)
        centres = torch.where(counts > 0, means, centres)
        updated = _nearest(points, centres)
        if torch.equal(updated, assignment):
            break
        assignment = updated
    return assignment


def _plus_plus(points: Tensor, draws: Tensor) -> Tensor:
    """Greedy k-means++, as in scikit-learn: (B, P, F), draws (K, trials) -> centres (B, K, F).

    Each next centre is drawn with odds of its squared distance to the nearest centre so far; of
    a few draws the one that leaves the least distance is kept.
    """
    batch, count, _ = points.shape
    rows = torch.arange(batch, device=points.device)
    first = (draws[0, 0] * count).long().clamp(max=count - 1).expand(batch)
    centres = [points[rows, first]]
    distance = _squared_distances(centres[0].unsqueeze(1), points).squeeze(1)  # (B, P)
    # A running sum as a product: a GPU's cumsum does not give the same bits each time.
    running = torch.ones(count, count, device=points.device, dtype=points.dtype).triu()
    for draw in draws[1:]:
        cumulative = distance @ running
        target = draw * cumulative[:, -1:]  # (B, trials)
        drawn = torch.searchsorted(cumulative, target, right=True).clamp(max=count - 1)
        candidates = points[rows.unsqueeze(1), drawn]  # (B, trials, F)
        left = _squared_distances(candidates, points).minimum(distance.unsqueeze(1))
        best = left.sum(dim=-1).argmin(dim=1)
        centres.append(candidates[rows, best])
        distance = left[rows, best]
    return torch.stack(centres, dim=1)


def _squared_distances(centres: Tensor, points: Tensor) -> Tensor:
    """(B, T, F), (B, P, F) -> (B, T, P)."""
    return torch.cdist(centres, points, compute_mode="donot_use_mm_for_euclid_dist").square()


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    return _squared_distances(points, centres).argmin(dim=-1)
