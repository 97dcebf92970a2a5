"""A copy of the annotation file for each day somebody annotates, packed, the last of them kept.

    backups/daily/annotations-2026-01-31.csv.gz

The copy is made when the day's first row has been stored, by a thread of its own: nobody waits for
it, and where it cannot be made the row is stored all the same. It is tried again within the hour.
To restore one: `gzip -dk` it, and put it in the place of annotations.csv, or add its rows to
another folder with `adaclip annotations import`.
"""

from __future__ import annotations

import gzip
import logging
import re
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from adaclip.annotations.csv_rows import HEADER_LINE
from adaclip.errors import StoreError
from adaclip.storage.atomic import write_bytes

logger = logging.getLogger(__name__)
KEPT = 14
DAILY = "daily"  # within the folder of backups
_NAME = re.compile(r"annotations-(\d{4}-\d\d-\d\d)\.csv\.gz")
# A copy that was begun so long ago will not be finished.
_STRAY_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One day's copy."""

    day: date
    path: Path


class DailyCopies:
    """Makes the copies of one annotation file; asked after every row, from any thread."""

    def __init__(self, file: Path, folder: Path) -> None:
        """`folder` is that of the daily copies; it is made with the first."""
        self._file, self._folder = file, folder
        self._asked = ""  # the hour in which it was last looked after

    def keep_todays(self) -> None:
        """Have today's copy made unless it was looked after within this hour. Never raises."""
        now = datetime.now(UTC)
        hour = now.strftime("%Y-%m-%dT%H")
        if hour == self._asked:
            return
        self._asked = hour
        with suppress(RuntimeError):  # no thread can be had: at the program's end, or short of them
            threading.Thread(target=self._make, args=(now.date(),), name="annotation-copy").start()

    def _make(self, day: date) -> None:
        try:
            make_copy(self._file, self._folder, day)
        except StoreError as error:
            logger.warning("no daily copy of the annotations was made: %s", error)


def make_copy(file: Path, folder: Path, day: date) -> Path | None:
    """Copy the whole rows of `file` unless the day has its copy; remove what is too old.

    The copy's path, None when there was one. Raises StoreError; nothing is then changed.
    """
    path = folder / f"annotations-{day.isoformat()}.csv.gz"
    if path.exists():
        return None
    try:
        data = file.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    # What follows the last line end is being written.
    whole = data[: data.rfind(b"\n") + 1]
    write_bytes(path, gzip.compress(whole, compresslevel=6))
    _remove_old(folder)
    return path


def copies(folder: Path) -> list[Copy]:
    """The daily copies in a folder, oldest first; none where there is no such folder."""
    found = []
    for path in folder.glob("annotations-*.csv.gz"):
        match = _NAME.fullmatch(path.name)
        with suppress(ValueError):  # a day there is not: no copy of ours
            if match is not None:
                found.append(Copy(day=date.fromisoformat(match[1]), path=path))
    return sorted(found, key=lambda copy: copy.day)


def problems(folder: Path, last_row: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the copies: (which file or folder, why).

    `last_row` is the time of the newest row, "" for none.
    """
    found = copies(folder)
    if folder.exists() or folder.parent.exists():
        probe = folder / ".probe"
        try:
            write_bytes(probe, b"")
            probe.unlink()
        except (StoreError, OSError) as error:
            yield folder.name, f"no daily copy can be made: {error}"
    if found and last_row:
        newest = found[-1].day
        if date.fromisoformat(last_row[:10]) - newest > timedelta(days=1):
            yield (
                found[-1].path.name,
                f"is the newest daily copy, but rows go on to {last_row[:10]}",
            )
    for copy in found:
        reason = _damage(copy.path)
        if reason:
            yield copy.path.name, f"cannot be restored: {reason}; delete it"


def unpacked(data: bytes) -> bytes:
    """The bytes of a CSV that may be packed, as daily copies are. Raises OSError, EOFError."""
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _damage(path: Path) -> str:
    """Why a copy cannot be read; "" when it can."""
    try:
        with gzip.open(path) as file:
            if file.read(len(HEADER_LINE)).split(b",")[0] != HEADER_LINE.split(b",")[0]:
                return "it is no copy of annotations"
            while file.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        return str(error)
    return ""


def _remove_old(folder: Path) -> None:
    """Keep the newest copies; what stays behind of a writer that was killed goes, too."""
    with suppress(OSError):
        for copy in copies(folder)[:-KEPT]:
            copy.path.unlink(missing_ok=True)
        for stray in folder.glob(".*.tmp"):
            if time.time() - stray.stat().st_mtime > _STRAY_SECONDS:
                stray.unlink(missing_ok=True)
