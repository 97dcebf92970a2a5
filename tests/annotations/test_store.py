"""The annotation store: what is stored, and what holds of it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.annotations import rows
from adaclip.annotations.check import check_store
from adaclip.annotations.record import COLUMNS
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.data.images import pixel_sha256
from adaclip.errors import InputError, StoreError
from tests.annotations.samples import digest, flag, picture, random_mask, row


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return AnnotationStore(tmp_path / "labels")


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
        labelled = rows.labelled(row(number))
        event = rows.with_region(labelled, mask)
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


def test_annotations_are_slotted_so_that_many_fit():
    assert not hasattr(Annotation(), "__dict__")


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


def test_an_undo_by_somebody_else_says_who_did_it(store):
    first = store.add(row(1, annotator="Ann", verdict="FP"))
    second = store.add(row(1, annotator="Ann", verdict="TP"))
    restored = store.undo(second.event_id, annotator="Bob")
    assert (restored.verdict, restored.annotator) == ("FP", "Ann")
    assert store.current() == [restored]
    [by_bob] = [event for event in store.events() if event.annotator == "Bob"]
    assert (by_bob.action, by_bob.supersedes) == ("retract", second.event_id)
    assert AnnotationStore(store.folder).current() == [restored]
    gone = store.undo(restored.event_id, annotator="Cid")
    assert (gone.action, gone.annotator) == ("retract", "Cid")
    assert store.current() == []
    assert store.events()[0] == first


def test_an_undo_of_ones_own_adds_one_row(store):
    store.add(row(1))
    second = store.add(row(1, verdict="TP"))
    store.undo(second.event_id, annotator="Ann")
    assert len(store.events()) == 3


def test_what_was_taken_back_stays_so_in_whichever_order_logs_are_joined(store):
    first = store.add(row(1))
    taken = store.retract(first.event_id, annotator="Bob")
    other = AnnotationStore(store.folder.parent / "other")
    other.add_events([taken])
    other.add_events([first])
    assert other.current() == store.current() == []
