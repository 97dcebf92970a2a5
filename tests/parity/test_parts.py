"""The parts give the stored reference values: fusion, losses, pre-processing, smoothing."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from adaclip.config import PreprocessingConfig
from adaclip.data.preprocessing import preprocess
from adaclip.model import scoring
from adaclip.model.semantic_fusion import most_abnormal, semantic_fusion
from adaclip.training.losses import dice_loss, focal_loss
from tests.parity.stored import values


def fused(tokens: np.ndarray, seed: int = 111) -> np.ndarray:
    stored = values("hsf")
    logits = torch.from_numpy(stored["anomaly_maps"]).mean(dim=0)
    margins = logits[..., 1] - logits[..., 0]
    return semantic_fusion(torch.from_numpy(tokens), most_abnormal(margins, 4), 4, seed).numpy()


def test_fusion_of_an_obvious_clustering_is_exact() -> None:
    stored = values("hsf")
    for seed in range(5):
        vector = fused(stored["separated/patch_tokens"], seed)
        np.testing.assert_allclose(vector, stored["separated/centre"], atol=1e-6)


def test_fusion_of_random_tokens_falls_inside_the_originals_spread() -> None:
    stored = values("hsf")
    runs = stored["centres_60_runs"]
    vector = fused(stored["patch_tokens"])[0]
    assert np.all((runs.min(axis=0) - 1e-6 <= vector) & (vector <= runs.max(axis=0) + 1e-6))


def test_losses_equal_stored_values() -> None:
    stored = {name: torch.from_numpy(value) for name, value in values("losses").items()}
    maps, mask = stored["map"], stored["mask"]
    ours = {
        "focal_map": focal_loss(maps.log(), mask),
        "dice_abnormal": dice_loss(maps[:, 1], mask),
        "dice_normal": dice_loss(maps[:, 0], 1 - mask),
        "focal_score": focal_loss(stored["score"].log(), stored["label"]),
    }
    for name, value in ours.items():
        assert value.item() == pytest.approx(stored[name].item(), rel=1e-5), name


def test_preprocessing_equals_stored_tensor() -> None:
    stored = values("preprocess")
    tensor = preprocess(stored["image"], 70, PreprocessingConfig())
    np.testing.assert_allclose(tensor, stored["tensor"], atol=1e-6)


@pytest.mark.parametrize("shape", [(70, 70), (9, 40), (1, 1)])
@pytest.mark.parametrize("sigma", [0.7, 4.0])
def test_smoothing_equals_scipy(shape: tuple[int, int], sigma: float) -> None:
    maps = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    expected = [scipy.ndimage.gaussian_filter(m, sigma) for m in maps]
    ours = scoring.smooth(torch.from_numpy(maps), sigma).numpy()
    np.testing.assert_allclose(ours, np.stack(expected), atol=1e-5)
