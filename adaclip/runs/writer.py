"""Writing a run so that it can be killed at any moment and resumed later."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import filelock
import numpy as np

from adaclip.errors import StoreError
from adaclip.runs.records import RunResults
from adaclip.runs.results import IMAGES, MAPS, RESULTS, WORK, load_arrays, read_run
from adaclip.runs.rows import Row, complete_part, decode, encode, header_line
from adaclip.storage.atomic import cannot, sync_folder, write_bytes

_LOCK = ".lock"


class RunWriter:
    """The one writer of a run's folder.

    While a run goes on, its folder holds `results.json` (the header, not complete), the rows so
    far in `images.csv`, and in `work/` what the metrics will need of each finished image. `finish`
    writes the metrics, keeps the maps or removes them. Use it in a `with` block: it holds a lock.

    Attributes:
        header: as written when the run was started, whoever resumes it.
        complete: True when there is nothing left to do.
    """

    def __init__(self, folder: Path, header: RunResults, *, resume: bool = False) -> None:
        """Start a run, or with `resume` resume the one in the folder, if there is one.

        `header.settings` must be the same then; `header.data_root` may have moved. Raises
        StoreError: there is a run already, one with other settings, something else, or another
        process is writing it.
        """
        self.folder = folder
        self._rows: dict[str, Row] = {}
        self._prepare()
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise StoreError(
                f"{folder} is being written by another process; wait for it"
            ) from error
        except OSError as error:
            raise cannot("write", folder, error) from error
        try:
            if (folder / RESULTS).is_file():
                self._resume(header, resume)
            else:
                self._start(header)
        except BaseException:
            self.close()
            raise

    @property
    def rows(self) -> Sequence[Row]:
        """The rows so far, in the order in which they were written."""
        return list(self._rows.values())

    @property
    def errors(self) -> list[str]:
        """Why images failed, in the rows' order; each names its image."""
        return [row.error for row in self._rows.values() if row.error is not None]

    def is_done(self, rel_path: str, index: int) -> bool:
        """True when this image needs not be judged again: it did not fail and all of it is here."""
        row = self._rows.get(rel_path)
        return row is not None and row.error is None and self._map_path(index).is_file()

    def keep_only(self, rel_paths: Container[str]) -> None:
        """Forget the rows of all other images, which will be judged again. Raises StoreError."""
        kept = {name: row for name, row in self._rows.items() if name in rel_paths}
        if len(kept) < len(self._rows):
            write_bytes(self.folder / IMAGES, header_line() + encode(kept.values()))
            self._rows = kept

    def append(self, rows: Iterable[Row]) -> None:
        """Add rows; they are on the disk when this returns. Raises StoreError."""
        rows = list(rows)
        path = self.folder / IMAGES
        try:
            with path.open("ab") as file:
                file.write(encode(rows))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot("write", path, error) from error
        self._rows |= {row.rel_path: row for row in rows}

    def save_map(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep what the metrics need of one image, before its row is added. Raises StoreError."""
        buffer = io.BytesIO()
        # Not compressed: smoothed floats shrink by a twentieth and take ten times as long.
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(self.folder / WORK / f"{index:06d}.npz", buffer.getvalue())

    def load_map(self, index: int) -> dict[str, np.ndarray]:
        """What `save_map` kept. Raises StoreError."""
        path = self._map_path(index)
        arrays = load_arrays(path)
        if arrays is None:
            raise StoreError(f"{path} is gone; resume the run to make it again")
        return arrays

    def finish(self, results: RunResults, order: Sequence[str], *, keep_maps: bool) -> None:
        """Write rows in this order of `rel_path`, then the results, complete. Raises StoreError."""
        write_bytes(
            self.folder / IMAGES,
            header_line() + encode(self._rows[rel_path] for rel_path in order),
        )
        if keep_maps:
            self._move_maps()
        self._write_results(results)
        shutil.rmtree(self.folder / WORK, ignore_errors=True)
        self.complete = True

    def close(self) -> None:
        """Release the folder's lock, so that another process may write."""
        self._lock.release()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        """A folder that is ours to write, or StoreError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            strangers = [path.name for path in self.folder.iterdir() if path.name != _LOCK]
        except OSError as error:
            raise cannot("write", self.folder, error) from error
        if strangers and RESULTS not in strangers:
            raise StoreError(
                f"{self.folder} holds other things ({strangers[0]}); name a new folder for the run"
            )
        self._lock = filelock.FileLock(self.folder / _LOCK)

    def _start(self, header: RunResults) -> None:
        self.complete = False
        self.header = dataclasses.replace(header, complete=False, classes=())
        # The rows' file first: a folder with results.json is a run.
        write_bytes(self.folder / IMAGES, header_line())
        self._write_results(self.header)

    def _resume(self, header: RunResults, resume: bool) -> None:
        stored = read_run(self.folder).results
        if not resume:
            raise StoreError(
                f"{self.folder} holds a run already; resume it (--resume) or name another folder"
            )
        before, now = stored.settings, header.settings
        changed = [
            f"{key} was {before.get(key)!r} and is now {now.get(key)!r}"
            for key in sorted({*before, *now})
            if before.get(key) != now.get(key)
        ]
        if changed:
            raise StoreError(
                f"the run in {self.folder} cannot be resumed: {'; '.join(changed)}; "
                "use the same settings and images, or name another folder"
            )
        self.complete = stored.complete
        self.header = dataclasses.replace(stored, data_root=header.data_root)
        if self.complete:  # what a kill in the last moment may have left
            shutil.rmtree(self.folder / WORK, ignore_errors=True)
            return
        path = self.folder / IMAGES
        try:
            data = complete_part(path.read_bytes()) or header_line()
        except OSError as error:
            raise cannot("write", path, error) from error
        write_bytes(path, data)
        self._rows = {row.rel_path: row for row in decode(data, path)}

    def _move_maps(self) -> None:
        """From `work/` to `maps/`, one by one: a kill in between leaves each in one of them."""
        work, maps = self.folder / WORK, self.folder / MAPS
        try:
            maps.mkdir(exist_ok=True)
            for path in sorted(work.glob("*.npz")):
                path.rename(maps / path.name)
            sync_folder(maps)
        except OSError as error:
            raise cannot("write", maps, error) from error

    def _write_results(self, results: RunResults) -> None:
        text = json.dumps(results.to_json(), indent=1, ensure_ascii=True, allow_nan=False)
        write_bytes(self.folder / RESULTS, text.encode() + b"\n")

    def _map_path(self, index: int) -> Path:
        name = f"{index:06d}.npz"
        work = self.folder / WORK / name
        return work if work.is_file() else self.folder / MAPS / name
