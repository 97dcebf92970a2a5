"""AdaCLIP's own training, on auxiliary data.

    from adaclip.config import TrainConfig
    from adaclip.training.trainer import train
    train(TrainConfig(auxiliary=("mvtec", "colondb"), out="mine.safetensors"))

The result is a normal checkpoint. The same config gives the same bytes on the same device,
whether a run went through or was interrupted and resumed.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from torch import Tensor

from adaclip.config import TrainConfig
from adaclip.detecting.device import Device, choose_precision, get_device
from adaclip.errors import AdaClipError, InputError
from adaclip.training.data import (
    Example,
    Planned,
    TrainingData,
    epoch_plan,
    gather,
    read_ahead,
)
from adaclip.training.model import TrainingModel, new_training_model
from adaclip.training.state import (
    learned_now,
    load_state,
    metadata_of,
    prepare_output,
    require_space,
    save_state,
    state_path,
    write_checkpoint,
)
from adaclip.training.step import Batch, Stepper, reproducible
from adaclip.training.validation import (
    NO_VALIDATION,
    Validation,
    choose_metric,
    judge,
    readings,
)

_MOST_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """An epoch's result.

    `metrics` (0-1) are those of the held-out images. `best` says that this epoch is the one the
    checkpoint now holds. `repeated_steps` had to be taken in fp32. `seconds` is the run's wall
    time so far, `seconds_left` what the epochs to come will take at that rate.
    """

    epoch: int
    epochs: int
    loss: float
    metric: str | None
    metrics: dict[str, float]
    best: bool
    repeated_steps: int
    seconds: float
    seconds_left: float

    @property
    def value(self) -> float | None:
        """The deciding metric's value."""
        return None if self.metric is None else self.metrics[self.metric]


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """Where the checkpoint is and which epoch it holds."""

    path: Path
    state_path: Path
    epochs: int
    best_epoch: int
    metric: str | None
    metrics: dict[str, float]
    metadata: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is going on, and how many of its images are done.

    `loss` is the epoch's so far, the mean over its images; None where nothing is learned.
    """

    what: str
    done: int
    total: int
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Who is told what while a run goes on. They are called in the caller's thread."""

    note: Callable[[str], None] = lambda sentence: None
    progress: Callable[[Progress], None] = lambda progress: None
    epoch: Callable[[EpochReport], None] = lambda report: None


def train(config: TrainConfig, listeners: Listeners | None = None) -> TrainResult:
    """Train as `config` says; see `TrainConfig`. A KeyboardInterrupt leaves the last epoch's files.

    Raises:
        InputError: an option that cannot be used, a result that exists already, or a metric that
            the held-out images leave undefined.
        DatasetError: images that cannot be trained on.
        CheckpointError: weights that are missing or do not fit.
        StoreError: the result cannot be written.
        AdaClipError: a loss that is not finite even in fp32, or not enough memory; the last
            epoch's files are kept. Other options go on from there as a new run: `init` = `out`.
    """
    listeners = listeners or Listeners()
    out = Path(config.out)
    prepare_output(out, resume=config.resume)
    device = get_device(config.device)
    precision = choose_precision(device, config.precision)
    workers = max(1, min(_MOST_WORKERS, (os.cpu_count() or 1) // 2))
    data = gather(
        config,
        workers=workers,
        on_read=lambda done, total: listeners.progress(
            Progress(what="checking images", done=done, total=total)
        ),
    )
    metric = choose_metric(config.metric, data.validation)
    trained = new_training_model(config, device, precision)
    require_space(out, trained)
    for sentence in (*data.notes, *_left_out(data)):
        listeners.note(sentence)
    run = _Run(
        config=config,
        listeners=listeners,
        out=out,
        device=device,
        precision=precision,
        workers=workers,
        data=data,
        metric=metric,
        trained=trained,
        stepper=Stepper(trained, config, device, precision),
    )
    with reproducible(device):
        return run.go()


def _left_out(data: TrainingData) -> list[str]:
    count = len(data.left_out)
    if not count:
        return []
    more = f" and {count - 5} more" if count > 5 else ""
    images = "image is" if count == 1 else "images are"
    return [f"{count} {images} left out: {'; '.join(data.left_out[:5])}{more}"]


def _side(example: Example) -> int:
    return example.image.shape[-1]


def _stacked(examples: Iterable[Example], size: int) -> Iterator[Batch]:
    """Batches of at most `size`, in order; one ends where the next example has another size."""
    for _, alike in groupby(examples, key=_side):
        while some := list(islice(alike, size)):
            yield Batch.of(some)


@dataclass
class _Best:
    """The epoch whose parameters the checkpoint holds."""

    epoch: int
    validation: Validation
    learned: dict[str, Tensor]


@dataclass(kw_only=True)
class _Run:
    """A run under way."""

    config: TrainConfig
    listeners: Listeners
    out: Path
    device: Device
    precision: str
    workers: int
    data: TrainingData
    metric: str | None
    trained: TrainingModel
    stepper: Stepper
    best: _Best | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def go(self) -> TrainResult:
        if self.config.resume:
            self._restore()
        started, first = time.monotonic(), len(self.history) + 1
        for epoch in range(first, self.config.epochs + 1):
            loss = self._train_epoch(epoch)
            validation = self._validate()
            is_best = self._keep_if_best(epoch, validation)
            repeated = self.stepper.repeated - sum(e["repeated_steps"] for e in self.history)
            self.history.append(
                {"loss": loss, "repeated_steps": repeated, "metrics": dict(validation.metrics)}
            )
            self._write()
            seconds = time.monotonic() - started
            done = epoch - first + 1
            report = EpochReport(
                epoch=epoch,
                epochs=self.config.epochs,
                loss=loss,
                metric=self.metric,
                metrics=dict(validation.metrics),
                best=is_best,
                repeated_steps=repeated,
                seconds=seconds,
                seconds_left=seconds / done * (self.config.epochs - epoch),
            )
            self.listeners.epoch(report)
        if first > self.config.epochs:
            self._write()  # the state may have outlived the checkpoint
        assert self.best is not None
        return TrainResult(
            path=self.out,
            state_path=state_path(self.out),
            epochs=len(self.history),
            best_epoch=self.best.epoch,
            metric=self.metric,
            metrics=dict(self.best.validation.metrics),
            metadata=self._metadata(),
        )

    def _train_epoch(self, epoch: int) -> float:
        """The mean loss over the epoch's images."""
        config = self.config
        plan = epoch_plan(self.data.training, seed=config.seed, epoch=epoch, mosaic=config.mosaic)
        total, done = 0.0, 0
        for group in self._groups(plan):
            images = sum(len(batch.names) for batch in group)
            loss, repeated = self.device.run(self.stepper.step, group)
            if repeated:
                names = ", ".join(name for batch in group for name in batch.names)
                self.listeners.note(
                    f"a step was not finite in {self.precision}; taken again in fp32: {names}"
                )
            total += loss * images
            done += images
            self.listeners.progress(
                Progress(what=f"epoch {epoch}", done=done, total=len(plan), loss=total / done)
            )
        if not math.isfinite(total) or not self._finite_parameters():
            raise AdaClipError(
                f"training cannot go on: epoch {epoch} left parameters that are not finite; use a "
                "lower learning rate"
            )
        return total / done

    def _groups(self, plan: Sequence[Planned]) -> Iterator[list[Batch]]:
        """The batches of one step after another: so many images, those of a size together."""
        size = self.config.batch_size
        with closing(self._examples(plan, size)) as examples:
            while step := list(islice(examples, size * self.config.accumulate)):
                yield list(_stacked(sorted(step, key=_side), size))

    def _examples(self, plan: Sequence[Planned], size: int) -> Generator[Example, None, None]:
        """Read by other threads while the device computes."""
        ahead = 2 * max(size, self.workers)
        return read_ahead(self._example, plan, ahead=ahead, workers=self.workers)

    def _example(self, planned: Planned) -> Example:
        model = self.trained.model
        return planned.example(
            model.config.image_size, self.trained.preprocessing, model.input_size
        )

    def _finite_parameters(self) -> bool:
        return all(bool(p.isfinite().all()) for p in self.trained.learned)

    def _validate(self) -> Validation:
        images = self.data.validation
        if not images:
            return NO_VALIDATION
        size = max(self.config.batch_size, self.device.default_batch_size)
        plan = [Planned(images=(image,)) for image in images]
        with closing(self._examples(plan, size)) as examples:
            batches = self._told("validating", _stacked(examples, size), len(plan))
            found = readings(self.trained, self.device, self.precision, images, batches)
        validation = judge(found, self.config.threshold_quantile)
        if self.metric is not None and self.metric not in validation.metrics:
            raise InputError(
                f"{self.metric} is undefined: the masks cover all of the held-out images; hold out "
                "normal images too"
            )
        return validation

    def _told(self, what: str, batches: Iterable[Batch], total: int) -> Iterator[Batch]:
        """The same batches; the listeners are told of each when the next one is asked for."""
        done = 0
        for batch in batches:
            yield batch
            done += len(batch.names)
            self.listeners.progress(Progress(what=what, done=done, total=total))

    def _keep_if_best(self, epoch: int, validation: Validation) -> bool:
        """Without held-out images the last epoch is the best."""
        if (
            self.best is not None
            and self.metric is not None
            and _rank(validation, self.metric) <= _rank(self.best.validation, self.metric)
        ):
            return False
        self.best = _Best(epoch, validation, learned_now(self.trained))
        return True

    def _write(self) -> None:
        """The checkpoint first: should the state fail, the epoch is done again, alike."""
        assert self.best is not None
        tensors = {**self.best.learned, **(self.trained.stored_backbone or {})}
        write_checkpoint(self.out, tensors, self._metadata())
        best = {
            "epoch": self.best.epoch,
            "validation": asdict(self.best.validation),
            "learned": self.best.learned,
        }
        run = {"history": self.history, "best": best, "stepper": self.stepper.state()}
        save_state(self.out, self.config, self.trained, self.data, run)

    def _restore(self) -> None:
        run = load_state(self.out, self.config, self.trained, self.data)
        self.history = run["history"]
        best = run["best"]
        self.best = _Best(best["epoch"], Validation(**best["validation"]), best["learned"])
        self.stepper.restore(run["stepper"])
        self.listeners.note(f"resumed after epoch {len(self.history)}")

    def _metadata(self) -> dict[str, Any]:
        assert self.best is not None
        record = {
            "epochs": len(self.history),
            "best_epoch": self.best.epoch,
            "metric": self.metric,
            "precision": self.precision,
            "history": self.history,
        }
        return metadata_of(self.config, self.trained, self.data, self.best.validation, record)


def _rank(validation: Validation, metric: str) -> tuple[float, float]:
    """What makes an epoch better: the metric; of equals, common on few images, all metrics."""
    return validation.metrics[metric], sum(validation.metrics.values())
