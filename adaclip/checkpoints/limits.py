"""What a checkpoint's metadata may say: a range for every number, before anything is built of it.

A file is a stranger's. Far inside these limits lies every model that can be used; outside them,
building it takes all memory or never ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adaclip.errors import CheckpointError

# Field of ModelConfig -> lowest and highest value; of a list, of each of its numbers.
_MODEL = {
    "image_size": (1, 2048),
    "least_image_size": (0, 2048),
    "stage_layers": (1, 128),
    "adapter_rank": (0, 1024),
    "adapted_from": (0, 128),
    "adapted_stages": (1, 128),
    "rarity_weight": (0, 1000),
    "prompt_length": (0, 256),
    "prompt_depth": (0, 128),
    "clusters": (1, 1000),
    "fusion_weight": (0, 1),
    "logit_scale": (0, 1000),
    "refinement_radius": (0, 64),
    "smoothing_sigma": (0, 128),
}
_PREPROCESSING = {"mean": (-100, 100), "std": (1e-6, 100), "version": (0, 1000)}
# open_clip's own names, wherever in a backbone's config they stand.
_BACKBONE = {
    "embed_dim": (1, 8192),
    "width": (1, 8192),
    "layers": (1, 128),
    "heads": (1, 256),
    "head_width": (1, 1024),
    "patch_size": (1, 128),
    "image_size": (1, 2048),
    "mlp_ratio": (0.01, 16),
    "context_length": (1, 1024),
    "vocab_size": (1, 1_000_000),
}
_ANY_NUMBER = (-1_000_000, 1_000_000)
_MOST_ENTRIES, _MOST_PARAMETERS = 256, 4_000_000_000
# Metadata field -> most characters.
_TEXTS = {"title": 300, "licence": 500, "source": 1000, "backbone": 300, "trained_on": 200}
_MOST_DATASETS = 1000


def check_ranges(metadata: Mapping[str, Any]) -> None:
    """Raise CheckpointError for the first value out of its range, naming field, value and range."""
    _check_texts(metadata)
    for part, ranges in (("model", _MODEL), ("preprocessing", _PREPROCESSING)):
        for name, (low, high) in ranges.items():
            _check_numbers(f"{part}.{name}", metadata[part].get(name), low, high)
    backbone = metadata["model"].get("backbone_config")
    if isinstance(backbone, Mapping):
        _check_backbone(backbone, "model.backbone_config", [])
        parameters = sum(_parameters(backbone.get(n)) for n in ("vision_cfg", "text_cfg"))
        if parameters > _MOST_PARAMETERS:
            raise CheckpointError(
                f"model.backbone_config describes {parameters:.1e} parameters; at most "
                f"{_MOST_PARAMETERS:.0e} can be built"
            )


def _check_texts(metadata: Mapping[str, Any]) -> None:
    model, threshold = metadata["model"], metadata["threshold"]
    texts = [("title", metadata["title"]), ("licence", metadata["licence"])]
    texts += [("source", threshold["source"]), ("backbone", model.get("backbone", ""))]
    texts += [("trained_on", text) for text in metadata["trained_on"]]
    for name, text in texts:
        if len(str(text)) > _TEXTS[name]:
            raise CheckpointError(f"{name} has {len(str(text)):,} characters: {_TEXTS[name]} fit")
    if len(metadata["trained_on"]) > _MOST_DATASETS:
        raise CheckpointError(
            f"trained_on names {len(metadata['trained_on']):,} datasets: {_MOST_DATASETS:,} fit"
        )


def _check_numbers(name: str, value: Any, low: float, high: float) -> None:
    """`value`, or each of a list's, is a number from `low` to `high`; other kinds pass."""
    if isinstance(value, list | tuple):
        if len(value) > _MOST_ENTRIES:
            raise CheckpointError(f"{name} has {len(value):,} entries; at most {_MOST_ENTRIES} fit")
        for each in value:
            _check_numbers(name, each, low, high)
    # NaN fails both comparisons.
    elif _is_number(value) and not low <= value <= high:
        # A whole number can have thousands of digits.
        shown = repr(value) if isinstance(value, float) or abs(value) < 1e15 else "too large"
        raise CheckpointError(
            f"{name} is {shown}; it has to be from {low:g} to {high:g}: the file is damaged or "
            "made for another program; get it again"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_backbone(config: Any, name: str, seen: list[None]) -> None:
    """Every number of a nested config, and how many entries it has in all."""
    seen.append(None)
    if len(seen) > _MOST_ENTRIES or name.count(".") > 8:
        raise CheckpointError(f"model.backbone_config has more than {_MOST_ENTRIES} entries")
    if isinstance(config, Mapping):
        for key, value in config.items():
            _check_backbone(value, f"{name}.{str(key)[:40]}", seen)
    else:
        low, high = _BACKBONE.get(name.rpartition(".")[2], _ANY_NUMBER)
        _check_numbers(name, config, low, high)


def _parameters(tower: Any) -> float:
    """Roughly the parameters of a tower: twelve matrices of its width to a layer, and its words."""
    if not isinstance(tower, Mapping):
        return 0.0
    width, layers, words = (tower.get(name, 0) for name in ("width", "layers", "vocab_size"))
    if not all(map(_is_number, (width, layers, words))):
        return 0.0
    return float(12 * layers * width * width + words * width)
