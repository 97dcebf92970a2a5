"""Files that a spreadsheet, an editor, or another version has had in its hands."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from adaclip.annotations.check import compact_store
from adaclip.annotations.csv_rows import HEADER, HEADER_LINE
from adaclip.annotations.imports import import_annotations
from adaclip.annotations.record import COLUMNS
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import StoreError
from tests.annotations.samples import PIECES, row


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    """Rows with everything a spreadsheet likes to rewrite."""
    store = AnnotationStore(tmp_path / "labels")
    for number, piece in enumerate(PIECES):
        store.add(row(number, comment=piece, class_name="01", image_margin=-1234.5678))
    first = store.add(row("x", image_score=0.5, lead_time_ms=1500))
    store.retract(store.add(row("y")).event_id, annotator="Ann")
    store.add(row("x", verdict="TN"))
    assert first.supersedes == ""
    return store


def cells_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))


def write_cells(path: Path, rows: list[list[str]], **dialect) -> bytes:
    text = io.StringIO()
    csv.writer(text, **{"lineterminator": "\n"} | dialect).writerows(rows)
    data = text.getvalue().encode()
    path.write_bytes(data)
    return data


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("image_score", "0.8"),
        ("class_name", "1"),
        ("image_score", "TRUE"),
        ("pixel_sha256", "1.23457E+45"),
        ("comment", "another"),
        ("ts_utc", "31.01.2026 12:00"),
        ("image_margin", "-1234.57"),
        ("verdict", "tp"),
    ],
)
def test_a_file_changed_with_loss_is_refused_by_name_and_left_alone(store, column, cell):
    head, *rows = cells_of(store.path)
    rows[3][COLUMNS.index(column)] = cell
    data = write_cells(store.path, [head, *rows], lineterminator="\r\n")
    with pytest.raises(StoreError) as refused:
        AnnotationStore(store.folder)
    message = str(refused.value)
    assert "row 5" in message
    assert column in message
    assert "--accept-edits" in message
    assert store.path.read_bytes() == data
    with pytest.raises(StoreError, match="saved by another program"):
        store.add(row("z"))  # nor does a store that was open write into it
    assert store.path.read_bytes() == data


def test_an_editors_change_of_one_line_is_refused_too(store):
    data = store.path.read_bytes().replace(b"\\\\u0041", b"\\\\u0042")
    assert data != store.path.read_bytes()
    store.path.write_bytes(data)
    with pytest.raises(StoreError, match=r"is not what was stored: comment"):
        AnnotationStore(store.folder)
    assert store.path.read_bytes() == data


def test_edits_are_taken_when_they_are_meant(store, tmp_path):
    head, *rows = cells_of(store.path)
    rows[3][COLUMNS.index("comment")] = "meant"
    rows[4][COLUMNS.index("verdict")] = "nonsense"
    write_cells(tmp_path / "edited.csv", [head, *rows])
    fresh = AnnotationStore(tmp_path / "fresh")
    with pytest.raises(StoreError, match="row 5"):
        import_annotations(fresh, tmp_path / "edited.csv")
    assert fresh.events() == []
    done = import_annotations(fresh, tmp_path / "edited.csv", accept_edits="Bob")
    assert (done.added, done.edits) == (len(rows) - 1, 1)
    assert len(done.skipped) == 1
    assert "verdict" in done.skipped[0]
    assert [(a.annotator, a.comment) for a in fresh.events()][-1] == ("Bob", "meant")


def test_an_older_file_is_read_and_brought_up_when_written_to(store):
    before = store.events()
    gone = ("row_check", "image_margin", "queue_policy")
    head, *rows = cells_of(store.path)
    kept = [place for place, name in enumerate(head) if name not in gone]
    for cells in rows:
        cells[0] = "fp-labels/1"
    write_cells(store.path, [[cells[place] for place in kept] for cells in [head, *rows]])
    opened = AnnotationStore(store.folder)
    assert [a.event_id for a in opened.events()] == [a.event_id for a in before]
    assert {a.image_margin for a in opened.events()} == {None}
    assert "columns that are not in the file are empty: image_margin" in opened.problems[0]
    added = opened.add(row("new", image_margin=2.0))
    assert AnnotationStore(store.folder).events()[-1] == added
    assert store.path.read_bytes().startswith(HEADER_LINE)
    assert len(list((store.folder / "backups").glob("*.csv"))) == 1


def test_a_newer_file_is_read_but_not_written_to_until_it_is_compacted(store):
    before, view = store.events(), store.current()
    head, *rows = cells_of(store.path)
    write_cells(store.path, [[*head, "mood"], *([*cells, "good"] for cells in rows)])
    data = store.path.read_bytes()
    opened = AnnotationStore(store.folder)
    assert opened.events() == before
    assert "does not know were passed over: mood" in opened.problems[0]
    with pytest.raises(StoreError, match="newer version"):
        opened.add(row("new"))
    assert store.path.read_bytes() == data
    done = compact_store(opened)
    assert done.backup.read_bytes() == data
    assert opened.current() == view
    assert opened.add(row("new")) in AnnotationStore(store.folder).current()


def test_columns_in_another_order_are_found_by_name(store, tmp_path):
    rows = cells_of(store.path)
    write_cells(tmp_path / "in.csv", [cells[::-1] for cells in rows])
    fresh = AnnotationStore(tmp_path / "fresh")
    import_annotations(fresh, tmp_path / "in.csv")
    assert fresh.events() == store.events()


def test_a_header_that_names_a_column_twice_is_refused(tmp_path):
    (tmp_path / "annotations.csv").write_text(",".join([*HEADER, "verdict"]) + "\n")
    with pytest.raises(StoreError, match="names verdict twice"):
        AnnotationStore(tmp_path)
