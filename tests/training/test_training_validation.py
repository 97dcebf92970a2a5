"""Validation while training: which metric, over which images, and the threshold that follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from adaclip.errors import InputError
from adaclip.training.validation import (
    Readings,
    _thinned,
    _thinned_masks,
    choose_metric,
    judge,
)
from tests.training.test_trainer_data import labelled


def test_the_metric_must_be_defined_on_what_is_held_out() -> None:
    both, anomalous = labelled(5, 5, 1), labelled(0, 5, 1)
    assert choose_metric("auto", both) == "image_auroc"
    assert choose_metric("auto", anomalous) == "pixel_auroc"
    assert choose_metric("auto", []) is None
    with pytest.raises(InputError, match="needs held-out images"):
        choose_metric("pixel_auroc", [])
    with pytest.raises(InputError, match="image_max_f1 is undefined"):
        choose_metric("image_max_f1", anomalous)
    with pytest.raises(InputError, match="no held-out anomalous image has a mask"):
        choose_metric("pixel_auroc", labelled(5, 0, 1))


@pytest.mark.parametrize("side", [56, 57, 58, 59, 518])
def test_no_pixel_of_a_mask_is_lost_between_those_validated_on(side: int) -> None:
    """Of any size: a pixel anywhere is in the square of a pixel close by."""
    for pixel in {*range(0, side, 17), side - 2, side - 1}:
        mask = torch.zeros(1, side, side)
        mask[0, pixel, side - 1 - pixel] = 1
        thin = _thinned_masks(mask)
        assert thin.shape == _thinned(mask).shape
        rows, columns = np.nonzero(thin[0])
        assert 1 <= len(rows) <= 4
        assert np.abs(4 * rows + 2 - pixel).max() <= 4
        assert np.abs(4 * columns + 2 - (side - 1 - pixel)).max() <= 4


def made_up(normals: int = 200, anomalies: int = 100) -> Readings:
    rng = np.random.default_rng(0)
    margins = np.concatenate([rng.normal(-2, 1, normals), rng.normal(1, 1, anomalies)])
    anomalous = np.arange(normals + anomalies) >= normals
    masks = [np.array([False, bool(a), False]) for a in anomalous]
    maps = [np.where(m, 1.0, -1.0).astype(np.float32) for m in masks]
    return Readings(
        groups=[("d", f"class{index % 3}") for index in range(normals + anomalies)],
        anomalous=anomalous,
        margins=margins.astype(np.float32),
        masks=masks,
        pixel_margins=maps,
        pixel_scores=[1 / (1 + np.exp(-m)) for m in maps],
    )


def test_metrics_are_means_over_classes_as_scikit_learn_has_them() -> None:
    found = made_up()
    classes = np.array([group[1] for group in found.groups])
    expected = {"image_auroc": roc_auc_score, "image_average_precision": average_precision_score}
    metrics = judge(found, 0.99).metrics
    for name, oracle in expected.items():
        values = [
            oracle(found.anomalous[classes == c], found.margins[classes == c])
            for c in np.unique(classes)
        ]
        assert metrics[name] == pytest.approx(np.mean(values), abs=1e-9)
    assert metrics["pixel_auroc"] == 1.0


def test_classes_of_one_kind_each_are_ranked_together() -> None:
    found = made_up()
    split = Readings(**{**found.__dict__, "groups": [("d", "ab"[int(a)]) for a in found.anomalous]})
    together = Readings(**{**found.__dict__, "groups": [("d", "a")] * len(found.anomalous)})
    assert judge(split, 0.99).metrics == judge(together, 0.99).metrics


def test_the_threshold_lets_the_stated_share_of_normals_pass() -> None:
    found = made_up()
    threshold = judge(found, 0.95).threshold
    normals = 1 / (1 + np.exp(-found.margins[~found.anomalous].astype(np.float64)))
    assert (normals >= threshold["value"]).mean() == pytest.approx(0.05, abs=0.005)
    assert threshold["source"] == "95th percentile of 200 held-out normal images"
    cut, review = np.quantile(found.margins[~found.anomalous], [0.95, 0.9])
    assert threshold["review_band"] == pytest.approx(cut - review, abs=1e-5)
    assert judge(found, 0.99).map_threshold == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)
    few = judge(made_up(normals=19), 0.95).threshold
    assert few["value"] == 0.5
    assert "19 held-out normal images are too few" in few["source"]
