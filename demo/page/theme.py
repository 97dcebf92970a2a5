"""How the page looks: Gradio's theme for its own parts, our style sheet for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes.utils import colors, sizes

ASSETS = Path(__file__).resolve().parents[1] / "assets"


def theme() -> gr.themes.Base:
    """Quiet greys, one accent; fonts that come with Gradio, nothing from outside.

    The bundled semi-bold IBM Plex Sans lacks most letters, so it is not declared.
    """
    text = gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700))
    mono = gr.themes.LocalFont("IBM Plex Mono", weights=(400,))
    return gr.themes.Base(
        primary_hue=colors.indigo,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
        font=[text, "system-ui", "sans-serif"],
        font_mono=[mono, "ui-monospace", "monospace"],
    ).set(
        body_background_fill="#f5f6f8",
        body_background_fill_dark="#0f1115",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="700",
        block_title_text_color="#3d4451",
        block_title_text_color_dark="#b8bfcc",
        block_info_text_color="#667085",
        block_info_text_color_dark="#98a1b3",
        input_background_fill="#ffffff",
        input_background_fill_dark="#1b1f27",
        input_border_color="#d3d8e0",
        input_border_color_dark="#343b48",
        input_border_width="1px",
        input_border_width_dark="1px",
        button_primary_background_fill="#3f51d8",
        button_primary_background_fill_hover="#3343bd",
        button_primary_background_fill_dark="#5b6cf0",
        button_primary_background_fill_hover_dark="#6f7ef5",
        button_primary_text_color="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="#1b1f27",
        button_secondary_border_color="#d3d8e0",
        button_secondary_border_color_dark="#343b48",
        button_border_width="1px",
        slider_color="#3f51d8",
        slider_color_dark="#7c8af7",
    )


def asset(name: str) -> str:
    """The text of a file in assets/."""
    return (ASSETS / name).read_text(encoding="utf-8")


def html(value: str, **settings: Any) -> gr.HTML:
    """gr.HTML without Gradio's own text styles; ours are in assets/style.css."""
    return gr.HTML(value, apply_default_css=False, **settings)
