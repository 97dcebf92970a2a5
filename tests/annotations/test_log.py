"""The annotation file: durable, shared by processes, mended where it was damaged."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import adaclip
from adaclip.annotations import log
from adaclip.annotations.check import check_store
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import StoreError
from tests.annotations.samples import row


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return AnnotationStore(tmp_path / "labels")


ROOT = Path(adaclip.__file__).parent.parent


def outside(*arguments: object) -> dict:
    """The result of the program that forks writers."""
    command = [sys.executable, "-m", "tests.annotations.processes", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_stores_on_one_folder_see_each_others_rows(store):
    other = AnnotationStore(store.folder)
    before = other.revision
    first = store.add(row(1))
    assert other.current() == [first]
    assert other.revision > before
    assert other.revision == other.revision
    second = other.add(row(1, verdict="TN"))
    assert second.supersedes == first.event_id
    assert store.current() == [second]
    gone = store.retract(second.event_id, annotator="Ann")
    assert other.events() == [first, second, gone]


def test_threads_share_one_store(store):
    threads = [
        threading.Thread(target=lambda n=n: [store.add(row(f"{n} {i}")) for i in range(15)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.current()) == 60
    assert AnnotationStore(store.folder).events() == store.events()


def test_four_processes_of_250_rows_make_a_thousand(tmp_path):
    found = outside("append", tmp_path / "labels", 4, 250)
    assert found["codes"] == [0] * 4
    assert (found["events"], found["rows"]) == (1000, 1000)
    assert found["problems"] == found["findings"] == []


def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path):
    found = outside("kill", tmp_path / "labels", 25)
    assert found["lost"] == []
    assert found["problems"] == []
    assert found["acknowledged"] > 25
    # Masks whose row was not reached, and parts of rows, are of writers nobody heard from.
    assert set(found["findings"]) <= {"orphaned mask", "torn rows"}


def test_a_torn_tail_is_passed_over_then_mended_and_kept_aside(store):
    first = store.add(row(1))
    whole = store.path.read_bytes()
    for cut in (1, 40, 200):
        store.path.write_bytes(whole + whole[-cut - 1 : -1][: len(whole) // 3] + b'"half\xff')
        opened = AnnotationStore(store.folder)
        assert opened.current() == [first]
        second = opened.add(row(2))
        assert opened.current() == AnnotationStore(store.folder).current() == [first, second]
        assert b"half" not in store.path.read_bytes()
        assert opened.problems == ()
    assert (store.folder / "torn.txt").read_bytes().count(b"half") == 3


@pytest.mark.parametrize("cut", [1, 10, 600])
def test_a_header_cut_short_is_written_anew(tmp_path, cut):
    (tmp_path / "annotations.csv").write_bytes(log.HEADER_LINE[:cut])
    store = AnnotationStore(tmp_path)
    assert store.current() == []
    added = store.add(row(1))
    assert AnnotationStore(tmp_path).current() == [added]


def test_a_row_without_its_line_end_is_a_row(store):
    first = store.add(row(1))
    store.path.write_bytes(store.path.read_bytes().rstrip(b"\n"))
    opened = AnnotationStore(store.folder)
    second = opened.add(row(2))
    assert opened.events() == AnnotationStore(store.folder).events() == [first, second]
    assert not (store.folder / "torn.txt").exists()


def test_lines_that_make_no_sense_are_skipped_and_named(store):
    rows = [store.add(row(n)) for n in range(3)]
    lines = store.path.read_bytes().split(b"\n")
    lines[2:3] = [lines[2][:90], b"\0" * 400, b'"', b"x" * 200_000]
    store.path.write_bytes(b"\n".join(lines))
    opened = AnnotationStore(store.folder)
    assert opened.events() == [rows[0], rows[2]]
    assert [problem.split(" was")[0] for problem in opened.problems] == [
        "line 3",
        "line 4",
        "line 5",
        "line 6",
    ]
    kinds = {finding.kind for finding in check_store(opened).findings}
    assert kinds == {"file"}


def test_a_full_disk_leaves_the_file_and_the_store_as_they_were(store, monkeypatch):
    first = store.add(row(1))
    before = store.path.read_bytes()

    def half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log, "_write_all", half)
    with pytest.raises(StoreError, match="No space left"):
        store.add(row(2), mask=np.ones((12, 20), bool))
    monkeypatch.undo()
    assert store.path.read_bytes() == before
    assert store.current() == [first]
    assert list(store.folder.glob("masks/*")) == []
    second = store.add(row(2))
    assert AnnotationStore(store.folder).current() == [first, second]


def test_a_file_moved_away_is_begun_anew(store):
    store.add(row(1))
    store.path.rename(store.folder / "old.csv")
    assert store.current() == []
    added = store.add(row(2))
    assert AnnotationStore(store.folder).current() == [added]


def test_what_was_replaced_by_another_file_is_read_anew(store):
    store.add(row(1))
    other = AnnotationStore(store.folder.parent / "other")
    added = other.add(row(2))
    os.replace(other.path, store.path)
    assert store.current() == [added]


def test_duplicate_ids_are_named_and_count_once(store):
    first = store.add(row(1))
    line = store.path.read_bytes().split(b"\n")[1] + b"\n"
    forged = log.encode(dataclasses.replace(first, comment="other"))
    with store.path.open("ab") as file:
        file.write(line + forged)
    assert store.events() == [first]
    [problem] = store.problems
    assert "is there twice" in problem


def test_a_file_is_read_when_it_is_first_asked_for(store):
    first = store.add(row(1))
    waiting = AnnotationStore(store.folder, read=False)
    assert waiting._log.view.events == []
    second = waiting.add(row(1, verdict="TN"))
    assert second.supersedes == first.event_id
    assert waiting.current() == [second]


def test_a_damaged_file_is_refused_when_it_is_read_and_read_again_once_it_is_mended(store):
    first = store.add(row(1))
    good = store.path.read_bytes()
    store.path.write_bytes(good.replace(b"false_alarms", b"other_alarms"))
    waiting = AnnotationStore(store.folder, read=False)
    for _ in range(2):
        with pytest.raises(StoreError, match="saved by another program"):
            waiting.current()
    store.path.write_bytes(good)
    assert waiting.current() == [first]
