"""Flagging a picture of a run where one looks at it: in the Benchmark tab's inspector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adaclip.annotations.store import AnnotationStore
from tests.demo.stub import stub_services
from tests.e2e.conftest import launched
from tests.e2e.drawing import contained, start_drawing, stroke
from tests.e2e.test_annotate_browser import browser, open_page, said  # noqa: F401 - fixtures
from tests.e2e.test_benchmark_browser import write_pictures, write_runs

pytestmark = pytest.mark.browser


@pytest.fixture
def bench(tmp_path: Path, served) -> Iterator[tuple[str, AnnotationStore]]:
    """The address of a page with runs, and the store it writes to."""
    write_pictures(tmp_path / "data" / "box")
    write_runs(tmp_path / "runs", tmp_path / "data")
    store = AnnotationStore(tmp_path / "annotations")
    services = stub_services(
        served.services.store.folder,
        run_roots=(tmp_path / "runs",),
        data_roots=(tmp_path / "data",),
        annotations=store,
    )
    with launched(services, [store.folder]) as address:
        yield address, store


def test_a_picture_in_the_inspector_is_flagged_with_a_key_and_undone(bench, open_page):  # noqa: F811
    url, store = bench
    page = open_page(url)
    page.goto(f"{url}/?tab=benchmark&run=lite-box")
    page.locator("#bench-gallery .shot").first.click()
    page.wait_for_selector("#flag-bench .flag:not([hidden])")
    first = page.locator("#bench-gallery .shot").first.get_attribute("data-path")
    page.fill("#flag-bench .flag-name", "ann")
    page.keyboard.press("Enter")
    page.keyboard.press("f")
    said(page, "False alarm", "bench")
    [row] = store.current()
    assert (row.rel_path, row.dataset, row.checkpoint_id) == (first, "box", "lite")
    assert row.gt_source == "dataset"
    assert row.gt_label in ("normal", "anomalous")
    assert row.split == "test"

    # A reason belongs to the verdict; the next picture has a bar of its own.
    page.keyboard.press("Shift+Digit1")
    said(page, "edge or contour", "bench")
    [row] = store.current()
    assert row.reason_code == "edge"
    shown = (
        "([old]) => document.querySelector('#flag-bench-said .flag-said').dataset.subject !== old"
    )
    before = page.locator("#flag-bench-said .flag-said").get_attribute("data-subject")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(shown, arg=[before])
    # The bar follows what was said, a moment later.
    page.wait_for_function(
        "() => !document.querySelector('#flag-bench [data-choice][aria-pressed=true]')"
    )
    page.keyboard.press("t")
    said(page, "Correct", "bench")
    assert len(store.current()) == 2
    page.keyboard.press("u")
    said(page, "Taken back", "bench")
    assert store.current() == [row]

    # A region is drawn over the picture that is looked at.
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#flag-bench [data-choice=FP][aria-pressed=true]:visible")
    page.wait_for_selector("#bench-inspector figure .ground img")
    start_drawing(page)
    ground = page.locator("#bench-inspector figure .ground").first.bounding_box()
    stroke(page, contained(ground, (90, 60)), (10, 50), (80, 50))
    page.keyboard.press("f")
    said(page, "False alarm, edge or contour, region", "bench")
    [row] = store.current()
    mask = store.mask(row)
    assert mask.shape == (60, 90)
    assert mask[50, 10:80].all()
    assert not mask[56:].any()

    # It is there again for whoever opens the picture by its address.
    page.goto(f"{url}/?tab=benchmark&run=lite-box&image={first}")
    page.wait_for_selector("#flag-bench-said .flag-marks li:has-text('False alarm')")
