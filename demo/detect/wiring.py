"""Which event of the Detect tab does what. Handlers pass ids and numbers to `DetectActions`.

Events that need the device share one queue of one; those that only draw have their own, wider
one, so that a slider answers while a batch runs. Everything but `/detect` is private.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from demo.detect.actions import DetectActions, Screen
from demo.detect.tab import DetectTab
from demo.flag.bar import wire_flag_bar
from demo.look import Cut, Look
from demo.page.events import DEVICE, DISPLAY, EACH, PRIVATE, SAVE_FILE
from demo.page.guard import Answers, guarded
from demo.services import Services
from demo.visitor import intake
from demo.visitor.controls import VisitorControls

# On a narrow screen the answer is below the fold: go there.
_SHOW_STAGE = """() => {
  const stage = document.querySelector("#stage");
  if (window.innerWidth < 800) stage.scrollIntoView({ behavior: "smooth", block: "start" });
}"""
_KEEP_ADDRESS = """(name, checkpoint) => {
  const query = new URLSearchParams(location.search);
  if ((query.get("tab") ?? "detect") !== "detect") return;  // another tab's address
  query.set("class", name ?? "");
  query.set("checkpoint", checkpoint ?? "");
  history.replaceState(null, "", `?${query}`);
}"""


class DetectWiring:
    """Connects one DetectTab to its actions."""

    def __init__(self, tab: DetectTab, services: Services) -> None:
        self.tab, self._services = tab, services
        self._do = DetectActions(services)
        fields = {k: v for k, v in vars(tab).items() if k not in ("downloads", "flag")}
        self._parts: dict[str, Any] = {**fields, **tab.downloads, "flag_said": tab.flag.said}
        self._answer, self._outputs = Answers(self._parts), list(self._parts.values())
        self._choice: list[Any] = [tab.key, tab.checkpoint, tab.class_name]
        self._look: list[Any] = [tab.map_threshold, tab.min_area, tab.view]
        self._look += [tab.opacity, tab.colour_map, tab.scale]
        # Handlers get them as (threshold, margin, unit, *look); see _settings_of.
        self._settings: list[Any] = [tab.threshold, tab.margin_threshold, tab.unit, *self._look]

    @property
    def controls(self) -> VisitorControls:
        """What the other tabs use of this one."""
        tab = self.tab
        return VisitorControls(
            key=tab.key,
            checkpoint=tab.checkpoint,
            class_name=tab.class_name,
            refresh_card=self.wire_card,
        )

    def wire(self, page: gr.Blocks) -> None:
        """All events of the tab on its page."""

        def load_view(request: gr.Request) -> Screen:
            return self._do.load_view(request.query_params)

        page.load(self._answer.once(load_view), None, self._outputs, **PRIVATE)
        self._wire_pictures()
        self._wire_display()
        self._wire_checkpoint()
        self._wire_files()
        self._wire_flag()

    def _wire_pictures(self) -> None:
        tab, settings = self.tab, [self.tab.key, *self._settings]

        def dropped(event: gr.EventData, name: Any, key: str, *settings: Any) -> Screen:
            files = (event._data or {}).get("files")
            return self._do.dropped(key, files, name, *_settings_of(settings))

        def example(event: gr.EventData, key: str, *settings: Any) -> Screen:
            index = (event._data or {}).get("index")
            return self._do.example(key, index, *_settings_of(settings))

        def cancel(key: str) -> Screen:
            return self._do.cancel(key)

        what = [tab.class_name, *settings]
        # Each counts, also while the answer to the last one is under way.
        each: dict[str, Any] = {**PRIVATE, "trigger_mode": "multiple"}
        taken = tab.drop.upload(self._answer.once(dropped), what, self._outputs, **each)
        chosen = tab.examples.select(self._answer.once(example), settings, self._outputs, **each)
        self.wire_card(taken.success, chosen.success)
        runs = [self._wire_run(chosen.success, **each), self._wire_run(tab.detect.click, **PRIVATE)]
        tab.cancel.click(
            self._answer.once(cancel), tab.key, self._outputs, cancels=runs, queue=False, **PRIVATE
        )

    def _wire_run(self, when: Callable[..., Any], **settings: Any) -> Any:
        """Check, then run; the run is what can be cancelled."""
        tab = self.tab

        def start(key: str, judged: str, name: Any, checkpoint: str, *settings: Any) -> Screen:
            return self._do.start(key, judged, name, checkpoint, *_settings_of(settings))

        def run(key: str) -> Iterator[Screen]:
            yield from self._do.run(key)

        what = [tab.key, tab.judged, tab.class_name, tab.checkpoint, *self._settings]
        started = when(self._answer.once(start), what, self._outputs, **settings)
        started.success(None, None, None, js=_SHOW_STAGE, **PRIVATE)
        return started.success(self._answer.steps(run), tab.key, self._outputs, **DEVICE, **PRIVATE)

    def _wire_display(self) -> None:
        tab = self.tab

        def refresh(key: str) -> Screen:
            return self._do.refresh(key)

        def judge(key: str, *settings: Any) -> Screen:
            return self._do.judge(key, _settings_of(settings)[0])

        def redraw(key: str, *settings: Any) -> Screen:
            return self._do.redraw(key, _settings_of(settings)[1])

        def rescale(key: str, checkpoint: str, *settings: Any) -> Screen:
            return self._do.rescale(key, *_settings_of(settings), checkpoint)

        def select(event: gr.EventData, key: str) -> Screen:
            return self._do.select(key, (event._data or {}).get("index"))

        def reset(key: str, checkpoint: str) -> Screen:
            return self._do.reset(key, checkpoint)

        every = [tab.key, *self._settings]
        cuts = [tab.threshold.change, tab.margin_threshold.change]
        gr.on(cuts, self._answer.once(judge), every, self._outputs, **DISPLAY)
        what = [tab.key, tab.checkpoint, *self._settings]
        tab.unit.input(self._answer.once(rescale), what, self._outputs, **DISPLAY)
        # One event for all controls: answers cannot overtake each other, and the last one counts.
        gr.on(
            [control.change for control in self._look],
            self._answer.once(redraw),
            every,
            self._outputs,
            **DISPLAY,
        )
        tab.listing.select(self._answer.once(select), tab.key, self._outputs, **EACH)
        for button, by in ((tab.previous, -1), (tab.next, 1)):
            button.click(self._answer.once(self._stepper(by)), tab.key, self._outputs, **EACH)
        tab.shown.refresh(self._answer.once(refresh), tab.key, self._outputs, **DISPLAY)
        tab.reset.click(
            self._answer.once(reset), [tab.key, tab.checkpoint], self._outputs, **DISPLAY
        )

    def _stepper(self, by: int) -> Callable[[str], Screen]:
        def step(key: str) -> Screen:
            return self._do.step(key, by)

        return step

    def wire_card(self, *chosen: Callable[..., Any]) -> None:
        """Describe the checkpoint and the class name once they are chosen.

        By whom they are chosen, not whenever they change: when an address sets both, each change
        would ask with the old value of the other, and the page may show that answer last.
        """

        def describe(key: str, checkpoint: str, class_name: Any) -> Screen:
            return self._do.describe(key, checkpoint, class_name)

        for event in chosen:
            event(self._answer.once(describe), self._choice, self._outputs, **DISPLAY)

    def _wire_checkpoint(self) -> None:
        tab, what = self.tab, self._choice
        self.wire_card(tab.checkpoint.input, tab.class_name.input)

        def fetch(key: str, checkpoint: str, class_name: Any) -> Iterator[Screen]:
            yield from self._do.fetch(key, checkpoint, class_name)

        def cancelled(key: str, checkpoint: str, class_name: Any) -> Screen:
            return self._do.fetch_cancelled(key, checkpoint, class_name)

        changed = [tab.checkpoint.change, tab.class_name.change]
        address = [tab.class_name, tab.checkpoint]
        gr.on(changed, None, address, None, js=_KEEP_ADDRESS, **PRIVATE)
        job = tab.fetch.click(
            self._answer.steps(fetch),
            what,
            self._outputs,
            concurrency_id="fetch",
            concurrency_limit=1,
            **PRIVATE,
        )
        tab.fetch_cancel.click(
            self._answer.once(cancelled), what, self._outputs, cancels=[job], queue=False, **PRIVATE
        )

    def _wire_files(self) -> None:
        tab = self.tab
        for kind, button in tab.downloads.items():
            written = button.click(
                self._answer.steps(self._downloader(kind)),
                [tab.key, *self._settings],
                self._outputs,
                concurrency_id="files",
                concurrency_limit=2,
                **PRIVATE,
            )
            written.success(None, tab.carrier, None, js=SAVE_FILE, **PRIVATE)

    def _wire_flag(self) -> None:
        """What a person says of a verdict; the table shows it as well."""
        tab = self.tab

        def listing(key: str) -> Screen:
            return self._do.listing(key)

        for saved in wire_flag_bar(tab.flag, self._services, self._do.subject, [tab.key]):
            saved.success(self._answer.once(listing), tab.key, self._outputs, **DISPLAY)

    def _downloader(self, kind: str) -> Callable[..., Iterator[Screen]]:
        def download(key: str, *settings: Any) -> Iterator[Screen]:
            yield from self._do.download(key, kind, *_settings_of(settings))

        return download


def wire_api(services: Services) -> None:
    """The one public endpoint, `/detect`, with components of its own that are never shown."""
    image = gr.File(visible=False, label="image", type="filepath")
    class_name = gr.Textbox(services.defaults.class_name, visible=False, label="class_name")
    checkpoint = gr.Textbox(services.default_checkpoint().id, visible=False, label="checkpoint")
    threshold = gr.Number(None, visible=False, label="threshold, 0 to 1; empty: recommended")
    answer = gr.JSON(visible=False, label="result")

    def detect(
        image: Any, class_name: Any, checkpoint: Any, threshold: Any = None
    ) -> dict[str, Any]:
        path = intake.api_image(image, services.store.folder)
        return intake.detect_one(services, path, class_name, str(checkpoint), threshold)

    gr.Button(visible=False).click(
        guarded(detect),
        [image, class_name, checkpoint, threshold],
        answer,
        preprocess=False,  # what was sent is checked as it is, like the page's uploads
        api_name="detect",
        api_description=(
            "Judge one picture: image (file), class_name (what it shows, in words), checkpoint "
            "(id), threshold (0 to 1, or none for the recommended one). Returns image, class_name, "
            "anomaly_score, verdict, threshold, threshold_source, checkpoint, seconds."
        ),
        show_progress="hidden",
        **DEVICE,
    )


def _settings_of(values: tuple[Any, ...]) -> tuple[Cut, Look]:
    """The threshold and the display settings, in the order of the components."""
    threshold, margin, unit, map_threshold, min_area, view, opacity, colour_map, scale = values
    look = Look(
        map_threshold=map_threshold,
        min_area_percent=min_area,
        view=view,
        opacity=opacity,
        colour_map=colour_map,
        scale=scale,
        unit=unit,
    )
    return Cut(unit=unit, threshold=threshold, margin=margin), look
