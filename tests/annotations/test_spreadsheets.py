"""What real spreadsheets do to the annotation file, as LibreOffice 7.4 was seen to do it.

Opened and saved with `soffice --headless --convert-to csv`, with filters of many kinds. The forms
are written here again, so that no test needs LibreOffice.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from adaclip.annotations import csv_rows
from adaclip.annotations.check import check_store
from adaclip.annotations.csv_rows import FLOATS, HEADER, INTEGERS, encode_text
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import StoreError
from tests.annotations.samples import FORMULAS, PIECES, digest, row

TEXTS = [*FORMULAS, *PIECES, "007", "1e5", "12345678901234567890", "WAHR", "1. Mai", "é €", "日本"]
# As written, as LibreOffice saved it.
NUMBERS = {
    "0.00000000000663148274": "6.63148274E-12",
    "-0.00000000523237157": "-5.23237157E-09",
    "0.0000000852815306": "0.0000000852815306",
    "-0.000157628294": "-0.000157628294",
    "0.878974513": "0.878974513",
    "-92.8988801": "-92.8988801",
}
_NUMBERS = {HEADER.index(name) for name in (*INTEGERS, *FLOATS)}


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    store = AnnotationStore(tmp_path / "labels")
    for number, text in enumerate(TEXTS):
        store.add(row(number, comment=text, class_name=text.strip() or "nut"))
    for number, text in enumerate(NUMBERS):
        store.add(row(f"n{number}", image_margin=float(text), lead_time_ms=1 << 40))
    return store


def saved(
    store: AnnotationStore, change: Callable[[str], str] = str, *, separator: str = ","
) -> str:
    """The file as LibreOffice saves it: texts quoted and changed, numbers not."""
    lines = []
    for cells in csv.reader(io.StringIO(store.path.read_text("utf-8"), newline="")):
        texts = [
            NUMBERS.get(cell, cell)
            if place in _NUMBERS
            else f'"{change(cell).replace(chr(34), chr(34) * 2)}"'
            if cell
            else ""
            for place, cell in enumerate(cells)
        ]
        lines.append(separator.join(texts) + "\n")
    header = separator.join(f'"{name}"' for name in HEADER) + "\n"
    return "".join([header, *lines[1:]])


def misread(text: str, holes: int) -> str:
    """UTF-8 taken for Windows' Western code page, which has five holes."""
    return "".join(
        chr(holes + byte) if byte in b"\x81\x8d\x8f\x90\x9d" else bytes([byte]).decode("cp1252")
        for byte in text.encode()
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_libreoffice_saves_is_the_same_rows(store, separator, encoding):
    before = store.events()
    store.path.write_bytes(saved(store, separator=separator).encode(encoding))
    opened = AnnotationStore(store.folder)
    assert opened.events() == before
    assert [finding.kind for finding in check_store(opened).findings] == ["file"]
    added = opened.add(row("next"))
    assert AnnotationStore(store.folder).events() == [*before, added]
    assert opened.problems == ()


def test_numbers_have_no_exponent_which_would_be_cut_to_two_digits(store):
    written = store.path.read_text("utf-8")
    for text in NUMBERS:
        assert f",{text}," in written


def test_an_exponent_of_an_earlier_version_is_taken_as_what_it_was(store, monkeypatch):
    monkeypatch.setattr(csv_rows, "_number_text", lambda value: format(value, ".9g"))
    earlier = AnnotationStore(store.folder.parent / "earlier")
    added = earlier.add(row(1, image_margin=-5.23237157e-09))
    monkeypatch.undo()
    assert AnnotationStore(earlier.folder).events() == [added]
    text = earlier.path.read_text("utf-8")
    earlier.path.write_text(text.replace(",-5.23237157e-09,", ',"-5.23237157E-09",'), "utf-8")
    assert AnnotationStore(earlier.folder).events() == [added]
    earlier.path.write_text(text.replace(",-5.23237157e-09,", ",-5.23E-09,"), "utf-8")
    with pytest.raises(StoreError, match=r"row 2 is not what was stored: image_margin \(now '-0.0"):
        AnnotationStore(earlier.folder)


@pytest.mark.parametrize("holes", [0, 0xF100])  # as Excel fills them, as LibreOffice does
def test_text_that_was_taken_for_western_is_read_as_what_it_is(store, holes):
    before = store.events()
    store.add(row("x", comment="Á à 鐃"))
    before = store.events()
    text = saved(store, lambda cell: misread(cell, holes))
    assert "Ã" in text
    store.path.write_text(text, "utf-8")
    assert AnnotationStore(store.folder).events() == before


def test_a_file_saved_in_a_western_code_page_loses_only_what_that_has_not(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    kept = [store.add(row(1, comment="é €")), store.add(row(2, comment="plain"))]
    store.path.write_bytes(saved(store, separator=";").encode("cp1252"))
    opened = AnnotationStore(store.folder)
    assert opened.events() == kept
    opened.add(row(3, comment="日本 é"))
    store.path.write_bytes(saved(store).encode("cp1252", "replace"))
    with pytest.raises(
        StoreError, match=r"is: row 4 is not what was stored: comment \(now '\?\? é'"
    ):
        AnnotationStore(store.folder)


def test_apostrophes_that_a_spreadsheet_took_for_its_own_are_put_back(store):
    before = store.events()
    store.path.write_text(saved(store, lambda cell: cell.removeprefix("'")), "utf-8")
    assert AnnotationStore(store.folder).events() == before


def test_words_that_become_truth_values_are_put_back(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    rows = [store.add(row(n, comment=text)) for n, text in enumerate(("true", "False", "TRUE"))]
    store.path.write_text(saved(store, lambda c: c[1:].upper() if c[0] == "'" else c), "utf-8")
    assert AnnotationStore(store.folder).events() == rows


@pytest.mark.parametrize(
    "text",
    ["WAHR", "falsch", "vrai", "1. Mai", "12. März 2026", "3-Okt", "2 déc. 2026", "May 5, 2026"],
)
def test_what_is_no_text_in_other_languages_is_marked_as_text(text):
    assert encode_text(text) == "'" + text


@pytest.mark.parametrize("hash_", ["1" * 64, "0" * 10 + "e" + "7" * 53])
def test_a_hash_that_looks_like_a_number_is_marked_as_text(store, hash_):
    added = store.add(row("h", pixel_sha256=hash_, image_sha256=hash_, checkpoint_sha256=hash_))
    assert store.path.read_text("utf-8").count(f",'{hash_}") == 3
    assert AnnotationStore(store.folder).events()[-1] == added
    assert f",{digest('lite')}," in store.path.read_text("utf-8")
