"""One annotation, one line: RFC 4180 cells that no spreadsheet runs or rewrites, and a check.

Text is kept exactly, whatever it holds. Line breaks, other control characters, marks that turn
the direction of writing and halves of surrogate pairs are written as escapes (backslash, n, or
backslash, u and four digits; a backslash is doubled), so a row is always one line. Text that a
spreadsheet would take for a formula, a number, a date or a truth value gets an apostrophe in
front, as does text that begins with one; reading takes it off again. Numbers stay numbers.

The last cell, `row_check`, is a CRC-32 of the line before it, and a character for each cell: a
line that was cut short or changed is noticed, and which of its cells differ can be said.
"""

from __future__ import annotations

import csv
import re
import string
import zlib
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from adaclip.annotations.record import COLUMNS, FLOATS, INTEGERS, Annotation, all_fit, check
from adaclip.errors import InputError

CHECK_COLUMN = "row_check"
HEADER = (*COLUMNS, CHECK_COLUMN)
HEADER_LINE = ",".join(HEADER).encode() + b"\n"

_ESCAPED = re.compile(
    r"[\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    r"\ufeff\ufffe\uffff\ud800-\udfff]"
)
# Where ; separates cells, what follows it begins one.
_AFTER_SEPARATOR = re.compile(r"(?<=;)(\s*)([=+\-@|%\uff1d\uff0b\uff0d\uff20])")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|([\\nrt]))")
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
# In English, German, French, Spanish, Italian: spreadsheets read them as their menus are.
_MONTH = (
    "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|m\u00e4r|mai|okt|dez|f\u00e9v|avr|jui|"
    "ao\u00fb|d\u00e9c|ene|abr|ago|dic|gen|mag|giu|lug|set|ott)[^\\W\\d_]*[.]?"
)
_TRUTH = "true|false|wahr|falsch|vrai|faux|verdadero|falso|vero"
# What begins a formula somewhere, or our own apostrophe, or a blank that may be cut off.
_FORMULA = re.compile(r"['=+\-@|%;\uff1d\uff0b\uff0d\uff20\s]")
# What may come back as another text: numbers, dates, truth values. Plain whole numbers do not.
_REWRITTEN = re.compile(
    rf"[\d.,:/\s%$\u20ac\u00a3()e+\-]+|{_TRUTH}"
    rf"|\d{{1,4}}[-/. ]*{_MONTH}(?:[-/. ]*\d{{1,4}})?"
    rf"|{_MONTH}[-/. ]*\d{{1,4}}(?:[-/., ]+\d{{1,4}})?"
    r"|\d+[:.]\d+\s*[ap]m?",
    re.IGNORECASE,
)
_PLAIN_NUMBER = re.compile(r"0|[1-9]\d{0,8}")
_QUOTED = re.compile(r'[",;]|^\s|\s$')
_ALPHABET = string.ascii_letters + string.digits + "-_"
_NUMBERS = frozenset((*INTEGERS, *FLOATS))
_INTEGER_PLACES = tuple(COLUMNS.index(name) for name in INTEGERS)
_FLOAT_PLACES = tuple(COLUMNS.index(name) for name in FLOATS)
# Ids, hashes, times and codes, each of a form that `check` holds it to. The rest is free text.
_CODED: tuple[str, ...] = (
    "schema",
    "event_id",
    "supersedes",
    "ts_utc",
    "action",
    "image_sha256",
    "pixel_sha256",
)
_CODED += ("checkpoint_sha256", "predicted", "verdict", "reason_code", "region_kind")
_CODED += ("region_path", "gt_label")
_FREE = frozenset(COLUMNS) - _NUMBERS - frozenset(_CODED)
# One hash in a trillion is all digits, or digits around one "e".
_TEXT = _FREE | {name for name in COLUMNS if name.endswith("_sha256")}
# Rows looked at together; few enough to stay in the processor's cache.
_AT_ONCE = 500
# Longer lines are nobody's: all limits together stay below it.
MAX_LINE = 131_000


def encode_text(text: str) -> str:
    """`text` as a cell that is only text to a spreadsheet; `decode_text` gives it back exactly."""
    cell = _ESCAPED.sub(_escape, text)
    if ";" in cell:
        cell = _AFTER_SEPARATOR.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}", cell)
    if not cell:
        return cell
    if _FORMULA.match(cell) or (_REWRITTEN.fullmatch(cell) and not _PLAIN_NUMBER.fullmatch(cell)):
        return "'" + cell
    return cell


def decode_text(cell: str) -> str:
    """What `encode_text` was given."""
    if cell[:1] == "'":
        cell = cell[1:]
    return _ESCAPE.sub(_unescape, cell) if "\\" in cell else cell


def encode(annotation: Annotation) -> bytes:
    """The line of an annotation, with its line end."""
    cells = cells_of(annotation)
    line = ",".join(map(_quoted, cells)).encode()
    return b"%s,%s\n" % (line, row_check(line, cells).encode())


def cells_of(annotation: Annotation) -> list[str]:
    """The cells of an annotation, without its check and not yet quoted."""
    cells = []
    for name in COLUMNS:
        value = getattr(annotation, name)
        if name in _NUMBERS:
            cells.append("" if value is None else _number_text(value))
        else:
            cells.append(encode_text(value) if name in _TEXT else value)
    return cells


def row_check(line: bytes, cells: Sequence[str]) -> str:
    """What `row_check` holds for a line of these cells."""
    return f"c{zlib.crc32(line):08x}{''.join(map(_check_character, cells))}"


def _check_character(cell: str) -> str:
    return _ALPHABET[zlib.crc32(cell.encode("utf-8", "surrogatepass")) & 63]


def changed_columns(cells: Sequence[str], given: str) -> list[str]:
    """The columns whose cells do not fit a row's check; empty when it cannot be told."""
    now = row_check(b"", cells)[9:]
    if len(given) != 9 + len(now):
        return []
    pairs = zip(COLUMNS, now, given[9:], strict=True)
    return [name for name, character, was in pairs if character != was]


def is_whole(line: bytes) -> bool:
    """True for a line, without its end, exactly as `encode` wrote it."""
    body, comma, given = line.rpartition(b",")
    return bool(comma) and len(line) <= MAX_LINE and given[:9] == b"c%08x" % zlib.crc32(body)


def decode_lines(lines: Sequence[bytes]) -> list[Annotation | str]:
    """For each line that `is_whole`: the annotation, or what is wrong with it.

    A check can be forged, so the values are looked at all the same.
    """
    found: list[Annotation | str] = []
    for start in range(0, len(lines), _AT_ONCE):
        texts = (line.decode("utf-8", "replace") for line in lines[start : start + _AT_ONCE])
        # Each line for itself: a forged quote must not swallow those behind it.
        rows = [next(csv.reader([text])) if '"' in text else text.split(",") for text in texts]
        fine = _all_at_once(rows)
        found += [annotation_of(row[:-1]) for row in rows] if fine is None else fine
    return found


def _all_at_once(rows: Sequence[Sequence[str]]) -> list[Annotation] | None:
    """The annotations of rows that are all as they should be; None: look at them one by one.

    Column by column, which takes a third of the time.
    """
    if set(map(len, rows)) != {len(HEADER)}:
        return None
    columns: dict[str, Sequence[Any]] = dict(zip(HEADER, zip(*rows, strict=True), strict=True))
    try:
        for name in COLUMNS:
            cells = columns[name]
            if name in _NUMBERS:
                kind = int if name in INTEGERS else float
                columns[name] = [kind(cell) if cell else None for cell in cells]
            elif "'" in (text := "".join(cells)) or "\\" in text:
                columns[name] = list(map(decode_text, cells))
    except ValueError:
        return None
    if not all_fit(columns):
        return None
    made = [Annotation.__new__(Annotation) for _ in rows]
    # A frozen class's own way of setting fields, one call for all rows.
    for name in COLUMNS:
        deque(map(getattr(Annotation, name).__set__, made, columns[name]), maxlen=0)
    return made


def annotation_of(cells: Sequence[str]) -> Annotation | str:
    """The annotation in cells of the order of COLUMNS, or what is wrong with them."""
    if len(cells) != len(COLUMNS):
        return f"has {len(cells) + 1} cells instead of {len(HEADER)}"
    values: list[Any] = [
        decode_text(cell) if cell[:1] == "'" or "\\" in cell else cell for cell in cells
    ]
    try:
        for place in _INTEGER_PLACES:
            values[place] = int(values[place]) if values[place] else None
        for place in _FLOAT_PLACES:
            values[place] = float(values[place]) if values[place] else None
    except ValueError as error:
        return f"{COLUMNS[place]} is no number: {error}"
    annotation = Annotation(**dict(zip(COLUMNS, values, strict=False)))
    try:
        check(annotation)
    except InputError as error:
        return str(error)
    return annotation


def as_stored(cells: Sequence[str]) -> tuple[Annotation | None, str]:
    """The annotation in cells, the check the last of them, and what is wrong with them ("").

    Nothing is guessed: the cells have to be those that the check was made of.
    """
    plain, given = cells[:-1], cells[-1].strip()
    line = ",".join(map(_quoted, plain)).encode("utf-8", "surrogatepass")
    if given[:9] != f"c{zlib.crc32(line):08x}":
        named = ", ".join(
            f"{name} (now {_shown(plain, name)})" for name in changed_columns(plain, given)[:4]
        )
        return None, f"is not what was stored: {named or 'a cell was changed'}"
    found = annotation_of(plain)
    return (None, found) if isinstance(found, str) else (found, "")


def as_it_stands(cells: Sequence[str], *, decimal_comma: bool) -> tuple[Annotation | None, str]:
    """As `as_stored`, the check not asked: numbers may look as another program writes them."""
    plain = list(cells[:-1])
    try:
        for place in (*_INTEGER_PLACES, *_FLOAT_PLACES):
            plain[place] = _plain_number(plain[place], COLUMNS[place], decimal_comma)
    except ValueError as error:
        return None, str(error)
    found = annotation_of(plain)
    return (None, found) if isinstance(found, str) else (found, "")


def _plain_number(cell: str, name: str, decimal_comma: bool) -> str:
    text = cell.strip()
    if not text:
        return ""
    if decimal_comma:
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"{name} is no number: {cell[:40]!r}") from error
    return _number_text(int(number) if name in INTEGERS and number.is_integer() else number)


def _number_text(value: float) -> str:
    """A number as it is written: floats with 9 significant digits, whole ones without a point.

    Never with an exponent: LibreOffice shows, and saves, two digits after the point of those.
    """
    return str(value) if isinstance(value, int) else format(Decimal(format(value, ".9g")), "f")


def _shown(cells: Sequence[str], name: str) -> str:
    text = repr(cells[COLUMNS.index(name)])
    return text if len(text) <= 40 else text[:37] + "..."


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell


def _escape(match: re.Match[str]) -> str:
    found = match.group()
    return _SHORT.get(found) or f"\\u{ord(found):04x}"


def _unescape(match: re.Match[str]) -> str:
    code, short = match.groups()
    return chr(int(code, 16)) if code else _LONG[short]
