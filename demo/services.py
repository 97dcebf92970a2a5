"""What the page needs from the rest of the project, as arguments: no global, no torch."""

from __future__ import annotations

import functools
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from adaclip.checkpoints import catalogue as weights
from adaclip.config import DetectConfig
from adaclip.errors import AdaClipError, InputError
from adaclip.types import CheckpointInfo, Detection
from demo.batch import ResultStore
from demo.page import messages

if TYPE_CHECKING:
    from adaclip.annotations.store import AnnotationStore

logger = logging.getLogger(__name__)
EXAMPLES = Path(__file__).parent / "assets" / "examples"


class Detector(Protocol):
    """The part of `adaclip.detecting.detector.Detector` the page uses."""

    info: CheckpointInfo

    def stream(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> Iterator[Detection]:
        """One Detection per image, lazily, in order."""

    def detect(self, images: Sequence[np.ndarray], class_name: str) -> list[Detection]:
        """One Detection per image, in order."""


class Pool(Protocol):
    """The part of `adaclip.detecting.pool.DetectorPool` the page uses."""

    @property
    def device_name(self) -> str:
        """For people: "CPU, 2 threads, bf16"."""

    def get(self, checkpoint_id: str) -> Detector:
        """Loads on first use, blocking the caller. Raises CheckpointError."""

    def state(self, checkpoint_id: str) -> str:
        """absent, loading, ready, failed or idle."""

    def failure(self, checkpoint_id: str) -> str | None:
        """Why the last load failed, if it did."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One bundled picture."""

    path: Path
    class_name: str
    caption: str
    defective: bool


class DeviceLine:
    """How many API calls have the device right now; the page's runs are counted by the store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active = 0

    @property
    def active(self) -> int:
        """Calls going on."""
        return self._active

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Counted from entering to leaving."""
        with self._lock:
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1


def _dataset_cards() -> Mapping[str, Any]:
    from adaclip.data.cards import cards

    return cards()


def _published_results() -> Any:
    from adaclip.data.published import published_results

    return published_results()


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything the page is given. `catalogue()` is read afresh: weights come and go."""

    pool: Pool
    store: ResultStore
    catalogue: Callable[[], Sequence[CheckpointInfo]]
    fetch: Callable[..., Any]
    downloads: Callable[[str], Sequence[Any]] = weights.downloads
    defaults: DetectConfig = field(default_factory=DetectConfig)
    examples_folder: Path = EXAMPLES
    device_line: DeviceLine = field(default_factory=DeviceLine)
    # Folders of evaluation runs; folders whose pictures this server may show.
    run_roots: tuple[Path, ...] = ()
    data_roots: tuple[Path, ...] = ()
    annotations: AnnotationStore | None = None  # None: nothing can be flagged
    cards: Callable[[], Mapping[str, Any]] = _dataset_cards
    published: Callable[[], Any] = _published_results

    def checkpoint(self, checkpoint_id: str) -> CheckpointInfo:
        """What is known of a listed checkpoint. Raises InputError: no free paths from the web."""
        listed = {info.id: info for info in self.catalogue()}
        if checkpoint_id not in listed:
            raise InputError(messages.unknown_checkpoint(str(checkpoint_id)[:80], list(listed)))
        return listed[checkpoint_id]

    @property
    def annotation_store(self) -> AnnotationStore:
        """Where annotations are kept. Raises InputError where this server keeps none."""
        if self.annotations is None:
            raise InputError(messages.NO_STORE)
        return self.annotations

    def default_checkpoint(self) -> CheckpointInfo:
        """The one a page starts with: the configured one, else the first listed."""
        listed = self.catalogue()
        return next((i for i in listed if i.id == self.defaults.checkpoint), listed[0])

    def can_fetch(self, info: CheckpointInfo) -> bool:
        """Absent, not damaged, and something the hub can give."""
        if info.present or "error" in info.details:
            return False
        try:
            return bool(self.downloads(info.id))
        except AdaClipError:  # its file has gone since it was listed
            return False

    @property
    def runs_ahead(self) -> int:
        """Runs that wait for the device or have it, to tell the next visitor honestly."""
        return self.store.running + self.device_line.active

    @functools.cached_property
    def examples(self) -> tuple[Example, ...]:
        """The bundled pictures; none when their folder is missing or damaged."""
        return read_examples(self.examples_folder)


def read_examples(folder: Path) -> tuple[Example, ...]:
    """The pictures listed in `folder`/examples.json that are there."""
    try:
        listed = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
        examples = tuple(
            Example(
                path=folder / Path(entry["file"]).name,
                class_name=entry["class_name"],
                caption=entry["caption"],
                defective=bool(entry["defective"]),
            )
            for entry in listed
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: the examples cannot be read: %r", folder, error)
        return ()
    return tuple(example for example in examples if example.path.is_file())


def checkpoint_choices(services: Services) -> list[tuple[str, str]]:
    """(label, id); what is not on this machine says so."""
    return [
        (info.title if info.present else f"{info.title} (not here yet)", info.id)
        for info in services.catalogue()
    ]
