"""The Annotate tab's pages beside the review, laid out: table, agreement, charts, export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from adaclip.annotations.queue import ALL
from demo.annotate import words
from demo.annotate.pictures import AnnotationPictures
from demo.flag import words as flag_words
from demo.page.theme import asset, html

EXPORTS = {
    "csv": "CSV",
    "jsonl": "JSONL manifest",
    "coco": "COCO JSON",
    "tree": "Training folder ZIP",
}


@dataclass(frozen=True, kw_only=True)
class Sheets:
    """The components of these pages, by what they are for; `tabs` is the bar they are in."""

    tabs: gr.Tabs
    pictures: AnnotationPictures
    # All annotations. `changes` are the ids of what was done on this page, to be undone.
    event: gr.State
    page_number: gr.State
    changes: gr.State
    table_tab: gr.Tab
    search: gr.Textbox
    find_verdict: gr.Dropdown
    find_reason: gr.Dropdown
    find_who: gr.Dropdown
    pager: gr.HTML
    table_status: gr.HTML
    undo_change: gr.Button
    earlier: gr.Button
    later: gr.Button
    table: gr.HTML
    row_panel: gr.Column
    row_picture: gr.HTML
    details: gr.HTML
    edit_verdict: gr.Radio
    edit_reason: gr.Dropdown
    edit_comment: gr.Textbox
    save: gr.Button
    retract: gr.Button
    # Agreement; `dispute` is an annotation of the picture that is open.
    people_tab: gr.Tab
    dispute: gr.State
    agreement: gr.HTML
    disagreements: gr.HTML
    dispute_panel: gr.Column
    dispute_picture: gr.HTML
    dispute_facts: gr.HTML
    dispute_comment: gr.Textbox
    settle_normal: gr.Button
    settle_anomalous: gr.Button
    unsettle: gr.Button
    show_in_table: gr.Button
    dispute_status: gr.HTML
    # Charts and files.
    charts_tab: gr.Tab
    totals: gr.HTML
    class_chart: gr.Plot
    reason_chart: gr.Plot
    time_chart: gr.Plot
    quality: gr.HTML
    export_tab: gr.Tab
    trainable: gr.HTML
    suggestions: gr.HTML
    benchmark_too: gr.Checkbox
    exports: dict[str, gr.Button]
    export_status: gr.HTML
    carrier: gr.File


def hidden_parts() -> dict[str, Any]:
    """What these pages keep out of sight; laid out beside the tabs, which hold nothing but tabs."""
    return {
        "event": gr.State(""),
        "page_number": gr.State(0),
        "changes": gr.State([]),
        "dispute": gr.State(""),
        "carrier": gr.File(visible="hidden", elem_id="annotate-carrier"),
    }


def build_sheets(tabs: gr.Tabs, pictures: AnnotationPictures, hidden: dict[str, Any]) -> Sheets:
    """Lay the pages out inside `tabs`; `hidden` is from `hidden_parts`. Nothing is wired yet."""
    parts = dict(hidden)
    with gr.Tab("All annotations", id="table") as parts["table_tab"]:
        parts |= table_page(pictures)
    with gr.Tab("Agreement", id="people") as parts["people_tab"]:
        parts |= agreement_page(pictures)
    with gr.Tab("Charts", id="charts") as parts["charts_tab"]:
        parts |= charts_page()
    with gr.Tab("Export", id="export") as parts["export_tab"]:
        parts |= export_page()
    return Sheets(tabs=tabs, pictures=pictures, **parts)


def table_page(pictures: AnnotationPictures) -> dict[str, Any]:
    """Search, rows, and the selected row beside them."""
    verdicts = [("Any verdict", ALL), *((v, k) for k, v in flag_words.VERDICTS.items())]
    reasons = [("Any reason", ALL), *((v, k) for k, v in flag_words.REASONS.items())]
    parts: dict[str, Any] = {}
    with gr.Row(elem_id="find"):
        parts["search"] = gr.Textbox(
            show_label=False,
            placeholder="Search pictures, objects, people, comments",
            elem_id="search",
            max_length=200,
        )
        for name, choices in (
            ("find_verdict", verdicts),
            ("find_reason", reasons),
            ("find_who", [("Anybody", ALL)]),
        ):
            parts[name] = gr.Dropdown(
                choices, value=ALL, show_label=False, container=False, elem_id=name
            )
    with gr.Row(elem_id="table-and-row", elem_classes="list-and-panel"):
        with gr.Column(elem_classes="list-side"):
            with gr.Row(elem_id="table-bar"):
                parts["pager"] = html("", elem_id="pager")
                parts["table_status"] = html("", elem_id="table-status")
                parts["undo_change"] = gr.Button(
                    "Undo", size="sm", visible=False, elem_id="undo-change"
                )
                parts["earlier"] = gr.Button("Newer", size="sm", elem_id="page-newer")
                parts["later"] = gr.Button("Older", size="sm", elem_id="page-older")
            parts["table"] = _rows(pictures, "all-annotations")
        with gr.Column(visible=False, elem_id="row-panel", elem_classes="side-panel") as panel:
            parts["row_panel"] = panel
            title("This annotation")
            parts["row_picture"] = html("", elem_id="row-picture")
            parts["details"] = html("", elem_id="row-details")
            parts["edit_verdict"] = gr.Radio(verdicts[1:], label="Verdict", elem_id="edit-verdict")
            parts["edit_reason"] = gr.Dropdown(
                [("No reason", ""), *reasons[1:]], label="Why", elem_id="edit-reason"
            )
            parts["edit_comment"] = gr.Textbox(
                label="Comment", lines=2, max_length=flag_words.MAX_COMMENT, elem_id="edit-comment"
            )
            with gr.Row(elem_classes="panel-buttons"):
                parts["save"] = gr.Button("Save", variant="primary", size="sm", elem_id="edit-save")
                parts["retract"] = gr.Button("Retract", size="sm", elem_id="edit-retract")
    return parts


def agreement_page(pictures: AnnotationPictures) -> dict[str, Any]:
    """How well people agree; the disputed pictures, and settling the selected one."""
    parts: dict[str, Any] = {}
    title("How well people agree")
    parts["agreement"] = html("", elem_id="agreement")
    title("Pictures they disagree on")
    with gr.Row(elem_classes="list-and-panel"):
        with gr.Column(elem_classes="list-side"):
            parts["disagreements"] = _rows(pictures, "disagreements")
        with gr.Column(visible=False, elem_id="dispute", elem_classes="side-panel") as panel:
            parts["dispute_panel"] = panel
            parts["dispute_picture"] = html("", elem_id="dispute-picture")
            parts["dispute_facts"] = html("", elem_id="dispute-facts")
            parts["dispute_comment"] = gr.Textbox(
                label="Why it is settled so",
                lines=2,
                max_length=flag_words.MAX_COMMENT,
                elem_id="dispute-comment",
            )
            with gr.Row(elem_classes="panel-buttons"):
                for name, text in (("normal", "It is normal"), ("anomalous", "It has a defect")):
                    parts[f"settle_{name}"] = gr.Button(text, size="sm", elem_id=f"settle-{name}")
            with gr.Row(elem_classes="panel-buttons"):
                parts["unsettle"] = gr.Button(
                    "Take the settlement back", size="sm", visible=False, elem_id="unsettle"
                )
                parts["show_in_table"] = gr.Button(
                    "Show in the table", size="sm", elem_id="show-in-table"
                )
            parts["dispute_status"] = html("", elem_id="dispute-status")
    return parts


def charts_page() -> dict[str, Any]:
    """What was said, counted."""
    parts: dict[str, Any] = {"totals": html("", elem_id="totals")}
    with gr.Row(elem_id="charts"):
        for name, text in (
            ("class_chart", "By object"),
            ("reason_chart", "By reason"),
            ("time_chart", "Over time"),
        ):
            with gr.Column(elem_classes="chart"):
                title(text)
                parts[name] = gr.Plot(show_label=False, container=False)
    title("Are these enough?")
    parts["quality"] = html("", elem_id="quality")
    return parts


def export_page() -> dict[str, Any]:
    """What can be trained on, files, and the thresholds that the labels suggest."""
    parts: dict[str, Any] = {"exports": {}}
    title("What can be trained on")
    parts["trainable"] = html("", elem_id="trainable")
    parts["benchmark_too"] = gr.Checkbox(False, label=words.BENCHMARK_TOO, elem_id="benchmark-too")
    title("Download what is current")
    with gr.Row(elem_id="export-buttons"):
        for kind, label in EXPORTS.items():
            parts["exports"][kind] = gr.Button(label, size="sm", elem_id=f"export-{kind}")
    parts["export_status"] = html("", elem_id="export-status")
    title("Thresholds the labels suggest")
    waiting = f'<p class="hint">{words.COMPUTING}</p>'
    parts["suggestions"] = html(waiting, elem_id="suggestions")
    return parts


def title(text: str) -> None:
    """A heading within a page."""
    html(f'<h3 class="panel-title">{text}</h3>')


def _rows(pictures: AnnotationPictures, elem_id: str) -> gr.HTML:
    """A table whose rows open; their pictures are asked for as they are looked at."""

    def thumbs(asked: Any) -> Any:
        return pictures.thumbs(asked)

    return html("", js_on_load=asset("rows.js"), server_functions=[thumbs], elem_id=elem_id)
