"""The Annotate tab's controls beside the flag bar, each clicked in a real Chromium.

Choosing what judges a queue; the table's select, edit, retract, undo; settling a dispute and taking
it back; what can be trained on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.data.images import pixel_sha256
from tests.demo.stub import stub_services, tile
from tests.e2e.browsing import watched
from tests.e2e.conftest import launched
from tests.e2e.test_browser import sideways

pytestmark = pytest.mark.browser


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    """Ann and Bob differ on a.png, which lies in a data folder; c.png was not kept anywhere."""
    made = AnnotationStore(tmp_path / "annotations")
    folder = tmp_path / "data" / "bottle"
    folder.mkdir(parents=True)
    for n, name in enumerate(("a.png", "b.png", "c.png")):
        pixels = tile([(40, 30, 80, 70)])
        pixels[0, 0] = n
        if name != "c.png":
            Image.fromarray(pixels).save(folder / name)
        mask = np.zeros(pixels.shape[:2], bool)
        mask[30:70, 40:80] = True
        row = Annotation(
            pixel_sha256=pixel_sha256(pixels),
            rel_path=name,
            dataset="bottle",
            class_name="bottle",
            width=pixels.shape[1],
            height=pixels.shape[0],
            checkpoint_id="lite",
            image_score=0.9,
            image_threshold=0.5,
            predicted="ANOM",
            verdict="FP",
            annotator="ann",
        )
        made.add(row)
        if name == "a.png":
            made.add(dataclasses.replace(row, verdict="TP", annotator="bob"), mask=mask)
    return made


@pytest.fixture
def open_annotate(chromium, served, store: AnnotationStore, tmp_path: Path) -> Iterator:
    services = stub_services(
        served.services.store.folder, annotations=store, data_roots=(tmp_path / "data",)
    )
    with launched(services) as url, watched(chromium, url) as open_page:

        def open_(name: str, **size):
            page = open_page(**size)
            page.get_by_role("tab", name="Annotate").click()
            page.fill("#person input", name)
            page.wait_for_selector("#judged-with .judging")
            return page

        yield open_


def sheet(page, name: str) -> None:
    page.locator("#annotate-tabs").get_by_role("tab", name=name).click()


def verdicts(store: AnnotationStore, name: str = "a.png") -> dict[str, str]:
    rows = AnnotationStore(store.folder).current()
    return {a.annotator: a.verdict for a in rows if a.rel_path == name}


def test_a_folder_is_judged_with_what_the_page_says_and_what_one_chooses(open_annotate, store):
    page = open_annotate("cy")
    assert "Press Detect on the Detect tab first" in page.inner_text("#judged-with")
    page.locator("#source input").click()
    page.get_by_role("option", name="Folder: bottle").click()
    page.wait_for_selector("#judged-with :text('bottle, from the folder names')")
    assert "0.500, F1-max on synthetic parts" in page.inner_text("#judged-with")
    assert page.locator("#judge-class :is(input, textarea)").get_attribute("placeholder") == (
        "bottle"
    )
    # Nothing is known of these pictures, so no order speaks of false alarms or of two runs.
    page.locator("#order input").click()
    listed = page.get_by_role("option").all_inner_texts()
    assert [text.strip(" ✓\n") for text in listed] == [
        "Highest score first",
        "Closest to the threshold first",
        "At random",
    ]
    page.keyboard.press("Escape")

    page.locator("#judge-checkpoint input").click()
    page.get_by_role("option", name="AdaCLIP · MVTec AD").click()
    page.wait_for_selector("#judged-with :text('0.900, stored')")
    page.fill("#judge-threshold :is(input, textarea)", "2")
    page.wait_for_selector("#judged-with :text('no number from 0 to 1')")
    page.fill("#judge-threshold :is(input, textarea)", "0.97")
    page.wait_for_selector("#judged-with :text('0.970, manual')")
    page.click("#start-review")
    page.wait_for_selector("#review-look .look")
    facts = page.inner_text("#facts")
    assert all(text in facts for text in ("bottle", "0.970, manual", "mvtec"))
    page.fill("#judge-class :is(input, textarea)", "glass flask")
    page.wait_for_selector("#judged-with :text('The open queue stays as it is')")
    page.click("#start-review")
    page.wait_for_selector("#facts :text('glass flask')")
    assert "The open queue" not in page.inner_text("#judged-with")
    page.keyboard.press("s")
    page.wait_for_selector("#flag-annotate-said .flag-line:has-text('Not sure')")
    row = AnnotationStore(store.folder).current()[-1]
    assert (row.class_name, row.prompt, row.checkpoint_id) == ("glass flask",) * 2 + ("mvtec",)
    assert (row.image_threshold, row.queue_policy) == (0.97, "highest-score")


def test_rows_have_pictures_and_what_is_changed_or_retracted_can_be_undone(open_annotate, store):
    page = open_annotate("ann")
    sheet(page, "All annotations")
    thumb = "#all-annotations tr:has(td:text-is('{}')) >> nth=0 >> .thumb"
    page.wait_for_selector(thumb.format("a.png") + " >> img[src^='data:image']")
    page.wait_for_selector(thumb.format("c.png") + " >> xpath=self::*[contains(@class,'gone')]")
    page.click("#all-annotations tr:has-text('c.png')")
    page.wait_for_selector("#row-picture :text('No copy of this picture was kept')")
    page.click("#all-annotations tr:has-text('a.png'):has-text('ann')")
    page.wait_for_selector("#row-picture .kept img")
    # The table was drawn anew with the row marked; its pictures are still there.
    page.wait_for_selector("#all-annotations tr[aria-current] .thumb img[src^='data:image']")

    page.click("#edit-retract")
    page.wait_for_selector("#table-status :text('Retracted: False alarm by ann on a.png')")
    assert verdicts(store) == {"bob": "TP"}
    page.click("#undo-change")
    page.wait_for_selector("#table-status :text('counts again')")
    assert verdicts(store) == {"ann": "FP", "bob": "TP"}
    page.wait_for_selector("#undo-change", state="hidden")

    page.get_by_label("Not sure").check()
    page.fill("#edit-comment textarea", "hard to say")
    page.click("#edit-save")
    page.wait_for_selector("#table-status :text('Saved: Not sure by ann on a.png')")
    assert verdicts(store)["ann"] == "unsure"
    page.click("#undo-change")
    page.wait_for_selector("#table-status :text('Undone: False alarm by ann')")
    assert verdicts(store)["ann"] == "FP"
    # The bar of pages is as it was.
    tabs = page.locator("#annotate-tabs > .tab-wrapper button[role=tab]").all_inner_texts()
    assert tabs == ["Review", "All annotations", "Agreement", "Charts", "Export"]


def test_a_disputed_picture_is_settled_and_what_can_be_trained_on_follows(open_annotate, store):
    page = open_annotate("cy")
    sheet(page, "Export")
    page.wait_for_selector("#trainable .sum:has-text('1 of 3')")
    assert "settle it on the Agreement page" in page.inner_text("#trainable")
    sheet(page, "Agreement")
    page.wait_for_selector("#disagreements .thumb img[src^='data:image']")
    page.click("#disagreements tr[data-event]")
    page.wait_for_selector("#dispute-picture img.region")
    assert "ann" in page.inner_text("#dispute-facts")
    page.fill("#dispute-comment textarea", "chipped")
    page.click("#settle-anomalous")
    page.wait_for_selector("#disagreements td:has-text('Anomalous, by cy')")
    assert verdicts(store) == {"ann": "FP", "bob": "TP", "cy": "TP"}
    sheet(page, "Export")
    page.wait_for_selector("#trainable .sum:has-text('2 of 3')")
    assert "1 with a defect (1 of them with a region)" in page.inner_text("#trainable")

    sheet(page, "Agreement")
    page.click("#settle-normal")
    page.wait_for_selector("#disagreements td:has-text('Normal, by cy')")
    page.click("#unsettle")
    page.wait_for_selector("#disagreements td:has-text('Anomalous, by cy')")
    page.click("#unsettle")
    page.wait_for_selector("#unsettle", state="hidden")
    assert verdicts(store) == {"ann": "FP", "bob": "TP"}
    page.click("#show-in-table")
    page.wait_for_selector("#all-annotations tr[data-event] >> nth=1")
    assert page.input_value("#search :is(input, textarea)") == "a.png"


def test_on_a_phone_nothing_scrolls_sideways_and_a_row_opens_in_sight(open_annotate):
    page = open_annotate("ann", width=390)
    sheet(page, "All annotations")
    page.click("#all-annotations tr[data-event]")
    page.wait_for_selector("#row-picture :is(.kept, .no-picture)")
    assert sideways(page) <= 0
    top = page.evaluate("document.querySelector('#row-panel').getBoundingClientRect().top")
    assert -100 < top < 844
    sheet(page, "Agreement")
    page.click("#disagreements tr[data-event]")
    page.wait_for_selector("#dispute-picture .kept")
    assert sideways(page) <= 0
