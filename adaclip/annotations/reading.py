"""A whole annotation file as bytes becomes events, whoever wrote it last.

A file as we write it is read line by line: what was cut short is skipped and named. One that a
spreadsheet has saved (byte order mark, other line ends, separators or quotes, numbers in another
form) is read cell by cell and taken only where every row is still what we wrote. Files of an
older version lack columns; those of a newer one have more, which are passed over.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from adaclip.annotations.csv_rows import (
    CHECK_COLUMN,
    HEADER,
    HEADER_LINE,
    MAX_LINE,
    accepted,
    decode_lines,
    is_whole,
    rewritten,
)
from adaclip.annotations.record import COLUMNS, SCHEMA, Annotation
from adaclip.errors import StoreError

# "ours": as we write it. "resaved": another program wrote it again. "older" and "newer": by
# their columns.
Form = Literal["ours", "resaved", "older", "newer"]
_NEEDED = ("event_id", "ts_utc", "action", "pixel_sha256", "width", "height", "verdict")
_DEFAULTS = {"schema": SCHEMA, "action": "label", "region_kind": "none"}
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a file holds, and what was skipped. `edited` rows are not what was once stored."""

    events: list[Annotation]
    problems: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    form: Form = "ours"
    # Bytes up to the last line end; what follows was cut short or is being written.
    end: int = 0


def read_contents(data: bytes, name: str | Path, *, accept_edits: bool = False) -> Contents:
    """The events in an annotation file. Raises StoreError when it is no such file.

    `accept_edits` takes rows as they stand where they are not what was stored.
    """
    if data.startswith(HEADER_LINE):
        end = data.rindex(b"\n") + 1
        lines = data[len(HEADER_LINE) : end].split(b"\n")[:-1]
        if not any(line.endswith(b"\r") for line in lines):
            contents = read_lines(lines, first=2)
            # A line that is complete but was changed: an editor's work, or a damaged disk's.
            if not accept_edits and not contents.edited:
                return Contents(events=contents.events, problems=contents.problems, end=end)
    elif HEADER_LINE.startswith(data):  # nothing yet, or a header cut short
        return Contents(events=[])
    return _read_cells(data, name, accept_edits)


def read_lines(lines: Sequence[bytes], *, first: int) -> Contents:
    """Lines without their ends; `first` is the number of the first one in its file."""
    whole = [is_whole(line) for line in lines]
    decoded = iter(decode_lines([line for line, fine in zip(lines, whole, strict=True) if fine]))
    events: list[Annotation] = []
    problems: list[str] = []
    edited: list[str] = []
    for number, (line, fine) in enumerate(zip(lines, whole, strict=True), start=first):
        if fine:
            found = next(decoded)
            if isinstance(found, str):
                problems.append(f"line {number} was skipped: {found}")
            else:
                events.append(found)
        elif _is_complete(line):
            edited.append(f"line {number}")
        else:
            problems.append(f"line {number} was skipped: it is incomplete or damaged")
    return Contents(events=events, problems=problems, edited=edited)


def _is_complete(line: bytes) -> bool:
    """True for a line with all its cells, though not the ones its check was made of."""
    if len(line) > MAX_LINE or line.count(b'"') % 2:
        return False
    cells = next(csv.reader([line.decode("utf-8", "replace")]), [])
    return len(cells) == len(HEADER) and len(cells[-1]) == 9 + len(COLUMNS)


def _read_cells(data: bytes, name: str | Path, accept_edits: bool) -> Contents:
    """A file in whatever dialect. Raises StoreError."""
    text, separator = _text(data, name)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise StoreError(f"{name}: is no CSV file of annotations ({error}); {_WAY_OUT}") from error
    columns = [column.strip() for column in rows[0]]
    _check_header(columns, name)
    places = {column: place for place, column in enumerate(columns)}
    unknown = [column for column in columns if column not in HEADER and column]
    lacking = [column for column in HEADER if column not in places]
    known = CHECK_COLUMN in places and not [c for c in lacking if c in COLUMNS]
    form: Form = "newer" if unknown else "older" if lacking else "resaved"
    problems = []
    if unknown:
        problems.append(f"columns this version does not know were passed over: {_some(unknown)}")
    if lacking:
        problems.append(f"columns that are not in the file are empty: {_some(lacking)}")
    take = rewritten if known and not accept_edits else accepted
    events: list[Annotation] = []
    edited: list[str] = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        cells = [row[places[c]] if places.get(c, len(row)) < len(row) else "" for c in HEADER]
        cells = [cell or _DEFAULTS.get(c, "") for c, cell in zip(HEADER, cells, strict=True)]
        if not known:
            cells[HEADER.index("schema")] = SCHEMA
        annotation, why = take(cells, decimal_comma=separator != ",")
        if annotation is not None:
            events.append(annotation)
        elif take is rewritten and cells[-1] and len(row) >= len(columns):
            edited.append(f"row {number} {why}")
        else:
            problems.append(f"row {number} was skipped: {why}")
    # A spreadsheet sorts; the order in time is the one that counts.
    events.sort(key=lambda a: a.ts_utc)
    return Contents(events=events, problems=problems, edited=edited, form=form, end=len(data))


def refuse_edits(contents: Contents, name: str | Path) -> None:
    """Raise StoreError, naming what changed, when rows are not what was stored."""
    if contents.edited:
        raise StoreError(
            f"{name}: was changed by another program and is left as it is: "
            f"{_some(contents.edited, '; ')}. Put back a copy of it (the folder backups has "
            "some), or move it away and read what stands there with `adaclip annotations import "
            "FILE --accept-edits`"
        )


_WAY_OUT = "move it away, and a new one is begun; `adaclip annotations import` reads what was moved"


def _text(data: bytes, name: str | Path) -> tuple[str, str]:
    """The file's text and its separator."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        # Saved in Windows' Western code page, or damaged: a row that is not what it was is refused
        # by its check; the others need not suffer.
        text = data.decode("utf-16" if encoding == "utf-16" else "cp1252", "replace")
    head = text.split("\n", 1)[0]
    if not any(column in head for column in ("event_id", "pixel_sha256")):
        shown = repr(head.strip()[:60])
        raise StoreError(f"{name}: its first line is not that of annotations: {shown}; {_WAY_OUT}")
    return text, max(",;\t", key=head.count)


def _check_header(columns: list[str], name: str | Path) -> None:
    lacking = [column for column in _NEEDED if column not in columns]
    twice = [column for column in columns if columns.count(column) > 1 and column]
    if lacking or twice:
        what = f"lacks {_some(lacking)}" if lacking else f"names {twice[0]} twice"
        raise StoreError(f"{name}: its first line {what}, so it is no annotation file; {_WAY_OUT}")


def _some(texts: Sequence[str], separator: str = ", ") -> str:
    more = f"{separator}and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return separator.join(texts[:_SHOWN]) + more
