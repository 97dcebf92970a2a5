"""Run one batch through a detector: lazily, cancellable, one bad picture never stops the rest."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from adaclip.data.images import pixel_sha256
from adaclip.errors import AdaClipError
from demo.batch import Batch, DetectionKey, Item, Stopwatch
from demo.page import messages
from demo.page.guard import logged
from demo.services import Detector, Services
from demo.visitor.detect import detection_key
from demo.visitor.pictures import open_picture

logger = logging.getLogger(__name__)
# How often a waiting page is told the time.
_TICK = 0.25
_loaders = ThreadPoolExecutor(max_workers=4, thread_name_prefix="load-checkpoint")


def run(services: Services, batch: Batch) -> Iterator[None]:
    """Detect every waiting picture of `batch`, yielding after each change worth showing.

    Ends with the phase "done", "cancelled" or "failed"; expected errors become `batch.message`
    or an item's `error`. Stops within one device batch (on a CPU one image) of
    `batch.cancelled`, and writes nothing more once
    the batch has been made ready for another run.
    """
    assert batch.checkpoint is not None  # set by whoever starts a run
    watch, turn = Stopwatch(), _Turn(batch)
    try:
        detector = yield from _loaded(services, turn)
        if detector is None:
            return
        turn.write(batch, phase="running")
        yield
        for _ in _detect_all(services, detector, turn):
            turn.write(batch, seconds=watch.seconds)
            yield
        turn.write(batch, phase="cancelled" if turn.stopped else "done")
    except AdaClipError as error:
        turn.write(batch, phase="failed", message=str(error))
    except Exception:
        turn.write(batch, phase="failed", message=messages.unexpected(logged()))
    finally:
        if batch.phase in ("loading", "running"):  # the page closed the generator
            turn.write(batch, phase="cancelled")
        turn.write(batch, seconds=watch.seconds)
        services.store.trim()
    yield


class _Turn:
    """One run's right to write into its batch: it ends when the batch gets ready for another."""

    def __init__(self, batch: Batch) -> None:
        """Every run has an event of its own in `batch.cancelled`."""
        self.batch, self._cancelled = batch, batch.cancelled

    @property
    def stopped(self) -> bool:
        """Cancelled, or over."""
        return self._cancelled.is_set() or self.batch.cancelled is not self._cancelled

    def wait(self, seconds: float) -> bool:
        """Wait for the end; whether it has come."""
        self._cancelled.wait(seconds)
        return self.stopped

    def write(self, target: Batch | Item, **values: object) -> None:
        """Set attributes of the batch or of one of its items, unless the turn is over."""
        with self.batch.lock:
            if self.batch.cancelled is self._cancelled:
                for name, value in values.items():
                    setattr(target, name, value)


def seconds_left(batch: Batch) -> float | None:
    """From the pace so far; None before the first result."""
    if batch.done == 0 or batch.seconds == 0.0:
        return None
    return batch.seconds / batch.done * (len(batch.items) - batch.done)


def _loaded(services: Services, turn: _Turn) -> Generator[None, None, Detector | None]:
    """The batch's detector (the generator's value), or None once cancelled while loading."""
    batch = turn.batch
    assert batch.checkpoint is not None
    checkpoint_id = batch.checkpoint.id
    if services.pool.state(checkpoint_id) == "ready":
        return services.pool.get(checkpoint_id)
    watch, title = Stopwatch(), batch.checkpoint.title
    turn.write(batch, phase="loading")
    future = _loaders.submit(services.pool.get, checkpoint_id)
    while not future.done():
        turn.write(batch, message=messages.loading_model(title, watch.seconds))
        yield
        if turn.wait(_TICK):
            turn.write(batch, phase="cancelled", message="")
            return None
    turn.write(batch, message="")
    return future.result()


def _detect_all(services: Services, detector: Detector, turn: _Turn) -> Iterator[Item]:
    """Each item as it gets its result or error."""
    batch = turn.batch
    waiting = deque(item for item in batch.items if item.waiting)
    while waiting and not turn.stopped:
        read: deque[tuple[Item, DetectionKey]] = deque()
        settled: deque[Item] = deque()
        images = _images(services, turn, waiting, read, settled)
        try:
            for detection in detector.stream(images, batch.class_name):
                item, key = read.popleft()
                services.store.detections.put(key, detection)
                if turn.stopped:
                    return
                turn.write(item, detection=detection)
                settled.append(item)
                yield from _drain(settled)
        except AdaClipError as error:
            if not read:
                raise
            _blame(detector, turn, read, settled, error)
        yield from _drain(settled)


def _images(
    services: Services,
    turn: _Turn,
    waiting: deque[Item],
    read: deque[tuple[Item, DetectionKey]],
    settled: deque[Item],
) -> Iterator[np.ndarray]:
    """Pixels of the items that need the device, read when asked for.

    Unreadable and already known pictures are settled on the way.
    """
    batch = turn.batch
    assert batch.checkpoint is not None
    info, class_name = batch.checkpoint, batch.class_name
    while waiting and not turn.stopped:
        item = waiting.popleft()
        try:
            pixels = open_picture(item, batch.folder)
        except AdaClipError as error:
            turn.write(item, error=str(error))
            settled.append(item)
            continue
        key = detection_key(info, class_name, pixel_sha256(pixels))
        known = services.store.detections.get(key)
        if known is not None:
            turn.write(item, detection=known)
            settled.append(item)
            continue
        read.append((item, key))
        yield pixels


def _drain(settled: deque[Item]) -> Iterator[Item]:
    while settled:
        yield settled.popleft()


def _blame(
    detector: Detector,
    turn: _Turn,
    read: deque[tuple[Item, DetectionKey]],
    settled: deque[Item],
    error: AdaClipError,
) -> None:
    """Of several pictures in flight, one was refused: ask for each alone."""
    batch, alone = turn.batch, len(read) == 1
    while read and not turn.stopped:
        item, _ = read.popleft()
        try:
            if alone:
                raise error
            [detection] = detector.detect([open_picture(item, batch.folder)], batch.class_name)
            turn.write(item, detection=detection)
        except AdaClipError as refused:
            turn.write(item, error=str(refused))
        settled.append(item)
