"""What the annotation table does: search, select, change, take back, undo.

A handler returns {component name: value}.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from adaclip.annotations.queue import ALL
from adaclip.annotations.store import Annotation
from adaclip.errors import InputError
from demo.annotate import table as annotate_table
from demo.annotate import view as annotate_view
from demo.annotate import words
from demo.annotate.pictures import AnnotationPictures
from demo.annotate.table import Search
from demo.flag import words as flag_words
from demo.services import Services

Screen = dict[str, Any]
_MAX_CHANGES = 50


class TableActions:
    """One per page; what is shown is everybody's."""

    def __init__(self, services: Services, pictures: AnnotationPictures) -> None:
        self._services, self._pictures = services, pictures

    def search(self, search: Search, event_id: str = "") -> Screen:
        """One page of what matches; a page that is not there becomes the nearest."""
        current = self._services.annotation_store.current()
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
        """Open a row beside the table."""
        row = annotate_table.selected_row(self._services.annotation_store, event_id)
        return {**self._panel(row), **self.search(search, row.event_id)}

    def show_all_of(self, event_id: Any) -> Screen:
        """A picture's annotations by everybody, in the table, with one of them open."""
        row = annotate_table.selected_row(self._services.annotation_store, event_id)
        found = Search(text=row.rel_path)
        everybody = dict.fromkeys(("find_verdict", "find_reason"), ALL)
        screen = {**self.select(row.event_id, found), "search": found.text, **everybody}
        # The list of people comes along with what is chosen of it.
        screen["find_who"] = gr.Dropdown(choices=self._people(), value=ALL)
        return {**screen, "tabs": gr.Tabs(selected="table")}

    def save(
        self,
        event_id: str,
        verdict: Any,
        reason: Any,
        comment: Any,
        person: Any,
        changes: Any,
        search: Search,
    ) -> Screen:
        """Another verdict, reason or comment for the selected row."""
        row = annotate_table.edited(
            self._services.annotation_store,
            event_id,
            annotator=person,
            verdict=verdict,
            reason=reason,
            comment=comment,
        )
        status = self._changed(words.edited(_said(row), row.rel_path), [*changes, row.event_id])
        return {**self._panel(row), **status, **self.search(search, row.event_id)}

    def retract(self, event_id: str, person: Any, changes: Any, search: Search) -> Screen:
        """Take the selected row back."""
        row = annotate_table.selected_row(self._services.annotation_store, event_id)
        change = annotate_table.retracted(
            self._services.annotation_store, event_id, annotator=person
        )
        text = words.retracted(_said(row), row.rel_path)
        closed = {"event": "", "row_panel": gr.Column(visible=False)}
        status = self._changed(text, [*changes, change.event_id])
        return {**closed, **status, **self.search(search)}

    def undo(self, person: Any, changes: Any, search: Search) -> Screen:
        """Take the last change made on this page back; what was there before counts again."""
        if not changes:
            raise InputError(words.NOTHING_TO_UNDO)
        row = annotate_table.undone(self._services.annotation_store, changes[-1], annotator=person)
        status = self._changed(words.undone(_said(row), row.rel_path), changes[:-1])
        return {**self._panel(row), **status, **self.search(search, row.event_id)}

    def _changed(self, text: str, changes: list[str]) -> Screen:
        """What was done, and the changes that can be undone now."""
        return {
            "table_status": annotate_view.note(text),
            "changes": changes[-_MAX_CHANGES:],
            "undo_change": gr.Button(visible=bool(changes)),
        }

    def _panel(self, row: Annotation) -> Screen:
        return {
            "event": row.event_id,
            "row_panel": gr.Column(visible=True),
            "row_picture": self._pictures.panel([row]),
            "details": annotate_table.details(row),
            "edit_verdict": row.verdict,
            "edit_reason": row.reason_code,
            "edit_comment": row.comment,
        }

    def _people(self) -> list[tuple[str, str]]:
        names = annotate_table.people(self._services.annotation_store.current())
        return [("Anybody", ALL), *((name, name) for name in names)]


def _said(row: Annotation) -> str:
    """ "False alarm by ann"."""
    return f"{flag_words.VERDICTS.get(row.verdict, row.verdict)} by {row.annotator}"
