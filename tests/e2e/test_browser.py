"""The page as a visitor sees it, in a real Chromium."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from demo.detect.actions import DetectActions
from tests.demo.stub import tile
from tests.e2e.browsing import watched

pytestmark = pytest.mark.browser


@pytest.fixture
def open_page(chromium, served) -> Iterator:
    with watched(chromium, served.url) as open_:

        def ready(*query: str, **size: int):
            page = open_(*query, **size)
            page.wait_for_selector("#detect")
            return page

        yield ready


def drop(page, *paths: Path) -> None:
    page.set_input_files("#drop input[type=file]", [str(path) for path in paths])
    page.wait_for_selector("#position .name")


def detect(page) -> None:
    page.click("#detect")
    page.wait_for_selector("#verdict .score")
    page.wait_for_selector("#detect")


def sideways(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def set_slider(page, element_id: str, value: float) -> None:
    field = page.locator(f"#{element_id} input[type=number]")
    field.fill(str(value))
    field.press("Enter")
    field.blur()


def test_two_clicks_to_a_verdict_and_sliders_without_the_model(open_page, served, picture):
    page = open_page()
    drop(page, picture())
    assert "Ready" in page.inner_text("#verdict")
    detect(page)
    assert "Anomalous" in page.inner_text("#verdict")
    # Without a list beside it the picture has the whole stage.
    whole, ground = (page.locator(name).bounding_box() for name in ("#look", "#ground"))
    assert ground == whole
    assert "F1-max" not in page.inner_text("#verdict")
    page.click("#verdict summary")
    assert "F1-max on synthetic parts" in page.inner_text("#verdict")
    calls = served.pool.calls

    set_slider(page, "threshold", 0.99)
    page.wait_for_selector("#verdict .verdict.normal, #verdict .verdict.review")
    assert "although the map marks a region" in page.inner_text("#verdict")
    page.wait_for_selector("#verdict details[open]")  # as they were left
    assert "set by you" in page.inner_text("#verdict")
    page.click("#reset")
    page.wait_for_selector("#verdict .verdict.anomalous")

    before = page.inner_text("#regions")
    set_slider(page, "map-threshold", 0.98)
    page.wait_for_function("b => document.querySelector('#regions').innerText !== b", arg=before)

    source = "document.querySelectorAll('#viewer img')[1].src"
    for key in "234":
        shown = page.evaluate(source)
        page.keyboard.press(key)
        page.wait_for_function(f"s => {source} !== s", arg=shown)
    assert served.pool.calls == calls

    ratio = page.evaluate(
        "(() => { const i = document.querySelector('#viewer img');"
        "return i.naturalWidth / i.naturalHeight; })()"
    )
    assert ratio == pytest.approx(160 / 120, rel=0.02)
    alts = page.evaluate("[...document.querySelectorAll('#viewer img')].map(i => i.alt)")
    assert all(alts)


def test_one_click_on_an_example_gives_a_verdict(open_page, served):
    if not served.services.examples:
        pytest.skip("no examples are bundled")
    page = open_page()
    page.click("[data-example] >> nth=0")
    page.wait_for_selector("#verdict .score")
    name = served.services.examples[0].class_name
    assert f"“{name}”" in page.text_content("#verdict")
    assert page.input_value("#class-name input") == name


def test_a_batch_with_a_broken_file(open_page, picture, tmp_path):
    page = open_page()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    drop(page, picture("a.png", ()), broken, picture("c.png"))
    detect(page)
    page.wait_for_function("document.querySelectorAll('#listing .chip').length === 3")
    assert page.locator("#listing tbody tr").count() == 3
    assert "1 anomalous · 1 normal · 1 could not be read" in page.inner_text("#listing")
    assert "damaged" in page.text_content("#listing tr[data-index='1']")

    page.click("#listing [data-sort='3']")
    order = "[...document.querySelectorAll('#listing tbody tr')].map(r => r.dataset.index)"
    assert page.evaluate(order) == ["2", "0", "1"]
    page.click("#listing tr[data-index='2']")
    page.wait_for_function("document.querySelector('#position').innerText.includes('c.png')")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#position').innerText.includes('a.png')")
    assert page.evaluate(order) == ["2", "0", "1"]
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#hero')?.innerText.includes('cannot be read')")

    with page.expect_download() as download:
        page.click("#get-csv")
    assert download.value.suggested_filename == "adaclip-results.csv"
    assert Path(download.value.path()).read_text().count("\n") == 4


def test_cancel_keeps_what_is_done(open_page, served, picture):
    page = open_page()
    drop(page, *(picture(f"{n}.png", ((0, 0, 20 + n, 90),)) for n in range(16)))
    calls = served.pool.calls
    page.click("#detect")
    page.wait_for_selector("#listing .chip.anomalous")
    page.click("#cancel")
    page.wait_for_selector("#detect")
    page.wait_for_timeout(700)
    done = page.locator("#listing .chip").count()
    assert 1 <= done < 16
    assert served.pool.calls - calls <= done + 1
    assert "not run" in page.inner_text("#listing")


_SEND_FILE = """([kind, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], kind + ".png", { type: "image/png" }));
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


def test_pictures_can_be_dropped_anywhere_and_pasted(open_page, picture):
    page = open_page()
    content = base64.b64encode(picture().read_bytes()).decode()
    for kind in ("drop", "paste"):
        page.evaluate(_SEND_FILE, [kind, content])
        page.wait_for_selector(f"#position .name:text-is('{kind}.png')")


def test_detect_pressed_before_the_pictures_are_there_waits_for_them(open_page, picture):
    page = open_page()
    page.set_input_files("#drop input[type=file]", [str(picture()), str(picture("more.png"))])
    page.click("#detect")
    page.wait_for_selector("#verdict .score")
    assert page.locator("#verdict .chip").is_visible()


def test_a_portrait_is_shown_whole(open_page, tmp_path):
    page = open_page()
    path = tmp_path / "tall.png"
    Image.fromarray(tile([(10, 10, 60, 60)], size=(900, 300))).save(path)
    drop(page, path)
    detect(page)
    shown = page.evaluate(
        """[...document.querySelectorAll('#viewer img')].map((image) => {
          const ground = document.querySelector('#ground').getBoundingClientRect();
          const box = image.getBoundingClientRect();
          return [getComputedStyle(image).objectFit, box.top >= ground.top - 1,
                  box.bottom <= ground.bottom + 1];
        })"""
    )
    assert shown == [["contain", True, True]] * 2


def test_what_is_missing_is_said(open_page):
    page = open_page("__theme=light&checkpoint=published&class=candle")
    page.wait_for_function("document.querySelector('#card').innerText.includes('adaclip fetch')")
    assert "VisA" in page.inner_text("#card")
    page.click("#fetch")
    page.wait_for_function(
        "document.querySelector('#card').innerText.includes('hub cannot be reached')"
    )
    page.click("#detect")
    page.wait_for_selector("text=There is no picture yet")


def test_enter_in_the_name_runs_and_hostile_names_are_only_text(open_page, picture):
    page = open_page()
    drop(page, picture("<img src=x onerror=document.title='hacked'>.png"))
    field = page.locator("#class-name input")
    field.click()
    field.fill("<b>odd</b>")
    field.press("Enter")
    page.wait_for_selector("#verdict .score")
    assert "“<b>odd</b>”" in page.text_content("#verdict")
    assert page.title() == "AdaCLIP Studio"


def test_help_opens_and_closes_with_keys(open_page):
    page = open_page()
    page.keyboard.press("?")
    page.wait_for_selector("#help:not([hidden])")
    page.keyboard.press("Escape")
    page.wait_for_selector("#help", state="hidden")


def test_a_narrow_screen_never_scrolls_sideways(open_page, picture, tmp_path):
    page = open_page(width=390, height=844)
    assert sideways(page) <= 0
    broken = tmp_path / ("a very long name that goes on " * 3 + ".png")
    broken.write_bytes(b"x")
    drop(page, picture(), broken)
    detect(page)
    assert sideways(page) <= 0


def test_the_dark_theme_is_dark(open_page):
    page = open_page("__theme=dark")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(v) for v in re.findall(r"\d+", background)[:3]) < 40
    ink = page.evaluate("getComputedStyle(document.querySelector('.hero h2')).color")
    assert min(int(v) for v in re.findall(r"\d+", ink)[:3]) > 200


_ROWS = "[...document.querySelectorAll('#listing tbody tr')].map(r => r.dataset.index).join()"


def test_a_header_sorts_its_own_table_in_both_tabs(open_page, picture):
    page = open_page()
    drop(page, picture("a.png"), picture("b.png", ()))
    page.click("#tabs button[role=tab]:has-text('Benchmark')")
    overview = "[...document.querySelectorAll('#benchmark tbody th')].map(c => c.innerText).join()"
    header = page.locator("#benchmark button.sort:visible").nth(0)
    header.wait_for()
    before = page.evaluate(overview)
    header.click()
    page.wait_for_function(f"before => {overview} !== before", arg=before)
    page.click("#tabs button[role=tab]:has-text('Detect')")
    page.click("#listing [data-sort='1']")
    page.wait_for_function(f"{_ROWS} === '1,0'")


def test_a_late_answer_never_replaces_newer_pictures(open_page, picture, monkeypatch):
    reached, release = threading.Event(), threading.Event()
    honest = DetectActions.words

    def held(self, batch):
        screen = honest(self, batch)
        if batch.phase == "running" and not reached.is_set():
            reached.set()
            release.wait(60)
        return screen

    monkeypatch.setattr(DetectActions, "words", held)
    page = open_page()
    page.evaluate(
        """window.batches = []; new MutationObserver(() => {
          const shown = document.querySelector('#shown [data-batch]');
          if (shown) batches.push(Number(shown.dataset.batch));
        }).observe(document.querySelector('#shown'), {childList: true, subtree: true})"""
    )
    drop(page, picture("old.png"))
    page.click("#detect")
    assert reached.wait(60)
    drop(page, picture("new.png", ()), picture("other.png", ()))
    page.wait_for_selector("#position .name:text-is('new.png')")
    assert "was stopped" in page.inner_text("#verdict")
    release.set()
    page.wait_for_function(
        "batches.some((b, i) => i && b < batches[i - 1]) && batches.at(-1) === Math.max(...batches)"
    )
    page.wait_for_selector("#verdict .chip.idle:has-text('Ready')")
    assert page.inner_text("#position .name") == "new.png"
    assert page.is_visible("#detect")
    detect(page)
    assert "Normal" in page.inner_text("#verdict")


def test_without_a_mouse(open_page, picture):
    page = open_page()
    drop(page, picture("part.png"), picture("b.png"))
    page.focus("#class-name input")
    page.wait_for_selector("[role=listbox]")
    page.keyboard.press("Tab")
    page.wait_for_selector("[role=listbox]", state="detached")
    detect(page)
    page.wait_for_selector("#viewer img[alt='Heat map of part.png: Anomalous']")
    page.wait_for_selector("#viewer img[alt='part.png: Anomalous']")
    page.get_by_role("button", name="Next picture").press("Enter")
    page.wait_for_selector("#viewer img[alt='Heat map of b.png: Anomalous']")
    grip = page.get_by_role("slider", name="Compare original and result")
    place = int(grip.get_attribute("aria-valuenow"))
    grip.press("ArrowRight")
    now = "Number(document.querySelector('#viewer [role=slider]').ariaValueNow)"
    page.wait_for_function(f"place => {now} > place + 2", arg=place)
    grip.press("Home")
    page.wait_for_selector("#viewer [role=slider][aria-valuenow='0']")
    assert page.inner_text("#position .name") == "b.png"


_BOTTOM = "id => document.getElementById(id).getBoundingClientRect().bottom"


def test_a_batch_is_judged_without_scrolling(open_page, picture):
    page = open_page()
    drop(page, *(picture(f"{n:02}.png", ((0, 0, 20 + n, 90),)) for n in range(12)))
    detect(page)
    page.wait_for_function("document.querySelectorAll('#listing .chip.anomalous').length === 12")
    for part in ("verdict", "viewer", "listing", "under"):
        assert 0 < page.evaluate(_BOTTOM, part) <= 800, part
    page.wait_for_selector("#flag-detect-box .flag-verdicts", state="attached")
    picture_box = page.locator("#viewer").bounding_box()
    list_box = page.locator("#listing").bounding_box()
    assert list_box["x"] >= picture_box["x"] + picture_box["width"] - 2
    assert picture_box["height"] > 300
    page.click("#listing tr[data-index='11']")  # Playwright scrolls the list, not the page
    page.wait_for_selector("#position .name:text-is('11.png')")
    assert page.evaluate("window.scrollY") == 0

    page.click("[data-listing-form]")
    page.wait_for_selector("#listing th:has-text('Seconds')")
    assert page.locator("#listing").bounding_box()["y"] >= page.evaluate(_BOTTOM, "under")
    page.click("[data-listing-form]")
    page.set_viewport_size({"width": 390, "height": 844})
    assert sideways(page) <= 0
    tops = [page.locator(f"#listing tr[data-index='{n}']").bounding_box()["y"] for n in (0, 1)]
    assert abs(tops[0] - tops[1]) < 2  # a strip under the picture
    assert page.locator("#listing").bounding_box()["y"] > page.evaluate(_BOTTOM, "viewer") - 2


def test_the_threshold_can_be_set_as_a_margin(open_page, picture):
    page = open_page()
    drop(page, picture(), picture("b.png", ()))
    detect(page)
    page.wait_for_function("document.querySelectorAll('#listing td.digits').length === 2")
    page.click("#unit label:has-text('Margin')")
    page.wait_for_selector("#margin-threshold")
    assert page.locator("#threshold").count() == 0
    page.wait_for_selector("#verdict .score b:text-matches('^[+]2')")
    page.wait_for_selector("#listing td.digits:text-matches('^[+]2')")
    set_slider(page, "margin-threshold", 8.5)
    page.wait_for_selector("#verdict .verdict.normal")
    assert "although the map marks a region" in page.inner_text("#verdict")
    page.click("#verdict summary")
    assert "lower the picture threshold" in page.inner_text("#verdict")
    page.click("#unit label:has-text('Score')")
    page.wait_for_selector("#threshold input[type=number]")
    assert float(page.input_value("#threshold input[type=number]")) == pytest.approx(
        0.9998, abs=1e-4
    )
    page.click("#reset")
    page.wait_for_selector("#verdict .verdict.anomalous")


def test_the_seventh_page_of_a_browser_loads(chromium, served):
    context = chromium.new_context()
    pages = [context.new_page() for _ in range(7)]
    for page in pages:
        page.goto(f"{served.url}/?__theme=light", timeout=180_000)
        page.wait_for_selector("#detect", timeout=180_000)
    pages[-1].click("#tabs button[role=tab]:has-text('Annotate')")
    context.close()
