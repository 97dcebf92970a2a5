"""AdaCLIP: CLIP with learned prompts in both encoders, read out as a map and a score.

The whole method is `AdaCLIP.forward`. It keeps no state between calls: what depends on an image
is passed along, so any batch gives each image the result it has alone.

Source: AdaCLIP (ECCV 2024, arXiv 2407.15795). Axes: B images, S sentences, L patches,
D embedding, M prompt length, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adaclip.config import ModelConfig
from adaclip.errors import CheckpointError
from adaclip.model import scoring, text_prompts
from adaclip.model.adapters import LowRankAdapters
from adaclip.model.backbone import embed_image, run_block
from adaclip.model.learned_prompts import HybridPrompts
from adaclip.model.rarity import rarity
from adaclip.model.semantic_fusion import most_abnormal, semantic_fusion

KMEANS_SEED = 111


@dataclass(frozen=True, kw_only=True)
class FrozenTokens:
    """The frozen image encoder's tokens of a pass without dynamic prompts."""

    stages: tuple[Tensor, ...]  # of (B, L, Dv), after the blocks `ModelConfig.stage_layers`
    class_token: Tensor  # (B, D) projected


@dataclass(frozen=True, kw_only=True)
class ModelOutput:
    """Everything a detection, a loss or a parity test needs; logits, not probabilities."""

    text_features: Tensor  # (B, D, 2) unit vectors, normal first
    class_token: Tensor  # (B, D) projected, unit
    patch_tokens: Tensor  # (stages, B, L, D) projected, unit
    stage_logits: Tensor  # (stages, B, L, 2)
    image_logits: Tensor  # (B, 2)
    # What rarity adds to the margins. Losses see the logits alone: in rarity nothing is learned.
    patch_rarity: Tensor  # (B, L)
    image_rarity: Tensor  # (B,)
    # What pictures are compared by: nothing learned is in them unless prompts are static.
    frozen: FrozenTokens

    @property
    def patch_margins(self) -> Tensor:
        """(B, L): abnormal minus normal logit, mean over stages, and rarity."""
        return _margins(self.stage_logits.mean(dim=0)) + self.patch_rarity

    @property
    def image_margin(self) -> Tensor:
        """(B,): abnormal minus normal logit, and rarity; its sigmoid is the anomaly score."""
        return _margins(self.image_logits) + self.image_rarity


def _margins(logits: Tensor) -> Tensor:
    return logits[..., 1] - logits[..., 0]


class AdaCLIP(nn.Module):
    """The learned parts around a frozen CLIP, which several AdaCLIPs may share."""

    def __init__(self, clip: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        # Not a submodule: the backbone is frozen, shared and saved elsewhere.
        object.__setattr__(self, "clip", clip)
        self.config = config
        visual: Any = clip.visual
        embed_dim, visual_width = visual.output_dim, visual.transformer.width
        text_width = self.clip.transformer.width
        _check(config, blocks=len(visual.transformer.resblocks))
        self.visual_prompts = self._prompts("image", embed_dim, visual_width)
        self.text_prompts = self._prompts("text", embed_dim, text_width)
        self.adapters = self._low_rank_adapters(visual_width)
        self.patch_projections = nn.ModuleList(
            nn.Linear(visual_width, embed_dim)
            for _ in (*config.stage_layers, *config.adapted_stages)
        )
        self.class_projection = nn.Linear(embed_dim, embed_dim)

    clip: Any

    def _prompts(self, encoder: str, embed_dim: int, width: int) -> HybridPrompts | None:
        config = self.config
        if config.prompt_kind == "none" or config.prompted_encoders not in ("both", encoder):
            return None
        return HybridPrompts(
            config.prompt_kind,
            depth=config.prompt_depth,
            length=config.prompt_length,
            embed_dim=embed_dim,
            width=width,
            round_to_half=config.round_prompts_to_half,
        )

    def _low_rank_adapters(self, width: int) -> LowRankAdapters | None:
        config = self.config
        if not config.adapter_rank:
            return None
        blocks = range(config.adapted_from, max(config.adapted_stages) + 1)
        return LowRankAdapters(blocks, width=width, rank=config.adapter_rank)

    def input_size(self, height: int, width: int) -> int:
        """S, the side in pixels at which an image of this size is computed."""
        config, patch = self.config, self.clip.visual.patch_size[0]
        if not config.least_image_size:
            return config.image_size
        # Enlarged, an image is a blurred one, which a model trained on sharp ones judges worse.
        own = patch * round((height * width) ** 0.5 / patch)
        return min(max(own, config.least_image_size), config.image_size)

    def native_size(self, height: int, width: int) -> tuple[int, int]:
        """(H, W) in pixels: the patches of `input_size`, laid out in the image's own aspect.

        A model that brings every image to one size, as published, keeps its square.
        """
        side, patch = self.input_size(height, width), self.clip.visual.patch_size[0]
        if not self.config.least_image_size:
            return side, side
        aspect = (height / width) ** 0.5
        rows = min(max(2, round(side * aspect / patch)), (side // patch) ** 2 // 2)
        columns = min(max(2, round(side / aspect / patch)), (side // patch) ** 2 // rows)
        return patch * rows, patch * columns

    def forward(
        self, images: Tensor, token_ids: Tensor, first_pass: FrozenTokens | None = None
    ) -> ModelOutput:
        """Run the whole method.

        Args:
            images: (B, 3, S, S), pre-processed, S as `input_size` gives it, or (B, 3, H, W) of
                `native_size`.
            token_ids: (S, T), one class name's sentences as `text_prompts.tokenize` gives them.
            first_pass: what `unprompted_pass` gives, if already known (models that share a
                backbone share it).
        """
        if first_pass is None and self.needs_first_pass:
            first_pass = self.unprompted_pass(images)
        class_token, stage_tokens = self.encode_image(
            images, None if first_pass is None else first_pass.class_token
        )
        if first_pass is None:  # this pass was unprompted too, or no prompt asks for one
            text_features = self.encode_text(token_ids, class_token)
        else:
            text_features = self.encode_text(token_ids, first_pass.class_token)
        return self.read_out(class_token, stage_tokens, text_features, first_pass)

    def read_out(
        self,
        class_token: Tensor,
        stage_tokens: Sequence[Tensor],
        text_features: Tensor,
        frozen: FrozenTokens | None = None,
    ) -> ModelOutput:
        """Compare image and text.

        Args:
            class_token, stage_tokens: as `encode_image` gives them.
            text_features: (B, D, 2) unit vectors, or (1, D, 2), which serve all images.
            frozen: handed through to the output; by default the tokens of the same pass.
        """
        config = self.config
        if frozen is None:
            stages = tuple(stage_tokens[: len(config.stage_layers)])
            frozen = FrozenTokens(stages=stages, class_token=class_token)
        class_token = F.normalize(self.class_projection(class_token), dim=-1)
        patch_tokens = torch.stack(
            [
                F.normalize(projection(tokens), dim=-1)
                for projection, tokens in zip(self.patch_projections, stage_tokens, strict=True)
            ]
        )
        text_features = text_features.expand(class_token.shape[0], -1, -1)
        stage_logits = scoring.patch_logits(patch_tokens, text_features, config.logit_scale)
        patch_rarity = torch.zeros_like(stage_logits[0, ..., 0])
        if config.rarity_weight:
            detached = [tokens.detach() for tokens in stage_tokens[: len(config.stage_layers)]]
            patch_rarity = config.rarity_weight * rarity(detached)
        image_vector, image_rarity = class_token, torch.zeros_like(class_token[:, 0])
        if config.fusion_weight:
            margins = _margins(stage_logits.mean(dim=0)).detach() + patch_rarity
            chosen = most_abnormal(margins, config.clusters)
            fused = semantic_fusion(patch_tokens, chosen, config.clusters, KMEANS_SEED)
            mixed = config.fusion_weight * fused + (1 - config.fusion_weight) * class_token
            image_vector = F.normalize(mixed, dim=-1)
            image_rarity = config.fusion_weight * patch_rarity.gather(1, chosen).mean(dim=1)
        image_logits = scoring.patch_logits(
            image_vector.unsqueeze(1), text_features, config.logit_scale
        )
        return ModelOutput(
            text_features=text_features,
            class_token=class_token,
            patch_tokens=patch_tokens,
            stage_logits=stage_logits,
            image_logits=image_logits.squeeze(1),
            patch_rarity=patch_rarity,
            image_rarity=image_rarity,
            frozen=frozen,
        )

    @property
    def needs_first_pass(self) -> bool:
        """True when a prompt depends on the image and the prompted pass cannot serve for it."""
        prompts = (self.visual_prompts, self.text_prompts)
        dynamic = any(p is not None and p.dynamic is not None for p in prompts)
        return dynamic and self.visual_prompts is not None

    @torch.no_grad()
    def unprompted_pass(self, images: Tensor) -> FrozenTokens:
        """The frozen encoder's tokens without any prompt; dynamic prompts are made from these."""
        x = embed_image(self.clip.visual, images)
        stages = []
        for number, block in enumerate(self.clip.visual.transformer.resblocks, start=1):
            x = run_block(block, x)
            if number in self.config.stage_layers:
                stages.append(x[:, 1:])
        return FrozenTokens(stages=tuple(stages), class_token=self._read_class_token(x))

    def compared_tokens(self, frozen: FrozenTokens) -> Tensor:
        """(B, stages, L, Dv): what pictures are compared by; the last block's after its norm."""
        stages, visual = list(frozen.stages), self.clip.visual
        if self.config.stage_layers[-1] == len(visual.transformer.resblocks):
            stages[-1] = visual.ln_post(stages[-1])
        return torch.stack(stages, dim=1)

    def encode_image(
        self, images: Tensor, first_pass: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Prompted: (B, 3, S, S) -> class token (B, D), patch tokens (B, L, Dv) per stage.

        The stages of the frozen blocks come first, then those of the adapted ones.
        """
        config = self.config
        prompts = self.visual_prompts(first_pass) if self.visual_prompts is not None else []
        x = adapted = embed_image(self.clip.visual, images)
        length = x.shape[1]
        stages, adapted_stages = [], []
        for number, block in enumerate(self.clip.visual.transformer.resblocks, start=1):
            if number <= len(prompts):
                # Appended before the first block, replaced before the next ones.
                prompt = prompts[number - 1].expand(x.shape[0], -1, -1)
                x = torch.cat([x[:, :length], prompt], dim=1)
            if self.adapters is not None and number in self.adapters:
                start = x if number == config.adapted_from else adapted
                adapted = run_block(block, start, adapter=self.adapters[number])
            x = run_block(block, x)
            if number in config.stage_layers:
                stages.append(x[:, 1:length])
            if number in config.adapted_stages:
                adapted_stages.append(adapted[:, 1:length])
        return self._read_class_token(x), [*stages, *adapted_stages]

    def encode_text(self, token_ids: Tensor, first_pass: Tensor) -> Tensor:
        """Prompted: ids (S, T) -> unit vectors (B, D, 2), or (1, D, 2) if the same for all."""
        clip = self.clip
        prompts = self.text_prompts(first_pass) if self.text_prompts is not None else []
        length = token_ids.shape[1]
        x = clip.token_embedding(token_ids) + clip.positional_embedding[:length]  # (S, T, Dt)
        for number, block in enumerate(clip.transformer.resblocks, start=1):
            # The first block is never prompted: kept for checkpoint compatibility.
            if 1 < number <= len(prompts):
                x = self._overwrite(x, prompts[number - 1], sentences=len(token_ids))
            x = run_block(block, x, causal=True)
        x = x.view(-1, *token_ids.shape, x.shape[-1])  # (B or 1, S, T, Dt)
        end = text_prompts.end_of_text(token_ids)
        x = clip.ln_final(x[:, torch.arange(len(token_ids), device=x.device), end])
        return text_prompts.ensemble(x @ clip.text_projection)

    @staticmethod
    def _overwrite(x: Tensor, prompt: Tensor, sentences: int) -> Tensor:
        """Put (B, M, Dt) in place of the M positions after the start token of every sentence."""
        # Positions behind the cut are behind every end-of-text token, so nothing reads them.
        prompt = prompt[:, : x.shape[1] - 1]
        batch, length, width = prompt.shape
        x = x.view(-1, sentences, *x.shape[1:]).expand(batch, -1, -1, -1)
        prompt = prompt.unsqueeze(1).expand(-1, sentences, -1, -1)
        x = torch.cat([x[:, :, :1], prompt, x[:, :, 1 + length :]], dim=2)
        return x.reshape(batch * sentences, -1, width)

    def _read_class_token(self, x: Tensor) -> Tensor:
        return self.clip.visual.ln_post(x[:, 0]) @ self.clip.visual.proj


def _check(config: ModelConfig, blocks: int) -> None:
    for stages in (config.stage_layers, config.adapted_stages):
        if stages != tuple(sorted({*stages})) or not all(1 <= n <= blocks for n in stages):
            raise CheckpointError(f"stages {stages} do not fit a backbone of {blocks} blocks")
    if not config.stage_layers:
        raise CheckpointError("stages () do not fit any backbone: there has to be one")
    if bool(config.adapter_rank > 0) != bool(config.adapted_stages) or (
        config.adapter_rank and not 1 <= config.adapted_from <= config.adapted_stages[0]
    ):
        raise CheckpointError(
            f"adapters of rank {config.adapter_rank} from block {config.adapted_from} on do not "
            f"fit the stages {config.adapted_stages}"
        )
    # The prompt of a block would have to enter the adapted blocks, too.
    if config.adapter_rank and config.prompted_encoders in ("both", "image"):
        raise CheckpointError("adapters and prompts in the image encoder do not go together")
    if not 0.0 <= config.fusion_weight <= 1.0:
        raise CheckpointError(f"fusion weight {config.fusion_weight} is not within 0 and 1")
