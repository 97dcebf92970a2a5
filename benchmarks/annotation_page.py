"""How long the Annotate tab keeps a person waiting, in a real Chromium, right after a server start.

Each opening is of a server and a browser page of its own, clicked as soon as the page is there, so
reading the file and loading the model go on meanwhile. The rest is measured on the last one: the
sheets of the tab, and verdicts and undos in a queue over the pictures of the Detect tab, from the
key press until "Saved" stands there.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.app_load import ROOT, wait_for_page

STARTS, FLAGS = 3, 12
SHEETS = {
    "All annotations": "#all-annotations tr[data-event]",
    "Charts": "#charts .js-plotly-plot .main-svg",
    "Agreement": "#agreement table, #agreement .hint",
    "Export": "#suggestions table",
}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The page as people start it, over a folder of annotations, on a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port), "--annotations", str(folder)]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, **silent
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_page(url, 120)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def open_tab(page: Any, url: str) -> float:
    """From the click on the tab to its content."""
    page.goto(url)
    page.wait_for_selector("#detect")

    def click() -> None:
        page.get_by_role("tab", name="Annotate").click()
        page.wait_for_selector("#start-review")
        page.wait_for_selector("#review-look .hero")

    return seconds(click)


def sheets(page: Any) -> None:
    for name, content in SHEETS.items():

        def show(name: str = name, content: str = content) -> None:
            page.get_by_role("tab", name=name).click()
            page.wait_for_selector(content)

        print(f"  {name}: {seconds(show):.2f} s")


def verdicts(page: Any, folder: Path) -> None:
    """Detect some pictures, review them, press keys."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(FLAGS):
        small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        paths.append(folder / f"{number}.png")
        Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC).save(paths[-1])
    page.get_by_role("tab", name="Detect").click()
    page.set_input_files("#drop input[type=file]", [str(path) for path in paths])
    page.wait_for_selector("#position .name")
    page.click("#detect")
    ready = "n => document.querySelectorAll('#listing .quick').length === n"
    page.wait_for_function(ready, arg=FLAGS)
    page.get_by_role("tab", name="Annotate").click()
    page.get_by_role("tab", name="Review").click()
    page.fill("#person input", "Eve")
    page.click("#start-review")
    page.wait_for_selector("#review-look .look")
    # What the bar says has a number that is new with every answer.
    news = "n => document.querySelector('#flag-annotate-said .flag-said').dataset.n !== n"
    times: dict[str, list[float]] = {"f": [], "u": []}
    for key in ("f", "u"):
        for _ in range(FLAGS):
            page.wait_for_timeout(300)
            before = page.locator("#flag-annotate-said .flag-said").get_attribute("data-n")
            started = time.perf_counter()
            page.keyboard.press(key)
            page.wait_for_function(news, arg=before)
            times[key].append(time.perf_counter() - started)
    for key, what in (("f", "a verdict"), ("u", "an undo")):
        print(f"  {what}, key to answer: median {statistics.median(times[key]):.2f} s")


def measure_page(annotations: Path, folder: Path) -> None:
    """Print all of it; says so where there is no browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("the page was left out: playwright is not installed")
        return
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("the page was left out: there is no Chromium")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = []
        for number in range(STARTS):
            with serving(annotations) as url:
                page = browser.new_page(viewport={"width": 1400, "height": 900})
                page.set_default_timeout(120_000)
                opened.append(open_tab(page, url))
                if number == STARTS - 1:
                    print("the Annotate tab's sheets, each from its click:")
                    sheets(page)
                    verdicts(page, folder)
                page.close()
        shown = ", ".join(f"{each:.2f}" for each in opened)
        print(f"the Annotate tab right after a server start: {shown} s")
        browser.close()
