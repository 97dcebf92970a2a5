"""The histogram on the margins' scale: scores that crowd at 0 and 1 lie apart, all are counted."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from adaclip.runs.scores import read_scores
from demo.benchmark.figures import histogram, threshold_changes, threshold_json
from demo.benchmark.select import Selection, read_range
from tests.demo.benches import image_rows, images_of


def crowded() -> pd.DataFrame:
    """Scores that a scale of 0 to 1 cannot tell apart."""
    generator = np.random.default_rng(3)
    normal, bad = generator.normal(-12, 4, 60), generator.normal(9, 6, 40)
    return image_rows("synthetic", "gear", np.r_[normal, -80.0], np.r_[bad, 90.0])


def test_margins_spread_scores_that_crowd_and_bars_still_count_what_the_gallery_shows() -> None:
    frame = crowded()
    scores = read_scores(frame)
    flat, spread = (histogram(scores, 0.5, scale=scale) for scale in ("score", "margin"))
    assert max(flat.data[0].y) > 50 > 3 * max(spread.data[0].y)
    for trace, bad in zip(spread.data, (0, 1), strict=True):
        mine = frame[frame["anomalous"] == bad]
        assert sum(trace.y) == len(mine)
        for count, patch in zip(trace.y, trace.customdata, strict=True):
            selection = Selection(outcome=patch["outcome"], score_range=read_range(patch["scores"]))
            assert selection.score_range is not None
            assert len(images_of(selection, frame, 0.5)) == count


@pytest.mark.parametrize("threshold", [0.5, 0.9, 1e-6, 0.999999])
def test_the_line_is_at_the_thresholds_log_odds(threshold) -> None:
    scores = read_scores(crowded())
    figure = histogram(scores, threshold, threshold / 2, scale="margin")
    line, band = figure.layout.shapes
    assert line.x0 == line.x1 == pytest.approx(np.log(threshold) - np.log1p(-threshold))
    assert band.x0 == pytest.approx(np.log(threshold / 2) - np.log1p(-threshold / 2))
    normal = figure.data[0]
    right = [x - w / 2 >= line.x0 for x, w in zip(normal.x, normal.width, strict=True)]
    called = sum(y for y, over in zip(normal.y, right, strict=True) if over)
    assert called <= scores.confusion(threshold).fp <= called + max(normal.y)
    moved = threshold_changes("histogram", scores, threshold, threshold / 2, "margin")
    assert moved["layout"]["shapes"][0]["x0"] == line.x0
    assert json.loads(threshold_json("histogram", scores, threshold, None, "margin"))["layout"][
        "annotations"
    ][0]["text"].endswith(")")


def test_a_threshold_of_0_or_1_is_at_the_end_of_the_margins() -> None:
    scores = read_scores(crowded())
    for threshold, sign in ((0.0, -1), (1.0, 1)):
        line = histogram(scores, threshold, scale="margin").layout.shapes[0]
        assert line.x0 == sign * 36
