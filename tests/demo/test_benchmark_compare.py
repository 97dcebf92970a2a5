"""Two runs: deltas over shared images with paired intervals, and what changed sides."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from adaclip.runs import read_run
from adaclip.runs.compare import compare, threshold_at
from demo.benchmark.comparison import compare_html, pair_html
from demo.benchmark.select import Selection
from tests.demo.benches import image_rows, replaced, run_of, some_run, written


def pair(shift: float = 0.8, count: int = 60):
    """B's anomalous images score higher than A's by `shift`; normals are the same."""
    generator = np.random.default_rng(0)
    normal, bad = generator.normal(-1, 1, count), generator.normal(0.5, 1, count)
    noise = generator.normal(0, 0.1, count)
    a = run_of(image_rows("synthetic", "gear", normal, bad), "a")
    b = run_of(image_rows("synthetic", "gear", normal, bad + shift + noise), "b")
    return a, b


def test_deltas_are_sklearns_over_the_shared_images() -> None:
    a, b = some_run("a", seed=1), some_run("b", seed=2)
    b = dataclasses.replace(b, table=b.table.drop(index=b.table.index[5:9]))
    got = compare(a, b, a.images(), b.images(), draws=20)
    shared = a.table.merge(b.table, on="rel_path", suffixes=("_a", "_b"))
    shared = shared[(shared["error_a"] == "") & (shared["error_b"] == "")]
    assert (got.common, got.only_a, got.only_b) == (len(shared), 4, 0)
    assert any("4 only under A" in one for one in got.warnings)
    for row in got.rows:
        mine = shared[shared["class_name_a"] == row.class_name]
        for side in ("a", "b"):
            expected = roc_auc_score(mine["anomalous_a"], mine[f"anomaly_margin_{side}"])
            assert getattr(row, side) == pytest.approx(expected, abs=1e-12)
        assert row.delta == row.b - row.a
    assert got.mean.delta == pytest.approx(np.mean([row.delta for row in got.rows]))


def test_a_clear_gain_has_an_interval_over_zero_and_no_gain_one_around_it() -> None:
    a, b = pair(0.8)
    (row,) = compare(a, b, a.images(), b.images()).rows
    assert 0 < row.low < row.delta < row.high
    assert row.side == "better"
    (row,) = compare(b, a, b.images(), a.images()).rows
    assert row.side == "worse"
    a, b = pair(0.0)
    (row,) = compare(a, b, a.images(), b.images()).rows
    assert row.low <= 0 <= row.high
    assert row.side == "even"


def test_a_paired_interval_is_narrower_than_the_runs_own() -> None:
    from adaclip.metrics.intervals import bootstrap_interval

    a, b = pair(0.2)
    (row,) = compare(a, b, a.images(), b.images()).rows
    bad = a.table["anomalous"] == 1
    own = bootstrap_interval(
        a.table["anomaly_margin"][~bad].to_numpy(), a.table["anomaly_margin"][bad].to_numpy()
    )
    assert row.high - row.low < 0.6 * (own[1] - own[0])


def test_the_mean_of_equal_classes_is_surer_than_each() -> None:
    a, b = some_run("a", seed=1), some_run("b", seed=2)
    got = compare(a, b, a.images(), b.images())
    widths = [row.high - row.low for row in got.rows]
    mean = got.mean.high - got.mean.low
    assert mean == pytest.approx(np.hypot(*widths) / 2)


def test_images_that_changed_sides_at_each_runs_own_threshold() -> None:
    normal, bad = np.array([-2.0, 0.5]), np.array([-0.5, 2.0])
    a = run_of(image_rows("synthetic", "gear", normal, bad), "a")
    b = run_of(
        image_rows("synthetic", "gear", np.array([1.5, 0.5]), np.array([0.2, 2.0])),
        "b",
        threshold={"value": 0.54, "source": "x", "review_band": 0.0},
    )
    got = compare(a, b, a.images(), b.images(), draws=10)
    changed = {row.rel_path: row for row in got.changed.itertuples()}
    assert set(changed) == {"gear/test/good/00000.png", "gear/test/scratch/00002.png"}
    broken, mended = changed["gear/test/good/00000.png"], changed["gear/test/scratch/00002.png"]
    assert (broken.outcome_a, broken.outcome_b, broken.change) == ("tn", "fp", "broken")
    assert (mended.outcome_a, mended.outcome_b, mended.change) == ("fn", "tp", "mended")
    assert got.changed["change"].tolist() == ["broken", "mended"]
    none = compare(a, a, a.images(), a.images(), draws=10)
    assert none.changed.empty


def test_other_datasets_do_not_compare_and_other_protocols_are_said() -> None:
    a = some_run("a")
    other = some_run("b", dataset="visa")
    got = compare(a, other, a.images(), other.images())
    assert got.common == 0
    assert "different datasets" in got.warnings[0]
    assert got.mean.delta is None
    small = replaced(a, resolution="518", leak="Trained on it.")
    got = compare(a, small, a.images(), small.images(), draws=10)
    assert any("resolution native under A, 518 under B" in one for one in got.warnings)
    assert "B: Trained on it." in got.warnings


def test_a_class_of_one_kind_is_na_with_its_reason() -> None:
    run = run_of(image_rows("synthetic", "gear", np.array([]), np.array([0.0, 1.0])))
    got = compare(run, run, run.images(), run.images())
    assert got.rows[0].delta is None
    assert "no normal images" in got.rows[0].reason
    assert "n/a" in got.rows[0].words


def test_run_folders_compare_like_the_tables_in_them(tmp_path: Path) -> None:
    made = [some_run("a", seed=1), some_run("b", seed=2)]
    a, b = (read_run(written(run, tmp_path)) for run in made)
    got = compare(a, b, a.images(), b.images(), draws=50)
    expected = compare(*made, made[0].images(), made[1].images(), draws=50)
    assert got.rows == expected.rows
    assert got.changed["rel_path"].tolist() == expected.changed["rel_path"].tolist()


def test_images_whose_truth_is_disputed_are_left_out() -> None:
    a = some_run("a")
    b = replaced(a, id="b")
    table = a.table.copy()
    table.loc[3, "anomalous"] = 1
    got = compare(a, b, a.images(), table, draws=10)
    assert got.common == 118
    assert any("1 image left out" in one for one in got.warnings)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.05, 0.2, 0.5, 1.0])
def test_equal_false_alarms_are_the_most_found_at_no_more_alarms_than_that(rate) -> None:
    a, b = some_run("a", seed=1), some_run("b", seed=2)
    got = compare(a, b, a.images(), b.images(), draws=10).at_false_alarms(rate)
    shared = a.table.merge(b.table, on="rel_path", suffixes=("_a", "_b"))
    shared = shared[(shared["error_a"] == "") & (shared["error_b"] == "")]
    bad = shared["anomalous_a"] == 1
    for run, counts in zip("ab", got.counts, strict=True):
        scores = shared[f"anomaly_score_{run}"]
        most = 0  # by trying every threshold that calls something else
        for cut in [0.0, *(scores + 1e-12), 2.0]:
            called = scores >= cut
            if (called & ~bad).sum() <= rate * (~bad).sum():
                most = max(most, int((called & bad).sum()))
        assert counts.tp == most
        cut = getattr(got, f"threshold_{run}")
        assert counts.fp == ((scores >= cut) & ~bad).sum() <= rate * (~bad).sum()
        assert counts.tp == ((scores >= cut) & bad).sum()
        assert counts.tp + counts.fn == bad.sum()
    for one in got.changed.itertuples():
        right = [(one.score_a >= got.threshold_a), (one.score_b >= got.threshold_b)]
        right = [called == (one.anomalous == 1) for called in right]
        assert right == ([False, True] if one.change == "mended" else [True, False])


def test_saturated_normals_leave_no_threshold_but_one_over_1() -> None:
    assert threshold_at(np.array([1.0, 1.0, 0.2]), 0.5) > 1.0
    assert threshold_at(np.array([1.0, 1.0, 0.2]), 0.7) == pytest.approx(0.2)
    run = run_of(image_rows("synthetic", "gear", np.array([]), np.array([0.0, 1.0])))
    assert compare(run, run, run.images(), run.images()).at_false_alarms(0.1) is None


def test_a_comparisons_rows_and_images_stay_when_it_is_judged_otherwise() -> None:
    a, b = pair(0.5)
    own = compare(a, b, a.images(), b.images(), draws=10)
    other = own.at(0.9, 0.1)
    assert other.rows == own.rows
    assert other.images["rel_path"].tolist() == own.images["rel_path"].tolist()
    assert other.counts != own.counts
    assert other.at(own.threshold_a, own.threshold_b).counts == own.counts


def test_compared_runs_escape_their_files() -> None:
    a, b = some_run("a"), some_run("b", seed=3, title="<b>x</b>")
    for run in (a, b):
        run.table["rel_path"] = "<u>" + run.table["rel_path"]
    own = compare(a, b, a.images(), b.images(), draws=50)
    selection = Selection(image=str(own.changed["rel_path"].iloc[0]))
    page = compare_html(own, own.at_false_alarms(0.05), selection)
    page += pair_html(own, str(selection.image))
    assert "<u>" not in page
    assert "<b>x" not in page
    assert "&lt;u&gt;" in page
    assert "&lt;b&gt;x" in page
