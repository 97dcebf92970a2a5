"""Curves hold exact points and exact ends; counts and intervals are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_curve
from sklearn.metrics import roc_curve as scikit_roc

from adaclip.metrics.contours import peak_on_contour
from adaclip.metrics.curves import confusion, pr_curve, roc_curve
from adaclip.metrics.intervals import (
    bootstrap_difference,
    bootstrap_interval,
    bootstrap_intervals,
)
from tests.metrics.oracles import by_scikit_learn

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=900).round(1)
ABNORMAL = RNG.normal(1, 1, 300).round(1)
LABELS = np.r_[np.zeros(900, int), np.ones(300, int)]
VALUES = np.r_[NORMAL, ABNORMAL]


def test_whole_curves_equal_scikit_learn() -> None:
    roc = roc_curve(NORMAL, ABNORMAL, points=10_000)
    x, y, thresholds = scikit_roc(LABELS, VALUES, drop_intermediate=False)
    np.testing.assert_allclose(roc.x, x)
    np.testing.assert_allclose(roc.y, y)
    np.testing.assert_allclose(roc.threshold, thresholds)
    pr = pr_curve(NORMAL, ABNORMAL, points=10_000)
    precision, recall, thresholds = precision_recall_curve(LABELS, VALUES)
    np.testing.assert_allclose(pr.x, recall[-2::-1])
    np.testing.assert_allclose(pr.y, precision[-2::-1])
    np.testing.assert_allclose(pr.threshold, thresholds[::-1])


@pytest.mark.parametrize("points", [2, 7, 50])
def test_thinned_curves_keep_their_ends_and_exact_points(points: int) -> None:
    roc = roc_curve(NORMAL, ABNORMAL, points)
    assert 2 <= len(roc) <= points
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    for x, y, threshold in zip(roc.x, roc.y, roc.threshold, strict=True):
        assert x == np.mean(threshold <= NORMAL)
        assert y == np.mean(threshold <= ABNORMAL)
    pr = pr_curve(NORMAL, ABNORMAL, points)
    assert len(pr) <= points
    assert pr.x[-1] == 1
    assert pr.y[-1] == 0.25
    assert pr.threshold[0] == VALUES.max()


def test_one_kind_alone_has_no_curve() -> None:
    assert len(roc_curve(np.array([]), ABNORMAL)) == 0
    assert len(pr_curve(NORMAL, np.array([]))) == 0


@pytest.mark.parametrize("threshold", [-9.0, 0.0, 0.5, 9.0])
def test_confusion_equals_scikit_learn(threshold: float) -> None:
    counts = confusion(NORMAL, ABNORMAL, threshold)
    expected = confusion_matrix(LABELS, threshold <= VALUES).ravel()
    assert (counts.tn, counts.fp, counts.fn, counts.tp) == tuple(expected)


def test_intervals_are_those_of_a_plain_bootstrap() -> None:
    """The draws differ, so the percentiles agree only as far as so many determine them."""
    rng = np.random.default_rng(1)
    normal, abnormal = NORMAL[:60], ABNORMAL[:40]
    draws = np.array(
        [by_scikit_learn(rng.choice(normal, 60), rng.choice(abnormal, 40)) for _ in range(150)]
    )
    found = bootstrap_intervals(normal, abnormal, resamples=2000)
    for name, column in zip(found, draws.T, strict=True):
        np.testing.assert_allclose(found[name], np.quantile(column, [0.025, 0.975]), atol=0.03)


def test_intervals_are_seeded_whatever_the_size_of_the_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = bootstrap_intervals(NORMAL, ABNORMAL)
    assert first == bootstrap_intervals(NORMAL, ABNORMAL)
    assert first["auroc"] == bootstrap_interval(NORMAL, ABNORMAL, "auroc")
    assert first != bootstrap_intervals(NORMAL, ABNORMAL, seed=1)
    narrow = first["auroc"]
    wide = bootstrap_interval(NORMAL[:30], ABNORMAL[:30])
    assert narrow is not None
    assert wide is not None
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_a_single_image_of_a_kind_has_no_interval() -> None:
    assert bootstrap_interval(NORMAL, ABNORMAL[:1]) is None
    assert bootstrap_interval(np.array([]), ABNORMAL) is None


def test_the_difference_of_a_method_to_itself_is_zero_and_to_a_better_one_is_above() -> None:
    pair = NORMAL, ABNORMAL
    assert bootstrap_difference(pair, pair) == (0, 0)
    low, high = bootstrap_difference(pair, (NORMAL, ABNORMAL + 2)) or (0, 0)
    assert 0 < low < high
    assert bootstrap_difference(pair, (NORMAL[1:], ABNORMAL)) is None


def test_a_peak_on_a_drawn_edge_is_told_from_one_on_flat_ground() -> None:
    pixels = np.full((150, 200, 3), 40, np.uint8)
    pixels[:, 100:] = 200
    margin = np.zeros((74, 74), np.float32)
    margin[30, 38] = 1
    on_edge = peak_on_contour(pixels, margin)
    assert on_edge.on_contour
    assert on_edge.near_contours < 0.2
    margin[30, 5] = 2
    assert not peak_on_contour(pixels, margin).on_contour


def test_a_picture_of_one_colour_has_no_contour() -> None:
    peak = peak_on_contour(np.full((20, 20, 3), 9, np.uint8), np.ones((16, 16), np.float32))
    assert (peak.on_contour, peak.near_contours) == (False, 0.0)
