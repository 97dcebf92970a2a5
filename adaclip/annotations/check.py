"""Is everything in an annotation folder as it should be? And: tidy it up, losing nothing."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from adaclip.annotations.backups import DAILY, copies, problems
from adaclip.annotations.images import FOLDER as IMAGES
from adaclip.annotations.images import image_path
from adaclip.annotations.log import BACKUPS, TORN_NAME
from adaclip.annotations.masks import mask_of_rle, read_mask
from adaclip.annotations.record import Annotation
from adaclip.annotations.store import AnnotationStore
from adaclip.data.images import pixel_sha256
from adaclip.errors import AdaClipError, StoreError

MASKS = "masks"
# A mask younger than this may be of a row that is just being written.
_SETTLED_SECONDS = 3600
_IMAGE_NAME = re.compile(r"[0-9a-f]{64}\.png")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong: its kind, the row or file, and why."""

    kind: str
    where: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class StoreReport:
    """What a folder of annotations holds and what is wrong with it."""

    folder: str
    events: int
    current: int
    retracted: int
    verdicts: dict[str, int]
    annotators: int
    masks: int
    images: int
    daily_copies: int
    newest_copy: str  # its day, "" for none
    findings: tuple[Finding, ...] = field(default_factory=tuple)

    @property
    def fine(self) -> bool:
        """True when nothing is wrong."""
        return not self.findings


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """What tidying up did; nothing is deleted, all of it lies in the folder of backups."""

    rows_removed: int
    rows_kept: int
    files_moved: int  # masks and pictures
    backup: Path | None


def check_store(
    store: AnnotationStore, *, progress: Callable[[int, int], None] | None = None
) -> StoreReport:
    """Look at every row, mask and kept picture. `progress` is told (done, total)."""
    events, current = store.events(), store.current()
    masks, images = _files(store.folder / MASKS), _files(store.folder / IMAGES)
    findings = [Finding(kind="file", where=store.path.name, detail=p) for p in store.problems]
    total, done = len(events) + len(images), 0
    used: set[str] = set()
    for event in events:
        findings += _mask_findings(store, event)
        used.add(event.region_path)
        done += 1
        if progress is not None:
            progress(done, total)
    for path in masks:
        name = f"{MASKS}/{path.relative_to(store.folder / MASKS).as_posix()}"
        if name not in used:
            findings.append(
                Finding(kind="orphaned mask", where=name, detail="no row has this region")
            )
    pictures = {event.pixel_sha256 for event in events}
    for path in images:
        findings += _image_findings(store, path, pictures)
        done += 1
        if progress is not None:
            progress(done, total)
    daily = store.folder / BACKUPS / DAILY
    last_row = max((event.ts_utc for event in events), default="")
    findings += [
        Finding(kind="daily copy", where=where, detail=why)
        for where, why in problems(daily, last_row)
    ]
    kept = copies(daily)
    torn = store.folder / TORN_NAME
    if torn.exists():
        findings.append(
            Finding(
                kind="torn rows",
                where=TORN_NAME,
                detail="ends of rows whose writer died; nobody was told that they are stored. "
                "Delete the file when you have seen it",
            )
        )
    return StoreReport(
        folder=str(store.folder),
        events=len(events),
        current=len(current),
        retracted=sum(event.action == "retract" for event in events),
        verdicts=dict(sorted(Counter(row.verdict for row in current).items())),
        annotators=len({row.annotator for row in current}),
        masks=len(masks),
        images=len(images),
        daily_copies=len(kept),
        newest_copy=kept[-1].day.isoformat() if kept else "",
        findings=tuple(findings),
    )


def compact_store(store: AnnotationStore) -> Compacted:
    """Keep the rows that hold in the CSV; the old CSV and files of no row go to the backups.

    Raises StoreError; the CSV is then as it was.
    """
    gone, backup = store.compact()
    rows = store.current()
    aside = store.folder / BACKUPS / f"files-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    used = {row.region_path for row in rows} | {_image_name(row) for row in rows}
    dropped = {row.region_path for row in gone} | {_image_name(row) for row in gone}
    moved = 0
    try:
        for path in (*_files(store.folder / MASKS), *_files(store.folder / IMAGES)):
            name = path.relative_to(store.folder).as_posix()
            # A file of no row at all may be of one that is just being written.
            settled = time.time() - path.stat().st_mtime > _SETTLED_SECONDS
            if name not in used and (name in dropped or settled):
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                path.replace(aside / name)
                moved += 1
    except OSError as error:
        raise StoreError(f"cannot tidy up {store.folder}: {error.strerror or error}") from error
    return Compacted(rows_removed=len(gone), rows_kept=len(rows), files_moved=moved, backup=backup)


def _image_name(row: Annotation) -> str:
    return image_path(Path(), row.pixel_sha256).as_posix()


def _mask_findings(store: AnnotationStore, event: Annotation) -> Iterator[Finding]:
    """What is wrong with the region of a row."""
    if event.region_kind != "mask":
        return
    path = store.folder / event.region_path
    assert event.width
    assert event.height
    size = (event.height, event.width)
    if not path.is_file():
        saved = "its run lengths are in the row" if event.region_rle else "the region is lost"
        detail = f"{event.region_path} is not there; {saved}"
        yield Finding(kind="missing mask", where=event.event_id, detail=detail)
        return
    try:
        mask = read_mask(path, size)
        if event.region_rle and (mask_of_rle(event.region_rle, size) != mask).any():
            raise StoreError("its run lengths are of another region than its file")
        if event.region_area_px != int(mask.sum()):
            raise StoreError(
                f"the row says {event.region_area_px} pixels, the file {int(mask.sum())}"
            )
    except StoreError as error:
        yield Finding(kind="wrong mask", where=event.event_id, detail=str(error))


def _image_findings(store: AnnotationStore, path: Path, pictures: set[str]) -> Iterator[Finding]:
    """What is wrong with a kept picture."""
    name = f"{IMAGES}/{path.relative_to(store.folder / IMAGES).as_posix()}"
    if not _IMAGE_NAME.fullmatch(path.name) or path != image_path(store.folder, path.stem):
        yield Finding(kind="foreign file", where=name, detail="no kept picture bears such a name")
        return
    try:
        pixels = store.image(path.stem)
        if pixels is None or pixel_sha256(pixels) != path.stem:
            raise StoreError("its pixels are not those it is named after")
    except AdaClipError as error:
        yield Finding(kind="wrong picture", where=name, detail=str(error))
        return
    if path.stem not in pictures:
        yield Finding(kind="orphaned picture", where=name, detail="no row is of this picture")


def _files(folder: Path) -> list[Path]:
    """Every file below a folder, by name; none where there is no such folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
