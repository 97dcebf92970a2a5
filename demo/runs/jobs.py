"""Evaluations asked for from the page: one after the other, on a thread of their own.

They share the device with the Detect tab batch by batch: the device's own thread takes a batch
of whoever is next. A job outlives the visitor who started it and is seen by all.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.data.registry import dataset_name
from adaclip.data.samples import load_dataset
from adaclip.errors import AdaClipError, InputError
from adaclip.runs.results import Run
from demo.page import messages
from demo.page.guard import logged
from demo.runs.folders import folders_of
from demo.runs.source_images import data_root_of
from demo.services import Services

State = Literal["waiting", "loading", "running", "done", "stopped", "failed"]
GOING: tuple[State, ...] = ("waiting", "loading", "running")
MOST_WAITING = 8
_KEPT = 20
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
NO_FOLDER = "There is no folder for runs: start the page with --runs DIR."


@dataclass(kw_only=True, eq=False)
class Job:
    """One evaluation; `run_id` is the name of its folder. `root` None: the drawn pictures."""

    id: str
    title: str
    checkpoint: str
    folder: Path
    root: Path | None
    limit: int | None = None
    keep_maps: bool = False
    # Of an interrupted run that is gone on with, else empty.
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: State = "waiting"
    done: int = 0
    total: int = 0
    message: str = ""
    started: float = 0.0  # of the monotonic clock
    before: int = 0  # pictures done by an earlier attempt
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def run_id(self) -> str:
        """Of the run it makes."""
        return self.folder.name

    @property
    def seconds_left(self) -> float | None:
        """From its own pace; None before the first pictures."""
        done = self.done - self.before
        if self.state != "running" or done <= 0:
            return None
        return (time.monotonic() - self.started) / done * (self.total - self.done)


Work = Callable[[Services, Job], None]


class JobBoard:
    """All visitors' evaluations."""

    def __init__(self, services: Services, work: Work | None = None) -> None:
        self._services, self._work = services, work or evaluate
        self._jobs: list[Job] = []
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evaluate")

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The latest first."""
        with self._lock:
            return tuple(reversed(self._jobs))

    @property
    def going(self) -> bool:
        """Whether anything waits or runs."""
        return any(job.state in GOING for job in self.jobs)

    def start(self, source: str, checkpoint_id: str, limit: int | None, keep_maps: bool) -> Job:
        """A new run of a dataset of `sources`. Raises InputError."""
        info = self._services.checkpoint(checkpoint_id)
        if not info.present:
            raise InputError(messages.missing_checkpoint(info.how_to_get))
        root = _source(self._services, source)
        name = SYNTHETIC_KEY if root is None else root.name
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        folder = self._home() / _NOT_IN_NAMES.sub("-", f"{info.id}-{name}-{stamp}")
        return self._submit(
            Job(
                id=secrets.token_hex(4),
                title=f"{info.title} on {dataset_name(name)}",
                checkpoint=info.id,
                folder=folder,
                root=root,
                limit=limit,
                keep_maps=keep_maps,
            )
        )

    def resume(self, run: Run) -> Job:
        """Resume a run that was interrupted. Raises InputError or DatasetError."""
        info = self._services.checkpoint(run.checkpoint)
        settings = dict(run.results.settings)
        if not settings or run.folder.parent != self._home():
            raise InputError(f"{run.id} does not say how it was made; measure it anew.")
        return self._submit(
            Job(
                id=secrets.token_hex(4),
                title=run.results.title,
                checkpoint=info.id,
                folder=run.folder,
                root=None if run.results.synthetic else data_root_of(self._services, run),
                settings=settings,
            )
        )

    def cancel(self, job_id: Any) -> None:
        """Stop after the batch in work; what is done is kept. Raises InputError."""
        job = next((job for job in self.jobs if job.id == job_id), None)
        if job is None:
            raise InputError(messages.UNKNOWN_VALUE)
        job.stop.set()
        if job.state == "waiting":
            job.state = "stopped"

    def _home(self) -> Path:
        if not self._services.run_roots:
            raise InputError(NO_FOLDER)
        return self._services.run_roots[0]

    def _submit(self, job: Job) -> Job:
        with self._lock:
            waiting = [other for other in self._jobs if other.state in GOING]
            if any(other.folder == job.folder for other in waiting):
                raise InputError("This is being measured already.")
            if len(waiting) >= MOST_WAITING:
                raise InputError("Too many evaluations are waiting: let some finish first.")
            self._jobs = [*self._jobs, job][-_KEPT:]
        self._thread.submit(self._run, job)
        return job

    def _run(self, job: Job) -> None:
        if job.stop.is_set():
            job.state = "stopped"
            return
        try:
            job.state = "loading"
            self._work(self._services, job)
            job.state = "stopped" if job.stop.is_set() and job.done < job.total else "done"
        except AdaClipError as error:
            job.state, job.message = "failed", str(error)
        except Exception:
            job.state, job.message = "failed", messages.unexpected(logged())


def evaluate(services: Services, job: Job) -> None:
    """The engine's evaluation, into the job's folder. Raises AdaClipError."""
    from adaclip.config import EvaluateConfig
    from adaclip.evaluating.evaluator import evaluate as measure
    from adaclip.evaluating.evaluator import limit_samples, open_run
    from adaclip.evaluating.sources import FileSource, SyntheticSource, synthetic_samples

    config = EvaluateConfig(limit=job.limit, keep_maps=job.keep_maps)
    if job.settings:
        known = vars(config)
        config = EvaluateConfig(**{key: job.settings[key] for key in known if key in job.settings})
    dataset = str(job.settings.get("dataset"))
    known_set = dataset if dataset in services.cards() else None
    found = None if job.root is None else load_dataset(job.root, known_set)
    samples = synthetic_samples() if found is None else found.samples
    samples = limit_samples(samples, config.limit)
    job.total = len(samples)
    detector: Any = services.pool.get(job.checkpoint)
    with open_run(
        detector,
        samples,
        job.folder,
        config,
        data_root=None if job.root is None else job.root.resolve(),
        batch_size=config.batch_size if job.settings else None,
        resume=bool(job.settings),
        command=_command(job, config),
        notes=() if found is None else found.notes,
    ) as writer:
        job.before = len(writer.rows)
        job.started = time.monotonic()
        job.state = "running"

        def progress(done: int, total: int) -> None:
            job.done, job.total = done, total

        measure(
            detector,
            samples,
            writer,
            source=SyntheticSource() if job.root is None else FileSource(samples),
            stop=job.stop.is_set,
            progress=progress,
        )


def sources(services: Services) -> list[tuple[str, str]]:
    """(label, id) of what can be measured: the drawn set, and folders beneath the data roots."""
    found = [("Synthetic pictures, drawn here", SYNTHETIC_KEY)]
    for number, root in enumerate(services.data_roots):
        folders = folders_of(root)
        for folder in (*folders[1:], *folders[:1]):  # the whole last
            inside = folder.relative_to(root).as_posix()
            label = folder.name if inside != "." else f"{root.name} (the whole folder)"
            found.append((label, f"{number}:{inside}"))
    return found


def describe(services: Services, source: Any) -> str:
    """What a dataset holds, in a line. Raises DatasetError when it is none."""
    root = _source(services, source)
    notes: Sequence[str] = ()
    if root is None:
        from adaclip.evaluating.sources import synthetic_samples

        samples: Sequence[Any] = synthetic_samples()
    else:
        found = load_dataset(root)
        samples, notes = found.samples, found.notes
    classes = {sample.class_name for sample in samples}
    abnormal = sum(sample.anomalous for sample in samples)
    masks = sum(sample.mask_path is not None for sample in samples)
    objects = "1 object" if len(classes) == 1 else f"{len(classes)} objects"
    text = (
        f"{len(samples):,} pictures of {objects}: {len(samples) - abnormal:,} normal, "
        f"{abnormal:,} anomalous"
    )
    if root is not None and abnormal:
        text += f", {masks:,} with a mask" if masks else ", without masks: picture level only"
        if 0 < masks < abnormal:
            text += "; those without count at picture level only. Is a file missing?"
    return ". ".join([text, *notes])


def _source(services: Services, source: Any) -> Path | None:
    """The folder of an id of `sources`, None for the drawn set. Raises InputError."""
    if source == SYNTHETIC_KEY:
        return None
    number, _, inside = str(source).partition(":")
    for at, root in enumerate(services.data_roots):
        if str(at) == number:
            for folder in folders_of(root):
                if folder.relative_to(root).as_posix() == inside:
                    return folder
    raise InputError("Choose a dataset first.")


def _command(job: Job, config: Any) -> str:
    """What to type to repeat it."""
    data = SYNTHETIC_KEY if job.root is None else job.root.name
    parts = ["python -m adaclip evaluate", f"--data {data}", f"--checkpoint {job.checkpoint}"]
    if config.limit is not None:
        parts.append(f"--limit {config.limit}")
    if config.keep_maps:
        parts.append("--keep-maps")
    return " ".join([*parts, "--out RUN"])
