"""Which event of the pages beside the review does what: table, agreement, charts, export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from adaclip.annotations.record import Truth
from demo.annotate.agreement_actions import AgreementActions
from demo.annotate.sheets import Sheets
from demo.annotate.summary_actions import SummaryActions
from demo.annotate.table import Search
from demo.annotate.table_actions import Screen, TableActions
from demo.page.events import DISPLAY, PRIVATE, SAVE_FILE
from demo.page.guard import Answers
from demo.services import Services

# The person's name is the browser's: it comes along as the last input.
NAMED = """(...values) => {
  let name = window.dom.read("adaclip-annotator");
  if (!name.trim()) document.querySelector("#person input")?.focus();
  return [...values.slice(0, -1), name];
}"""
ANNOTATE: dict[str, Any] = {**PRIVATE, "concurrency_id": "annotate", "concurrency_limit": 4}


class SheetsWiring:
    """Connects the pages to their actions."""

    def __init__(self, sheets: Sheets, person: gr.Textbox, services: Services) -> None:
        """`person` carries the name that the browser remembers."""
        self._sheets, self._person = sheets, person
        self._table = TableActions(services, sheets.pictures)
        self._agreement = AgreementActions(services, sheets.pictures)
        self._summary = SummaryActions(services, sheets.pictures)
        fields = {
            name: part
            for name, part in vars(sheets).items()
            if name not in ("pictures", "exports") and not isinstance(part, gr.Tab)
        }
        parts: dict[str, Any] = {**fields, "key": sheets.event}
        self._answer, self._outputs = Answers(parts), list(fields.values())

    def wire(self) -> None:
        """All events."""
        self._wire_search()
        self._wire_row()
        self._wire_agreement()
        self._wire_summary()

    def _wire_search(self) -> None:
        sheets, find = self._sheets, self._find

        def search(event: str, *values: Any) -> Screen:
            return self._table.search(_search_of(values), event)

        def turn(by: int) -> Callable[..., Screen]:
            def turned(event: str, page: int, *values: Any) -> Screen:
                return self._table.search(_search_of(values, int(page) + by), event)

            return turned

        changes = [sheets.search.change, *(part.input for part in find[1:])]
        gr.on(
            [*changes, sheets.table_tab.select],
            self._answer.once(search),
            [sheets.event, *find],
            self._outputs,
            **DISPLAY,
        )
        where = [sheets.event, sheets.page_number, *find]
        for button, by in ((sheets.earlier, -1), (sheets.later, 1)):
            button.click(self._answer.once(turn(by)), where, self._outputs, **ANNOTATE)

    def _wire_row(self) -> None:
        sheets, find = self._sheets, self._find

        def select(data: gr.EventData, page: int, *values: Any) -> Screen:
            return self._table.select(_event_of(data), _search_of(values, int(page)))

        def save(
            event: str, changes: Any, verdict: Any, reason: Any, comment: Any, *more: Any
        ) -> Screen:
            page, *values, person = more
            search = _search_of(values, int(page))
            return self._table.save(event, verdict, reason, comment, person, changes, search)

        def retract(event: str, changes: Any, page: int, *values: Any) -> Screen:
            search = _search_of(values[:-1], int(page))
            return self._table.retract(event, values[-1], changes, search)

        def undo(changes: Any, page: int, *values: Any) -> Screen:
            return self._table.undo(values[-1], changes, _search_of(values[:-1], int(page)))

        sheets.table.select(
            self._answer.once(select), [sheets.page_number, *find], self._outputs, **ANNOTATE
        )
        fields = [sheets.edit_verdict, sheets.edit_reason, sheets.edit_comment]
        page: list[Any] = [sheets.page_number, *find, self._person]
        for button, handler, what in (
            (sheets.save, save, [sheets.event, sheets.changes, *fields]),
            (sheets.retract, retract, [sheets.event, sheets.changes]),
            (sheets.undo_change, undo, [sheets.changes]),
        ):
            button.click(
                self._answer.once(handler), [*what, *page], self._outputs, js=NAMED, **ANNOTATE
            )

    def _wire_agreement(self) -> None:
        sheets = self._sheets

        def load(dispute: str) -> Screen:
            return self._agreement.load(dispute)

        def open_dispute(data: gr.EventData) -> Screen:
            return self._agreement.open(_event_of(data))

        def settle_as(truth: Truth) -> Callable[..., Screen]:
            def settle(dispute: str, comment: Any, person: Any) -> Screen:
                return self._agreement.settle(dispute, truth, comment, person)

            return settle

        def unsettle(dispute: str, person: Any) -> Screen:
            return self._agreement.unsettle(dispute, person)

        def show_in_table(dispute: str) -> Screen:
            return self._table.show_all_of(dispute)

        sheets.people_tab.select(self._answer.once(load), sheets.dispute, self._outputs, **ANNOTATE)
        sheets.disagreements.select(
            self._answer.once(open_dispute), None, self._outputs, **ANNOTATE
        )
        words = [sheets.dispute, sheets.dispute_comment, self._person]
        truths: tuple[tuple[gr.Button, Truth], ...] = (
            (sheets.settle_normal, "normal"),
            (sheets.settle_anomalous, "anomalous"),
        )
        for button, truth in truths:
            button.click(
                self._answer.once(settle_as(truth)), words, self._outputs, js=NAMED, **ANNOTATE
            )
        sheets.unsettle.click(
            self._answer.once(unsettle),
            [sheets.dispute, self._person],
            self._outputs,
            js=NAMED,
            **ANNOTATE,
        )
        sheets.show_in_table.click(
            self._answer.once(show_in_table), sheets.dispute, self._outputs, **ANNOTATE
        )

    def _wire_summary(self) -> None:
        sheets, summary = self._sheets, self._summary

        def trainable(benchmark_too: Any) -> Screen:
            return summary.trainable(benchmark_too=benchmark_too is True)

        sheets.charts_tab.select(self._answer.once(summary.charts), None, self._outputs, **ANNOTATE)
        sheets.export_tab.select(
            self._answer.once(summary.thresholds), None, self._outputs, **ANNOTATE
        )
        gr.on(
            [sheets.export_tab.select, sheets.benchmark_too.input],
            self._answer.once(trainable),
            sheets.benchmark_too,
            self._outputs,
            **ANNOTATE,
        )
        for kind, button in sheets.exports.items():
            written = button.click(
                self._answer.once(self._exporter(kind)),
                sheets.benchmark_too,
                self._outputs,
                concurrency_id="files",
                concurrency_limit=2,
                **PRIVATE,
            )
            written.success(None, sheets.carrier, None, js=SAVE_FILE, **PRIVATE)

    def _exporter(self, kind: str) -> Callable[[bool], Screen]:
        def export(benchmark_too: bool) -> Screen:
            return self._summary.export(kind, benchmark_too=benchmark_too is True)

        return export

    @property
    def _find(self) -> list[Any]:
        """What a search is made of, in the order of `_search_of`."""
        sheets = self._sheets
        return [sheets.search, sheets.find_verdict, sheets.find_reason, sheets.find_who]


def _search_of(values: Any, page: int = 0) -> Search:
    """What is looked for, in the order of the components."""
    text, verdict, reason, who = values
    return Search(text=str(text or ""), verdict=verdict, reason=reason, annotator=who, page=page)


def _event_of(data: gr.EventData) -> Any:
    """The id of the annotation whose row was clicked."""
    return (data._data or {}).get("event")
