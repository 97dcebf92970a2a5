"""What the annotation store refuses, and says why."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from adaclip.annotations import locks
from adaclip.annotations.csv_rows import encode
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import InputError, StoreError
from adaclip.storage import file_systems
from tests.annotations.samples import digest, picture, row


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return AnnotationStore(tmp_path / "labels")


HOSTILE: list[tuple[dict, str]] = [
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
]


@pytest.mark.parametrize(("changes", "word"), HOSTILE)
def test_what_cannot_be_stored_is_refused_by_name_and_leaves_nothing(store, changes, word):
    with pytest.raises(InputError, match=re.escape(word)) as refused:
        store.add(row(1, **changes), mask=np.ones((12, 20), bool))
    assert len(str(refused.value)) < 300
    assert not store.path.exists()
    assert list(store.folder.rglob("*.png")) == []


# What only texts of a file can hold, and no tidying takes off; longer lines are refused as such.
FORGED = [
    each
    for each in HOSTILE
    if not {"annotator", "class_name", "comment"} & set(each[0]) and "number" not in each[1]
]
FORGED += [({"ts_utc": f"2026-{day}T00:00:00Z"}, "ts_utc") for day in ("02-30", "19-01", "1-1")]
FORGED += [({"comment": "x" * 2001}, "at most 2,000"), ({"region_kind": "mask"}, "region_kind")]
FORGED += [({"region_kind": "mask", "region_path": "masks/../x.png"}, "region_path")]


@pytest.mark.parametrize(("changes", "word"), FORGED)
def test_a_forged_row_among_many_is_held_to_the_same_rules(store, changes, word):
    rows = [store.add(row(number)) for number in range(3)]
    forged = dataclasses.replace(rows[1], event_id="eforged00", **changes)
    store.path.write_bytes(store.path.read_bytes() + encode(forged))
    opened = AnnotationStore(store.folder)
    assert opened.events() == rows
    [problem] = opened.problems
    assert problem.startswith("line 5 was skipped")
    assert word in problem


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
    monkeypatch.setattr(locks, "file_system", lambda folder: "nfs4")
    store = AnnotationStore(tmp_path)
    assert "kind nfs4" in store.problems[0]
    assert store.add(row(1)) in store.current()
    monkeypatch.setenv(locks.STRICT, "1")
    with pytest.raises(StoreError, match="kind nfs4"):
        AnnotationStore(tmp_path)


def test_locks_without_effect_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "locks_hold", lambda folder: False)
    with pytest.raises(StoreError, match="locks have no effect"):
        AnnotationStore(tmp_path)


def test_a_lock_that_is_held_for_long_is_named(store, monkeypatch):
    monkeypatch.setattr(store._log._lock, "timeout", 0.05)
    with (
        locks.filelock.FileLock(store.folder / locks.LOCK_NAME),
        pytest.raises(StoreError, match="held its lock"),
    ):
        store.add(row(1))
    assert store.add(row(1)) in store.current()
