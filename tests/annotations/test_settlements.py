"""A disputed picture settled: what then counts, for whom, and that it can be taken back."""

from __future__ import annotations

import pytest

from adaclip.annotations.agreement import disagreements, pairs
from adaclip.annotations.csv_rows import encode
from adaclip.annotations.exports import csv_bytes
from adaclip.annotations.labels import select
from adaclip.annotations.record import COLUMNS
from adaclip.annotations.settlements import decided, settle
from adaclip.annotations.store import AnnotationStore
from adaclip.annotations.thresholds import quality, suggest
from adaclip.errors import InputError
from tests.annotations.samples import row


@pytest.fixture
def store(tmp_path) -> AnnotationStore:
    """Ann and Bob differ on picture 1 and agree on picture 2."""
    made = AnnotationStore(tmp_path / "annotations")
    for who, name, verdict in (
        ("Ann", 1, "FP"),
        ("Bob", 1, "TP"),
        ("Ann", 2, "FP"),
        ("Bob", 2, "FP"),
    ):
        made.add(row(name, annotator=who, verdict=verdict, queue_policy="random:0"))
    return made


def settled(store: AnnotationStore, truth: str, who: str = "Cy", **changes):
    [dispute] = disagreements(store.current())
    return settle(store, dispute.annotations, truth, annotator=who, **changes)


def test_a_settled_picture_has_one_label_and_is_no_longer_disputed(store):
    assert [left.reason for left in select(store).left_out] == ["the annotators disagree"]
    made = settled(store, "anomalous")
    [dispute] = disagreements(store.current())
    assert dispute.settlement == made
    assert {a.annotator for a in dispute.annotations} == {"Ann", "Bob"}
    labels = {item.row.rel_path: item.truth for item in select(store).items}
    assert labels == {"nut/test/good/1.png": "anomalous", "nut/test/good/2.png": "normal"}
    assert select(store).left_out == ()
    [enough] = quality(store.current())
    assert (enough.normal, enough.anomalous) == (1, 1)
    [threshold] = suggest(store.current())
    assert (threshold.conflicting, threshold.anomalous, threshold.biased) == (0, 1, False)


def test_what_is_overruled_stays_in_the_file_and_in_the_agreement(store):
    before = pairs(store.current())
    settled(store, "normal")
    assert pairs(store.current()) == before  # Cy has seen what the others said
    assert len(store.current()) == 5
    assert [a.annotator for a in decided(store.current())] == ["Ann", "Ann", "Bob", "Cy"]


def test_the_one_who_settles_keeps_an_opinion_of_their_own(store):
    made = settled(store, "anomalous", "Ann")
    mine = [a for a in store.current() if a.annotator == "Ann" and a.rel_path.endswith("1.png")]
    assert {a.verdict for a in mine} == {"FP", "TP"}
    assert (made.queue_policy, made.settled) == ("random:0+settled", True)


def test_the_last_settlement_holds_and_undo_brings_the_one_before_back(store):
    first = settled(store, "anomalous")
    second = settled(store, "normal", "Di", seen=first.event_id)
    assert second.supersedes == first.event_id
    with pytest.raises(InputError, match="another page"):
        settled(store, "anomalous", "Ed", seen=first.event_id)
    store.undo(second.event_id, annotator="Di")
    [dispute] = disagreements(store.current())
    assert dispute.settlement.verdict == "TP"
    store.undo(dispute.settlement.event_id, annotator="Cy")
    [dispute] = disagreements(store.current())
    assert dispute.settlement is None


def test_a_settlement_survives_the_csv_with_its_columns_as_they_were(store):
    settled(store, "anomalous", comment="the rim is chipped")
    again = AnnotationStore(store.folder)
    assert again.current() == store.current()
    assert csv_bytes([]).decode().strip().split(",") == [*COLUMNS, "row_check"]
    assert b"random:0+settled" in encode(again.current()[-1])


def test_nothing_is_settled_where_nobody_has_judged(store):
    with pytest.raises(InputError, match="nothing to settle"):
        settle(store, [], "normal", annotator="Cy")
