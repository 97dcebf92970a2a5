"""What a run records of how it was made. Importing this module loads no torch."""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaclip import __version__
from adaclip.checkpoints.catalogue import find
from adaclip.config import EvaluateConfig
from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.data.mask_doubts import doubts_of
from adaclip.data.registry import dataset_name
from adaclip.errors import CheckpointError
from adaclip.evaluating.protocols import Protocol
from adaclip.runs.records import RunResults
from adaclip.storage.atomic import recorded_sha256, sha256_of
from adaclip.text import printable
from adaclip.types import CheckpointInfo

if TYPE_CHECKING:  # the engine loads torch
    from adaclip.data.samples import Sample
    from adaclip.detecting.detector import Detector

_PACKAGES = ("torch", "open_clip_torch", "numpy", "scipy", "pillow")
_ZERO_SHOT = "Zero-shot on the test split."
_METRICS = (
    "Metrics per class, then the mean over the classes where a metric "
    "is defined. Masks: pixels above 0 unless the dataset says otherwise. AUPRO: up to a "
    "false-positive rate of 0.3, regions of 8 neighbours. Max-F1 over all thresholds."
)


def new_header(
    detector: Detector,
    samples: Sequence[Sample],
    config: EvaluateConfig,
    *,
    run_id: str,
    data_root: Path | None,
    command: str | None = None,
    notes: Sequence[str] = (),
    protocol: Protocol | None = None,
) -> RunResults:
    """The head of `results.json`; with `data_root` None for the drawn images.

    `protocol` None is zero-shot.

    Hashes the weights if nobody has yet. Raises CheckpointError when they cannot be read.
    """
    info = detector.info
    dataset = samples[0].dataset
    digest = weights_sha256(info)
    settings: dict[str, Any] = {
        "dataset": dataset,
        "checkpoint": info.id,
        "checkpoint_sha256": digest,
        "device": detector.device,
        "precision": detector.precision,
        "images": len(samples),
        "images_sha256": _digest(samples),
    }
    extra: dict[str, Any] = {"batch_size": config.batch_size, "versions": versions()}
    if protocol is not None:
        settings |= protocol.settings()
        extra["comparison"] = protocol.name
    way = "" if protocol is None else f", {protocol.name}"
    return RunResults(
        id=run_id,
        title=f"{info.title} on {dataset_name(dataset)}{way}",
        dataset=dataset,
        checkpoint=info.id,
        checkpoint_title=info.title,
        checkpoint_sha256=digest,
        leak=leak(info, dataset),
        warnings=[*notes, *([] if data_root is None else _doubts(samples))],
        created_utc=utc_now(),
        complete=False,
        data_root=SYNTHETIC_KEY if data_root is None else str(data_root),
        resolution=config.resolution,
        ranked_by=config.ranked_by,
        threshold=info.threshold if protocol is None else protocol.threshold,
        map_threshold=info.map_threshold if protocol is None else protocol.threshold.value,
        device=detector.device,
        precision=detector.precision,
        machine=f"{detector.describe_device()}; {processor()}",
        commit=commit(),
        command=command,
        protocol=f"{_ZERO_SHOT if protocol is None else protocol.words} {_METRICS}",
        size_bytes=info.size_bytes,
        settings=asdict(config) | settings,
        extra=extra,
    )


def leak(info: CheckpointInfo, dataset: str) -> str | None:
    """A sentence when the checkpoint was trained on this dataset, else None."""
    if dataset not in info.trained_on:
        return None
    if dataset == SYNTHETIC_KEY:
        return (
            f"{info.title} was trained on pictures of the same generator, of other kinds of "
            "object and with other defects: expect less on photographs."
        )
    return (
        f"{info.title} was trained on {dataset_name(dataset)}: its values here are not zero-shot "
        "and not to be compared with those of a model that has not seen the set."
    )


def _doubts(samples: Sequence[Sample]) -> list[str]:
    return [*mask_warnings(samples), *doubts_of(samples)]


def mask_warnings(samples: Sequence[Sample]) -> list[str]:
    """A sentence when only some of the anomalous images have masks: probably a mistake."""
    anomalous = [sample for sample in samples if sample.anomalous]
    bare = [sample.rel_path for sample in anomalous if sample.mask_path is None]
    if not bare or len(bare) == len(anomalous):
        return []
    have = "has no mask and is" if len(bare) == 1 else "have no mask and are"
    named = ", ".join(map(printable, bare[:3])) + (", ..." if len(bare) > 3 else "")
    return [
        f"{len(bare)} of {len(anomalous)} anomalous images {have} left out of the pixel metrics: "
        f"{named}. Is a file missing? `adaclip datasets --root DIR` lists all of them."
    ]


def weights_sha256(info: CheckpointInfo) -> str | None:
    """The SHA-256 of the checkpoint's file; of an ensemble, its members' joined with "+"."""
    if info.members:
        parts = [weights_sha256(find(member, allow_paths=True)) for member in info.members]
        return "+".join(part or "unknown" for part in parts)
    if info.sha256 or info.path is None:
        return info.sha256
    try:
        facts = info.path.stat()
        return recorded_sha256(info.path) or _hashed(info.path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise CheckpointError(f"cannot read {info.path}: {error.strerror or error}") from error


def versions() -> dict[str, str]:
    """Of the project, Python and the packages that the values depend on."""
    found = {"adaclip": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


@functools.cache
def commit() -> str | None:
    """The project's git commit, with "-dirty" after changes; None when it is not a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


@functools.cache
def processor() -> str:
    """The processor's name and the system, as far as they tell."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:  # not Linux
        pass
    return f"{name}, {sys.platform}"


def utc_now() -> str:
    """ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@functools.lru_cache(maxsize=32)
def _hashed(path: Path, modified: int, size: int) -> str:
    """Once per content: large files take seconds."""
    return sha256_of(path)


def _digest(samples: Sequence[Sample]) -> str:
    """Changes when other images would be judged, or in another order."""
    lines = (f"{s.class_name}\0{s.rel_path}\0{s.anomalous}\n" for s in samples)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
