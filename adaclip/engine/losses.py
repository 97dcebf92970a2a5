"""AdaCLIP's losses, on logits: focal for classification, dice for overlap.

Source: AdaCLIP; the published code takes probabilities, the logits here are their logarithms up
to a constant, so the values are the same and the gradients do not vanish by saturation.
"""

from __future__ import annotations

from torch import Tensor

GAMMA = 2.0
LABEL_SMOOTHING = 1e-5
DICE_SMOOTH = 1.0


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean focal loss of two-class logits (B, 2, ...) against 0/1 targets (B, ...)."""
    probability = logits.softmax(dim=1)
    abnormal = target.float().clamp(LABEL_SMOOTHING, 1 - LABEL_SMOOTHING)
    expected = probability[:, 1] * abnormal + probability[:, 0] * (1 - abnormal) + LABEL_SMOOTHING
    return (-((1 - expected).clamp(min=0) ** GAMMA) * expected.log()).mean()


def dice_loss(probability: Tensor, mask: Tensor) -> Tensor:
    """Mean over images of one minus the dice overlap; both (B, H, W), 0-1."""
    overlap = (probability * mask).flatten(1).sum(dim=1)
    total = probability.flatten(1).sum(dim=1) + mask.flatten(1).sum(dim=1)
    return (1 - (2 * overlap + DICE_SMOOTH) / (total + DICE_SMOOTH)).mean()
