"""Low-rank adapters: small learned changes of a frozen encoder's matrices.

Source: LoRA (arXiv 2106.09685). Of a block's matrix W (out, in) a change `up.T @ down` is
learned, with `down` and `up` of a few rows each; W itself stays what it is, so that the frozen
encoder can be read as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# The matrices of an open_clip block, and the rows and columns of each in widths of the stream.
MATRICES = {
    "attn.in_proj_weight": (3, 1),
    "attn.out_proj.weight": (1, 1),
    "mlp.c_fc.weight": (4, 1),
    "mlp.c_proj.weight": (1, 4),
}


class LowRankChange(nn.Module):
    """A change of one matrix (out, in), which at first is none."""

    def __init__(self, rows: int, columns: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)
        # Stored lying, as `down` is: rows long enough to be worth a scale each in int8.
        self.up = nn.Parameter(torch.zeros(rank, rows))

    def forward(self, x: Tensor) -> Tensor:
        """What is added to the matrix's output for its input x: (..., in) -> (..., out)."""
        dtype = x.dtype
        return F.linear(F.linear(x, self.down.to(dtype)), self.up.to(dtype).T)

    @property
    def matrix(self) -> Tensor:
        """(out, in): the change itself."""
        return self.up.T @ self.down


class LowRankAdapters(nn.Module):
    """The changes of several blocks; `blocks` are their numbers, from 1."""

    def __init__(self, blocks: Sequence[int], *, width: int, rank: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict(
            {str(number): BlockAdapter(width=width, rank=rank) for number in blocks}
        )

    def __getitem__(self, number: int) -> BlockAdapter:
        adapter = self.blocks[str(number)]
        assert isinstance(adapter, BlockAdapter)
        return adapter

    def __contains__(self, number: int) -> bool:
        return str(number) in self.blocks


class BlockAdapter(nn.Module):
    """The changes of one block's four matrices."""

    def __init__(self, *, width: int, rank: int) -> None:
        super().__init__()
        # A module's name may hold no dot.
        self.matrices = nn.ModuleDict(
            {
                name.replace(".", "_"): LowRankChange(rows * width, columns * width, rank)
                for name, (rows, columns) in MATRICES.items()
            }
        )

    def forward(self, name: str, x: Tensor) -> Tensor:
        """What is added to the output of the block's matrix `name` for its input x."""
        return self.matrices[name.replace(".", "_")](x)
