"""What other tabs use of the Detect tab: the visitor's batch, and what it is judged with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr


@dataclass(frozen=True, kw_only=True)
class VisitorControls:
    """Components of the Detect tab, handed to the tabs beside it."""

    key: gr.State  # of the visitor's batch
    checkpoint: gr.Dropdown
    class_name: gr.Dropdown
    refresh_card: Callable[..., Any]  # redraws the checkpoint's card after the events given
