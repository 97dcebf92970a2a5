"""What a training run leaves on disk: the checkpoint, and the state to go on from.

Both are replaced in one step, so an interruption at any moment leaves the old one or the new one.
Neither holds a time, a path or a random number: the same run writes the same bytes.
"""

from __future__ import annotations

import io
import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip import __version__
from adaclip.checkpoints.metadata import FORMAT, METADATA_KEY
from adaclip.config import TrainConfig
from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.errors import InputError, StoreError
from adaclip.storage.atomic import write_bytes
from adaclip.training.data import TrainingData, counts
from adaclip.training.model import TrainingModel
from adaclip.training.validation import Validation

STATE_FORMAT = 1
# Fields that may differ when a run is resumed: the training stays the same, though another device
# rounds in its own way.
# `normal` and `follow_links` decide which images there are, which are compared themselves.
_FREE = frozenset({"out", "resume", "epochs", "device", "normal", "follow_links"})
# What `details.recipe` tells: no paths, as the file may be passed on, and nothing said elsewhere.
_RECIPE = (
    *("synthetic", "metric", "batch_size", "accumulate", "learning_rate", "betas"),
    *("weight_decay", "seed", "mosaic", "dice", "threshold_quantile"),
)


def state_path(out: Path) -> Path:
    """Where the state of the run that writes `out` lies."""
    return out.with_name(out.name + ".state")


def prepare_output(out: Path, *, resume: bool) -> None:
    """Find out before training whether its result can be written.

    Raises:
        InputError: there is a file already, or nothing to resume.
        StoreError: the folder cannot be written to.
    """
    state = state_path(out)
    if resume and not state.is_file():
        raise InputError(f"nothing to resume: there is no {state}; start the run anew")
    if not resume:
        for path in (out, state):
            if path.exists():
                raise InputError(
                    f"{path} exists already; name another file, delete it, or resume that run"
                )
    # The only sure test of a folder is to write into it.
    probe = out.with_name(f".{secrets.token_hex(8)}.tmp")
    write_bytes(probe, b"\0")
    probe.unlink(missing_ok=True)


def require_space(out: Path, trained: TrainingModel) -> None:
    """Raise StoreError when the disk has no room for the run's files, old and new at a time."""
    learned = sum(p.numel() * p.element_size() for p in trained.learned)
    backbone = sum(
        tensor.numel() * tensor.element_size()
        for tensor in (trained.stored_backbone or {}).values()
    )
    # The state: parameters, the best ones, and the optimiser's two moments.
    needed = 2 * (learned + backbone) + 2 * 4 * learned
    free = shutil.disk_usage(out.parent).free
    if free < needed:
        raise StoreError(
            f"the disk of {out.parent} has {free / 1e6:.0f} MB free and training needs "
            f"{needed / 1e6:.0f} MB; free some, or name a file on another disk"
        )


def write_checkpoint(out: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Replace `out` by these tensors. Raises StoreError; the old file is then whole."""
    # Not `save_file`: it writes in place, readable by its owner alone.
    from safetensors.torch import save

    stored = {name: value.contiguous() for name, value in tensors.items()}
    write_bytes(out, save(stored, metadata={METADATA_KEY: json.dumps(metadata)}))


def learned_now(trained: TrainingModel) -> dict[str, Tensor]:
    """A copy of what has been learned so far, on the CPU."""
    return {k: v.detach().cpu().clone() for k, v in trained.model.state_dict().items()}


def metadata_of(
    config: TrainConfig,
    trained: TrainingModel,
    data: TrainingData,
    validation: Validation,
    record: Mapping[str, Any],
) -> dict[str, Any]:
    """The checkpoint's metadata; `record` is what the run says of itself (epochs, metric ...)."""
    new = list(counts(data.training))
    trained_on = list(dict.fromkeys([*_seen_before(trained), *new]))
    sources = counts(data.validation)
    backbone = trained.model.config.backbone
    origin = trained.init or trained.backbone_source
    # An id may be a path, which is nobody else's business.
    licence = f"; starts from {Path(origin.id).name} ({origin.licence})" if origin else ""
    return {
        "format": FORMAT,
        "title": f"{backbone} · {' + '.join(new)}",
        "model": asdict(trained.model.config),
        "preprocessing": asdict(trained.preprocessing),
        "trained_on": trained_on,
        "threshold": dict(validation.threshold),
        "map_threshold": validation.map_threshold,
        "licence": f"not stated: depends on the training data and the backbone{licence}",
        "includes_backbone": trained.stored_backbone is not None,
        "details": {
            "note": _note(new, list(sources)),
            "init": None if trained.init is None else Path(trained.init.id).name,
            "recipe": {name: getattr(config, name) for name in _RECIPE},
            "images": counts(data.training),
            "held_out_images": sources,
            "left_out_images": len(data.left_out),
            "run": dict(record),
            "versions": {
                "adaclip": __version__,
                "torch": str(torch.__version__),
                "open_clip": version("open_clip_torch"),
            },
        },
    }


def _seen_before(trained: TrainingModel) -> tuple[str, ...]:
    """What the starting point was trained on; a backbone out of a checkpoint learned with it."""
    origin = trained.init or trained.backbone_source
    if origin is None or not (trained.init or origin.details["includes_backbone"]):
        return ()
    return origin.trained_on


def _note(trained_on: list[str], held_out: list[str]) -> str:
    real = [name for name in trained_on if name != SYNTHETIC_KEY]
    sentences = []
    if real:
        names = " and ".join(real)
        sentences.append(f"Trained on {names}: its scores there are not zero-shot.")
    other = [name for name in held_out if name not in trained_on]
    if other:
        sentences.append(
            f"Its best epoch and threshold were chosen on {' and '.join(other)}: its scores "
            "there are not quite zero-shot."
        )
    return " ".join(sentences)


def save_state(
    out: Path,
    config: TrainConfig,
    trained: TrainingModel,
    data: TrainingData,
    run: Mapping[str, Any],
) -> None:
    """Write the run's state after an epoch; `run` is what only the trainer knows."""
    buffer = io.BytesIO()
    state = {
        "format": STATE_FORMAT,
        "config": _comparable(config),
        "data": data.fingerprint,
        "images": len(data.training) + len(data.validation),
        "learned": learned_now(trained),
        "run": dict(run),
    }
    torch.save(state, buffer)
    write_bytes(state_path(out), buffer.getvalue())


def load_state(
    out: Path, config: TrainConfig, trained: TrainingModel, data: TrainingData
) -> dict[str, Any]:
    """Put the parameters back as they were and return `run` of `save_state`.

    Raises:
        StoreError: the file cannot be read.
        InputError: it belongs to another run, or the images have changed since.
    """
    path = state_path(out)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        stored, images, run = state["config"], state["images"], state["run"]
        known, fingerprint, learned = state["format"], state["data"], state["learned"]
    # torch answers damaged files with errors of many types.
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise StoreError(
            f"cannot resume from {path}: {first}; delete it and {out.name} to start anew"
        ) from error
    if known != STATE_FORMAT:
        raise StoreError(f"{path} was written by another version; start the run anew")
    ours = _comparable(config)
    different = [name for name in ours if ours[name] != stored.get(name)]
    if different:
        changes = "; ".join(f"{n} was {stored.get(n)!r}, is {ours[n]!r}" for n in different)
        raise InputError(
            f"{path} belongs to another run: {changes}; resume with the same options, or start "
            f"another run from {out.name}"
        )
    if fingerprint != data.fingerprint:
        now = len(data.training) + len(data.validation)
        raise InputError(
            f"the images have changed since {path} was written ({images} then, {now} now); "
            f"bring them back, or start another run from {out.name}"
        )
    trained.model.load_state_dict(learned)
    return run


def _comparable(config: TrainConfig) -> dict[str, Any]:
    """The options that decide a result, as JSON keeps them."""
    return json.loads(json.dumps({k: v for k, v in asdict(config).items() if k not in _FREE}))
