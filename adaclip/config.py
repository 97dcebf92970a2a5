"""Every default of the project, in frozen keyword-only dataclasses. No torch here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from adaclip.errors import CheckpointError, InputError

PromptedEncoders = Literal["both", "image", "text", "none"]
PromptKind = Literal["hybrid", "static", "dynamic", "none"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Resolution = Literal["native", "518"]
RankedBy = Literal["margin", "probability"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class _FromMapping:
    """Build a dataclass from stored JSON, naming every key that is not known."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Raise CheckpointError when `values` holds a field this version does not know."""
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        foreign = sorted(set(values) - known)
        if foreign:
            raise CheckpointError(
                f"unknown {cls.__name__} field(s) {', '.join(foreign)}: the file comes from "
                "another version of this project; update it or use a checkpoint made for it"
            )
        frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]
            if field.name in frozen and not _is_like(frozen[field.name], field.default):
                raise CheckpointError(
                    f"{cls.__name__} field {field.name} cannot be {frozen[field.name]!r:.60}: "
                    "the file is damaged; get it again"
                )
        return cls(**frozen)


def _is_like(value: Any, default: Any) -> bool:
    """True when a stored value is of the kind of the field's default."""
    if default is None:
        return value is None or isinstance(value, Mapping)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(_is_like(v, next(iter(default), 0)) for v in value)
    return isinstance(value, int | float if isinstance(default, float) else type(default))


@dataclass(frozen=True, kw_only=True)
class PreprocessingConfig(_FromMapping):
    """How an image becomes the model's input; it travels with the weights.

    The size comes from `ModelConfig.image_size`. `version` changes when the same pixels would
    become another input.
    """

    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    version: int = 1

    def __post_init__(self) -> None:
        if self.version != 1 or len(self.mean) != 3 or len(self.std) != 3:
            raise CheckpointError(
                f"this version has no pre-processing {self}: update the project or use a "
                "checkpoint made for it"
            )


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_FromMapping):
    """AdaCLIP's architecture. The defaults are those of the published checkpoints."""

    backbone: str = "ViT-L-14-336"
    # An open_clip model config for backbones open_clip has no name for.
    backbone_config: Mapping[str, Any] | None = None
    image_size: int = 518
    # An image smaller than `image_size` is computed at its own size, but not below this; 0: every
    # image is brought to `image_size`, as published.
    least_image_size: int = 0
    stage_layers: tuple[int, ...] = (6, 12, 18, 24)
    # Low-rank adapters: from block `adapted_from` on the image runs through the frozen blocks and,
    # apart from that, through adapted ones, which are read at stages of their own. Rank 0: none,
    # as published.
    adapter_rank: int = 0
    adapted_from: int = 1
    adapted_stages: tuple[int, ...] = ()
    # Margin that one deviation of a patch's rarity adds; see `adaclip.model.rarity`. Published: 0.
    rarity_weight: float = 0.0
    prompted_encoders: PromptedEncoders = "both"
    prompt_kind: PromptKind = "hybrid"
    prompt_length: int = 5
    prompt_depth: int = 4
    # Semantic fusion: K clusters of the 5K most abnormal patches, and their share of the
    # image vector. A weight of 0 switches the fusion off.
    clusters: int = 20
    fusion_weight: float = 0.2
    logit_scale: float = 100.0
    # Radius of the guided filter that draws the map's edges to the image's, in patches; 0: none, as
    # published.
    refinement_radius: float = 0.0
    # Pixels of the model's input, not of the user's image.
    smoothing_sigma: float = 4.0
    # Kept for checkpoint compatibility: the authors' code rounds prompts to fp16.
    round_prompts_to_half: bool = True

    def __post_init__(self) -> None:
        for value, choices in (
            (self.prompted_encoders, get_args(PromptedEncoders)),
            (self.prompt_kind, get_args(PromptKind)),
        ):
            if value not in choices:
                raise CheckpointError(f"unknown prompt layout {value!r}; there are {choices}")


@dataclass(frozen=True, kw_only=True)
class DetectConfig:
    """What a detection run uses unless told otherwise; the command line's flags come from here."""

    checkpoint: str = "lite"
    class_name: str = "object"
    device: str = "auto"
    precision: Precision = "auto"
    # None: the engine chooses (1 on a CPU, where a larger batch is not faster).
    batch_size: int | None = None


TrainMetric = Literal[
    "auto",
    "image_auroc",
    "image_average_precision",
    "image_max_f1",
    "pixel_auroc",
    "pixel_average_precision",
    "pixel_max_f1",
]
DicePer = Literal["image", "row"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides a training run; numbers as published unless a comment says more."""

    # Dataset folders, or KEY=FOLDER to name a folder's layout.
    auxiliary: tuple[str, ...] = ()
    # Their folders of normal images, where names do not say so; and whether links out count.
    normal: tuple[str, ...] = ()
    follow_links: bool = False
    # So many pictures of `adaclip.synthetic` besides.
    synthetic: int = 0
    out: str = "adaclip-trained.safetensors"
    # A checkpoint to go on from (id or file), or None for fresh parameters on `backbone`: a name
    # of open_clip's, or the id or file of a checkpoint that holds its backbone. None: the
    # published one.
    init: str | None = None
    backbone: str | None = None
    backbone_weights: str | None = None
    # None: a backbone goes into the result when it came from a checkpoint that held it.
    include_backbone: bool | None = None
    # None: the published 518, brought to the backbone's patches; or that of `init`.
    image_size: int | None = None
    # A share of the images to hold out (0: none), or a folder of other images.
    validation: float | str = 0.1
    metric: TrainMetric = "auto"
    epochs: int = 5
    batch_size: int = 1
    # Batches whose gradients make one step.
    accumulate: int = 1
    learning_rate: float = 0.01
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.01
    precision: Precision = "auto"
    device: str = "auto"
    seed: int = 111
    # How often an image becomes a 2x2 mosaic of its class, 0-1.
    mosaic: float = 0.0
    # The authors' code averages dice over image rows at batch 1; "row" reproduces that.
    dice: DicePer = "image"
    # The share of held-out normal images that the recommended threshold lets pass.
    threshold_quantile: float = 0.99
    resume: bool = False

    def __post_init__(self) -> None:
        for name, allowed, accepted in self._rules():
            if not accepted:
                value = getattr(self, name)
                raise InputError(f"training option {name} is {value!r}; it has to be {allowed}")

    def _rules(self) -> list[tuple[str, str, bool]]:
        """For each field that has one: its name, its rule in words, whether it is kept."""
        share = isinstance(self.validation, str) or 0 <= self.validation <= 0.5
        rules = [
            ("synthetic", "0 or more", self.synthetic >= 0),
            ("validation", "a folder, or a share from 0 to 0.5", share),
            ("learning_rate", "above 0 and at most 1", 0 < self.learning_rate <= 1),
            ("betas", "two numbers from 0 to below 1", all(0 <= b < 1 for b in self.betas)),
            ("weight_decay", "from 0 to 1", 0 <= self.weight_decay <= 1),
            ("seed", "0 or more and below 2**63", 0 <= self.seed < 2**63),
            ("mosaic", "from 0 to 1", 0 <= self.mosaic <= 1),
            ("threshold_quantile", "from 0.5 to 1", 0.5 <= self.threshold_quantile <= 1),
            ("out", "a file name that ends in .safetensors", self.out.endswith(".safetensors")),
        ]
        rules += [
            (name, "1 or more", getattr(self, name) >= 1)
            for name in ("epochs", "batch_size", "accumulate")
        ]
        choices: dict[str, Any] = {"metric": TrainMetric, "dice": DicePer, "precision": Precision}
        for name, kind in choices.items():
            known = get_args(kind)
            rules.append((name, f"one of {', '.join(known)}", getattr(self, name) in known))
        return rules


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What an evaluation does; two runs are the same only where all of this is."""

    class_name: str | None = None  # words of the prompt for every class; None: the class's own
    limit: int | None = None  # images per class, see `limit_samples`
    resolution: Resolution = "native"  # metrics at each image's own size, or at 518 x 518
    ranked_by: RankedBy = "margin"
    batch_size: int = 1
    keep_maps: bool = False


# Larger images are refused before they are decoded.
MAX_IMAGE_PIXELS = 50_000_000
MAX_CLASS_NAME_LENGTH = 80
