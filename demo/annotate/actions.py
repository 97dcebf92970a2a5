"""What the review does: from a visitor's keys and values to what each component shows.

No event is wired here and no component is touched; a handler returns {component name: value}.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from adaclip.annotations.queue import ALL, NEEDS_SECOND_RUN, QueueItem
from adaclip.errors import AdaClipError, InputError
from demo.annotate import sources as annotate_sources
from demo.annotate import table as annotate_table
from demo.annotate import view as annotate_view
from demo.annotate import words
from demo.annotate.folders import folder_pictures
from demo.annotate.judging import Judging, describe
from demo.annotate.review import Review, Reviews, Settings, judged_by
from demo.annotate.sheet import hint
from demo.annotate.sources import Pictures, Source
from demo.batch import Stopwatch
from demo.flag import flagging
from demo.flag.bar import (
    hidden,
    region_html,
    said_html,
    saved_line,
    store_flag,
    take_back,
    undone_line,
)
from demo.flag.flagging import Subject
from demo.services import Services, checkpoint_choices

Screen = dict[str, Any]
_PACE = 0.3


class ReviewActions:
    """One per page; visitors are told apart by their keys."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._reviews = Reviews()

    # What can be reviewed.

    def load_view(
        self, key: str, batch_key: str, source_id: Any, order: Any, judging: Judging
    ) -> Screen:
        """What is available now: runs, folders and checkpoints come and go."""
        listed = self._sources(batch_key)
        ids = [source.id for source in listed]
        chosen = source_id if source_id in ids else ids[0]
        choices = [(source.label, source.id) for source in listed]
        return {
            **self.update_controls(key, batch_key, chosen, order, judging),
            "source": gr.Dropdown(choices=choices, value=chosen),
            "judge_checkpoint": gr.Dropdown(
                choices=checkpoint_choices(self._services),
                visible=self._find(batch_key, chosen).kind == "folder",
            ),
        }

    def update_controls(
        self, key: str, batch_key: str, source_id: Any, order: Any, judging: Judging
    ) -> Screen:
        """What the source will be judged with, and the settings that it and the order have."""
        source = self._find(batch_key, source_id)
        runs = [s for s in self._sources(batch_key) if s.kind == "run" and s.id != source_id]
        batch = self._services.store.get(batch_key)
        described = describe(self._services, batch, source, judging)
        orders = words.orders(
            labelled=described.labelled, comparable=source.kind == "run" and bool(runs)
        )
        order = order if order in dict(orders).values() else "false_alarms"
        open_queue = hint(words.OPEN_QUEUE) if key else ""
        return {
            "judged_with": described.html + open_queue,
            "judge_checkpoint": gr.Dropdown(visible=described.asked),
            "judge_class": gr.Textbox(visible=described.asked, placeholder=described.class_hint),
            "judge_threshold": gr.Textbox(
                visible=bool(described.threshold_hint), placeholder=described.threshold_hint
            ),
            "order": gr.Dropdown(choices=orders, value=order),
            "other": gr.Dropdown(
                choices=[(run.label, run.id) for run in runs], visible=order == "disagreement"
            ),
            "seed": gr.Number(visible=order == "random"),
        }

    def _find(self, batch_key: str, source_id: Any) -> Source:
        batch = self._services.store.get(batch_key)
        return annotate_sources.find_source(self._services, batch, source_id)

    # A queue.

    def start(
        self,
        batch_key: str,
        source_id: Any,
        other_id: Any,
        settings: Settings,
        person: Any,
        judging: Judging,
    ) -> Iterator[Screen]:
        """Open a queue at the first picture this person has not judged.

        A folder's pictures are judged first, with progress; closing the generator stops that.
        """
        name = flagging.checked_name(person)
        source = self._find(batch_key, source_id)
        if source.kind == "folder":
            pictures = None
            for pictures in self._folder(source, judging):
                if not isinstance(pictures, Pictures):
                    yield pictures
            assert isinstance(pictures, Pictures)
        else:
            pictures = self._pictures(source, batch_key, other_id, settings, judging)
        review = Review(self._services.annotation_store, pictures, settings, name)
        key = self._reviews.add(review)
        running = {"start": gr.Button(visible=True), "stop": gr.Button(visible=False)}
        batch = self._services.store.get(batch_key)
        described = describe(self._services, batch, source, judging)
        yield {
            "key": key,
            "judged_with": described.html,
            **running,
            **self._filters(review),
            **self.show(review),
        }

    def _pictures(
        self, source: Source, batch_key: str, other_id: Any, settings: Settings, judging: Judging
    ) -> Pictures:
        if source.kind == "kept":
            return annotate_sources.kept_pictures(self._services)
        batch = self._services.store.get(batch_key)
        if source.kind == "session":
            if settings.order == "disagreement":
                raise InputError(NEEDS_SECOND_RUN)
            return annotate_sources.session_pictures(batch, judging.value)
        other = None
        if settings.order == "disagreement":
            if not other_id:
                raise InputError(NEEDS_SECOND_RUN)
            other = annotate_sources.find_source(self._services, batch, other_id).value
        return annotate_sources.run_pictures(self._services, source.value, other, judging.value)

    def _folder(self, source: Source, judging: Judging) -> Iterator[Screen | Pictures]:
        info = judging.checkpoint(self._services)
        asked, cut = judging.asked_class(), judging.cut(info.threshold)
        watch, shown = Stopwatch(), -_PACE
        buttons = {"start": gr.Button(visible=False), "stop": gr.Button(visible=True)}
        yield {**buttons, "stage": annotate_view.busy_stage(words.LOADING, 0.0)}
        for step in folder_pictures(self._services, source.value, info, asked, cut):
            if isinstance(step, Pictures):
                yield step
            elif watch.seconds - shown >= _PACE:
                shown = watch.seconds
                text = words.looking(*step)
                yield {"stage": annotate_view.busy_stage(text, step[0] / step[1])}

    def stopped(self, key: str) -> Screen:
        """A folder's run was cancelled; an open queue stays."""
        screen: Screen = {"start": gr.Button(visible=True), "stop": gr.Button(visible=False)}
        if not key:
            return {**screen, "stage": annotate_view.empty_stage()}
        return {**screen, **self.show(self._reviews.get(key))}

    def arrange(self, key: str, settings: Settings) -> Screen:
        """Another order or other filters, over the pictures of the open queue."""
        if not key:
            return {}
        review = self._reviews.get(key)
        review.arrange(settings)
        return self.show(review)

    def step(self, key: str, by: int) -> Screen:
        """The next or previous picture."""
        review = self._reviews.get(key)
        review.step(by)
        return self.show(review)

    # Verdicts.

    def subject(self, key: str) -> Subject | None:
        """The picture in work."""
        return self._reviews.get(key).shown().subject

    def judge(self, key: str, data: Any) -> Screen:
        """Store a verdict and go on; or say why it was not stored, and stay."""
        review = self._reviews.get(key)
        with review.lock:
            try:
                subject = review.shown().subject
                stored = store_flag(self._services, subject, data, policy=review.policy)
            except AdaClipError as error:
                return self.show(review, problem=str(error))
            self._same_person(review, stored.annotation.annotator)
            review.record(stored.annotation)
            return self.show(review, line=saved_line(stored, named=True))

    def undo(self, key: str, data: Any) -> Screen:
        """Take the last verdict of this session back, and go back to its picture."""
        review = self._reviews.get(key)
        with review.lock:
            try:
                if not review.saved:
                    raise InputError(words.NOTHING_TO_UNDO)
                event_id, _ = review.saved[-1]
                after = take_back(self._services, data, event_id)
            except AdaClipError as error:
                return self.show(review, problem=str(error))
            review.forget()
            return self.show(review, line=undone_line(after))

    def _same_person(self, review: Review, name: str) -> None:
        """The name may be changed in the middle: the queue is then that person's."""
        if name != review.annotator:
            review.annotator = name
            review.judged = judged_by(self._services.annotation_store.current(), name)

    # What is shown.

    def show(self, review: Review, *, line: str = "", problem: str = "") -> Screen:
        """The picture in work and all that is said of it."""
        subject, facts = None, ""
        try:
            shown = review.shown()
            subject, hides = shown.subject, self._hides(review, shown.subject)
            stage = shown.stage_blind if hides else shown.stage
            facts = annotate_view.facts_html(subject, blind=hides)
            said = said_html(
                self._services,
                subject,
                line=line,
                problem=problem,
                blind=review.settings.blind,
                only=review.annotator if hides else None,
            )
            review.look_ahead()
        except AdaClipError as error:
            stage, said = annotate_view.problem_stage(str(error)), hidden(line=line)
        return {
            "stage": stage,
            "facts": facts,
            "counter": annotate_view.counter_html(review),
            "position": annotate_view.position_html(review),
            "previous": gr.Button(visible=len(review.items) > 1),
            "next": gr.Button(visible=len(review.items) > 1),
            "flag_said": said,
        }

    def draw(self, key: str, data: Any) -> Screen:
        """What drawing the region of the picture in work starts with."""
        review = self._reviews.get(key)
        subject = review.shown().subject
        blind = self._hides(review, subject)
        return {"flag_region": region_html(self._services, subject, data, blind=blind)}

    def _hides(self, review: Review, subject: Subject) -> bool:
        """Blind until judged: by this person, in whichever queue or page."""
        if not review.settings.blind:
            return False
        return flagging.mine(self._services.annotation_store, subject, review.annotator) is None

    def _filters(self, review: Review) -> Screen:
        """What the pictures of this queue can be filtered by."""
        items: Sequence[QueueItem] = review.pictures.items
        people = annotate_table.people(self._services.annotation_store.current())
        values = {
            "dataset": sorted({item.dataset for item in items}),
            "class_name": sorted({item.class_name for item in items}),
            "who": people,
        }
        chosen = vars(review.settings) | {"who": review.settings.annotator}
        return {
            name: gr.Dropdown(
                choices=[("All", ALL), *((v, v) for v in listed)],
                value=chosen[name] if chosen[name] in listed else ALL,
            )
            for name, listed in values.items()
        }

    def _sources(self, batch_key: str) -> list[Source]:
        return annotate_sources.sources(self._services, self._services.store.get(batch_key))
