"""The sentences as token ids, and their features averaged per state."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from adaclip.model.backbone import open_clip
from adaclip.model.sentences import ABNORMAL_STATES, NORMAL_STATES, sentences


@functools.lru_cache(maxsize=256)
def tokenize(class_name: str, context_length: int = 77) -> Tensor:
    """Token ids (S, T) of the sentences, T cut at the longest end-of-text position.

    Cutting is exact: attention is causal and only the end-of-text position is read. A name too
    long for the context is cut by the tokenizer, which keeps the end-of-text token.
    """
    # What is kept serves training, too, and a tensor made in inference mode could not.
    with torch.inference_mode(False):
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
