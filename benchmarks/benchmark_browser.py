"""What a visitor of the Benchmark tab waits for: the page served by `app.py`, a real Chromium.

Times run from the click to the frame after the last chart was drawn, by the browser's own clock.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.app_load import ROOT, wait_for_page
from tests.e2e.browsing import ARGUMENTS, CHROMIUM

# From the next press of a button until `done` holds and two frames have been painted; milliseconds.
_WATCH = """(done) => {
  const text = () => document.querySelector('#chart-confusion')?.textContent;
  const finished = new Function('before', `return (${done});`), before = text();
  window.benchTimed = new Promise((answer) => {
    document.addEventListener('pointerdown', () => {
      const started = performance.now();
      const look = () => {
        if (!finished(before)) requestAnimationFrame(look);
        else requestAnimationFrame(() => {
          requestAnimationFrame(() => answer(performance.now() - started));
        });
      };
      requestAnimationFrame(look);
    }, { capture: true, once: true });
  });
}"""
# The table's rows and each of its three charts.
RESULTS_DRAWN = """document.querySelectorAll('#bench-table tbody tr').length > 3
  && document.querySelector('#chart-bars .barlayer .point')
  && document.querySelector('#chart-radar .polarlayer path')
  && document.querySelector('#chart-tradeoff .scatterlayer .point')"""
_MARK = "document.querySelector('#chart-histogram .annotation-text')?.textContent"
RUN_DRAWN = f"""document.querySelector('#chart-heat .heatmaplayer image')
  && document.querySelector('#chart-confusion .heatmaplayer image') && {_MARK}
  && document.querySelector('#chart-roc .scatterlayer .point')
  && document.querySelector('#chart-pr .scatterlayer .point')
  && document.querySelector('#bench-gallery .shot')"""
_POINT = "document.querySelector('#{name} .js-plotly-plot').data.at(-1).hovertext[0]"
_SET = "Number(document.querySelector('#bench-threshold input[type=number]').value).toFixed(3)"
# The histogram's mark, both curves' points, and the counts that have become others.
THRESHOLD_DRAWN = " && ".join(
    [
        f"{_MARK} === {_SET}",
        *(f"{_POINT.format(name=name)}.includes({_SET})" for name in ("chart-roc", "chart-pr")),
        "document.querySelector('#chart-confusion').textContent !== before",
        "document.querySelector('#chart-confusion .heatmaplayer image')",
    ]
)


@contextmanager
def _app(runs: Path, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "app.py", "--port", str(port), "--runs", str(runs)]
    environment = os.environ | {"ADACLIP_DATA": str(folder / "data"), "OMP_NUM_THREADS": "2"}
    with (folder / "app.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_for_page(url, 120)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def measure(runs: Path, folder: Path, first: str, large: str) -> None:
    """Prints the times. `first` and `large` are ids of runs; `large` has all the rows itself."""
    if CHROMIUM is None:
        print("in the browser: there is no Chromium here")
        return
    from playwright.sync_api import sync_playwright

    with _app(runs, folder) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = _page(browser, url)
        page.wait_for_selector("#device :text('Ready')", timeout=120_000)
        _said("opening the tab, the server's first time", [_open_tab(page)])
        page.close()
        tabs, details = [], []
        for _ in range(3):
            page = _page(browser, url)
            tabs.append(_open_tab(page))
            details.append(_open_run(page))
            page.close()
        _said("opening the tab, again", tabs)
        _said("from there to one run", details)
        for name, run in (("a run", first), ("a run of all rows", large)):
            page = _page(browser, url, f"?tab=benchmark&run={run}")
            page.wait_for_function(f"() => {RUN_DRAWN}")
            moves = [_move(page, share) for share in (0.3, 0.6, 0.45, 0.7, 0.2, 0.55, 0.35)]
            _said(f"moving the threshold of {name}", moves)
            page.close()
        browser.close()


def _tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def _open_tab(page: Any) -> float:
    return _timed(page, lambda: _tab(page, "Benchmark"), RESULTS_DRAWN)


def _open_run(page: Any) -> float:
    return _timed(page, lambda: _tab(page, "One run"), RUN_DRAWN)


def _move(page: Any, share: float) -> float:
    """A click on the slider, so far along it."""
    slider = page.locator("#bench-threshold input[type=range]")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    place = {"x": box["width"] * share, "y": box["height"] / 2}
    return _timed(page, lambda: slider.click(position=place), THRESHOLD_DRAWN)


def _page(browser: Any, url: str, query: str = "") -> Any:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(120_000)
    page.goto(url + "/" + query)
    page.wait_for_selector("#detect" if not query else "#benchmark")
    page.wait_for_timeout(3000)  # somebody looks at the page first
    return page


def _timed(page: Any, act: Callable[[], None], done: str) -> float:
    page.wait_for_timeout(1500)  # what came before has settled
    page.evaluate(_WATCH, done)
    act()
    return float(page.evaluate("window.benchTimed")) / 1000


def _said(what: str, seconds: list[float]) -> None:
    spread = "" if len(seconds) == 1 else f" (median; {min(seconds):.3f} to {max(seconds):.3f})"
    print(f"browser, {what}: {statistics.median(seconds):.3f} s{spread}", flush=True)
