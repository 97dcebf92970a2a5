"""The detectors a running app holds: loaded on first use, the least recently used let go."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal

from adaclip.checkpoints.catalogue import catalogue, fingerprint
from adaclip.config import Precision
from adaclip.types import CheckpointInfo

if TYPE_CHECKING:  # the engine loads torch
    from adaclip.detecting.detector import Detector

State = Literal["absent", "idle", "loading", "ready", "failed"]


class DetectorPool:
    """Detectors by checkpoint id; a request gets the checkpoint it names or an error.

    Importing this module does not load torch; the first `get` does.

    Args:
        max_loaded: checkpoints kept in memory; those of one family share their backbone.
    """

    def __init__(
        self, *, device: str = "auto", precision: Precision = "auto", max_loaded: int = 2
    ) -> None:
        self._device = device
        self._precision: Precision = precision
        self._max_loaded = max_loaded
        # By id: what the files were like when they were loaded, and the detector.
        self._detectors: OrderedDict[str, tuple[object, Detector]] = OrderedDict()
        self._failures: dict[str, str] = {}
        self._loading: set[str] = set()
        self._guard = threading.Lock()
        self._one_load = threading.Lock()

    def get(self, checkpoint_id: str) -> Detector:
        """The detector of an id, loaded if need be; only the calling thread waits.

        Raises:
            CheckpointError: no such checkpoint, or it cannot be loaded.
        """
        mark = _mark(checkpoint_id)
        if (found := self._lookup(checkpoint_id, mark)) is not None:
            return found
        with self._one_load:
            if (found := self._lookup(checkpoint_id, mark)) is not None:
                return found
            return self._load(checkpoint_id, mark)

    def state(self, checkpoint_id: str) -> State:
        """Where a checkpoint stands: absent from this machine, idle, loading, ready or failed."""
        with self._guard:
            if checkpoint_id in self._detectors:
                return "ready"
            if checkpoint_id in self._loading:
                return "loading"
            if checkpoint_id in self._failures:
                return "failed"
        known: dict[str, CheckpointInfo] = {info.id: info for info in catalogue()}
        info = known.get(checkpoint_id)
        return "idle" if info is not None and info.present else "absent"

    def failure(self, checkpoint_id: str) -> str | None:
        """Why the last load of a checkpoint failed, if it did."""
        with self._guard:
            return self._failures.get(checkpoint_id)

    @property
    def device_name(self) -> str:
        """For people, "CPU, 2 threads, bf16"; what was asked for while nothing is loaded yet."""
        with self._guard:
            _, detector = next(iter(self._detectors.values()), (None, None))
        return detector.describe_device() if detector is not None else self._device

    def _lookup(self, checkpoint_id: str, mark: object) -> Detector | None:
        """The detector in memory, unless its files have changed since."""
        with self._guard:
            loaded_mark, detector = self._detectors.get(checkpoint_id, (None, None))
            if detector is None or loaded_mark != mark:
                return None
            self._detectors.move_to_end(checkpoint_id)
            return detector

    def _load(self, checkpoint_id: str, mark: object) -> Detector:
        with self._guard:
            self._loading.add(checkpoint_id)
            self._failures.pop(checkpoint_id, None)
            # Make room first: memory may not hold one more than allowed.
            self._detectors.pop(checkpoint_id, None)
            while len(self._detectors) >= self._max_loaded:
                self._detectors.popitem(last=False)
        try:
            from adaclip.detecting.detector import load_detector

            detector = load_detector(checkpoint_id, device=self._device, precision=self._precision)
            with self._guard:
                self._detectors[checkpoint_id] = (mark, detector)
        except Exception as error:
            with self._guard:
                self._failures[checkpoint_id] = str(error)
            raise
        finally:
            with self._guard:
                self._loading.discard(checkpoint_id)
        return detector


def _mark(checkpoint_id: str) -> object:
    """What the files of a checkpoint are like now; None for an unknown one."""
    known = {info.id: info for info in catalogue()}
    return fingerprint(known[checkpoint_id]) if checkpoint_id in known else None
