"""The Annotate tab: components first; what they do is in annotate_wiring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from adaclip.annotations.queue import ALL
from demo.annotate import view as annotate_view
from demo.annotate import words
from demo.flag import words as flag_words
from demo.flag.bar import FlagBar, build_flag_bar
from demo.page import messages
from demo.page.theme import asset, html
from demo.services import Services

# A row that is clicked tells its data-event.
_ROW_JS = """
const pick = (event) => {
  const row = event.target.closest("tr[data-event]");
  if (row) trigger("select", { event: row.dataset.event });
};
element.addEventListener("click", pick);
element.addEventListener("keydown", (event) => {
  if (event.key === "Enter") pick(event);
});
"""
EXPORTS = {
    "csv": "CSV",
    "jsonl": "JSONL manifest",
    "coco": "COCO JSON",
    "tree": "Training folder ZIP",
}


@dataclass(frozen=True, kw_only=True)
class AnnotateTab:
    """The components, by what they are for."""

    key: gr.State  # of the visitor's open queue; never sent to the browser
    event: gr.State  # the annotation in hand
    page_number: gr.State
    person: gr.Textbox  # filled in by the browser with each press, never shown
    # What to review, and in which order.
    source: gr.Dropdown
    other: gr.Dropdown
    order: gr.Dropdown
    seed: gr.Number
    blind: gr.Checkbox
    advance: gr.Checkbox
    dataset: gr.Dropdown
    class_name: gr.Dropdown
    show: gr.Dropdown
    who: gr.Dropdown
    start: gr.Button
    stop: gr.Button
    # The picture.
    counter: gr.HTML
    stage: gr.HTML
    previous: gr.Button
    position: gr.HTML
    next: gr.Button
    flag: FlagBar
    facts: gr.HTML
    sheets: gr.Tabs
    # All annotations.
    table_tab: gr.Tab
    search: gr.Textbox
    find_verdict: gr.Dropdown
    find_reason: gr.Dropdown
    find_who: gr.Dropdown
    pager: gr.HTML
    earlier: gr.Button
    later: gr.Button
    table: gr.HTML
    hand: gr.Column
    details: gr.HTML
    thumb: gr.HTML
    edit_verdict: gr.Radio
    edit_reason: gr.Dropdown
    edit_comment: gr.Textbox
    save: gr.Button
    retract: gr.Button
    edit_said: gr.HTML
    # People, charts, files.
    people_tab: gr.Tab
    agreement: gr.HTML
    disagreements: gr.HTML
    charts_tab: gr.Tab
    totals: gr.HTML
    class_chart: gr.Plot
    reason_chart: gr.Plot
    time_chart: gr.Plot
    quality: gr.HTML
    export_tab: gr.Tab
    suggestions: gr.HTML
    benchmark_too: gr.Checkbox
    exports: dict[str, gr.Button]
    export_said: gr.HTML
    carrier: gr.File


def build(services: Services) -> AnnotateTab:
    """Lay the tab out inside the current Blocks. Nothing is wired yet."""
    parts: dict = {
        "key": gr.State("", time_to_live=6 * 3600),
        "event": gr.State(""),
        "page_number": gr.State(0),
        "person": gr.Textbox(visible="hidden", elem_id="annotate-person"),
        "carrier": gr.File(visible="hidden", elem_id="annotate-carrier"),
    }
    if services.annotations is None:
        html(f'<p class="notice warn">{flag_words.NO_STORE}</p>')
    with gr.Tabs(elem_id="annotate-tabs") as parts["sheets"]:
        with gr.Tab("Review", id="review"), gr.Row(elem_id="review"):
            with gr.Column(elem_id="queue"):
                parts |= _queue()
            with gr.Column(elem_id="review-stage"):
                parts |= _stage()
            with gr.Column(elem_id="review-facts"):
                parts["facts"] = html("", elem_id="facts")
                html(annotate_view.keys_html())
        with gr.Tab("All annotations", id="table") as parts["table_tab"]:
            parts |= _table()
        with gr.Tab("Agreement", id="people") as parts["people_tab"]:
            _title("How well people agree")
            parts["agreement"] = html("", elem_id="agreement")
            _title("Pictures they disagree on")
            parts["disagreements"] = html("", js_on_load=_ROW_JS, elem_id="disagreements")
        with gr.Tab("Charts", id="charts") as parts["charts_tab"]:
            parts |= _charts()
        with gr.Tab("Export", id="export") as parts["export_tab"]:
            parts |= _export()
    return AnnotateTab(**parts)


def _queue() -> dict:
    """What to review, and how."""
    html(_person_html(), js_on_load=asset("person.js"), elem_id="person")
    orders = [(label, key) for key, label in words.ORDERS.items()]
    shows = [(label, key) for key, label in (words.SHOW | flag_words.VERDICTS).items()]
    parts: dict = {
        "source": gr.Dropdown(
            [(words.SOURCE_SESSION, words.SESSION_SOURCE)],
            value=words.SESSION_SOURCE,
            label="What to review",
            elem_id="source",
        ),
        "order": gr.Dropdown(orders, value="false_alarms", label="Order", elem_id="order"),
        "other": gr.Dropdown([], label="Compare with run", visible=False, elem_id="other-run"),
        "seed": gr.Number(0, label="Seed", precision=0, minimum=0, visible=False, elem_id="seed"),
        "start": gr.Button("Start", variant="primary", elem_id="start-review"),
        "stop": gr.Button("Cancel", variant="stop", visible=False, elem_id="stop-review"),
        "advance": gr.Checkbox(True, label="Go on by itself after a verdict", elem_id="advance"),
        "blind": gr.Checkbox(False, label="Blind: hide score and map until judged"),
    }
    with gr.Accordion("Filters", open=False, elem_id="filters"):
        parts |= {
            "show": gr.Dropdown(shows, value=words.WAITING, label="Show", elem_id="show"),
            "who": _all("Judged by", "who"),
            "dataset": _all("Dataset", "dataset-filter"),
            "class_name": _all("Object", "class-filter"),
        }
    return parts


def _stage() -> dict:
    """The picture, where it is in the queue, and the verdict."""
    parts: dict = {"counter": html("", elem_id="counter")}
    with gr.Column(elem_id="review-ground"):
        parts["stage"] = html(
            annotate_view.empty_stage(), js_on_load=asset("annotate.js"), elem_id="review-look"
        )
    with gr.Row(elem_id="review-under"):
        step: dict[str, Any] = {"min_width": 36, "visible": False}
        parts["previous"] = gr.Button(messages.PREVIOUS, elem_id="review-previous", **step)
        parts["position"] = html("", elem_id="review-position")
        parts["next"] = gr.Button(messages.NEXT, elem_id="review-next", **step)
    parts["flag"] = build_flag_bar("annotate", stage="#review-look .look")
    return parts


def _table() -> dict:
    """Search, rows, and the row in hand."""
    verdicts = [("Any verdict", ALL), *((v, k) for k, v in flag_words.VERDICTS.items())]
    reasons = [("Any reason", ALL), *((v, k) for k, v in flag_words.REASONS.items())]
    parts: dict = {}
    with gr.Row(elem_id="find"):
        parts["search"] = gr.Textbox(
            show_label=False,
            placeholder="Search pictures, objects, people, comments",
            elem_id="search",
            max_length=200,
        )
        for name, choices in (("find_verdict", verdicts), ("find_reason", reasons)):
            parts[name] = gr.Dropdown(
                choices, value=ALL, show_label=False, container=False, elem_id=name
            )
        parts["find_who"] = gr.Dropdown(
            [("Anybody", ALL)],
            value=ALL,
            show_label=False,
            container=False,
            elem_id="find_who",
        )
    with gr.Row(elem_id="sheet-and-hand"):
        with gr.Column(elem_id="sheet-side"):
            with gr.Row(elem_id="paging"):
                parts["pager"] = html("", elem_id="pager")
                parts["earlier"] = gr.Button("Newer", size="sm", elem_id="page-newer")
                parts["later"] = gr.Button("Older", size="sm", elem_id="page-older")
            parts["table"] = html("", js_on_load=_ROW_JS, elem_id="all-annotations")
        with gr.Column(visible=False, elem_id="hand") as parts["hand"]:
            _title("This annotation")
            parts["thumb"] = html("", elem_id="hand-thumb")
            parts["details"] = html("", elem_id="hand-details")
            parts["edit_verdict"] = gr.Radio(verdicts[1:], label="Verdict", elem_id="edit-verdict")
            parts["edit_reason"] = gr.Dropdown(
                [("No reason", ""), *reasons[1:]], label="Why", elem_id="edit-reason"
            )
            parts["edit_comment"] = gr.Textbox(
                label="Comment", lines=2, max_length=flag_words.MAX_COMMENT, elem_id="edit-comment"
            )
            with gr.Row(elem_id="edit-buttons"):
                parts["save"] = gr.Button("Save", variant="primary", size="sm", elem_id="edit-save")
                parts["retract"] = gr.Button("Retract", size="sm", elem_id="edit-retract")
            parts["edit_said"] = html("", elem_id="edit-said")
    return parts


def _charts() -> dict:
    parts: dict = {"totals": html("", elem_id="totals")}
    with gr.Row(elem_id="charts"):
        for name, title in (
            ("class_chart", "By object"),
            ("reason_chart", "By reason"),
            ("time_chart", "Over time"),
        ):
            with gr.Column(elem_classes="chart"):
                _title(title)
                parts[name] = gr.Plot(show_label=False, container=False)
    _title("Are these enough?")
    parts["quality"] = html("", elem_id="quality")
    return parts


def _export() -> dict:
    parts: dict = {"exports": {}}
    _title("Download what is current")
    with gr.Row(elem_id="export-buttons"):
        for kind, label in EXPORTS.items():
            parts["exports"][kind] = gr.Button(label, size="sm", elem_id=f"export-{kind}")
    parts["benchmark_too"] = gr.Checkbox(False, label=words.BENCHMARK_TOO, elem_id="benchmark-too")
    parts["export_said"] = html("", elem_id="export-said")
    _title("Thresholds the labels suggest")
    waiting = f'<p class="hint">{words.COMPUTING}</p>'
    parts["suggestions"] = html(waiting, elem_id="suggestions")
    return parts


def _all(label: str, elem_id: str) -> gr.Dropdown:
    return gr.Dropdown([("All", ALL)], value=ALL, label=label, elem_id=elem_id)


def _title(text: str) -> None:
    html(f'<h3 class="panel-title">{text}</h3>')


def _person_html() -> str:
    return (
        '<label class="person"><span>Your name</span><input type="text" '
        f'maxlength="{flag_words.MAX_NAME}" autocomplete="nickname" placeholder="initials will do">'
        "</label>"
    )
