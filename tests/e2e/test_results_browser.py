"""The Results page of the Benchmark tab in a real Chromium: each control is pressed and seen."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.demo import benches
from tests.e2e.browsing import PATIENCE, watched
from tests.e2e.conftest import launched

pytestmark = pytest.mark.browser
PANEL = "#bench-panel:popover-open"
DRAWN = "#chart-bars .barlayer .point path"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, served) -> Iterator[str]:
    """The published results as shipped, and a run of a part of MVTec AD."""
    from tests.demo.stub import stub_services

    runs = tmp_path_factory.mktemp("results") / "runs"
    run = benches.some_run("part", dataset="mvtec", title="Lite on a part")
    benches.written(benches.with_intervals(run, 0.05, 0.01), runs)
    services = stub_services(served.services.store.folder, run_roots=(runs,))
    with launched(services, [runs]) as address:
        yield address


@pytest.fixture
def open_page(chromium, url) -> Iterator:
    with watched(chromium, url, patience=2 * PATIENCE) as open_:
        yield open_


def address(page, name: str) -> str:
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def first_names(page, count: int = 2) -> list[str]:
    return page.locator(".overview tbody .name button").all_inner_texts()[:count]


def beside(page, clicked) -> bool:
    """Whether the panel is within the window and touches, but for a small gap, what was clicked."""
    panel, anchor = page.locator(PANEL).bounding_box(), clicked.bounding_box()
    size = page.viewport_size
    inside = panel["x"] >= 0 and panel["x"] + panel["width"] <= size["width"]
    inside &= panel["y"] >= 0 and panel["y"] + panel["height"] <= size["height"]
    apart = max(
        panel["x"] - anchor["x"] - anchor["width"],
        anchor["x"] - panel["x"] - panel["width"],
        panel["y"] - anchor["y"] - anchor["height"],
        anchor["y"] - panel["y"] - panel["height"],
    )
    return inside and apart <= 24


def choose(page, box: str, text: str) -> None:
    """Pick an entry of a dropdown by typing its name."""
    entry = page.locator(f"#{box} input").first
    entry.click()
    entry.fill(text)
    page.locator("[role=listbox] [role=option]", has_text=text).first.click()


def bar(page, trace: int, dataset: int) -> tuple[float, float]:
    """Where the middle of a bar is on the screen."""
    page.locator("#chart-bars").scroll_into_view_if_needed()
    path = page.locator(f"#chart-bars .barlayer .trace >> nth={trace}").locator(".point path")
    box = path.nth(dataset).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_number_a_name_and_a_bar_open_beside_what_was_clicked(open_page):
    page = open_page("tab=benchmark")
    page.wait_for_selector(DRAWN)
    for selector, said in (
        (".overview td.best .cell", "Source: paper"),
        (".overview td.measured .cell[data-run]", "120 of 1,725 pictures"),
        ("[data-card=visa]", "CC BY 4.0"),
        (".measured-runs .cell", "95 % interval"),
    ):
        clicked = page.locator(selector).first
        clicked.click()
        page.wait_for_selector(f"{PANEL}:has-text('{said}')")
        assert beside(page, clicked), selector
        page.keyboard.press("Escape")
        page.wait_for_selector(PANEL, state="detached")

    at = bar(page, 0, 1)
    page.mouse.move(at[0] - 2, at[1])
    page.mouse.move(*at)
    page.wait_for_timeout(250)
    page.mouse.click(*at)
    page.wait_for_selector(f"{PANEL}:has-text('AdaCLIP on VisA: image AUROC 85.8')")
    panel = page.locator(PANEL).bounding_box()
    assert abs(panel["x"] - at[0]) < 24 or abs(panel["x"] + panel["width"] - at[0]) < 24
    page.keyboard.press("Escape")

    with page.expect_download() as saved:
        page.click("[data-png=chart-bars]")
    assert saved.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert saved.value.suggested_filename == "adaclip-bars.png"


def test_headers_sort_and_choices_limit_table_chart_and_address(open_page):
    page = open_page("tab=benchmark")
    page.wait_for_selector(DRAWN)
    assert first_names(page) == ["MVTec AD", "VisA"]
    page.click(".overview thead [data-sort='WinCLIP|adaclip|0']")
    page.wait_for_function("() => location.search.includes('sort=WinCLIP')")
    page.wait_for_selector(".overview [aria-sort=descending]")
    assert first_names(page) == ["DTD-Synthetic", "KolektorSDD"]

    choose(page, "bench-baseline", "WinCLIP")
    page.wait_for_selector(".overview tfoot:has-text('Won')")
    assert address(page, "baseline") == "WinCLIP|adaclip|0"
    assert "\u22122.6" in page.inner_text(".overview tbody")  # AdaCLIP on MVTec AD

    for name in ("AdaCLIP", "SAA"):
        choose(page, "bench-methods", name)
        page.wait_for_function("(name) => location.search.includes(`${name}%7C`)", arg=name)
    page.wait_for_function("() => document.querySelectorAll('.overview thead .sort').length === 3")
    drawn = "document.querySelector('#chart-bars .js-plotly-plot').data.length"
    page.wait_for_function(f"() => {drawn} === 2")
    there = page.url
    page.goto(there)
    page.wait_for_selector(DRAWN)
    assert page.locator(".overview thead .sort").count() == 3
    assert page.evaluate(drawn) == 2


def test_what_is_missing_leads_to_the_page_that_measures_it(open_page):
    page = open_page("tab=benchmark", 390, 844)
    page.wait_for_selector(DRAWN)
    page.locator(".overview .cell[data-measure=visa]").first.click()
    page.locator(f"{PANEL} [data-measure=visa]").click()
    page.wait_for_selector("#bench-start", state="visible")
    page.wait_for_selector("#bench-problems:has-text('VisA is not on this server')")
    assert address(page, "view") == "measure"
