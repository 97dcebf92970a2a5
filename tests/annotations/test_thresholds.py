"""Thresholds from labels: checked against brute force, SciPy's Wilson interval, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from adaclip.annotations.thresholds import best_f1_threshold, quality, suggest, wilson
from adaclip.errors import InputError
from tests.annotations.samples import row


def labels(normal, anomalous, **changes):
    """Annotations with these scores; verdicts as at a threshold of 0.5."""
    rows = [
        row(f"n{i}", image_score=s, verdict="FP" if s >= 0.5 else "TN", **changes)
        for i, s in enumerate(normal)
    ]
    rows += [
        row(f"a{i}", image_score=s, verdict="TP" if s >= 0.5 else "FN", **changes)
        for i, s in enumerate(anomalous)
    ]
    return rows


def test_the_threshold_of_the_highest_f1_is_brute_forces():
    rng = np.random.default_rng(1)
    for _ in range(4):
        normal = rng.integers(0, 40, rng.integers(1, 25)) / 50
        anomalous = rng.integers(10, 50, rng.integers(1, 25)) / 50
        scores = np.concatenate([normal, anomalous])
        truth = np.arange(scores.size) >= normal.size
        best = max(f1_score(truth, scores >= cut) for cut in np.unique(scores))
        found = best_f1_threshold(normal, anomalous)
        assert f1_score(truth, scores >= found) == pytest.approx(best)


def test_the_threshold_lies_between_scores():
    assert best_f1_threshold(np.array([0.1, 0.2]), np.array([0.6, 0.8])) == pytest.approx(0.4)


def test_rates_before_and_after_by_hand():
    normal = [0.1] * 15 + [0.6] * 5  # five false alarms at 0.5
    anomalous = [0.8] * 12
    [found] = suggest(labels(normal, anomalous))
    assert (found.normal, found.anomalous, found.method) == (20, 12, "max F1")
    assert found.threshold == pytest.approx(0.7)
    assert found.current_threshold == 0.5
    before, after = found.false_alarm_rate_before, found.false_alarm_rate_after
    assert (before.count, before.total, before.value) == (5, 20, 0.25)
    assert (after.count, after.value) == (0, 0.0)
    assert found.missed_rate_after.count == 0
    low, high = found.interval
    assert low <= found.threshold <= high
    assert found.biased
    assert any("not drawn at random" in note for note in found.notes)


def test_with_normals_alone_a_quantile_is_offered_and_said_why():
    scores = [i / 100 for i in range(100)]
    [found] = suggest(labels(scores, []), quantile=0.95)
    assert found.method == "quantile of normals"
    assert "10 more anomalous pictures are needed" in found.reason
    assert found.threshold == pytest.approx(0.94)
    assert found.false_alarm_rate_after.count == 5
    assert found.missed_rate_after is None  # of no pictures there is no rate


def test_too_few_labels_give_no_threshold_but_how_many_are_needed():
    [found] = suggest(labels([0.1] * 3, [0.9] * 2))
    assert found.threshold is None
    assert found.interval is None
    assert found.false_alarm_rate_after is None
    assert found.false_alarm_rate_before.total == 3
    assert "17 more normal" in found.reason


def test_intervals_shrink_with_more_labels_and_stay_the_same():
    rng = np.random.default_rng(0)

    def width(count):
        drawn = labels(
            rng.normal(0.3, 0.1, count).clip(0, 1), rng.normal(0.7, 0.1, count).clip(0, 1)
        )
        [first], [second] = suggest(drawn), suggest(drawn)
        assert first == second
        return first.interval[1] - first.interval[0]

    assert width(400) < width(25)


def test_classes_and_checkpoints_are_kept_apart():
    rows = labels([0.1] * 25, [0.9] * 12)
    rows += labels([0.1] * 25, [0.3] * 12, checkpoint_id="pretrained_all")
    rows += labels([0.1], [], class_name="screw")
    found = {(s.class_name, s.checkpoint_id): s.threshold for s in suggest(rows)}
    assert found == {
        ("nut", "lite"): pytest.approx(0.5),
        ("nut", "pretrained_all"): pytest.approx(0.2),
        ("screw", "lite"): None,
    }


def test_pictures_count_once_and_contested_ones_not():
    rows = labels([0.1] * 20, [0.9] * 10)
    rows += labels([0.1] * 20, [], annotator="Bob")  # the same pictures again
    rows += [row("n0", verdict="FN", annotator="Cem", image_score=0.1)]
    rows += [row("x", verdict="unsure"), row("y", verdict="FP", image_score=None)]
    [found] = suggest(rows)
    assert (found.normal, found.anomalous) == (19, 10)
    assert (found.conflicting, found.unsure, found.unscored) == (1, 1, 1)


def test_a_random_queue_is_not_called_biased():
    [found] = suggest(labels([0.1] * 20, [0.9] * 10, queue_policy="random seed=1"))
    assert not found.biased
    assert found.notes == ()


def test_wilson_is_scipys():
    for count, total in ((0, 10), (3, 10), (10, 10), (250, 999)):
        rate = wilson(count, total)
        oracle = binomtest(count, total).proportion_ci(method="wilson")
        assert (rate.low, rate.high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)
    assert wilson(0, 0) is None


def test_one_class_however_its_name_is_written():
    rows = labels([0.1] * 12, [0.9] * 5, class_name="metal_nut")
    more = labels([0.1] * 13, [0.9] * 7, class_name="metal nut")
    rows += [replace(row, pixel_sha256=f"more-{row.pixel_sha256}") for row in more]
    [suggested], [needed] = suggest(rows), quality(rows)
    assert suggested.threshold == pytest.approx(0.5)
    assert (suggested.class_name, suggested.normal, suggested.anomalous) == ("metal nut", 25, 12)
    assert (needed.class_name, needed.normal, needed.anomalous) == ("metal nut", 25, 12)


def test_quality_says_what_is_needed_for_what():
    drawn = {"region_kind": "mask", "region_area_px": 9}
    rows = [row(i, verdict="FP") for i in range(30)]
    rows += [row(f"a{i}", verdict="FN", **drawn) for i in range(12)]
    [found] = quality(rows)
    assert (found.normal, found.anomalous, found.masks) == (30, 12, 12)
    assert found.threshold_needs == ""
    assert found.training_needs == "20 more normal and 13 more anomalous"


def test_a_quantile_that_is_none_is_refused():
    with pytest.raises(InputError, match="quantile"):
        suggest([], quantile=0.2)
    assert suggest([]) == []
