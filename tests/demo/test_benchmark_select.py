"""The benchmark page's selection: links, clicks, and exactly the images they mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adaclip.runs import list_runs
from adaclip.runs.scores import ScoreBook, read_scores
from demo.benchmark.select import (
    OUTCOMES,
    Known,
    Selection,
    describe,
    images_page,
    neighbours,
    threshold_of,
)
from tests.demo.benches import (
    FakeRun,
    cards,
    image_rows,
    images_of,
    published,
    replaced,
    run_of,
    some_run,
    written,
)


@pytest.fixture(scope="module")
def known() -> Known:
    runs = [
        some_run("old", created_utc="2026-01-01T00:00:00Z"),
        some_run("new", created_utc="2026-02-01T00:00:00Z"),
        some_run("unfinished", created_utc="2026-03-01T00:00:00Z", complete=False),
    ]
    return Known.of(runs[::-1], cards(), published())


def by_hand(selection: Selection, frame: pd.DataFrame, threshold: float) -> list[str]:
    """The selected images, straight from the definition."""
    found = []
    for row in frame.to_dict("records"):
        failed = row["error"] != ""
        score, bad = row["anomaly_score"], row["anomalous"] == 1
        if selection.class_name not in (None, row["class_name"]):
            continue
        if failed != (selection.outcome == "failed"):
            continue
        outcome = "failed" if failed else ("tp" if score >= threshold else "fn")
        if not failed and not bad:
            outcome = "fp" if score >= threshold else "tn"
        names = {
            None: True,
            "wrong": outcome in ("fp", "fn"),
            "normal": not bad,
            "anomalous": bad,
        }
        if not names.get(selection.outcome, outcome == selection.outcome):
            continue
        if selection.score_range and not failed:
            low, high = selection.score_range
            if not (low <= score < high or (high == 1.0 and score == 1.0)):
                continue
        error = 0.0 if failed else (threshold - score if bad else score - threshold)
        found.append((-error, row["rel_path"]))
    return [path for _, path in sorted(found, key=lambda one: one[0])]


@pytest.mark.parametrize("outcome", [None, *OUTCOMES])
@pytest.mark.parametrize("class_name", [None, "gear"])
@pytest.mark.parametrize("score_range", [None, (0.25, 0.6), (0.6, 1.0)])
def test_exactly_the_selected_images_worst_first(outcome, class_name, score_range) -> None:
    frame = some_run().images()
    if outcome == "failed" and score_range:
        score_range = None
    selection = Selection(
        run="run-1", class_name=class_name, outcome=outcome, score_range=score_range
    )
    got = images_of(selection, frame, 0.47)
    assert got["rel_path"].tolist() == by_hand(selection, frame, 0.47)
    if outcome in ("fp", "fn", "tp", "tn", "failed"):
        assert set(got["outcome"]) <= {outcome}


def test_normals_come_highest_first_and_anomalous_lowest_first() -> None:
    frame = some_run().images()
    normals = images_of(Selection(outcome="normal"), frame, 0.5)["anomaly_score"]
    anomalous = images_of(Selection(outcome="anomalous"), frame, 0.5)["anomaly_score"]
    assert normals.is_monotonic_decreasing
    assert anomalous.is_monotonic_increasing


def test_saturated_scores_are_told_apart_by_their_margin() -> None:
    frame = image_rows("synthetic", "gear", np.array([60.0, 90.0, 70.0]), np.array([1.0]))
    assert frame["anomaly_score"].iloc[:3].nunique() == 1
    order = images_of(Selection(outcome="fp"), frame, 0.5)["anomaly_margin"].tolist()
    assert order == [90.0, 70.0, 60.0]


def test_a_score_of_one_is_inside_a_range_that_ends_at_one() -> None:
    frame = image_rows("synthetic", "gear", np.array([0.0]), np.array([80.0]))
    got = images_of(Selection(score_range=(0.9, 1.0)), frame, 0.5)
    assert got["anomaly_score"].tolist() == [1.0]


def test_pages_join_to_the_whole_list() -> None:
    frame = some_run().images()
    scores = read_scores(frame)
    pages = [images_page(Selection(), scores, 0.5, start, 25) for start in range(0, 120, 25)]
    assert {total for _, total in pages} == {119}
    joined = pd.concat([page for page, _ in pages])["rel_path"].tolist()
    assert joined == images_of(Selection(), frame, 0.5)["rel_path"].tolist()


def test_neighbours_follow_the_gallery_and_stop_at_its_ends() -> None:
    frame = some_run().images()
    scores = read_scores(frame)
    order = images_of(Selection(outcome="wrong"), frame, 0.5)["rel_path"].tolist()
    for place, path in enumerate(order):
        found = neighbours(Selection(outcome="wrong", image=path), scores, 0.5)
        assert (found.position, found.total) == (place, len(order))
        assert found.previous == (order[place - 1] if place else None)
        assert found.next == (order[place + 1] if place + 1 < len(order) else None)
    assert neighbours(Selection(image="no/such.png"), scores, 0.5).position is None


def test_a_selection_survives_the_address(known: Known) -> None:
    selection = Selection(
        run="old",
        against="new",
        dataset="synthetic",
        class_name="metal_nut",
        metric="max_f1",
        domain="industrial",
        protocol="anomalyclip",
        threshold=0.1 + 0.2,
        outcome="fp",
        score_range=(1e-05, 0.35),
        image="metal_nut/test/good/00001.png",
        scale="margin",
        cuts="equal",
        alarms=0.125,
    )
    assert known.from_query(selection.to_query()) == (selection, [])


def test_an_address_holds_only_what_differs_from_the_defaults() -> None:
    assert Selection().to_query() == {}
    assert Selection(threshold=0.4, dataset="visa").to_query() == {
        "dataset": "visa",
        "threshold": "0.4",
    }


def test_the_first_view_is_the_newest_finished_run(known: Known) -> None:
    selection, notes = known.from_query({})
    assert (selection.run, selection.dataset, notes) == ("new", "synthetic", [])
    assert Known().from_query({}) == (Selection(), [])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("run", "gone"),
        ("dataset", "nowhere"),
        ("class", "unicorn"),
        ("metric", "accuracy"),
        ("level", "voxel"),
        ("domain", "space"),
        ("protocol", "mine"),
        ("threshold", "nan"),
        ("threshold", "1.5"),
        ("threshold", "high"),
        ("outcome", "maybe"),
        ("scores", "0.5-0.2"),
        ("scores", "-1-0.5"),
        ("scores", "many"),
        ("image", "a\x00b"),
        ("image", "x" * 2000),
        ("against", "../../etc/passwd"),
        ("scale", "metres"),
        ("cuts", "deep"),
        ("alarms", "2"),
    ],
)
def test_what_does_not_exist_is_dropped_with_a_word(known: Known, parameter, value) -> None:
    selection, notes = known.from_query({"run": "old", parameter: value})
    assert len(notes) == 1
    assert f"link's {parameter} " in notes[0]
    if parameter != "run":
        assert selection == Selection(run="old", dataset="synthetic")


def test_a_run_decides_the_dataset(known: Known) -> None:
    selection, notes = known.from_query({"run": "old", "dataset": "visa"})
    assert selection.dataset == "synthetic"
    assert "run old is of synthetic" in notes[0]


def test_a_click_on_another_run_takes_the_old_ones_images_along(known: Known) -> None:
    selection = Selection(
        run="old",
        dataset="synthetic",
        class_name="gear",
        threshold=0.3,
        outcome="fp",
        image="gear/x.png",
    )
    moved, _ = known.apply(selection, {"run": "new"})
    assert moved == Selection(run="new", dataset="synthetic")
    stayed, _ = known.apply(selection, {"class": "metal_nut"})
    assert (stayed.run, stayed.threshold) == ("old", 0.3)
    assert (stayed.outcome, stayed.image) == (None, None)


def test_an_empty_value_takes_a_filter_away(known: Known) -> None:
    selection = Selection(run="old", dataset="synthetic", class_name="gear", outcome="fp")
    assert known.apply(selection, {"outcome": ""})[0].outcome is None
    assert known.apply(selection, {"class": ""})[0].class_name is None


def test_a_run_is_not_compared_with_itself(known: Known) -> None:
    selection, notes = known.from_query({"run": "old", "against": "old"})
    assert selection.against is None
    assert notes


def test_the_threshold_is_the_runs_own_until_moved() -> None:
    run = replaced(some_run(), threshold={"value": 0.37, "source": "x", "review_band": 0.0})
    assert threshold_of(Selection(), run) == 0.37
    assert threshold_of(Selection(threshold=0.9), run) == 0.9


def test_headings_count_and_name_what_is_shown() -> None:
    chosen = Selection(outcome="fp", class_name="gear")
    assert describe(chosen, 12, 0.431) == (
        "12 false alarms of gear at threshold 0.431, worst first"
    )
    assert describe(Selection(outcome="fn"), 1, 0.5) == "1 missed anomaly at threshold 0.500"


def test_counts_agree_with_a_plain_count_at_every_score() -> None:
    run = some_run()
    scores = ScoreBook().scores(run)
    good = run.table[run.table["error"] == ""]
    for threshold in [0.0, 1.0, *good["anomaly_score"].sample(20, random_state=0)]:
        called = good["anomaly_score"] >= threshold
        bad = good["anomalous"] == 1
        counts = scores.confusion(threshold)
        assert (counts.tp, counts.fp) == ((called & bad).sum(), (called & ~bad).sum())
        assert (counts.fn, counts.tn) == ((~called & bad).sum(), (~called & ~bad).sum())
    assert scores.failed == 1


def test_a_runs_images_are_read_once_and_forgotten_when_asked() -> None:
    run, book = some_run(), ScoreBook()
    assert book.scores(run) is book.scores(run)
    book.scores(run, "gear")
    assert len(run.reads) == 1
    book.forget(run.id)
    book.scores(run)
    assert len(run.reads) == 2


def test_a_run_folder_gives_the_same_as_the_table_in_it(tmp_path: Path) -> None:
    made = some_run()
    written(made, tmp_path)
    (run,), problems = list_runs([tmp_path])
    assert problems == []
    book, selection = ScoreBook(), Selection(run=run.id, outcome="wrong")
    page, total = images_page(selection, book.scores(run), 0.5)
    expected = images_of(selection, made.images(), 0.5)
    assert page["rel_path"].tolist() == expected["rel_path"].tolist()[:60]
    assert total == len(expected)
    assert Known.of([run], cards(), published()).default().run == "run-1"
    assert book.scores(run).failed == 1


def test_a_book_keeps_no_more_runs_than_it_holds() -> None:
    book, runs = ScoreBook(runs=2), [some_run(f"run-{i}") for i in range(3)]
    for run in runs:
        book.scores(run)
    book.scores(runs[0])
    assert [len(run.reads) for run in runs] == [2, 1, 1]


def test_rates_without_images_are_none_not_zero() -> None:
    frame = image_rows("synthetic", "gear", np.array([]), np.array([1.0, 2.0]))
    scores = read_scores(frame)
    counts = scores.confusion(0.99)
    assert counts.false_alarm_rate is None
    assert counts.precision is None
    assert counts.detection_rate == 0.0
    assert scores.undefined == "there are no normal images"
    empty = run_of(frame.iloc[:0]).images()
    assert read_scores(empty).undefined == "there are no images with a score"


def test_what_was_read_before_a_run_changed_is_not_kept() -> None:
    """The run's files change while another visitor's look at them is still being read."""
    book = ScoreBook()

    class Changing(FakeRun):
        def images(self) -> pd.DataFrame:
            table = super().images()
            if len(self.reads) == 1:
                book.forget(self.id)
            return table

    made = some_run()
    run = Changing(id=made.id, results=made.results, table=made.table)
    book.scores(run)
    book.scores(run)
    assert len(run.reads) == 2
    book.scores(run)
    assert len(run.reads) == 2
