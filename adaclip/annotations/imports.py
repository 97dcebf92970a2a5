"""Annotations of another store, or of a spreadsheet, brought into this one.

What comes in is a stranger's: from a ZIP only files with names of ours are taken, sizes are
capped, and every row is looked at as if it had just been made up.
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from adaclip.annotations.images import keep_image
from adaclip.annotations.log import FILE_NAME
from adaclip.annotations.masks import mask_of_rle, read_mask
from adaclip.annotations.reading import read_contents, some
from adaclip.annotations.record import NO_REGION, Annotation
from adaclip.annotations.store import AnnotationStore
from adaclip.data.images import read_image
from adaclip.errors import AdaClipError, StoreError

_LARGEST = 1 << 30  # of a CSV; and of one picture in a ZIP
_IMAGE = re.compile(r"images/[0-9a-f]{2}/([0-9a-f]{64})\.png")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """How many rows were added and how many were here already; what was skipped, and why.

    `edits` of the added ones were changed by another program and are the importer's; `notes` say
    what else is to be known. `aside` is where the store's own file lies, had another program
    saved that.
    """

    added: int
    known: int
    edits: int = 0
    notes: tuple[str, ...] = ()
    aside: Path | None = None
    images: int = 0
    skipped: tuple[str, ...] = ()


def import_annotations(
    store: AnnotationStore, file: Path | str, *, accept_edits: str = ""
) -> Imported:
    """Add the rows of a CSV or ZIP that are not here yet, with their regions and pictures.

    A CSV may be packed (.gz), as daily copies are. Regions come from the ZIP, from the row, or
    from the folder the CSV lies in. `accept_edits` is the name in which rows that another program
    has changed are taken as they stand; "" refuses a file with such rows. The store's own file,
    when another program has saved it, is moved to the backups first. Raises StoreError when the
    file is no export of annotations, or was changed.
    """
    file = Path(file)
    aside = None
    try:
        if accept_edits and store.path.exists() and file.exists() and store.path.samefile(file):
            aside = store.set_aside()
        if aside is not None:
            data = aside.read_bytes()
            found = _take(store, data, file.name, _beside(file), accept_edits)
            return replace(found, aside=aside)
        if not zipfile.is_zipfile(file):
            return _take(store, _small(file), file.name, _beside(file), accept_edits)
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if FILE_NAME not in names:
                raise StoreError(f"{file.name}: holds no {FILE_NAME}, so it is no export of ours")
            data = _member(archive, FILE_NAME)
            found = _take(store, data, file.name, _within(archive, names), accept_edits)
            images, skipped = _images(store, archive, names)
            return replace(found, images=images, skipped=(*found.skipped, *skipped))
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    # What zipfile answers damaged archives with.
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
        raise StoreError(f"{file.name}: is damaged ({error}); export it again") from error


Finder = Callable[[Annotation], np.ndarray | None]


def _take(
    store: AnnotationStore, data: bytes, name: str, mask_of: Finder, accept_edits: str
) -> Imported:
    contents = read_contents(data, name)
    if contents.edited and not accept_edits:
        raise StoreError(
            f"{name}: was changed by another program, so nothing was added: "
            f"{some(contents.edited, '; ')}. Export it again, or take the changed rows as they "
            "stand, in your name, with --accept-edits"
        )
    skipped = list(contents.problems)
    if contents.end < len(data):
        skipped.append("the last line was skipped: it is incomplete")
    whole = [*contents.events, *contents.renumbered]
    new = [event for event in whole if store.get(event.event_id) is None]
    notes = _renumbered({event.event_id for event in new}, contents.renumbered)
    masks: dict[str, np.ndarray] = {}
    events = [_with_mask(event, mask_of, masks, skipped) for event in new]
    edits = [_with_mask(event, mask_of, masks, skipped) for event in contents.edits]
    added = store.add_events(events, masks)
    taken, same = store.add_edits(edits, accept_edits, masks) if edits else ([], 0)
    return Imported(
        added=len(added) + len(taken),
        known=len(whole) - len(new) + same,
        edits=len(taken),
        notes=notes,
        skipped=tuple(skipped),
    )


def _renumbered(new: Collection[str], renumbered: Sequence[Annotation]) -> tuple[str, ...]:
    """What is to be said of rows whose scores another program wrote in a form of its own."""
    count = sum(event.event_id in new for event in renumbered)
    if not count:
        return ()
    return (f"{count} rows were added with their scores as the other program wrote them",)


def _with_mask(
    event: Annotation, mask_of: Finder, masks: dict[str, np.ndarray], skipped: list[str]
) -> Annotation:
    """The event, its region put into `masks`; without one, and a word, where that is lost."""
    if event.region_kind != "mask":
        return event
    try:
        mask = mask_of(event)
        if mask is None and event.region_rle:
            mask = mask_of_rle(event.region_rle, _size(event))
        if mask is None:
            raise StoreError("its mask is not in the file")
    except StoreError as error:
        skipped.append(f"the region of event {event.event_id} was skipped: {error}")
        return replace(event, **NO_REGION)
    masks[event.event_id] = mask
    return event


def _size(event: Annotation) -> tuple[int, int]:
    assert event.height
    assert event.width
    return (event.height, event.width)


def _beside(file: Path) -> Finder:
    """Masks in the folder the CSV lies in, as in a store's own."""

    def find(event: Annotation) -> np.ndarray | None:
        path = file.parent / event.region_path
        return read_mask(path, _size(event)) if path.is_file() else None

    return find


def _within(archive: zipfile.ZipFile, names: set[str]) -> Finder:
    def find(event: Annotation) -> np.ndarray | None:
        if event.region_path not in names:
            return None
        with archive.open(event.region_path) as mask:
            return read_mask(mask, _size(event), name=event.region_path)

    return find


def _images(
    store: AnnotationStore, archive: zipfile.ZipFile, names: set[str]
) -> tuple[int, list[str]]:
    """Keep the pictures of a ZIP whose pixels are those they are named after."""
    count, skipped = 0, []
    for name in sorted(names):
        match = _IMAGE.fullmatch(name)
        if match is None or store.has_image(match[1]):
            continue
        try:
            pixels = read_image(_member(archive, name), name=name)
            keep_image(store.folder, pixels, match[1])
            count += 1
        except AdaClipError as error:
            skipped.append(f"{name} was skipped: {error}")
    return count, skipped


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of a ZIP; the size it says it has is not believed. Raises StoreError."""
    with archive.open(name) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise StoreError(f"{name}: is larger than {_LARGEST >> 20} MB; that is no export of ours")
    return data


def _small(file: Path) -> bytes:
    """A CSV, which may be packed as daily copies are. Raises StoreError."""
    with file.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
    with gzip.open(file) if packed else file.open("rb") as source:
        data = source.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise StoreError(f"{file.name}: is larger than {_LARGEST >> 20} MB; split it")
    return data
