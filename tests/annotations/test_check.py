"""Checking an annotation folder, and tidying it up."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.annotations.check import check_store, compact_store
from adaclip.annotations.store import AnnotationStore
from tests.annotations.samples import digest, flag, picture, random_mask, row


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return AnnotationStore(tmp_path / "labels")


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
