"""Charts, thresholds, what can be trained on, and files: of all annotations together.

A handler returns {component name: value}.
"""

from __future__ import annotations

import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from demo.annotate import charts as annotate_charts
from demo.annotate import sums as annotate_sums
from demo.annotate import view as annotate_view
from demo.annotate.pictures import AnnotationPictures
from demo.services import Services

Screen = dict[str, Any]
_PREFIX = "results-export-"
# The browser asks for an export as soon as it is written; after an hour nobody will.
_FRESH_SECONDS, _KEEP_SECONDS, _KEEP_EXPORTS = 300, 3600, 8


class SummaryActions:
    """One per page; what is shown is everybody's."""

    def __init__(self, services: Services, pictures: AnnotationPictures) -> None:
        self._services, self._pictures = services, pictures
        self._suggested = (-1, "")  # the store's revision, and what follows from it

    def charts(self) -> Screen:
        """What was said, counted."""
        current = self._services.annotation_store.current()
        return {
            "totals": annotate_view.tally_html(current),
            "class_chart": annotate_charts.per_class(current),
            "reason_chart": annotate_charts.per_reason(current),
            "time_chart": annotate_charts.over_time(current),
            "quality": annotate_sums.quality_html(current),
        }

    def trainable(self, *, benchmark_too: bool = False) -> Screen:
        """How many reviewed pictures can be trained on, and why the others cannot."""
        found = annotate_sums.trainable_html(
            self._services.annotation_store, self._pictures.roots(), benchmark_too=benchmark_too
        )
        return {"trainable": found}

    def thresholds(self) -> Screen:
        """What the labels say of the thresholds."""
        store = self._services.annotation_store
        if self._suggested[0] != store.revision:
            self._suggested = (store.revision, annotate_sums.suggestions_html(store.current()))
        return {"suggestions": self._suggested[1]}

    def export(self, kind: str, *, benchmark_too: bool = False) -> Screen:
        """Write what is current to a file of its own, and hand it over."""
        shared = self._services.store.folder
        folder = shared / f"{_PREFIX}{secrets.token_urlsafe(12)}"
        folder.mkdir(parents=True, mode=0o700)
        try:
            path, status = annotate_sums.write_export(
                self._services.annotation_store,
                kind,
                folder,
                data_roots=self._pictures.roots(),
                benchmark_too=benchmark_too,
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _remove_old(shared)
        return {"carrier": str(path), "export_status": status}


def _remove_old(shared: Path) -> None:
    """Remove exports that were made long ago, and of many the oldest; never a fresh one.

    A download that has begun goes on: its file is open, and stays on the disk until it is closed.
    """
    with suppress(OSError):
        made = sorted((p.stat().st_mtime, p) for p in shared.glob(f"{_PREFIX}*"))
        for place, (when, folder) in enumerate(reversed(made)):
            age = time.time() - when
            if age > _KEEP_SECONDS or (place >= _KEEP_EXPORTS and age > _FRESH_SECONDS):
                shutil.rmtree(folder, ignore_errors=True)
