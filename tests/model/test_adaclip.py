"""The model: every prompt layout, no state between images, gradients where they belong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

import adaclip.model.sentences
from adaclip.model import text_prompts
from adaclip.model.backbone import embed_image
from adaclip.model.semantic_fusion import k_means, most_abnormal, semantic_fusion
from tests.tiny import tiny_model

LAYOUTS = [
    (encoders, kind)
    for encoders in ("both", "image", "text")
    for kind in ("hybrid", "static", "dynamic")
] + [("none", "none")]


def images(count: int, size: int = 84) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(("encoders", "kind"), LAYOUTS)
@torch.inference_mode()
def test_every_prompt_layout_gives_each_image_its_own_result(encoders: str, kind: str) -> None:
    model = tiny_model(prompted_encoders=encoders, prompt_kind=kind)
    ids = text_prompts.tokenize("metal nut")
    together = model(images(3), ids)
    assert together.text_features.shape == (3, 64, 2)
    assert together.patch_tokens.shape == (4, 3, 36, 64)
    for row in range(3):
        alone = model(images(3)[row : row + 1], ids)
        torch.testing.assert_close(
            together.patch_margins[row], alone.patch_margins[0], atol=1e-4, rtol=0
        )
        torch.testing.assert_close(
            together.image_margin[row], alone.image_margin[0], atol=1e-4, rtol=0
        )


@pytest.mark.parametrize(("encoders", "kind"), LAYOUTS)
def test_prompts_change_only_the_encoder_they_are_in(encoders: str, kind: str) -> None:
    plain = tiny_model(prompted_encoders="none", prompt_kind="none")
    model = tiny_model(prompted_encoders=encoders, prompt_kind=kind)
    model.clip.load_state_dict(plain.clip.state_dict())
    pixels, ids = images(1), text_prompts.tokenize("pill")
    first_pass = model.unprompted_pass(pixels).class_token
    _, prompted = model.encode_image(pixels, first_pass)
    _, bare = plain.encode_image(pixels, first_pass)
    assert torch.equal(prompted[0], bare[0]) == (encoders not in ("both", "image"))
    same_text = torch.allclose(
        model.encode_text(ids, first_pass), plain.encode_text(ids, first_pass)
    )
    assert same_text == (encoders not in ("both", "text"))


def test_only_learned_parameters_get_gradients() -> None:
    model = tiny_model(clusters=2, fusion_weight=0.2)
    output = model(images(2), text_prompts.tokenize("screw"))
    (output.stage_logits.square().sum() + output.image_logits.square().sum()).backward()
    assert all(p.grad is None for p in model.clip.parameters())
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # The first text block is never prompted: kept for checkpoint compatibility.
    assert without == ["text_prompts.static.blocks.0"]


@torch.inference_mode()
def test_images_are_embedded_as_open_clip_does() -> None:
    visual = tiny_model().clip.visual
    assert torch.equal(embed_image(visual, images(2)), visual._embeds(images(2)))


@torch.inference_mode()
def test_another_size_takes_the_positions_fitted_to_it() -> None:
    model, fitted = tiny_model(image_size=56), tiny_model(image_size=84)
    assert torch.equal(
        embed_image(model.clip.visual, images(1)), embed_image(fitted.clip.visual, images(1))
    )


@pytest.mark.parametrize(
    ("height", "width", "side"),
    [
        (300, 400, 84),
        (84, 84, 84),
        (60, 60, 56),
        (120, 30, 56),
        (64, 64, 70),
        (5, 900, 70),
        (1, 1, 42),
    ],
)
def test_an_image_is_not_enlarged_beyond_the_least_size(height: int, width: int, side: int) -> None:
    assert tiny_model(least_image_size=42).input_size(height, width) == side
    assert tiny_model().input_size(height, width) == 84  # as published


def test_sentences_are_the_published_ones() -> None:
    sentences = adaclip.model.sentences.sentences("metal-nut")
    assert len(sentences) == 48
    assert sentences[0] == "a bad photo of a metal nut."
    assert sentences[5] == "a low resolution photo of the flawless metal nut."
    assert sentences[-1] == "a cropped photo of the metal nut with damage."


@pytest.mark.parametrize("name", ["", "x", "a very long name " * 20])
def test_tokens_end_where_the_longest_sentence_ends(name: str) -> None:
    ids = text_prompts.tokenize(name)
    ends = text_prompts.end_of_text(ids)
    assert ids.shape == (48, int(ends.max()) + 1)
    assert ids.shape[1] <= 77


def test_prompts_longer_than_a_sentence_are_cut() -> None:
    model = tiny_model(prompt_length=40)
    assert model(images(1), text_prompts.tokenize("x")).image_margin.isfinite().all()


def test_k_means_finds_what_scikit_learn_finds() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 6)) * 10
    points = np.concatenate([c + rng.normal(size=(9, 6)) for c in centres]).astype(np.float32)
    expected = KMeans(4, n_init=10, random_state=0).fit_predict(points)
    ours = k_means(torch.from_numpy(points)[None], 4, seed=111)[0].numpy()
    pairs = set(zip(expected.tolist(), ours.tolist(), strict=True))
    assert len(pairs) == 4


def test_fusion_survives_identical_patches() -> None:
    tokens = torch.nn.functional.normalize(torch.ones(4, 2, 30, 8), dim=-1)
    vector = semantic_fusion(tokens, most_abnormal(torch.zeros(2, 30), 5), clusters=5, seed=111)
    torch.testing.assert_close(vector, tokens[0, :, 0])


def test_fusion_of_an_image_ignores_its_neighbours() -> None:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.nn.functional.normalize(torch.randn(4, 3, 50, 8, generator=generator), dim=-1)
    chosen = most_abnormal(torch.randn(3, 50, generator=generator), 4)
    together = semantic_fusion(tokens, chosen, 4, 111)
    for row in range(3):
        alone = semantic_fusion(tokens[:, row : row + 1], chosen[row : row + 1], 4, 111)
        torch.testing.assert_close(together[row], alone[0])


def test_a_name_that_was_detected_can_be_trained_on() -> None:
    with torch.inference_mode():
        text_prompts.tokenize("a name nothing else uses")
    ids = text_prompts.tokenize("a name nothing else uses")
    assert not ids.is_inference()
    tables = torch.ones(49408, 2, requires_grad=True)
    torch.nn.functional.embedding(ids, tables).sum().backward()
    assert tables.grad is not None
