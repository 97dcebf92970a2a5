"""The Detect tab: components first, in the order one thinks; what they do is in detect_wiring."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from adaclip.maps.rendering import COLOUR_MAPS, DEFAULT_COLOUR_MAP
from adaclip.types import CheckpointInfo
from demo.detect import panels
from demo.detect import view as detect_view
from demo.flag.bar import FlagBar, build_flag_bar
from demo.look import MARGIN_STEP, MAX_AREA_PERCENT, MAX_MARGIN, SLIDER_STEP, Look, margin_of
from demo.page import messages
from demo.page.theme import asset, html
from demo.services import Services, checkpoint_choices
from demo.visitor.intake import suggestions

# An example that is clicked sends its number.
_PICK_JS = """
element.addEventListener("click", (event) => {
  const hit = event.target.closest("[data-example]");
  if (hit) trigger("select", { index: Number(hit.dataset.example) });
});
"""


@dataclass(frozen=True, kw_only=True)
class DetectTab:
    """The components, by what they are for."""

    key: gr.State  # of the visitor's batch; never sent to the browser
    judged: gr.State  # the checkpoint the thresholds belong to
    # What, and with which model.
    drop: gr.HTML
    examples: gr.HTML
    class_name: gr.Dropdown
    checkpoint: gr.Dropdown
    card: gr.HTML
    fetch: gr.Button
    fetch_cancel: gr.Button
    detect: gr.Button
    cancel: gr.Button
    # What came out.
    verdict: gr.HTML
    progress: gr.HTML
    hero: gr.HTML
    viewer: gr.ImageSlider
    position: gr.HTML
    previous: gr.Button
    next: gr.Button
    legend: gr.HTML
    flag: FlagBar
    listing: gr.HTML
    shown: gr.HTML  # which batch all of this is about
    # How strict, and how it looks.
    unit: gr.Radio
    threshold: gr.Slider
    margin_threshold: gr.Slider  # the same threshold; one of the two is shown
    map_threshold: gr.Slider
    min_area: gr.Slider
    reset: gr.Button
    view: gr.Radio
    opacity: gr.Slider
    colour_map: gr.Radio
    scale: gr.Radio
    regions: gr.HTML
    # Files.
    downloads: dict[str, gr.Button]
    carrier: gr.File
    packing: gr.HTML


def build(services: Services) -> DetectTab:
    """Lay the tab out inside the current Blocks. Nothing is wired yet."""
    chosen = services.default_checkpoint()
    parts: dict = {
        "key": gr.State("", time_to_live=6 * 3600, delete_callback=services.store.drop),
        # The thresholds of weights that are not here yet are not known.
        "judged": gr.State(chosen.id if chosen.present else ""),
    }
    with gr.Row(elem_id="bench"):
        with gr.Column(elem_id="setup"):
            parts |= _setup(services)
        with gr.Column(elem_id="stage"):
            parts |= _stage()
        with gr.Column(elem_id="judge"):
            parts |= _judge(chosen)
    return DetectTab(**parts)


def _setup(services: Services) -> dict:
    chosen = services.default_checkpoint()
    drop = html(panels.drop_zone(), js_on_load=asset("dropzone.js"), elem_id="drop")
    examples = html(
        panels.example_strip(services.examples) if services.examples else "",
        js_on_load=_PICK_JS,
        elem_id="examples",
        visible=bool(services.examples),
    )
    class_name = gr.Dropdown(
        suggestions(),
        value=services.defaults.class_name,
        allow_custom_value=True,
        label="What is it?",
        elem_id="class-name",
    )
    checkpoint = gr.Dropdown(
        checkpoint_choices(services), value=chosen.id, label="Checkpoint", elem_id="checkpoint"
    )
    with gr.Row(elem_id="go"):
        detect = gr.Button("Detect", variant="primary", elem_id="detect")
        cancel = gr.Button("Cancel", variant="stop", visible=False, elem_id="cancel")
    card = html(
        panels.checkpoint_card(chosen, "", words=services.defaults.class_name), elem_id="card"
    )
    with gr.Row(elem_id="fetch-row"):
        fetch = gr.Button(
            "Fetch it", size="sm", visible=services.can_fetch(chosen), elem_id="fetch"
        )
        fetch_cancel = gr.Button("Cancel", size="sm", visible=False, elem_id="fetch-cancel")
    return {
        "drop": drop,
        "examples": examples,
        "class_name": class_name,
        "checkpoint": checkpoint,
        "card": card,
        "fetch": fetch,
        "fetch_cancel": fetch_cancel,
        "detect": detect,
        "cancel": cancel,
    }


def _stage() -> dict:
    look = Look()
    verdict = html(detect_view.verdict_bar(None), elem_id="verdict")
    with gr.Row(elem_id="tools"):
        choices = [(label, key) for key, label in messages.VIEW_LABELS.items()]
        view = gr.Radio(choices, value=look.view, label="View", show_label=False, elem_id="view")
        opacity = gr.Slider(
            0.0, 1.0, value=look.opacity, step=0.05, label="Opacity", elem_id="opacity", buttons=[]
        )
    progress = html(detect_view.progress_bar(None), elem_id="progress")
    with gr.Row(elem_id="look"):
        with gr.Column(elem_id="ground"):
            hero = html(panels.hero(), elem_id="hero")
            viewer = gr.ImageSlider(
                show_label=False,
                interactive=False,
                visible=False,
                buttons=["fullscreen"],
                slider_position=12,  # the answer first; the handle to compare stands ready
                max_height=2000,  # the style sheet decides
                elem_id="viewer",
            )
        listing = html("", js_on_load=asset("listing.js"), elem_id="listing")
    with gr.Row(elem_id="under"):
        previous = gr.Button(messages.PREVIOUS, visible=False, elem_id="previous", min_width=36)
        position = html("", elem_id="position")
        following = gr.Button(messages.NEXT, visible=False, elem_id="next", min_width=36)
        legend = html(detect_view.legend(None), elem_id="legend")
    flag = build_flag_bar("detect", stage="#viewer")
    shown = html("", js_on_load=asset("stage.js"), elem_id="shown")
    return {
        "verdict": verdict,
        "progress": progress,
        "hero": hero,
        "view": view,
        "opacity": opacity,
        "viewer": viewer,
        "position": position,
        "previous": previous,
        "next": following,
        "legend": legend,
        "flag": flag,
        "listing": listing,
        "shown": shown,
    }


def _judge(chosen: CheckpointInfo) -> dict:
    look = Look(map_threshold=chosen.map_threshold)
    with gr.Column(elem_classes="section"):
        _title("How strict")
        unit = _unit(look)
        threshold = _slider(chosen.threshold.value, "Picture threshold", "threshold")
        margin_threshold = gr.Slider(
            -MAX_MARGIN,
            MAX_MARGIN,
            value=margin_of(chosen.threshold.value),
            step=MARGIN_STEP,
            label="Picture threshold, margin",
            visible=False,
            elem_id="margin-threshold",
            buttons=[],
        )
        map_threshold = _slider(look.map_threshold, "Map threshold", "map-threshold")
        html(f'<p class="hint">{messages.MAP_THRESHOLD_ORIGIN}</p>')
        min_area = gr.Slider(
            0.0,
            MAX_AREA_PERCENT,
            value=look.min_area_percent,
            step=0.01,
            label="Smallest region, %",
            elem_id="min-area",
            buttons=[],
        )
        reset = gr.Button("Reset to recommended", size="sm", elem_id="reset")
    with gr.Column(elem_classes="section"):
        _title("Regions")
        regions = html(detect_view.regions_table(None, None), elem_id="regions")
    return {
        "threshold": threshold,
        "margin_threshold": margin_threshold,
        "unit": unit,
        "map_threshold": map_threshold,
        "min_area": min_area,
        "reset": reset,
        "regions": regions,
        **_downloads(),
        **_colours(look),
    }


def _colours(look: Look) -> dict:
    """What few change, folded away."""
    with gr.Accordion("More", open=False, elem_id="more"):
        colours = [(name.capitalize(), name) for name in COLOUR_MAPS]
        colour_map = gr.Radio(
            colours, value=DEFAULT_COLOUR_MAP, label="Colours", elem_id="colour-map"
        )
        scales = [(label, key) for key, label in messages.SCALE_LABELS.items()]
        scale = gr.Radio(scales, value=look.scale, label="Colour scale", elem_id="scale")
    return {"colour_map": colour_map, "scale": scale}


def _unit(look: Look) -> gr.Radio:
    """What the picture's score and its threshold are shown in."""
    units = [(label, key) for key, label in messages.UNIT_LABELS.items()]
    return gr.Radio(
        units, value=look.unit, label="Scores as", info=messages.UNIT_HINT, elem_id="unit"
    )


def _title(text: str) -> None:
    html(f'<h3 class="panel-title">{text}</h3>')


def _slider(value: float, label: str, elem_id: str) -> gr.Slider:
    return gr.Slider(
        0.0, 1.0, value=value, step=SLIDER_STEP, label=label, elem_id=elem_id, buttons=[]
    )


def _downloads() -> dict:
    downloads = {}
    with gr.Column(elem_classes="section"):
        _title("Download")
        with gr.Row(elem_id="files"):
            for kind, label in messages.DOWNLOADS.items():
                downloads[kind] = gr.Button(
                    label, size="sm", interactive=False, elem_id=f"get-{kind}", min_width=90
                )
        packing = html("", elem_id="packing")
    carrier = gr.File(visible="hidden", elem_id="carrier")
    return {"downloads": downloads, "carrier": carrier, "packing": packing}
