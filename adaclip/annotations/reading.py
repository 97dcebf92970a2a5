"""A whole annotation file as bytes becomes events, whoever wrote it last.

A file as we write it is read line by line: what was cut short is skipped and named. One that
another program has saved (byte order mark, other line ends, separators or quotes) is read cell by
cell: a row is what was stored only where its check says so; any other row is an edit, which is
taken only when it is asked for. Files of an older version lack columns; those of a newer one have
more, which are passed over.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from adaclip.annotations.csv_rows import (
    CHECK_COLUMN,
    HEADER,
    HEADER_LINE,
    MAX_LINE,
    as_it_stands,
    as_stored,
    changed_columns,
    decode_lines,
    is_whole,
)
from adaclip.annotations.record import COLUMNS, FLOATS, SCHEMA, Annotation
from adaclip.errors import StoreError

# "ours": as we write it. "resaved": written by another program. "older" and "newer": by their
# columns.
Form = Literal["ours", "resaved", "older", "newer"]
_NEEDED = ("event_id", "ts_utc", "action", "pixel_sha256", "width", "height", "verdict")
_DEFAULTS = {"schema": SCHEMA, "action": "label", "region_kind": "none"}
_SHOWN = 5
# Columns of the program's own numbers, which spreadsheets write in forms of theirs.
_REFORMATTED = frozenset((*FLOATS, "lead_time_ms"))
# How Excel is told what separates the cells.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?\r?\n', re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a file holds, and what was skipped.

    `edited` says of each row that is not what was stored what is different. `edits` are those of
    them that can be read; `renumbered` those in which scores and times alone are different.
    """

    events: list[Annotation]
    problems: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    edits: list[Annotation] = field(default_factory=list)
    renumbered: list[Annotation] = field(default_factory=list)
    form: Form = "ours"
    # Bytes up to the last line end; what follows was cut short or is being written.
    end: int = 0


def read_contents(data: bytes, name: str | Path) -> Contents:
    """The events in an annotation file. Raises StoreError when it is no such file."""
    if data.startswith(HEADER_LINE):
        end = data.rindex(b"\n") + 1
        lines = data[len(HEADER_LINE) : end].split(b"\n")[:-1]
        if not any(line.endswith(b"\r") for line in lines):
            contents = read_lines(lines, first=2)
            # A line that is complete but was changed: an editor's work, or a damaged disk's.
            if not contents.edited:
                return Contents(events=contents.events, problems=contents.problems, end=end)
    elif HEADER_LINE.startswith(data):  # nothing yet, or a header cut short
        return Contents(events=[])
    return _read_cells(data, name)


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


def _read_cells(data: bytes, name: str | Path) -> Contents:
    """A file in whatever dialect. Raises StoreError."""
    text, separator, first = _text(data, name)
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
        problems.append(f"columns this version does not know were passed over: {some(unknown)}")
    if lacking:
        problems.append(f"columns that are not in the file are empty: {some(lacking)}")
    contents = Contents(events=[], problems=problems, form=form, end=len(data))
    for number, row in enumerate(rows[1:], start=first + 1):
        if known and 0 < len(row) < len(columns):
            problems.append(f"row {number} was skipped: it is incomplete")
        elif any(cell.strip() for cell in row):
            cells = [row[places[c]] if places.get(c, len(row)) < len(row) else "" for c in HEADER]
            _add_row(contents, number, cells, known=known, decimal_comma=separator != ",")
    # A spreadsheet sorts; the order in time is the one that counts.
    contents.events.sort(key=lambda a: a.ts_utc)
    return contents


def _add_row(
    contents: Contents, number: int, cells: list[str], *, known: bool, decimal_comma: bool
) -> None:
    """Put a row where it belongs; `known` ones have a check."""
    cells = [cell or _DEFAULTS.get(c, "") for c, cell in zip(HEADER, cells, strict=True)]
    if known:
        annotation, why = as_stored(cells)
        if annotation is not None:
            contents.events.append(annotation)
            return
        contents.edited.append(f"row {number} {why}")
    else:
        cells[HEADER.index("schema")] = SCHEMA
    annotation, why = as_it_stands(cells, decimal_comma=decimal_comma)
    if annotation is None:
        contents.problems.append(f"row {number} was skipped: {why}")
    elif not known:
        contents.events.append(annotation)
    else:
        changed = changed_columns(cells[:-1], cells[-1].strip())
        numbers_alone = bool(changed) and _REFORMATTED.issuperset(changed)
        (contents.renumbered if numbers_alone else contents.edits).append(annotation)


_WAY_OUT = "move it away, and a new one is begun; `adaclip annotations import` reads what was moved"


def _text(data: bytes, name: str | Path) -> tuple[str, str, int]:
    """The file's text from its header on, its separator, and the header's line number."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        # Saved in Windows' Western code page, or damaged: a row that is not what it was is found
        # by its check; the others need not suffer.
        text = data.decode("utf-16" if encoding == "utf-16" else "cp1252", "replace")
    first, stated = 1, _SEPARATOR_LINE.match(text)
    if stated is not None:
        text, first = text[stated.end() :], 2
    head = text.split("\n", 1)[0]
    if not any(column in head for column in ("event_id", "pixel_sha256")):
        shown = repr(head.strip()[:60])
        raise StoreError(f"{name}: its first line is not that of annotations: {shown}; {_WAY_OUT}")
    return text, stated[1] if stated else max(",;\t", key=head.count), first


def _check_header(columns: list[str], name: str | Path) -> None:
    lacking = [column for column in _NEEDED if column not in columns]
    twice = [column for column in columns if columns.count(column) > 1 and column]
    if lacking or twice:
        what = f"lacks {some(lacking)}" if lacking else f"names {twice[0]} twice"
        raise StoreError(f"{name}: its first line {what}, so it is no annotation file; {_WAY_OUT}")


def some(texts: Sequence[str], separator: str = ", ") -> str:
    """The first few of many, and how many more there are."""
    more = f"{separator}and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return separator.join(texts[:_SHOWN]) + more
