"""Measuring, importing, exporting and pinning by clicks, in a real Chromium."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.demo.stub import stub_services
from tests.e2e.browsing import PATIENCE, watched
from tests.e2e.conftest import launched
from tests.e2e.test_benchmark_browser import CLASSES, write_pictures, write_runs

pytestmark = pytest.mark.browser

PICTURES = 2 * sum(CLASSES.values())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, served) -> Iterator[tuple[str, Path, object]]:
    """(address, folder with data/ and runs/, services) of a page with a slow model."""
    folder = tmp_path_factory.mktemp("measure")
    write_pictures(folder / "data" / "box")
    write_runs(folder / "runs", folder / "data")
    services = stub_services(
        served.services.store.folder,
        seconds=0.4,
        run_roots=(folder / "runs",),
        data_roots=(folder / "data",),
    )
    with launched(services, [folder / "runs"]) as address:
        yield address, folder, services


@pytest.fixture
def open_page(chromium, place) -> Iterator:
    with watched(chromium, place[0], patience=2 * PATIENCE) as open_:
        yield open_


def choose(page, element_id: str, name: str) -> None:
    page.click(f"#{element_id} input")
    page.get_by_role("option", name=name).click()


def saved(page, button: str) -> Path:
    with page.expect_download() as waiting:
        page.click(button)
    return waiting.value.path()


def bring(page, path: Path) -> None:
    with page.expect_file_chooser() as waiting:
        page.click("#bench-upload")
    waiting.value.set_files(str(path))


def test_measure_cancel_resume_and_the_run_is_in_the_table(open_page, place):
    _, folder, services = place
    page = open_page("tab=benchmark&view=measure")
    choose(page, "bench-data", "box")
    page.wait_for_selector("#bench-data-said :text('10 normal, 10 anomalous, 10 with a mask')")
    page.fill("#bench-limit input", "0")
    page.click("#bench-start")
    page.wait_for_function(
        "() => parseFloat(document.querySelector('#bench-jobs .running .meter i')?.style.width) > 0"
    )
    assert f" of {PICTURES}" in page.inner_text("#bench-jobs .running")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("#bench-jobs .left")
    assert "was stopped before it was done" in page.inner_text("#bench-jobs")
    [made] = [one for one in (folder / "runs").glob("lite-box-2*") if one.is_dir()]
    before = services.pool.calls
    assert 0 < before < PICTURES
    assert len(pd.read_csv(made / "images.csv")) == before

    page.get_by_role("button", name="Resume").click()
    page.wait_for_selector("#bench-jobs .done")
    assert services.pool.calls == PICTURES
    assert json.loads((made / "results.json").read_text())["complete"]

    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_function(
        "([n]) => document.querySelectorAll('#bench-gallery .shot').length === n", arg=[PICTURES]
    )
    assert f"run={made.name}" in page.url
    page.locator("#bench-views").get_by_role("tab", name="Results").click()
    opens = f'#bench-table button[data-patch*="{made.name}"]'
    page.wait_for_selector(opens)
    assert page.locator(opens).count() == 1


def test_what_is_exported_comes_in_again_and_what_is_no_run_is_refused(open_page, place, tmp_path):
    _, folder, _ = place
    original = json.loads((folder / "runs" / "mvtec-box" / "results.json").read_text())
    page = open_page("tab=benchmark&run=mvtec-box")
    page.wait_for_selector("#bench-gallery .shot")
    packed, alone, rows = (saved(page, f"#bench-get-{kind}") for kind in ("zip", "json", "csv"))
    assert json.loads(alone.read_text())["classes"] == original["classes"]
    assert str(folder) not in alone.read_text()
    assert rows.read_bytes() == (folder / "runs" / "mvtec-box" / "images.csv").read_bytes()
    with zipfile.ZipFile(packed) as archive:
        assert {Path(name).name for name in archive.namelist()} == {"results.json", "images.csv"}

    page.locator("#bench-views").get_by_role("tab", name="Measure").click()
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    bring(page, wrong)
    page.wait_for_selector(".toast-body.error")
    assert "wrong.json" in page.inner_text(".toast-body.error")
    again = tmp_path / "sent by mail.zip"
    again.write_bytes(packed.read_bytes())
    bring(page, again)
    page.wait_for_selector("#bench-upload-said :text('mvtec on box is among the runs now')")
    page.get_by_role("button", name="Show it").click()
    page.wait_for_function("() => /run=mvtec-box-/.test(location.search)")
    page.wait_for_function(
        "([n]) => document.querySelectorAll('#bench-gallery .shot').length === n", arg=[PICTURES]
    )


def test_the_table_as_a_file_and_pins_in_the_address(open_page):
    page = open_page("tab=benchmark&view=results")
    page.wait_for_selector("#bench-table .pin")
    heads = "[...document.querySelectorAll('#bench-table .published .sort')].map(b => b.innerText)"
    before = page.evaluate(heads)
    table = pd.read_csv(saved(page, "#bench-save-table"))
    assert {name.removesuffix(" \u21bb") for name in before} <= set(table["method"])
    assert table["source"].notna().any()

    page.click("#bench-table th.published:last-child .pin")
    page.wait_for_function("() => location.search.includes('pin=')")
    page.wait_for_selector("#bench-table .pin[aria-pressed=true]")
    page.reload()
    page.wait_for_selector("#bench-table .pin[aria-pressed=true]")
    assert page.evaluate(heads)[0] == before[-1]
    page.go_back()
    page.wait_for_function("() => !document.querySelector('#bench-table .pin[aria-pressed=true]')")
    assert page.evaluate(heads) == before
    page.go_forward()
    page.wait_for_selector("#bench-table .pin[aria-pressed=true]")
