"""Anomaly scores (0-1) to margins (logits) and back, for numbers and for arrays."""

from __future__ import annotations

import math
from typing import overload

import numpy as np


def logit(score: float, *, within: float = 0.0) -> float:
    """The margin of a score of 0-1; scores are first moved `within` from 0 and from 1.

    Without `within` 0 and 1 give minus and plus infinity.

    >>> logit(0.5)
    0.0
    """
    score = min(max(score, within), 1.0 - within)
    if score <= 0.0 or score >= 1.0:
        return math.copysign(math.inf, score - 0.5)
    return math.log(score / (1.0 - score))


@overload
def sigmoid(margin: float) -> float: ...
@overload
def sigmoid(margin: np.ndarray) -> np.ndarray: ...
def sigmoid(margin: float | np.ndarray) -> float | np.ndarray:
    """The score, 0-1, of a margin; an array keeps its shape and its type of float.

    No margin is too large for it.

    >>> sigmoid(0.0)
    0.5
    """
    small = np.exp(-np.abs(margin))
    scores = np.where(np.less(margin, 0), small, np.ones_like(small)) / (1 + small)
    return scores if isinstance(margin, np.ndarray) else float(scores)
