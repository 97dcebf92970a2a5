"""The charts: exact counts, patches to click, one threshold in all of them, words for n/a."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from sklearn.metrics import roc_curve

from adaclip.data.cards import cards as dataset_cards
from adaclip.data.published import published_results
from adaclip.runs.compare import compare
from adaclip.runs.records import ClassResults
from adaclip.runs.scores import read_scores
from demo.benchmark import figures
from demo.benchmark.figures.scores import bin_edges
from demo.benchmark.figures.style import hover
from demo.benchmark.palette import METHODS, look_of
from demo.benchmark.results_html import table_html
from demo.benchmark.select import Known, Selection
from demo.benchmark.spokes import spokes
from demo.benchmark.table import overview
from tests.demo.benches import (
    cards,
    image_rows,
    images_of,
    printed,
    published,
    replaced,
    run_of,
    some_run,
    with_intervals,
)

RUN = some_run()
SCORES = read_scores(RUN.images())
KNOWN = Known.of([RUN], cards(), published())


def operating(figure: go.Figure) -> tuple[float, float]:
    trace = next(one for one in figure.data if one.name == "at the threshold")
    return float(trace.x[0]), float(trace.y[0])


def images(patch: dict[str, str], threshold: float) -> pd.DataFrame:
    selection, notes = KNOWN.apply(Selection(run=RUN.id, dataset="synthetic"), patch)
    assert notes == []
    return images_of(selection, RUN.images(), threshold)


def test_few_images_are_counted_in_whole_numbers() -> None:
    few = read_scores(image_rows("box", "tile", np.array([-1.0, 0.5]), np.array([1.0])))
    assert figures.histogram(few, 0.5).layout.yaxis.dtick == 1
    many = read_scores(image_rows("box", "tile", np.full(900, -1.0), np.array([1.0])))
    assert figures.histogram(many, 0.5).layout.yaxis.dtick is None


def test_times_within_one_decade_have_numbers_on_their_axis() -> None:
    axis = figures.tradeoff([some_run(seconds_per_image=0.4)]).layout.xaxis
    low, high = (10**end for end in axis.range)
    assert low < 0.4 < high
    assert any(low < tick < high for tick in axis.tickvals)


def test_every_bar_of_the_histogram_gives_as_many_images_as_it_is_high() -> None:
    figure = figures.histogram(SCORES, 0.5)
    total = 0
    for trace in figure.data:
        for height, patch in zip(trace.y, trace.customdata, strict=True):
            assert len(images(patch, 0.5)) == height
            total += height
    assert total == SCORES.n_normal + SCORES.n_abnormal


@pytest.mark.parametrize(
    "margins",
    [[0.0], [-40, 40], [60, 80], [-0.001, 0.0, 0.001], list(np.linspace(2, 3, 50))],
)
def test_bins_hold_every_score_between_round_edges(margins) -> None:
    scores = read_scores(image_rows("x", "gear", np.array(margins), np.array(margins)))
    edges = bin_edges(scores)
    assert np.all(np.diff(edges) > 0)
    assert np.histogram(scores.normal, bins=edges)[0].sum() == len(margins)
    assert all(len(repr(float(edge))) < 14 for edge in edges)
    assert len(edges) < 70


def test_every_square_of_the_confusion_gives_its_images() -> None:
    for threshold in (0.2, 0.5, 0.83):
        (heat,) = figures.confusion(SCORES, threshold).data
        counted = 0
        for row in (0, 1):
            for column in (0, 1):
                count = int(heat.text[row][column].split("<b>")[1].split("</b>")[0])
                assert len(images(heat.customdata[row][column], threshold)) == count
                counted += count
        assert counted == 119


def test_one_threshold_moves_every_chart() -> None:
    for threshold in (0.3, 0.7):
        counts = SCORES.confusion(threshold)
        assert figures.histogram(SCORES, threshold).layout.shapes[0].x0 == threshold
        at = operating(figures.roc(SCORES, threshold))
        assert at == (counts.false_alarm_rate, counts.detection_rate)
        at = operating(figures.precision_recall(SCORES, threshold))
        assert at == (counts.detection_rate, counts.precision)
        assert f"<b>{counts.fp}</b>" in figures.confusion(SCORES, threshold).data[0].text[1][1]


def test_a_threshold_move_changes_marks_only() -> None:
    before, after = (figures.histogram(SCORES, cut).to_plotly_json() for cut in (0.3, 0.7))
    assert json.dumps(before["data"], default=list) == json.dumps(after["data"], default=list)
    changed = {key for key in after["layout"] if before["layout"].get(key) != after["layout"][key]}
    assert changed == {"shapes", "annotations"}
    first, second = figures.roc(SCORES, 0.3), figures.roc(SCORES, 0.7)
    assert len(first.data) == len(second.data) == 3


@pytest.mark.parametrize("name", ["histogram", "roc", "precision_recall", "confusion"])
@pytest.mark.parametrize("count", [0, 3, 400])
def test_the_quick_json_is_the_figures_own(name: str, count: int) -> None:
    generator = np.random.default_rng(count)
    table = image_rows("x", "gear", generator.normal(0, 1, count), generator.normal(1, 1, count))
    scores = read_scores(table)
    for threshold in (0.0, 0.37, 0.9, 1.0):
        quick = json.loads(figures.threshold_json(name, scores, threshold))
        assert quick == json.loads(getattr(figures, name)(scores, threshold).to_json())


@pytest.mark.parametrize("name", ["histogram", "roc", "precision_recall", "confusion"])
@pytest.mark.parametrize("count", [0, 3, 400])
def test_a_drawn_chart_with_a_moves_changes_is_the_chart_at_that_threshold(
    name: str, count: int
) -> None:
    generator = np.random.default_rng(count)
    table = image_rows("x", "gear", generator.normal(0, 1, count), generator.normal(1, 1, count))
    scores = read_scores(table)
    drawn = json.loads(figures.threshold_json(name, scores, 0.5))
    for threshold in (1.0, 0.37, 0.0):
        changes = figures.threshold_changes(name, scores, threshold)
        drawn["data"] = drawn["data"][: changes["keep"]] + changes["traces"]
        drawn["layout"] |= json.loads(json.dumps(changes["layout"]))
        assert drawn == json.loads(figures.threshold_json(name, scores, threshold))


def test_a_threshold_beyond_the_scores_is_said_at_the_edge() -> None:
    scores = read_scores(image_rows("x", "gear", np.array([2.0, 2.5]), np.array([3.0])))
    layout = figures.histogram(scores, 0.1).layout
    assert "below" in layout.annotations[0].text
    assert layout.shapes[0].x0 == bin_edges(scores)[0]


def test_the_roc_curve_is_sklearns_and_a_click_on_it_lands_there() -> None:
    figure = figures.roc(SCORES, 0.5)
    line = figure.data[1]
    good = RUN.table[RUN.table["error"] == ""]
    x, y, _ = roc_curve(good["anomalous"], good["anomaly_margin"], drop_intermediate=False)
    points = set(zip(x.round(9), y.round(9), strict=True))
    assert set(zip(np.round(line.x, 9), np.round(line.y, 9), strict=True)) <= points
    for place in range(1, len(line.x)):
        counts = SCORES.confusion(float(line.customdata[place]["threshold"]))
        assert counts.false_alarm_rate == pytest.approx(line.x[place])
        assert counts.detection_rate == pytest.approx(line.y[place])


@pytest.mark.parametrize("name", ["roc", "precision_recall", "histogram", "confusion"])
def test_one_kind_of_image_gives_words_not_zeros(name: str) -> None:
    one_kind = read_scores(image_rows("x", "gear", np.array([]), np.array([1.0, 2.0])))
    none = read_scores(image_rows("x", "gear", np.array([]), np.array([])))
    figure = getattr(figures, name)(one_kind, 0.5)
    if name in ("roc", "precision_recall"):
        assert "no normal images" in figure.layout.annotations[0].text.replace("<br>", " ")
    if name == "confusion":
        assert "n/a" in figure.data[0].text[1][0]
    said = getattr(figures, name)(none, 0.5).layout.annotations[0].text.replace("<br>", " ")
    assert "there are no images with a score" in said


def square(figure: go.Figure, row: int, column: int) -> tuple[float, str, str]:
    """(z, text, hover) of the one layer that fills a square."""
    filled = [trace for trace in figure.data if trace.z[row][column] is not None]
    assert len(filled) == 1
    layer = filled[0]
    return layer.z[row][column], layer.text[row][column], layer.hovertext[row][column]


def test_a_square_of_the_heat_map_gives_its_class_and_metric() -> None:
    figure = figures.heatmap(RUN)
    values = figure.data[0]
    assert values.customdata[1][0] == {
        "run": "run-1",
        "class": "metal_nut",
        "level": "image",
        "metric": "auroc",
    }
    expected = RUN.results.classes[1].image_level.auroc
    assert square(figure, 1, 0)[0] == pytest.approx(100 * expected)
    assert square(figure, 1, 0)[1] == f"{100 * expected:.1f}"
    assert set(images(values.customdata[1][0], 0.5)["class_name"]) == {"metal_nut"}
    assert len(images(values.customdata[2][0], 0.5)) == 119  # the mean's row: all classes


def test_na_squares_of_the_heat_map_are_there_with_their_reason() -> None:
    classes = some_run().results.to_json()["classes"]
    classes[0]["aupro"] = None
    classes[0]["pixel_level"]["undefined"] = {"aupro": "no masks"}
    run = replaced(some_run(), classes=classes)
    value, text, hovered = square(figures.heatmap(run), 0, 6)
    assert (value, text) == (0.0, "n/a")
    assert "no masks" in hovered
    only_gaps = run_of(image_rows("synthetic", "gear", np.array([]), np.array([1.0])))
    classes = [ClassResults(class_name="gear", anomalous=1).to_json()]
    assert len(figures.heatmap(replaced(only_gaps, classes=classes)).data) == 1


def test_bars_give_each_method_its_look_and_measured_ones_their_interval() -> None:
    run = with_intervals(some_run(dataset="mvtec"), 0.04, 0.02)
    figure = figures.bars(overview(published(), [run], cards()))
    bars = {trace.name.split(",")[0]: trace for trace in figure.data}
    assert set(bars) == {"Lite", "AdaCLIP", "WinCLIP"}
    assert figure.layout.yaxis.title.text == "image AUROC (\u00d7 100)"
    assert bars["Lite"].error_y.array[0] == pytest.approx(2 / 2**0.5)
    assert bars["Lite"].error_y.arrayminus[0] == pytest.approx(4 / 2**0.5)
    assert bars["AdaCLIP"].error_y.array is None
    assert bars["WinCLIP"].customdata[0] == {"cell": ["mvtec", "WinCLIP|adaclip|0"]}
    again = figures.bars(overview(published(), [], cards(), protocol="anomalyclip"))
    shapes = {trace.name.split(",")[0]: trace.marker.pattern.shape for trace in again.data}
    assert shapes == {"AdaCLIP": "/", "AnomalyCLIP": ""}  # hatched: measured by others


def test_a_method_has_one_colour_whatever_is_shown_beside_it() -> None:
    run = some_run(dataset="mvtec")
    table = overview(published(), [run], cards())
    alone = overview(published(), [run], cards(), methods=["run:lite|native|margin"])
    colours = {
        trace.marker.color
        for figure in (figures.bars(table), figures.bars(alone), figures.tradeoff([run]))
        for trace in figure.data
        if trace.name.startswith("Lite")
    }
    assert colours == {look_of("Lite").colour}
    assert look_of("Lite").colour in table_html(table)
    assert look_of("Lite \u00b7 DINOv2 ViT-S/14") == look_of("Lite")


def test_the_methods_of_the_shipped_tables_do_not_look_alike() -> None:
    labels = {
        column.label
        for level in ("image", "pixel")
        for column in overview(published_results(), [], dataset_cards(), level=level).columns
    }
    assert len({look_of(label).colour for label in labels}) == len(labels) == 6
    looks = [look_of(method) for method in METHODS]
    assert len(set(looks)) == len(looks)


def test_bars_under_chance_hang_down_from_it() -> None:
    low = published(printed("Poor", "mvtec", 0.31))
    figure = figures.bars(overview(low, [], cards()))
    poor = next(trace for trace in figure.data if trace.name.startswith("Poor"))
    assert (poor.base, poor.y[0]) == (50, pytest.approx(-19))
    assert figure.layout.yaxis.range[0] < 31
    assert "chance" in figure.layout.annotations[0].text
    assert figures.bars(overview(published(), [], cards())).layout.yaxis.range[0] == 50
    # Nor is one cut off that means leave out.
    run = some_run(dataset="mvtec")
    mean = run.results.mean.to_json()
    mean["image_level"]["auroc"] = 0.2
    leaky = replaced(run, leak="x", mean=mean)
    assert figures.bars(overview(published(), [leaky], cards())).layout.yaxis.range[0] < 20


def test_max_f1_bars_have_the_floor_across_them() -> None:
    more = [printed("AdaCLIP", "mvtec", 0.906, metric="max_f1")]
    figure = figures.bars(overview(published(*more), [], cards(), metric="max_f1"))
    assert figure.data[-1].y[0] == pytest.approx(85.0)
    assert "everything called anomalous" in figure.data[-1].name


def drawn_spokes(*more, runs=()):
    table = overview(published(*more), runs, cards())
    columns = [table.columns[at] for at in figures.chosen_columns(table)]
    return spokes(published(*more), cards(), "auroc", table, columns), columns


def test_a_spoke_is_a_mean_over_the_sets_that_its_methods_share() -> None:
    more = [
        printed("AdaCLIP", "mvtec", 0.887, level="pixel"),
        printed("WinCLIP", "mvtec", 0.8, level="pixel"),
        printed("WinCLIP", "headct", 0.7),
    ]
    found, columns = drawn_spokes(*more)
    by_place = {(one.domain, one.level): one for one in found}
    industrial = by_place["industrial", "image"]
    assert industrial.sets == ("mvtec",)  # WinCLIP has no VisA
    assert industrial.means["AdaCLIP|adaclip|0"] == pytest.approx(0.892)
    assert by_place["medical", "image"].means["WinCLIP|adaclip|0"] == pytest.approx(0.7)
    assert ("medical", "pixel") not in by_place  # one method alone is no comparison
    figure = figures.radar(found, columns)
    ada = next(trace for trace in figure.data if trace.name.startswith("AdaCLIP"))
    assert ada.r[list(ada.theta).index("Industrial<br>image (1)")] == pytest.approx(89.2)
    assert "three" in figures.radar(found[:2], columns).layout.annotations[0].text


def test_a_run_of_a_part_or_of_pictures_trained_on_has_no_ring() -> None:
    more = [printed("WinCLIP", "headct", 0.7)]
    whole = some_run(dataset="mvtec")
    found, _ = drawn_spokes(*more, runs=[whole])
    assert any("run:lite|native|margin" in one.means for one in found)
    for odd in (replaced(whole, leak="seen"), replaced(whole, settings={"limit": 5})):
        found, _ = drawn_spokes(*more, runs=[odd])
        assert not any("run:lite|native|margin" in one.means for one in found)


def test_bubbles_grow_with_the_checkpoint_and_lead_to_the_run() -> None:
    large = some_run("large", checkpoint="full", size_bytes=1_600_000_000, seconds_per_image=40.0)
    figure = figures.tradeoff([RUN, large])
    small, big = figure.data
    assert big.marker.size[0] > 2 * small.marker.size[0]
    assert big.customdata[0]["run"] == "large"
    assert "1,600 MB" in big.name
    assert big.text == ("Synthetic",)  # bubbles bear their dataset's name
    assert figures.tradeoff([replaced(RUN, seconds_per_image=None)]).layout.annotations


def test_deltas_and_agreement_show_every_class_and_every_change() -> None:
    other = some_run("other", seed=5)
    both = compare(RUN, other, RUN.images(), other.images(), draws=50)
    deltas = figures.deltas(both)
    assert sum(len(trace.x) for trace in deltas.data) == 3  # two classes and the mean
    agreement = figures.agreement(both)
    drawn = [one["image"] for trace in agreement.data for one in trace.customdata]
    assert set(both.changed["rel_path"]) <= set(drawn)
    assert len(drawn) == both.common


def test_published_categories_come_with_their_source() -> None:
    more = [printed("AdaCLIP", "mvtec", 0.944, class_name="gear")]
    rows = figures.per_object(published(*more), "mvtec")
    figure = figures.heatmap_published(rows)
    assert "AdaCLIP's values per object as published (ECCV 2024)" in figures.printed_by(rows)
    assert figure.data[0].z[0][0] == pytest.approx(94.4)
    assert "Table 1" in figure.data[0].hovertext[0][0]
    nothing = figures.per_object(published(), "visa")
    assert figures.heatmap_published(nothing).layout.annotations
    assert figures.printed_by(nothing) == ""


def test_names_from_files_are_no_markup() -> None:
    assert (
        hover("<b>x</b> %{y} <a href='x'>") == "&lt;b&gt;x&lt;/b&gt; %\u200b{y} &lt;a href='x'&gt;"
    )
    run = run_of(image_rows("synthetic", "<b>gear</b>", np.array([0.0]), np.array([1.0])))
    assert "<b>gear" not in figures.heatmap(run).to_json()


@pytest.mark.parametrize("name", ["histogram", "roc", "precision_recall", "confusion"])
def test_figures_have_no_ground_no_title_and_a_height(name: str) -> None:
    layout = getattr(figures, name)(SCORES, 0.5).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.title.text is None
    assert layout.height
