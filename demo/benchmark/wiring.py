"""Which event of the Benchmark tab does what. Handlers pass ids and words to the actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from adaclip.data.registry import spoken
from demo.benchmark.actions import BenchmarkActions
from demo.benchmark.measure import MeasureActions
from demo.benchmark.screens import Screen
from demo.benchmark.tab import BenchmarkTab
from demo.flag.bar import wire_flag_bar
from demo.page.events import PRIVATE, SAVE_FILE
from demo.page.guard import Answers, guarded, signed
from demo.runs import files as benchmark_files
from demo.runs.jobs import JobBoard
from demo.services import Services
from demo.visitor.controls import VisitorControls

LOOK: dict[str, Any] = {**PRIVATE, "concurrency_id": "benchmark", "concurrency_limit": 4}
# Each click and each step back counts, also one that comes before the answer to the last.
EACH: dict[str, Any] = {**LOOK, "trigger_mode": "multiple"}
LAST: dict[str, Any] = {**LOOK, "trigger_mode": "always_last"}
FILES: dict[str, Any] = {**PRIVATE, "concurrency_id": "files", "concurrency_limit": 2}


class BenchmarkWiring:
    """Connects one BenchmarkTab to its actions; reads nothing before the tab is opened."""

    def __init__(self, tab: BenchmarkTab, services: Services) -> None:
        self._tab, self._services = tab, services
        library = tab.pictures.library
        self._do = BenchmarkActions(services, library)
        self._measure = MeasureActions(services, library, self._do, JobBoard(services))
        other = ("exports", "pictures", "flag")
        fields = {k: v for k, v in vars(tab).items() if k not in other}
        self._parts: dict[str, Any] = {**fields, **tab.exports, "flag_said": tab.flag.said}
        self._answer, self._outputs = Answers(self._parts), list(self._parts.values())

    def wire(self, visitor: VisitorControls) -> None:
        """All events of the tab; a picture of a run can be opened in the Detect tab."""
        tab = self._tab
        self._wire_link(tab, visitor)
        self._wire_controls(tab)
        self._wire_measuring(tab)
        self._wire_files(tab)
        wire_flag_bar(tab.flag, self._services, self._do.subject, [tab.key])

    def _wire_link(self, tab: BenchmarkTab, visitor: VisitorControls) -> None:
        def arrive(event: gr.EventData, key: str) -> Screen:
            screen = self._do.arrive(key, (event._data or {}).get("query"))
            return screen | self._measure.seen(screen["key"])

        def act(event: gr.EventData, key: str) -> Screen:
            screen = self._do.act(key, event._data)
            return screen | self._measure.seen(screen["key"])

        def steer(event: gr.EventData, key: str) -> Screen:
            return self._measure.steer(key, event._data)

        def to_detect(event: gr.EventData) -> Any:
            asked = event._data or {}
            _, row = tab.pictures.pixels(asked.get("run"), asked.get("image"))
            return spoken(str(row["class_name"]))

        tab.link.arrive(self._answer.once(arrive), tab.key, self._outputs, **EACH)
        tab.link.act(self._answer.once(act), tab.key, self._outputs, **EACH)
        tab.link.steer(self._answer.once(steer), tab.key, self._outputs, **EACH)
        named = signed(guarded(to_detect), to_detect)
        handed = tab.link.hand_over(named, None, visitor.class_name, **LOOK)
        visitor.refresh_card(handed.success)

    def _wire_controls(self, tab: BenchmarkTab) -> None:
        do = self._do

        def filtered(key: str, level: Any, metric: Any, domain: Any, protocol: Any) -> Screen:
            return do.filtered(key, level, metric, domain, protocol)

        def chose_columns(key: str, methods: Any, datasets: Any, baseline: Any) -> Screen:
            return do.chose_columns(key, methods, datasets, baseline)

        def chose_run(key: str, run: Any) -> Screen:
            return do.chose_run(key, run)

        def chose_class(key: str, class_name: Any) -> Screen:
            return do.chose_class(key, class_name)

        def compared(key: str, run_a: Any, run_b: Any, metric: Any) -> Screen:
            return do.compared(key, run_a, run_b, metric)

        def moved(key: str, threshold: Any) -> Screen:
            return do.moved(key, threshold)

        def scaled(key: str, scale: Any) -> Screen:
            return do.scaled(key, scale)

        def reset(key: str) -> Screen:
            return do.reset(key)

        choices: list[Any] = [tab.level, tab.metric, tab.domain, tab.protocol]
        pairs: list[Any] = [tab.run_a, tab.run_b, tab.compared]
        self._on([one.input for one in choices], filtered, [tab.key, *choices])
        columns: list[Any] = [tab.methods, tab.datasets, tab.baseline]
        self._on([one.input for one in columns], chose_columns, [tab.key, *columns])
        self._on([tab.run.input], chose_run, [tab.key, tab.run])
        self._on([tab.class_name.input], chose_class, [tab.key, tab.class_name])
        self._on([one.input for one in pairs], compared, [tab.key, *pairs])
        # The browser takes its time for each output, changed or not, at each step of the slider.
        few: list[Any] = [tab.key, tab.link, tab.problems, tab.gallery, tab.inspector]
        few += [tab.flag.said]
        tab.threshold.change(
            self._answer.once(moved), [tab.key, tab.threshold], few, queue=False, **LAST
        )
        self._on([tab.scale.input], scaled, [tab.key, tab.scale])
        self._on([tab.reset.click], reset, [tab.key])

    def _wire_measuring(self, tab: BenchmarkTab) -> None:
        measure = self._measure

        def start(key: str, source: Any, checkpoint: Any, limit: Any, keep: Any) -> Screen:
            return measure.start(key, source, checkpoint, limit, keep)

        def watch(key: str) -> Screen:
            return measure.watch(key)

        def described(source: Any) -> Screen:
            return measure.described(source)

        def imported(key: str, upload: Any) -> Screen:
            return measure.imported(key, upload)

        what = [tab.key, tab.data, tab.checkpoint, tab.limit, tab.keep_maps]
        tab.start.click(self._answer.once(start), what, self._outputs, **LOOK)
        tab.timer.tick(self._answer.once(watch), tab.key, self._outputs, **LAST)
        tab.data.change(self._answer.once(described), tab.data, self._outputs, **LAST)
        tab.upload.upload(
            self._answer.once(imported), [tab.key, tab.upload], self._outputs, **FILES
        )

    def _wire_files(self, tab: BenchmarkTab) -> None:
        def table(key: str) -> Screen:
            frame = self._do.table(key)
            folder = self._services.store.folder
            return {"carrier": str(benchmark_files.table_file(frame, folder, "benchmark"))}

        written = [tab.save_table.click(self._answer.once(table), tab.key, self._outputs, **FILES)]
        for kind, button in tab.exports.items():
            export = self._answer.once(self._exporter(kind))
            written.append(button.click(export, tab.key, self._outputs, **FILES))
        for file in written:
            file.success(None, tab.carrier, None, js=SAVE_FILE, **PRIVATE)

    def _exporter(self, kind: str) -> Callable[[str], Screen]:
        def export(key: str) -> Screen:
            folder = self._services.store.folder
            return {"carrier": str(benchmark_files.exported(self._do.run_of(key), kind, folder))}

        return export

    def _on(self, events: list[Any], handler: Callable[..., Screen], inputs: list[Any]) -> None:
        gr.on(events, self._answer.once(handler), inputs, self._outputs, **LAST)
