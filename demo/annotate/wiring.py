"""Which event of the Annotate tab does what. Handlers pass ids and words to the actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from demo.annotate.actions import ReviewActions, Screen
from demo.annotate.desk import DeskActions
from demo.annotate.review import Settings
from demo.annotate.tab import AnnotateTab
from demo.annotate.table import Search
from demo.flag.bar import FLAGS
from demo.page.events import DISPLAY, PRIVATE, SAVE_FILE
from demo.page.guard import Answers
from demo.services import Services
from demo.visitor.controls import VisitorControls

# The person's name is the browser's: it comes along as the last input.
_NAMED = """(...values) => {
  let name = "";
  try { name = localStorage.getItem("adaclip-annotator") ?? ""; } catch {}
  if (!name.trim()) document.querySelector("#person input")?.focus();
  return [...values.slice(0, -1), name];
}"""
ANNOTATE: dict[str, Any] = {**PRIVATE, "concurrency_id": "annotate", "concurrency_limit": 4}


class AnnotateWiring:
    """Connects one AnnotateTab to its actions; the Detect tab's pictures are one of its sources."""

    def __init__(self, tab: AnnotateTab, visitor: VisitorControls, services: Services) -> None:
        self._tab, self._visitor = tab, visitor
        self._review, self._desk = ReviewActions(services), DeskActions(services)
        fields = {k: v for k, v in vars(tab).items() if k not in ("flag", "exports")}
        flag = {"flag_said": tab.flag.said, "flag_region": tab.flag.region}
        self._parts: dict[str, Any] = {**fields, **flag, **tab.exports}
        self._answer, self._outputs = Answers(self._parts), list(self._parts.values())
        self._settings: list[Any] = [tab.order, tab.seed, tab.blind, tab.advance]
        self._settings += [tab.dataset, tab.class_name, tab.show, tab.who]

    def wire(self, opened: gr.Tab) -> None:
        """All events of the tab; `opened` is the tab in the page's bar."""
        self._wire_queue(opened)
        self._wire_verdicts()
        self._wire_table()
        self._wire_sheets()
        self._wire_files()

    def _wire_queue(self, opened: gr.Tab) -> None:
        tab, batch = self._tab, self._visitor.key

        def arrive(key: str, source: Any) -> Screen:
            return self._review.arrive(key, source)

        def chosen(key: str, source: Any, order: Any) -> Screen:
            return self._review.chosen(key, source, order)

        def start(
            key: str, source: Any, other: Any, checkpoint: Any, words: Any, *values: Any
        ) -> Iterator[Screen]:
            *settings, person = values
            chosen = _settings_of(settings)
            yield from self._review.start(key, source, other, chosen, person, checkpoint, words)

        def stopped(key: str) -> Screen:
            return self._review.stopped(key)

        def arrange(key: str, *settings: Any) -> Screen:
            return self._review.arrange(key, _settings_of(settings))

        opened.select(self._answer.once(arrive), [batch, tab.source], self._outputs, **ANNOTATE)
        gr.on(
            [tab.source.change, tab.order.change],
            self._answer.once(chosen),
            [batch, tab.source, tab.order],
            self._outputs,
            **ANNOTATE,
        )
        what = [batch, tab.source, tab.other, self._visitor.checkpoint, self._visitor.class_name]
        started = tab.start.click(
            self._answer.steps(start),
            [*what, *self._settings, tab.person],
            self._outputs,
            js=_NAMED,
            **PRIVATE,
            concurrency_id="review",
            concurrency_limit=2,
        )
        tab.stop.click(
            self._answer.once(stopped),
            tab.key,
            self._outputs,
            cancels=[started],
            queue=False,
            **PRIVATE,
        )
        changes = [setting.input for setting in self._settings]
        gr.on(
            changes,
            self._answer.once(arrange),
            [tab.key, *self._settings],
            self._outputs,
            **DISPLAY,
        )
        for button, by in ((tab.previous, -1), (tab.next, 1)):
            button.click(self._answer.once(self._stepper(by)), tab.key, self._outputs, **ANNOTATE)

    def _stepper(self, by: int) -> Callable[[str], Screen]:
        def step(key: str) -> Screen:
            return self._review.step(key, by)

        return step

    def _wire_verdicts(self) -> None:
        tab = self._tab

        def judge(event: gr.EventData, key: str) -> Screen:
            return self._review.judge(key, event._data)

        def undo(event: gr.EventData, key: str) -> Screen:
            return self._review.undo(key, event._data)

        def draw(event: gr.EventData, key: str) -> Screen:
            return self._review.draw(key, event._data)

        bar = tab.flag.bar
        bar.select(self._answer.once(judge), tab.key, self._outputs, **FLAGS)
        bar.undo(self._answer.once(undo), tab.key, self._outputs, **FLAGS)
        bar.edit(self._answer.once(draw), tab.key, tab.flag.region, **FLAGS)

    def _wire_table(self) -> None:
        tab = self._tab
        find: list[Any] = [tab.search, tab.find_verdict, tab.find_reason, tab.find_who]

        def search(event: str, *values: Any) -> Screen:
            return self._desk.search(_search_of(values), event)

        def turn(by: int) -> Callable[..., Screen]:
            def turned(event: str, page: int, *values: Any) -> Screen:
                return self._desk.search(_search_of(values, int(page) + by), event)

            return turned

        def select(data: gr.EventData, page: int, *values: Any) -> Screen:
            event = (data._data or {}).get("event")
            return self._desk.select(event, _search_of(values, int(page)))

        def save(event: str, page: int, verdict: Any, reason: Any, comment: Any, *v: Any) -> Screen:
            search = _search_of(v[:-1], int(page))
            return self._desk.save(event, verdict, reason, comment, v[-1], search)

        def retract(event: str, page: int, *values: Any) -> Screen:
            return self._desk.retract(event, values[-1], _search_of(values[:-1], int(page)))

        def disagreement(data: gr.EventData) -> Screen:
            return self._desk.open_disagreement((data._data or {}).get("event"))

        opened = self._answer.once(disagreement)
        tab.disagreements.select(opened, None, self._outputs, **ANNOTATE)
        changes = [tab.search.change, *(part.input for part in find[1:]), tab.table_tab.select]
        gr.on(changes, self._answer.once(search), [tab.event, *find], self._outputs, **DISPLAY)
        where = [tab.event, tab.page_number, *find]
        tab.earlier.click(self._answer.once(turn(-1)), where, self._outputs, **ANNOTATE)
        tab.later.click(self._answer.once(turn(1)), where, self._outputs, **ANNOTATE)
        tab.table.select(
            self._answer.once(select), [tab.page_number, *find], self._outputs, **ANNOTATE
        )
        fields = [tab.edit_verdict, tab.edit_reason, tab.edit_comment]
        tab.save.click(
            self._answer.once(save),
            [tab.event, tab.page_number, *fields, *find, tab.person],
            self._outputs,
            js=_NAMED,
            **ANNOTATE,
        )
        tab.retract.click(
            self._answer.once(retract), [*where, tab.person], self._outputs, js=_NAMED, **ANNOTATE
        )

    def _wire_sheets(self) -> None:
        tab = self._tab
        for opened, show in (
            (tab.people_tab, self._desk.people),
            (tab.charts_tab, self._desk.charts),
            (tab.export_tab, self._desk.thresholds),
        ):
            opened.select(self._answer.once(show), None, self._outputs, **ANNOTATE)

    def _wire_files(self) -> None:
        tab = self._tab
        for kind, button in tab.exports.items():
            written = button.click(
                self._answer.once(self._exporter(kind)),
                tab.benchmark_too,
                self._outputs,
                concurrency_id="files",
                concurrency_limit=2,
                **PRIVATE,
            )
            written.success(None, tab.carrier, None, js=SAVE_FILE, **PRIVATE)

    def _exporter(self, kind: str) -> Callable[[bool], Screen]:
        def export(benchmark_too: bool) -> Screen:
            return self._desk.export(kind, benchmark_too=benchmark_too is True)

        return export


def _settings_of(values: Any) -> Settings:
    """The queue's settings, in the order of the components."""
    order, seed, blind, advance, dataset, class_name, show, who = values
    return Settings(
        order=order,
        seed=int(seed or 0),
        blind=blind is True,
        advance=advance is True,
        dataset=dataset,
        class_name=class_name,
        show=show,
        annotator=who,
    )


def _search_of(values: Any, page: int = 0) -> Search:
    """What is looked for, in the order of the components."""
    text, verdict, reason, who = values
    return Search(text=str(text or ""), verdict=verdict, reason=reason, annotator=who, page=page)
