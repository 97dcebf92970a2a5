"""Checkpoints: the authors' `.pth` files, and our own safetensors files.

Ours hold their config, pre-processing, training sets and threshold in the file's metadata (see
`adaclip.checkpoints.catalogue.read_metadata`), and optionally the backbone. Large matrices may be
stored as int8 with one scale per row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adaclip.config import ModelConfig
from adaclip.errors import CheckpointError
from adaclip.model.adaclip import AdaCLIP

BACKBONE_PREFIX = "clip."
SCALE_SUFFIX = ".int8_scale"
# Rows shorter than this are not worth a scale of their own.
MIN_INT8_COLUMNS = 64

# Published name -> ours. "{}" stands for a number.
PUBLISHED_NAMES = {
    "visual_prompter.static_prompts.": "visual_prompts.static.blocks.",
    "text_prompter.static_prompts.": "text_prompts.static.blocks.",
    "dynamic_visual_prompt_generator.head.": "visual_prompts.dynamic.generators.",
    "dynamic_text_prompt_generator.head.": "text_prompts.dynamic.generators.",
    "patch_token_layer.head.": "patch_projections.",
    "cls_token_layer.head.0.": "class_projection.",
}


def read_published(path: Path) -> dict[str, Tensor]:
    """The learned parameters in one of the authors' files, under our names, in fp32.

    Raises:
        CheckpointError: not a torch file of plain tensors, or it holds keys of something else.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint file") from error
    except Exception as error:
        raise CheckpointError(
            f"{path}: not a checkpoint that can be read safely ({_first_line(error)}); "
            "it may be damaged or only partly downloaded: fetch it again"
        ) from error
    if not isinstance(stored, Mapping):
        raise CheckpointError(f"{path}: holds a {type(stored).__name__}, not named tensors")
    state, foreign = {}, []
    for name, value in stored.items():
        ours = _our_name(str(name).removeprefix("clip_model."))
        if ours is None or not isinstance(value, Tensor):
            foreign.append(str(name))
        else:
            state[ours] = value.float()
    if foreign:
        raise CheckpointError(
            f"{path}: not an AdaCLIP checkpoint; foreign keys: {_listed(foreign)}"
        )
    if not state:
        raise CheckpointError(f"{path}: holds no tensors")
    return state


def published_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `read_published`: our learned parameters under the authors' names."""
    renamed = {}
    for name, value in state.items():
        for published, ours in PUBLISHED_NAMES.items():
            if name.startswith(ours):
                renamed[f"clip_model.{published}{name.removeprefix(ours)}"] = value
    return renamed


def published_config(
    state: Mapping[str, Tensor], *, backbone: str, backbone_config: Mapping[str, Any]
) -> ModelConfig:
    """The architecture of a published checkpoint, read off its names and shapes.

    The image size is the largest multiple of the patch size up to the published 518 pixels; the
    stages divide the backbone's blocks evenly.

    Raises:
        CheckpointError: there are no patch projections.
    """
    vision = backbone_config["vision_cfg"]
    stages = len({name for name in state if name.startswith("patch_projections.")}) // 2
    if not stages:
        raise CheckpointError("the checkpoint holds no patch_token_layer, so it is not AdaCLIP's")
    static = [name for name in state if ".static." in name]
    dynamic = [name for name in state if ".dynamic." in name]
    # Files of image-only or text-only models still hold both dynamic generators.
    encoders = {name.split("_")[0] for name in static or dynamic}
    depths = (
        [name for name in static if name.startswith(static[0].rsplit(".", 1)[0])] if static else []
    )
    lengths = (
        [state[static[0]].shape[0]] if static else [len(dynamic) // 2 // max(len(encoders), 1)]
    )
    return ModelConfig(
        backbone=backbone,
        backbone_config=backbone_config,
        image_size=ModelConfig.image_size // vision["patch_size"] * vision["patch_size"],
        stage_layers=tuple(vision["layers"] * (i + 1) // stages for i in range(stages)),
        prompted_encoders={
            frozenset({"visual", "text"}): "both",
            frozenset({"visual"}): "image",
            frozenset({"text"}): "text",
        }.get(frozenset(encoders), "none"),  # type: ignore[arg-type]
        prompt_kind=("hybrid" if dynamic else "static")
        if static
        else ("dynamic" if dynamic else "none"),
        prompt_length=lengths[0],
        prompt_depth=len(depths) or ModelConfig.prompt_depth,
    )


def load_learned(model: AdaCLIP, state: Mapping[str, Tensor], origin: str) -> None:
    """Load learned parameters after checking every name and shape.

    Raises:
        CheckpointError: names every missing, foreign or misshapen tensor.
    """
    expected = model.state_dict()
    # An unprompted encoder's generators stand in the authors' files and are never used.
    state = {
        name: value
        for name, value in state.items()
        if name in expected or not (".dynamic." in name and _unprompted(model, name))
    }
    _require_same(expected, state, origin)
    model.load_state_dict(dict(state))


def load_backbone(clip: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load CLIP's weights after checking every name and shape; raises CheckpointError."""
    # CLIP's own temperature is in some files and not in others; nothing here reads it.
    state = {"logit_scale": torch.zeros(())} | dict(state)
    _require_same(clip.state_dict(), state, origin)
    clip.load_state_dict(state, assign=True)
    clip.requires_grad_(False)


def save_checkpoint(
    path: Path, model: AdaCLIP, metadata: Mapping[str, Any], *, with_backbone: bool, int8: bool
) -> None:
    """Write a checkpoint of our own.

    Args:
        metadata: what `adaclip.checkpoints.catalogue.read_metadata` reads back.
        int8: store large matrices as int8 with a scale per row, other arrays in fp16, vectors
            in fp32.
    """
    from safetensors.torch import save_file

    state = dict(model.state_dict())
    if with_backbone:
        state |= {BACKBONE_PREFIX + k: v for k, v in model.clip.state_dict().items()}
    stored: dict[str, Tensor] = {}
    for name, value in state.items():
        if int8 and _has_long_rows(value):
            stored[name], stored[name + SCALE_SUFFIX] = to_int8(value)
        else:
            stored[name] = value.half() if int8 and value.ndim >= 2 else value.float()
    save_file(
        {k: v.contiguous() for k, v in stored.items()},
        path,
        metadata={"adaclip": json.dumps(metadata)},
    )


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The learned parameters and the backbone (empty if not inside) of our own file, in fp32."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from error
    learned: dict[str, Tensor] = {}
    backbone: dict[str, Tensor] = {}
    for name, value in stored.items():
        if name.endswith(SCALE_SUFFIX):
            continue
        scale = stored.get(name + SCALE_SUFFIX)
        full = value.float() if scale is None else value.float() * scale
        if name.startswith(BACKBONE_PREFIX):
            backbone[name.removeprefix(BACKBONE_PREFIX)] = full
        else:
            learned[name] = full
    return learned, backbone


def as_int8_file(value: Tensor) -> Tensor:
    """What a tensor reads back as after an int8 save."""
    if value.ndim < 2:
        return value
    if not _has_long_rows(value):
        return value.half().float()
    stored, scale = to_int8(value)
    return stored.float() * scale


def _has_long_rows(value: Tensor) -> bool:
    return value.ndim >= 2 and value[0].numel() >= MIN_INT8_COLUMNS


def to_int8(array: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric int8 per row: (R, ...) -> int8 of the same shape and scales (R, 1, ...)."""
    scale = array.abs().amax(dim=tuple(range(1, array.ndim)), keepdim=True).clamp(min=1e-12) / 127
    return (array / scale).round().to(torch.int8), scale.float()


def _our_name(name: str) -> str | None:
    for published, ours in PUBLISHED_NAMES.items():
        if name.startswith(published):
            return ours + name.removeprefix(published)
    return None


def _unprompted(model: AdaCLIP, name: str) -> bool:
    return getattr(model, name.split(".")[0], None) is None


def _require_same(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], origin: str) -> None:
    problems = []
    if missing := sorted(expected.keys() - found.keys()):
        problems.append(f"missing {_listed(missing)}")
    if foreign := sorted(found.keys() - expected.keys()):
        problems.append(f"foreign {_listed(foreign)}")
    for name in sorted(expected.keys() & found.keys()):
        if expected[name].shape != found[name].shape:
            want, got = tuple(expected[name].shape), tuple(found[name].shape)
            problems.append(f"{name} has shape {got}, expected {want}")
    if problems:
        shown = "; ".join(problems[:5]) + ("; ..." if len(problems) > 5 else "")
        raise CheckpointError(
            f"{origin}: does not fit the model: {shown}. "
            "Use the backbone this checkpoint was made for"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
