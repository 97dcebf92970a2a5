"""The Benchmark tab's handlers, without a browser: clicks, addresses, pictures, files."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest

from adaclip.errors import InputError
from demo.benchmark.actions import BenchmarkActions
from demo.benchmark.desk import Desk, Desks
from demo.benchmark.select import Known
from demo.runs.library import Library
from demo.services import Services
from tests.demo import benches
from tests.demo.stub import stub_services

OTHER = "AdaCLIP of somebody <b>else</b>"


@pytest.fixture
def services(tmp_path: Path):
    runs = tmp_path / "runs"
    newest = benches.some_run("newest", created_utc="2026-11-24T05:00:00Z", title=OTHER)
    benches.written(newest, runs)
    benches.written(benches.some_run("older", seed=1), runs)
    benches.written(benches.some_run("half", seed=2, complete=False), runs)
    return stub_services(
        tmp_path / "served",
        run_roots=(runs,),
        cards=benches.cards,
        published=benches.published,
    )


@pytest.fixture
def library(services):
    return Library(services)


@pytest.fixture
def page(services, library):
    return BenchmarkActions(services, library)


def address(screen) -> str:
    return re.search(r'data-query="([^"]*)"', screen["link"]).group(1).replace("&amp;", "&")


def test_coming_without_an_address_shows_the_newest_run(page):
    screen = page.arrive("", "")
    assert address(screen) == "tab=benchmark&view=results&dataset=synthetic&run=newest"
    assert "table" in screen
    assert "gallery" not in screen


@pytest.mark.parametrize("view", ["results", "run", "compare", "measure"])
def test_the_address_of_each_page_leads_to_that_page(page, view):
    asked = f"view={view}&run=newest&against=older"
    there = address(page.arrive("", asked))
    assert page.arrive("", there)["views"].selected == view
    assert address(page.arrive("", there)) == there


def test_what_an_address_asks_for_is_drawn_and_kept_in_it(page):
    asked = "view=run&dataset=synthetic&run=older&class=gear&threshold=0.4&outcome=fp"
    screen = page.arrive("", f"?tab=benchmark&{asked}")
    assert address(screen) == f"tab=benchmark&{asked}"
    assert 'class="shot fp"' in screen["gallery"]
    assert 'class="shot tp"' not in screen["gallery"]
    assert "metal_nut" not in screen["gallery"]


def test_a_link_to_what_is_not_here_says_so_and_shows_the_rest(page):
    screen = page.arrive("", "run=gone<script>&metric=max_f1")
    assert "gone&lt;script&gt;" in screen["problems"]
    assert "metric=max_f1" in address(screen)


def test_a_click_is_a_step_back_can_undo_and_a_threshold_is_none(page):
    key = page.arrive("", "run=newest")["key"]
    clicked = page.act(key, {"patch": {"class": "gear"}})
    assert 'data-step="push"' in clicked["link"]
    moved = page.moved(key, 0.3)
    assert 'data-step="replace"' in moved["link"]
    changes = json.loads(html.unescape(re.search('data-changes="([^"]*)"', moved["link"]).group(1)))
    assert set(changes) == {"chart-histogram", "chart-confusion", "chart-roc", "chart-pr"}
    assert "gallery" in moved
    assert not {"histogram", "roc", "heat", "facts", "table"} & set(moved)
    assert "data-changes" not in page.act(key, {"patch": {"class": "metal_nut"}})["link"]


def test_the_slider_repeating_what_was_set_changes_nothing(page):
    key = page.arrive("", "run=newest&threshold=0.41237")["key"]
    assert page.moved(key, 0.412) == {}
    assert page.moved(key, 0.7)
    with pytest.raises(InputError):
        page.moved(key, float("nan"))


def test_on_the_margins_scale_the_slider_is_in_log_odds_and_the_address_in_scores(page):
    screen = page.arrive("", "run=newest&threshold=0.9")
    scaled = page.scaled(screen["key"], "margin")
    assert "scale=margin" in address(scaled)
    assert "threshold=0.9" in address(scaled)
    assert scaled["threshold"].value == pytest.approx(np.log(9), abs=0.005)
    assert scaled["threshold"].minimum < -2 < 2 < scaled["threshold"].maximum
    assert page.moved(screen["key"], 2.2) == {}
    moved = page.moved(screen["key"], -1.5)
    found = float(re.search("threshold=([0-9.]+)", address(moved)).group(1))
    assert found == pytest.approx(1 / (1 + np.exp(1.5)))
    back = page.scaled(screen["key"], "score")
    assert back["threshold"].value == found
    for nonsense in (None, True, "high", float("nan"), float("inf"), 1e9):
        page.scaled(screen["key"], "margin")
        with pytest.raises(InputError):
            page.moved(screen["key"], nonsense)


def test_choices_of_methods_and_datasets_live_in_the_address(page):
    key = page.arrive("", "")["key"]
    ids = ["WinCLIP|adaclip|0", "AdaCLIP|adaclip|0"]
    screen = page.chose_columns(key, ids, ["mvtec", "visa"], ids[0])
    there = address(screen)
    assert screen["table"].count("<tr>") == page.arrive("", there)["table"].count("<tr>")
    again = page.arrive("", there)
    assert address(again) == there
    assert again["methods"].value == ids
    assert again["datasets"].value == ["mvtec", "visa"]
    assert again["baseline"].value == ids[0]
    assert "Won" in again["table"]
    assert "HeadCT" not in again["table"]
    everything = page.chose_columns(key, [], None, "")
    assert "HeadCT" in everything["table"]
    assert "methods" not in address(everything)
    assert "sets “gone”" in page.arrive("", "sets=gone")["problems"]


def test_the_table_is_built_once_for_a_screen(page, monkeypatch):
    from demo.benchmark import table

    built = []
    monkeypatch.setattr(
        table, "overview", lambda *a, _real=table.overview, **k: built.append(1) or _real(*a, **k)
    )
    key = page.arrive("", "")["key"]
    assert len(built) == 1
    page.table(key)
    assert len(built) == 1
    page.act(key, {"sort": "name"})
    assert len(built) == 2


def test_measuring_what_is_not_here_opens_the_page_and_says_how_to_get_it(page):
    key = page.arrive("", "")["key"]
    screen = page.act(key, {"measure": "visa"})
    assert screen["views"].selected == "measure"
    assert "VisA is not on this server" in screen["problems"]
    assert "dataset=visa" in address(screen)
    here = page.act(key, {"measure": "synthetic"})
    assert here["data"].value == "synthetic"
    assert here["problems"] == ""


def test_a_dataset_without_a_run_says_whose_values_it_shows(services):
    import dataclasses

    shipped = dataclasses.replace(services, cards=Services.cards, published=Services.published)
    page = BenchmarkActions(shipped, Library(shipped))
    key = page.arrive("", "")["key"]
    screen = page.act(key, {"patch": {"dataset": "btad"}})
    assert screen["views"].selected == "run"
    assert "AdaCLIP&#x27;s values per object as published (ECCV 2024)" in screen["about"]
    assert "no-values" not in screen["about"]
    assert 'data-measure="btad"' in screen["about"]
    screen = page.act(key, {"patch": {"dataset": "headct"}})
    assert "no-values" in screen["about"]  # what hides the card


def test_a_run_of_a_part_is_marked_where_it_is_chosen_and_opened(tmp_path):
    benches.written(benches.some_run("part", settings={"limit": 20}, title="A part"), tmp_path)
    benches.written(benches.some_run("whole", title="All of it"), tmp_path)
    services = stub_services(tmp_path / "served", run_roots=(tmp_path,), cards=benches.cards)
    page = BenchmarkActions(services, Library(services))
    screen = page.arrive("", "run=part&view=run")
    mark = "\u25d0 at most 20 pictures per object"
    assert mark in screen["about"]
    assert (f"A part {mark}", "part") in screen["run"].choices
    assert ("All of it", "whole") in screen["run"].choices
    assert mark not in page.act(screen["key"], {"patch": {"run": "whole"}})["about"]


def test_a_card_tells_pictures_kinds_of_defect_and_what_can_be_opened(services):
    import dataclasses

    from demo.benchmark.cards import card_of

    library = Library(dataclasses.replace(services, cards=Services.cards))
    told = card_of(library, {"dataset": "synthetic"})["html"]
    assert "scratch (40)" in told  # of the newest run
    assert "Open the run" in told
    told = card_of(library, {"dataset": "mvtec"})["html"]
    for said in ("467 normal, 1,258 anomalous", "CC BY-NC-SA 4.0", "700-1024 px", "metal nut"):
        assert said in told
    assert "Open the run" not in told
    assert set(card_of(library, {"dataset": "<b>"})) == {"error"}
    assert set(card_of(library, None)) == {"error"}


def test_sorting_has_three_states_and_pins_come_first(page):
    key = page.arrive("", "")["key"]
    down = page.act(key, {"sort": "AdaCLIP|adaclip|0"})
    assert 'aria-sort="descending"' in down["table"]
    up = page.act(key, {"sort": "AdaCLIP|adaclip|0"})
    assert 'aria-sort="ascending"' in up["table"]
    assert "sort=-AdaCLIP" in address(up)
    assert "sort" not in address(page.act(key, {"sort": "AdaCLIP|adaclip|0"}))
    pinned = page.act(key, {"pin": "WinCLIP|adaclip|0"})
    assert pinned["table"].index("WinCLIP") < pinned["table"].index(">AdaCLIP")


def test_an_address_carries_the_pins_in_order_and_back_takes_them_away(page):
    key = page.arrive("", "")["key"]
    ids = ("WinCLIP|adaclip|0", "AdaCLIP|adaclip|0")
    first = page.act(key, {"pin": ids[0]})
    assert 'data-step="push"' in first["link"]
    both = page.act(key, {"pin": ids[1]})
    assert both["table"].count('aria-pressed="true"') == 2
    other = page.arrive("", "?" + address(both))
    assert other["key"] != key
    assert other["table"] == both["table"]
    assert address(other) == address(both)
    back = page.arrive(key, "?" + address(first))
    assert back["table"] == first["table"]
    assert "pin=" not in address(page.arrive(key, "?tab=benchmark"))


def test_a_link_pins_a_dozen_columns_at_most(page):
    desk = Desk()
    many = [f"column{place}" for place in range(40)]
    known = Known(columns=frozenset(many))
    desk.follow("&".join(f"pin={one}" for one in [*many, "column39"]), known)
    assert list(desk.pinned) == many[28:]
    assert desk.notes == ()


def test_columns_that_do_not_exist_are_named_and_left_out_of_the_address(page):
    screen = page.arrive("", "pin=no+such&pin=AdaCLIP|adaclip|0&sort=-gone&view=elsewhere")
    for said in ("pin “no such”", "sort “gone”", "view “elsewhere”"):
        assert said in screen["problems"]
    assert "such" not in address(screen)
    assert "gone" not in address(screen)
    assert "pin=AdaCLIP" in address(screen)


def test_sorting_is_a_step_that_one_can_go_back_from(page):
    screen = page.act(page.arrive("", "")["key"], {"sort": "name"})
    assert 'data-step="push"' in screen["link"]
    assert "sort=-name" in address(screen)
    assert page.arrive("", address(screen))["problems"] == ""


def test_damaged_images_cost_their_own_run_its_pictures_and_nothing_else(tmp_path):
    for run_id in ("whole", "damaged"):
        benches.written(benches.some_run(run_id), tmp_path)
    (tmp_path / "damaged" / "images.csv").write_bytes(b"\x00\xff garbage\n1,2\n")
    services = stub_services(tmp_path / "served", run_roots=(tmp_path,), cards=benches.cards)
    page = BenchmarkActions(services, Library(services))
    screen = page.arrive("", "run=damaged")
    assert "images.csv" in screen["problems"]
    assert "damaged" in screen["gallery"]
    assert screen["heat"].data
    other = page.act(screen["key"], {"patch": {"run": "whole"}})
    assert other["problems"] == ""
    assert "shot " in other["gallery"]
    sound = (tmp_path / "whole" / "images.csv").read_bytes()
    (tmp_path / "damaged" / "images.csv").write_bytes(sound)
    mended = page.act(screen["key"], {"patch": {"run": "damaged"}})
    assert mended["problems"] == ""
    assert "shot " in mended["gallery"]


@pytest.mark.parametrize("data", [None, {}, {"patch": "no"}, {"turn": 7}, {"view": "attic"}])
def test_what_no_button_sends_is_refused(page, data):
    key = page.arrive("", "run=newest")["key"]
    with pytest.raises(InputError):
        page.act(key, data)


def test_pages_of_the_gallery_hold_sixty(page):
    key = page.arrive("", "run=newest")["key"]
    second = page.act(key, {"turn": 1})
    assert "61 to 119 of 119" in second["gallery"]
    assert "1 to 60" in page.act(key, {"turn": -1})["gallery"]


def test_a_view_that_is_not_open_is_drawn_when_it_is_opened(page):
    key = page.arrive("", "run=newest")["key"]
    assert "table" not in page.moved(key, 0.2)
    assert "table" in page.act(key, {"view": "results"})
    assert "table" not in page.act(key, {"view": "one run"})
    assert "table" not in page.act(key, {"view": "results"})


def test_two_runs_are_compared_on_their_shared_pictures(page):
    screen = page.arrive("", "run=newest&against=older")
    assert "in common" in screen["comparison"]
    assert "changes" in screen["comparison"]


def test_equal_false_alarms_are_in_the_address_and_choose_what_is_listed(page):
    screen = page.arrive("", "run=newest&against=older")
    assert "each run at its own threshold" in screen["comparison"]
    screen = page.act(screen["key"], {"patch": {"cuts": "equal", "alarms": "0.1"}})
    assert "both at equal false alarms" in screen["comparison"]
    assert "cuts=equal&alarms=0.1" in address(screen)
    assert page.arrive("", address(screen))["comparison"] == screen["comparison"]


def test_a_picture_of_two_runs_is_shown_under_both_and_opens_under_each(page):
    screen = page.arrive("", "run=newest&against=older")
    paths = re.findall('data-path="([^"]+)"', screen["comparison"])
    shown = page.act(screen["key"], {"patch": {"image": paths[1]}})
    assert "view=compare" in address(shown)
    assert f"2 of {len(paths)} that changed sides" in shown["pair"]
    assert "deltas" not in shown
    assert 'data-run="older"' in shown["pair"]
    closed = page.act(shown["key"], {"patch": {"image": ""}})
    assert closed["pair"] == ""
    under_b = page.act(shown["key"], {"patch": {"run": "older", "image": paths[1]}})
    assert "view=run" in address(under_b)
    assert paths[1] in under_b["inspector"]
    gone = page.arrive("", "run=newest&against=older&image=no/such.png")
    assert "no/such.png" in gone["pair"]


def test_runs_that_come_later_are_found_and_broken_ones_named(page, library, services, tmp_path):
    key = page.arrive("", "")["key"]
    assert "half" not in library.holdings().runs
    assert [run.id for run in library.unfinished()] == ["half"]
    later = benches.some_run("later", created_utc="2026-11-25T00:00:00Z")
    benches.written(later, services.run_roots[0])
    (services.run_roots[0] / "bad").mkdir()
    (services.run_roots[0] / "bad" / "results.json").write_text("{")
    screen = page.refresh(key)
    assert "later" in library.holdings().runs
    assert "results.json" in screen["problems"]


def test_without_runs_the_command_that_makes_one_is_printed(tmp_path):
    services = stub_services(tmp_path / "served", cards=benches.cards, published=benches.published)
    page = BenchmarkActions(services, Library(services))
    screen = page.arrive("", "")
    assert "evaluate --data synthetic" in screen["table"]
    assert "AdaCLIP" in screen["table"]
    assert "There is only one run here" in page.act(screen["key"], {"view": "two runs"})["versus"]


def test_desks_are_bounded_and_a_lost_one_is_replaced():
    desks = Desks()
    first, desk = desks.get("")
    assert desks.get(first) == (first, desk)
    for _ in range(600):
        desks.get("")
    assert desks.get(first)[0] != first
    assert isinstance(desks.get(first)[1], Desk)
