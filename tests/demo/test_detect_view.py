"""What the page says about a result."""

from __future__ import annotations

import dataclasses
import re

import pytest

from adaclip.errors import InputError
from adaclip.types import Threshold, Verdict
from demo.batch import Item
from demo.detect import view
from demo.look import Cut, Look, judged_at, margin_of
from demo.page import parts
from demo.visitor.pictures import find
from tests.demo.stub import stub_detection, tile

HOSTILE = '<img src=x onerror="alert(1)">.png'


def score_of(batch, score: float) -> None:
    batch.current.detection = dataclasses.replace(batch.current.detection, anomaly_score=score)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.1, Verdict.NORMAL), (0.4, Verdict.REVIEW), (0.5, Verdict.ANOMALOUS), (0.9, "anomalous")],
)
def test_the_chip_has_word_shape_and_colour_class(batch, score, verdict):
    score_of(batch, score)
    html = view.verdict_bar(batch)
    assert f'class="chip {verdict}"' in html
    assert str(verdict).capitalize() in html
    assert "<svg" in html


def test_the_three_verdicts_have_three_shapes():
    shapes = {re.sub(r'class="[^"]*"|[A-Z][a-z]+</span>', "", parts.chip(v)) for v in Verdict}
    assert len(shapes) == 3


@pytest.mark.parametrize(
    ("score", "look", "words"),
    [
        (0.1, Look(), "although the map marks a region"),
        (0.9, Look(map_threshold=1.0), "no spot reaches the map&#39;s threshold"),
        (0.9, Look(), "Something stands out"),
        (0.1, Look(map_threshold=1.0), "Nothing stands out"),
        (0.4, Look(), "Too close to call"),
    ],
)
def test_where_map_and_verdict_contradict_each_other_it_is_said(batch, score, look, words):
    score_of(batch, score)
    batch.look = look
    html = view.verdict_bar(batch, find(batch.current.detection, look))
    assert words in html
    assert ("what to do" in html) == ("although" in words or "no spot" in words)


def test_margins_have_a_sign_and_two_decimals():
    assert parts.number_text(0.5, "margin") == "+0.00"
    assert parts.number_text(0.99996, "margin") == "+10.13"
    assert parts.number_text(0.00004, "margin") == "\u221210.13"
    assert parts.number_text(0.5, "score") == "0.500"


def test_the_margin_slider_stands_for_the_same_thresholds():
    recommended = Threshold(value=0.4137, source="F1-max", review_band=1.0)
    rests = Cut(unit="margin", threshold=0.9, margin=round(margin_of(0.4137), 2))
    assert judged_at(rests, recommended) is recommended
    moved = judged_at(Cut(unit="margin", threshold=0.9, margin=9.0), recommended)
    assert moved.value == pytest.approx(0.999877, abs=1e-6)
    assert judged_at(Cut(unit="score", threshold=0.9, margin=9.0), recommended).value == 0.9
    assert margin_of(1.0) == 14.0
    for wrong in (None, 15, float("nan")):
        with pytest.raises(InputError, match="not on offer"):
            judged_at(Cut(unit="margin", threshold=0.5, margin=wrong), recommended)


def test_a_score_never_stands_alone(batch):
    html = view.verdict_bar(batch)
    assert parts.score_text(batch.current.detection.anomaly_score) in html
    assert "0.500" in html
    assert "F1-max" in html
    assert "0.25 s" in html
    assert "lite" in html
    assert "CPU, 2 threads, fp32" in html


def test_scores_near_the_ends_keep_their_digits():
    assert parts.score_text(0.99996) == "0.99996"
    assert parts.score_text(0.00004) == "0.00004"
    assert parts.score_text(0.5) == "0.500"
    assert parts.score_text(1.0) == "1.000"


def test_a_moved_slider_is_set_by_you_and_keeps_the_review_band():
    recommended = Threshold(value=0.4137, source="F1-max", review_band=1.0)
    assert judged_at(0.414, recommended) is recommended
    moved = judged_at(0.6, recommended)
    assert (moved.value, moved.source, moved.review_band) == (0.6, "set by you", 1.0)


@pytest.mark.parametrize("value", [None, "0.5", float("nan"), -0.1, 1.1, True])
def test_a_threshold_that_is_no_number_from_0_to_1_is_refused(value):
    with pytest.raises(InputError, match="from 0 to 1"):
        judged_at(value, Threshold(value=0.5, source=""))


@pytest.mark.parametrize(
    "change",
    [
        {"view": "raw"},
        {"colour_map": "rainbow"},
        {"scale": "auto"},
        {"opacity": 2.0},
        {"map_threshold": None},
        {"min_area_percent": 50},
    ],
)
def test_display_settings_not_on_offer_are_refused(change):
    with pytest.raises(InputError, match="not on offer"):
        Look(**change)


def test_what_users_typed_is_escaped_everywhere(batch):
    batch.items.append(Item(name=HOSTILE, path=batch.current.path, error=f"{HOSTILE}: {HOSTILE}"))
    batch.current.name = HOSTILE
    detection = batch.current.detection
    batch.current.detection = dataclasses.replace(detection, class_name=HOSTILE)
    batch.current.notes = (HOSTILE,)
    shown = view.verdict_bar(batch) + view.listing(batch) + view.position(batch)
    batch.selected = 1
    shown += view.verdict_bar(batch) + view.position(batch)
    assert "<img src=x" not in shown
    assert "&lt;img src=x" in shown


def test_the_fixed_legend_counts_from_0_to_1_and_a_stretched_one_says_so(batch):
    fixed = view.legend(batch)
    assert [t in fixed for t in ("0.00", "0.25", "0.50", "0.75", "1.00")] == [True] * 5
    assert "cannot be compared" not in fixed
    batch.look = Look(scale="stretch")
    assert "cannot be compared" in view.legend(batch)


def test_regions_show_area_share_peak_and_box(batch):
    found = find(batch.current.detection, batch.look)
    html = view.regions_table(batch, found)
    assert "<b>1 region</b>" in html
    [region] = found.regions
    assert f"{region.area_px:,}" in html
    assert f"{region.peak:.3f}" in html
    left, top, right, bottom = region.box
    assert f"{left}, {top}; {right - left}\u00d7{bottom - top}" in html


def test_without_regions_the_table_says_which_limits_were_not_met(batch):
    look = Look(map_threshold=1.0)
    batch.look = look
    html = view.regions_table(batch, find(batch.current.detection, look))
    assert "No region reaches 1.000" in html


def test_a_batch_lists_results_errors_and_what_waits(batch):
    path = batch.current.path
    batch.items.append(
        Item(name="broken.png", path=path, error="broken.png: is text, not an image")
    )
    batch.items.append(Item(name="later.png", path=path))
    html = view.listing(batch)
    assert html.count("<tr data-index=") == 3
    assert "1 anomalous · 1 could not be read · 1 waiting" in html
    assert ">is text, not an image<" in html
    batch.phase = "cancelled"
    assert "1 not run" in view.listing(batch)


def test_one_picture_needs_no_table(batch):
    assert view.listing(batch) == ""


def test_progress_says_how_many_and_how_long(batch):
    batch.items += [Item(name=f"{n}.png", path=batch.current.path) for n in range(3)]
    batch.phase, batch.seconds = "running", 2.0
    html = view.progress_bar(batch)
    assert "1 of 4 · about 6 s left" in html
    assert 'aria-valuenow="1"' in html


def test_a_clean_tile_is_normal(batch):
    batch.current.detection = stub_detection(tile())
    assert 'class="chip normal"' in view.verdict_bar(batch)
