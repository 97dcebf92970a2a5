"""The model a run trains: which parts come from where, and its forward pass with gradients."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adaclip.checkpoints.catalogue import find, find_backbone
from adaclip.config import ModelConfig, PreprocessingConfig, TrainConfig
from adaclip.detecting.device import DTYPES, Device, is_out_of_memory
from adaclip.detecting.loading import StoredModel, read_stored, set_block_dtype
from adaclip.errors import AdaClipError, CheckpointError
from adaclip.model import text_prompts
from adaclip.model.adaclip import AdaCLIP, ModelOutput
from adaclip.model.backbone import (
    backbone_config,
    build_clip,
    config_of_weights,
    fit_to_image_size,
    open_clip,
    read_clip_weights,
)
from adaclip.model.checkpoint import BACKBONE_PREFIX, load_backbone, load_learned
from adaclip.types import CheckpointInfo


@dataclass(frozen=True, kw_only=True)
class TrainingModel:
    """A model on its device with its backbone frozen, and what its checkpoint will say of it."""

    model: AdaCLIP
    preprocessing: PreprocessingConfig
    # The backbone as it goes into the file, under the file's names; None: it does not.
    stored_backbone: Mapping[str, Tensor] | None
    # The checkpoints it started from, for the record.
    init: CheckpointInfo | None
    backbone_source: CheckpointInfo | None

    @property
    def learned(self) -> list[nn.Parameter]:
        """The parameters that learn: prompts, generators, projections."""
        return list(self.model.parameters())


def new_training_model(config: TrainConfig, device: Device, precision: str) -> TrainingModel:
    """Build the model a config asks for: fresh on a backbone, or a checkpoint to go on from.

    Raises:
        CheckpointError: weights are missing or damaged, or do not fit together.
    """
    try:
        return _assembled(config, device, precision)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"not enough memory on {device.name} for the model to train; close other programs, "
            "or choose a smaller backbone or the device cpu"
        ) from error


def _assembled(config: TrainConfig, device: Device, precision: str) -> TrainingModel:
    weights = None if config.backbone_weights is None else Path(config.backbone_weights)
    init = _single(config.init, weights) if config.init is not None else None
    source = init
    if init is not None:
        stored = read_stored(init, weights)
        _check_against_init(config, stored, init)
    else:
        source, stored = _fresh(config, weights)
    clip = build_clip(stored.clip_config, empty=True)
    load_backbone(clip, stored.backbone, str(stored.backbone_path))
    fit_to_image_size(clip, stored.config.image_size)
    clip.attn_mask = None  # type: ignore[assignment]
    set_block_dtype(clip, DTYPES[precision])
    clip.requires_grad_(False).to(device.torch_device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = AdaCLIP(clip, stored.config).train().requires_grad_(True)
    if init is not None:
        load_learned(model, stored.learned, str(init.path))
    return TrainingModel(
        model=model.to(device.torch_device),
        preprocessing=stored.preprocessing,
        stored_backbone=_backbone_to_store(config, stored, source),
        init=init,
        backbone_source=source,
    )


def _single(checkpoint: str, weights: Path | None) -> CheckpointInfo:
    info = find(checkpoint, backbone_weights=weights)
    if info.members:
        raise CheckpointError(
            f"{checkpoint} is the mean of several checkpoints, which cannot be trained; "
            f"choose one of {', '.join(info.members)}"
        )
    return info


def _check_against_init(config: TrainConfig, stored: StoredModel, init: CheckpointInfo) -> None:
    """A checkpoint brings its own backbone and image size; others would not fit it."""
    wanted = config.backbone
    if wanted not in (None, stored.config.backbone, config.init):
        raise CheckpointError(
            f"{init.id} was made for the backbone {stored.config.backbone}, not for {wanted}; "
            "name the checkpoint to start from or a backbone, not both"
        )
    if config.image_size not in (None, stored.config.image_size):
        raise CheckpointError(
            f"{init.id} works at {stored.config.image_size} pixels, not at {config.image_size}; "
            "leave the image size out"
        )


def _fresh(config: TrainConfig, weights: Path | None) -> tuple[CheckpointInfo | None, StoredModel]:
    """The backbone alone, with the published architecture around it."""
    name = config.backbone or ModelConfig.backbone
    if weights is None and not _is_open_clip_name(name):
        source = _single(name, None)
        stored = read_stored(source, None)
        size = config.image_size or stored.config.image_size
        model_config = dataclasses.replace(stored.config, image_size=size)
        return source, dataclasses.replace(stored, config=model_config, learned={})
    path = weights or find_backbone(name)
    if path is None:
        raise CheckpointError(
            f"the weights of the backbone {name} are not on this machine; fetch a checkpoint "
            "that needs them (`python -m adaclip checkpoints`), or name a file of open_clip "
            "weights for the backbone"
        )
    state = read_clip_weights(path)
    known = _is_open_clip_name(name)
    clip_config = backbone_config(name) if known else config_of_weights(state)
    return None, StoredModel(
        config=_published_architecture(name, None if known else clip_config, clip_config, config),
        preprocessing=PreprocessingConfig(),
        learned={},
        backbone=state,
        clip_config=clip_config,
        backbone_path=path,
    )


def _is_open_clip_name(name: str) -> bool:
    return ":" not in name and open_clip().get_model_config(name) is not None


def _published_architecture(
    name: str,
    stored_config: Mapping[str, Any] | None,
    clip_config: Mapping[str, Any],
    config: TrainConfig,
) -> ModelConfig:
    """The published layout: four stages evenly over the blocks, prompts in both encoders."""
    vision = clip_config["vision_cfg"]
    layers, patch = vision.get("layers", 12), vision.get("patch_size", 16)
    size = config.image_size or ModelConfig.image_size // patch * patch
    stages = min(len(ModelConfig.stage_layers), layers)
    return ModelConfig(
        backbone=name,
        backbone_config=stored_config,
        image_size=size,
        stage_layers=tuple(layers * (stage + 1) // stages for stage in range(stages)),
    )


def _backbone_to_store(
    config: TrainConfig, stored: StoredModel, source: CheckpointInfo | None
) -> Mapping[str, Tensor] | None:
    """The tensors as their own file holds them, so that nothing is rounded a second time."""
    inside = source is not None and bool(source.details["includes_backbone"])
    if not (inside if config.include_backbone is None else config.include_backbone):
        return None
    if not inside:
        return {BACKBONE_PREFIX + k: v.cpu() for k, v in stored.backbone.items()}
    from safetensors.torch import load_file

    raw = load_file(stored.backbone_path)
    return {name: value for name, value in raw.items() if name.startswith(BACKBONE_PREFIX)}


def forward(model: AdaCLIP, images: Tensor, class_names: Sequence[str]) -> ModelOutput:
    """`AdaCLIP.forward` for images of different classes.

    Each image is read out with the text of its own class. Where neither prompts nor adapters are
    in the image encoder, nothing in it learns, and it runs without keeping anything for gradients.

    Args:
        images: (B, 3, S, S) on the model's device.
        class_names: B of them, in words.
    """
    first_pass = model.unprompted_pass(images).class_token if model.needs_first_pass else None
    frozen = model.visual_prompts is None and model.adapters is None
    with torch.no_grad() if frozen else contextlib.nullcontext():
        class_token, stage_tokens = model.encode_image(images, first_pass)
    text = _text_features(model, class_names, class_token if first_pass is None else first_pass)
    return model.read_out(class_token, stage_tokens, text)


def _text_features(model: AdaCLIP, class_names: Sequence[str], first_pass: Tensor) -> Tensor:
    """(B, D, 2): one pass of the text encoder for each class in the batch."""
    order: list[int] = []
    features = []
    for name in dict.fromkeys(class_names):
        rows = [row for row, other in enumerate(class_names) if other == name]
        ids = text_prompts.tokenize(name).to(first_pass.device)
        features.append(model.encode_text(ids, first_pass[rows]).expand(len(rows), -1, -1))
        order += rows
    places = sorted(range(len(order)), key=order.__getitem__)
    return torch.cat(features)[places]


@contextlib.contextmanager
def fp32_blocks(model: AdaCLIP, precision: str) -> Iterator[None]:
    """For a moment the frozen blocks compute in fp32; the cast there and back loses nothing."""
    try:
        set_block_dtype(model.clip, torch.float32)
        yield
    finally:
        set_block_dtype(model.clip, DTYPES[precision])


def out_of_memory(error: BaseException, device: Device, batch_size: int) -> AdaClipError:
    """What to do when a step does not fit."""
    gc.collect()
    device.free_cache()
    advice = (
        f"use a batch size below {batch_size} and accumulate more batches"
        if batch_size > 1
        else "choose a smaller backbone, or another device"
    )
    return AdaClipError(f"not enough memory on {device.name} for a training step; {advice}")
