"""What `lite` is before training: its architecture, its backbone, and which of it learns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adaclip.config import ModelConfig, PreprocessingConfig
from adaclip.detecting.device import choose_precision, get_device
from adaclip.model.adaclip import AdaCLIP, ModelOutput
from adaclip.model.backbone import build_clip
from adaclip.model.dinov2 import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    LITE_BACKBONE,
    LITE_BACKBONE_CONFIG,
    read_image_tower,
)

LITE_MODEL = ModelConfig(
    backbone=LITE_BACKBONE,
    backbone_config=LITE_BACKBONE_CONFIG,
    least_image_size=252,
    stage_layers=(6, 9, 12),
    adapter_rank=32,
    adapted_from=7,
    adapted_stages=(9,),
    rarity_weight=1.0,
    prompted_encoders="text",
    clusters=5,
    fusion_weight=1.0,
    logit_scale=40.0,
    refinement_radius=1.0,
    smoothing_sigma=0.0,
    round_prompts_to_half=False,
)
LITE_PREPROCESSING = PreprocessingConfig(mean=IMAGENET_MEAN, std=IMAGENET_STD)


def new_model(backbone_file: Path) -> AdaCLIP:
    """Lite before training: DINOv2's image tower; the rest random."""
    clip: Any = build_clip(LITE_BACKBONE_CONFIG)
    clip.visual.load_state_dict(read_image_tower(backbone_file))
    return AdaCLIP(clip, LITE_MODEL)


@dataclass(frozen=True, kw_only=True)
class LearnedParts:
    """The parameters that learn, by how fast they may: each a list of tensors with gradients."""

    new: list[nn.Parameter]  # projections and prompts, from scratch
    text: list[nn.Parameter]  # the text tower, from scratch
    adapters: list[nn.Parameter]  # what changes the pretrained image tower

    @classmethod
    def of(cls, model: AdaCLIP) -> LearnedParts:
        """Switch on the gradients of what learns: of the image tower's own weights, none."""
        clip = model.clip
        text = [*clip.transformer.parameters(), *clip.token_embedding.parameters()]
        text += [*clip.ln_final.parameters(), clip.positional_embedding, clip.text_projection]
        for parameter in text:
            parameter.requires_grad_(True)
        adapters = [] if model.adapters is None else list(model.adapters.parameters())
        apart = {id(parameter) for parameter in adapters}
        new = [parameter for parameter in model.parameters() if id(parameter) not in apart]
        return cls(new=new, text=text, adapters=adapters)

    @property
    def all(self) -> list[nn.Parameter]:
        """Every parameter that learns."""
        return [*self.new, *self.text, *self.adapters]


def place(model: AdaCLIP, device: torch.device) -> None:
    """Bring all of a model to a device, its encoders included."""
    model.to(device)
    model.clip.to(device)


def run(model: AdaCLIP, images: Tensor, ids: Tensor) -> ModelOutput:
    """The model's output; the heavy arithmetic in bf16 where the images' device is fast in it."""
    device = images.device
    bf16 = choose_precision(get_device(str(device)), "auto") == "bf16"
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        class_token, tokens = model.encode_image(images, None)
        # The first pass feeds the dynamic prompts; it is a fact about the picture, not learned.
        first_pass = class_token.float().detach()
        text_features = model.encode_text(ids, first_pass)
    tokens = [stage.float() for stage in tokens]
    return model.read_out(class_token.float(), tokens, text_features.float())


@torch.no_grad()
def standardise(model: AdaCLIP, pictures: Iterable[Tensor]) -> None:
    """Start the projections so that they see every channel with mean 0 and deviation 1.

    Early blocks' channels deviate by 0.02, late ones' by 8; as they come, the early ones, which
    see thin defects best, would hardly learn.
    """
    seen: list[list[Tensor]] = [[] for _ in model.patch_projections]
    for images in pictures:
        for stage, tokens in zip(seen, model.encode_image(images, None)[1], strict=True):
            stage.append(tokens.flatten(0, 1).float())
    for projection, stage in zip(model.patch_projections, seen, strict=True):
        tokens = torch.cat(stage)
        linear: Any = projection
        linear.weight.div_(tokens.std(dim=0))
        linear.bias.sub_(linear.weight @ tokens.mean(dim=0))
