"""The frozen half of building `lite`: its architecture, and the tokens of synthetic pictures."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from adaclip.config import ModelConfig, PreprocessingConfig
from adaclip.data.preprocessing import preprocess
from adaclip.data.synthetic import generate
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.backbone import build_clip, set_compute_dtype
from adaclip.model.checkpoint import as_int8_file
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
    stage_layers=(3, 6, 9, 12),
    prompted_encoders="text",
    clusters=5,
    fusion_weight=1.0,
    logit_scale=40.0,
    round_prompts_to_half=False,
)
LITE_PREPROCESSING = PreprocessingConfig(mean=IMAGENET_MEAN, std=IMAGENET_STD)
# Losses are taken on maps of this size: four pixels per patch say where a thin defect runs.
LOSS_SIZE = 148


class FeatureStore:
    """Frozen tokens of a run of synthetic pictures, in memory-mapped files."""

    def __init__(self, folder: Path, seed: int, count: int) -> None:
        self.folder, self.seed, self.count = folder, seed, count
        stages, length, width = len(LITE_MODEL.stage_layers), 1369, 384
        stem = folder / f"seed{seed}"
        self.tokens = _memmap(f"{stem}.tokens", (count, stages, length, width), np.float16)
        self.class_tokens = _memmap(f"{stem}.class", (count, width), np.float32)
        self.masks = _memmap(f"{stem}.masks", (count, LOSS_SIZE, LOSS_SIZE), np.uint8)
        # The class name of each picture, which is empty until the picture is done.
        self.names = _memmap(f"{stem}.names", (count,), "U40")
        self.scaling: Scaling | None = None

    def fill(self, backbone_file: Path) -> None:
        """Draw every picture not drawn yet and store its tokens; can be interrupted and resumed.

        One process per core with one thread each: faster than one process with all threads, since
        drawing then overlaps with computing.
        """
        missing = [index for index in range(self.count) if not self.names[index]]
        arguments = (self.folder, self.seed, self.count, backbone_file)
        with ProcessPoolExecutor(
            mp_context=get_context("spawn"), initializer=_start_worker, initargs=arguments
        ) as pool:
            list(
                tqdm(pool.map(_fill_row, missing, chunksize=8), total=len(missing), desc="features")
            )

    def read(self, rows: np.ndarray, dtype: torch.dtype) -> Tensor:
        """Tokens (stages, B, L, Dv) of some pictures, scaled if a scaling is set."""
        tokens = torch.from_numpy(self.tokens[rows]).transpose(0, 1).to(dtype)
        return tokens if self.scaling is None else self.scaling.apply(tokens)


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Every channel brought to mean 0 and deviation 1: both (stages, Dv).

    Early blocks' channels deviate by 0.02, late ones' by 8; unscaled, the early ones, which see
    thin defects best, would hardly learn. It goes into the projections afterwards.
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, store: FeatureStore, pictures: int = 150) -> Scaling:
        """Measured on pictures spread evenly over a store."""
        rows = np.linspace(0, store.count - 1, min(pictures, store.count)).astype(int)
        tokens = torch.from_numpy(store.tokens[rows]).float()
        return cls(mean=tokens.mean(dim=(0, 2)), std=tokens.std(dim=(0, 2)))

    def apply(self, tokens: Tensor) -> Tensor:
        """(stages, B, L, Dv) scaled."""
        mean, std = (values[:, None, None].to(tokens.dtype) for values in (self.mean, self.std))
        return (tokens - mean) / std

    @torch.no_grad()
    def fold_into(self, model: AdaCLIP) -> None:
        """Let the projections take tokens as they come."""
        for stage, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            projection: Any = model.patch_projections[stage]
            projection.weight.div_(std)
            projection.bias.sub_(projection.weight @ mean)


_worker: dict[str, Any] = {}  # what a drawing process keeps between pictures


def _start_worker(folder: Path, seed: int, count: int, backbone_file: Path) -> None:
    torch.set_num_threads(1)
    model = new_model(backbone_file)
    set_compute_dtype(model.clip.visual, torch.bfloat16)
    _worker.update(model=model, store=FeatureStore(folder, seed, count))


@torch.inference_mode()
def _fill_row(index: int) -> None:
    model, store = _worker["model"], _worker["store"]
    sample = generate(store.seed, index, size=LITE_MODEL.image_size)
    pixels = preprocess(sample.image, LITE_MODEL.image_size, LITE_PREPROCESSING)
    class_token, stage_tokens = model.encode_image(torch.from_numpy(pixels)[None], None)
    store.tokens[index] = torch.cat(stage_tokens).half().numpy()
    store.class_tokens[index] = class_token[0].numpy()
    mask = torch.from_numpy(sample.mask.astype(np.float32))[None, None]
    share = F.interpolate(mask, size=(LOSS_SIZE, LOSS_SIZE), mode="area")[0, 0]
    # A defect thinner than a cell still counts for all of it from 40 % on.
    store.masks[index] = (share * 2.5).clamp(max=1).mul(255).ceil().byte().numpy()
    store.names[index] = sample.class_name


def _memmap(path: str, shape: tuple[int, ...], dtype: Any) -> np.memmap:
    mode = "r+" if Path(path).exists() else "w+"
    return np.memmap(path, dtype=dtype, mode=mode, shape=shape)  # type: ignore[call-overload]


def new_model(backbone_file: Path) -> AdaCLIP:
    """Lite before training: DINOv2's tower, rounded as it will be shipped; the rest random."""
    clip: Any = build_clip(LITE_BACKBONE_CONFIG)
    state = {name: as_int8_file(value) for name, value in read_image_tower(backbone_file).items()}
    clip.visual.load_state_dict(state)
    return AdaCLIP(clip, LITE_MODEL)
