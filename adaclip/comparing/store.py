"""Features of a large batch: the first in memory, the rest in a file that goes away by itself."""

from __future__ import annotations

import dataclasses
import tempfile
from types import TracebackType
from typing import IO

import numpy as np

from adaclip.comparing.features import Features
from adaclip.errors import StoreError

# Bytes of features held in memory; about a hundred pictures.
MAX_MEMORY = 512 << 20


class FeatureStore:
    """Keeps the features of any number of pictures in bounded memory; use it in a `with` block.

    What goes to disk is about 4 MB a picture, in the folder for temporary files (TMPDIR), without
    a name: it is gone when the block ends, or the process.
    """

    def __init__(self, max_memory: int = MAX_MEMORY) -> None:
        self._room = max_memory
        self._file: IO[bytes] | None = None

    def keep(self, features: Features) -> Features:
        """The same features, their arrays on disk once memory has its share.

        Raises StoreError when the disk is full.
        """
        if features.nbytes <= self._room:
            self._room -= features.nbytes
            return features
        detection = dataclasses.replace(
            features.detection,
            model_margin_map=self._spilled(features.detection.model_margin_map),
            model_anomaly_map=self._spilled(features.detection.model_anomaly_map),
        )
        return dataclasses.replace(
            features, tokens=self._spilled(features.tokens), detection=detection
        )

    def _spilled(self, array: np.ndarray) -> np.ndarray:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
            offset = self._file.seek(0, 2)
            array.tofile(self._file)
            self._file.flush()
        except OSError as error:
            raise StoreError(
                f"cannot keep the features of a batch: {error.strerror or error}; free space in "
                f"{tempfile.gettempdir()}, name another folder in TMPDIR, or judge fewer pictures"
            ) from error
        return np.memmap(self._file, array.dtype, "r", offset, array.shape)

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
