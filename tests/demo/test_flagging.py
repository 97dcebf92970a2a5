"""From a picture and a press of a key to a stored annotation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from markupsafe import escape

from adaclip.annotations.masks import rle_text
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import AdaClipError, InputError
from adaclip.types import Threshold
from demo.annotate.stage import stage_html
from demo.detect.actions import DetectActions
from demo.flag import bar, flagging, region
from demo.flag import words as flag_words
from demo.flag.flagging import flag_of, verdict_of
from demo.flag.subjects import batch_subject
from demo.look import Look
from demo.runs.source_images import inside
from demo.visitor.pictures import find
from tests.demo.stub import stub_services, tile


@pytest.fixture
def store(tmp_path):
    return AnnotationStore(tmp_path / "annotations")


@pytest.fixture
def services(tmp_path, store):
    return stub_services(tmp_path / "served", annotations=store)


@pytest.fixture
def subject(batch):
    found = batch_subject(batch)
    assert found is not None
    return found


def data(subject, choice: str = "FP", **changes) -> dict:
    sent = {"choice": choice, "annotator": "ann", "subject": subject.id, "seen": "", "lead_ms": 900}
    return sent | changes


def save(store, subject, choice: str = "FP", **changes):
    return flagging.save(store, subject, flag_of(data(subject, choice, **changes))).annotation


def drawn(mask: np.ndarray, **changes) -> dict:
    """A region as the browser sends it."""
    return {"height": mask.shape[0], "width": mask.shape[1], "counts": rle_text(mask)} | changes


def test_a_flag_records_picture_prediction_and_person(store, batch, subject):
    saved = save(store, subject, reason="edge", comment=" a rim ")
    assert (saved.verdict, saved.reason_code, saved.comment) == ("FP", "edge", "a rim")
    assert (saved.annotator, saved.lead_time_ms, saved.predicted) == ("ann", 900, "ANOM")
    assert (saved.rel_path, saved.dataset, saved.class_name) == ("tile.png", "upload", "tile")
    assert (saved.width, saved.height) == (160, 120)
    assert saved.pixel_sha256 == batch.current.pixel_sha256
    assert len(saved.image_sha256) == 64
    assert saved.image_score == pytest.approx(batch.current.detection.anomaly_score, rel=1e-7)
    assert (saved.image_threshold, saved.threshold_source) == (0.5, "F1-max")
    assert (saved.checkpoint_id, saved.map_threshold) == ("lite", 0.5)
    assert store.current() == [saved]


@pytest.mark.parametrize(
    ("choice", "alarm", "stored"),
    [
        ("FP", True, "FP"),
        ("TP", True, "TP"),
        ("FN", False, "FN"),
        ("TN", False, "TN"),
        ("unsure", True, "unsure"),
        # Blind: the person speaks of the picture, the prediction makes it right or wrong.
        ("defect", True, "TP"),
        ("defect", False, "FN"),
        ("no_defect", True, "FP"),
        ("no_defect", False, "TN"),
    ],
)
def test_a_verdict_is_stored_by_its_name_and_a_blind_one_by_what_was_predicted(
    choice, alarm, stored
):
    assert verdict_of(choice, alarm) == stored


@pytest.mark.parametrize(
    ("choice", "alarm"), [("FP", False), ("TP", False), ("FN", True), ("TN", True)]
)
def test_a_verdict_that_does_not_fit_the_prediction_is_refused_not_turned_round(choice, alarm):
    with pytest.raises(InputError, match="an alarm" if alarm else "normal"):
        verdict_of(choice, alarm)


def test_what_the_page_read_before_the_threshold_moved_is_not_stored_as_its_opposite(
    services, store, batch
):
    batch.threshold = Threshold(value=0.99, source="manual")
    subject = batch_subject(batch)
    assert subject is not None
    assert subject.state == "pass"
    said = bar.said_after(services, lambda: subject, data(subject, "TP"))
    assert "called normal" in said
    assert 'data-state="pass"' in said
    assert store.current() == []
    bar.said_after(services, lambda: subject, data(subject, "TN"))
    assert [a.verdict for a in store.current()] == ["TN"]


def test_a_picture_to_review_is_an_alarm_and_one_without_a_score_is_judged_blind(batch, subject):
    batch.threshold = Threshold(value=0.97, source="manual", review_band=3.0)
    to_review = batch_subject(batch)
    assert to_review is not None
    assert (to_review.predicted, to_review.state) == ("REVIEW", "alarm")
    assert dataclasses.replace(subject, score=None).state == "blind"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"choice": "delete"}, "cannot be read"),
        ({"reason": "../x"}, "cannot be read"),
        ({"reason": ["edge"]}, "cannot be read"),
        ({"choice": {"x": 1}}, "cannot be read"),
        ({"annotator": ""}, "your name"),
        ({"annotator": " \u202e\x00 "}, "your name"),
        ({"annotator": ["ann"]}, "your name"),
        ({"annotator": "x" * 81}, "81 characters"),
        ({"comment": "x" * 2001}, "2,001 characters"),
        ({"comment": "x" * 10_000_000}, "10,000,000 characters"),
    ],
)
def test_hostile_flags_are_refused_with_a_clear_word(store, subject, change, said):
    with pytest.raises(InputError, match=said):
        flagging.save(store, subject, flag_of(data(subject) | change))
    assert store.current() == []


@pytest.mark.parametrize("sent", [None, [], "x", 3, {}])
def test_what_is_no_flag_at_all_is_refused(sent):
    with pytest.raises(InputError):
        flag_of(sent)


@pytest.mark.parametrize(
    ("sent", "kept"), [(-5, 0), (1e12, 3_600_000), (float("nan"), None), ("9", None), (True, None)]
)
def test_lead_times_that_are_none_are_dropped(subject, sent, kept):
    assert flag_of(data(subject, lead_ms=sent)).lead_time_ms == kept


def test_names_lose_what_cannot_be_seen():
    assert flagging.checked_name("  Ann\u202e\n B ") == "Ann B"


def test_another_picture_shown_by_now_is_not_flagged(store, subject):
    with pytest.raises(InputError, match="Another picture"):
        flagging.save(store, subject, flag_of(data(subject) | {"subject": "0" * 24}))
    assert store.current() == []


def test_a_second_page_does_not_overwrite_what_it_has_not_seen(store, subject):
    first = save(store, subject)
    with pytest.raises(InputError, match="was judged in your name"):
        save(store, subject, "TP")
    assert store.current() == [first]
    second = save(store, subject, "TP", seen=first.event_id)
    assert [a.verdict for a in store.current()] == ["TP"]
    store.retract(second.event_id, annotator="ann")
    with pytest.raises(InputError, match="taken back"):
        save(store, subject, seen=second.event_id)


def test_two_people_do_not_disturb_each_other(store, subject):
    save(store, subject)
    save(store, subject, "TP", annotator="bob")
    assert {(a.annotator, a.verdict) for a in store.current()} == {("ann", "FP"), ("bob", "TP")}


def test_a_region_survives_another_reason_but_not_another_verdict(store, subject):
    mask = np.zeros((120, 160), bool)
    mask[3:9, 4:40] = True
    first = save(store, subject, region=drawn(mask))
    assert first.region_area_px == 6 * 36
    second = save(store, subject, reason="edge", seen=first.event_id)
    assert (store.mask(second) == mask).all()
    third = save(store, subject, "unsure", seen=second.event_id)
    assert store.mask(third) is None


def test_a_correct_alarm_takes_the_outline_on_the_screen_unless_one_was_drawn(store, batch):
    # A speck that the map threshold marks but the smallest area hides is not on the screen.
    detection = batch.current.detection
    map_ = detection.model_anomaly_map.copy()
    map_[2, 2] = 0.99
    batch.current.detection = dataclasses.replace(detection, model_anomaly_map=map_)
    batch.look = dataclasses.replace(batch.look, map_threshold=0.6, min_area_percent=1.0)
    shown = batch_subject(batch)
    assert shown is not None
    on_screen = find(batch.current.detection, batch.look).mask
    assert on_screen.any()
    assert not on_screen[:10, :20].any()
    stored = flagging.save(store, shown, flag_of(data(shown, "TP", region="screen")))
    first = stored.annotation
    assert stored.region == "screen"
    assert (store.mask(first) == on_screen).all()
    assert f"with the region on the screen ({on_screen.sum():,} px)" in bar.saved_line(stored)

    # Another reason keeps it, a drawing replaces it, and T again does not rub the drawing out.
    mask = np.eye(120, 160, dtype=bool)
    second = save(store, shown, "TP", reason="edge", seen=first.event_id)
    third = save(store, shown, "TP", region=drawn(mask), seen=second.event_id)
    fourth = save(store, shown, "TP", region="screen", seen=third.event_id)
    assert (store.mask(second) == on_screen).all()
    assert (store.mask(third) == mask).all()
    assert (store.mask(fourth) == mask).all()
    # A cleared drawing says that no region is meant; undo brings the drawn one back.
    fifth = save(store, shown, "TP", region=drawn(mask & False), seen=fourth.event_id)
    assert (fifth.region_kind, fifth.region_area_px) == ("none", None)
    store.undo(fifth.event_id, annotator="ann")
    assert (store.mask(store.current()[0]) == mask).all()


def test_the_review_outlines_no_region_that_is_smaller_than_what_a_correct_alarm_takes(subject):
    small = dataclasses.replace(subject, min_area_px=120 * 160)
    assert not region.predicted_mask(small).any()
    assert stage_html(small) == stage_html(dataclasses.replace(subject, map_threshold=None))
    assert stage_html(small) != stage_html(subject)


@pytest.mark.parametrize("choice", ["FP", "unsure"])
def test_only_a_correct_alarm_takes_the_outline(store, subject, choice):
    assert save(store, subject, choice, region="screen").region_kind == "none"


def test_without_an_outline_a_correct_alarm_has_no_region(store, subject):
    for change in ({"map_threshold": 1.0}, {"map_threshold": None}, {"anomaly_map": lambda: None}):
        plain = dataclasses.replace(subject, **change)
        stored = flagging.save(store, plain, flag_of(data(plain, "TP", region="screen")))
        assert (stored.region, stored.annotation.region_kind) == ("", "none")
        store.retract(stored.annotation.event_id, annotator="ann")


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ({}, "cannot be read"),
        ({"counts": 3}, "cannot be read"),
        ({"counts": "0", "width": 160, "height": 120}, "cannot be read"),
        ({"counts": "\x00", "width": 160, "height": 120}, "cannot be read"),
        ({"counts": "é" * 9, "width": 160, "height": 120}, "cannot be read"),
        ({"counts": "0" * 2_000_001, "width": 160, "height": 120}, "2,000,001 characters"),
        (drawn(np.zeros((9, 9), bool)), "160 x 120"),
        (drawn(np.zeros((160, 120), bool)), "160 x 120"),
        ({"counts": "0", "width": [9] * 99, "height": "x" * 9999}, "160 x 120"),
    ],
)
def test_a_region_that_does_not_fit_or_cannot_be_read_is_refused(store, subject, region, said):
    with pytest.raises(InputError, match=said) as refused:
        save(store, subject, region=region)
    assert len(str(refused.value)) < 400
    assert store.current() == []


def test_the_image_is_kept_only_when_the_person_agreed(store, subject):
    first = save(store, subject)
    assert store.image(subject.pixel_sha256) is None
    save(store, subject, keep=True, seen=first.event_id)
    assert (store.image(subject.pixel_sha256) == subject.pixels()).all()


def test_drawing_starts_with_what_was_predicted_or_stored_and_blind_with_nothing(
    services, store, subject
):
    start = region.start_of(subject, None)
    assert (start["subject"], start["width"], start["height"]) == (subject.id, 160, 120)
    mask = region.mask_of(start, subject.size)
    assert (mask == region.predicted_mask(subject)).all()
    assert mask[40:60, 50:70].all()
    assert not mask[:10].any()
    assert not region.mask_of(region.start_of(subject, None, blind=True), subject.size).any()
    stored = np.eye(120, 160, dtype=bool)
    save(store, subject, region=drawn(stored))
    said = bar.region_html(services, subject, {"annotator": "ann"}, blind=True)
    assert f'data-counts="{escape(rle_text(stored))}"' in said
    assert f'data-counts="{escape(rle_text(mask))}"' in bar.region_html(services, subject, None)
    with pytest.raises(InputError, match="no judged picture"):
        bar.region_html(services, None, {})


def test_the_bar_says_what_was_saved_and_escapes_what_people_typed(services, store, subject):
    evil = "<img src=x onerror=alert(1)>"
    said = bar.said_after(services, lambda: subject, data(subject, annotator=evil))
    assert "Saved" in said
    assert "<img" not in said
    assert "&lt;img" in said
    [saved] = store.current()
    assert f'data-undo="{saved.event_id}"' in said
    said = bar.said_after_undo(
        services, lambda: subject, {"event": saved.event_id, "annotator": evil}
    )
    assert flag_words.TAKEN_BACK in said
    assert store.current() == []


def test_what_went_wrong_is_said_in_the_bar_and_not_lost(services, subject):
    said = bar.said_after(services, lambda: subject, data(subject, annotator=""))
    assert "Write your name" in said
    assert f'data-subject="{subject.id}"' in said
    assert "no judged picture" in bar.said_after(services, lambda: None, data(subject))


@pytest.mark.parametrize("event", ["", "x", "../../etc/passwd", "0" * 400])
def test_undo_of_what_is_not_there_is_refused(services, subject, event):
    said = bar.said_after_undo(services, lambda: subject, {"event": event, "annotator": "a"})
    assert 'role="alert"' in said


def test_without_a_store_there_is_no_bar(subject, tmp_path):
    none = stub_services(tmp_path / "none")
    assert 'data-subject=""' in bar.said_html(none, subject)
    assert "cannot be stored" in bar.said_after(none, lambda: subject, data(subject))


def test_every_row_of_a_batch_can_be_flagged(services, upload, store):
    do = DetectActions(services)
    files = [{"path": str(upload(f"{n}.png", tile(d))), "name": f"{n}.png"} for n, d in ROWS]
    key = do.dropped("", files, "object", 0.5, Look())["key"]
    do.start(key, "", "tile", "lite", 0.5, Look())
    screen = list(do.run(key))[-1]
    assert screen["listing"].count("data-flag-choice") == 2
    assert 'data-flag-choice="FN"' in screen["listing"]
    row = do.subject(key, 1)
    assert row is not None
    shown = bar.said_after(
        services,
        lambda: do.subject(key),
        data(row, "FN"),
        listed=lambda: do.subject(key, 1),
    )
    assert "calm.png" in shown
    assert f'data-subject="{do.subject(key).id}"' in shown
    assert store.current()[0].rel_path == "calm.png"
    assert "Missed defect</span>" in do.listing(key)["listing"]
    with pytest.raises(InputError):
        do.subject(key, 7)


def test_a_damaged_annotation_file_takes_the_flags_and_leaves_the_results(services, upload, store):
    store.path.write_bytes(b"not,ours\n")
    do = DetectActions(services)
    files = [{"path": str(upload(f"{n}.png", tile(d))), "name": f"{n}.png"} for n, d in ROWS]
    key = do.dropped("", files, "x", 0.5, Look())["key"]
    do.start(key, "", "tile", "lite", 0.5, Look())
    screen = list(do.run(key))[-1]
    assert "dark.png" in screen["listing"]
    assert "flag-cell" not in screen["listing"]
    assert "move it away" in screen["flag_said"]
    assert 'data-subject=""' in screen["flag_said"]


ROWS = (("dark", ((40, 30, 80, 70),)), ("calm", ()))


@pytest.mark.parametrize(
    "path",
    ["../x.png", "/etc/passwd", "a/../../x.png", "..\\x.png", "a\0.png", "%2e%2e/x.png", "l"],
)
def test_paths_of_runs_stay_in_their_folder(tmp_path, path):
    root = tmp_path / "data"
    root.mkdir()
    (tmp_path / "x.png").write_bytes(b"x")
    (root / "l").symlink_to(tmp_path / "x.png")
    with pytest.raises(AdaClipError, match="not in the data folder"):
        inside(root, path)
    (root / "ok.png").write_bytes(b"x")
    assert inside(root, "ok.png") == (root / "ok.png").resolve()


def test_the_id_of_a_subject_changes_with_what_is_judged(subject):
    other = dataclasses.replace(subject, class_name="nut")
    assert len(subject.id) == 24
    assert other.id != subject.id
