"""Agreement of annotators. scikit-learn is the oracle for kappa."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, jaccard_score

from adaclip.annotations.agreement import disagreements, kappa, mask_iou, pairs
from adaclip.errors import InputError
from tests.annotations.samples import row


def said(who: str, name: object, verdict: str, **changes):
    times = {"ts_utc": f"2026-01-01T00:00:{changes.pop('second', 0):02}.000000Z"}
    return row(name, annotator=who, verdict=verdict, **times | changes)


def test_kappa_is_scikit_learns():
    rng = random.Random(2)
    for _ in range(50):
        one = [rng.choice(["normal", "anomalous", "unsure"]) for _ in range(30)]
        two = [label if rng.random() < 0.6 else rng.choice(["normal", "unsure"]) for label in one]
        assert kappa(one, two) == pytest.approx(cohen_kappa_score(one, two))


def test_kappa_by_hand():
    # Agree on 3 of 4; chance 0.5 * 0.75 + 0.5 * 0.25 = 0.5.
    assert kappa(["n", "n", "a", "a"], ["n", "n", "n", "a"]) == pytest.approx(0.5)


def test_kappa_without_items_or_with_one_label_alone_is_undefined():
    assert kappa([], []) is None
    assert kappa(["n", "n"], ["n", "n"]) is None
    with pytest.raises(InputError, match="got 1 and 2"):
        kappa(["n"], ["n", "a"])


def test_iou_is_scikit_learns_and_undefined_for_two_empty_masks():
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, two = rng.random((2, 9, 7)) < 0.4
        assert mask_iou(one, two) == pytest.approx(jaccard_score(one.ravel(), two.ravel()))
    empty = np.zeros((3, 3), bool)
    assert mask_iou(empty, empty) is None
    assert mask_iou(empty, ~empty) == 0.0
    with pytest.raises(InputError, match="not of one picture"):
        mask_iou(empty, np.zeros((3, 4), bool))


def test_pairs_compare_what_is_said_of_the_picture_not_of_the_model():
    # Alarm or not depends on the threshold each saw: FP and TN both say "normal".
    rows = [
        said("Ann", 1, "FP"),
        said("Bob", 1, "TN"),
        said("Ann", 2, "TP"),
        said("Bob", 2, "FP"),
        said("Ann", 3, "TP"),
        said("Bob", 3, "FN"),
        said("Cem", 9, "FP"),
    ]
    [pair] = pairs(rows)
    assert (pair.first, pair.second, pair.items) == ("Ann", "Bob", 3)
    assert pair.agreed == pytest.approx(2 / 3)
    assert pair.kappa == pytest.approx(
        cohen_kappa_score(["normal", "anomalous", "anomalous"], ["normal", "normal", "anomalous"])
    )
    assert (pair.masks, pair.mean_iou) == (0, None)


def test_an_undefined_kappa_says_why():
    [pair] = pairs([said("Ann", 1, "FP"), said("Bob", 1, "TN")])
    assert pair.kappa is None
    assert pair.reason == "both say normal of every picture"


def test_regions_are_compared_where_both_drew_and_mean_the_same():
    left = np.zeros((2, 4), bool)
    left[:, :2] = True
    full = np.ones((2, 4), bool)
    drawn = {"Ann": left, "Bob": full}
    fields = {"region_kind": "mask", "region_path": "masks/x.png"}
    rows = [said(who, n, "FP", **fields) for who in drawn for n in (1, 2)]
    rows += [said("Ann", 3, "FP", **fields), said("Bob", 3, "TP", **fields)]
    rows += [said("Ann", 4, "FP", **fields), said("Bob", 4, "FP")]
    [pair] = pairs(rows, lambda a: drawn[a.annotator])
    assert (pair.masks, pair.mean_iou) == (2, 0.5)


def test_the_latest_of_one_person_counts():
    rows = [
        said("Ann", 1, "FP", second=1),
        said("Ann", 1, "TP", second=5, checkpoint_id="other"),
        said("Bob", 1, "FN", second=3),
    ]
    assert pairs(rows)[0].agreed == 1.0
    assert disagreements(rows) == []


def test_disagreements_come_most_contested_first():
    rows = [
        said("Ann", 1, "FP", second=9),
        said("Bob", 1, "unsure", second=9),
        said("Ann", 2, "FP", second=1),
        said("Bob", 2, "TP", second=2),
        said("Cem", 2, "TP", second=3),
        said("Ann", 3, "FP"),
        said("Bob", 3, "TN"),
        said("Ann", 4, "FP", second=4),
        said("Bob", 4, "TP", second=5),
    ]
    found = disagreements(rows)
    assert [each.rel_path[-5] for each in found] == ["2", "4", "1"]
    assert [each.opposed for each in found] == [2, 1, 0]
    assert [a.annotator for a in found[0].annotations] == ["Ann", "Bob", "Cem"]
    assert found[0].dataset == "line 3"
    assert dataclasses.is_dataclass(found[0])
