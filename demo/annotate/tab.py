"""The Annotate tab: components first; what they do is in wiring.py and sheets_wiring.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from adaclip.annotations.queue import ALL
from demo.annotate import view as annotate_view
from demo.annotate import words
from demo.annotate.pictures import AnnotationPictures
from demo.annotate.sheets import Sheets, build_sheets, hidden_parts
from demo.flag import words as flag_words
from demo.flag.bar import FlagBar, build_flag_bar
from demo.page import messages
from demo.page.theme import asset, html
from demo.services import Services, checkpoint_choices


@dataclass(frozen=True, kw_only=True)
class AnnotateTab:
    """The components, by what they are for."""

    key: gr.State  # of the visitor's open queue; never sent to the browser
    person: gr.Textbox  # filled in by the browser with each press, never shown
    # What to review, and in which order.
    source: gr.Dropdown
    judged_with: gr.HTML
    judge_checkpoint: gr.Dropdown
    judge_class: gr.Textbox
    judge_threshold: gr.Textbox
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
    sheets: Sheets


def build(services: Services) -> AnnotateTab:
    """Lay the tab out inside the current Blocks. Nothing is wired yet."""
    parts: dict = {
        "key": gr.State("", time_to_live=6 * 3600),
        "person": gr.Textbox(visible="hidden", elem_id="annotate-person"),
    }
    if services.annotations is None:
        html(f'<p class="notice warn">{messages.NO_STORE}</p>')
    out_of_sight = hidden_parts()
    with gr.Tabs(elem_id="annotate-tabs") as tabs:
        with gr.Tab("Review", id="review"), gr.Row(elem_id="review"):
            with gr.Column(elem_id="queue"):
                parts |= _queue(services)
            with gr.Column(elem_id="review-stage"):
                parts |= _stage()
            with gr.Column(elem_id="review-facts"):
                parts["facts"] = html("", elem_id="facts")
                html(annotate_view.keys_html())
        parts["sheets"] = build_sheets(tabs, AnnotationPictures(services), out_of_sight)
    return AnnotateTab(**parts)


def _queue(services: Services) -> dict:
    """What to review, and how."""
    html(_person_html(), js_on_load=asset("person.js"), elem_id="person")
    orders = words.orders(labelled=False, comparable=False)
    shows = [(label, key) for key, label in (words.SHOW | flag_words.VERDICTS).items()]
    parts: dict = {
        "source": gr.Dropdown(
            [(words.SOURCE_SESSION, words.SESSION_SOURCE)],
            value=words.SESSION_SOURCE,
            label="What to review",
            elem_id="source",
        ),
        "judge_checkpoint": gr.Dropdown(
            checkpoint_choices(services),
            value=services.default_checkpoint().id,
            label="Checkpoint",
            visible=False,
            elem_id="judge-checkpoint",
        ),
    }
    with gr.Row(elem_id="judge-row"):
        for name, label in (("judge_class", "Class name"), ("judge_threshold", "Threshold")):
            parts[name] = gr.Textbox(
                label=label,
                visible=False,
                max_length=80,
                min_width=90,
                elem_id=name.replace("_", "-"),
            )
    parts |= {
        "judged_with": html("", elem_id="judged-with"),
        "order": gr.Dropdown(orders, value="false_alarms", label="Order", elem_id="order"),
        "other": gr.Dropdown([], label="Compare with run", visible=False, elem_id="other-run"),
        "seed": gr.Number(0, label="Seed", precision=0, minimum=0, visible=False, elem_id="seed"),
        "start": gr.Button("Start", variant="primary", elem_id="start-review"),
        "stop": gr.Button("Cancel", variant="stop", visible=False, elem_id="stop-review"),
        "advance": gr.Checkbox(True, label="Next picture after a verdict", elem_id="advance"),
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


def _all(label: str, elem_id: str) -> gr.Dropdown:
    return gr.Dropdown([("All", ALL)], value=ALL, label=label, elem_id=elem_id)


def _person_html() -> str:
    return (
        '<label class="person"><span>Your name</span><input type="text" '
        f'maxlength="{flag_words.MAX_NAME}" autocomplete="nickname" placeholder="initials will do">'
        "</label>"
    )
