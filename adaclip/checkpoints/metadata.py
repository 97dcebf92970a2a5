"""What our own checkpoints say of themselves, read from a safetensors header alone.

The header holds, under `__metadata__["adaclip"]`, one JSON object:

    {"format": 1, "title": str, "model": {ModelConfig}, "preprocessing": {PreprocessingConfig},
     "trained_on": [dataset key ...], "threshold": {"value", "source", "review_band"},
     "map_threshold": float, "licence": str, "includes_backbone": bool, "details": {...}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adaclip.checkpoints.limits import check_ranges
from adaclip.config import ModelConfig, PreprocessingConfig
from adaclip.errors import CheckpointError

FORMAT = 1
METADATA_KEY = "adaclip"

# The format allows four times as much, which takes seconds to read; a model has a few thousand
# tensors, at some 150 bytes each.
_MAX_HEADER_BYTES = 25_000_000
_MAX_METADATA = 1_000_000
_LENGTH_BYTES = 8
# Logits; beyond any logit the model can reach, so a larger one is a mistake.
_MAX_REVIEW_BAND = 200.0
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "model": dict,
    "preprocessing": dict,
    "trained_on": list,
    "threshold": dict,
    "map_threshold": (int, float),
    "licence": str,
    "includes_backbone": bool,
}


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The checkpoint's metadata as stored, every field checked; `details` is always there.

    Raises CheckpointError when the file is no safetensors file, is damaged or truncated, holds
    no AdaCLIP metadata, or has a format or a field this version does not know.
    """
    path = Path(path)
    text = read_header(path).get("__metadata__", {}).get(METADATA_KEY)
    if not isinstance(text, str):
        raise CheckpointError(
            f"{path} has no AdaCLIP metadata: it holds weights, but not how to use them; "
            "use a checkpoint saved by this project, or one of the published ones"
        )
    if len(text) > _MAX_METADATA:
        raise _damaged(path, f"its AdaCLIP metadata has {len(text):,} characters")
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its AdaCLIP metadata is not JSON") from error
    if not isinstance(metadata, dict):
        raise _damaged(path, "its AdaCLIP metadata is not a JSON object")
    _check(path, metadata)
    return {"details": {}} | metadata


def read_header(path: Path) -> dict[str, Any]:
    """A safetensors file's header: tensor name -> dtype, shape and offsets, and `__metadata__`.

    Raises CheckpointError when the file cannot be read, is of another kind, or is cut short.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            opening = file.read(1)
            if opening != b"{" or length > _MAX_HEADER_BYTES:
                raise CheckpointError(
                    f"{path} is not a safetensors file ({size} bytes); "
                    "get the file again, and check that the download was not a web page"
                )
            text = opening + file.read(length - 1)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    if len(text) < length:
        raise _damaged(path, "it ends inside its header")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise _damaged(path, "its header is not a JSON object")
    if size != (needed := _LENGTH_BYTES + length + _tensor_bytes(path, header)):
        raise _damaged(path, f"it has {size} bytes and its header promises {needed}")
    return header


def _tensor_bytes(path: Path, header: dict[str, Any]) -> int:
    """Bytes all tensors take together, by the header."""
    end = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        offsets = tensor.get("data_offsets") if isinstance(tensor, dict) else None
        if not (isinstance(offsets, list) and len(offsets) == 2 and isinstance(offsets[1], int)):
            raise _damaged(path, f"its header does not say where tensor {name!r} is")
        end = max(end, offsets[1])
    return end


def _check(path: Path, metadata: dict[str, Any]) -> None:
    """Raise CheckpointError for the first field that cannot be used."""
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has metadata format {metadata.get('format')!r} and this version reads "
            f"{FORMAT}: update the project or use a checkpoint made for it"
        )
    for name, kind in _FIELDS.items():
        value = metadata.get(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _damaged(path, f"metadata field {name!r} is missing or of the wrong kind")
    if not isinstance(metadata.get("details", {}), dict):
        raise _damaged(path, "metadata field 'details' is of the wrong kind")
    if not all(isinstance(key, str) for key in metadata["trained_on"]):
        raise _damaged(path, "metadata field 'trained_on' is not a list of names")
    _check_thresholds(path, metadata)
    try:
        ModelConfig.from_mapping(metadata["model"])
        PreprocessingConfig.from_mapping(metadata["preprocessing"])
        check_ranges(metadata)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _check_thresholds(path: Path, metadata: dict[str, Any]) -> None:
    """Thresholds are 0-1; the review band is in logits."""
    threshold: Mapping[str, Any] = metadata["threshold"]
    if set(threshold) - {"value", "source", "review_band"} or not isinstance(
        threshold.get("source"), str
    ):
        raise _damaged(path, "metadata field 'threshold' needs value, source and review_band")
    if not _is_within(threshold.get("value"), 1.0) or not _is_within(
        metadata["map_threshold"], 1.0
    ):
        raise _damaged(path, "its thresholds are not numbers from 0 to 1")
    if not _is_within(threshold.get("review_band", 0.0), _MAX_REVIEW_BAND):
        raise _damaged(path, "its review band is not a number of logits from 0 on")


def _is_within(value: Any, highest: float) -> bool:
    """True for a number from 0 to `highest`."""
    # NaN fails both comparisons.
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= highest
    )


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"{path} is damaged or cut short: {what}; get the file again")
