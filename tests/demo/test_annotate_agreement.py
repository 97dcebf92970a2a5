"""Undoing in the table, settling disputes, finding pictures, what can be trained on."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

from adaclip.annotations.queue import ALL
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.data.images import pixel_sha256
from adaclip.errors import InputError
from demo.annotate.agreement_actions import AgreementActions
from demo.annotate.pictures import AnnotationPictures
from demo.annotate.summary_actions import SummaryActions
from demo.annotate.table import Search
from demo.annotate.table_actions import TableActions
from tests.demo.stub import stub_services, tile


@pytest.fixture
def store(tmp_path) -> AnnotationStore:
    return AnnotationStore(tmp_path / "annotations")


@pytest.fixture
def services(tmp_path, store):
    (tmp_path / "data" / "line 3").mkdir(parents=True)
    return stub_services(
        tmp_path / "served", annotations=store, data_roots=(tmp_path / "data",), run_roots=()
    )


@pytest.fixture
def pictures(services) -> AnnotationPictures:
    return AnnotationPictures(services)


@pytest.fixture
def table(services, pictures) -> TableActions:
    return TableActions(services, pictures)


@pytest.fixture
def agreement(services, pictures) -> AgreementActions:
    return AgreementActions(services, pictures)


def pixels_of(n: int) -> np.ndarray:
    pixels = tile([(40, 30, 80, 70)])
    pixels[0, 0] = n
    return pixels


def judged(store, n: int, who: str, verdict: str, mask=None, image=None, **changes) -> Annotation:
    pixels = pixels_of(n)
    row = Annotation(
        pixel_sha256=pixel_sha256(pixels),
        rel_path=f"p{n}.png",
        dataset="line 3",
        class_name="plate",
        width=pixels.shape[1],
        height=pixels.shape[0],
        checkpoint_id="lite",
        image_score=0.9,
        image_threshold=0.5,
        predicted="ANOM",
        verdict=verdict,
        annotator=who,
    )
    return store.add(dataclasses.replace(row, **changes), mask=mask, image=image)


def disputed(store) -> Annotation:
    judged(store, 1, "ann", "FP")
    return judged(store, 1, "bob", "TP", comment="<i>the rim</i>")


# Undo.


def test_a_retracted_row_comes_back_with_its_region_and_says_so(store, table):
    mask = np.zeros(pixels_of(1).shape[:2], bool)
    mask[40:50, 30:60] = True
    row = judged(store, 1, "ann", "FP", mask, reason_code="print", comment="a label")
    screen = table.retract(row.event_id, "ann", [], Search())
    assert "Retracted: False alarm by ann on p1.png" in screen["table_status"]
    assert screen["undo_change"].visible
    assert store.current() == []
    screen = table.undo("ann", screen["changes"], Search())
    assert "Undone: False alarm by ann on p1.png counts again" in screen["table_status"]
    [back] = store.current()
    assert (back.verdict, back.reason_code, back.comment) == ("FP", "print", "a label")
    assert (store.mask(back) == mask).all()
    assert (screen["event"], screen["changes"]) == (back.event_id, [])
    assert not screen["undo_change"].visible


def test_edits_are_undone_one_by_one(store, table):
    row = judged(store, 1, "ann", "FP")
    first = table.save(row.event_id, "TP", "", "one", "ann", [], Search())
    second = table.save(first["event"], "unsure", "", "two", "ann", first["changes"], Search())
    assert "Saved: Not sure by ann on p1.png" in second["table_status"]
    undone = table.undo("ann", second["changes"], Search())
    assert [(a.verdict, a.comment) for a in store.current()] == [("TP", "one")]
    # The row of the first edit was replaced since, but its change can still be undone.
    table.undo("ann", undone["changes"], Search())
    assert [(a.verdict, a.comment) for a in store.current()] == [("FP", "")]


def test_nobody_undoes_what_another_person_did_or_what_was_judged_since(store, table):
    row = judged(store, 1, "ann", "FP")
    changes = table.retract(row.event_id, "ann", [], Search())["changes"]
    with pytest.raises(InputError, match="ann's"):
        table.undo("bob", changes, Search())
    judged(store, 1, "ann", "TP")
    with pytest.raises(InputError, match="another page"):
        table.undo("ann", changes, Search())
    assert [a.verdict for a in store.current()] == ["TP"]
    with pytest.raises(InputError, match="nothing"):
        table.undo("ann", [], Search())


# Settling.


def test_a_disputed_picture_opens_with_what_everybody_says(store, agreement):
    last = disputed(store)
    [event] = re.findall(r'tr data-event="(\w+)"', agreement.load()["disagreements"])
    assert event == last.event_id
    screen = agreement.open(event)
    assert "&lt;i&gt;the rim" in screen["dispute_facts"]
    assert not screen["unsettle"].visible
    with pytest.raises(InputError, match="no longer disputed"):
        agreement.open("../x")


def test_a_dispute_is_settled_says_by_whom_and_the_settlement_can_be_taken_back(store, agreement):
    event = disputed(store).event_id
    with pytest.raises(InputError, match="your name"):
        agreement.settle(event, "normal", "", " ")
    screen = agreement.settle(event, "anomalous", "chipped", "cy")
    assert "Settled: Anomalous, by cy" in screen["dispute_facts"]
    assert "Anomalous, by cy" in screen["disagreements"]
    assert screen["unsettle"].visible
    with pytest.raises(InputError, match="cy settled"):
        agreement.unsettle(event, "ann")
    screen = agreement.unsettle(event, "cy")
    assert "Settled:" not in screen["dispute_facts"]
    assert [a.annotator for a in store.current()] == ["ann", "bob"]


def test_everything_said_of_a_disputed_picture_is_found_in_the_table(store, table):
    event = disputed(store).event_id
    judged(store, 2, "ann", "FP")
    screen = table.show_all_of(event)
    assert (screen["search"], screen["event"]) == ("p1.png", event)
    assert screen["table"].count("<tr data-event") == 2
    assert screen["tabs"].selected == "table"
    assert (screen["find_who"].value, screen["find_verdict"]) == (ALL, ALL)


# Pictures.


def test_a_picture_is_found_kept_or_in_a_data_folder_and_never_another_one(
    store, pictures, tmp_path
):
    kept = judged(store, 1, "ann", "FP", image=pixels_of(1))
    in_folder = judged(store, 2, "ann", "FP")
    Image.fromarray(pixels_of(2)).save(tmp_path / "data" / "line 3" / "p2.png")
    changed = judged(store, 3, "ann", "FP")
    Image.fromarray(pixels_of(9)).save(tmp_path / "data" / "line 3" / "p3.png")
    gone = judged(store, 4, "ann", "FP")
    rows = (kept, in_folder, changed, gone)
    answers = pictures.thumbs([row.event_id for row in rows])
    assert answers[kept.event_id]["src"].startswith("data:image/jpeg")
    assert answers[in_folder.event_id]["src"].startswith("data:image/jpeg")
    assert "pixels are not those" in answers[changed.event_id]["error"]
    assert "No copy of this picture was kept" in answers[gone.event_id]["error"]
    assert (pictures.pixels(in_folder) == pixels_of(2)).all()


def test_a_bundled_example_and_a_drawn_picture_are_found(store, services, pictures):
    from adaclip.data.images import load_image
    from adaclip.synthetic import benchmark_set

    path = services.examples[0].path
    shown = load_image(path, name=path.name).pixels
    drawn_name = benchmark_set.entries()[0].rel_path
    drawn = benchmark_set.draw(drawn_name).image
    for pixels, name, dataset in (
        (shown, path.name, "example"),
        (drawn, drawn_name, "synthetic"),
    ):
        row = judged(
            store,
            1,
            "ann",
            "FP",
            pixel_sha256=pixel_sha256(pixels),
            rel_path=name,
            dataset=dataset,
            width=pixels.shape[1],
            height=pixels.shape[0],
        )
        assert "src" in pictures.thumbs([row.event_id])[row.event_id]


@pytest.mark.parametrize("asked", [None, "x", {"a": 1}, ["x"] * 25])
def test_thumbnails_are_asked_for_by_id_and_a_few_at_a_time(pictures, asked):
    assert pictures.thumbs(asked) == {}
    assert "no longer" in pictures.thumbs(["../../etc/passwd"])["../../etc/passwd"]["error"]


# Training.


def test_the_export_page_counts_what_can_be_trained_on_and_why_the_rest_cannot(
    store, services, pictures
):
    summary = SummaryActions(services, pictures)
    assert "Nothing has been judged" in summary.trainable()["trainable"]
    disputed(store)
    judged(store, 2, "ann", "unsure")
    judged(store, 3, "ann", "FP")
    judged(store, 4, "ann", "FP", image=pixels_of(4))
    shown = summary.trainable()["trainable"]
    assert "1 of 4</b> reviewed pictures can be trained on" in shown
    assert "<b>1</b> cannot: the annotators disagree; settle it" in shown
    assert "<b>1</b> cannot: nobody was sure" in shown
    assert "<li>p3.png</li>" in shown
    assert "needs anomalous pictures as well" in shown
