"""Our model gives the stored reference values, one image at a time and two at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adaclip.model import scoring, text_prompts
from tests.parity.stored import CASES, CLASS_NAMES, stored_model, values


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("class_name", CLASS_NAMES)
@pytest.mark.parametrize("rows", [(0,), (1,), (0, 1)], ids=["first", "second", "both"])
@torch.inference_mode()
def test_outputs_equal_stored_values(case: str, class_name: str, rows: tuple[int, ...]) -> None:
    stored = values(f"model_{case}")
    images = torch.from_numpy(stored["in/images"][list(rows)])
    output = stored_model(case)(images, text_prompts.tokenize(class_name))
    maps = scoring.to_map(output.patch_margins.unsqueeze(-1), 70).sigmoid()[:, 0]
    for place, row in enumerate(rows):
        expected = {
            key.removeprefix(f"out/{class_name}/{row}/"): stored[key]
            for key in stored.files
            if key.startswith(f"out/{class_name}/{row}/")
        }
        close(output.text_features[place], expected["text_features"][0], 1e-5)
        close(output.class_token[place], expected["cls_token"][0], 1e-5)
        close(maps[place], expected["anomaly_map"][0], 1e-4)
        close(output.image_margin[place].sigmoid(), expected["anomaly_score"][0], 1e-4)
        close(output.image_logits[place].softmax(0), expected["train_score"][0], 1e-4)
        for stage in range(4):
            close(output.patch_tokens[stage, place], expected[f"patch_tokens.{stage}"][0], 1e-5)
            logits = scoring.to_map(output.stage_logits[stage, place : place + 1], 70)
            close(logits.softmax(1)[0], expected[f"train_map.{stage}"][0], 1e-4)


@torch.inference_mode()
def test_score_with_fusion_falls_inside_the_originals_spread() -> None:
    """The original's k-means is unseeded; 40 runs of it give a range."""
    model = stored_model("VL_SD", fusion_weight=0.2)
    image = torch.from_numpy(values("model_VL_SD")["in/images"][:1])
    score = model(image, text_prompts.tokenize("candle")).image_margin.sigmoid().item()
    runs = values("hsf")["score_40_runs"]
    assert runs.min() <= score <= runs.max()


@torch.inference_mode()
@pytest.mark.parametrize("case", ["VL_SD", "L_SD", "none_none"])
def test_cutting_sentences_is_exact(case: str) -> None:
    """77 tokens give what the shortest possible cut gives."""
    model = stored_model(case)
    first_pass = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    cut = text_prompts.tokenize("candle")
    full = torch.nn.functional.pad(cut, (0, 77 - cut.shape[1]))
    assert cut.shape[1] < 20
    close(model.encode_text(cut, first_pass), model.encode_text(full, first_pass).numpy(), 1e-5)


def close(ours: torch.Tensor, expected: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(ours.numpy(), expected, rtol=tolerance, atol=tolerance)
