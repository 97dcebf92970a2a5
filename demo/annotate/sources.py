"""What can be reviewed: the visitor's own pictures, a run, a folder of the server, kept images.

A source is chosen by an id that this server made up; its path never leaves the server.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.annotations.queue import QueueItem
from adaclip.annotations.store import Annotation
from adaclip.checkpoints.catalogue import fingerprint
from adaclip.errors import AdaClipError, InputError
from adaclip.runs import Run, list_runs
from adaclip.types import Threshold
from demo.annotate import words
from demo.annotate.pictures import folders
from demo.batch import Batch
from demo.flag import words as flag_words
from demo.flag.flagging import Subject
from demo.flag.subjects import batch_subject, number_of, run_subject
from demo.look import given_threshold
from demo.services import Services


@dataclass(frozen=True, kw_only=True)
class Source:
    """One entry of the list one chooses from."""

    id: str
    label: str
    kind: str  # session, kept, run, folder
    value: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The pictures of a source, and how each becomes a subject."""

    items: tuple[QueueItem, ...]
    subject: Callable[[int], Subject] = field(repr=False)  # by QueueItem.index
    title: str = ""

    @property
    def labelled(self) -> bool:
        """Whether the source says of any picture that it is normal or anomalous."""
        return any(item.anomalous is not None for item in self.items)


def sources(services: Services, batch: Batch | None) -> list[Source]:
    """All that can be reviewed now: the visitor's own first, then runs, folders, kept images."""
    found = [Source(id=words.SESSION_SOURCE, label=words.SOURCE_SESSION, kind="session")]
    for run in _runs(services):
        where = f"{run.results.title} · {words.pictures(_size_of(run))}"
        found.append(Source(id=f"run-{run.id}", label=f"Run: {where}", kind="run", value=run))
    for folder in folders(services):
        name = folder.name or str(folder)
        found.append(
            Source(id=_folder_id(folder), label=f"Folder: {name}", kind="folder", value=folder)
        )
    if services.annotations is not None:
        found.append(Source(id=words.KEPT_SOURCE, label=words.SOURCE_KEPT, kind="kept"))
    return found


def find_source(services: Services, batch: Batch | None, source_id: Any) -> Source:
    """A source on offer. Raises InputError."""
    for source in sources(services, batch):
        if source.id == source_id:
            return source
    raise InputError(words.UNKNOWN_SOURCE)


def session_pictures(batch: Batch | None, cut: float | None = None) -> Pictures:
    """The judged pictures of the visitor's batch. Raises InputError when there are none.

    `cut` is a threshold in place of the one in force on the Detect tab, 0-1.
    """
    if batch is None or not any(item.detection for item in batch.items):
        raise InputError(words.SOURCE_EMPTY)
    assert batch.checkpoint is not None
    own = batch.threshold or batch.checkpoint.threshold
    threshold = own if cut is None else given_threshold(cut, own)

    def subject_of(index: int) -> Subject:
        shown = present(batch_subject(batch, index))
        return shown if cut is None else dataclasses.replace(shown, threshold=threshold)

    items = []
    for index, item in enumerate(batch.items):
        if item.detection is None:
            continue
        subject = subject_of(index)
        items.append(
            QueueItem(
                dataset=subject.dataset,
                class_name=subject.class_name,
                rel_path=item.name,
                score=item.detection.anomaly_score,
                threshold=threshold.value,
                index=index,
                pixel_sha256=subject.pixel_sha256,
                checkpoint_id=subject.checkpoint_id,
            )
        )
    return Pictures(items=tuple(items), subject=subject_of, title=words.SOURCE_SESSION)


def run_pictures(
    services: Services, run: Run, other: Run | None = None, cut: float | None = None
) -> Pictures:
    """The images of a run, with a second run's scores beside them. Raises InputError.

    `cut` is a threshold in place of the run's own, 0-1.
    """
    threshold = run.threshold if cut is None else given_threshold(cut, run.threshold)
    rows = run.images().to_dict("records")
    others = {} if other is None else _scores_of(other)
    items = tuple(
        QueueItem(
            dataset=str(row["dataset"]),
            class_name=str(row["class_name"]),
            rel_path=str(row["rel_path"]),
            score=number_of(row["anomaly_score"]),
            threshold=threshold.value,
            anomalous=bool(int(row["anomalous"])),
            other_score=others.get((str(row["dataset"]), str(row["rel_path"]))),
            other_threshold=0.5 if other is None else other.threshold.value,
            index=index,
            checkpoint_id=str(run.checkpoint),
        )
        for index, row in enumerate(rows)
    )
    if other is not None and all(item.other_score is None for item in items):
        raise InputError(words.NO_COMMON)
    return Pictures(
        items=tuple(item for item in items if item.score is not None),
        subject=lambda index: run_subject(services, run, rows[index], threshold),
        title=run.results.title,
    )


def kept_pictures(services: Services) -> Pictures:
    """Images people agreed to keep, each once, as first judged."""
    store = services.annotations
    assert store is not None
    first: dict[str, Annotation] = {}
    for annotation in store.current():
        if annotation.pixel_sha256 not in first and store.has_image(annotation.pixel_sha256):
            first[annotation.pixel_sha256] = annotation
    rows = list(first.values())
    items = tuple(
        QueueItem(
            dataset=row.dataset,
            class_name=row.class_name,
            rel_path=row.rel_path,
            score=row.image_score,
            threshold=0.5 if row.image_threshold is None else row.image_threshold,
            index=index,
            pixel_sha256=row.pixel_sha256,
            checkpoint_id=row.checkpoint_id,
        )
        for index, row in enumerate(rows)
    )
    if not items:
        raise InputError(words.NOTHING_KEPT)
    return Pictures(
        items=items,
        subject=lambda index: _kept_subject(services, rows[index]),
        title=words.SOURCE_KEPT,
    )


def _kept_subject(services: Services, row: Annotation) -> Subject:
    assert services.annotations is not None
    pixels = services.annotations.image(row.pixel_sha256)
    if pixels is None:
        raise InputError(words.IMAGE_GONE)
    threshold = None
    if row.image_threshold is not None:
        threshold = Threshold(value=row.image_threshold, source=row.threshold_source)
    return Subject(
        name=row.rel_path,
        pixel_sha256=row.pixel_sha256,
        image_sha256=row.image_sha256,
        size=(pixels.shape[0], pixels.shape[1]),
        rel_path=row.rel_path,
        dataset=row.dataset,
        split=row.split,
        class_name=row.class_name,
        defect_type=row.defect_type,
        prompt=row.prompt,
        checkpoint_id=row.checkpoint_id,
        checkpoint_sha256=row.checkpoint_sha256,
        score=row.image_score,
        margin=row.image_margin,
        threshold=threshold,
        map_threshold=row.map_threshold,
        truth=row.gt_label,
        truth_source=row.gt_source,
        pixels=lambda: pixels,
        anomaly_map=lambda: _known_map(services, row),
    )


def _known_map(services: Services, row: Annotation) -> np.ndarray | None:
    """A map this server still remembers; nothing is computed for it."""
    try:
        info = services.checkpoint(row.checkpoint_id)
    except AdaClipError:
        return None
    key = (row.pixel_sha256, fingerprint(info), row.prompt)
    known = services.store.detections.get(key)
    return None if known is None else known.model_anomaly_map


def _runs(services: Services) -> list[Run]:
    return list_runs(services.run_roots)[0] if services.run_roots else []


def _size_of(run: Run) -> int:
    normal, anomalous, _ = run.results.images
    return normal + anomalous


def _scores_of(run: Run) -> dict[tuple[str, str], float | None]:
    rows = run.images().to_dict("records")
    return {
        (str(row["dataset"]), str(row["rel_path"])): number_of(row["anomaly_score"]) for row in rows
    }


def _folder_id(folder: Path) -> str:
    return "folder-" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def present(subject: Subject | None) -> Subject:
    """The subject. Raises InputError when the picture has no prediction any more."""
    if subject is None:
        raise InputError(flag_words.OTHER_SHOWN)
    return subject
