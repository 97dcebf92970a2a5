"""The Detect tab's buttons that come and go."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo.batch import RUNNING, Batch
from demo.page import messages


def controls(batch: Batch) -> dict[str, Any]:
    """Which buttons are there, and which can be pressed, by component name."""
    running = batch.phase in RUNNING
    several = len(batch.items) > 1
    one = batch.current.detection is not None
    some = any(item.detection for item in batch.items)
    downloads = {
        kind: gr.Button(interactive=(some and not running) if kind in ("zip", "csv") else one)
        for kind in messages.DOWNLOADS
    }
    return {
        "detect": gr.Button(visible=not running),
        "cancel": gr.Button(visible=running),
        "previous": gr.Button(visible=several),
        "next": gr.Button(visible=several),
        **downloads,
    }
