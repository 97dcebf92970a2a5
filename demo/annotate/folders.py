"""A folder of the server as a review's source: its files, their classes, their judging."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.annotations.queue import QueueItem
from adaclip.checkpoints.catalogue import fingerprint
from adaclip.data.folders import collect_image_paths
from adaclip.data.images import load_image, pixel_sha256
from adaclip.data.registry import spoken
from adaclip.data.samples import load_samples
from adaclip.errors import AdaClipError, DatasetError, InputError
from adaclip.types import CheckpointInfo, Detection, Threshold
from demo.annotate import words
from demo.annotate.sources import Pictures
from demo.flag.flagging import Subject
from demo.runs.source_images import file_sha256
from demo.services import Services

# More pictures than this are not judged for one queue: hours on a CPU. A run can be larger.
MAX_FOLDER = 2000
_RECENT_SECONDS = 20
# Names of folders that say something of a picture's state or kind of file, not of its object.
_NO_CLASS = {
    *("good", "ok", "normal", "bad", "ng", "defect", "defective", "anomaly", "anomalous"),
    *("train", "test", "val", "images", "image", "img", "imgs", "pictures", "photos", "data"),
}


@dataclass(frozen=True, kw_only=True)
class File:
    """One picture of a folder, and what it is asked about with."""

    path: Path
    rel_path: str
    dataset: str
    class_name: str
    defect_type: str = ""
    anomalous: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is in a folder, by its names alone. `labelled`: it says what is normal and what not."""

    files: tuple[File, ...]
    labelled: bool

    @property
    def class_names(self) -> list[str]:
        """The classes in words, the one with the most pictures first."""
        counts = Counter(spoken(file.class_name) for file in self.files)
        return [name for name, _ in counts.most_common()]


def contents(folder: Path) -> Contents:
    """A folder's pictures with their classes: a dataset's own, else names of folders.

    Of plain pictures the class is the folder they lie in directly below `folder`, where there is
    one that names an object, else `folder` itself; a name such as "images" says nothing, so the
    class is then "object".
    """
    try:
        samples = load_samples(folder)
    except DatasetError:
        paths = [p for p in collect_image_paths([folder]) if p.is_relative_to(folder)]
        files = tuple(
            File(
                path=path,
                rel_path=path.relative_to(folder).as_posix(),
                dataset=folder.name,
                class_name=_class_of(path, folder),
            )
            for path in paths
            if path.is_file()
        )
        return Contents(files=files, labelled=False)
    files = tuple(
        File(
            path=sample.image_path,
            rel_path=sample.rel_path,
            dataset=sample.dataset,
            class_name=sample.class_name,
            defect_type=sample.defect_type or "",
            anomalous=sample.anomalous,
        )
        for sample in samples
    )
    return Contents(files=files, labelled=True)


def recent_contents(folder: Path) -> Contents:
    """The same, read again after some seconds: for what is said while one chooses."""
    return _recent(folder, int(time.monotonic() // _RECENT_SECONDS))


@functools.lru_cache(maxsize=8)
def _recent(folder: Path, _when: int) -> Contents:
    return contents(folder)


def _class_of(path: Path, folder: Path) -> str:
    inner = path.relative_to(folder).parts[:-1]
    for name in (*inner[:1], folder.name):
        if name and name.casefold() not in _NO_CLASS:
            return name[:80]
    return "object"


def folder_pictures(
    services: Services, folder: Path, info: CheckpointInfo, class_name: str, threshold: Threshold
) -> Iterator[tuple[int, int] | Pictures]:
    """Judge a folder's pictures: (done, all) as it goes, at last the Pictures. Raises AdaClipError.

    `class_name` "" takes the folder's own; any other is what the model is asked with, and of
    plain pictures what they are stored as.
    """
    found = contents(folder)
    files = found.files
    if not files:
        raise InputError(words.no_pictures_in(folder.name))
    if len(files) > MAX_FOLDER:
        raise InputError(words.too_large_folder(len(files), MAX_FOLDER))
    judge = _Judge(services, info, threshold, class_name, found.labelled)
    items = []
    for index, file in enumerate(files):
        items.append(judge.item(file, index))
        yield index + 1, len(files)
    yield Pictures(
        items=tuple(items),
        subject=lambda index: judge.subject(files[index]),
        title=folder.name,
    )


@dataclass(frozen=True)
class _Judge:
    """What a folder's pictures are judged with."""

    services: Services
    info: CheckpointInfo
    threshold: Threshold
    class_name: str  # "" for the folder's own
    labelled: bool

    def item(self, file: File, index: int) -> QueueItem:
        """A picture for the queue, with its score; None where it cannot be read."""
        score = None
        try:
            pixels = load_image(file.path, name=file.rel_path).pixels
            score = self._detect(pixels, file).anomaly_score
        except AdaClipError:
            pass  # stays in the queue's count; its reason is said when shown
        return QueueItem(
            dataset=file.dataset,
            class_name=self._stored_class(file),
            rel_path=file.rel_path,
            score=score,
            threshold=self.threshold.value,
            anomalous=file.anomalous,
            index=index,
            checkpoint_id=self.info.id,
        )

    def subject(self, file: File) -> Subject:
        """The picture, read and judged. Raises AdaClipError."""
        pixels = load_image(file.path, name=file.rel_path).pixels
        detection = self._detect(pixels, file)
        truth = {None: "", True: "anomalous", False: "normal"}[file.anomalous]
        return Subject(
            name=file.rel_path,
            pixel_sha256=pixel_sha256(pixels),
            image_sha256=file_sha256(file.path),
            size=(pixels.shape[0], pixels.shape[1]),
            rel_path=file.rel_path,
            dataset=file.dataset,
            split="" if file.anomalous is None else "test",
            class_name=self._stored_class(file),
            defect_type=file.defect_type,
            prompt=self._asked_class(file),
            checkpoint_id=self.info.id,
            checkpoint_sha256=self.info.sha256 or "",
            score=detection.anomaly_score,
            margin=detection.anomaly_margin,
            threshold=self.threshold,
            map_threshold=self.info.map_threshold,
            truth=truth,
            truth_source="dataset" if truth else "",
            pixels=lambda: pixels,
            anomaly_map=lambda: detection.model_anomaly_map,
        )

    def _stored_class(self, file: File) -> str:
        return file.class_name if self.labelled else self.class_name or file.class_name

    def _asked_class(self, file: File) -> str:
        return self.class_name or spoken(file.class_name)

    def _detect(self, pixels: np.ndarray, file: File) -> Detection:
        """One detection, remembered as those of the Detect tab are. Raises AdaClipError."""
        services, asked = self.services, self._asked_class(file)
        key: Any = (pixel_sha256(pixels), fingerprint(self.info), asked)
        known = services.store.detections.get(key)
        if known is None:
            detector = services.pool.get(self.info.id)
            with services.device_line.taken():
                [known] = detector.detect([pixels], asked)
            services.store.detections.put(key, known)
        return known
