"""Low-rank adapters: what they add, and that the frozen encoder beside them stays what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from adaclip.errors import CheckpointError
from adaclip.model import text_prompts
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.adapters import MATRICES
from adaclip.model.backbone import run_block
from adaclip.model.checkpoint import load_learned, read_tensors, save_checkpoint
from adaclip.training.model import forward
from tests.tiny import changes, tiny_model

ADAPTED = {
    "prompted_encoders": "text",
    "stage_layers": (1, 2, 4),
    "adapter_rank": 3,
    "adapted_from": 2,
    "adapted_stages": (3, 4),
}


def adapted_model(*, strong: bool = True) -> AdaCLIP:
    model = tiny_model(**ADAPTED)
    if strong:
        for change in changes(model):
            torch.nn.init.normal_(change.up, std=0.3)
    return model


def images(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 84, 84, generator=torch.Generator().manual_seed(5))


@torch.inference_mode()
def test_an_untrained_adapter_changes_nothing() -> None:
    tokens = adapted_model(strong=False).encode_image(images(2), None)[1]
    assert len(tokens) == 5
    assert torch.equal(tokens[2], tokens[4])  # block 4, frozen and adapted


@torch.inference_mode()
def test_the_frozen_stages_do_not_see_the_adapters() -> None:
    model, plain = adapted_model(), tiny_model(prompted_encoders="text", stage_layers=(1, 2, 4))
    plain.clip.load_state_dict(model.clip.state_dict())
    class_token, tokens = model.encode_image(images(2), None)
    expected_class, expected = plain.encode_image(images(2), None)
    assert torch.equal(class_token, expected_class)
    assert all(torch.equal(a, b) for a, b in zip(tokens[:3], expected, strict=True))
    assert (tokens[4] - tokens[2]).abs().mean() > 0.05


@torch.inference_mode()
def test_an_adapted_block_is_the_block_with_the_changes_added_to_its_matrices() -> None:
    model = adapted_model()
    block: Any = model.clip.visual.transformer.resblocks[1]
    x = torch.randn(2, 37, 128, generator=torch.Generator().manual_seed(1))
    assert model.adapters is not None
    adapter = model.adapters[2]
    found = run_block(block, x, adapter=adapter)
    for name in MATRICES:
        module, weight = name.rsplit(".", 1)
        change = adapter.matrices[name.replace(".", "_")]
        getattr(block.get_submodule(module), weight).data.add_(change.matrix)
    torch.testing.assert_close(found, run_block(block, x), atol=1e-4, rtol=1e-4)


def test_training_reaches_the_adapters_and_not_the_backbone() -> None:
    model = adapted_model().train()
    output = forward(model, images(2), ["nut", "nut"])
    (output.stage_logits.square().sum() + output.image_logits.square().sum()).backward()
    assert model.adapters is not None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.adapters.parameters())
    assert all(p.grad is None for p in model.clip.parameters())


@torch.inference_mode()
def test_adapters_travel_in_the_file(tmp_path: Path) -> None:
    model = adapted_model()
    save_checkpoint(tmp_path / "a.safetensors", model, {}, with_backbone=False, int8=True)
    learned, _ = read_tensors(tmp_path / "a.safetensors")
    again = tiny_model(seed=4, **ADAPTED)
    again.clip.load_state_dict(model.clip.state_dict())
    load_learned(again, learned, "a")
    ids = text_prompts.tokenize("nut")
    first, second = model(images(1), ids), again(images(1), ids)
    torch.testing.assert_close(first.patch_tokens, second.patch_tokens, atol=0.03, rtol=0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"adapted_stages": ()}, "rank 3 from block 2"),
        ({"adapter_rank": 0}, "rank 0"),
        ({"adapted_from": 4}, "block 4 on do not fit the stages"),
        ({"adapted_stages": (5,)}, "do not fit a backbone of 4 blocks"),
        ({"prompted_encoders": "both"}, "prompts in the image encoder"),
    ],
)
def test_adapters_that_cannot_be_are_refused(changes: dict, named: str) -> None:
    with pytest.raises(CheckpointError, match=named):
        tiny_model(**(ADAPTED | changes))
