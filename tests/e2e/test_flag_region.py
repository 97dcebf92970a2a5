"""Verdicts and regions in a real Chromium: what is read is stored, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.annotations.store import AnnotationStore
from tests.demo.stub import tile
from tests.e2e.drawing import LAYER, contained, painted, shown_size, start_drawing, stroke
from tests.e2e.test_annotate_browser import (  # noqa: F401 - fixtures
    browser,
    detect,
    open_page,
    pictures,
    said,
    server,
    sign,
    stored,
)
from tests.e2e.test_browser import set_slider

pytestmark = pytest.mark.browser


def offered(page) -> list[str]:
    """The verdicts one can press, as they are read."""
    spans = "#flag-detect [data-choice]:not([hidden]) span"
    return page.locator(spans).all_inner_texts()


def test_what_the_button_says_is_what_is_stored_wherever_the_threshold_is(
    server,  # noqa: F811
    open_page,  # noqa: F811
    pictures,  # noqa: F811
):
    page = open_page(server.start())
    detect(page, pictures)
    sign(page)
    assert offered(page) == ["False alarm", "Correct alarm", "Not sure"]
    page.keyboard.press("n")  # nothing can be missed where there is an alarm
    page.wait_for_selector("#flag-detect [data-note=alarm]:not([hidden])")
    stored(server, 0)

    # A correct alarm takes the outline on the screen along, and undo takes it back.
    area = page.locator("#regions tbody td").nth(1).inner_text()
    page.keyboard.press("t")
    said(page, f"Correct alarm, with the region on the screen ({area} px)")
    [row] = stored(server, 1)
    assert (row.verdict, row.predicted, row.region_kind) == ("TP", "ANOM", "mask")
    assert f"{AnnotationStore(server.folder).mask(row).sum():,}" == area
    page.keyboard.press("u")
    said(page, "Taken back")
    stored(server, 0)

    # The threshold moves past the score: the words change, and what they say is stored.
    set_slider(page, "threshold", 0.99)
    page.wait_for_selector("#flag-detect [data-choice=TN]:not([hidden])")
    assert offered(page) == ["Correct pass", "Missed defect", "Not sure"]
    quick = page.locator("#listing .quick")
    assert set(quick.evaluate_all("all => all.map(one => one.title)")) == {"Flag: Missed defect"}
    page.keyboard.press("f")
    page.wait_for_selector("#flag-detect [data-note=pass]:not([hidden])")
    stored(server, 0)
    page.keyboard.press("t")
    said(page, "Correct pass")
    [row] = stored(server, 1)
    assert (row.verdict, row.predicted, row.region_kind) == ("TN", "OK", "none")
    assert row.image_threshold == pytest.approx(0.99)

    # Back again: what was said then is not what the buttons say now.
    set_slider(page, "threshold", 0.5)
    page.wait_for_selector("#flag-detect [data-choice=TP]:not([hidden])")
    page.wait_for_selector("#listing tr[data-index='0'] [title='Flag: False alarm']")
    assert page.locator("#flag-detect [data-choice][aria-pressed=true]:visible").count() == 0
    page.click("#flag-detect [data-choice=FP]")
    said(page, "False alarm")
    [row] = stored(server, 1)
    assert (row.verdict, row.predicted) == ("FP", "ANOM")


@pytest.fixture
def shapes(tmp_path: Path) -> list[Path]:
    """A landscape and a portrait without a defect, and one with."""
    paths = []
    for name, size, boxes in (
        ("landscape.png", (640, 360), ()),
        ("portrait.png", (360, 640), ()),
        ("tile.png", (320, 240), ((40, 30, 80, 70),)),
    ):
        paths.append(tmp_path / name)
        Image.fromarray(tile(boxes)).resize(size).save(paths[-1])
    return paths


def bounds(mask: np.ndarray) -> list[int]:
    """Left, right, top and bottom of what is set."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [columns[0], columns[-1] + 1, rows[0], rows[-1] + 1]


def test_a_region_is_stored_where_it_was_drawn_at_150_percent_on_a_portrait_after_a_landscape(
    server,  # noqa: F811
    open_page,  # noqa: F811
    shapes,
):
    # What a browser does at 150 %: two thirds of the room, half as many pixels again.
    page = open_page(server.start(), width=934, height=600, scale=1.5)
    requests: list[str] = []
    detect(page, shapes)
    sign(page)
    page.on(
        "request", lambda request: requests.append(request.url) if "/upload" in request.url else 0
    )
    start_drawing(page)
    seen = contained(page.locator("#viewer").bounding_box(), (640, 360))
    stroke(page, seen, (300, 200), (340, 200))
    page.click("#next")  # arrows move the brush meanwhile
    page.wait_for_function("!document.querySelector('.region-on')")
    page.wait_for_function("document.querySelector('#position').innerText.includes('portrait')")
    page.wait_for_selector("#flag-detect [data-choice=FN]:not([hidden])")
    start_drawing(page)
    half = shown_size(page) / 2
    seen = contained(page.locator("#viewer").bounding_box(), (360, 640))
    stroke(page, seen, (60, 100), (60, 500), (200, 500))
    page.keyboard.press("n")  # at once
    said(page, "Missed defect, region")
    [row] = stored(server, 1)
    mask = AnnotationStore(server.folder).mask(row)
    assert (row.rel_path, row.verdict, mask.shape) == ("portrait.png", "FN", (640, 360))
    expected = [60 - half, 200 + half, 100 - half, 500 + half]
    assert np.abs(np.subtract(bounds(mask), expected)).max() <= 2
    assert mask[100:500, 60].all()
    assert mask[500, 60:200].all()
    assert not mask[:480, 100:].any()

    # Zoomed in, the same: the second stroke is added to what is stored.
    start_drawing(page)
    page.click("[data-tool=in]")
    assert page.inner_text(".region-panel:not([hidden]) .region-zoom") == "150 %"
    box = page.locator(f"{LAYER} img").bounding_box()
    seen = (box["x"], box["y"], box["width"] / 360)
    stroke(page, seen, (180, 320), (181, 320))
    page.keyboard.press("n")
    page.wait_for_function("!document.querySelector('.region-on')")
    [row] = stored(server, 1)
    more = AnnotationStore(server.folder).mask(row) & ~mask
    expected = [180 - half, 181 + half, 320 - half, 320 + half]
    assert np.abs(np.subtract(bounds(more), expected)).max() <= 2

    # What was drawn on the landscape is still there; nothing was ever uploaded.
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('#position').innerText.includes('landscape')")
    page.wait_for_function(
        "!document.querySelector('#flag-detect [data-choice][aria-pressed=true]')"
    )
    start_drawing(page)
    assert painted(page) > 0
    page.keyboard.press("n")
    said(page, "Missed defect, region")
    landscape = next(row for row in stored(server, 2) if row.rel_path == "landscape.png")
    mask = AnnotationStore(server.folder).mask(landscape)
    assert mask[200, 300:340].all()
    assert [url for url in requests if "/upload" in url] == []


def test_every_tool_of_the_drawing_does_what_it_says(server, open_page, shapes):  # noqa: F811
    page = open_page(server.start(), touch=True)
    detect(page, [shapes[2], *shapes[:2]])
    sign(page)
    start_drawing(page)
    assert page.get_attribute("#flag-detect .flag-draw", "aria-expanded") == "true"
    whole = painted(page)  # the predicted region
    assert whole > 1000
    middle = contained(page.locator("#viewer").bounding_box(), (320, 240))

    page.click("[data-tool=clear]")
    assert painted(page) == 0
    page.click("[data-tool=undo]")
    assert painted(page) == whole
    page.click("[data-tool=redo]")
    assert painted(page) == 0
    page.keyboard.press("Control+z")
    assert painted(page) == whole
    page.click("[data-tool=eraser]")
    stroke(page, middle, (100, 100), (140, 100))
    assert painted(page) < whole
    page.keyboard.press("z")
    assert painted(page) == whole
    page.click("[data-tool=brush]")
    assert page.get_attribute("[data-tool=brush]", "aria-pressed") == "true"
    before = shown_size(page)
    page.keyboard.press("]")
    assert shown_size(page) > before
    page.locator(".region-size input").fill("0")
    assert shown_size(page) < before

    # By key alone: arrows move the brush over the picture, Space paints.
    page.locator(f"{LAYER} canvas").focus()
    page.keyboard.press("]")
    for key in ("ArrowDown", "ArrowRight", "Space"):
        page.keyboard.press(key)
    dab = painted(page) - whole
    assert dab > 0
    assert "1 / 3" in page.inner_text("#position")
    page.keyboard.press("z")

    # A finger paints, two of them zoom and leave nothing behind.
    left, top, scale = middle
    page.touchscreen.tap(left + 20 * scale, top + 20 * scale)
    page.wait_for_function("!document.querySelector('[data-tool=undo]').disabled")
    assert painted(page) > whole
    page.keyboard.press("z")
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *places: float) -> None:
        points = [{"x": left + x * scale, "y": top + 120 * scale, "id": x % 2} for x in places]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 150)
    touch("touchStart", 150, 171)
    touch("touchMove", 130, 191)
    touch("touchEnd")
    page.wait_for_function("parseInt(document.querySelector('.region-zoom').innerText) > 200")
    page.click("[data-tool=out]")
    page.click("[data-tool=fit]")
    assert page.inner_text(".region-panel:not([hidden]) .region-zoom") == "100 %"
    assert painted(page) == whole

    # Closing keeps the drawing, and the picture below is itself again.
    page.click("[data-tool=clear]")
    page.keyboard.press("Escape")
    assert page.locator(LAYER).count() == 0
    page.click("#flag-detect .flag-draw")
    page.wait_for_selector(LAYER)
    assert painted(page) == 0
    page.click("[data-tool=close]")
    assert page.get_attribute("#flag-detect .flag-draw", "aria-expanded") == "false"
    stored(server, 0)

    # What was filled in is stored to the pixel.
    page.keyboard.press("b")
    page.keyboard.press("z")
    page.keyboard.press("f")
    area = page.locator("#regions tbody td").nth(1).inner_text()
    said(page, f"False alarm, region ({area} px)")
