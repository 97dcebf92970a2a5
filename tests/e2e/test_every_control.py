"""Every control of the page that has an id is used in a real browser, and its effect is seen.

Those that other files of this folder do not use are used here, a tab at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browsing import PATIENCE, watched
from tests.e2e.test_benchmark_browser import page_with_runs

pytestmark = pytest.mark.browser
# What is not clicked yet, and why; this list may only become shorter.
NOT_CLICKED = {
    "fetch-cancel": "needs a hub that answers slowly",
    "bench-keep-maps": "its effect is a folder of a finished run",
    "bench-checkpoint": "its effect is a run by a second checkpoint",
    "opacity": "a slider without a number field",
    "who": "lists people, of whom the tests have one",
    "other-run": "shown for runs only",
    "seed": "shown for the random order only",
    "advance": "its effect is the next picture after a verdict, which is its default",
    "dataset-filter": "shown for runs of several datasets",
    "class-filter": "shown for runs of several classes",
    "find_who": "lists people, of whom the tests have one",
    "page-newer": "needs more annotations than a page holds",
    "page-older": "needs more annotations than a page holds",
    "review-previous": "the arrow key that presses it is used",
    "review-next": "the arrow key that presses it is used",
    "export-csv": "like export-jsonl, which is used",
    "export-coco": "like export-jsonl, which is used",
    "benchmark-too": "needs annotations of benchmark images",
    "annotate-person": "is hidden; carries the name from the person's field",
    "stop-review": "shown while a folder is being judged",
    "edit-verdict": "used by its label, in the panel of a row",
    "edit-reason": "used by its label, in the panel of a row",
    "find_verdict": "filters a table of one verdict here",
    "find_reason": "filters a table of one verdict here",
}
INPUTS = ("Button", "Slider", "Radio", "Dropdown", "Checkbox", "Textbox", "Number", "UploadButton")


def changed(page: Any, selector: str, act: Callable[[], Any]) -> None:
    """What `act` does is seen: the element is not what it was."""
    before = page.evaluate("s => document.querySelector(s).innerHTML", selector)
    act()
    page.wait_for_function(
        "([s, before]) => document.querySelector(s).innerHTML !== before",
        arg=[selector, before],
    )


def downloaded(page: Any, button: str) -> Path:
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.path()


def slide(page: Any, element_id: str, value: float) -> None:
    field = page.locator(f"#{element_id} input[type=number]")
    field.fill(str(value))
    field.press("Enter")
    field.blur()


def choose(page: Any, element_id: str, number: int) -> None:
    """The entry of a dropdown, counted from 0."""
    page.click(f"#{element_id} input")
    page.locator("[role=listbox] [role=option]").nth(number).click()


def test_every_control_is_used_in_a_browser_or_says_why_not(tmp_path: Path) -> None:
    from demo.ui import build_ui
    from tests.demo.stub import stub_services

    page = build_ui(stub_services(tmp_path))
    ids = {
        str(block.elem_id)
        for block in page.blocks.values()
        if type(block).__name__ in INPUTS and getattr(block, "elem_id", None)
    }
    files = sorted(Path(__file__).parent.glob("*.py"))
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    code = re.sub(r"NOT_CLICKED = \{.*?\n\}", "", code, flags=re.S)
    assert len(ids) > 60
    unused = {name for name in ids if not re.search(rf"(?<![\w-]){name}(?![\w-])", code)}
    assert unused == set(NOT_CLICKED)


def test_the_controls_of_detect(chromium, served, picture) -> None:
    with watched(chromium, served.url, patience=2 * PATIENCE) as open_:
        page = open_()
        names = ("a.png", "b.png")
        page.set_input_files("#drop input[type=file]", [str(picture(name)) for name in names])
        page.click("#detect")
        page.wait_for_selector("#verdict .score")
        page.wait_for_selector("#detect")
        changed(page, "#position", lambda: page.click("#next"))
        changed(page, "#position", lambda: page.click("#previous"))
        changed(page, "#regions", lambda: slide(page, "min-area", 5))
        page.click("#more button")
        changed(page, "#legend", lambda: page.locator("#colour-map label").nth(1).click())
        for kind in ("get-overlay", "get-mask", "get-map16", "get-margin", "get-zip"):
            assert downloaded(page, f"#{kind}").stat().st_size > 100


@pytest.fixture(scope="module")
def with_runs(tmp_path_factory: pytest.TempPathFactory, served) -> Iterator[str]:
    with page_with_runs(tmp_path_factory.mktemp("controls"), served) as address:
        yield address


def test_the_controls_of_benchmark(chromium, with_runs) -> None:
    with watched(chromium, with_runs, patience=2 * PATIENCE) as open_:
        page = open_("tab=benchmark&view=results")
        page.wait_for_selector("#bench-table table")
        for control in ("bench-level", "bench-metric"):
            other = page.locator(f"#{control} label").nth(1)
            changed(page, "#bench-table", other.click)
        changed(page, "#bench-table", lambda: choose(page, "bench-domain", 2))
        changed(page, "#bench-table", lambda: choose(page, "bench-protocol", 1))
        changed(page, "#bench-table", lambda: choose(page, "bench-datasets", 0))
        page.keyboard.press("Escape")
        page.click("#bench-views button[role=tab]:has-text('One run')")
        page.wait_for_selector("#chart-histogram .js-plotly-plot")
        changed(page, "#bench-gallery", lambda: slide(page, "bench-threshold", 0.2))
        changed(page, "#bench-gallery", lambda: page.click("#bench-reset"))
        for kind in ("bench-get-zip", "bench-get-json", "bench-get-csv"):
            assert downloaded(page, f"#{kind}").stat().st_size > 100
        page.click("#bench-views button[role=tab]:has-text('Two runs')")
        changed(page, "#bench-comparison", lambda: choose(page, "bench-run-a", 1))
        changed(page, "#bench-comparison", lambda: choose(page, "bench-run-b", 2))
        changed(page, "#bench-comparison", page.locator("#bench-compared label").nth(1).click)
