"""The published results: complete, in range, each with its protocol, none mixed."""

from __future__ import annotations

import pandas as pd
import pytest

from adaclip.data.cards import card, cards
from adaclip.data.published import (
    COLUMNS,
    LEVELS,
    MEANS,
    METRICS,
    PROTOCOLS,
    published_results,
)
from adaclip.errors import DatasetError, InputError

# AdaCLIP's own table: image AUROC, max-F1; pixel AUROC, max-F1, in percent.
HEADLINE = {
    "mvtec": (89.2, 90.6, 88.7, 43.4),
    "visa": (85.8, 83.1, 95.5, 37.7),
    "mpdd": (76.0, 82.5, 96.1, 34.9),
    "btad": (88.6, 88.2, 92.1, 51.7),
    "sdd": (97.1, 90.7, 97.7, 54.5),
    "dagm": (99.1, 97.5, 91.5, 57.5),
    "dtd": (95.5, 94.7, 97.9, 71.6),
    "mean:industrial": (90.2, 89.6, 94.2, 50.2),
    "headct": (91.4, 85.2, None, None),
    "brain_mri": (94.8, 91.2, None, None),
    "br35h": (97.7, 92.4, None, None),
    "isic": (None, None, 89.3, 71.4),
    "colondb": (None, None, 90.4, 58.2),
    "clinicdb": (None, None, 84.4, 58.2),
    "tn3k": (None, None, 77.2, 41.9),
    "mean:medical": (94.6, 89.6, 85.3, 57.4),
}
WHAT = [("image", "auroc"), ("image", "max_f1"), ("pixel", "auroc"), ("pixel", "max_f1")]
ONE_PRINTING = ["method", "protocol", "dataset", "class_name", "level", "metric"]


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return published_results()


def test_columns_and_their_words(results):
    assert tuple(results.columns) == COLUMNS
    assert len(results) == 1515
    assert set(results["level"]) == set(LEVELS)
    assert set(results["metric"]) == set(METRICS)
    assert set(results["confidence"]) == {"verified-in-source"}
    assert results["value"].between(0.01, 1).all()
    assert results["year"].between(2021, 2026).all()
    for column in ("method", "venue", "training_data", "source"):
        assert (results[column].str.strip() != "").all()
    assert not results.duplicated().any()


def test_every_dataset_has_a_card_and_every_class_is_on_it(results):
    assert set(results["dataset"]) <= {*cards(), *MEANS}
    classed = results[results["class_name"] != ""]
    for dataset, rows in classed.groupby("dataset"):
        assert set(rows["class_name"]) == set(card(dataset).classes)


def test_no_metric_is_published_where_none_is_defined(results):
    for key, it in cards().items():
        levels = set(results[results["dataset"] == key]["level"])
        assert it.image_metrics or "image" not in levels
        assert it.pixel_metrics or "pixel" not in levels


@pytest.mark.parametrize("dataset", HEADLINE)
def test_adaclips_headline_values_are_those_of_its_paper(results, dataset):
    rows = published_results("adaclip")
    rows = rows[(rows["method"] == "AdaCLIP") & (rows["class_name"] == "")]
    for (level, metric), percent in zip(WHAT, HEADLINE[dataset], strict=True):
        wanted = rows[
            (rows["dataset"] == dataset) & (rows["level"] == level) & (rows["metric"] == metric)
        ]
        if percent is None:
            assert wanted.empty
        else:
            assert wanted["value"].tolist() == [pytest.approx(percent / 100, abs=1e-9)]


@pytest.mark.parametrize(
    ("dataset", "level", "metric", "slack"),
    [
        ("mvtec", "image", "auroc", 0.001),
        ("visa", "pixel", "max_f1", 0.001),
        ("mpdd", "image", "max_f1", 0.001),
        ("btad", "pixel", "auroc", 0.001),
    ],
)
def test_adaclips_classes_average_to_its_dataset(dataset, level, metric, slack):
    rows = published_results("adaclip")
    rows = rows[
        (rows["method"] == "AdaCLIP")
        & (rows["dataset"] == dataset)
        & (rows["level"] == level)
        & (rows["metric"] == metric)
    ]
    whole = rows[rows["class_name"] == ""]["value"].item()
    assert rows[rows["class_name"] != ""]["value"].mean() == pytest.approx(whole, abs=slack)


@pytest.mark.parametrize(("domain", "place"), [("industrial", 0), ("medical", 2)])
def test_the_published_means_are_those_of_the_datasets(results, domain, place):
    level, metric = WHAT[place]
    keys = [key for key, it in cards().items() if it.domain == domain]
    values = [HEADLINE[key][place] for key in keys if HEADLINE[key][place] is not None]
    assert sum(values) / len(values) == pytest.approx(HEADLINE[f"mean:{domain}"][place], abs=0.06)
    ours = results[(results["protocol"] == "adaclip") & (results["dataset"] == f"mean:{domain}")]
    assert {"image", "pixel"} == set(ours["level"])
    assert (level, metric) in set(zip(ours["level"], ours["metric"], strict=True))


def test_within_a_protocol_a_method_has_one_value_however_often_it_is_printed(results):
    assert (results.groupby(ONE_PRINTING)["value"].nunique() == 1).all()


def test_protocols_are_all_described_and_all_used():
    everything = pd.concat([published_results(), published_results(other_datasets=True)])
    assert set(everything["protocol"]) == set(PROTOCOLS)


def test_what_others_measured_again_stands_in_no_authors_protocol(results):
    again = results["source"].str.startswith("re-eval")
    assert (results["protocol"].str.startswith("re-eval") == again).all()
    adaclip = results[(results["method"] == "AdaCLIP") & again]
    assert adaclip["protocol"].nunique() >= 4


def test_the_headline_protocol_holds_adaclips_own_tables_alone(results):
    ours = results[results["protocol"] == "adaclip"]
    assert ours["source"].str.startswith("paper: AdaCLIP").all()
    assert not ours["training_data"].str.contains("full-shot|only").any()


def test_one_protocol_or_several_can_be_asked_for():
    one = published_results("mvtec-trained")
    assert set(one["protocol"]) == {"mvtec-trained"}
    two = published_results(["mvtec-trained", "visa-trained"])
    assert set(two["protocol"]) == {"mvtec-trained", "visa-trained"}
    assert len(two) > len(one)
    with pytest.raises(InputError, match="unknown protocol 'paper'; choose from adaclip"):
        published_results("paper")


def test_datasets_without_a_card_are_kept_apart():
    others = published_results(other_datasets=True)
    assert len(others) == 178
    assert not set(others["dataset"]) & {*cards(), *MEANS}
    assert {"Real-IAD", "Kvasir"} <= set(others["dataset"])
    assert (others.groupby(ONE_PRINTING)["value"].nunique() == 1).all()


@pytest.mark.parametrize("content", ["", "method,value_percent\nA,high\n", "method\nA\n"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "results.csv"
    path.write_text(content)
    with pytest.raises(DatasetError, match=r"results\.csv: the published results cannot be read"):
        published_results(path=path)
