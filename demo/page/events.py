"""Settings of events that several tabs share."""

from __future__ import annotations

from typing import Any

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


# One at a time on the device. Gradio would drop a run that is asked for while another has not
# quite ended, and its pictures would wait for ever.
DEVICE: dict[str, Any] = {
    "concurrency_id": "device",
    "concurrency_limit": 1,
    "trigger_mode": "multiple",
}


DISPLAY: dict[str, Any] = {
    **PRIVATE,
    "concurrency_id": "display",
    "concurrency_limit": 4,
    "trigger_mode": "always_last",
}


# Each press counts: the next one comes before the answer to the last.
EACH: dict[str, Any] = {**DISPLAY, "trigger_mode": "multiple"}


SAVE_FILE = """(file) => {
  if (!file) return;
  const link = document.createElement("a");
  Object.assign(link, { href: file.url, download: file.orig_name || "result" });
  link.click();
}"""
