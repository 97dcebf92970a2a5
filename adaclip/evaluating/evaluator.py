"""Judging a dataset and measuring how well: images into a run, a batch at a time.

Batches are cut once from the list of images, so an interrupted evaluation that is resumed
computes the same batches, and with them the same values to the last bit. Importing this module
loads no torch.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adaclip.config import EvaluateConfig
from adaclip.data.registry import spoken
from adaclip.data.samples import Sample
from adaclip.errors import AdaClipError, ImageError, InputError
from adaclip.evaluating.header import new_header, utc_now
from adaclip.evaluating.protocols import Protocol
from adaclip.evaluating.sources import FileSource, ImageSource
from adaclip.evaluating.tally import ClassTally, Judged
from adaclip.metrics.contours import peak_on_contour
from adaclip.runs.records import ClassResults, RunResults, mean_of
from adaclip.runs.results import MAPS, WORK, read_run
from adaclip.runs.rows import Row
from adaclip.runs.writer import RunWriter
from adaclip.text import printable
from adaclip.types import Detection

if TYPE_CHECKING:  # the engine loads torch
    from adaclip.detecting.detector import Detector


def limit_samples(samples: Sequence[Sample], limit: int | None) -> list[Sample]:
    """At most `limit` images of each class, the same ones each time.

    Half of them normal where there are enough; the anomalous ones shared out among the kinds of
    defect. Within each, they are taken at even distances.
    """
    if limit is None:
        return list(samples)
    groups: dict[str, dict[str | None, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        groups[sample.class_name][sample.defect_type if sample.anomalous else None].append(sample)
    kept: set[str] = set()
    for by_type in groups.values():
        normal = by_type.pop(None, [])
        anomalous = sum(map(len, by_type.values()))
        share = min(anomalous, max(limit // 2, limit - len(normal)))
        taken = _spread(normal, limit - share)
        for defects, count in zip(
            by_type.values(), _shares([len(d) for d in by_type.values()], share), strict=True
        ):
            taken += _spread(defects, count)
        kept |= {sample.rel_path for sample in taken}
    return [sample for sample in samples if sample.rel_path in kept]


def open_run(
    detector: Detector,
    samples: Sequence[Sample],
    folder: Path,
    config: EvaluateConfig,
    *,
    data_root: Path | None,
    batch_size: int | None = None,
    resume: bool = False,
    command: str | None = None,
    notes: Sequence[str] = (),
    protocol: Protocol | None = None,
) -> RunWriter:
    """Start a run in `folder`, or resume the one there; the caller closes it.

    Args:
        samples: the images, of one dataset; `limit_samples` first where `config.limit` is set.
        data_root: what their `rel_path` is relative to; None for the drawn images.
        batch_size: by default what suits the device; overrides the one of `config`.
        notes: what was guessed when the images were found; recorded among the warnings.
        protocol: how images are judged; None is zero-shot.

    Raises StoreError (see `RunWriter`), InputError for no images at all.
    """
    if not samples:
        raise InputError("there are no images to evaluate; check the data folder")
    if batch_size is None:
        from adaclip.detecting.device import get_device

        batch_size = get_device(detector.device).default_batch_size
    config = dataclasses.replace(config, batch_size=batch_size)
    header = new_header(
        detector,
        samples,
        config,
        run_id=folder.name,
        data_root=data_root,
        command=command,
        notes=notes,
        protocol=protocol,
    )
    return RunWriter(folder, header, resume=resume)


def evaluate(
    detector: Detector,
    samples: Sequence[Sample],
    writer: RunWriter,
    *,
    source: ImageSource | None = None,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    protocol: Protocol | None = None,
) -> RunResults:
    """Judge the images that a run lacks, then measure; the results as written.

    Images that cannot be read or judged become rows with an error. What was finished before an
    interruption, by `stop` or by a kill, is not done again.

    Args:
        samples: those the run was opened with.
        source: reads images and masks; by default from files.
        stop: asked before each batch; when true, the results so far (not complete) are returned.
        progress: told after each batch how many images of how many are done.
        protocol: the one that the run was opened with.

    Raises:
        InputError: the class name or batch size cannot be used.
        StoreError: the run cannot be written.
    """
    if writer.complete:
        return read_run(writer.folder).results
    where = source or FileSource(samples)
    return _Evaluation(detector, samples, writer, where, stop, progress, protocol).run()


# (index, sample) of images of one class that are judged together.
_Batch = list[tuple[int, Sample]]


@dataclass(frozen=True)
class _Pictures:
    """What was read for a batch, by index; an image has either pixels or an error."""

    images: dict[int, np.ndarray] = field(default_factory=dict)
    masks: dict[int, np.ndarray | None] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Evaluation:
    detector: Detector
    samples: Sequence[Sample]
    writer: RunWriter
    source: ImageSource
    stop: Callable[[], bool] | None
    progress: Callable[[int, int], None] | None
    protocol: Protocol | None = None

    def run(self) -> RunResults:
        waiting = [batch for batch in self._batches() if not self._is_done(batch)]
        again = {sample.rel_path for batch in waiting for _, sample in batch}
        self.writer.keep_only({sample.rel_path for sample in self.samples} - again)
        done, total = len(self.samples) - len(again), len(self.samples)
        self._tell(done, total)
        for batch, pictures in self._read_ahead(waiting):
            if self._stopped():
                return self.writer.header
            self.writer.append(self._judge(batch, pictures))
            done += len(batch)
            self._tell(done, total)
        return self._measure()

    @functools.cached_property
    def _config(self) -> EvaluateConfig:
        names = {field.name for field in dataclasses.fields(EvaluateConfig)}
        settings = self.writer.header.settings
        return EvaluateConfig(**{key: settings[key] for key in names})

    def _batches(self) -> Iterator[_Batch]:
        """Images of one class, `batch_size` at a time or as the protocol asks for them."""
        by_class: dict[str, list[tuple[int, Sample]]] = defaultdict(list)
        for index, sample in enumerate(self.samples):
            by_class[sample.class_name].append((index, sample))
        whole = self.protocol is not None and self.protocol.whole_class
        for members in by_class.values():
            size = len(members) if whole else self._config.batch_size
            for start in range(0, len(members), size):
                yield members[start : start + size]

    def _is_done(self, batch: _Batch) -> bool:
        return all(self.writer.is_done(sample.rel_path, index) for index, sample in batch)

    def _read_ahead(self, waiting: Sequence[_Batch]) -> Iterator[tuple[_Batch, _Pictures]]:
        """Each batch with its pictures; the next one's are read while it is judged."""
        with ThreadPoolExecutor(1, "evaluation-reader") as pool:
            reading = [pool.submit(self._read, batch) for batch in waiting[:1]]
            for batch, following in zip_longest(waiting, waiting[1:]):
                pictures = reading.pop().result()
                if following is not None:
                    reading.append(pool.submit(self._read, following))
                yield batch, pictures

    def _read(self, batch: _Batch) -> _Pictures:
        found = _Pictures()
        for index, sample in batch:
            try:
                pixels, has_mask = self.source.image(sample), self.source.has_mask(sample)
                mask = self.source.mask(sample, pixels.shape[:2]) if has_mask else None
                found.images[index], found.masks[index] = pixels, mask
            except AdaClipError as error:
                found.errors[index] = printable(str(error))
        return found

    def _judge(self, batch: _Batch, pictures: _Pictures) -> list[Row]:
        """The rows of a batch; what the metrics need of its images is stored on the way."""
        images, masks = pictures.images, pictures.masks
        detections, failures = self._detect(batch[0][1].class_name, images)
        errors = pictures.errors | failures
        return [
            _failed(sample, errors[index])
            if index in errors
            else self._row(index, sample, images[index], masks[index], detections[index])
            for index, sample in batch
        ]

    def _detect(
        self, class_name: str, images: dict[int, np.ndarray]
    ) -> tuple[dict[int, Detection], dict[int, str]]:
        """Detections and errors by index. A batch that fails is tried again one by one."""
        if not images:
            return {}, {}
        whole = self.protocol is not None and self.protocol.whole_class
        try:
            found = self._detections(class_name, list(images.values()))
            return dict(zip(images, found, strict=True)), {}
        except AdaClipError as error:
            if isinstance(error, InputError) and not isinstance(error, ImageError):
                raise
            if len(images) == 1 or whole:  # alone they would be judged in another way
                return {}, dict.fromkeys(images, printable(str(error)))
        detections: dict[int, Detection] = {}
        errors: dict[int, str] = {}
        for index, pixels in images.items():
            alone, failure = self._detect(class_name, {index: pixels})
            detections |= alone
            errors |= failure
        return detections, errors

    def _detections(self, class_name: str, images: list[np.ndarray]) -> list[Detection]:
        prompt = self._prompt(class_name)
        if self.protocol is not None:
            return self.protocol.judge(class_name, images, prompt)
        return self.detector.detect(images, prompt, batch_size=len(images))

    def _row(
        self,
        index: int,
        sample: Sample,
        pixels: np.ndarray,
        mask: np.ndarray | None,
        found: Detection,
    ) -> Row:
        arrays: dict[str, np.ndarray] = {}
        keep_maps = self._config.keep_maps
        if keep_maps or sample.class_name in self._classes_with_masks:
            arrays["margin"] = found.model_margin_map
            arrays["probability"] = found.model_anomaly_map
        if mask is not None:
            arrays["mask"] = np.packbits(mask)
        if not sample.anomalous:
            peak = peak_on_contour(pixels, found.model_margin_map)
            arrays["peak"] = np.array([peak.on_contour, peak.near_contours], np.float64)
        self.writer.save_map(index, arrays)
        height, width = found.image_size
        return dataclasses.replace(
            _failed(sample, None),
            width=width,
            height=height,
            anomaly_score=float(found.anomaly_score),
            anomaly_margin=float(found.anomaly_margin),
            map_file=f"{MAPS}/{index:06d}.npz" if keep_maps else None,
            seconds=float(found.seconds),
        )

    @functools.cached_property
    def _classes_with_masks(self) -> set[str]:
        """Those whose maps the metrics need."""
        return {s.class_name for s in self.samples if self.source.has_mask(s)}

    def _measure(self) -> RunResults:
        """All rows are there: the metrics of each class, their mean, and the files."""
        rows = {row.rel_path: row for row in self.writer.rows}
        classes = []
        for class_name in sorted({sample.class_name for sample in self.samples}):
            entry = self._measure_class(class_name, rows)
            if entry is None:
                return self.writer.header
            classes.append(entry)
        seconds = [row.seconds for row in rows.values() if row.seconds is not None]
        results = dataclasses.replace(
            self.writer.header,
            complete=True,
            finished_utc=utc_now(),
            seconds_per_image=sum(seconds) / len(seconds) if seconds else None,
            classes=classes,
            mean=mean_of(classes),
        )
        order = [sample.rel_path for sample in self.samples]
        self.writer.finish(results, order, keep_maps=self._config.keep_maps)
        return results

    def _measure_class(self, class_name: str, rows: dict[str, Row]) -> ClassResults | None:
        """One class's entry; None when told to stop."""
        config = self._config
        with_masks = class_name in self._classes_with_masks
        work = self.writer.folder / WORK
        work.mkdir(exist_ok=True)
        tally = ClassTally(
            threshold=self.writer.header.threshold,
            ranked_by=config.ranked_by,
            resolution=config.resolution,
            folder=work,
        )
        failed = 0
        try:
            for index, sample in enumerate(self.samples):
                if sample.class_name != class_name:
                    continue
                if self._stopped():
                    return None
                row = rows[sample.rel_path]
                if row.error is not None:
                    failed += 1
                    continue
                tally.add(self._judged(index, sample, row, with_masks))
            return tally.results(class_name, self._prompt(class_name), failed)
        finally:
            tally.close()

    def _judged(self, index: int, sample: Sample, row: Row, with_masks: bool) -> Judged:
        assert row.height is not None  # only failed images have no size
        assert row.width is not None
        arrays = self.writer.load_map(index)
        size = (row.height, row.width)
        mask = None
        if with_masks and not sample.anomalous:
            mask = np.zeros(size, bool)
        elif "mask" in arrays:
            flat = np.unpackbits(arrays["mask"], count=row.height * row.width)
            mask = flat.reshape(size).astype(bool)
        return Judged(row=row, maps=arrays, mask=mask, peak=arrays.get("peak"))

    def _prompt(self, class_name: str) -> str:
        given = self._config.class_name
        return spoken(class_name) if given is None else given

    def _stopped(self) -> bool:
        return self.stop is not None and self.stop()

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)


def _failed(sample: Sample, error: str | None) -> Row:
    """A row of what is known without judging."""
    return Row(
        dataset=sample.dataset,
        class_name=sample.class_name,
        defect_type=sample.defect_type,
        rel_path=sample.rel_path,
        mask_rel_path=sample.mask_rel_path,
        anomalous=sample.anomalous,
        error=error,
    )


def _spread(items: list[Sample], count: int) -> list[Sample]:
    """`count` of the items at even distances, all of them if there are fewer."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def _shares(available: list[int], wanted: int) -> list[int]:
    """How many to take of each so that they sum to `wanted` and are as equal as can be."""
    taken = [0] * len(available)
    while wanted > 0 and any(t < a for t, a in zip(taken, available, strict=True)):
        for i, most in enumerate(available):
            if wanted > 0 and taken[i] < most:
                taken[i] += 1
                wanted -= 1
    return taken
