"""The overview: sources, reasons, means with counts, protocols apart, marks for caution."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from demo.benchmark.results_html import table_html
from demo.benchmark.table import as_frame, metrics_of, overview, protocols
from tests.demo.benches import (
    cards,
    image_rows,
    printed,
    published,
    run_of,
    some_run,
    with_intervals,
)

LITE = "run:lite|native|margin"


def cell(table, dataset: str, label: str):
    column = next(i for i, c in enumerate(table.columns) if c.label == label)
    return next(row for row in table.rows if row.dataset == dataset).cells[column]


def under(table, label: str):
    return table.totals[next(i for i, c in enumerate(table.columns) if c.label == label)]


def listed(table, dataset: str):
    """What was measured on a dataset."""
    return next(one for one in table.measured if one.dataset == dataset)


def mvtec_run(run_id: str = "run-1", **more):
    """A run of a dataset that has published values, too."""
    return some_run(run_id, dataset="mvtec", **more)


def test_values_are_times_100_with_one_decimal_and_their_source() -> None:
    got = cell(overview(published(), [], cards()), "mvtec", "AdaCLIP")
    assert got.text == "89.2"
    for part in ("ECCV 2024", "MVTec AD + ColonDB", "Protocol", "paper: AdaCLIP Table 1"):
        assert part in got.source


def test_means_and_ranks_are_over_the_sets_that_all_columns_share() -> None:
    more = [printed("WinCLIP", "headct", 0.95)]
    table = overview(published(*more), [], cards())
    assert table.shared == ("MVTec AD", "HeadCT")
    assert under(table, "AdaCLIP").mean == pytest.approx(np.mean([0.892, 0.914]))
    assert under(table, "WinCLIP").mean == pytest.approx(np.mean([0.918, 0.95]))
    assert (under(table, "WinCLIP").rank, under(table, "AdaCLIP").rank) == (1.0, 2.0)
    page = table_html(table)
    assert (
        "Means and ranks are over the 2 sets that all published columns share: MVTec AD, HeadCT."
        in page
    )
    assert "Stated by the source, industrial mean: 90.2" in page


def test_columns_that_share_no_set_have_no_mean() -> None:
    table = overview(published(printed("Other", "visa", 0.7)), [], cards())
    assert table.shared == ()
    assert {one.mean for one in table.totals} == {None}
    assert "there are no means" in table_html(table)


def test_a_measured_column_takes_no_mean_from_others_and_has_one_where_it_has_all_sets() -> None:
    table = overview(published(), [mvtec_run()], cards(), methods=["AdaCLIP|adaclip|0", LITE])
    assert len(table.shared) == 3
    assert under(table, "AdaCLIP").mean is not None
    assert (under(table, "Lite").mean, under(table, "Lite").covers) == (None, 1)
    assert "it has 1 of the 3 sets" in table_html(table)
    table = overview(published(), [mvtec_run()], cards(), datasets=["mvtec"])
    assert under(table, "Lite").mean == cell(table, "mvtec", "Lite").value


def test_the_best_and_the_second_best_of_a_row_are_marked() -> None:
    more = [printed("Third", "mvtec", 0.5), printed("Tied", "mvtec", 0.91799)]
    table = overview(published(*more), [], cards())
    row = table.rows[0]
    assert {table.columns[at].label for at in row.best} == {"WinCLIP", "Tied"}
    assert row.second == frozenset()
    table = overview(published(more[0]), [], cards())
    row = table.rows[0]
    assert [table.columns[at].label for at in (*row.best, *row.second)] == ["WinCLIP", "AdaCLIP"]
    assert not table.rows[1].best  # one value leads nobody
    page = table_html(table)
    assert page.count('class="published best"') == page.count('class="published second"') == 1
    assert "Underlined: the second best" in page


def test_a_baseline_gives_differences_wins_ties_and_losses() -> None:
    more = [printed("WinCLIP", "visa", 0.858), printed("WinCLIP", "headct", 0.2)]
    table = overview(published(*more), [], cards(), baseline="AdaCLIP|adaclip|0")
    assert under(table, "WinCLIP").record == (1, 1, 1)
    assert under(table, "AdaCLIP").record is None
    page = table_html(table)
    for said in ("+2.6", "+0.0", "\u221271.4", "1\u20131\u20131", "over or under AdaCLIP"):
        assert said in page


def test_columns_of_different_protocols_are_not_held_against_each_other() -> None:
    table = overview(published(), [], cards(), protocol="all", baseline="AdaCLIP|adaclip|0")
    assert not any(row.best for row in table.rows)
    assert not any(one.rank or one.record for one in table.totals)
    assert "not ranked" in " ".join(table.notes)
    full = overview(
        published(printed("CDO", "mvtec", 0.99, protocol="full-shot")),
        [mvtec_run()],
        cards(),
        protocol="full-shot",
    )
    assert full.ranked == (0,)  # a zero-shot run beside it is not ranked with it


def test_values_below_chance_are_marked() -> None:
    page = table_html(overview(published(printed("Poor", "mvtec", 0.43)), [], cards()))
    assert page.count('class="published below"') == 1
    assert "below chance" in page
    assert "below" not in table_html(overview(published(), [], cards())).split("<ul")[0]


def test_a_domain_limits_rows_and_means() -> None:
    table = overview(published(), [], cards(), domain="industrial", methods=["AdaCLIP|adaclip|0"])
    assert [row.dataset for row in table.rows] == ["mvtec", "visa"]
    assert under(table, "AdaCLIP").mean == pytest.approx(0.875)


@pytest.mark.parametrize(
    ("dataset", "level", "metric", "label", "reason"),
    [
        ("isic", "image", "auroc", "AdaCLIP", "no normal images"),
        ("headct", "pixel", "auroc", "AdaCLIP", "no masks"),
        ("visa", "image", "auroc", "WinCLIP", "not published"),
        ("visa", "image", "auroc", "Lite", "not measured"),
    ],
)
def test_na_has_its_reason(dataset, level, metric, label, reason) -> None:
    table = overview(published(), [mvtec_run()], cards(), level=level, metric=metric)
    got = cell(table, dataset, label)
    assert (got.value, got.text) == (None, "n/a")
    assert reason in got.reason
    assert reason in got.source


def test_aupro_is_offered_for_pixels_only() -> None:
    assert "aupro" not in dict(metrics_of("image"))
    assert "aupro" in dict(metrics_of("pixel"))


def test_a_protocol_shows_its_own_values_only() -> None:
    table = overview(published(), [], cards())
    assert [column.label for column in table.columns] == ["AdaCLIP", "WinCLIP"]
    other = overview(published(), [], cards(), protocol="anomalyclip")
    assert {column.label for column in other.columns} == {"AdaCLIP", "AnomalyCLIP"}
    assert cell(other, "mvtec", "AdaCLIP").text == "85.9"
    assert cell(other, "mvtec", "AdaCLIP").marks == ("↻",)


def test_all_protocols_stay_in_columns_of_their_own() -> None:
    table = overview(published(), [], cards(), protocol="all")
    ours = [column for column in table.columns if column.label == "AdaCLIP"]
    assert {column.protocol for column in ours} == {"adaclip", "anomalyclip"}
    for column, values in zip(
        table.columns, zip(*(r.cells for r in table.rows), strict=True), strict=True
    ):
        said = {one.source for one in values if one.value is not None}
        assert all("Protocol" in one for one in said), column.label


def test_protocols_are_listed_with_adaclips_first_and_all_last() -> None:
    listed = protocols(published())
    assert (listed[0][0], listed[0][2]) == ("adaclip", 6)
    assert (listed[-1][0], listed[-1][2]) == ("all", 8)


def test_a_paper_goes_before_a_reprint_and_both_are_told() -> None:
    more = printed("WinCLIP", "mvtec", 0.5, source="reprint: elsewhere", venue="CVPR", year=2023)
    frame = pd.concat([pd.DataFrame([more]), published()], ignore_index=True)
    got = cell(overview(frame, [], cards()), "mvtec", "WinCLIP")
    assert got.text == "91.8"
    assert "Also printed: 50.0 in reprint: elsewhere" in got.source


def test_measured_columns_are_apart_and_say_run_device_and_hash() -> None:
    table = overview(published(), [some_run()], cards())
    assert [c.measured for c in table.columns] == [False, False]  # nobody publishes drawn pictures
    got = listed(table, "synthetic").cell
    assert got.run_id == got.patch["run"] == "run-1"
    for part in ("run run-1", "2026-11-24", "CPU, 2 threads", "abababababab", "1 unreadable"):
        assert part in got.source


def test_the_newest_finished_run_of_a_checkpoint_counts() -> None:
    runs = [
        some_run("newer", created_utc="2026-03-01"),
        some_run("older", created_utc="2026-01-01"),
        some_run("half", created_utc="2026-05-01", complete=False),
    ]
    table = overview(published(), runs, cards())
    assert listed(table, "synthetic").run.id == "newer"
    assert any("half" in note for note in table.notes)


def test_ways_of_measuring_are_not_mixed_in_a_column() -> None:
    runs = [
        mvtec_run("a"),
        mvtec_run("b", resolution="518"),
        mvtec_run("c", ranked_by="probability"),
        mvtec_run("d", comparison="4 references"),
        mvtec_run("e", comparison="batch"),
    ]
    table = overview(published(), runs, cards())
    measured = [column for column in table.columns if column.measured]
    assert len({column.id for column in measured}) == len(measured) == 5
    assert [c.sublabel.split(",")[0] for c in measured if "|4 ref" in c.id] == ["4 references"]


def test_a_limited_run_of_a_folder_without_a_card_is_marked() -> None:
    run = some_run(dataset="my_parts", settings={"limit": 20})
    got = listed(overview(published(), [run], cards()), "my_parts").cell
    assert got.marks == ("◐",)
    assert "at most 20 pictures per object" in got.source
    assert "my_parts" in table_html(overview(published(), [run], cards()))


def test_the_interval_of_a_mean_combines_those_of_independent_classes() -> None:
    run = with_intervals(some_run(), 0.06, 0.02)
    low, high = listed(overview(published(), [run], cards()), "synthetic").cell.interval
    value = run.results.mean.image_level.auroc
    assert value - low == pytest.approx(0.06 / 2**0.5)  # of two means: a half of each, in squares
    assert high - value == pytest.approx(0.02 / 2**0.5)
    assert "95 % interval" in listed(overview(published(), [run], cards()), "synthetic").cell.source
    without = overview(published(), [some_run()], cards())
    assert listed(without, "synthetic").cell.interval is None


def test_a_leak_and_a_partial_run_are_marked_and_left_out_of_means() -> None:
    leaked = some_run("leaky", dataset="mvtec", leak="Trained on MVTec AD.")
    listed = cards()
    listed["visa"] = type(listed["visa"])(
        key="visa", name="VisA", domain="industrial", normal=900, anomalous=900
    )
    partial = some_run("part", dataset="visa")
    table = overview(published(), [leaked, partial], listed)
    assert cell(table, "mvtec", "Lite").marks == ("†",)
    assert cell(table, "visa", "Lite").marks == ("◐",)
    assert "120 of 1,800 pictures" in cell(table, "visa", "Lite").source
    assert under(table, "Lite").mean is None
    at = table.column(LITE)
    assert not any(at in (*row.best, *row.second) for row in table.rows)
    assert sum("left out of means" in note for note in table.notes) == 2


def test_an_undefined_value_of_a_run_says_the_runs_reason() -> None:
    table = image_rows("synthetic", "gear", np.array([]), np.array([0.0, 1.0]))
    run = run_of(table)
    got = listed(overview(published(), [run], cards()), "synthetic").cell
    assert got.text == "n/a"
    assert "normal" in got.reason


def test_max_f1_comes_with_its_floor() -> None:
    more = printed("AdaCLIP", "mvtec", 0.906, metric="max_f1")
    table = overview(published(more), [], cards(), metric="max_f1")
    assert table.columns[0].floor
    assert cell(table, "mvtec", "Floor").text == "85.0"
    assert cell(table, "isic", "Floor").text == "n/a"
    pixel = printed("AdaCLIP", "mvtec", 0.43, metric="max_f1", level="pixel")
    table = overview(published(pixel), [], cards(), metric="max_f1", level="pixel")
    assert "defective pixels" in cell(table, "mvtec", "Floor").reason


def test_sorting_keeps_na_last_whichever_way() -> None:
    key = "AdaCLIP|adaclip|0"
    for descending, first in ((True, "headct"), (False, "visa")):
        table = overview(published(), [], cards(), sort=key, descending=descending)
        assert table.rows[0].dataset == first
        assert [row.cells[0].value is None for row in table.rows] == [False] * 3 + [True]


def test_columns_sort_by_their_mean_and_rows_by_name() -> None:
    table = overview(published(), [], cards(), sort="mean")
    assert table.shared == ("MVTec AD",)
    assert [column.label for column in table.columns] == ["WinCLIP", "AdaCLIP"]
    table = overview(published(), [], cards(), sort="name", descending=False)
    assert table.rows[0].name == "HeadCT"


def test_chosen_methods_and_datasets_are_shown_alone() -> None:
    chosen = {"methods": ["WinCLIP|adaclip|0"], "datasets": ["visa", "mvtec"]}
    table = overview(published(), [], cards(), **chosen)
    assert [column.label for column in table.columns] == ["WinCLIP"]
    assert [row.dataset for row in table.rows] == ["mvtec", "visa"]
    assert [column.label for column in table.offered] == ["AdaCLIP", "WinCLIP"]
    # A choice of another protocol hides nothing.
    other = overview(published(), [], cards(), protocol="anomalyclip", methods=chosen["methods"])
    assert len(other.columns) == 2
    assert not other.chosen


def test_a_pinned_column_stays_first() -> None:
    table = overview(published(), [mvtec_run()], cards(), pinned=["WinCLIP|adaclip|0"])
    assert table.columns[0].label == "WinCLIP"
    assert table.columns[0].pinned


def test_a_folder_without_a_card_is_listed_with_what_was_measured() -> None:
    run = some_run(dataset="my_parts")
    table = overview(published(), [run], cards())
    assert "my_parts" not in [row.dataset for row in table.rows]
    assert listed(table, "my_parts").cell.value is not None


def test_the_exported_table_names_every_source() -> None:
    table = overview(published(), [some_run(), mvtec_run("other")], cards())
    frame = as_frame(table)
    assert len(frame) == len(table.rows) * len(table.columns) + 1
    assert not frame.duplicated(["dataset", "method", "about_method"]).any()
    assert set(frame["kind"]) == {"published", "measured"}
    assert (frame["source"] != "").all()
    assert (frame["value"].isna() == (frame["reason"] != "")).all()


def test_a_protocol_without_the_metric_says_where_there_is_one() -> None:
    more = printed("AnomalyCLIP", "mvtec", 0.8, protocol="mvtec-trained", metric="aupro")
    table = overview(
        published({**more, "level": "pixel"}), [], cards(), level="pixel", metric="aupro"
    )
    assert not table.columns
    assert "trained on MVTec AD" in table.notes[0]
    assert "trained on MVTec AD" in table_html(table)
