"""From a checkpoint's description to models on a device."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adaclip.checkpoints.catalogue import find, read_metadata
from adaclip.config import ModelConfig, PreprocessingConfig
from adaclip.detecting.device import DTYPES, Device, is_out_of_memory
from adaclip.errors import CheckpointError
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.backbone import (
    backbone_config,
    build_clip,
    config_of_weights,
    fit_to_image_size,
    read_clip_weights,
    set_compute_dtype,
)
from adaclip.model.checkpoint import (
    load_backbone,
    load_learned,
    published_config,
    read_published,
    read_tensors,
)
from adaclip.types import CheckpointInfo

# Checkpoints of one family share a frozen backbone, the largest thing in memory by far. It lives
# as long as a model uses it.
_backbones: weakref.WeakValueDictionary[tuple[Any, ...], nn.Module] = weakref.WeakValueDictionary()
_loading = threading.RLock()


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model on its device and the pre-processing that belongs to it."""

    model: AdaCLIP
    preprocessing: PreprocessingConfig


def load_models(
    info: CheckpointInfo, *, backbone_weights: Path | None, device: Device, precision: str
) -> list[LoadedModel]:
    """The model of a checkpoint, or one for each member of an ensemble.

    Raises:
        CheckpointError: a file is missing, damaged, or does not fit its backbone.
    """
    if info.members:
        members = [find(member, backbone_weights=backbone_weights) for member in info.members]
    else:
        members = [info]
    # Read once for all members, and one load at a time: the peak is one backbone.
    read_backbone = functools.cache(read_clip_weights)
    try:
        with _loading:
            loaded = [
                _load(member, backbone_weights, device, precision, read_backbone)
                for member in members
            ]
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"not enough memory on {device.name} to load {info.id}; close other programs or "
            "choose the device cpu"
        ) from error
    configs = [m.model.config for m in loaded]
    of_maps = {
        (c.image_size, c.least_image_size, c.refinement_radius, c.smoothing_sigma) for c in configs
    }
    if len(of_maps) > 1:
        raise CheckpointError(
            f"{info.id}: its members work at different image sizes or treat maps differently"
        )
    return loaded


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """What a checkpoint's files hold, before a model is built of it. Tensors in fp32."""

    config: ModelConfig
    preprocessing: PreprocessingConfig
    learned: Mapping[str, Tensor]
    backbone: Mapping[str, Tensor]
    clip_config: Mapping[str, Any]
    backbone_path: Path


def read_stored(
    info: CheckpointInfo,
    backbone_weights: Path | None,
    read_backbone: Callable[[Path], dict[str, Tensor]] = read_clip_weights,
) -> StoredModel:
    """Read a single checkpoint's files, as `find` names them. Raises CheckpointError."""
    assert info.path is not None  # find() raises for a checkpoint that is not here
    local = info.details.get("backbone_path")
    backbone_path = backbone_weights or (Path(local) if local else None)
    if info.path.suffix == ".safetensors":
        metadata = read_metadata(info.path)
        config = ModelConfig.from_mapping(metadata["model"])
        preprocessing = PreprocessingConfig.from_mapping(metadata["preprocessing"])
        learned, backbone = read_tensors(info.path)
        if metadata["includes_backbone"]:
            backbone_path = info.path
        else:
            backbone = read_backbone(_required(backbone_path, info))
        clip_config = config.backbone_config or backbone_config(config.backbone)
    else:
        learned, preprocessing = read_published(info.path), PreprocessingConfig()
        backbone = read_backbone(_required(backbone_path, info))
        clip_config = config_of_weights(backbone)
        config = published_config(learned, backbone=info.backbone, backbone_config=clip_config)
    return StoredModel(
        config=config,
        preprocessing=preprocessing,
        learned=learned,
        backbone=backbone,
        clip_config=clip_config,
        backbone_path=_required(backbone_path, info),
    )


def _load(
    info: CheckpointInfo,
    backbone_weights: Path | None,
    device: Device,
    precision: str,
    read_backbone: Callable[[Path], dict[str, Tensor]],
) -> LoadedModel:
    stored = read_stored(info, backbone_weights, read_backbone)
    config = stored.config
    clip = _shared_backbone(
        stored.backbone_path,
        stored.backbone,
        stored.clip_config,
        config.image_size,
        device,
        precision,
    )
    model = AdaCLIP(clip, config).eval().requires_grad_(False)
    load_learned(model, stored.learned, str(info.path))
    return LoadedModel(model=model.to(device.torch_device), preprocessing=stored.preprocessing)


def _required(path: Path | None, info: CheckpointInfo) -> Path:
    if path is None:
        raise CheckpointError(
            f"{info.id} needs the weights of its backbone {info.backbone}: "
            f"run `python -m adaclip fetch {info.id}` or pass backbone_weights"
        )
    return path


def _shared_backbone(
    path: Path,
    state: Mapping[str, Tensor],
    config: Mapping[str, Any],
    image_size: int,
    device: Device,
    precision: str,
) -> nn.Module:
    facts = path.stat()
    key = (path.resolve(), facts.st_mtime_ns, facts.st_size, image_size, device.name, precision)
    clip = _backbones.get(key)
    if clip is None:
        clip = build_clip(config, empty=True)
        load_backbone(clip, state, str(path))
        fit_to_image_size(clip, image_size)
        # Straight to the device in the type it computes in; attention masks are not used.
        clip.attn_mask = None  # type: ignore[assignment]
        set_block_dtype(clip, DTYPES[precision])
        clip.to(device.torch_device)
        _backbones[key] = clip
    return clip


def set_block_dtype(clip: nn.Module, dtype: torch.dtype) -> None:
    """Cast the blocks of both towers in place."""
    set_compute_dtype(clip.visual, dtype)  # type: ignore[arg-type]
    set_compute_dtype(clip, dtype)
