"""Which event of the review does what. Handlers pass ids and words to the actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from demo.annotate.actions import ReviewActions, Screen
from demo.annotate.judging import Judging
from demo.annotate.review import Settings
from demo.annotate.sheets_wiring import NAMED, SheetsWiring
from demo.annotate.tab import AnnotateTab
from demo.flag.bar import FLAGS
from demo.page.events import DISPLAY, PRIVATE
from demo.page.guard import Answers
from demo.services import Services
from demo.visitor.controls import VisitorControls

ANNOTATE: dict[str, Any] = {**PRIVATE, "concurrency_id": "annotate", "concurrency_limit": 4}


class AnnotateWiring:
    """Connects one AnnotateTab to its actions; the Detect tab's pictures are one of its sources."""

    def __init__(self, tab: AnnotateTab, visitor: VisitorControls, services: Services) -> None:
        self._tab, self._visitor = tab, visitor
        self._services, self._review = services, ReviewActions(services)
        fields = {k: v for k, v in vars(tab).items() if k not in ("flag", "sheets")}
        flag = {"flag_said": tab.flag.said, "flag_region": tab.flag.region}
        self._parts: dict[str, Any] = {**fields, **flag}
        self._answer, self._outputs = Answers(self._parts), list(self._parts.values())
        self._settings: list[Any] = [tab.order, tab.seed, tab.blind, tab.advance]
        self._settings += [tab.dataset, tab.class_name, tab.show, tab.who]

    def wire(self, opened: gr.Tab) -> None:
        """All events of the tab; `opened` is the tab in the page's bar."""
        self._wire_queue(opened)
        self._wire_verdicts()
        SheetsWiring(self._tab.sheets, self._tab.person, self._services).wire()

    def _wire_queue(self, opened: gr.Tab) -> None:
        tab, batch = self._tab, self._visitor.key

        def load_view(key: str, batch: str, source: Any, order: Any, *judging: Any) -> Screen:
            return self._review.load_view(key, batch, source, order, _judging_of(judging))

        def update_controls(key: str, batch: str, source: Any, order: Any, *more: Any) -> Screen:
            return self._review.update_controls(key, batch, source, order, _judging_of(more))

        def start(key: str, source: Any, other: Any, *values: Any) -> Iterator[Screen]:
            judging, (*settings, person) = _judging_of(values[:3]), values[3:]
            chosen = _settings_of(settings)
            yield from self._review.start(key, source, other, chosen, person, judging)

        def stopped(key: str) -> Screen:
            return self._review.stopped(key)

        def arrange(key: str, *settings: Any) -> Screen:
            return self._review.arrange(key, _settings_of(settings))

        with_what: list[Any] = [tab.judge_checkpoint, tab.judge_class, tab.judge_threshold]
        controls = [tab.key, batch, tab.source, tab.order, *with_what]
        opened.select(self._answer.once(load_view), controls, self._outputs, **ANNOTATE)
        gr.on(
            [part.change for part in (tab.source, tab.order, *with_what)],
            self._answer.once(update_controls),
            controls,
            self._outputs,
            **DISPLAY,
        )
        started = tab.start.click(
            self._answer.steps(start),
            [batch, tab.source, tab.other, *with_what, *self._settings, tab.person],
            self._outputs,
            js=NAMED,
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


def _judging_of(values: Any) -> Judging:
    """What a queue is judged with, in the order of the components."""
    checkpoint, class_name, threshold = values
    return Judging(checkpoint_id=checkpoint, class_name=class_name, threshold=threshold)
