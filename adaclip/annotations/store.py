"""The annotation store: a folder with one CSV, masks, and the pictures people agreed to keep.

    annotations.csv                      every event, one line each; nothing is ever taken out
    masks/<picture>_<event>.png          regions, 0 and 255, at the picture's own size
    images/ab/<pixel hash>.png           kept pictures
    backups/                             copies made before the CSV was rewritten
    backups/daily/                       a packed copy for each day (see backups.py)
    torn.txt                             ends of rows whose writer died in the middle

A mask is written before its row is, so no row points to a missing one; where a disk forgets a
new file's name in a power cut, the run lengths in the row give the region back.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from adaclip.annotations.images import image_path, keep_image, kept_image
from adaclip.annotations.locks import lock_warnings
from adaclip.annotations.log import AnnotationLog
from adaclip.annotations.masks import mask_of_rle, read_mask, write_mask
from adaclip.annotations.record import (
    Annotation,
    check,
    same_statement,
    tidy,
)
from adaclip.annotations.rows import check_mask, labelled, named, new_id, retraction, with_region
from adaclip.annotations.view import AnnotationView
from adaclip.errors import InputError, StoreError
from adaclip.storage.folders import why_not_writable

__all__ = ["Annotation", "AnnotationStore"]

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
# A clock that was wrong for longer than this is not followed.
_MAX_BEHIND = timedelta(hours=1)


class AnnotationStore:
    """One per folder and process; for any number of threads, beside other processes.

    What it returns is up to date: rows that other processes added are read first.
    """

    def __init__(self, folder: Path | str, *, create: bool = True, read: bool = True) -> None:
        """Open the store in `folder`, made when there is none, unless `create` is False.

        `read` False puts reading the file off until somebody asks for what is in it. Raises
        StoreError for a folder that cannot be used and, when it reads, for a file of another
        kind and one that another program has changed with loss.
        """
        self.folder = Path(folder)
        if not create and not self.folder.is_dir():
            raise StoreError(f"{self.folder}: there is no such folder of annotations")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make the folder {self.folder}: {error.strerror or error}; name another "
                "one for the annotations"
            ) from error
        self._warnings = lock_warnings(self.folder, probe=create)
        self._log = AnnotationLog(self.folder, read=read)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was skipped or is risky, a sentence each. Raises StoreError."""
        with self._log.reading():
            return (*self._warnings, *self._log.problems)

    def why_not_writable(self) -> str:
        """Why no annotation can be stored, for the page to say before the first; "" when it can.

        A file that another program has saved is such a reason.
        """
        reason = why_not_writable(self.folder)
        if reason:
            return reason
        if self.path.exists() and not os.access(self.path, os.W_OK):
            return f"{self.path}: may not be written to; check the file's permissions"
        try:
            self.current()
        except StoreError as error:
            return str(error)
        return ""

    @property
    def revision(self) -> int:
        """A number that grows whenever the file changed, by whichever process."""
        with self._log.reading():
            return self._log.revision

    @property
    def path(self) -> Path:
        """The CSV."""
        return self._log.path

    def current(self) -> list[Annotation]:
        """What holds now, oldest first. Raises StoreError."""
        with self._log.reading() as view:
            return view.current()

    def events(self) -> list[Annotation]:
        """Everything that was ever said, in order. Raises StoreError."""
        with self._log.reading() as view:
            return list(view.events)

    def get(self, event_id: str) -> Annotation | None:
        """Any event, current or not. Raises StoreError."""
        with self._log.reading() as view:
            return view.get(event_id)

    def for_image(self, pixel_sha256: str) -> list[Annotation]:
        """What anybody says of a picture now, oldest first. Raises StoreError."""
        with self._log.reading() as view:
            return view.for_image(pixel_sha256)

    def add(
        self,
        annotation: Annotation,
        mask: np.ndarray | None = None,
        image: np.ndarray | None = None,
        *,
        seen: str | None = None,
    ) -> Annotation:
        """Store a verdict; it is on disk when this returns, as it is returned.

        Ids, time and region are the store's own, whatever the row holds, so that a row with
        changes is an edit. `mask` (H, W) bool is the region, None for none; `image` (H, W, 3)
        uint8 is kept. `seen` is the event of this person on this thing that the page showed, ""
        for none: when another one holds by now, InputError. Raises InputError for values that
        cannot be stored, StoreError when the disk refuses.
        """
        row = labelled(annotation)
        check(dataclasses.replace(row, ts_utc=_now(None)))
        if mask is not None:
            row = with_region(row, mask)
        if image is not None:
            keep_image(self.folder, image, row.pixel_sha256)
        if mask is not None:
            # What the row holds too can be had from there: one wait for the disk less.
            write_mask(self.folder / row.region_path, mask, sync_entry=not row.region_rle)
        try:
            with self._log.locked() as view:
                same = view.of_key(row.key)
                known = "" if same is None else same.event_id
                if seen is not None and seen != known:
                    raise InputError(
                        "this was judged in the same name on another page meanwhile; nothing was "
                        "changed: look at it and judge again"
                    )
                row = dataclasses.replace(row, supersedes=known, ts_utc=_now(view))
                self._log.append([row])
        except BaseException:
            if mask is not None:
                (self.folder / row.region_path).unlink(missing_ok=True)
            raise
        return row

    def retract(self, event_id: str, *, annotator: str) -> Annotation:
        """Take a current annotation back, and all it replaced; the row that says so.

        `annotator` is who takes it back. Raises InputError when it does not hold (any more).
        """
        with self._log.locked() as view:
            return self._retract(view, _current(view, event_id), annotator)

    def undo(self, event_id: str, *, annotator: str) -> Annotation:
        """Take the last step back: what the annotation replaced holds again, or nothing does.

        The row added by it: a copy of the earlier verdict with its region, or a retraction. Where
        somebody else takes it back, a retraction in that person's name stands beside the copy.
        Raises InputError when the annotation does not hold (any more).
        """
        with self._log.locked() as view:
            row = _current(view, event_id)
            before = view.before(row)
            if before is None:
                return self._retract(view, row, annotator)
            # The copy keeps the earlier mask's file: nothing is drawn anew.
            again = dataclasses.replace(
                before, event_id=new_id(), supersedes=row.event_id, ts_utc=_now(view)
            )
            rows = [again]
            if annotator != row.annotator:
                rows.append(retraction(row, annotator, ts_utc=again.ts_utc))
            self._log.append(rows)
            return again

    def add_events(
        self, events: Iterable[Annotation], masks: Mapping[str, np.ndarray] | None = None
    ) -> list[Annotation]:
        """Add events of another store as they are; those added, the ones here already left out.

        `masks` are regions by event id. Raises AdaClipError; then none was added.
        """
        events = list(events)
        for event in events:
            check(event)
        with self._log.locked() as view:
            new = {event.event_id: event for event in events if view.get(event.event_id) is None}
            for event_id, event in new.items():
                mask = (masks or {}).get(event_id)
                if mask is not None and event.region_path:
                    self._add_mask(event, mask)
            if new:
                self._log.append(list(new.values()))
        return list(new.values())

    def add_edits(
        self,
        edits: Iterable[Annotation],
        annotator: str,
        masks: Mapping[str, np.ndarray] | None = None,
    ) -> tuple[list[Annotation], int]:
        """Add rows of this or another store that another program has changed, as `annotator`'s.

        Each becomes a new event in the place of the one it was made of; `masks` are regions by
        the edits' event ids. What says nothing new is not added: the events that were, and the
        number of those that were not. Raises AdaClipError; then none was added.
        """
        rows: list[Annotation] = []
        known = 0
        with self._log.locked() as view:
            for edit in edits:
                fresh = named(tidy(dataclasses.replace(edit, annotator=annotator)))
                before = [view.get(edit.event_id), view.of_key(fresh.key)]
                if any(each is not None and same_statement(each, edit) for each in before):
                    known += 1
                    continue
                earlier = [
                    each.event_id for each in before if each and view.is_current(each.event_id)
                ]
                label = edit.action == "label"
                fresh = dataclasses.replace(
                    fresh,
                    event_id=new_id(),
                    supersedes=(earlier or [""])[0] if label else edit.supersedes,
                    ts_utc=_now(view),
                    lead_time_ms=None,
                )
                check(fresh)
                mask = (masks or {}).get(edit.event_id)
                if mask is not None:
                    self._add_mask(fresh, mask)
                rows.append(fresh)
            if rows:
                self._log.append(rows)
        return rows, known

    def set_aside(self) -> Path | None:
        """Move a CSV that another program has saved to the backups and begin again from copies.

        Where it lies then; None, and nothing done, when the CSV can be read. Raises StoreError.
        """
        return self._log.set_aside()

    def mask(self, annotation: Annotation) -> np.ndarray | None:
        """(H, W) bool of an annotation's region, None for none.

        From its file, or from the row where the file has gone. Raises StoreError when neither
        can be read.
        """
        if annotation.region_kind != "mask" or not annotation.width or not annotation.height:
            return None
        check(annotation)
        size = (annotation.height, annotation.width)
        path = self.folder / annotation.region_path
        if annotation.region_rle and not path.is_file():
            return mask_of_rle(annotation.region_rle, size)
        return read_mask(path, size)

    def has_mask(self, annotation: Annotation) -> bool:
        """Whether an annotation's region can be had, from its file or from the row."""
        path = annotation.region_path
        return bool(path) and (bool(annotation.region_rle) or (self.folder / path).is_file())

    def has_image(self, pixel_sha256: str) -> bool:
        """Whether a picture was kept."""
        return _is_digest(pixel_sha256) and image_path(self.folder, pixel_sha256).is_file()

    def image(self, pixel_sha256: str) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB of a kept picture, None where there is none. Raises ImageError."""
        return kept_image(self.folder, pixel_sha256) if _is_digest(pixel_sha256) else None

    def compact(self) -> tuple[list[Annotation], Path | None]:
        """Write the CSV anew with the rows that hold alone; the rows that went, and the old file.

        Raises StoreError; the file is then as it was.
        """
        with self._log.locked() as view:
            gone = [event for event in view.events if not view.is_current(event.event_id)]
            return gone, self._log.rewrite(view.current())

    def _add_mask(self, event: Annotation, mask: np.ndarray) -> None:
        """Write the mask of another store's event; one that is here already is left as it is."""
        check_mask(event, mask)
        path = self.folder / event.region_path
        if not path.exists():
            write_mask(path, mask)
        elif (read_mask(path, mask.shape) != mask).any():
            raise StoreError(
                f"{event.region_path}: holds another region than event {event.event_id} has, so "
                "nothing was added; the rows to be added are not an export of annotations"
            )

    def _retract(self, view: AnnotationView, row: Annotation, annotator: str) -> Annotation:
        taken = retraction(row, annotator, ts_utc=_now(view))
        self._log.append([taken])
        return taken


def _current(view: AnnotationView, event_id: str) -> Annotation:
    row = view.get(event_id) if view.is_current(event_id) else None
    if row is None:
        raise InputError(
            "this annotation is not there any more: it was replaced or taken back; reload the list"
        )
    return row


def _now(view: AnnotationView | None) -> str:
    """The time, later than that of the last row: rows sorted by time are in order."""
    now = datetime.now(UTC)
    if view is not None and view.events:
        last = _time_of(view.events[-1].ts_utc)
        if last is not None and now <= last < now + _MAX_BEHIND:
            now = last + timedelta(microseconds=1)
    return now.strftime(_TIME)


def _time_of(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)
