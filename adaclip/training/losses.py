"""AdaCLIP's losses, on logits: focal for classification, dice for overlap.

Source: AdaCLIP; the published code takes probabilities, the logits here are their logarithms up
to a constant, so the values are the same and the gradients do not vanish by saturation.
"""

from __future__ import annotations

from torch import Tensor

from adaclip.config import DicePer
from adaclip.model import scoring
from adaclip.model.adaclip import ModelOutput

GAMMA = 2.0
LABEL_SMOOTHING = 1e-5
DICE_SMOOTH = 1.0


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean focal loss of two-class logits (B, 2, ...) against 0/1 targets (B, ...)."""
    probability = logits.softmax(dim=1)
    abnormal = target.float().clamp(LABEL_SMOOTHING, 1 - LABEL_SMOOTHING)
    expected = probability[:, 1] * abnormal + probability[:, 0] * (1 - abnormal) + LABEL_SMOOTHING
    return (-((1 - expected).clamp(min=0) ** GAMMA) * expected.log()).mean()


def dice_loss(probability: Tensor, mask: Tensor, *, per: DicePer = "image") -> Tensor:
    """Mean of one minus the dice overlap of (B, H, W) and (B, H, W), both 0-1.

    `per` "image" takes one overlap for each image. "row" takes one for each row of pixels, which
    is what the authors' code computes at its batch size of 1.
    """
    first = 1 if per == "image" else 2
    overlap = (probability * mask).flatten(first).sum(dim=-1)
    total = probability.flatten(first).sum(dim=-1) + mask.flatten(first).sum(dim=-1)
    return (1 - (2 * overlap + DICE_SMOOTH) / (total + DICE_SMOOTH)).mean()


def adaclip_loss(
    output: ModelOutput,
    anomalous: Tensor,
    masks: Tensor,
    has_mask: Tensor,
    *,
    dice: DicePer = "image",
) -> Tensor:
    """The mean over images of AdaCLIP's whole loss.

    Focal loss of the image score; for each stage, soft-maxed by itself at the masks' size, focal
    loss of the map, dice of its abnormal and of its normal half. An image without a mask counts
    with the first alone. Being a mean over images, it may be taken batch by batch.

    Args:
        output: the model's, for B images.
        anomalous: (B,), 0 or 1.
        masks: (B, S, S), 0-1; what stands in rows without a mask is not read.
        has_mask: (B,) bool.
        dice: see `dice_loss`.
    """
    loss = focal_loss(output.image_logits, anomalous)
    if not has_mask.any():
        return loss
    masks = masks[has_mask].float()
    total = loss.new_zeros(())
    for stage in output.stage_logits:
        logits = scoring.to_map(stage[has_mask], masks.shape[-1])
        probability = logits.softmax(dim=1)
        total = total + focal_loss(logits, masks)
        total = total + dice_loss(probability[:, 1], masks, per=dice)
        total = total + dice_loss(probability[:, 0], 1 - masks, per=dice)
    return loss + total * (len(masks) / len(has_mask))
