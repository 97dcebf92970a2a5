"""Drawing the parts of the Benchmark tab from a desk and what there is.

Tables and charts are imported when the tab is first opened: the page starts without them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components.plot import PlotData

from adaclip.errors import AdaClipError, StoreError
from adaclip.runs import wording
from adaclip.runs.results import Run
from adaclip.runs.scores import Scores
from demo.benchmark import view, words
from demo.benchmark.cells import name_of
from demo.benchmark.desk import Desk
from demo.benchmark.scale import place_on
from demo.benchmark.select import images_page, neighbours, threshold_of
from demo.benchmark.tab import FILES
from demo.flag.bar import hidden, said_html
from demo.flag.flagging import Subject
from demo.flag.subjects import run_subject
from demo.look import MARGIN_STEP, SLIDER_STEP
from demo.runs.jobs import sources
from demo.runs.library import Holdings, Library
from demo.services import Services

Screen = dict[str, Any]
# Component -> the element it is in.
_SCORE_CHARTS = {
    "histogram": "chart-histogram",
    "confusion": "chart-confusion",
    "roc": "chart-roc",
    "precision_recall": "chart-pr",
}
_NO_RUN = "No run is chosen"


class Screens:
    """One per page."""

    def __init__(self, services: Services, library: Library) -> None:
        self._services, self._library = services, library

    def draw(self, desk: Desk, holdings: Holdings, parts: set[str]) -> Screen:
        """The values of the components that the parts stand for."""
        drawers: Mapping[str, Callable[[Desk, Holdings], Screen]] = {
            "controls": self._controls,
            "table": self._table,
            "charts": self._charts,
            "run": self._run,
            "scores": self._scores,
            "marks": self._marks,
            "gallery": self._gallery,
            "inspector": self._inspector,
            "compare": self._compare,
            "pair": self._pair,
            "measure": self._measure,
        }
        screen: Screen = {}
        for name, drawer in drawers.items():
            if name in parts:
                screen |= drawer(desk, holdings)
        return screen

    def _controls(self, desk: Desk, holdings: Holdings) -> Screen:
        from demo.benchmark.table import metrics_of, protocols

        chosen, run = desk.selection, self._run_of(desk, holdings)
        runs = view.run_choices(holdings.newest, holdings.cards)
        rivals = [choice for choice in runs if choice[1] != chosen.run]
        listed = [
            (f"{label} ({count})", key) for key, label, count in protocols(holdings.published)
        ]
        metrics = [(label, key) for key, label in metrics_of(chosen.level)]
        ranked = chosen.metric if chosen.metric != "aupro" else "auroc"
        return {
            "level": chosen.level,
            "metric": gr.Radio(choices=metrics, value=chosen.metric),
            "domain": chosen.domain,
            "protocol": gr.Dropdown(choices=listed, value=chosen.protocol),
            "run": gr.Dropdown(choices=runs, value=chosen.run),
            "class_name": gr.Dropdown(
                choices=view.class_choices(run), value=chosen.class_name or ""
            ),
            "scale": chosen.scale,
            "run_a": gr.Dropdown(choices=runs, value=chosen.run),
            "run_b": gr.Dropdown(choices=rivals, value=chosen.against),
            "compared": ranked,
        }

    def _table(self, desk: Desk, holdings: Holdings) -> Screen:
        from demo.benchmark.results_html import table_html

        table, chosen = self.overview(desk, holdings), desk.selection
        columns = [(view.column_choice(one), one.id) for one in table.offered]
        there = {name for _, name in columns}
        rows = [(name_of(key, holdings.cards), key) for key in holdings.cards]
        return {
            "table": table_html(table, chosen),
            "methods": gr.Dropdown(
                choices=columns,
                value=[one for one in chosen.methods if one in there],
                multiselect=True,
            ),
            "datasets": gr.Dropdown(choices=rows, value=list(chosen.datasets), multiselect=True),
            "baseline": gr.Dropdown(
                choices=[("None", ""), *columns],
                value=chosen.baseline if chosen.baseline in there else "",
            ),
        }

    def overview(self, desk: Desk, holdings: Holdings) -> Any:
        """The table as the desk has it; built once for its settings and what there is."""
        from demo.benchmark.table import overview

        settings = desk.table_settings()
        if desk.drawn is None or desk.drawn[0] is not holdings or desk.drawn[1] != settings:
            table = overview(holdings.published, holdings.newest, holdings.cards, **settings)
            desk.drawn = (holdings, settings, table)
        return desk.drawn[2]

    def _charts(self, desk: Desk, holdings: Holdings) -> Screen:
        from demo.benchmark import figures
        from demo.benchmark.spokes import spokes

        chosen, table = desk.selection, self.overview(desk, holdings)
        columns = [table.columns[at] for at in figures.chosen_columns(table)]
        round_ = spokes(holdings.published, holdings.cards, chosen.metric, table, columns)
        listed = [one.run for one in table.measured]
        timed = figures.timed(listed, chosen.metric, chosen.level)
        several = len(timed) > 1
        parts = [one.run.id for one in table.measured if words.PARTIAL_MARK in one.cell.marks]
        return {
            "bars": figures.bars(table),
            "radar": figures.radar(round_, columns),
            "tradeoff": figures.tradeoff(timed, chosen.metric, chosen.level, parts=parts)
            if several
            else None,
            "tradeoff_card": gr.Column(visible=several),
        }

    def _run(self, desk: Desk, holdings: Holdings) -> Screen:
        from demo.benchmark import figures
        from demo.benchmark.html import facts_html

        run, chosen = self._run_of(desk, holdings), desk.selection
        files = {kind: gr.Button(interactive=run is not None) for kind in FILES}
        if run is not None:
            part = view.part_words(run, holdings.cards)
            return {
                "about": view.about_html(run, chosen, part=part),
                "heat": figures.heatmap(run),
                "facts": facts_html(run),
                **files,
            }
        printed = figures.per_object(holdings.published, chosen.dataset)
        return {
            "about": view.about_html(
                None, chosen, bool(holdings.runs), printed=figures.printed_by(printed)
            ),
            "heat": figures.heatmap_published(printed),
            "facts": "",
            **files,
        }

    def _scores(self, desk: Desk, holdings: Holdings) -> Screen:
        from demo.benchmark import figures

        run = self._run_of(desk, holdings)
        if run is None:
            return {name: figures.empty(_NO_RUN, 300) for name in _SCORE_CHARTS}
        at = self._threshold(desk, run)
        return {
            name: PlotData(type="plotly", plot=figures.threshold_json(name, *at))
            for name in _SCORE_CHARTS
        }

    def _marks(self, desk: Desk, holdings: Holdings) -> Screen:
        """The browser moves them in the charts that it has: drawing those anew takes it longer."""
        from demo.benchmark import figures

        run = self._run_of(desk, holdings)
        if run is None:
            return {}
        at = self._threshold(desk, run)
        changes = {
            element: figures.threshold_changes(name, *at) for name, element in _SCORE_CHARTS.items()
        }
        return {"changes": changes}

    def _threshold(self, desk: Desk, run: Run) -> tuple[Scores, float, float | None, str]:
        """What is under the threshold, the threshold, its review value and the scale."""
        scores = self._library.book.scores(run, desk.selection.class_name)
        cut = threshold_of(desk.selection, run)
        # The review band belongs to the run's own threshold.
        review = run.threshold.review_value if cut == run.threshold.value else None
        return scores, cut, review, desk.selection.scale

    def slider(self, desk: Desk, run: Run) -> gr.Slider:
        """The threshold's slider on the chosen scale; margins reach over the run's own."""
        from demo.benchmark.figures.scores import bin_edges

        scale, cut = desk.selection.scale, threshold_of(desk.selection, run)
        at = place_on(scale, cut)
        ends, step = (0.0, 1.0), SLIDER_STEP
        if scale == "margin":
            edges = bin_edges(self._library.book.scores(run), scale)
            ends, step = (math.floor(min(edges[0], at)), math.ceil(max(edges[-1], at))), MARGIN_STEP
            at = round(at, 2)  # the slider says so; what is kept is the exact threshold
        label = f"Picture threshold{' (margin)' if scale == 'margin' else ''}"
        return gr.Slider(minimum=ends[0], maximum=ends[1], step=step, value=at, label=label)

    def _gallery(self, desk: Desk, holdings: Holdings) -> Screen:
        run = self._run_of(desk, holdings)
        if run is None:
            return {"gallery": ""}
        scores = self._library.book.scores(run, desk.selection.class_name)
        cut = threshold_of(desk.selection, run)
        page, total = images_page(desk.selection, scores, cut, desk.offset, view.PAGE)
        if desk.offset and not len(page):  # the threshold has left fewer
            desk.offset = 0
            page, total = images_page(desk.selection, scores, cut, 0, view.PAGE)
        shown = view.gallery_html(desk.selection, page, total, desk.offset, scores, cut)
        return {"gallery": shown}

    def _inspector(self, desk: Desk, holdings: Holdings) -> Screen:
        closed: Screen = {"flag_said": hidden()}
        run, image = self._run_of(desk, holdings), desk.selection.image
        if run is None or image is None:
            return {"inspector": "", **closed}
        row = self._row(desk, run)
        if row is None:
            return {"inspector": view.no_picture_html(image), **closed}
        scores = self._library.book.scores(run, desk.selection.class_name)
        cut = threshold_of(desk.selection, run)
        near = neighbours(desk.selection, scores, cut)
        try:
            closed["flag_said"] = said_html(self._services, self.subject(desk, holdings))
        except StoreError as error:
            closed["flag_said"] = hidden(problem=str(error))
        except AdaClipError:
            pass  # the picture is not here, which the inspector says
        return {"inspector": view.inspector_html(desk.selection, row, near, cut), **closed}

    def subject(self, desk: Desk, holdings: Holdings) -> Subject | None:
        """The picture in the inspector, for a flag. Raises AdaClipError when it is not here."""
        run = self._run_of(desk, holdings)
        row = None if run is None else self._row(desk, run)
        if run is None or row is None:
            return None
        cut = threshold_of(desk.selection, run)
        own = run.threshold
        threshold = own if cut == own.value else replace(own, value=cut, source="manual")
        return run_subject(self._services, run, row, threshold)

    def _row(self, desk: Desk, run: Run) -> dict[str, Any] | None:
        frame = self._library.book.frame(run)
        found = frame[frame["rel_path"] == desk.selection.image]
        return None if found.empty else found.iloc[0].to_dict()

    def _compare(self, desk: Desk, holdings: Holdings) -> Screen:
        from demo.benchmark import figures
        from demo.benchmark.comparison import chosen_of, compare_html, versus_html

        found = self._compared(desk, holdings)
        if found is None:
            said = view.CHOOSE_TWO if len(holdings.runs) > 1 else view.ONE_RUN
            return {
                "versus": f'<p class="bench-empty">{said}</p>',
                "comparison": "",
                "deltas": figures.empty(wording.NA),
                "agreement": figures.empty(wording.NA),
            }
        own, equal = found
        return {
            "versus": versus_html(own),
            "comparison": compare_html(own, equal, desk.selection),
            "deltas": figures.deltas(own),
            "agreement": figures.agreement(chosen_of(own, equal, desk.selection)),
        }

    def _compared(self, desk: Desk, holdings: Holdings) -> tuple[Any, Any] | None:
        """The two runs at their own thresholds and at equal false alarms; resampled once."""
        from adaclip.runs.compare import compare

        run, chosen = self._run_of(desk, holdings), desk.selection
        other = holdings.runs.get(chosen.against or "")
        if run is None or other is None:
            return None
        frames = self._library.book.frame(run), self._library.book.frame(other)
        drawn = self._library.book.scores(run).drawn
        key = ("compared", other.id, chosen.metric)
        against, own = drawn.get(key, (None, None))
        if own is None or against is not frames[1]:  # B's images have been read anew
            own = compare(run, other, *frames, metric=chosen.metric)
            drawn[key] = (frames[1], own)
        return own, own.at_false_alarms(chosen.alarms)

    def _pair(self, desk: Desk, holdings: Holdings) -> Screen:
        from demo.benchmark.comparison import chosen_of, pair_html

        image = desk.selection.image
        found = self._compared(desk, holdings) if image is not None else None
        if image is None or found is None:
            return {"pair": ""}
        return {"pair": pair_html(chosen_of(*found, desk.selection), image)}

    def _measure(self, desk: Desk, holdings: Holdings) -> Screen:
        from demo.services import checkpoint_choices

        choices, dataset = sources(self._services), desk.selection.dataset
        here = view.source_of(dataset, holdings.cards.get(dataset or ""), choices)
        return {
            "data": gr.Dropdown(choices=choices, value=here or choices[0][1]),
            "checkpoint": gr.Dropdown(
                choices=checkpoint_choices(self._services),
                value=self._services.default_checkpoint().id,
            ),
        }

    def _run_of(self, desk: Desk, holdings: Holdings) -> Run | None:
        return holdings.runs.get(desk.selection.run or "")
