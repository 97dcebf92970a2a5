"""Flagging and reviewing as people do it, in a real Chromium: from three uploads to a file."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from adaclip.annotations.store import AnnotationStore
from tests.demo.stub import stub_services, tile
from tests.e2e.browsing import ARGUMENTS, CHROMIUM
from tests.e2e.conftest import launch
from tests.e2e.drawing import contained, start_drawing, stroke
from tests.e2e.test_browser import sideways

pytestmark = pytest.mark.browser
PATIENCE = 90_000
# Drawn at 160 x 120, uploaded at twice that.
BOXES = {"a.png": ((40, 30, 80, 70),), "b.png": ((10, 70, 60, 100),), "calm.png": ()}


@pytest.fixture(scope="module")
def browser() -> Iterator:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


class Server:
    """The page over one annotation folder; it can be stopped and started again."""

    def __init__(self, served: Path, folder: Path) -> None:
        self.served, self.folder = served, folder
        self.page = None

    def start(self, auth: tuple[str, str] | None = None) -> str:
        self.services = stub_services(self.served, annotations=AnnotationStore(self.folder))
        self.page = launch(self.services, auth=auth, private=(self.folder,))
        return self.page.local_url.rstrip("/")

    def stop(self) -> None:
        if self.page is not None:
            self.page.close(verbose=False)
            self.page = None

    @property
    def rows(self) -> list:
        """What another process reads in the folder."""
        return AnnotationStore(self.folder).current()


@pytest.fixture
def server(tmp_path: Path, served) -> Iterator[Server]:
    made = Server(served.services.store.folder, tmp_path / "annotations")
    yield made
    made.stop()


@pytest.fixture
def open_page(browser) -> Iterator:
    contexts, problems = [], []

    def open_(
        url: str, *, context=None, width=1400, height=900, theme="light", scale=1.0, touch=False
    ):
        if context is None:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                has_touch=touch,
            )
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}/?__theme={theme}")
        page.wait_for_selector("#detect")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = []
    for name, boxes in BOXES.items():
        paths.append(tmp_path / name)
        Image.fromarray(tile(boxes)).resize((320, 240)).save(paths[-1])
    return paths


def detect(page, paths: list[Path]) -> None:
    page.set_input_files("#drop input[type=file]", [str(path) for path in paths])
    page.wait_for_selector("#position .name")
    page.click("#detect")
    page.wait_for_function("n => document.querySelectorAll('#listing .quick').length === n", arg=3)
    page.wait_for_selector("#flag-detect .flag:not([hidden])")


def sign(page, name: str = "ann") -> None:
    page.fill("#flag-detect .flag-name", name)
    page.keyboard.press("Enter")


def said(page, text: str, place: str = "detect") -> None:
    page.wait_for_selector(f"#flag-{place}-said .flag-line:has-text('{text}')")


def review(page, name: str | None = None) -> None:
    page.get_by_role("tab", name="Annotate").click()
    if name is not None:
        page.fill("#person input", name)
    page.click("#start-review")
    page.wait_for_selector("#review-look .look")


def stored(server: Server, count: int) -> list:
    rows = server.rows
    assert len(rows) == count
    return rows


def erase_left(page, stage: str) -> None:
    """Rub out the left edge of the predicted region of a.png."""
    page.keyboard.press("e")
    seen = contained(page.locator(stage).bounding_box(), (320, 240))
    stroke(page, seen, (86, 60), (86, 80), (86, 110), (86, 140))


def test_the_whole_story(server, open_page, pictures, tmp_path):
    page = open_page(server.start(), width=420)
    detect(page, pictures)

    # One key without a name asks for it; then one key and a reason are stored at once.
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.className") == "flag-name"
    sign(page)
    page.click(".flag-keep input")
    page.keyboard.press("f")
    said(page, "False alarm")
    page.keyboard.press("Shift+Digit2")
    said(page, "False alarm, reflection")
    [row] = stored(server, 1)
    assert (row.verdict, row.reason_code, row.annotator) == ("FP", "reflection", "ann")
    assert (row.rel_path, row.dataset, row.predicted) == ("a.png", "upload", "ANOM")
    assert row.image_score == pytest.approx(1 - 15 / 255, abs=0.03)

    # The predicted region is there; a part of it is rubbed out, at full resolution.
    start_drawing(page)
    erase_left(page, "#viewer")
    page.keyboard.press("f")  # at once: the verdict itself carries the region
    said(page, "False alarm, reflection, region")
    [row] = stored(server, 1)
    mask = AnnotationStore(server.folder).mask(row)
    assert mask.shape == (240, 320)
    whole = 80 * 80
    assert 0.6 * whole < mask.sum() < 0.95 * whole
    assert not mask[80:120, 83:89].any()
    assert mask[80:120, 120:155].all()

    # Undo, and again.
    page.keyboard.press("u")
    said(page, "Taken back; what you said before counts again")
    [row] = stored(server, 1)
    assert (row.verdict, row.reason_code, row.region_kind) == ("FP", "reflection", "none")
    page.keyboard.press("f")
    said(page, "Saved")
    stored(server, 1)
    page.click("#listing tr[data-index='2'] .quick")
    said(page, "calm.png: Missed defect")
    stored(server, 2)
    page.close()

    # The server starts anew; another browser goes on where the first stopped.
    server.stop()
    page = open_page(server.start())
    detect(page, pictures)
    review(page, "ann")
    assert "2 / 3" in page.inner_text("#counter")
    assert "b.png" in page.inner_text("#review-position")
    page.keyboard.press("4")
    start_drawing(page)
    seen = contained(page.locator("#review-look").bounding_box(), (320, 240))
    stroke(page, seen, (200, 40), (260, 40))
    page.keyboard.press("f")
    page.wait_for_selector("#counter .all-done")
    drawn = next(row for row in server.rows if row.rel_path == "b.png")
    mask = AnnotationStore(server.folder).mask(drawn)
    assert mask[40, 200:260].all()
    assert mask[160, 60]  # the predicted region, which was filled in
    assert not mask[80:120].any()
    assert {r.reason_code for r in stored(server, 3)} == {"reflection", "", "texture"}
    page.keyboard.press("u")
    page.wait_for_selector("#flag-annotate-said .flag-line:has-text('Taken back')")
    assert "b.png" in page.inner_text("#review-position")
    stored(server, 2)
    page.keyboard.press("t")
    page.wait_for_selector("#counter .all-done")

    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as download:
        page.click("#export-tree")
    shutil.copy(download.value.path(), tmp_path / "tree.zip")
    with zipfile.ZipFile(tmp_path / "tree.zip") as archive:
        names = archive.namelist()
    assert any(name.endswith(".png") and "good" in name for name in names)
    with page.expect_download() as download:
        page.click("#export-jsonl")
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines]


def test_keys_act_on_the_visible_tab_only_and_not_while_typing(server, open_page, pictures):
    page = open_page(server.start())
    detect(page, pictures)
    sign(page)
    page.fill("#flag-detect .flag-comment", "")
    page.locator("#flag-detect .flag-comment").press_sequentially("ftnsub 123")
    page.locator("#class-name input").press_sequentially("f")
    page.wait_for_timeout(300)
    stored(server, 0)
    page.locator("#class-name input").blur()
    page.keyboard.press("2")  # still the views of the Detect tab
    page.wait_for_function("document.querySelector('#view input:checked').value === 'contours'")

    review(page)
    page.keyboard.press("1")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('#review-position').innerText.includes('2 / 3')")
    page.keyboard.press("h")
    page.wait_for_selector("#review-ground .bare")
    page.keyboard.press("?")
    page.wait_for_selector("#help:not([hidden])")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    stored(server, 0)
    page.keyboard.press("s")
    page.wait_for_selector("#flag-annotate-said .flag-line:has-text('Not sure')")
    [row] = stored(server, 1)
    assert (row.verdict, row.queue_policy) == ("unsure", "highest-score")
    page.get_by_role("tab", name="Detect").click()
    page.wait_for_selector("#view input:checked")
    assert page.evaluate("document.querySelector('#view input:checked').value") == "contours"
    assert "1 / 3" in page.inner_text("#position")


def test_two_tabs_with_the_same_picture_and_html_in_a_comment(server, open_page, pictures):
    url = server.start()
    first = open_page(url)
    second = open_page(url, context=first.context)
    for page in (first, second):
        detect(page, pictures)
    sign(first)
    second.wait_for_function("document.querySelector('#flag-detect .flag-name').value === 'ann'")
    assert second.input_value("#flag-detect .flag-name") == "ann"

    first.fill("#flag-detect .flag-comment", "<img src=x onerror=document.title='hacked'>")
    first.locator("#flag-detect .flag-comment").blur()
    first.bring_to_front()
    first.keyboard.press("f")
    said(first, "False alarm")
    second.bring_to_front()
    second.keyboard.press("t")
    said(second, "was judged in your name")
    [row] = stored(server, 1)
    assert row.verdict == "FP"
    second.keyboard.press("t")
    said(second, "Correct alarm")
    [row] = stored(server, 1)
    assert (row.verdict, row.comment) == ("TP", "<img src=x onerror=document.title='hacked'>")

    second.get_by_role("tab", name="Annotate").click()
    second.get_by_role("tab", name="All annotations").click()
    second.wait_for_selector("#all-annotations .comment:has-text('<img src=x')")
    assert second.title() == "AdaCLIP Studio"
    second.click("#all-annotations tr[data-event]")
    second.click("#edit-retract")
    second.wait_for_selector("#all-annotations :text('No annotation matches')")
    stored(server, 0)


def test_blind_review_hides_what_was_predicted_until_it_is_judged(server, open_page, pictures):
    page = open_page(server.start())
    detect(page, pictures)
    review(page, "bob")
    assert page.locator("#review-look .heat").count() == 1
    page.get_by_label("Blind").check()
    page.wait_for_selector("#review-look .look.plain")
    assert "score" not in page.inner_text("#facts")
    assert page.locator("#flag-annotate [data-key=t]:visible").count() == 0
    page.get_by_label("Next picture after").uncheck()
    page.wait_for_timeout(400)
    page.keyboard.press("n")
    page.wait_for_selector("#review-look .heat")
    assert "0.9" in page.inner_text("#facts")
    [row] = stored(server, 1)
    assert (row.verdict, row.queue_policy) == ("TP", "highest-score+blind")


def test_a_narrow_screen_never_scrolls_sideways(server, open_page, pictures):
    page = open_page(server.start(), width=390, theme="dark")
    detect(page, pictures)
    assert sideways(page) <= 0
    review(page, "ann")
    assert sideways(page) <= 0


def test_nothing_of_the_annotations_is_served(server, tmp_path):
    url = server.start(auth=("ann", "secret"))
    store = server.services.annotations
    secret = server.folder / "masks" / "x.png"
    secret.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(secret)
    files = [secret, *(path for path in server.folder.rglob("*") if path.is_file())]
    with httpx.Client(base_url=url) as anyone:
        for path in files:
            assert anyone.get(f"/gradio_api/file={path}").status_code == 401
        assert anyone.get("/config").status_code == 401
        assert anyone.get("/gradio_api/info").status_code == 401
        assert anyone.post("/gradio_api/upload", files={"files": b"x"}).status_code == 401
        for call in ("queue/join", "run/predict", "call/detect", "api/predict"):
            body = {"data": [], "fn_index": 0, "session_hash": "x"}
            answer = anyone.post(f"/gradio_api/{call}", json=body)
            assert answer.status_code in (401, 404, 405), call
        assert anyone.get("/gradio_api/queue/data?session_hash=x").status_code == 401
        assert anyone.post("/login", data={"username": "ann", "password": "secret"}).is_success
        for path in files:
            for name in (str(path), f"{path.parent}/../{path.parent.name}/{path.name}"):
                assert anyone.get(f"/gradio_api/file={name}").status_code == 403
    assert store is not None
