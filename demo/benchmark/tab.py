"""The Benchmark tab: components first; what they do is in benchmark_wiring."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from demo.benchmark import words
from demo.flag.bar import FlagBar, build_flag_bar
from demo.look import SLIDER_STEP
from demo.page.theme import asset, html
from demo.runs.library import Library
from demo.runs.pictures import BenchmarkPictures
from demo.services import Services

VIEWS = {"results": "Results", "run": "One run", "compare": "Two runs", "measure": "Measure"}
ALL_CLASSES = "All classes"
NOT_LOADED = '<div class="bench-wait" aria-busy="true"></div>'
FILES = {"zip": "ZIP", "json": "JSON", "csv": "CSV"}


@dataclass(frozen=True, kw_only=True)
class BenchmarkTab:
    """The components, by what they are for."""

    pictures: BenchmarkPictures  # of runs, asked for by the browser without an event
    key: gr.State  # of the visitor's desk; never sent to the browser
    # The address, clicks and pictures: what passes between browser and server. To be rendered
    # outside of the tabs, which are not there before they are opened.
    link: gr.HTML
    timer: gr.Timer  # while something is being measured
    views: gr.Tabs
    problems: gr.HTML
    # All methods and checkpoints.
    level: gr.Radio
    metric: gr.Radio
    domain: gr.Dropdown
    protocol: gr.Dropdown
    methods: gr.Dropdown
    datasets: gr.Dropdown
    baseline: gr.Dropdown
    table: gr.HTML
    bars: gr.Plot
    radar: gr.Plot
    tradeoff: gr.Plot
    tradeoff_card: gr.Column
    save_table: gr.Button
    # One run.
    run: gr.Dropdown
    class_name: gr.Dropdown
    threshold: gr.Slider
    scale: gr.Radio  # of the threshold and the histogram
    reset: gr.Button
    about: gr.HTML
    heat: gr.Plot
    histogram: gr.Plot
    confusion: gr.Plot
    roc: gr.Plot
    precision_recall: gr.Plot
    inspector: gr.HTML
    flag: FlagBar  # what a person says of the picture in the inspector
    gallery: gr.HTML
    facts: gr.HTML
    exports: dict[str, gr.Button]
    # Two runs.
    run_a: gr.Dropdown
    run_b: gr.Dropdown
    compared: gr.Radio
    versus: gr.HTML
    pair: gr.HTML  # one picture under both
    comparison: gr.HTML
    deltas: gr.Plot
    agreement: gr.Plot
    # Measure here.
    data: gr.Dropdown
    data_said: gr.HTML
    checkpoint: gr.Dropdown
    limit: gr.Number
    keep_maps: gr.Checkbox
    start: gr.Button
    jobs: gr.HTML
    upload: gr.UploadButton
    upload_said: gr.HTML
    carrier: gr.File


def build(services: Services) -> BenchmarkTab:
    """Lay the tab out inside the current Blocks. Nothing is read or wired yet."""
    pictures = BenchmarkPictures(services, Library(services))
    parts: dict[str, Any] = {
        "pictures": pictures,
        "link": _link(pictures),
        "key": gr.State(""),
        "carrier": gr.File(visible="hidden", elem_id="bench-carrier"),
        "timer": gr.Timer(1.0, active=False),
    }
    with gr.Column(elem_id="benchmark"):
        parts["problems"] = html("", elem_id="bench-problems")
        with gr.Tabs(elem_id="bench-views") as parts["views"]:
            for view, lay_out in (
                ("results", functools.partial(_results, pictures)),
                ("run", _run),
                ("compare", _compare),
                ("measure", _measure),
            ):
                with gr.Tab(VIEWS[view], id=view, elem_id=f"bench-{view}"):
                    parts |= lay_out()
    return BenchmarkTab(**parts)


def _link(pictures: BenchmarkPictures) -> gr.HTML:
    def thumbs(asked: Any) -> Any:
        return pictures.thumbs(asked)

    def look(asked: Any) -> Any:
        return pictures.look(asked)

    return html(
        "",
        js_on_load=asset("benchmark.js"),
        server_functions=[thumbs, look],
        elem_id="bench-link",
        visible="hidden",
        render=False,
        plots=_plotly_module(),
    )


def _plotly_module() -> str:
    """The name of Gradio's module with Plotly in it; "" where this Gradio calls it otherwise."""
    assets = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
    return next((path.name for path in assets.glob("PlotlyPlot-*.js")), "")


def _table(pictures: BenchmarkPictures) -> gr.HTML:
    def card(asked: Any) -> Any:
        from demo.benchmark.cards import card_of  # tables come with the tab

        return card_of(pictures.library, asked)

    return html(
        NOT_LOADED,
        js_on_load=asset("results.js"),
        server_functions=[card],
        elem_id="bench-table",
    )


def _results(pictures: BenchmarkPictures) -> dict[str, Any]:
    with gr.Row(elem_id="bench-filters"):
        levels = [(label, key) for key, label in words.LEVELS.items()]
        level = gr.Radio(
            levels, value="image", label="Level", elem_id="bench-level", elem_classes="seg"
        )
        metrics = [(label, key) for key, label in words.METRICS.items() if key != "aupro"]
        metric = gr.Radio(
            metrics, value="auroc", label="Metric", elem_id="bench-metric", elem_classes="seg"
        )
        domains = [(label, key) for key, label in words.DOMAINS.items()]
        domain = gr.Dropdown(domains, value="all", label="Domain", elem_id="bench-domain")
        protocol = gr.Dropdown(
            [("AdaCLIP's", "adaclip")], value="adaclip", label="Protocol", elem_id="bench-protocol"
        )
    with gr.Row(elem_id="bench-choices"):
        several: dict[str, Any] = {"multiselect": True, "value": None}
        methods = gr.Dropdown([], label="Methods (all)", elem_id="bench-methods", **several)
        datasets = gr.Dropdown([], label="Datasets (all)", elem_id="bench-datasets", **several)
        baseline = gr.Dropdown([("None", "")], label="Difference to", elem_id="bench-baseline")
        save_table = gr.Button("Table CSV", size="sm", elem_id="bench-save-table")
    table = _table(pictures)
    with gr.Row(elem_id="bench-charts"):
        bars = _chart("bars", "By dataset", "wide")
        radar = _chart("radar", "By domain: means over shared sets (how many)")
        with gr.Column(visible=False, elem_id="bench-tradeoff") as tradeoff_card:
            tradeoff = _chart("tradeoff", "Accuracy against speed and size")
    return {
        "level": level,
        "metric": metric,
        "domain": domain,
        "protocol": protocol,
        "methods": methods,
        "datasets": datasets,
        "baseline": baseline,
        "table": table,
        "save_table": save_table,
        "bars": bars,
        "radar": radar,
        "tradeoff": tradeoff,
        "tradeoff_card": tradeoff_card,
    }


def _run() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Row(elem_id="bench-run-head"):
        parts["run"] = gr.Dropdown([], label="Run", elem_id="bench-run-choice")
        parts["class_name"] = gr.Dropdown([], label="Object", elem_id="bench-class")
        parts["threshold"] = gr.Slider(
            0.0,
            1.0,
            value=0.5,
            step=SLIDER_STEP,
            label="Picture threshold",
            elem_id="bench-threshold",
            buttons=[],
        )
        scales = [(label, key) for key, label in words.SCALES.items()]
        parts["scale"] = gr.Radio(
            scales, value="score", label="Scale", elem_id="bench-scale", elem_classes="seg"
        )
        parts["reset"] = gr.Button("Run's own", size="sm", elem_id="bench-reset", min_width=80)
    parts["about"] = html("", elem_id="bench-about")
    with gr.Row(elem_id="bench-detail"):
        with gr.Column(elem_id="bench-objects"):
            parts["heat"] = _chart("heat", "Objects and metrics")
            with gr.Accordion("About this run", open=True, elem_id="bench-facts"):
                parts["facts"] = html("")
        parts["histogram"] = _chart("histogram", "Scores")
        parts["confusion"] = _chart("confusion", "Verdicts")
        parts["roc"] = _chart("roc", "ROC")
        parts["precision_recall"] = _chart("pr", "Precision and recall")
    parts["inspector"] = html("", elem_id="bench-inspector")
    parts["flag"] = build_flag_bar("bench", stage="#bench-inspector figure .ground")
    parts["gallery"] = html(NOT_LOADED, elem_id="bench-gallery")
    with gr.Row(elem_id="bench-exports"):
        html('<span class="label">Export the run</span>')
        parts["exports"] = {
            kind: gr.Button(label, size="sm", elem_id=f"bench-get-{kind}", min_width=70)
            for kind, label in FILES.items()
        }
    return parts


def _compare() -> dict[str, Any]:
    with gr.Row(elem_id="bench-compare-head"):
        run_a = gr.Dropdown([], label="A", elem_id="bench-run-a")
        run_b = gr.Dropdown([], label="B", elem_id="bench-run-b")
        ranked = [(words.METRICS[key], key) for key in ("auroc", "average_precision", "max_f1")]
        compared = gr.Radio(
            ranked, value="auroc", label="Metric", elem_id="bench-compared", elem_classes="seg"
        )
    versus = html("", elem_id="bench-versus")
    with gr.Row(elem_id="bench-both"):
        deltas = _chart("deltas", "What B changes, by object")
        agreement = _chart("agreement", "The same pictures under both")
    pair = html("", elem_id="bench-pair")
    comparison = html("", elem_id="bench-comparison")
    return {
        "run_a": run_a,
        "run_b": run_b,
        "compared": compared,
        "deltas": deltas,
        "agreement": agreement,
        "versus": versus,
        "pair": pair,
        "comparison": comparison,
    }


def _measure() -> dict[str, Any]:
    with gr.Row(elem_id="bench-measure-columns"):
        with gr.Column(elem_id="bench-new", elem_classes="card"):
            html('<h3 class="panel-title">Measure a checkpoint</h3>')
            data = gr.Dropdown([], label="Dataset", elem_id="bench-data")
            data_said = html("", elem_id="bench-data-said")
            checkpoint = gr.Dropdown([], label="Checkpoint", elem_id="bench-checkpoint")
            with gr.Row(elem_id="bench-how"):
                limit = gr.Number(
                    20,
                    minimum=0,
                    precision=0,
                    label="Pictures per object (0: all)",
                    elem_id="bench-limit",
                )
                keep_maps = gr.Checkbox(True, label="Keep the maps", elem_id="bench-keep-maps")
            start = gr.Button("Measure", variant="primary", elem_id="bench-start")
        with gr.Column(elem_id="bench-work"):
            html('<h3 class="panel-title">Being measured, and left to finish</h3>')
            jobs = html("", elem_id="bench-jobs")
            html('<h3 class="panel-title">Bring a run along</h3>')
            html(
                '<p class="hint">A ZIP, results.json or images.csv that was exported here or '
                "made by <code>python -m adaclip evaluate</code>.</p>"
            )
            upload = gr.UploadButton(
                "Import a run",
                size="sm",
                file_types=[".zip", ".json", ".csv"],
                elem_id="bench-upload",
            )
            upload_said = html("", elem_id="bench-upload-said")
    return {
        "data": data,
        "data_said": data_said,
        "checkpoint": checkpoint,
        "limit": limit,
        "keep_maps": keep_maps,
        "start": start,
        "jobs": jobs,
        "upload": upload,
        "upload_said": upload_said,
    }


def _chart(name: str, title: str, kind: str = "") -> gr.Plot:
    with gr.Column(elem_classes=["chart", *([kind] if kind else [])], elem_id=f"card-{name}"):
        save = f'<button type="button" class="quiet" data-act="bench" data-png="chart-{name}"'
        save += f' title="Save this chart as a picture" aria-label="PNG of {title}">PNG</button>'
        html(f'<h3 class="panel-title"><span>{title}</span>{save}</h3>')
        return gr.Plot(show_label=False, elem_id=f"chart-{name}")
