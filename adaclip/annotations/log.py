"""The annotation file: rows are added at its end, by several processes, and never get lost.

A row is added under a lock: what others wrote is read first, a tail that was cut short is mended,
the row is written and put on disk, and only then is it there for anybody. The lock is a file of
its own, so the annotation file itself can be replaced.
"""

from __future__ import annotations

import os
import shlex
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import filelock

from adaclip.annotations.backups import DAILY, DailyCopies, copies, unpacked
from adaclip.annotations.csv_rows import HEADER_LINE, encode, is_whole
from adaclip.annotations.locks import LOCK_NAME, LOCK_SECONDS
from adaclip.annotations.reading import Contents, read_contents, read_lines, some
from adaclip.annotations.record import Annotation
from adaclip.annotations.view import AnnotationView
from adaclip.errors import StoreError
from adaclip.storage.atomic import cannot, sync_folder, write_bytes

FILE_NAME, TORN_NAME = "annotations.csv", "torn.txt"
BACKUPS = "backups"
# Rows that a process knew when another program had replaced the file.
KNOWN = "known"
_POLL_SECONDS = 0.002
# Bytes before the place read up to that tell whether it is still the same file.
_TAIL = 64
_BINARY = getattr(os, "O_BINARY", 0)
Fingerprint = tuple[int, int, int]  # inode, size and time of change


class AnnotationLog:
    """One per store and process; its methods may be called from any thread."""

    def __init__(self, folder: Path, *, read: bool = True) -> None:
        """Reads what is there, or `read` False, when it is first asked for it.

        Raises StoreError for a file that is not ours or was edited.
        """
        self.path = folder / FILE_NAME
        self.view = AnnotationView()
        self.problems: list[str] = []
        self.revision = 0
        self.form = "ours"
        self._folder = folder
        self._mutex = threading.RLock()
        self._lock = filelock.FileLock(
            folder / LOCK_NAME,
            timeout=LOCK_SECONDS,
            poll_interval=_POLL_SECONDS,
            thread_local=False,
            fallback_to_soft=False,
        )
        self._copies = DailyCopies(self.path, folder / BACKUPS / DAILY)
        # Inode, size and time of the file as read; and as it was refused, with the sentence.
        self._fingerprint: Fingerprint | None = None
        self._refused: tuple[Fingerprint, str] | None = None
        self._offset, self._lines, self._tail = 0, 0, b""
        if read:
            self.refresh()

    @contextmanager
    def reading(self) -> Iterator[AnnotationView]:
        """The view, up to date, while no other thread changes it."""
        with self._mutex:
            self.refresh()
            yield self.view

    @contextmanager
    def locked(self) -> Iterator[AnnotationView]:
        """The view, up to date, while nobody else in any process can add to it."""
        with self._exclusive():
            self.refresh()
            yield self.view

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """While nobody else in any process writes to the file."""
        with self._mutex:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
            except filelock.Timeout as error:
                raise StoreError(
                    f"{self.path}: another program has held its lock for {LOCK_SECONDS:.0f} "
                    "seconds; close the other one, or try again"
                ) from error
            except (OSError, NotImplementedError) as error:
                raise cannot("write", self.path, error) from error
            try:
                yield
            finally:
                self._lock.release()

    def append(self, events: Sequence[Annotation]) -> None:
        """Put rows on disk, then into the view. Only within `locked`. Raises StoreError."""
        if self.form == "newer":
            raise StoreError(
                f"{self.path}: was written by a newer version, whose columns this one does not "
                "know, so nothing is added. Update this program, or drop those columns with "
                "`adaclip annotations compact`, which keeps a backup"
            )
        if self.form != "ours":
            self.rewrite(self.view.events)
        try:
            self._write(b"".join(map(encode, events)))
        except OSError as error:
            raise cannot("write", self.path, error) from error
        for event in events:
            self.view.apply(event)
        self._lines += len(events)
        self.revision += 1
        self._copies.keep_todays()

    def rewrite(self, events: Sequence[Annotation]) -> Path | None:
        """Replace the file by one of these rows, keeping a copy, whose path is returned.

        Only within `locked`. Raises StoreError; the file is then as it was.
        """
        backup = None
        try:
            if self.path.exists():
                backup = self._stamped("annotations")
                write_bytes(backup, self.path.read_bytes())
        except OSError as error:
            raise cannot("copy", self.path, error) from error
        write_bytes(self.path, HEADER_LINE + b"".join(map(encode, events)))
        self._reload()
        return backup

    def refresh(self) -> None:
        """Read what was added since; all of it when the file was replaced."""
        with self._mutex:
            try:
                facts = os.stat(self.path)
            except FileNotFoundError:
                if self._fingerprint is not None or self.form != "ours":
                    self._take(Contents(events=[]), b"", None)
                return
            except OSError as error:
                raise cannot("read", self.path, error) from error
            fingerprint = _fingerprint_of(facts)
            if fingerprint == self._fingerprint:
                return
            if self._refused is not None and fingerprint == self._refused[0]:
                raise StoreError(self._refused[1])
            if (
                self._fingerprint is None
                or fingerprint[0] != self._fingerprint[0]
                or not self._read_on(fingerprint)
            ):
                self._reload()

    def _read_on(self, fingerprint: Fingerprint) -> bool:
        """Read the new bytes; False when the old ones are not as they were."""
        if self.form != "ours" or fingerprint[1] < max(self._offset, 1) or not self._offset:
            return False
        start = max(self._offset - _TAIL, 0)
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                data = file.read()
        except OSError as error:
            raise cannot("read", self.path, error) from error
        known, new = data[: self._offset - start], data[self._offset - start :]
        if known != self._tail or (
            not new and fingerprint[1] == (self._fingerprint or fingerprint)[1]
        ):
            return False
        end = new.rfind(b"\n") + 1
        contents = read_lines(new[:end].split(b"\n")[:-1], first=self._lines + 2)
        if contents.edited:
            return False
        self._lines += new.count(b"\n", 0, end)
        self._add(contents)
        self._settle(fingerprint, self._offset + end, (known + new[:end])[-_TAIL:])
        return True

    def _reload(self) -> None:
        """Read the whole file. Raises StoreError, and keeps what was known, when it is not ours."""
        try:
            with self.path.open("rb") as file:
                fingerprint = _fingerprint_of(os.fstat(file.fileno()))
                data = file.read()
        except OSError as error:
            raise cannot("read", self.path, error) from error
        contents = read_contents(data, self.path)
        if contents.form == "resaved" or contents.edited:
            self._refused = (fingerprint, self._refusal(contents))
            raise StoreError(self._refused[1])
        self._take(contents, data[: contents.end], fingerprint)

    def set_aside(self) -> Path | None:
        """Move a file that another program has saved to the backups; where it lies then.

        The file begins again with the rows of the newest daily copy and those that running
        processes put aside. None, and nothing done, for a file that can be read. Raises
        StoreError; the file is then as it was.
        """
        with self._exclusive():
            try:
                self.refresh()
                return None
            except StoreError:
                data = self.path.read_bytes()
            aside = self._stamped("edited")
            write_bytes(aside, data)
            rows: dict[str, Annotation] = {}
            for path in self._copies_of_rows():
                with suppress(StoreError, OSError, EOFError, zlib.error):
                    for event in read_contents(unpacked(path.read_bytes()), path).events:
                        rows.setdefault(event.event_id, event)
            events = sorted(rows.values(), key=lambda event: event.ts_utc)
            write_bytes(self.path, HEADER_LINE + b"".join(map(encode, events)))
            self._reload()
            return aside

    def _copies_of_rows(self) -> list[Path]:
        """The newest daily copy, and what processes knew when the file was replaced."""
        daily = copies(self._folder / BACKUPS / DAILY)[-1:]
        return [copy.path for copy in daily] + sorted((self._folder / BACKUPS).glob(f"{KNOWN}-*"))

    def _refusal(self, contents: Contents) -> str:
        """Why a file that another program has saved is not read, and the two ways out.

        The rows that this process knows are put aside first: the other program may have begun
        with an older state of the file.
        """
        if self.view.events:
            with suppress(StoreError):
                rows = HEADER_LINE + b"".join(map(encode, self.view.events))
                write_bytes(self._stamped(KNOWN), rows)
        daily = copies(self._folder / BACKUPS / DAILY)
        newest = f" (the newest is {daily[-1].path})" if daily else ""
        what = some(contents.edited, "; ") or "its form is another one"
        return (
            f"{self.path}: was saved by another program, so nothing is read from it or added to "
            f"it: {what}. Stop that program, then either put back a copy of the file{newest}, or "
            "take what stands in it with `adaclip annotations import --accept-edits "
            f"{shlex.quote(str(self.path))} --annotations {shlex.quote(str(self._folder))}`: "
            "the file as it is now then stays in the folder backups"
        )

    def _stamped(self, kind: str) -> Path:
        return self._folder / BACKUPS / f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.csv"

    def _take(self, contents: Contents, data: bytes, fingerprint: Fingerprint | None) -> None:
        """Forget what was known and begin with these contents."""
        self.view, self.problems, self.form = AnnotationView(), [], contents.form
        self._lines = max(data.count(b"\n") - 1, 0)
        self._add(contents)
        self._settle(fingerprint, len(data), data[-_TAIL:])

    def _add(self, contents: Contents) -> None:
        self.problems += contents.problems
        for event in contents.events:
            if not self.view.apply(event) and self.view.get(event.event_id) != event:
                self.problems.append(f"event {event.event_id} is there twice; the first counts")

    def _settle(self, fingerprint: Fingerprint | None, offset: int, tail: bytes) -> None:
        self._fingerprint, self._offset, self._tail = fingerprint, offset, tail
        self.revision += 1

    def _write(self, lines: bytes) -> None:
        """Append to the file, on disk when it returns; as it was when it fails."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY
        descriptor = os.open(self.path, flags, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            prefix, size = self._mend(descriptor, size)
            data = prefix + lines
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            except BaseException:
                # Half a row must not stay: the next one would be glued to it.
                with suppress(OSError):
                    os.ftruncate(descriptor, size)
                raise
            if size == 0:
                sync_folder(self._folder)
            self._fingerprint = _fingerprint_of(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        self._offset = size + len(data)
        self._tail = (self._tail + data)[-_TAIL:]

    def _mend(self, descriptor: int, size: int) -> tuple[bytes, int]:
        """What has to be written first, and the size of what stays.

        We hold the lock, so bytes after the last line end are of a writer that died: nobody was
        told that they are stored. They are kept aside and cut off.
        """
        if size == self._offset:
            return (b"" if size else HEADER_LINE), size
        with self.path.open("rb") as file:
            file.seek(self._offset)
            torn = file.read()
        if self._offset and is_whole(torn):  # only its line end is missing
            contents = read_lines([torn], first=self._lines + 2)
            self._lines += 1
            self._add(contents)
            self._tail = (self._tail + torn)[-_TAIL:]
            return b"\n", size
        with (self._folder / TORN_NAME).open("ab") as aside:
            aside.write(torn + b"\n")
        os.ftruncate(descriptor, self._offset)
        return (b"" if self._offset else HEADER_LINE), self._offset


def _write_all(descriptor: int, data: bytes, write: Callable[[int, bytes], int] = os.write) -> None:
    view = memoryview(data)
    while view:
        view = view[write(descriptor, bytes(view)) :]


def _fingerprint_of(facts: os.stat_result) -> Fingerprint:
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
