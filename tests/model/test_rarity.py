"""Rarity: what it calls rare, and what it adds to a model's margins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.distance import cdist

from adaclip.model import text_prompts
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.rarity import rarity
from tests.tiny import changes, tiny_model


def noise(*shape: int, seed: int = 3) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_standardised_mean_distance_to_the_nearer_half() -> None:
    tokens = noise(1, 36, 8)
    distances = np.sort(cdist(tokens[0], tokens[0], "cosine"), axis=1)[:, :18].mean(axis=1)
    expected = (distances - distances.mean()) / (distances.std() + 0.01)
    np.testing.assert_allclose(rarity([tokens])[0], expected, atol=1e-4)


def test_the_odd_patches_of_an_even_surface_are_the_rare_ones() -> None:
    tokens = torch.ones(2, 100, 16) + 0.1 * noise(2, 100, 16)
    tokens[0, 7] = noise(16)
    tokens[1, [30, 31, 40, 41]] = noise(4, 16)
    found = rarity([tokens, tokens])
    assert found[0].argmax() == 7
    assert {*found[1].topk(4).indices.tolist()} == {30, 31, 40, 41}


def test_two_things_that_share_an_image_are_both_common() -> None:
    one, other = noise(16, seed=1), noise(16, seed=2)
    tokens = torch.stack([one] * 50 + [other] * 49 + [noise(16, seed=4)])[None]
    found = rarity([tokens + 0.01 * noise(1, 100, 16)])[0]
    assert found.argmax() == 99
    assert found[:99].abs().max() < 1


def test_nothing_is_rare_on_an_empty_image() -> None:
    assert rarity([torch.ones(1, 49, 8)]).abs().max() < 1e-3


def test_every_stage_counts_alike() -> None:
    first, second = noise(2, 25, 8, seed=1), 50 * noise(2, 25, 4, seed=2)
    mean = (rarity([first]) + rarity([second])) / 2
    torch.testing.assert_close(rarity([first, second]), mean)


@torch.inference_mode()
def test_a_model_adds_it_to_its_margins_and_to_the_score() -> None:
    model = tiny_model(prompted_encoders="text", fusion_weight=1.0)
    ids = text_prompts.tokenize("nut")
    pixels = noise(2, 3, 84, 84)
    plain = model(pixels, ids)
    assert not plain.patch_rarity.any()
    rare = _with_weight(model, 5.0)(pixels, ids)
    tokens = model.encode_image(pixels, None)[1]
    torch.testing.assert_close(rare.patch_margins, plain.patch_margins + 5 * rarity(tokens))
    assert torch.equal(rare.stage_logits, plain.stage_logits)
    top = rare.patch_margins.topk(15, dim=1).indices
    torch.testing.assert_close(rare.image_rarity, rare.patch_rarity.gather(1, top).mean(dim=1))
    learned = rare.image_logits[:, 1] - rare.image_logits[:, 0]
    torch.testing.assert_close(rare.image_margin, learned + rare.image_rarity)


def test_adapted_stages_do_not_count() -> None:
    adapted = {"adapter_rank": 2, "adapted_from": 3, "adapted_stages": (4,), "rarity_weight": 1.0}
    model = tiny_model(prompted_encoders="text", stage_layers=(2, 4), **adapted)
    ids, pixels = text_prompts.tokenize("nut"), noise(1, 3, 84, 84)
    before = model(pixels, ids).patch_rarity
    for change in changes(model):
        torch.nn.init.normal_(change.up)
    assert torch.equal(model(pixels, ids).patch_rarity, before)


def _with_weight(model: AdaCLIP, weight: float) -> AdaCLIP:
    other = AdaCLIP(model.clip, replace(model.config, rarity_weight=weight))
    other.load_state_dict(model.state_dict())
    return other.eval()
