"""The overview as HTML, the rows of a run, and what the shipped values give."""

from __future__ import annotations

import html
import json
import re

from adaclip.data import cards as dataset_cards
from adaclip.data.published import published_results
from demo.benchmark.cells import category_rows, run_facts
from demo.benchmark.html import facts_html
from demo.benchmark.results_html import table_html
from demo.benchmark.select import Selection
from demo.benchmark.table import overview
from tests.demo.benches import (
    cards,
    printed,
    published,
    replaced,
    some_run,
)
from tests.demo.test_benchmark_table import cell, mvtec_run, under


def test_the_html_escapes_what_files_say() -> None:
    evil = '<img src=x onerror="1">'
    run = some_run("evil", checkpoint_title=evil, device=evil, command=evil, title=evil)
    more = printed(evil, "mvtec", 0.9, source=evil)
    page = table_html(overview(published(more), [run], cards()))
    page += facts_html(run)
    assert "<img" not in page
    assert "&lt;img" in page


def test_the_html_carries_patches_and_tells_the_groups() -> None:
    table = overview(published(), [mvtec_run()], cards())
    page = table_html(table, Selection(run="run-1", dataset="mvtec"))
    assert page.index(">Published<") < page.index(">Measured here<")
    assert page.count("aria-current") == 2  # the dataset's row, and the run's in the list
    patches = re.findall('data-patch="([^"]*)"', page)
    assert {"run": "run-1"} in [json.loads(html.unescape(one)) for one in patches]
    assert 'data-run="run-1"' in page


def test_what_is_not_there_offers_to_measure_unless_it_cannot_be() -> None:
    page = table_html(overview(published(), [mvtec_run()], cards()))
    offered = re.findall('data-measure="([^"]+)"', page)
    # WinCLIP and Lite lack VisA and HeadCT; the others are ISIC, which has no normal pictures.
    assert sorted(offered) == ["headct", "headct", "visa", "visa"]
    assert page.count("<span>Measure</span>") == 2
    assert "n/a: there are no normal images" in page


def test_as_shipped_no_column_is_empty_and_what_was_measured_is_listed() -> None:
    table = overview(published_results(), [some_run()], dataset_cards.cards())
    assert not any(column.measured for column in table.columns)
    page = table_html(table)
    assert "data-run=" in page.split("measured-here")[1]
    for at, column in enumerate(table.columns):
        assert any(row.cells[at].value is not None for row in table.rows), column.label


def test_an_empty_table_says_so() -> None:
    page = table_html(overview(published(), [], cards(), protocol="unicorn"))
    assert "Nothing publishes image AUROC" in page
    assert "Nothing here has been measured" in page


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
        value = under(view, "AdaCLIP").mean
        assert f"{100 * value:.1f} ({len(view.shared)})" == printed_mean
        assert f"mean: {printed_mean.split()[0]}" in " ".join(view.stated["AdaCLIP|adaclip|0"])
    for level in ("image", "pixel"):
        every = overview(shipped, [], table, level=level, protocol="all")
        assert len({column.id for column in every.columns}) == len(every.columns)
        assert table_html(every)
    assert len(overview(shipped, [], table).rows) == len(table) - 1  # all but the drawn one


def test_the_shipped_floors_are_shown_as_published() -> None:
    shipped, table = published_results(), dataset_cards.cards()
    view = overview(shipped, [], table, metric="max_f1")
    assert cell(view, "mvtec", "Floor").text == "83.4"
    assert cell(view, "visa", "Floor").text == "71.9"
    assert cell(view, "isic", "Floor").text == "n/a"
