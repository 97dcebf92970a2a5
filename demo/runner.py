"""Run one batch through a detector: lazily, cancellable, one bad picture never stops the rest."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from adaclip.data.images import pixel_sha256
from adaclip.errors import AdaClipError
from adaclip.types import CheckpointInfo
from demo import messages
from demo.pictures import open_picture
from demo.results import Batch, Item, Stopwatch
from demo.services import Detector, Services

logger = logging.getLogger(__name__)
# How often a waiting page is told the time.
_TICK = 0.25
_loaders = ThreadPoolExecutor(max_workers=4, thread_name_prefix="load-checkpoint")


def run(services: Services, batch: Batch) -> Iterator[None]:
    """Detect every waiting picture of `batch`, yielding after each change worth showing.

    Ends with the phase "done", "cancelled" or "failed"; expected errors become `batch.message`
    or an item's `error`. Stops within one image of `batch.cancelled`.
    """
    assert batch.checkpoint is not None  # set by whoever starts a run
    watch = Stopwatch()
    with services.device_line.taken():
        try:
            detector = yield from _loaded(services, batch)
            if detector is None:
                return
            batch.phase = "running"
            yield
            for _ in _detect_all(services, detector, batch):
                batch.seconds = watch.seconds
                yield
            batch.phase = "cancelled" if batch.cancelled.is_set() else "done"
        except AdaClipError as error:
            batch.phase, batch.message = "failed", str(error)
        except Exception:
            batch.phase, batch.message = "failed", messages.unexpected(logged())
        finally:
            if batch.phase in ("loading", "running"):  # the page closed the generator
                batch.phase = "cancelled"
            batch.seconds = watch.seconds
            services.store.trim()
    yield


def logged() -> str:
    """Write the current exception to the log; the id to find it by."""
    log_id = secrets.token_hex(4)
    logger.exception("unexpected error %s", log_id)
    return log_id


def seconds_left(batch: Batch) -> float | None:
    """From the pace so far; None before the first result."""
    if batch.done == 0 or batch.seconds == 0.0:
        return None
    return batch.seconds / batch.done * (len(batch.items) - batch.done)


def _loaded(services: Services, batch: Batch) -> Generator[None, None, Detector | None]:
    """The batch's detector (the generator's value), or None once cancelled while loading."""
    assert batch.checkpoint is not None
    checkpoint_id = batch.checkpoint.id
    if services.pool.state(checkpoint_id) == "ready":
        return services.pool.get(checkpoint_id)
    batch.phase, watch = "loading", Stopwatch()
    future = _loaders.submit(services.pool.get, checkpoint_id)
    while not future.done():
        batch.message = messages.loading_model(batch.checkpoint.title, watch.seconds)
        yield
        if batch.cancelled.wait(_TICK):
            batch.phase, batch.message = "cancelled", ""
            return None
    batch.message = ""
    return future.result()


def _detect_all(services: Services, detector: Detector, batch: Batch) -> Iterator[Item]:
    """Each item as it gets its result or error."""
    waiting = deque(item for item in batch.items if item.waiting)
    while waiting and not batch.cancelled.is_set():
        read: deque[tuple[Item, tuple]] = deque()
        settled: deque[Item] = deque()
        images = _images(services, batch, waiting, read, settled)
        try:
            for detection in detector.stream(images, batch.class_name):
                item, key = read.popleft()
                services.store.detections.put(key, detection)
                if batch.cancelled.is_set():
                    return
                item.detection = detection
                settled.append(item)
                yield from _drain(settled)
        except AdaClipError as error:
            if not read:
                raise
            _blame(detector, batch, read, settled, error)
        yield from _drain(settled)


def _images(
    services: Services,
    batch: Batch,
    waiting: deque[Item],
    read: deque[tuple[Item, tuple]],
    settled: deque[Item],
) -> Iterator[np.ndarray]:
    """Pixels of the items that need the device, read when asked for.

    Unreadable and already known pictures are settled on the way.
    """
    assert batch.checkpoint is not None
    weights = weights_key(batch.checkpoint)
    while waiting and not batch.cancelled.is_set():
        item = waiting.popleft()
        try:
            pixels = open_picture(item, batch.folder)
        except AdaClipError as error:
            item.error = str(error)
            settled.append(item)
            continue
        key = (pixel_sha256(pixels), *weights, batch.class_name)
        item.detection = services.store.detections.get(key)
        if item.detection is not None:
            settled.append(item)
            continue
        read.append((item, key))
        yield pixels


def _drain(settled: deque[Item]) -> Iterator[Item]:
    while settled:
        yield settled.popleft()


def _blame(
    detector: Detector,
    batch: Batch,
    read: deque[tuple[Item, tuple]],
    settled: deque[Item],
    error: AdaClipError,
) -> None:
    """Of several pictures in flight, one was refused: ask for each alone."""
    alone = len(read) == 1
    while read:
        item, _ = read.popleft()
        try:
            if alone:
                raise error
            [item.detection] = detector.detect([open_picture(item, batch.folder)], batch.class_name)
        except AdaClipError as refused:
            item.error = str(refused)
        settled.append(item)


def weights_key(info: CheckpointInfo) -> tuple[str, str]:
    """Which weights: the id alone may come to mean another file."""
    modified = info.path.stat().st_mtime_ns if info.path and info.path.is_file() else 0
    return info.id, info.sha256 or str(modified)
