"""A real Chromium for the tests of this folder: how it is started, and pages that are watched."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE = 60_000  # ms: two slow cores
_HERE = re.compile(r"(http://127\.0\.0\.1:|data:|blob:)")


@contextmanager
def watched(chromium: Any, url: str, *, patience: int = PATIENCE) -> Iterator[Callable[..., Any]]:
    """What opens the page at a query; in the end no request has left, and no script failed."""
    pages, requests, problems = [], [], []

    def open_(query: str = "__theme=light", width: int = 1400, height: int = 900) -> Any:
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(patience)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}/?{query}")
        page.wait_for_selector("#tabs")
        # Under load the page is there before its scripts are.
        page.wait_for_selector("html[data-keys=ready]")
        pages.append(page)
        return page

    yield open_
    for page in pages:
        page.close()
    assert [one for one in requests if not _HERE.match(one)] == []
    assert problems == []
