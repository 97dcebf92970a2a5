"""What can be judged, found where it lies: a picture of a visitor's batch, of a run, of a folder.

Paths are never taken from a browser: a run's are joined to an allow-listed folder and must stay
inside it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.annotations.store import AnnotationStore
from adaclip.data.images import load_image, pixel_sha256
from adaclip.errors import AdaClipError, DatasetError, InputError
from adaclip.types import Threshold, Verdict
from demo.annotate import words
from demo.annotate.flag_bar import row_cell
from demo.annotate.flagging import Subject, marks_of, subject_id
from demo.batch import Batch, threshold_of
from demo.pictures import open_picture
from demo.services import Services

UPLOADS, EXAMPLES = "upload", "example"
# The bundled benchmark set is drawn, not read: this is its data_root.
SYNTHETIC = "synthetic"


def batch_subject(batch: Batch, index: int | None = None) -> Subject | None:
    """A judged picture of a visitor's batch, by default the one on the stage; else None.

    Raises AdaClipError when its upload has gone.
    """
    number = batch.selected if index is None else index
    if not 0 <= number < len(batch.items):
        raise InputError(words.OTHER_SHOWN)
    item = batch.items[number]
    detection, info = item.detection, batch.checkpoint
    if detection is None or info is None:
        return None
    if not item.pixel_sha256:
        open_picture(item, batch.folder)
    threshold = batch.threshold or info.threshold
    return Subject(
        name=item.name,
        pixel_sha256=item.pixel_sha256,
        image_sha256=file_sha256(item.path),
        size=detection.image_size,
        rel_path=item.name,
        dataset=EXAMPLES if batch.is_example else UPLOADS,
        class_name=detection.class_name,
        prompt=detection.class_name,
        checkpoint_id=info.id,
        checkpoint_sha256=info.sha256 or "",
        score=detection.anomaly_score,
        margin=detection.anomaly_margin,
        threshold=threshold,
        map_threshold=batch.look.map_threshold,
        pixels=lambda: open_picture(item, batch.folder),
        anomaly_map=lambda: detection.model_anomaly_map,
    )


def batch_marks(store: AnnotationStore, batch: Batch) -> list[str]:
    """For each picture of a batch its table cell for flagging: what was said, and one button."""
    threshold = threshold_of(batch)
    cells = []
    for index, item in enumerate(batch.items):
        if item.detection is None or batch.checkpoint is None or not item.pixel_sha256:
            cells.append("<td></td>")
            continue
        what = (item.pixel_sha256, item.detection.class_name, batch.checkpoint.id)
        alarm = threshold.verdict(item.detection.anomaly_score) is not Verdict.NORMAL
        cells.append(row_cell(index, subject_id(*what), alarm, marks_of(store, *what)))
    return cells


def run_subject(
    services: Services, run: Any, row: Mapping[str, Any], threshold: Threshold | None = None
) -> Subject:
    """One image of an evaluation run, read from its dataset. Raises AdaClipError."""
    rel_path, results = str(row["rel_path"]), run.results
    pixels, image_sha = run_picture(services, run, rel_path)
    anomalous = bool(int(row["anomalous"]))
    cut = results.get("map_threshold")
    return Subject(
        name=rel_path,
        pixel_sha256=pixel_sha256(pixels),
        image_sha256=image_sha,
        size=(pixels.shape[0], pixels.shape[1]),
        rel_path=rel_path,
        dataset=str(row["dataset"]),
        split="test",
        class_name=str(row["class_name"]),
        defect_type=text_of(row.get("defect_type")),
        prompt=str(row["class_name"]).replace("_", " "),
        checkpoint_id=str(run.checkpoint),
        checkpoint_sha256=str(results.get("checkpoint_sha256") or ""),
        score=number_of(row.get("anomaly_score")),
        margin=number_of(row.get("anomaly_margin")),
        threshold=threshold or run.threshold,
        map_threshold=0.5 if cut is None else float(cut),
        truth="anomalous" if anomalous else "normal",
        truth_source="dataset",
        pixels=lambda: pixels,
        anomaly_map=functools.partial(run_map, run, row),
    )


def run_picture(services: Services, run: Any, rel_path: str) -> tuple[np.ndarray, str]:
    """(H, W, 3) uint8 of a run's image, and the digest of its file. Raises AdaClipError."""
    if str(run.results.get("data_root")) == SYNTHETIC:
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
    values = np.asarray(margin, dtype=np.float32)
    return (1.0 / (1.0 + np.exp(-values))).astype(np.float32)


def row_of(rows: Sequence[Mapping[str, Any]], rel_path: str) -> Mapping[str, Any]:
    """The row of an image. Raises InputError."""
    for row in rows:
        if row["rel_path"] == rel_path:
            return row
    raise InputError(words.OTHER_SHOWN)


def number_of(value: Any) -> float | None:
    """A finite number, or None for what a table left empty."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def text_of(value: Any) -> str:
    """A cell's text; empty and NaN are nothing."""
    return "" if value is None or value != value else str(value)


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
