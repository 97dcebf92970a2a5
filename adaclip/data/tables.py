"""Tables that people hand over: CSV of any separator and encoding, read one way everywhere.

The separator (comma, semicolon, tab or bar) is found from the header, or from a first line
`sep=;`. UTF-8 with or without a mark, UTF-16 and, failing these, Windows' Western code page are
read. Column names count without case; empty lines are passed over.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from adaclip.data.normal_names import is_normal_name, words_of
from adaclip.errors import DatasetError
from adaclip.text import printable

_SEPARATORS = ",;\t|"
_SEP_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
# "True" of a column that calls an image anomalous, and "false", as spreadsheets of these write:
# English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech, Hungarian, Turkish,
# Russian, the Nordic ones, Chinese, Japanese, Korean.
_TRUE = words_of(
    """
    true yes y t x wahr ja j vrai oui verdadero sí si vero verdadeiro sim waar prawda tak
    pravda ano áno igaz igen doğru evet истина да sand sant sann tosi kyllä 真 是 はい 참 예 anomaly
    anomalous anomalie anomal
    """
)
_FALSE = words_of(
    """
    false no n f falsch nein faux non falso não nao onwaar nee fałsz nie nepravda ne hamis nem
    yanlış hayır hayir ложь нет falsk nej nei epätosi ei 假 否 偽 いいえ 거짓 아니요
    """  # noqa: RUF001
)
_DEFECTIVE = words_of(
    """
    defect defective bad nok ng nio fail failed reject rejected abnormal fehler defekt
    """
)


def read_rows(
    data: bytes, name: str, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of a table with a header, every cell stripped, by lower-case column name.

    Lines count from 1 as an editor shows them. Raises DatasetError, which begins with `name` and
    says which of `columns` lacks.
    """
    text = decode(data, name)
    first = 1
    separator = None
    if (match := _SEP_LINE.match(text)) is not None:
        separator, text, first = match[1], text[match.end() :], 2
    text, skipped = _without_empty_start(text)
    first += skipped
    head = text.split("\n", 1)[0]
    if separator is None:
        separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        header = [_column(cell) for cell in next(reader, [])]
        missing = [column for column in columns if column not in header]
        if missing:
            raise DatasetError(
                f"{name}: has no column {', '.join(missing)}; its first line must name "
                f"{', '.join(columns)}, and names {printable(', '.join(header))[:200] or 'nothing'}"
            )
        twice = [column for column in columns if header.count(column) > 1]
        if twice:
            raise DatasetError(f"{name}: names the column {twice[0]} twice; leave one out")
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells[len(header) :]):
                raise DatasetError(
                    f"{name}, line {first + reader.line_num - 1}: has more cells than the first "
                    'line names; put a cell that holds the separator into quotes: "a, b.png"'
                )
            if any(cells):
                padded = cells + [""] * (len(header) - len(cells))
                yield first + reader.line_num - 1, dict(zip(header, padded, strict=False))
    except csv.Error as error:
        raise DatasetError(f"{name}: is no proper CSV ({error}); save it again") from error


def decode(data: bytes, name: str) -> str:
    """The text of a table in whichever encoding. Raises DatasetError."""
    utf_16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    guess = "utf-16" if utf_16 else _utf_16_without_mark(data) or "utf-8-sig"
    try:
        text = data.decode(guess)
    except UnicodeDecodeError as error:
        if guess != "utf-8-sig":
            raise DatasetError(
                f"{name}: cannot be read: {error}; save it again as CSV in UTF-8"
            ) from error
        text = data.decode("cp1252", "replace")
    if "\0" in text:
        raise DatasetError(f"{name}: is no text; save it as CSV in UTF-8")
    return text.lstrip("\ufeff")


def truth(text: str, where: str) -> bool:
    """Whether a table calls an image anomalous. Raises DatasetError.

    Takes 0 and 1, also as 0.0 or "1,0", true and false or yes and no in a dozen languages, and
    words for normal (`adaclip.data.normal_names`) and for defective.
    """
    word = " ".join(text.casefold().split()).replace("i\u0307", "i")
    number = re.fullmatch(r"([01])(?:[.,]0*)?", word)
    if number:
        return number[1] == "1"
    if word in _TRUE or re.sub(r"[\W_]", "", word) in _DEFECTIVE:
        return True
    if word in _FALSE or is_normal_name(text):
        return False
    raise DatasetError(
        f"{where}: {printable(text)!r} says neither normal nor anomalous; write 0 or 1"
    )


def read_file(path: Path) -> bytes:
    """The bytes of a table. Raises DatasetError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{printable(str(path))}: cannot be read: {error.strerror or error}; it comes with the "
            "dataset"
        ) from error


def _column(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", cell.strip().casefold())


def _without_empty_start(text: str) -> tuple[str, int]:
    lines = text.splitlines(keepends=True)
    skipped = 0
    while skipped < len(lines) and not lines[skipped].strip(" \t\r\n,;|"):
        skipped += 1
    return "".join(lines[skipped:]), skipped


def _utf_16_without_mark(data: bytes) -> str | None:
    """UTF-16 of mostly Latin letters has a zero in every other byte."""
    sample = data[:400]
    if len(sample) < 8 or b"\0" not in sample:
        return None
    odd, even = sample[1::2].count(0), sample[::2].count(0)
    share = len(sample) / 2 * 0.8
    return "utf-16-le" if odd > share else "utf-16-be" if even > share else None
