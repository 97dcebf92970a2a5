"""Learnable prompts: static, dynamic, and their sum, hybrid."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StaticPrompts(nn.Module):
    """One learned set of M vectors of width W for each of the first J blocks."""

    def __init__(self, depth: int, length: int, width: int) -> None:
        super().__init__()
        self.blocks = nn.ParameterList(
            nn.Parameter(torch.randn(length, width) * 0.02) for _ in range(depth)
        )


class DynamicPrompts(nn.Module):
    """M vectors of width W made from an image's class token; the same for every block."""

    def __init__(self, length: int, embed_dim: int, width: int) -> None:
        super().__init__()
        self.generators = nn.ModuleList(nn.Linear(embed_dim, width) for _ in range(length))

    def forward(self, class_token: Tensor) -> Tensor:
        """(B, D) -> (B, M, W)."""
        return torch.stack([generator(class_token) for generator in self.generators], dim=1)


class HybridPrompts(nn.Module):
    """The prompts of one encoder: static, dynamic or both, one set per prompted block.

    Args:
        kind: "hybrid", "static" or "dynamic".
        round_to_half: round to fp16 on the way in, as the authors' code does.
    """

    def __init__(
        self, kind: str, *, depth: int, length: int, embed_dim: int, width: int, round_to_half: bool
    ) -> None:
        super().__init__()
        self.depth = depth
        self.length = length
        self.round_to_half = round_to_half
        self.static = StaticPrompts(depth, length, width) if kind != "dynamic" else None
        self.dynamic = DynamicPrompts(length, embed_dim, width) if kind != "static" else None

    def forward(self, class_token: Tensor | None) -> list[Tensor]:
        """Class token (B, D) -> J prompts, each (B, M, W), or (1, M, W) if the same for all.

        Static prompts need no class token.
        """
        dynamic = self.dynamic(class_token) if self.dynamic is not None else None
        prompts: list[Tensor] = []
        for block in range(self.depth):
            if self.static is None:
                assert dynamic is not None  # one of the two is always there
                prompt = dynamic
            else:
                prompt = self.static.blocks[block].unsqueeze(0)
                prompt = prompt if dynamic is None else prompt + dynamic
            prompts.append(prompt.half().float() if self.round_to_half else prompt)
        return prompts
