"""Scores and margins: there and back, at the ends, without a warning."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

import adaclip.logits
from adaclip.logits import logit, sigmoid


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(adaclip.logits).failed == 0


@pytest.mark.parametrize("score", [1e-300, 1e-9, 0.25, 0.5, 0.75, 1 - 1e-9])
def test_a_score_comes_back(score):
    assert sigmoid(logit(score)) == pytest.approx(score, rel=1e-12)


def test_the_ends_are_infinite_or_bounded():
    assert (logit(0.0), logit(1.0)) == (-math.inf, math.inf)
    bound = pytest.approx(math.log(1e6 - 1), rel=1e-9)
    assert (logit(1.0, within=1e-6), -logit(0.0, within=1e-6)) == (bound, bound)
    assert (sigmoid(-math.inf), sigmoid(math.inf)) == (0.0, 1.0)


def test_arrays_agree_with_scipy_and_keep_their_type():
    special = pytest.importorskip("scipy.special")
    for kind in (np.float32, np.float64):
        margins = np.array([[-2000, -90, -1, 0], [1, 17, 90, 2000]], kind)
        scores = sigmoid(margins)
        assert scores.dtype == kind
        np.testing.assert_allclose(scores, special.expit(margins), rtol=1e-6, atol=1e-38)
