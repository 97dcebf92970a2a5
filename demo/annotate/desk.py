"""All annotations together: the table, one row in hand, people, charts, thresholds, files."""

from __future__ import annotations

import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from adaclip.annotations.queue import ALL
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.errors import InputError
from demo.annotate import charts as annotate_charts
from demo.annotate import sums as annotate_sums
from demo.annotate import table as annotate_table
from demo.annotate import view as annotate_view
from demo.annotate import words
from demo.annotate.table import Search
from demo.flag import words as flag_words
from demo.services import Services
from demo.visitor.pictures import thumbnail

Screen = dict[str, Any]
_PREFIX = "results-export-"
# The browser asks for an export as soon as it is written; after an hour nobody will.
_FRESH_SECONDS, _KEEP_SECONDS, _KEEP_EXPORTS = 300, 3600, 8


class DeskActions:
    """One per page; what is shown is everybody's."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._suggested = (-1, "")  # the store's revision, and what follows from it

    @property
    def _store(self) -> AnnotationStore:
        if self._services.annotations is None:
            raise InputError(flag_words.NO_STORE)
        return self._services.annotations

    # The table.

    def search(self, search: Search, event_id: str = "") -> Screen:
        """One page of what matches; a page that is not there becomes the nearest."""
        current = self._store.current()
        rows = annotate_table.found(current, search)
        count = annotate_table.pages(len(rows))
        page = min(max(search.page, 0), count - 1)
        return {
            "table": annotate_table.table(rows, page, event_id),
            "pager": annotate_table.pager(len(rows), page),
            "page_number": page,
            "earlier": gr.Button(interactive=page > 0),
            "later": gr.Button(interactive=page < count - 1),
            "find_who": gr.Dropdown(choices=self._people()),
        }

    def select(self, event_id: Any, search: Search) -> Screen:
        """Take a row in hand."""
        row = annotate_table.row_in_hand(self._store, event_id)
        return {**self._hand(row), "edit_said": "", **self.search(search, row.event_id)}

    def save(
        self, event_id: str, verdict: Any, reason: Any, comment: Any, person: Any, search: Search
    ) -> Screen:
        """Another verdict, reason or comment for the row in hand."""
        row = annotate_table.edited(
            self._store,
            event_id,
            annotator=person,
            verdict=verdict,
            reason=reason,
            comment=comment,
        )
        said = {"edit_said": annotate_view.note(words.SAVED_EDIT)}
        return {**self._hand(row), **said, **self.search(search, row.event_id)}

    def retract(self, event_id: str, person: Any, search: Search) -> Screen:
        """Take the row in hand back."""
        annotate_table.retracted(self._store, event_id, annotator=person)
        return {
            "event": "",
            "hand": gr.Column(visible=False),
            **self.search(search),
        }

    def _hand(self, row: Annotation) -> Screen:
        return {
            "event": row.event_id,
            "hand": gr.Column(visible=True),
            "thumb": self._thumb(row),
            "details": annotate_table.details(row),
            "edit_verdict": row.verdict,
            "edit_reason": row.reason_code,
            "edit_comment": row.comment,
        }

    def _thumb(self, row: Annotation) -> str:
        """The kept image, small, with the region drawn on it."""
        pixels = self._store.image(row.pixel_sha256)
        if pixels is None:
            return f'<p class="hint">{words.NOT_KEPT}</p>'
        mask = self._store.mask(row)
        return annotate_view.kept_html(thumbnail(Image.fromarray(pixels)), pixels.shape[:2], mask)

    # People, charts, thresholds.

    def people(self) -> Screen:
        """How well people agree, and where they do not."""
        current = self._store.current()
        return {
            "agreement": annotate_sums.agreement_html(current, self._store),
            "disagreements": annotate_sums.disagreements_html(current),
        }

    def open_disagreement(self, event_id: Any) -> Screen:
        """A picture people disagree on, in the table: what everybody says of it."""
        row = annotate_table.row_in_hand(self._store, event_id)
        found = Search(text=row.rel_path)
        everybody = dict.fromkeys(("find_verdict", "find_reason", "find_who"), ALL)
        screen = {**self.select(row.event_id, found), "search": found.text, **everybody}
        # The list of people comes along with what is chosen of it.
        screen["find_who"] = gr.Dropdown(choices=self._people(), value=ALL)
        return {**screen, "sheets": gr.Tabs(selected="table")}

    def _people(self) -> list[tuple[str, str]]:
        names = annotate_table.people(self._store.current())
        return [("Anybody", ALL), *((name, name) for name in names)]

    def charts(self) -> Screen:
        """What was said, counted."""
        current = self._store.current()
        return {
            "totals": annotate_view.tally_html(current),
            "class_chart": annotate_charts.per_class(current),
            "reason_chart": annotate_charts.per_reason(current),
            "time_chart": annotate_charts.over_time(current),
            "quality": annotate_sums.quality_html(current),
        }

    def thresholds(self) -> Screen:
        """What the labels say of the thresholds."""
        store = self._store
        if self._suggested[0] != store.revision:
            self._suggested = (store.revision, annotate_sums.suggestions_html(store.current()))
        return {"suggestions": self._suggested[1]}

    # Files.

    def export(self, kind: str, *, benchmark_too: bool = False) -> Screen:
        """Write what is current to a file of its own, and hand it over."""
        shared = self._services.store.folder
        folder = shared / f"{_PREFIX}{secrets.token_urlsafe(12)}"
        folder.mkdir(parents=True, mode=0o700)
        try:
            path, said = annotate_sums.write_export(
                self._store,
                kind,
                folder,
                data_roots=self._services.data_roots,
                benchmark_too=benchmark_too,
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _remove_old(shared)
        return {"carrier": str(path), "export_said": said}


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
