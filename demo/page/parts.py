"""Small HTML that several tabs show."""

from __future__ import annotations

import html

from adaclip.logits import logit
from adaclip.types import Verdict
from demo.page import messages
from demo.page.icons import ICONS

esc = html.escape


def score_text(score: float) -> str:
    """Three decimals, more near the ends where three would say 0 or 1."""
    return f"{score:.3f}" if 0.001 <= score <= 0.999 or score in (0.0, 1.0) else f"{score:.5f}"


def number_text(score: float, unit: str) -> str:
    """A score as it is, or as the margin it stands for: a sign and two decimals."""
    if unit == "margin":
        return f"{logit(score, within=1e-9):+.2f}".replace("-", "\u2212")
    return score_text(score)


def chip(verdict: Verdict) -> str:
    """Word, shape and colour."""
    word = messages.VERDICT_WORDS[verdict]
    return f'<span class="chip {verdict.value}">{ICONS[verdict.value]}{word}</span>'


def plain_chip(state: str, word: str) -> str:
    """A chip that is no verdict: waiting, failed, done."""
    return f'<span class="chip {state}">{ICONS[state]}{esc(word)}</span>'


def device_text(device: str, precision: str) -> str:
    """ "CPU, bf16": the precision once."""
    name = device.upper() if device in ("cpu", "cuda") else device
    return name if precision in name else f"{name}, {precision}"
