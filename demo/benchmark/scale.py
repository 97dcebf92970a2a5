"""The two scales that a threshold can be read on: scores of 0 to 1, and their log-odds."""

from __future__ import annotations

from typing import Any

from adaclip.logits import logit, sigmoid

MARGIN_END = 36.0  # beyond it a score is exactly 0 or 1


def place_on(scale: str, score: float) -> float:
    """Where a score of 0-1 lies on a scale, "score" or "margin"; margins end at MARGIN_END."""
    if scale == "score":
        return score
    return min(max(logit(score), -MARGIN_END), MARGIN_END)


def score_on(scale: str, value: Any) -> float | None:
    """The score of 0-1 at a place on a scale; None for what is no place on it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if scale == "margin" and abs(value) <= MARGIN_END:
        return sigmoid(float(value))
    return float(value) if scale == "score" and 0.0 <= value <= 1.0 else None
