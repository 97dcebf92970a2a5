"""What real spreadsheets do to the annotation file, as LibreOffice 7.4 was seen to do it.

Opened and saved with `soffice --headless --convert-to csv`. Nothing of it is undone: the store
refuses such a file, and an import takes its changed rows only when it is asked to.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from adaclip.annotations.backups import make_copy
from adaclip.annotations.check import check_store
from adaclip.annotations.csv_rows import FLOATS, HEADER, INTEGERS, encode_text
from adaclip.annotations.imports import import_annotations
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import StoreError
from tests.annotations.samples import FORMULAS, PIECES, digest, resaved, row

TEXTS = [*FORMULAS, *PIECES, "007", "1e5", "12345678901234567890", "WAHR", "1. Mai", "é €", "日本"]
# As written, as LibreOffice saved it.
NUMBERS = {
    "0.00000000000663148274": "6.63148274E-12",
    "-0.00000000523237157": "-5.23237157E-09",
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
    store: AnnotationStore, change: Callable[[str, str], str] = lambda name, cell: cell
) -> str:
    """The file as LibreOffice saves it: texts quoted, `change`d by column, numbers not."""
    lines = []
    for cells in csv.reader(io.StringIO(store.path.read_text("utf-8"), newline="")):
        texts = [
            NUMBERS.get(cell, cell)
            if place in _NUMBERS
            else f'"{change(HEADER[place], cell).replace(chr(34), chr(34) * 2)}"'
            if cell
            else ""
            for place, cell in enumerate(cells)
        ]
        lines.append(",".join(texts) + "\n")
    header = ",".join(f'"{name}"' for name in HEADER) + "\n"
    return "".join([header, *lines[1:]])


def verdict_of(verdict: str) -> Callable[[str, str], str]:
    return lambda name, cell: verdict if name == "verdict" else cell


@pytest.mark.parametrize("form", ["libreoffice", "excel", "semicolons", "utf-16", "cp1252", "sep"])
def test_a_file_that_a_spreadsheet_has_saved_is_refused_and_left_alone(store, form):
    data = {
        "libreoffice": lambda: saved(store).encode(),
        "excel": lambda: resaved(store.path),
        "semicolons": lambda: resaved(store.path, separator=";", comma=True),
        "utf-16": lambda: saved(store).encode("utf-16"),
        "cp1252": lambda: saved(store).encode("cp1252", "replace"),
        "sep": lambda: b"sep=,\n" + store.path.read_bytes(),
    }[form]()
    store.path.write_bytes(data)
    for use in (lambda: AnnotationStore(store.folder), store.current, lambda: store.add(row("z"))):
        with pytest.raises(StoreError, match="was saved by another program") as refused:
            use()
        assert str(store.path) in str(refused.value)
        assert "adaclip annotations import --accept-edits" in str(refused.value)
    assert store.path.read_bytes() == data


def test_the_refusal_names_the_changed_rows_and_the_newest_copy(store):
    make_copy(store.path, store.folder / "backups/daily", date(2026, 1, 31))
    store.path.write_text(saved(store, verdict_of("TN")), "utf-8")
    with pytest.raises(StoreError) as refused:
        AnnotationStore(store.folder)
    assert "row 2 is not what was stored: verdict (now 'TN')" in str(refused.value)
    assert "more" in str(refused.value)
    assert "annotations-" in str(refused.value)


def test_an_import_without_a_word_takes_what_is_exactly_as_it_was_stored(store, tmp_path):
    """Another separator, order of rows or encoding changes no cell."""
    lines = list(csv.reader(io.StringIO(store.path.read_text("utf-8"), newline="")))
    for number, (separator, encoding, first) in enumerate(
        ((";", "utf-8", ""), ("\t", "utf-16", ""), (",", "utf-8-sig", "sep=,\r\n"))
    ):
        text = io.StringIO()
        csv.writer(text, delimiter=separator).writerows([lines[0], *reversed(lines[1:])])
        (tmp_path / "in.csv").write_bytes((first + text.getvalue()).encode(encoding))
        fresh = AnnotationStore(tmp_path / f"fresh{number}")
        assert import_annotations(fresh, tmp_path / "in.csv").skipped == ()
        assert fresh.events() == store.events()


def test_edits_become_events_of_who_imports_them_and_what_was_said_stays(store, tmp_path):
    before = store.events()
    (tmp_path / "edited.csv").write_text(saved(store, verdict_of("TN")), "utf-8")
    with pytest.raises(StoreError, match="--accept-edits"):
        import_annotations(store, tmp_path / "edited.csv")
    assert store.events() == before
    done = import_annotations(store, tmp_path / "edited.csv", accept_edits="Bob")
    assert (done.added, done.edits, done.known) == (len(before), len(before), 0)
    assert {(a.annotator, a.verdict) for a in store.current()} == {("Bob", "TN")}
    assert store.events()[: len(before)] == before
    assert [a.supersedes for a in store.current()] == [a.event_id for a in before]
    again = import_annotations(store, tmp_path / "edited.csv", accept_edits="Bob")
    assert (again.added, again.known) == (0, len(before))


def test_numbers_in_another_form_are_no_edits_where_the_rows_are_here(store, tmp_path):
    before = store.events()
    (tmp_path / "saved.csv").write_text(saved(store), "utf-8")
    done = import_annotations(store, tmp_path / "saved.csv", accept_edits="Bob")
    assert (done.added, done.known) == (0, len(before))
    assert store.events() == before


def test_edits_that_cannot_be_read_are_refused_by_row_and_the_others_taken(store, tmp_path):
    text = saved(store, verdict_of("TN")).replace('"TN"', '"perhaps"', 1)
    (tmp_path / "edited.csv").write_text(text, "utf-8")
    fresh = AnnotationStore(tmp_path / "fresh")
    done = import_annotations(fresh, tmp_path / "edited.csv", accept_edits="Bob")
    assert done.added == len(store.events()) - 1
    [skipped] = done.skipped
    assert skipped.startswith("row 2 was skipped: annotation verdict is 'perhaps'")


def test_the_stores_own_file_is_taken_back_with_nothing_lost(tmp_path):
    """A spreadsheet held the file open while rows were added, then saved its older state."""
    store = AnnotationStore(tmp_path / "labels")
    old = [store.add(row(n)) for n in range(3)]
    region = store.add(row("r", verdict="TP"), mask=np.ones((12, 20), bool))
    text = saved(store, lambda name, c: "TN" if (name, c) == ("verdict", "FP") else c)
    late = store.add(row("late"))
    store.path.write_text(text, "utf-8")
    with pytest.raises(StoreError, match="saved by another program"):
        store.current()  # the process that knows the late row puts it aside
    with pytest.raises(StoreError, match="saved by another program"):
        store.current()
    assert len(list((store.folder / "backups").glob("known-*.csv"))) == 1
    waiting = AnnotationStore(store.folder, read=False)
    done = import_annotations(waiting, store.path, accept_edits="Bob")
    assert done.aside.read_text("utf-8") == text
    assert {late, region, *old} <= set(waiting.events())
    assert late in waiting.current()
    assert region in waiting.current()
    assert [(a.annotator, a.verdict) for a in waiting.current() if a.supersedes] == [
        ("Bob", "TN")
    ] * 3
    assert store.current() == waiting.current()  # the page goes on with the same rows
    assert check_store(waiting).fine


def test_numbers_have_no_exponent_which_would_be_cut_to_two_digits(store):
    written = store.path.read_text("utf-8")
    for text in NUMBERS:
        assert f",{text}," in written


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
