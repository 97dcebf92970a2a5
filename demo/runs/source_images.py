"""A run's pictures and maps where they lie: below a folder this server may show."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.data.images import load_image, pixel_sha256
from adaclip.errors import AdaClipError, DatasetError
from adaclip.logits import sigmoid
from demo.services import Services

# The bundled benchmark set is drawn, not read: this is its data_root.


def run_picture(services: Services, run: Any, rel_path: str) -> tuple[np.ndarray, str]:
    """(H, W, 3) uint8 of a run's image, and the digest of its file. Raises AdaClipError."""
    if run.results.synthetic:
        from adaclip.synthetic import benchmark_set

        pixels = benchmark_set.draw(rel_path).image
        return pixels, pixel_sha256(pixels)  # it has no file
    path = inside(data_root_of(services, run), rel_path)
    return load_image(path, name=rel_path).pixels, file_sha256(path)


def data_root_of(services: Services, run: Any) -> Path:
    """The folder of a run's images, if this server may show it. Raises DatasetError."""
    root = run.data_root
    allowed = [folder.resolve() for folder in services.data_roots]
    if root is None or not any(Path(root).resolve().is_relative_to(a) for a in allowed):
        raise DatasetError(
            f"the pictures of run {run.id} are not among the folders this server may show; "
            "start it with --data-root and the dataset's folder"
        )
    return Path(root)


def inside(root: Path, rel_path: str) -> Path:
    """`root`/`rel_path`, which must be a file in it, links followed. Raises DatasetError."""
    if "\0" not in rel_path and "\\" not in rel_path and not Path(rel_path).is_absolute():
        path = (root / rel_path).resolve()
        if path.is_relative_to(root.resolve()) and path.is_file():
            return path
    raise DatasetError(f"{rel_path}: is not in the data folder; has the dataset been moved?")


def run_map(run: Any, row: Mapping[str, Any]) -> np.ndarray | None:
    """A run's map of 0-1 at the model's resolution; None when it was not kept."""
    try:
        margin = run.margin_map(row)
    except AdaClipError:
        return None
    if margin is None:
        return None
    return sigmoid(np.asarray(margin, dtype=np.float32))


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes; "" when it has gone."""
    try:
        facts = path.stat()
        return _file_sha256(path, facts.st_mtime_ns, facts.st_size)
    except OSError:
        return ""


@functools.lru_cache(maxsize=512)
def _file_sha256(path: Path, _modified: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
