"""What can be reviewed: the visitor's own pictures, a run, a folder of the server, kept images.

A source is chosen by an id that this server made up; its path never leaves the server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.annotations.queue import QueueItem
from adaclip.annotations.store import Annotation
from adaclip.checkpoints.catalogue import fingerprint
from adaclip.data.folders import collect_image_paths
from adaclip.data.images import load_image, pixel_sha256
from adaclip.data.samples import load_samples
from adaclip.errors import AdaClipError, DatasetError, InputError
from adaclip.runs import Run, list_runs
from adaclip.types import CheckpointInfo, Detection, Threshold
from demo.annotate import words
from demo.batch import Batch
from demo.flag import words as flag_words
from demo.flag.flagging import Subject
from demo.flag.subjects import batch_subject, number_of, run_subject
from demo.runs.source_images import file_sha256
from demo.services import Services

# More pictures than this are not judged for one queue: hours on a CPU. A run can be larger.
MAX_FOLDER = 2000


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


def sources(services: Services, batch: Batch | None) -> list[Source]:
    """All that can be reviewed now: the visitor's own first, then runs, folders, kept images."""
    found = [Source(id=words.SESSION_SOURCE, label=words.SOURCE_SESSION, kind="session")]
    for run in _runs(services):
        where = f"{run.results.title} · {words.pictures(_size_of(run))}"
        found.append(Source(id=f"run-{run.id}", label=f"Run: {where}", kind="run", value=run))
    for folder in _folders(services):
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


def session_pictures(batch: Batch | None) -> Pictures:
    """The judged pictures of the visitor's batch. Raises InputError when there are none."""
    if batch is None or not any(item.detection for item in batch.items):
        raise InputError(words.SOURCE_EMPTY)
    assert batch.checkpoint is not None
    threshold = (batch.threshold or batch.checkpoint.threshold).value
    items = []
    for index, item in enumerate(batch.items):
        if item.detection is None:
            continue
        subject = _sure(batch_subject(batch, index))
        items.append(
            QueueItem(
                dataset=subject.dataset,
                class_name=subject.class_name,
                rel_path=item.name,
                score=item.detection.anomaly_score,
                threshold=threshold,
                index=index,
                pixel_sha256=subject.pixel_sha256,
                checkpoint_id=subject.checkpoint_id,
            )
        )
    return Pictures(
        items=tuple(items),
        subject=lambda index: _sure(batch_subject(batch, index)),
        title=words.SOURCE_SESSION,
    )


def run_pictures(services: Services, run: Run, other: Run | None = None) -> Pictures:
    """The images of a run, with a second run's scores beside them. Raises InputError."""
    rows = run.images().to_dict("records")
    others = {} if other is None else _scores_of(other)
    items = tuple(
        QueueItem(
            dataset=str(row["dataset"]),
            class_name=str(row["class_name"]),
            rel_path=str(row["rel_path"]),
            score=number_of(row["anomaly_score"]),
            threshold=run.threshold.value,
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
        subject=lambda index: run_subject(services, run, rows[index]),
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


def folder_pictures(
    services: Services, folder: Path, info: CheckpointInfo, default_class: str
) -> Iterator[tuple[int, int] | Pictures]:
    """Judge a folder's pictures: (done, all) as it goes, at last the Pictures. Raises AdaClipError.

    A folder laid out as a dataset brings its classes and labels; any other is plain pictures.
    """
    files = _files_of(folder, default_class)
    if not files:
        raise InputError(words.no_pictures_in(folder.name))
    if len(files) > MAX_FOLDER:
        raise InputError(words.too_large_folder(len(files), MAX_FOLDER))
    items, detector = [], services.pool.get(info.id)
    for index, file in enumerate(files):
        score = None
        try:
            pixels = load_image(file.path, name=file.rel_path).pixels
            score = _detect(services, detector, info, pixels, file.words).anomaly_score
        except AdaClipError:
            pass  # stays in the queue's count, without a score; its reason is said when shown
        items.append(
            QueueItem(
                dataset=file.dataset,
                class_name=file.class_name,
                rel_path=file.rel_path,
                score=score,
                threshold=info.threshold.value,
                anomalous=file.anomalous,
                index=index,
                checkpoint_id=info.id,
            )
        )
        yield index + 1, len(files)
    yield Pictures(
        items=tuple(items),
        subject=lambda index: _file_subject(services, info, files[index]),
        title=folder.name,
    )


@dataclass(frozen=True, kw_only=True)
class _File:
    path: Path
    rel_path: str
    dataset: str
    class_name: str
    words: str  # what the model is asked with
    defect_type: str = ""
    anomalous: bool | None = None


def _files_of(folder: Path, default_class: str) -> list[_File]:
    try:
        samples = load_samples(folder)
    except DatasetError:
        return [
            _File(
                path=path,
                rel_path=path.relative_to(folder).as_posix(),
                dataset=folder.name,
                class_name=default_class,
                words=default_class,
            )
            for path in collect_image_paths([folder])
            if path.is_relative_to(folder) and path.is_file()
        ]
    return [
        _File(
            path=sample.image_path,
            rel_path=sample.rel_path,
            dataset=sample.dataset,
            class_name=sample.class_name,
            words=sample.class_name.replace("_", " "),
            defect_type=sample.defect_type or "",
            anomalous=sample.anomalous,
        )
        for sample in samples
    ]


def _file_subject(services: Services, info: CheckpointInfo, file: _File) -> Subject:
    pixels = load_image(file.path, name=file.rel_path).pixels
    detector = services.pool.get(info.id)
    detection = _detect(services, detector, info, pixels, file.words)
    truth = {None: "", True: "anomalous", False: "normal"}[file.anomalous]
    return Subject(
        name=file.rel_path,
        pixel_sha256=pixel_sha256(pixels),
        image_sha256=file_sha256(file.path),
        size=(pixels.shape[0], pixels.shape[1]),
        rel_path=file.rel_path,
        dataset=file.dataset,
        split="" if file.anomalous is None else "test",
        class_name=file.class_name,
        defect_type=file.defect_type,
        prompt=file.words,
        checkpoint_id=info.id,
        checkpoint_sha256=info.sha256 or "",
        score=detection.anomaly_score,
        margin=detection.anomaly_margin,
        threshold=info.threshold,
        map_threshold=info.map_threshold,
        truth=truth,
        truth_source="dataset" if truth else "",
        pixels=lambda: pixels,
        anomaly_map=lambda: detection.model_anomaly_map,
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


def _detect(
    services: Services, detector: Any, info: CheckpointInfo, pixels: np.ndarray, class_name: str
) -> Detection:
    """One detection, remembered as those of the Detect tab are. Raises AdaClipError."""
    key = (pixel_sha256(pixels), fingerprint(info), class_name)
    known = services.store.detections.get(key)
    if known is None:
        with services.device_line.taken():
            [known] = detector.detect([pixels], class_name)
        services.store.detections.put(key, known)
    return known


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


def _folders(services: Services) -> Sequence[Path]:
    """The allow-listed folders that are there, and the folders directly in them."""
    found: list[Path] = []
    for root in services.data_roots:
        try:
            inner = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."]
        except OSError:
            continue
        found += [root, *(p for p in inner if p.resolve().is_relative_to(root.resolve()))]
    return found


def _folder_id(folder: Path) -> str:
    return "folder-" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def _sure(subject: Subject | None) -> Subject:
    if subject is None:
        raise InputError(flag_words.OTHER_SHOWN)
    return subject
