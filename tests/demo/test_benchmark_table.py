"""The overview: sources, reasons, means with counts, protocols apart, marks for caution."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from adaclip.data import cards as dataset_cards
from adaclip.data.published import published_results
from demo.benchmark.cells import category_rows, run_facts
from demo.benchmark.html import compare_html, facts_html, table_html
from demo.benchmark.select import Selection
from demo.benchmark.table import as_frame, metrics_of, overview, protocols
from tests.demo.benches import cards, image_rows, printed, published, replaced, run_of, some_run


def cell(table, dataset: str, label: str):
    column = next(i for i, c in enumerate(table.columns) if c.label == label)
    return next(row for row in table.rows if row.dataset == dataset).cells[column]


def mean(table, label: str):
    return table.means[next(i for i, c in enumerate(table.columns) if c.label == label)]


def test_values_are_times_100_with_one_decimal_and_their_source() -> None:
    got = cell(overview(published(), [], cards()), "mvtec", "AdaCLIP")
    assert got.text == "89.2"
    for part in ("ECCV 2024", "MVTec AD + ColonDB", "Protocol", "paper: AdaCLIP Table 1"):
        assert part in got.source


def test_means_take_existing_cells_with_their_count() -> None:
    got = mean(overview(published(), [], cards()), "AdaCLIP")
    assert got.value == pytest.approx(np.mean([0.892, 0.858, 0.914]))
    assert got.text == "88.8 (3)"
    assert "Stated by the source, industrial mean: 90.2" in got.source


def test_a_domain_limits_rows_and_means() -> None:
    table = overview(published(), [], cards(), domain="industrial")
    assert [row.dataset for row in table.rows] == ["mvtec", "visa"]
    assert mean(table, "AdaCLIP").text == "87.5 (2)"


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
    table = overview(published(), [some_run()], cards(), level=level, metric=metric)
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
    assert [c.measured for c in table.columns] == [True, False, False]
    got = cell(table, "synthetic", "Lite")
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
    assert cell(table, "synthetic", "Lite").run_id == "newer"
    assert any("half" in note for note in table.notes)


def test_ways_of_measuring_are_not_mixed_in_a_column() -> None:
    runs = [some_run("a"), some_run("b", resolution="518"), some_run("c", ranked_by="probability")]
    table = overview(published(), runs, cards())
    assert sum(column.measured for column in table.columns) == 3


def test_a_leak_and_a_partial_run_are_marked_and_left_out_of_means() -> None:
    leaked = some_run("leaky", dataset="mvtec", leak="Trained on MVTec AD.")
    listed = cards()
    listed["visa"] = type(listed["visa"])(
        key="visa", name="VisA", domain="industrial", normal=900, anomalous=900
    )
    partial = some_run("part", dataset="visa")
    whole = some_run("whole")
    table = overview(published(), [leaked, partial, whole], listed)
    assert cell(table, "mvtec", "Lite").marks == ("†",)
    assert cell(table, "visa", "Lite").marks == ("◐",)
    got = mean(table, "Lite")
    assert got.count == 1
    assert got.value == cell(table, "synthetic", "Lite").value
    assert "2 marked" in got.source
    assert len(table.notes) == 2


def test_an_undefined_value_of_a_run_says_the_runs_reason() -> None:
    table = image_rows("synthetic", "gear", np.array([]), np.array([0.0, 1.0]))
    run = run_of(table)
    got = cell(overview(published(), [run], cards()), "synthetic", "Lite")
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
        assert [row.cells[0].value is None for row in table.rows] == [False] * 3 + [True] * 2


def test_columns_sort_by_their_mean_and_rows_by_name() -> None:
    table = overview(published(), [], cards(), sort="mean")
    assert [column.label for column in table.columns] == ["WinCLIP", "AdaCLIP"]
    table = overview(published(), [], cards(), sort="name", descending=False)
    assert table.rows[0].name == "HeadCT"


def test_text_filters_methods_or_datasets() -> None:
    table = overview(published(), [], cards(), text="winclip, visa")
    assert [column.label for column in table.columns] == ["WinCLIP"]
    assert [row.dataset for row in table.rows] == ["visa"]
    nothing = overview(published(), [], cards(), text="unicorn")
    assert not nothing.columns
    assert "unicorn" in nothing.notes[0]


def test_a_pinned_column_stays_first() -> None:
    table = overview(published(), [some_run()], cards(), pinned=["WinCLIP|adaclip|0"])
    assert table.columns[0].label == "WinCLIP"
    assert table.columns[0].pinned


def test_a_folder_without_a_card_has_its_row() -> None:
    run = some_run(dataset="my_parts")
    table = overview(published(), [run], cards())
    assert table.rows[-1].dataset == "my_parts"
    assert cell(table, "my_parts", "Lite").value is not None


def test_the_exported_table_names_every_source() -> None:
    table = overview(published(), [some_run()], cards())
    frame = as_frame(table)
    assert len(frame) == len(table.rows) * len(table.columns)
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


def test_the_html_escapes_what_files_say() -> None:
    evil = '<img src=x onerror="1">'
    run = some_run("evil", checkpoint_title=evil, device=evil, command=evil, title=evil)
    more = printed(evil, "mvtec", 0.9, source=evil)
    page = table_html(overview(published(more), [run], cards(), text=""))
    page += facts_html(run)
    assert "<img" not in page
    assert "&lt;img" in page


def test_the_html_carries_patches_and_tells_the_groups() -> None:
    table = overview(published(), [some_run()], cards())
    page = table_html(table, Selection(run="run-1", dataset="synthetic"))
    assert "Measured here" in page
    assert "Published" in page
    assert page.count('aria-current="true"') == 2
    patches = [
        json.loads(one.replace("&quot;", '"')) for one in re.findall('data-patch="([^"]*)"', page)
    ]
    assert {"run": "run-1", "dataset": "synthetic", "metric": "auroc", "level": "image"} in patches


def test_an_empty_table_says_so() -> None:
    page = table_html(overview(published(), [], cards(), text="unicorn"))
    assert "unicorn" in page


def test_a_class_row_has_values_intervals_and_reasons() -> None:
    classes = some_run().results.to_json()["classes"]
    classes[0]["image_level"]["auroc_interval"] = [0.8, 0.95]
    classes[1]["pixel_level"]["auroc"] = None
    classes[1]["pixel_level"]["undefined"] = {"auroc": "no masks"}
    run = replaced(some_run(), classes=classes)
    first, second = category_rows(run)
    assert "95 % interval 80.0 to 95.0" in first["cells"]["image", "auroc"].source
    assert second["cells"]["pixel", "auroc"].reason == "metal nut: no masks"
    assert first["cells"]["image", "auroc"].patch == {
        "run": "run-1",
        "class": "gear",
        "level": "image",
        "metric": "auroc",
    }


def test_facts_hold_what_is_recorded_and_nothing_else() -> None:
    facts = dict(run_facts(replaced(some_run(), commit=None)))
    assert "Commit" not in facts
    assert facts["Reproduce"].startswith("python -m adaclip evaluate")
    assert facts["Threshold"] == "0.500, held-out pictures"
    assert "Device" not in dict(run_facts(replaced(some_run(), device=None, precision=None)))


def test_compared_runs_escape_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from adaclip.runs.compare import compare

    a, b = some_run("a"), some_run("b", seed=3, title="<b>x</b>")
    for run in (a, b):
        run.table["rel_path"] = "<i>" + run.table["rel_path"]
    page = compare_html(compare(a, b, a.images(), b.images(), draws=50))
    assert "<i>" not in page
    assert "<b>x" not in page
    assert "&lt;i&gt;" in page


def test_the_shipped_values_give_adaclips_published_table() -> None:
    shipped, table = published_results(), dataset_cards.cards()
    for (domain, level, metric), printed_mean in {
        ("industrial", "image", "auroc"): "90.2 (7)",
        ("industrial", "image", "max_f1"): "89.6 (7)",
        ("industrial", "pixel", "auroc"): "94.2 (7)",
        ("industrial", "pixel", "max_f1"): "50.2 (7)",
        ("medical", "image", "auroc"): "94.6 (3)",
        ("medical", "pixel", "max_f1"): "57.4 (4)",
    }.items():
        view = overview(shipped, [], table, domain=domain, level=level, metric=metric)
        assert mean(view, "AdaCLIP").text == printed_mean
        assert f"mean: {printed_mean.split()[0]}" in mean(view, "AdaCLIP").source
    for level in ("image", "pixel"):
        every = overview(shipped, [], table, level=level, protocol="all")
        assert len({column.id for column in every.columns}) == len(every.columns)
        assert table_html(every)
    assert len(overview(shipped, [], table).rows) == len(table)


def test_the_shipped_floors_are_shown_as_published() -> None:
    shipped, table = published_results(), dataset_cards.cards()
    view = overview(shipped, [], table, metric="max_f1")
    assert cell(view, "mvtec", "Floor").text == "83.4"
    assert cell(view, "visa", "Floor").text == "71.9"
    assert cell(view, "isic", "Floor").text == "n/a"
