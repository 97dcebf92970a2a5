"""A packed copy of the annotation file for each day, and never in the way of a row."""

from __future__ import annotations

import gzip
import os
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adaclip import cli
from adaclip.annotations import backups
from adaclip.annotations.backups import KEPT, copies, make_copy
from adaclip.annotations.check import check_store
from adaclip.annotations.imports import import_annotations
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import StoreError
from tests.annotations.samples import row

DAY = date(2026, 1, 31)


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return AnnotationStore(tmp_path / "labels")


@pytest.fixture
def daily(store) -> Path:
    return store.folder / "backups" / "daily"


def settle() -> None:
    """Wait for the threads that copy."""
    for thread in threading.enumerate():
        if thread.name == "annotation-copy":
            thread.join()


def test_the_first_row_of_a_day_makes_its_copy_and_the_next_ones_do_not(store, daily):
    first = store.add(row(1))
    settle()
    [copy] = copies(daily)
    assert copy.day == datetime.now(UTC).date()
    before = copy.path.read_bytes()
    assert gzip.decompress(before) == store.path.read_bytes()
    store.add(row(2))
    other = AnnotationStore(store.folder)
    other.add(row(3))
    settle()
    assert [each.path.read_bytes() for each in copies(daily)] == [before]
    assert first.ts_utc[:10] == copy.day.isoformat()


def test_a_copy_is_a_store_again(store, daily, tmp_path):
    rows = [store.add(row(number)) for number in range(3)]
    made = make_copy(store.path, tmp_path, DAY)
    assert made is not None
    fresh = AnnotationStore(tmp_path / "fresh")
    assert import_annotations(fresh, made).added == 3
    assert fresh.current() == rows
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "annotations.csv").write_bytes(gzip.decompress(made.read_bytes()))
    assert AnnotationStore(tmp_path / "again").events() == rows


def test_half_a_row_is_not_copied(store, tmp_path):
    store.add(row(1))
    whole = store.path.read_bytes()
    store.path.write_bytes(whole + b'"half')
    made = make_copy(store.path, tmp_path, DAY)
    assert made is not None
    assert gzip.decompress(made.read_bytes()) == whole


def test_the_newest_copies_are_kept_and_what_a_killed_writer_left_goes(store, tmp_path):
    store.add(row(1))
    folder = tmp_path / "daily"
    folder.mkdir()
    stray, young = folder / ".0123.tmp", folder / ".4567.tmp"
    for path in (stray, young, folder / "annotations-2026-99-99.csv.gz", folder / "mine.txt"):
        path.write_bytes(b"")
    os.utime(stray, (0, 0))
    for number in range(KEPT + 3):
        make_copy(store.path, folder, DAY + timedelta(days=number))
    days = [copy.day for copy in copies(folder)]
    assert days == [DAY + timedelta(days=number) for number in range(3, KEPT + 3)]
    assert not stray.exists()
    assert young.exists()
    assert (folder / "mine.txt").exists()
    assert make_copy(store.path, folder, DAY + timedelta(days=5)) is None


def test_a_copy_that_cannot_be_made_keeps_no_row_from_being_stored(store, capsys, caplog):
    (store.folder / "backups").write_text("a file, not a folder")
    added = store.add(row(1))
    settle()
    assert AnnotationStore(store.folder).current() == [added]
    assert "no daily copy of the annotations was made" in caplog.text
    [finding] = check_store(store).findings
    assert (finding.kind, finding.where) == ("daily copy", "daily")
    assert "cannot write" in finding.detail
    assert cli.main(["annotations", "check", "--annotations", str(store.folder)]) == 1
    assert "daily copy: daily: no daily copy can be made" in capsys.readouterr().out


def test_a_full_disk_leaves_no_half_copy(store, tmp_path, monkeypatch):
    store.add(row(1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("adaclip.storage.atomic.os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        make_copy(store.path, tmp_path / "daily", DAY)
    assert list((tmp_path / "daily").iterdir()) == []


def test_a_copy_is_tried_again_in_the_next_hour(store, daily, monkeypatch):
    (store.folder / "backups").write_text("")
    store.add(row(1))
    settle()
    (store.folder / "backups").unlink()
    store.add(row(2))
    settle()
    assert copies(daily) == []

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr(backups, "datetime", Later)
    store.add(row(3))
    settle()
    assert len(copies(daily)) == 1


def test_check_counts_copies_and_names_damaged_and_old_ones(store, daily, capsys):
    store.add(row(1))
    settle()
    place = ["annotations", "check", "--annotations", str(store.folder)]
    assert cli.main(place) == 0
    today = datetime.now(UTC).date().isoformat()
    assert f"1 daily copy in backups/daily, the newest of {today}" in capsys.readouterr().out
    [copy] = copies(daily)
    packed = copy.path.read_bytes()
    copy.path.write_bytes(packed[:-40])
    (daily / "annotations-2026-01-01.csv.gz").write_bytes(gzip.compress(b"hello"))
    said = {f.where: f.detail for f in check_store(store).findings}
    assert set(said) == {copy.path.name, "annotations-2026-01-01.csv.gz"}
    assert all("cannot be restored" in detail for detail in said.values())
    copy.path.unlink()
    (daily / "annotations-2026-01-01.csv.gz").write_bytes(packed)
    [finding] = check_store(store).findings
    assert f"but rows go on to {today}" in finding.detail
