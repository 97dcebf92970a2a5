"""The whole loss: what it adds up, what an image without a mask counts, what a batch means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from adaclip.model.adaclip import FrozenTokens, ModelOutput
from adaclip.training.losses import adaclip_loss, dice_loss
from tests.parity.stored import values


def output(stage_logits: Tensor, image_logits: Tensor) -> ModelOutput:
    batch = len(image_logits)
    return ModelOutput(
        text_features=torch.zeros(batch, 4, 2),
        class_token=torch.zeros(batch, 4),
        patch_tokens=torch.zeros(*stage_logits.shape[:3], 4),
        stage_logits=stage_logits,
        image_logits=image_logits,
        patch_rarity=torch.zeros(stage_logits.shape[1:3]),
        image_rarity=torch.zeros(batch),
        frozen=FrozenTokens(stages=(), class_token=torch.zeros(batch, 4)),
    )


def stored() -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in values("losses").items()}


def as_patches(maps: Tensor) -> Tensor:
    """(B, 2, H, W) probabilities as the logits of H x W patches, (1, B, L, 2)."""
    return maps.log().flatten(2).transpose(1, 2).unsqueeze(0)


def test_the_whole_loss_is_the_sum_of_the_stored_ones() -> None:
    """Two equal stages count twice; the score counts once."""
    golden = stored()
    out = output(as_patches(golden["map"]).repeat(2, 1, 1, 1), golden["score"].log())
    loss = adaclip_loss(out, golden["label"], golden["mask"], torch.ones(2, dtype=torch.bool))
    of_map = golden["focal_map"] + golden["dice_abnormal"] + golden["dice_normal"]
    assert loss.item() == pytest.approx((golden["focal_score"] + 2 * of_map).item(), rel=1e-5)


def test_dice_per_row_is_dice_of_every_row_as_an_image() -> None:
    golden = stored()
    probability, mask = golden["map"][:, 1].double().numpy(), golden["mask"].double().numpy()
    overlap = (probability * mask).sum(axis=2)
    total = probability.sum(axis=2) + mask.sum(axis=2)
    expected = (1 - (2 * overlap + 1) / (total + 1)).mean()
    ours = dice_loss(golden["map"][:, 1], golden["mask"], per="row").item()
    assert ours == pytest.approx(expected, rel=1e-6)
    assert ours != pytest.approx(golden["dice_abnormal"].item(), rel=0.01)


@pytest.mark.parametrize("dice", ["image", "row"])
def test_a_batch_means_its_images(dice: str) -> None:
    generator = torch.Generator().manual_seed(0)
    stages = torch.randn(3, 4, 36, 2, generator=generator)
    scores = torch.randn(4, 2, generator=generator)
    masks = (torch.rand(4, 24, 24, generator=generator) > 0.7).float()
    labels, known = torch.tensor([1.0, 0.0, 1.0, 1.0]), torch.tensor([True, True, False, True])

    def of(rows: slice) -> float:
        part = output(stages[:, rows], scores[rows])
        return adaclip_loss(part, labels[rows], masks[rows], known[rows], dice=dice).item()  # type: ignore[arg-type]

    singles = [of(slice(row, row + 1)) for row in range(4)]
    assert of(slice(0, 4)) == pytest.approx(np.mean(singles), rel=1e-6)


def test_an_image_without_a_mask_counts_with_its_score_alone() -> None:
    golden = stored()
    stages = as_patches(golden["map"]).requires_grad_()
    scores = golden["score"].log().requires_grad_()
    unknown = torch.zeros(2, dtype=torch.bool)
    loss = adaclip_loss(output(stages, scores), golden["label"], golden["mask"], unknown)
    assert loss.item() == pytest.approx(golden["focal_score"].item(), rel=1e-5)
    loss.backward()
    assert stages.grad is None
    assert scores.grad is not None
