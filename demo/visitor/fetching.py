"""Weights from the hub in a thread of their own, told to the page as they come."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from demo.page import messages

_TICK = 0.25
_workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="fetch")


def fetching(fetch: Callable[..., Any], checkpoint_id: str) -> Iterator[tuple[str, float | None]]:
    """(text, share done or None) until the weights are here. Raises what `fetch` raises.

    Closing the generator cancels the download.
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stop = threading.Event()
    work = _workers.submit(fetch, checkpoint_id, progress=told.put, cancelled=stop.is_set)
    text, share = messages.FETCH_STARTS, None
    try:
        while not work.done():
            yield text, share
            time.sleep(_TICK)
            if (seen := _latest(told)) is not None:
                text = messages.fetching(seen.file, seen.done_bytes, seen.total_bytes, seen.seconds)
                share = seen.done_bytes / seen.total_bytes if seen.total_bytes else None
        work.result()
    finally:
        stop.set()


def _latest(told: queue.SimpleQueue[Any]) -> Any:
    """The newest report, or None when there is none."""
    seen = None
    while not told.empty():
        seen = told.get()
    return seen
