"""Charts and what a click on them opens: colours that stay, widths that fit, seen at once."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.e2e.browsing import PATIENCE, watched
from tests.e2e.test_benchmark_browser import (
    click_cell,
    marker,
    page_with_runs,
    shots,
    wait_for,
)
from tests.e2e.test_browser import set_slider

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, served) -> Iterator[str]:
    with page_with_runs(tmp_path_factory.mktemp("charts"), served) as address:
        yield address


@pytest.fixture
def open_page(chromium, url) -> Iterator:
    with watched(chromium, url, patience=2 * PATIENCE) as open_:
        yield open_


def orange(page, chart: str = "chart-histogram") -> int:
    """How many pixels of a chart are of the anomalous series' colour."""
    shot = page.locator(f"#{chart}").screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return int(((red - blue > 60) & (red - green > 40)).sum())


def overlaps(page) -> list:
    """(card, its chart's width, the room for it) of every visible chart that does not fit."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#tabs .js-plotly-plot")]
          .filter((plot) => plot.offsetParent)
          .map((plot) => [plot.closest(".chart"), plot.querySelector(".main-svg")])
          .map(([card, svg]) => [card, svg.getBoundingClientRect(),
            card.getBoundingClientRect(), card.parentElement.getBoundingClientRect()])
          .filter(([, svg, card, room]) => svg.right > card.right || card.right > room.right + 1)
          .map(([card, svg, box, room]) => [card.id, svg.width, box.width, room.width])"""
    )


def click_bar(page, trace: int) -> None:
    """Click the highest bar of the histogram's normal (0) or anomalous (1) series."""
    place = page.evaluate(
        """(trace) => {
          const plot = document.querySelector("#chart-histogram .js-plotly-plot");
          plot.scrollIntoView({ block: "center" });
          const box = plot.querySelector(".nsewdrag").getBoundingClientRect();
          const { xaxis, yaxis } = plot._fullLayout;
          const { x, y } = plot._fullData[trace];
          const at = [...y].indexOf(Math.max(...y));
          return [box.left + xaxis.l2p(x[at]), box.top + yaxis.l2p(y[at] / 2)];
        }""",
        trace,
    )
    page.mouse.move(place[0] - 2, place[1])
    page.mouse.move(*place)
    page.wait_for_timeout(250)
    page.mouse.down()
    page.mouse.up()


IN_VIEW = """([selector]) => {
  const box = [...document.querySelectorAll(selector)].find((one) => one.offsetParent)
    ?.getBoundingClientRect();
  return box && box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
}"""


def test_the_anomalous_series_keeps_its_colour_and_a_click_shows_what_it_opens(open_page):
    page = open_page("tab=benchmark&view=run&run=lite-box")
    page.wait_for_selector("#chart-pr .scatterlayer")
    wait_for(page, "() => document.querySelectorAll('#bench-gallery .shot').length === 20")
    before = orange(page)
    assert before > 500

    set_slider(page, "bench-threshold", 0.2)
    wait_for(page, "() => location.search.includes('threshold=0.2')")
    assert orange(page) == pytest.approx(before, rel=0.1)

    click_bar(page, 1)  # its pictures: their heading and the first of them are in view, with focus
    wait_for(page, "() => location.search.includes('scores=')")
    for part in ("#bench-gallery h3", "#bench-gallery .shot"):
        wait_for(page, IN_VIEW, part)
    assert "anomalous" in page.evaluate("document.activeElement.innerText")
    assert orange(page) == pytest.approx(before, rel=0.1)
    page.click("#bench-gallery .pill.chosen")
    wait_for(page, "() => document.querySelectorAll('#bench-gallery .shot').length === 20")

    click_cell(page, "chart-confusion", 1, 0)
    wait_for(page, "() => location.search.includes('outcome=tp')")
    wait_for(page, IN_VIEW, "#bench-gallery .shot.tp")
    opened = shots(page)[-1]
    page.click("#bench-gallery .shot >> nth=-1")
    page.wait_for_selector("#bench-inspector figure:nth-child(3) img")
    wait_for(page, IN_VIEW, "#bench-inspector .inspect")
    assert page.evaluate("document.activeElement.dataset.image") == opened
    page.keyboard.press("Escape")
    wait_for(page, "([path]) => document.activeElement.dataset.path === path", opened)
    wait_for(page, IN_VIEW, f"#bench-gallery .shot[data-path='{opened}']")
    assert page.locator("svg [style*='url(\"http'], svg [clip-path*='http']").count() == 0


def test_charts_drawn_while_hidden_fit_and_colours_stay_after_show(open_page):
    page = open_page("tab=benchmark&view=run&run=lite-box")
    page.wait_for_selector("#chart-pr .scatterlayer")
    before = orange(page)
    views = page.locator("#bench-views")
    views.get_by_role("tab", name="Results").click()
    page.wait_for_selector("#chart-tradeoff .scatterlayer")
    assert overlaps(page) == []
    # A number leads to another run: One run's charts are drawn before they are seen.
    page.click("#bench-table button[data-patch*='mvtec-box']:text-is('Open')")
    wait_for(page, "() => location.search.includes('run=mvtec-box')")
    page.wait_for_selector("#chart-heat .heatmaplayer")
    wait_for(page, IN_VIEW, "#bench-run-choice")
    page.wait_for_timeout(300)
    assert overlaps(page) == []
    views.get_by_role("tab", name="Measure").click()
    page.wait_for_selector("#bench-start")
    page.set_viewport_size({"width": 1000, "height": 900})
    views.get_by_role("tab", name="One run").click()
    page.wait_for_selector("#chart-heat .heatmaplayer")
    page.wait_for_timeout(500)
    assert overlaps(page) == []
    assert orange(page) > before / 2


def test_a_row_of_two_runs_shows_both_maps_and_thresholds_can_be_of_equal_false_alarms(open_page):
    page = open_page("tab=benchmark&view=compare&run=lite-box&against=mvtec-box")
    page.wait_for_selector("#bench-comparison .changes button")
    assert "each run at its own threshold" in page.inner_text(".bench-changed")
    page.locator("#bench-comparison .cuts").get_by_role("button", name="20 %").click()
    page.wait_for_selector(".bench-changed:has-text('equal false alarms')")
    assert "cuts=equal&alarms=0.2" in page.url
    cells = page.locator("#bench-comparison .cuts tbody tr").nth(1).locator("td").all_inner_texts()
    assert cells[2:4] == ["20.0 % (2 of 10)"] * 2
    lines = page.text_content("#chart-agreement")
    assert f"A's threshold {cells[0]}" in lines
    assert f"B's threshold {cells[1]}" in lines

    row = page.locator("#bench-comparison .changes button").first
    path = row.inner_text()
    row.click()
    for place in (1, 2, 3, 4):
        page.wait_for_selector(f"#bench-pair figure:nth-child({place}) img")
    wait_for(page, IN_VIEW, "#bench-pair .inspect")
    assert page.evaluate("document.activeElement.dataset.image") == path
    heads = page.locator("#bench-pair figcaption b").all_inner_texts()
    assert heads == ["Picture", "A: lite on box", "B: mvtec on box", "Truth"]
    page.keyboard.press("ArrowRight")
    wait_for(
        page,
        "([path]) => document.querySelector('#bench-pair .inspect')?.dataset.image !== path",
        path,
    )
    page.locator("#bench-pair").get_by_role("button", name="Open under B").click()
    page.wait_for_selector("#bench-inspector .inspect[data-run=mvtec-box]")


def test_the_margins_scale_moves_line_and_slider_and_stays_in_the_address(open_page):
    page = open_page("tab=benchmark&view=run&run=lite-box&threshold=0.9")
    page.wait_for_selector("#chart-pr .scatterlayer")
    page.locator("#bench-scale").get_by_text("Margin").click()
    wait_for(page, "() => location.search.includes('scale=margin')")
    page.wait_for_selector("#chart-histogram :text('margin (log-odds of the score)')")
    assert marker(page) == "2.20 (score 0.900)"
    number = "#bench-threshold input[type=number]"
    assert page.input_value(number) == "2.2"
    before = page.text_content("#chart-confusion")
    set_slider(page, "bench-threshold", -1)
    wait_for(
        page, "([text]) => document.querySelector('#chart-confusion').textContent !== text", before
    )
    assert marker(page) == "-1.00 (score 0.269)"
    line = "document.querySelector('#chart-histogram .js-plotly-plot').layout.shapes[0].x0"
    assert page.evaluate(line) == pytest.approx(-1)
    assert "threshold=0.2689" in page.url
    page.reload()
    page.wait_for_selector("#chart-histogram :text('margin (log-odds of the score)')")
    assert page.input_value(number) == "-1"
    assert orange(page) > 300
