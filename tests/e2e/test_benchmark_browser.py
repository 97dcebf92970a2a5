"""The Benchmark tab as a visitor sees it, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.demo import benches
from tests.demo.stub import tile
from tests.e2e.browsing import PATIENCE, watched
from tests.e2e.conftest import launched
from tests.e2e.test_browser import set_slider, sideways

pytestmark = pytest.mark.browser

BOX = (30, 20, 60, 50)
CLASSES = {"tile": 6, "metal_nut": 4}


def write_pictures(root: Path) -> None:
    """Two objects; anomalous pictures have a dark box, which is their mask."""
    for name, count in CLASSES.items():
        for index in range(count):
            for kind, boxes in (("good", []), ("dent", [BOX])):
                path = root / name / "test" / kind / f"{index:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(tile(boxes, (60, 90))).save(path)
                mask = np.zeros((60, 90), np.uint8)
                mask[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
                if boxes:
                    mask_path = root / name / "ground_truth" / kind / f"{index:03d}_mask.png"
                    mask_path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mask).save(mask_path)


def rows_of(dataset: str, shift: float) -> pd.DataFrame:
    """Scores from 0.1 to 0.9 for normal and anomalous pictures alike, anomalous ones higher."""
    tables = []
    for name, count in CLASSES.items():
        steps = np.linspace(-2, 1, count)
        table = benches.image_rows(dataset, name, steps, steps + 1.2 + shift)
        kinds = ["good"] * count + ["dent"] * count
        table["rel_path"] = [
            f"{name}/test/{kind}/{i % count:03d}.png" for i, kind in enumerate(kinds)
        ]
        table["width"], table["height"] = 90, 60
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def write_runs(runs: Path, data: Path) -> None:
    """Two of the pictures, one of an empty set, one of normal pictures alone, a broken one."""
    for run_id, shift, date in (("lite-box", 0.0, "05"), ("mvtec-box", 0.8, "04")):
        run = benches.run_of(
            rows_of("box", shift),
            run_id,
            run_id.split("-")[0],
            title=f"{run_id.split('-')[0]} on box",
            data_root=str(data / "box"),
            created_utc=f"2026-11-{date}T00:00:00Z",
        )
        benches.written(run, runs)
    normal = benches.image_rows("calm", "cloth", np.linspace(-1, 1, 8), np.zeros(0))
    calm = benches.run_of(normal, "calm", title="calm", created_utc="2026-11-03")
    why = dict.fromkeys(("auroc", "average_precision", "max_f1", "aupro"), "no masks in calm")
    pixels = dict.fromkeys(("auroc", "average_precision", "max_f1")) | {"undefined": why}
    classes = [
        {**one, "pixel_level": pixels, "aupro": None} for one in calm.results.to_json()["classes"]
    ]
    benches.written(benches.replaced(calm, classes=classes), runs)
    nothing = benches.run_of(
        normal.iloc[:0], "nothing", title="nothing", created_utc="2026-11-02", dataset="nothing"
    )
    benches.written(nothing, runs)
    (runs / "broken").mkdir()
    (runs / "broken" / "results.json").write_text("{")


@contextmanager
def page_with_runs(folder: Path, served) -> Iterator[str]:
    """The address of a page with these runs, in the process of the other browser tests."""
    from tests.demo.stub import stub_services

    write_pictures(folder / "data" / "box")
    write_runs(folder / "runs", folder / "data")
    services = stub_services(
        served.services.store.folder,
        run_roots=(folder / "runs",),
        data_roots=(folder / "data",),
    )
    with launched(services, [folder / "runs"]) as address:
        yield address


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, served) -> Iterator[str]:
    with page_with_runs(tmp_path_factory.mktemp("benchmark"), served) as address:
        yield address


@pytest.fixture
def open_page(chromium, url) -> Iterator:
    with watched(chromium, url, patience=2 * PATIENCE) as open_:
        yield open_


def shots(page) -> list[str]:
    return page.eval_on_selector_all("#bench-gallery .shot", "all => all.map(s => s.dataset.path)")


def wait_for(page, script: str, *arguments) -> None:
    page.wait_for_function(script, arg=list(arguments))


def marker(page) -> str:
    """The threshold's label in the histogram."""
    return page.text_content("#chart-histogram .annotation-text")


def operating_points(page) -> list[str]:
    script = "(id) => document.querySelector(`#${id} .js-plotly-plot`).data.at(-1).x[0]"
    return [page.evaluate(script, name) for name in ("chart-roc", "chart-pr")]


def click_cell(page, chart: str, column: int, row: int) -> None:
    """Click the middle of a heat map's cell, counted from the left and from the bottom."""
    place = page.evaluate(
        """([id, column, row]) => {
          const plot = document.querySelector(`#${id} .js-plotly-plot`);
          plot.scrollIntoView({ block: "center" });
          const box = plot.querySelector(".nsewdrag").getBoundingClientRect();
          const { xaxis, yaxis } = plot._fullLayout;
          return [box.left + xaxis.c2p(column), box.top + yaxis.c2p(row)];
        }""",
        [chart, column, row],
    )
    page.mouse.move(place[0] - 3, place[1])
    page.mouse.move(*place)
    page.wait_for_timeout(250)
    page.mouse.down()
    page.mouse.up()


def test_a_threshold_moves_every_widget_and_a_square_shows_its_pictures(open_page):
    page = open_page("tab=benchmark&run=lite-box&outcome=fp")
    page.wait_for_selector("#chart-pr .scatterlayer")
    wait_for(page, "() => document.querySelectorAll('#bench-gallery .shot').length > 0")
    before = (marker(page), page.text_content("#chart-confusion"), operating_points(page))
    alarms = shots(page)
    assert before[0] == "0.500"
    assert alarms
    assert all("/good/" in path for path in alarms)

    set_slider(page, "bench-threshold", 0.2)
    wait_for(
        page, "([n]) => document.querySelectorAll('#bench-gallery .shot').length > n", len(alarms)
    )
    after = (marker(page), page.text_content("#chart-confusion"), operating_points(page))
    assert after[0] == "0.200"
    assert after[1] != before[1]
    assert all(a != b for a, b in zip(after[2], before[2], strict=True))
    assert "threshold=0.2" in page.url

    click_cell(page, "chart-confusion", 0, 0)  # missed
    wait_for(page, "() => location.search.includes('outcome=fn')")
    wait_for(page, "() => !document.querySelector('#bench-gallery .shot:not(.fn)')")


def test_a_cell_shows_exactly_its_pictures_and_back_undoes_it(open_page):
    page = open_page("tab=benchmark")
    page.wait_for_selector("#bench-table table.overview")
    assert "1 file could not be read" in page.inner_text("#bench-problems")
    assert "results.json" in page.text_content("#bench-problems")
    page.get_by_role("tab", name="One run").click()
    page.wait_for_selector("#chart-heat .heatmaplayer")
    wait_for(page, "() => document.querySelectorAll('#bench-gallery .shot').length === 20")
    plot = "document.querySelector('#chart-heat .js-plotly-plot')"
    names = page.evaluate(f"{plot}.data[0].customdata.map((row) => row[0].class)")
    click_cell(page, "chart-heat", 0, names.index("metal_nut"))
    wait_for(page, "() => document.querySelectorAll('#bench-gallery .shot').length === 8")
    assert all(path.startswith("metal_nut/") for path in shots(page))
    assert "class=metal_nut" in page.url
    page.wait_for_selector("#bench-gallery .shot img[src^='data:image/jpeg']")

    page.go_back()
    wait_for(page, "() => document.querySelectorAll('#bench-gallery .shot').length === 20")
    page.go_forward()
    wait_for(page, "() => document.querySelectorAll('#bench-gallery .shot').length === 8")


def test_a_link_restores_the_picture_and_arrows_lead_on(open_page):
    page = open_page(
        "tab=benchmark&run=lite-box&class=tile&threshold=0.4&outcome=tp"
        "&image=tile/test/dent/005.png"
    )
    page.wait_for_selector(".looks figure:nth-child(3) img")
    page.wait_for_selector(".looks figure:nth-child(2) img")
    said = page.inner_text(".inspect")
    assert "tile/test/dent/005.png" in said
    assert "of 5 detected anomalies of tile at threshold 0.400" in said
    assert page.locator(".looks img").count() == 3
    assert page.input_value("#bench-threshold input[type=number]") == "0.4"
    assert page.input_value("#bench-class input") == "tile"

    page.locator("#bench-gallery").hover()
    page.keyboard.press("ArrowLeft")
    wait_for(page, "() => !location.search.includes('005')")
    page.reload()
    page.wait_for_selector(".looks figure:nth-child(3) img")
    assert "004.png" in page.inner_text(".inspect")
    page.keyboard.press("Escape")
    wait_for(page, "() => !document.querySelector('.inspect')")


def test_single_class_mask_less_and_empty_runs_say_why(open_page):
    page = open_page("tab=benchmark&run=calm")
    page.wait_for_selector("#chart-histogram .barlayer")
    assert "no anomalous images" in page.text_content("#chart-roc")
    assert "n/a" in page.text_content("#chart-heat")
    plot = "document.querySelector('#chart-heat .js-plotly-plot').data[0]"
    assert "no masks in calm" in page.evaluate(f"{plot}.hovertext.flat().join()")
    page.goto(page.url.split("?")[0] + "?tab=benchmark&run=nothing")
    page.wait_for_selector("#bench-gallery .bench-empty")
    wait_for(page, "() => document.querySelector('#chart-histogram').textContent.includes('n/a')")
    assert "no images" in page.text_content("#chart-histogram")


def test_runs_without_a_shared_picture_have_no_empty_charts(open_page):
    address = "tab=benchmark&run=lite-box&view=compare&against="
    page = open_page(address + "calm")
    page.wait_for_selector("#bench-versus .notice")
    assert not page.is_visible("#card-deltas")
    page.goto(f"{page.url.split('?')[0]}?{address}mvtec-box")
    page.wait_for_selector("#card-deltas .scatterlayer .point")
    assert page.is_visible("#card-agreement")


@pytest.mark.parametrize("width", [390, 1400])
def test_dark_labels_are_readable_and_nothing_is_wider_than_the_screen(open_page, width):
    page = open_page("tab=benchmark&run=lite-box&__theme=dark", width, 850)
    page.wait_for_selector("#chart-histogram .xtick text")
    contrast = page.evaluate(
        """() => {
          const light = (colour) => {
            const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => {
              const c = v / 255;
              return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const of = (s, name) => getComputedStyle(document.querySelector(s))[name];
          const ground = light(of("#card-histogram", "backgroundColor"));
          return ["#chart-histogram .xtick text", "#chart-histogram .xtitle",
                  "#chart-heat .ytick text", "#chart-roc .legendtext"].map((s) => {
            const text = light(of(s, "fill"));
            const [a, b] = [Math.max(text, ground), Math.min(text, ground)];
            return (a + 0.05) / (b + 0.05);
          });
        }"""
    )
    assert min(contrast) > 4.5
    assert sideways(page) <= 0
