"""What can be judged, found where it lies: a picture of a visitor's batch, of a run, of a folder.

Paths are never taken from a browser: a run's are joined to an allow-listed folder and must stay
inside it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adaclip.annotations.store import AnnotationStore
from adaclip.data.images import pixel_sha256
from adaclip.errors import InputError
from adaclip.types import Threshold, Verdict
from demo.batch import Batch, threshold_of
from demo.flag import words as flag_words
from demo.flag.bar import row_cell
from demo.flag.flagging import Subject, marks_of, subject_id
from demo.runs.source_images import file_sha256, run_map, run_picture
from demo.services import Services
from demo.visitor.pictures import min_area_px, open_picture

UPLOADS, EXAMPLES = "upload", "example"


def batch_subject(batch: Batch, index: int | None = None) -> Subject | None:
    """A judged picture of a visitor's batch, by default the one on the stage; else None.

    Raises AdaClipError when its upload has gone.
    """
    number = batch.selected if index is None else index
    if not 0 <= number < len(batch.items):
        raise InputError(flag_words.OTHER_SHOWN)
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
        min_area_px=min_area_px(batch.look.min_area_percent, detection.image_size),
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
        checkpoint_sha256=results.checkpoint_sha256 or "",
        score=number_of(row.get("anomaly_score")),
        margin=number_of(row.get("anomaly_margin")),
        threshold=threshold or run.threshold,
        map_threshold=results.map_threshold,
        truth="anomalous" if anomalous else "normal",
        truth_source="dataset",
        pixels=lambda: pixels,
        anomaly_map=functools.partial(run_map, run, row),
    )


def row_of(rows: Sequence[Mapping[str, Any]], rel_path: str) -> Mapping[str, Any]:
    """The row of an image. Raises InputError."""
    for row in rows:
        if row["rel_path"] == rel_path:
            return row
    raise InputError(flag_words.OTHER_SHOWN)


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
