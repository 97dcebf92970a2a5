"""The order of a review queue, and what is left of it. Expected orders are written by hand."""

from __future__ import annotations

import random

import pytest

from adaclip.annotations.queue import QueueItem, first_unjudged, matching, ordered, policy, rate
from adaclip.errors import InputError


def item(name: str, score: float | None, **changes) -> QueueItem:
    values = {"dataset": "mvtec", "class_name": "nut", "rel_path": name, "threshold": 0.5}
    return QueueItem(**values | {"score": score} | changes)


def names(items) -> str:
    return "".join(i.rel_path for i in items)


def test_likely_false_alarms_are_high_scoring_normals_then_unknown_then_low_scoring_defects():
    items = [
        item("a", 0.2, anomalous=False),
        item("b", 0.9, anomalous=False),
        item("c", 0.95, anomalous=True),
        item("d", 0.1, anomalous=True),
        item("e", 0.99),
        item("f", None, anomalous=False),
    ]
    assert names(ordered(items, "false_alarms")) == "baedcf"


def test_uncertainty_is_measured_in_logits():
    # From 0.01: 0.02 is 0.70 logits away, 0.004 is 0.92, 0.5 is 4.6, although 0.02 - 0.01 is more.
    items = [item(n, s, threshold=0.01) for n, s in (("a", 0.5), ("b", 0.004), ("c", 0.02))]
    assert names(ordered(items, "uncertain")) == "cba"


def test_disagreeing_verdicts_come_before_large_differences():
    items = [
        item("a", 0.55, other_score=0.999),  # the same verdict, far apart
        item("b", 0.51, other_score=0.49),  # different verdicts, close together
        item("c", 0.7, other_score=0.72),
        item("d", 0.7, other_score=None),
    ]
    assert names(ordered(items, "disagreement")) == "bacd"


def test_each_checkpoint_is_held_to_its_own_threshold():
    items = [
        item("a", 0.6, other_score=0.6, other_threshold=0.9),
        item("b", 0.6, other_score=0.3, other_threshold=0.2),
    ]
    assert names(ordered(items, "disagreement")) == "ab"


def test_disagreement_needs_a_second_run():
    with pytest.raises(InputError, match="second run"):
        ordered([item("a", 0.5)], "disagreement")


def test_a_random_order_is_the_same_everywhere_and_new_pictures_do_not_shuffle_it():
    items = [item(f"{n:03d}", 0.5) for n in range(200)]
    first = [i.rel_path for i in ordered(items, "random", seed=3)]
    shuffled = random.Random(0).sample(items, len(items))
    assert [i.rel_path for i in ordered(shuffled, "random", seed=3)] == first
    assert [i.rel_path for i in ordered(items, "random", seed=4)] != first
    assert first != sorted(first)
    more = ordered([*items, item("new", 0.5)], "random", seed=3)
    assert [i.rel_path for i in more if i.rel_path != "new"] == first


def test_an_unknown_order_is_refused():
    with pytest.raises(InputError):
        ordered([], "'; drop")


def test_where_one_stopped_is_the_first_unjudged_from_here_and_around():
    items = [item(n, 0.5) for n in "abcd"]
    judged = {items[0].key, items[2].key}
    assert first_unjudged(items, judged) == 1
    assert first_unjudged(items, judged, 2) == 3
    assert first_unjudged(items, judged | {items[3].key}, 3) == 1
    assert first_unjudged(items, {i.key for i in items}) is None
    assert first_unjudged([], set()) is None


def test_uploads_are_known_by_their_pixels_and_other_pictures_by_their_path():
    assert item("x.png", 0.5, pixel_sha256="ab").key == item("y.png", 0.5, pixel_sha256="ab").key
    assert item("x.png", 0.5).key != item("y.png", 0.5).key
    assert item("x.png", 0.5, checkpoint_id="a").key != item("x.png", 0.5, checkpoint_id="b").key


def test_filters_keep_one_dataset_and_class():
    items = [item("a", 0.5), item("b", 0.5, class_name="screw"), item("c", 0.5, dataset="visa")]
    assert names(matching(items, class_name="nut")) == "ac"
    assert names(matching(items, dataset="mvtec", class_name="nut")) == "a"
    assert names(matching(items)) == "abc"


def test_the_policy_says_how_a_queue_was_ordered():
    assert policy("false_alarms") == "false-alarms"
    assert policy("false_alarms", labelled=False) == "highest-score"
    assert policy("random", seed=7, blind=True) == "random:7+blind"


def test_the_rate_leaves_pauses_out():
    assert rate([]) is None
    assert rate([1.0]) is None
    assert rate([0.0, 2.0, 4.0]) == 30.0
    assert rate([0.0, 2.0, 4.0, 4000.0, 4002.0]) == 30.0
