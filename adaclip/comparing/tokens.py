"""Patch tokens compared with each other: distances, neighbourhoods, thinning, object and ground.

Everything here is plain arithmetic on unit vectors, the same bits for the same call. Axes: L
patches of a picture, N of a bank, D width of a token.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Patches of which the most distant give a picture's score.
TOP_SHARE = 0.01
# Rows compared at a time: a bank of thousands must not become a matrix of hundreds of megabytes.
_ROWS = 1024


def pooled(tokens: Tensor, grid: tuple[int, int], size: int) -> Tensor:
    """(L, D) unit vectors: each patch's mean over the `size` x `size` patches around it.

    Beyond the picture's edge there is nothing, so the mean there is over fewer. `size` is odd.
    """
    if size == 1:
        return tokens
    laid_out = tokens.T.reshape(1, -1, *grid)
    mean = F.avg_pool2d(laid_out, size, stride=1, padding=size // 2, count_include_pad=False)
    return F.normalize(mean.reshape(tokens.shape[1], -1).T, dim=-1).contiguous()


def nearest(queries: Tensor, bank: Tensor) -> Tensor:
    """(L,) cosine distance, 0-2, of each of (L, D) unit vectors to the nearest of (N, D)."""
    parts = [(part @ bank.T).amax(dim=1) for part in queries.split(_ROWS)]
    return (1 - torch.cat(parts)).clamp(min=0)


def top_mean(values: Tensor, share: float = TOP_SHARE) -> float:
    """The mean of the highest `share` of values, of at least one."""
    count = max(1, round(share * len(values)))
    return float(values.double().topk(count).values.mean())


def thinned(bank: Tensor, limit: int) -> Tensor:
    """At most `limit` of (N, D) unit vectors, which lie far from each other (k-centre, greedy).

    The first is the one nearest the mean; then always the one farthest from those taken. Source:
    the coreset of PatchCore (CVPR 2022). All of them, as they are, when there are few enough.
    """
    if len(bank) <= limit:
        return bank
    first = int((bank @ bank.mean(dim=0)).argmax())
    taken = [first]
    similarity = bank @ bank[first]
    while len(taken) < limit:
        farthest = int(similarity.argmin())
        taken.append(farthest)
        similarity = torch.maximum(similarity, bank @ bank[farthest])
    return bank[sorted(taken)]


def both_ways(queries: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine distances of (L, D) and (N, D) unit vectors to the nearest of the other: (L,), (N,).

    The first says what a picture has that the bank lacks, the second what it lacks itself.
    """
    backward = torch.full((len(bank),), 2.0, device=bank.device)
    forward = []
    for part in queries.split(_ROWS):
        similarity = part @ bank.T
        forward.append(1 - similarity.amax(dim=1))
        backward = torch.minimum(backward, 1 - similarity.amax(dim=0))
    return torch.cat(forward).clamp(min=0), backward.clamp(min=0)


def spread_rows(grid: tuple[int, int], limit: int) -> Tensor:
    """Indices of at most `limit` patches on the coarsest regular grid that fits, in order."""
    rows, columns = grid
    step = 1
    while -(-rows // step) * -(-columns // step) > limit:
        step += 1
    # Centred, so that no edge is nearer to the sample than the other.
    down = torch.arange((rows - 1) % step // 2, rows, step)
    across = torch.arange((columns - 1) % step // 2, columns, step)
    return (down[:, None] * columns + across[None]).flatten()
