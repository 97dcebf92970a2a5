"""What the Detect tab does: from a visitor's key and values to what each component shows.

No event is wired here and no component is touched; a handler returns {component name: value}.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from adaclip.config import MAX_CLASS_NAME_LENGTH
from adaclip.errors import AdaClipError, InputError, StoreError
from adaclip.types import CheckpointInfo
from demo.batch import RUNNING, Batch
from demo.detect import panels
from demo.detect import view as detect_view
from demo.detect.controls import controls
from demo.flag.bar import hidden, said_html
from demo.flag.flagging import Subject
from demo.flag.subjects import batch_marks, batch_subject
from demo.look import Cut, Look, judged_at, margin_of
from demo.page import messages
from demo.services import Services, checkpoint_choices
from demo.visitor import exports, intake, runner
from demo.visitor.fetching import fetching
from demo.visitor.pictures import Findings, findings, stage_pictures

Screen = dict[str, Any]
# Seconds between two reports of a run: a table of 200 pictures is too much to send for each.
_PACE = 0.2


class DetectActions:
    """One per page; visitors are told apart by their key."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._store = services.store

    # Pictures in.

    def dropped(
        self, key: str, files: Any, class_name: Any, threshold: float | Cut, look: Look
    ) -> Screen:
        """Uploaded pictures take the stage; what was there before is forgotten.

        With it goes the name an example brought along: the visitor's pictures show something else.
        """
        taken = intake.uploaded(files, self._store.folder)
        before = self._store.get(key)
        borrowed = before is not None and before.is_example and class_name == before.class_name
        screen = self._take(key, taken, threshold, look)
        return {**screen, "class_name": self._services.defaults.class_name} if borrowed else screen

    def example(self, key: str, index: Any, threshold: float | Cut, look: Look) -> Screen:
        """A bundled picture, with its object's name."""
        examples = self._services.examples
        if not isinstance(index, int) or not 0 <= index < len(examples):
            raise InputError(messages.UNKNOWN_VALUE)
        chosen = examples[index]
        screen = self._take(key, [(chosen.path.name, chosen.path)], threshold, look)
        batch = self._batch(screen["key"])
        batch.is_example, batch.class_name = True, chosen.class_name
        return {**screen, "class_name": chosen.class_name}

    def _take(
        self, key: str, files: list[tuple[str, Path]], threshold: float | Cut, look: Look
    ) -> Screen:
        before = self._store.get(key)
        stopped = before is not None and before.phase in RUNNING
        self._store.drop(key)
        key = self._store.create(files)
        batch = self._batch(key)
        batch.message = messages.RUN_STOPPED if stopped else ""
        intake.peek(batch)
        self._settle(batch, threshold, look)
        return {"key": key, **self.everything(batch)}

    # A run.

    def start(
        self,
        key: str,
        judged: str,
        class_name: Any,
        checkpoint_id: str,
        threshold: float | Cut,
        look: Look,
    ) -> Screen:
        """Check everything a run needs. With other weights their own thresholds are set."""
        batch = self._batch(key)
        info = intake.present_checkpoint(self._services, checkpoint_id)
        words = intake.checked_class_name(class_name, self._services.defaults.class_name)
        if batch.phase in RUNNING:
            raise InputError(messages.RUNNING_ALREADY)
        ahead = self._services.runs_ahead
        _prepare(batch, info, words)
        self._settle(batch, threshold, look)
        batch.message = messages.device_in_use(ahead) if ahead else ""
        screen = {"judged": info.id}
        if judged != info.id:
            screen |= self.reset(key, checkpoint_id)
        return {**screen, **self.everything(batch)}

    def run(self, key: str) -> Iterator[Screen]:
        """Show the batch as it gets done: the words each time, the stage when its picture is."""
        batch = self._store.get(key)
        if batch is None or batch.phase != "waiting":
            return
        staged, told = -1, 0.0
        for _ in runner.run(self._services, batch):
            if self._store.get(key) is not batch:  # other pictures have taken the stage
                return
            if staged != batch.selected and not batch.current.waiting:
                staged, told = batch.selected, time.monotonic()
                yield self.everything(batch)
            elif time.monotonic() - told >= _PACE:
                told = time.monotonic()
                yield self.words(batch)
        if self._store.get(key) is batch:
            yield self.everything(batch)

    def cancel(self, key: str) -> Screen:
        """Stop after the picture in work; what is done stays."""
        batch = self._batch(key)
        with batch.lock:
            batch.cancelled.set()
            if batch.phase in RUNNING:
                batch.phase, batch.message = "cancelled", ""
        return self.everything(batch)

    # Display settings.

    def refresh(self, key: str) -> Screen:
        """All of what the page must show now: an answer about earlier pictures came late."""
        batch = self._store.get(key)
        return {} if batch is None else self.everything(batch)

    def judge(self, key: str, threshold: float | Cut) -> Screen:
        """Another picture threshold: other words, other verdicts to choose; the same pictures."""
        batch = self._store.get(key)
        if batch is None:
            return {}
        with batch.lock:
            batch.threshold = judged_at(threshold, self._recommended(batch).threshold)
            return {**self.words(batch), **self.flag(batch)}

    def redraw(self, key: str, look: Look) -> Screen:
        """Another way to look at the same picture."""
        batch = self._store.get(key)
        if batch is None:
            return {}
        # Two events at once must not mix: the later one draws what is in force for both.
        with batch.lock:
            batch.look = look
            verdict = detect_view.verdict_bar(batch, self._found(batch))
            return {"verdict": verdict, **self.stage(batch)}

    def rescale(self, key: str, threshold: Cut, look: Look, checkpoint_id: str) -> Screen:
        """The threshold's other slider, set to the threshold in force; words in its unit."""
        batch = self._store.get(key)
        recommended = (
            self._recommended(batch) if batch else self._services.checkpoint(checkpoint_id)
        ).threshold
        margin = look.unit == "margin"
        # What counted until now is the slider that is left.
        before = dataclasses.replace(threshold, unit="score" if margin else "margin")
        cut = judged_at(before, recommended).value
        screen = {
            "threshold": gr.Slider(value=cut, visible=not margin),
            "margin_threshold": gr.Slider(value=margin_of(cut), visible=margin),
        }
        if batch is None:
            return screen
        with batch.lock:
            batch.look = look
            return {**screen, **self.words(batch)}

    def select(self, key: str, index: Any) -> Screen:
        """Another picture of the batch."""
        batch = self._batch(key)
        if not isinstance(index, int) or not 0 <= index < len(batch.items):
            raise InputError(messages.UNKNOWN_VALUE)
        with batch.lock:
            batch.selected = index
            return self.everything(batch)

    def step(self, key: str, by: int) -> Screen:
        """The next or previous picture, around the corner."""
        batch = self._batch(key)
        return self.select(key, (batch.selected + by) % len(batch.items))

    def reset(self, key: str, checkpoint_id: str) -> Screen:
        """The recommended thresholds of the results, or of the chosen checkpoint."""
        batch = self._store.get(key)
        info = self._recommended(batch) if batch else self._services.checkpoint(checkpoint_id)
        least = Look().min_area_percent
        if batch is not None:
            batch.threshold = info.threshold
            batch.look = dataclasses.replace(
                batch.look, map_threshold=info.map_threshold, min_area_percent=least
            )
        return {
            "threshold": info.threshold.value,
            "margin_threshold": margin_of(info.threshold.value),
            "map_threshold": info.map_threshold,
            "min_area": least,
        }

    # The checkpoint.

    def load_view(self, query: Mapping[str, str]) -> Screen:
        """What the address asks for. Weights come and go: a page lists what is here as it opens."""
        listed = {info.id: info for info in self._services.catalogue()}
        chosen = listed.get(query.get("checkpoint", ""), self._services.default_checkpoint())
        ours = query.get("tab", "detect") == "detect"  # other tabs have a class of their own
        name = query.get("class", "").strip()[:MAX_CLASS_NAME_LENGTH] if ours else ""
        return {
            # Not named, it stays: someone may have typed one by now.
            **({"class_name": name} if name else {}),
            "checkpoint": gr.Dropdown(choices=checkpoint_choices(self._services), value=chosen.id),
            **self.describe("", chosen.id, name),
        }

    def describe(self, key: str, checkpoint_id: str, class_name: Any, note: str = "") -> Screen:
        """The card under the checkpoint; our own examples are of no dataset."""
        info = self._services.checkpoint(checkpoint_id)
        batch = self._store.get(key)
        of_dataset = "" if batch is not None and batch.is_example else str(class_name or "")
        return {
            "card": panels.checkpoint_card(
                info, of_dataset, note, words=str(class_name or self._services.defaults.class_name)
            ),
            "fetch": gr.Button(visible=self._services.can_fetch(info)),
        }

    def fetch(self, key: str, checkpoint_id: str, class_name: Any) -> Iterator[Screen]:
        """Get weights from the hub, with progress; closing the generator cancels."""
        info = self._services.checkpoint(checkpoint_id)
        buttons = {"fetch": gr.Button(visible=False), "fetch_cancel": gr.Button(visible=True)}
        problem = ""
        try:
            for text, share in fetching(self._services.fetch, info.id):
                yield {**buttons, "card": panels.fetch_progress(text, share)}
        except AdaClipError as error:
            problem = str(error)
        yield {
            **self.describe(key, checkpoint_id, class_name, problem),
            "fetch_cancel": gr.Button(visible=False),
            "checkpoint": gr.Dropdown(choices=checkpoint_choices(self._services)),
        }

    def fetch_cancelled(self, key: str, checkpoint_id: str, class_name: Any) -> Screen:
        """Back to the card."""
        screen = self.describe(key, checkpoint_id, class_name, messages.FETCH_CANCELLED)
        return {**screen, "fetch_cancel": gr.Button(visible=False)}

    # Files.

    def download(self, key: str, kind: str, threshold: float | Cut, look: Look) -> Iterator[Screen]:
        """Write a file and hand it over; a ZIP says how far it is."""
        batch = self._batch(key)
        cut = judged_at(threshold, self._recommended(batch).threshold)
        stem = exports.short_stem(batch.current.name)
        if kind == "zip":
            path = batch.folder / "adaclip-results.zip"
            for done in exports.write_zip(batch, cut, look, path):
                yield {"packing": panels.small_note(messages.packing(done, len(batch.items)))}
        elif kind == "csv":
            content = exports.batch_csv(batch, cut, look).encode("utf-8")
            path = exports.write_file(batch, "adaclip-results.csv", content)
        else:
            content = exports.one_file(batch.current, kind, look, batch.folder)  # type: ignore[arg-type]
            path = exports.write_file(batch, f"{stem}_{exports.SUFFIXES[kind]}", content)  # type: ignore[index]
        yield {"carrier": str(path), "packing": ""}

    # What is shown.

    def everything(self, batch: Batch) -> Screen:
        """All of the screen that depends on the batch."""
        with batch.lock:
            return {
                **self.words(batch),
                **self.stage(batch),
                **controls(batch),
                **self.flag(batch),
            }

    def flag(self, batch: Batch) -> Screen:
        """The flag bar of the picture on the stage; it hides where there is nothing to flag."""
        try:
            said = said_html(self._services, batch_subject(batch))
        except StoreError as error:
            said = hidden(problem=str(error))
        except AdaClipError:  # its upload has gone, which the stage says
            said = hidden()
        return {"flag_said": said}

    def subject(self, key: str, row: int | None = None) -> Subject | None:
        """What a flag is about: the picture on the stage, or that of a row. Raises AdaClipError."""
        return batch_subject(self._batch(key), row)

    def listing(self, key: str) -> Screen:
        """The table, with what has been said of its pictures."""
        batch = self._store.get(key)
        return {} if batch is None else {**_shown(batch), "listing": self._listing(batch)}

    def _listing(self, batch: Batch) -> str:
        store, marks = self._services.annotations, None
        if store is not None:
            # A file that another program has damaged takes away the flags, not the results.
            with suppress(StoreError):
                marks = batch_marks(store, batch)
        return detect_view.listing(batch, marks)

    def words(self, batch: Batch) -> Screen:
        """What is said, without touching a picture."""
        return {
            **_shown(batch),
            "verdict": detect_view.verdict_bar(batch, self._found(batch)),
            "progress": detect_view.progress_bar(batch),
            "listing": self._listing(batch),
        }

    def stage(self, batch: Batch) -> Screen:
        """The pictures, and the numbers that belong to them."""
        pictures, found = None, self._found(batch)
        problem = detect_view.bare_reason(batch.current)
        try:
            pictures = stage_pictures(self._store, batch)
        except AdaClipError as error:
            problem = str(error)
        hero = panels.error_panel(problem) if problem else ""
        plain = [] if found is not None else ["plain"]
        return {
            **_shown(batch),
            "hero": gr.HTML(hero, visible=pictures is None),
            "viewer": gr.ImageSlider(
                value=pictures, visible=pictures is not None, elem_classes=plain
            ),
            "position": detect_view.position(batch),
            "legend": detect_view.legend(batch),
            "regions": detect_view.regions_table(batch, found),
        }

    def _found(self, batch: Batch) -> Findings | None:
        """The regions of the picture on the stage; None before it has been judged."""
        detection = batch.current.detection
        return None if detection is None else findings(self._store, detection, batch.look)

    def _batch(self, key: str) -> Batch:
        """The visitor's batch. Raises InputError."""
        batch = self._store.get(key)
        if batch is None:
            raise InputError(messages.RESULTS_GONE if key else messages.NO_PICTURE)
        return batch

    def _recommended(self, batch: Batch) -> CheckpointInfo:
        return batch.checkpoint or self._services.default_checkpoint()

    def _settle(self, batch: Batch, threshold: float | Cut, look: Look) -> None:
        """Put the page's settings in force."""
        batch.look = look
        batch.threshold = judged_at(threshold, self._recommended(batch).threshold)


def _prepare(batch: Batch, info: CheckpointInfo, class_name: str) -> None:
    """Ready to run; earlier results and errors are forgotten, and an earlier run's turn is over."""
    with batch.lock:
        batch.checkpoint, batch.class_name = info, class_name
        batch.cancelled = threading.Event()
        batch.phase, batch.message, batch.seconds = "waiting", "", 0.0
        for item in batch.items:
            item.detection, item.error = None, ""


def _shown(batch: Batch) -> Screen:
    """Which batch an answer is about, so that the page knows when it came too late."""
    return {"shown": f'<i data-batch="{batch.number}"></i>'}
