"""The annotation store: durable, folded, shared by processes, and refusing what it must."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adaclip
from adaclip.annotation import COLUMNS
from adaclip.data.images import pixel_sha256
from adaclip.errors import InputError, StoreError
from adaclip.stores import annotation_log, annotations, file_systems
from adaclip.stores.annotation_check import check_store, compact_store
from adaclip.stores.annotations import Annotation, AnnotationStore
from tests.stores.annotation_samples import digest, flag, picture, random_mask, row

ROOT = Path(adaclip.__file__).parent.parent


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return AnnotationStore(tmp_path / "labels")


def outside(*arguments: object) -> dict:
    """The result of the program that forks writers."""
    command = [sys.executable, "-m", "tests.stores.annotation_processes", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


# --- what is stored ---------------------------------------------------------------------------


def test_what_is_added_is_what_is_read_by_another_process(store):
    mask = random_mask(np.random.default_rng(0))
    given = row(1, comment="=1+1\n\u202e \x00 \ud800", lead_time_ms=812, reason_code="edge")
    added = store.add(given, mask=mask)
    assert re.fullmatch(r"e[0-9a-f]{24}", added.event_id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", added.ts_utc)
    assert added.region_path == f"masks/{added.pixel_sha256[:16]}_{added.event_id}.png"
    assert added.region_area_px == mask.sum()
    assert added.comment == given.comment
    again = AnnotationStore(store.folder)
    assert again.current() == [added]
    assert (again.mask(added) == mask).all()
    assert again.get(added.event_id) == added
    assert again.for_image(added.pixel_sha256) == [added]
    assert again.problems == ()


def test_the_file_is_utf_8_with_a_header_and_line_feeds(store):
    assert not store.path.exists()
    store.add(row(1, annotator="Zoë"))
    lines = store.path.read_bytes().decode("utf-8").split("\n")
    assert lines[0].split(",")[: len(COLUMNS)] == list(COLUMNS)
    assert (len(lines), lines[2]) == (3, "")
    assert "\r" not in lines[1]


def test_floats_come_back_as_they_were_returned(store):
    values = {"image_score": 1 / 3, "image_margin": np.float32(-7.1), "map_threshold": 1e-12}
    added = store.add(row(1, **values))
    assert added.image_score == 0.333333333
    assert np.float32(added.image_margin) == np.float32(-7.1)
    assert AnnotationStore(store.folder).current() == [added]


def test_names_are_tidied_but_comments_and_paths_are_kept(store):
    added = store.add(
        row(1, annotator=" Jose\u0301\u202e \n K ", comment=" a\n", rel_path="e\u0301 .png")
    )
    assert added.annotator == "Jos\u00e9 K"
    assert (added.comment, added.rel_path) == (" a\n", "e\u0301 .png")


def test_empty_and_full_regions_are_regions(store):
    for value in (False, True):
        added = store.add(row(value), mask=np.full((12, 20), value))
        assert added.region_kind == "mask"
        assert added.region_area_px == 240 * value
        assert (AnnotationStore(store.folder).mask(added) == value).all()
    assert store.mask(store.add(row("none"))) is None


def test_300_regions_come_back_from_a_store(store):
    # On disk in earnest 300 times would take its time; what is tested is the names and rows.
    rng = np.random.default_rng(1)
    masks = [random_mask(rng) for _ in range(300)]
    events = []
    for number, mask in enumerate(masks):
        labelled = annotations._labelled(row(number))
        event = annotations._with_region(labelled, mask)
        events.append(dataclasses.replace(event, ts_utc="2026-01-01T00:00:00.000000Z"))
    store.add_events(events, {e.event_id: m for e, m in zip(events, masks, strict=True)})
    again = AnnotationStore(store.folder)
    for event, mask in zip(again.current(), masks, strict=True):
        assert (again.mask(event) == mask).all()
        (store.folder / event.region_path).unlink()
        assert (again.mask(event) == mask).all()  # from its run lengths


def test_a_region_of_very_many_runs_is_in_its_file_alone(store):
    mask = np.random.default_rng(0).random((400, 400)) < 0.5
    added = store.add(row(1, width=400, height=400), mask=mask)
    assert added.region_rle == ""
    assert (store.mask(added) == mask).all()
    (store.folder / added.region_path).unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        store.mask(added)


def test_images_are_kept_once_by_their_pixels_and_hold_nothing_else(store):
    pixels = picture(1)
    first = flag(store, 1)
    flag(store, 1, annotator="Bob")
    kept = list((store.folder / "images").rglob("*.png"))
    name = pixel_sha256(pixels)
    assert kept == [store.folder / "images" / name[:2] / f"{name}.png"]
    with Image.open(kept[0]) as file:
        assert not file.info
        assert not file.getexif()
    assert (store.image(first.pixel_sha256) == pixels).all()
    assert store.has_image(name)
    other = flag(store, 2, keep=False)
    assert not store.has_image(other.pixel_sha256)
    assert store.image(other.pixel_sha256) is None


# --- the view ---------------------------------------------------------------------------------


def test_the_same_persons_next_verdict_takes_the_place_of_the_last(store):
    first = store.add(row(1))
    other = store.add(row(1, annotator="Bob"))
    elsewhere = store.add(row(1, checkpoint_id="pretrained_all"))
    second = store.add(row(1, verdict="TP"))
    assert second.supersedes == first.event_id
    assert store.current() == [other, elsewhere, second]
    assert store.events() == [first, other, elsewhere, second]
    assert store.for_image(digest(1)) == [other, elsewhere, second]


def test_an_edited_row_is_a_new_event_without_the_old_region(store):
    first = store.add(row(1), mask=np.ones((12, 20), bool))
    edited = store.add(dataclasses.replace(first, comment="wrong print"))
    assert edited.event_id != first.event_id
    assert edited.supersedes == first.event_id
    assert (edited.region_kind, edited.region_path) == ("none", "")
    assert store.current() == [edited]


def test_retracting_appends_and_ends_the_chain(store):
    first = store.add(row(1))
    second = store.add(row(1, verdict="TP"))
    gone = store.retract(second.event_id, annotator="Bob")
    assert (gone.action, gone.supersedes, gone.annotator) == ("retract", second.event_id, "Bob")
    assert store.current() == []
    assert len(store.events()) == 3
    for event_id in (first.event_id, second.event_id, gone.event_id, "e0123456789", "../x", ""):
        with pytest.raises(InputError, match="not there any more"):
            store.retract(event_id, annotator="Ann")
    assert AnnotationStore(store.folder).current() == []


def test_undo_walks_back_one_step_at_a_time(store):
    mask = random_mask(np.random.default_rng(0))
    first = store.add(row(1, lead_time_ms=10), mask=mask)
    store.add(row(1, verdict="TP", lead_time_ms=20))
    third = store.add(row(1, verdict="unsure", lead_time_ms=30))
    back = store.undo(third.event_id, annotator="Ann")
    assert back.verdict == "TP"
    back = store.undo(back.event_id, annotator="Ann")
    assert back.verdict == "FP"
    assert (store.mask(back) == mask).all()
    assert back.region_path == first.region_path
    assert store.undo(back.event_id, annotator="Ann").action == "retract"
    assert store.current() == []
    assert AnnotationStore(store.folder).events() == store.events()
    assert check_store(store).fine


def test_two_pages_with_the_same_picture_are_told_apart(store):
    first = store.add(row(1), seen="")
    with pytest.raises(InputError, match="another page"):
        store.add(row(1, verdict="TP"), mask=np.ones((12, 20), bool), seen="")
    second = store.add(row(1, verdict="TN"), seen=first.event_id)
    assert store.current() == [second]
    assert list(store.folder.glob("masks/*")) == []  # the refused region is gone


def test_rows_sorted_by_time_are_in_order(store):
    rows = [store.add(row(n)) for n in range(30)]
    times = [r.ts_utc for r in rows]
    assert times == sorted(set(times))


# --- several writers --------------------------------------------------------------------------


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


# --- damage -----------------------------------------------------------------------------------


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
    (tmp_path / "annotations.csv").write_bytes(annotation_log.HEADER_LINE[:cut])
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

    monkeypatch.setattr(annotation_log, "_write_all", half)
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
    forged = annotation_log.encode(dataclasses.replace(first, comment="other"))
    with store.path.open("ab") as file:
        file.write(line + forged)
    assert store.events() == [first]
    [problem] = store.problems
    assert "is there twice" in problem


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"comment": "x" * 10_000_000}, "10,000,000 characters; at most 2,000"),
        ({"annotator": "x" * 81}, "at most 80"),
        ({"annotator": " \u202e\n"}, "needs a name"),
        ({"class_name": "\u0301" * 100}, "at most 80"),
        ({"rel_path": "../x.png"}, "rel_path"),
        ({"rel_path": "a/../../x.png"}, "rel_path"),
        ({"rel_path": "/etc/passwd"}, "rel_path"),
        ({"rel_path": "a\\..\\x.png"}, "rel_path"),
        ({"rel_path": "C:/x.png"}, "rel_path"),
        ({"rel_path": "a\0.png"}, "rel_path"),
        ({"pixel_sha256": "../../x"}, "pixel_sha256"),
        ({"pixel_sha256": ""}, "pixel_sha256"),
        ({"image_sha256": "A" * 64}, "image_sha256"),
        ({"verdict": "wrong"}, "verdict"),
        ({"verdict": ""}, "FP, TP, FN, TN, unsure"),
        ({"reason_code": "<script>"}, "reason_code"),
        ({"predicted": "ok"}, "predicted"),
        ({"image_score": float("nan")}, "from 0 to 1"),
        ({"image_score": "high"}, "has to be a number"),
        ({"image_margin": float("inf")}, "finite"),
        ({"width": None}, "width"),
        ({"height": 1 << 40}, "height"),
        ({"lead_time_ms": -1}, "0 or more"),
        ({"comment": 3}, "has to be text"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name_and_leaves_nothing(store, changes, word):
    with pytest.raises(InputError, match=re.escape(word)) as refused:
        store.add(row(1, **changes), mask=np.ones((12, 20), bool))
    assert len(str(refused.value)) < 300
    assert not store.path.exists()
    assert list(store.folder.rglob("*.png")) == []


def test_regions_that_do_not_fit_are_refused(store):
    for mask in (np.ones((20, 12), bool), np.ones((12, 20, 3), bool), np.ones((12, 20)), "mask"):
        with pytest.raises(InputError, match=r"do not belong together|array of True"):
            store.add(row(1), mask=mask)
    assert not store.path.exists()


def test_a_picture_that_is_not_the_judged_one_is_not_kept(store):
    with pytest.raises(InputError, match="another hash"):
        store.add(row(1), image=picture(3))
    assert list(store.folder.rglob("*.png")) == []
    assert not store.path.exists()


def test_ids_and_hashes_lead_nowhere(store):
    (store.folder / "secret.png").write_bytes(b"x")
    for text in ("../secret", "", "a" * 63 + "/", "..", digest(1).upper()):
        assert not store.has_image(text)
        assert store.image(text) is None
        assert store.get(text) is None
        assert store.for_image(text) == []
    bad = dataclasses.replace(
        store.add(row(1)), region_kind="mask", region_path="../secret.png", region_area_px=1
    )
    with pytest.raises(InputError, match="region_path"):
        store.mask(bad)


def test_a_file_of_another_kind_is_refused_with_a_way_out(tmp_path):
    for text in ("a,b,c\n1,2,3\n", "hello", "event_id,ts_utc\n", "\x89PNG\r\n\x1a\n\0\0"):
        file = tmp_path / "annotations.csv"
        file.write_bytes(text.encode("latin-1"))
        with pytest.raises(StoreError, match="move it away") as refused:
            AnnotationStore(tmp_path)
        assert str(file) in str(refused.value)
        assert file.read_bytes() == text.encode("latin-1")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the folder"):
        AnnotationStore(tmp_path / "file" / "labels")
    with pytest.raises(StoreError, match="no such folder"):
        AnnotationStore(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


# --- file systems -----------------------------------------------------------------------------


def test_the_file_system_of_a_folder_is_the_innermost_mount(tmp_path, monkeypatch):
    inner = tmp_path / "net work"
    inner.mkdir()
    table = f"/dev/a / ext4 rw 0 0\nsrv:/x {str(inner).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n"
    (tmp_path / "mounts").write_text(table)
    monkeypatch.setattr(file_systems, "MOUNTS", tmp_path / "mounts")
    assert file_systems.file_system(tmp_path) == "ext4"
    assert file_systems.file_system(inner / "labels") == "nfs4"
    assert [file_systems.is_trusted(kind) for kind in ("ext4", "btrfs", "overlay", None)] == (
        [True] * 4
    )
    untrusted = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuseblk", "9p")
    assert [k for k in untrusted if file_systems.is_trusted(k)] == ["fuseblk"]  # a local NTFS


def test_locks_that_cannot_be_trusted_are_warned_of_or_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(annotations, "file_system", lambda folder: "nfs4")
    store = AnnotationStore(tmp_path)
    assert "kind nfs4" in store.problems[0]
    assert store.add(row(1)) in store.current()
    monkeypatch.setenv(annotations.STRICT, "1")
    with pytest.raises(StoreError, match="kind nfs4"):
        AnnotationStore(tmp_path)


def test_locks_without_effect_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(annotations, "locks_hold", lambda folder: False)
    with pytest.raises(StoreError, match="locks have no effect"):
        AnnotationStore(tmp_path)


def test_a_lock_that_is_held_for_long_is_named(store, monkeypatch):
    monkeypatch.setattr(store._log._lock, "timeout", 0.05)
    with (
        annotation_log.filelock.FileLock(store.folder / annotation_log.LOCK_NAME),
        pytest.raises(StoreError, match="held its lock"),
    ):
        store.add(row(1))
    assert store.add(row(1)) in store.current()


# --- tidying up -------------------------------------------------------------------------------


def test_compacting_keeps_the_view_and_the_old_file(store):
    kept = store.add(row(1), mask=np.ones((12, 20), bool))
    gone = store.add(row(2), mask=np.ones((12, 20), bool))
    store.retract(gone.event_id, annotator="Ann")
    before = store.path.read_bytes()
    other = AnnotationStore(store.folder)
    done = compact_store(store)
    assert (done.rows_removed, done.rows_kept, done.files_moved) == (2, 1, 1)
    assert done.backup.read_bytes() == before
    assert store.current() == store.events() == other.events() == [kept]
    assert (store.mask(kept)).all()
    assert len(list((store.folder / "backups").rglob("*.png"))) == 1
    assert check_store(store).fine
    assert other.add(row(3)) in store.current()


def test_compacting_leaves_files_of_rows_that_are_being_written(store):
    store.retract(flag(store, 1, region=True).event_id, annotator="Ann")
    store.add(row(2))
    young, old = store.folder / "masks" / "young.png", store.folder / "masks" / "old.png"
    for path in (young, old):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    done = compact_store(store)
    assert done.files_moved == 3  # the retracted row's mask and picture, and the old stray
    assert [path.name for path in (store.folder / "masks").iterdir()] == ["young.png"]
    assert not list((store.folder / "images").rglob("*.png"))
    names = sorted(path.name for path in (store.folder / "backups").rglob("*.png"))
    assert len(names) == 3


def test_check_names_every_problem(store):
    rows = [store.add(row(n), mask=random_mask(np.random.default_rng(n))) for n in range(3)]
    kept = flag(store, 5)
    assert check_store(store).fine
    (store.folder / rows[0].region_path).unlink()
    (store.folder / rows[1].region_path).write_bytes(
        (store.folder / rows[2].region_path).read_bytes()
    )
    (store.folder / "masks" / "stray.png").write_bytes(b"")
    image = store.folder / "images" / kept.pixel_sha256[:2] / f"{kept.pixel_sha256}.png"
    Image.fromarray(picture(6)).save(image)
    (image.parent / "stray.txt").write_text("")
    other = digest("x")
    (store.folder / "images" / other[:2]).mkdir(exist_ok=True)
    Image.fromarray(picture(7)).save(store.folder / "images" / other[:2] / f"{other}.png")
    (store.folder / "torn.txt").write_text("half")
    report = check_store(store)
    kinds = sorted(finding.kind for finding in report.findings)
    assert kinds == [
        "foreign file",
        "missing mask",
        "orphaned mask",
        "torn rows",
        "wrong mask",
        "wrong picture",
        "wrong picture",
    ]
    assert (report.events, report.current, report.retracted) == (4, 4, 0)
    assert report.verdicts == {"FP": 4}


def test_annotations_are_slotted_so_that_many_fit():
    assert not hasattr(Annotation(), "__dict__")
