"""The sentences that describe a class in its normal and abnormal states.

Source: AdaCLIP, after WinCLIP's compositional prompts.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from adaclip.model.backbone import open_clip

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


@functools.lru_cache(maxsize=256)
def tokenize(class_name: str, context_length: int = 77) -> Tensor:
    """Token ids (S, T) of the sentences, T cut at the longest end-of-text position.

    Cutting is exact: attention is causal and only the end-of-text position is read. A name too
    long for the context is cut by the tokenizer, which keeps the end-of-text token.
    """
    ids = _tokenizer(context_length)(sentences(class_name))
    return ids[:, : int(end_of_text(ids).max()) + 1].clone()


@functools.cache
def _tokenizer(context_length: int) -> Any:
    return open_clip().SimpleTokenizer(context_length=context_length)


def end_of_text(ids: Tensor) -> Tensor:
    """Position (S,) of the end-of-text token, whose id is the largest in the vocabulary."""
    return ids.argmax(dim=-1)


def ensemble(features: Tensor) -> Tensor:
    """Average sentence features (B, S, D) per state: unit vectors (B, D, 2), normal first.

    S may be all sentences or those of some templates only.
    """
    features = torch.nn.functional.normalize(features.float(), dim=-1)
    states = len(NORMAL_STATES) + len(ABNORMAL_STATES)
    split = features.shape[1] * len(NORMAL_STATES) // states
    normal = features[:, :split].mean(dim=1)
    abnormal = features[:, split:].mean(dim=1)
    return torch.nn.functional.normalize(torch.stack([normal, abnormal], dim=-1), dim=1)
