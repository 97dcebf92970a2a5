"""The sentences that describe a class in its normal and abnormal states. No torch here.

Source: AdaCLIP, after WinCLIP's compositional prompts.
"""

from __future__ import annotations

NORMAL_STATES = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
ABNORMAL_STATES = (
    "damaged {}",
    "broken {}",
    "{} with flaw",
    "{} with defect",
    "{} with damage",
)
TEMPLATES = (
    "a bad photo of a {}.",
    "a low resolution photo of the {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
)


def sentences(class_name: str) -> list[str]:
    """All 48 sentences for a class name: 28 normal ones, then 20 abnormal ones."""
    name = class_name.replace("-", " ")
    states = [state.format(name) for state in NORMAL_STATES + ABNORMAL_STATES]
    return [template.format(state) for state in states for template in TEMPLATES]
