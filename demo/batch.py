"""Pictures and results of the page's visitors, kept on the server in bounded memory.

A batch is reached only by its key: 128 random bits that stay in the visitor's server-side
session. Arrays are kept at the model's resolution; previews are files in the batch's own folder.
"""

from __future__ import annotations

import itertools
import secrets
import shutil
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from adaclip.storage.cache import BoundedCache
from adaclip.types import CheckpointInfo, Detection, Threshold
from demo.look import Look

Phase = Literal["ready", "waiting", "loading", "running", "done", "cancelled", "failed"]
RUNNING: tuple[Phase, ...] = ("waiting", "loading", "running")

MAX_FILES = 200
MAX_RESULT_BYTES = 1 << 30
MAX_CACHE_BYTES = 256 << 20
# Rendered pictures kept per batch: the browser may still be fetching the last few.
_KEPT_PICTURES = 24

# (sha of the pixels, which weights, class name)
DetectionKey = tuple[str, tuple, str]


@dataclass(kw_only=True, eq=False)
class Item:
    """One picture of a batch: waiting until it has a detection or an error."""

    name: str
    path: Path
    size: tuple[int, int] | None = None  # (H, W)
    notes: tuple[str, ...] = ()
    thumbnail: str = ""  # data URI
    pixel_sha256: str = ""  # of the decoded picture, once it has been read
    preview: Path | None = None
    detection: Detection | None = None
    error: str = ""

    @property
    def waiting(self) -> bool:
        """Neither judged nor refused."""
        return self.detection is None and not self.error


@dataclass(kw_only=True, eq=False)
class Batch:
    """What one visitor dropped, and what came of it."""

    items: list[Item]
    folder: Path
    number: int = 0  # a later batch has a higher one
    phase: Phase = "ready"
    message: str = ""
    class_name: str = ""
    checkpoint: CheckpointInfo | None = None
    selected: int = 0
    is_example: bool = False
    # The settings in force, so that a run going on draws what the visitor has chosen meanwhile.
    threshold: Threshold | None = None
    look: Look = field(default_factory=Look)
    seconds: float = 0.0  # wall time of the run so far
    cancelled: threading.Event = field(default_factory=threading.Event)
    pictures: deque[Path] = field(default_factory=deque)
    lock: threading.RLock = field(default_factory=threading.RLock)  # held while drawing

    @property
    def current(self) -> Item:
        """The picture on the stage."""
        return self.items[self.selected]

    @property
    def done(self) -> int:
        """Pictures with a result or an error."""
        return sum(not item.waiting for item in self.items)

    @property
    def bytes(self) -> int:
        """Memory held by the results."""
        return sum(detection_bytes(item.detection) for item in self.items if item.detection)

    def new_picture(self, stem: str) -> Path:
        """A fresh file name; the oldest rendered pictures make room."""
        path = self.folder / f"{stem}-{secrets.token_hex(6)}.jpg"
        self.pictures.append(path)
        while len(self.pictures) > _KEPT_PICTURES:
            self.pictures.popleft().unlink(missing_ok=True)
        return path


def detection_bytes(detection: Detection) -> int:
    """Memory held by one result."""
    return detection.model_margin_map.nbytes + detection.model_anomaly_map.nbytes


class ResultStore:
    """All visitors' batches, and the detections worth not computing twice."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_RESULT_BYTES,
        max_cache_bytes: int = MAX_CACHE_BYTES,
        max_batches: int = 256,
    ) -> None:
        """`folder` must be one the page may serve files from; it is made when missing."""
        self.folder = folder
        self._batches: OrderedDict[str, Batch] = OrderedDict()
        self._max_bytes, self._max_batches = max_bytes, max_batches
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.detections: BoundedCache[DetectionKey, Detection] = BoundedCache(
            max_cache_bytes, detection_bytes
        )
        # What the last few views were computed from, e.g. full-size masks.
        self.recent: BoundedCache[tuple, object] = BoundedCache(4)

    def create(self, files: Sequence[tuple[str, Path]]) -> str:
        """The key of a new batch of (name, path)."""
        key = secrets.token_urlsafe(16)
        folder = self.folder / f"results-{secrets.token_urlsafe(16)}"
        folder.mkdir(parents=True, mode=0o700)
        items = [Item(name=name, path=path) for name, path in files]
        batch = Batch(items=items, folder=folder, number=next(self._numbers))
        with self._lock:
            self._batches[key] = batch
        self.trim()
        return key

    def get(self, key: str | None) -> Batch | None:
        """The batch of this key, or None when it never was or has been dropped."""
        with self._lock:
            if key is None or key not in self._batches:
                return None
            self._batches.move_to_end(key)
            return self._batches[key]

    def drop(self, key: str | None) -> None:
        """Forget a batch: its run stops, its files go."""
        with self._lock:
            batch = self._batches.pop(key, None) if key else None
        if batch is not None:
            batch.cancelled.set()
            shutil.rmtree(batch.folder, ignore_errors=True)

    def trim(self) -> None:
        """Drop the longest unused batches beyond the bounds; never the one in use last."""
        while True:
            with self._lock:
                sizes = {key: batch.bytes for key, batch in self._batches.items()}
                over = sum(sizes.values()) > self._max_bytes or len(sizes) > self._max_batches
                idle = [k for k, b in self._batches.items() if b.phase not in RUNNING][:1]
                oldest = idle[0] if over and len(sizes) > 1 and idle else None
                if oldest is None or oldest == next(reversed(self._batches)):
                    return
            self.drop(oldest)

    @property
    def running(self) -> int:
        """Batches with a run that waits for the device or has it."""
        with self._lock:
            return sum(batch.phase in RUNNING for batch in self._batches.values())

    def __len__(self) -> int:
        return len(self._batches)


class Stopwatch:
    """Wall seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self._start


# Of a batch that has no checkpoint yet; nothing is judged by it.
_UNSET = Threshold(value=0.5, source="")


def threshold_of(batch: Batch) -> Threshold:
    """The threshold in force for a batch."""
    return batch.threshold or (batch.checkpoint.threshold if batch.checkpoint else _UNSET)
