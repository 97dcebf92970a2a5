"""References as one file: patch features in fp16, and no picture."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.comparing.features import Tokens
from adaclip.comparing.joining import Calibration, Normal
from adaclip.comparing.references import MAX_REFERENCES, References
from adaclip.errors import StoreError
from adaclip.storage.atomic import write_bytes

FORMAT = "adaclip-references/1"
# Larger files are not ours, and would not fit into memory either.
_LARGEST = 4 << 30
_ARRAYS = ("tokens", "class_token", "patch_margins")


def save_references(references: References, path: str | Path) -> None:
    """Write references into one .npz file, in one step. Raises StoreError."""
    arrays: dict[str, np.ndarray] = {}
    examples = []
    for number, (example, bank) in enumerate(
        zip(references.examples, references.banks, strict=True)
    ):
        arrays |= {f"{name}_{number}": getattr(example, name) for name in _ARRAYS}
        arrays[f"bank_{number}"] = bank
        examples.append(
            {
                "grid": example.grid,
                "anomaly_margin": example.anomaly_margin,
                "picture": example.picture,
                "model": example.model,
            }
        )
    about = {
        "format": FORMAT,
        "names": references.names,
        "examples": examples,
        "posed": references.posed,
        "calibration": dataclasses.asdict(references.calibration),
        "notes": references.notes,
    }
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def load_references(path: str | Path) -> References:
    """What `save_references` wrote, the same bits. Raises StoreError, naming the file."""
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise StoreError(f"{path} is larger than any file of good examples; check its name")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return _read(arrays)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    except StoreError:
        raise
    # zipfile, numpy and json answer damage with errors of many types.
    except Exception as error:
        raise StoreError(
            f"{path}: is damaged or holds no good examples ({type(error).__name__}: {error}); "
            "make it again from the pictures"
        ) from error


def _read(arrays: dict[str, np.ndarray]) -> References:
    about = json.loads(arrays["about"].tobytes())
    if about.get("format") != FORMAT:
        raise ValueError(f"the format is {about.get('format')!r}, not {FORMAT!r}")
    examples = tuple(
        _example(facts, {name: arrays[f"{name}_{number}"] for name in _ARRAYS})
        for number, facts in enumerate(about["examples"])
    )
    banks = tuple(arrays[f"bank_{number}"] for number in range(len(examples)))
    if not 1 <= len(examples) <= MAX_REFERENCES or len(about["names"]) != len(examples):
        raise ValueError(f"it holds {len(examples)} examples and {len(about['names'])} names")
    if len({example.model for example in examples}) != 1:
        raise ValueError("its examples are of different models")
    for example, bank in zip(examples, banks, strict=True):
        shape = (example.tokens.shape[0], example.tokens.shape[2])
        _expect(bank.dtype == np.float16 and bank.ndim == 3 and bank.shape[1] > 0, "a bank")
        _expect(bank.shape[0] % shape[0] == 0 and bank.shape[2] == shape[1], "a bank")
        _expect(bool(np.isfinite(bank).all()), "a bank")
        bank.flags.writeable = False
    return References(
        names=tuple(map(str, about["names"])),
        examples=examples,
        banks=banks,
        posed=bool(about["posed"]),
        calibration=_calibration(about["calibration"]),
        notes=tuple(map(str, about["notes"])),
    )


def _example(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> Tokens:
    rows, columns = (int(side) for side in facts["grid"])
    tokens, class_token, margins = (arrays[name] for name in _ARRAYS)
    _expect(tokens.dtype == np.float16 and tokens.ndim == 3, "tokens")
    _expect(class_token.dtype == np.float16 and class_token.ndim == 1, "a class token")
    _expect(tokens.shape[1] == rows * columns == len(margins) > 0, "a grid")
    for array in arrays.values():
        _expect(bool(np.isfinite(array).all()), "values")
        array.flags.writeable = False
    return Tokens(
        grid=(rows, columns),
        anomaly_margin=float(facts["anomaly_margin"]),
        picture=str(facts["picture"]),
        model=str(facts["model"]),
        **arrays,
    )


def _calibration(stored: dict[str, Any]) -> Calibration:
    first, second, third = (Normal(**each) for each in stored["values"])
    return Calibration(
        **stored
        | {
            "values": (first, second, third),
            "patch_distance": Normal(**stored["patch_distance"]),
            "patch_margin": Normal(**stored["patch_margin"]),
        }
    )


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"{what} that cannot be")
