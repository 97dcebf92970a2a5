"""The list of published classes."""

from __future__ import annotations

import pytest

from adaclip.data.registry import dataset_name, datasets, datasets_with_class, spoken
from adaclip.errors import DatasetError


def test_all_fourteen_datasets_are_listed_with_their_classes():
    known = datasets()
    assert len(known) == 14
    assert len(known["mvtec"].class_names) == 15
    assert len(known["visa"].class_names) == 12
    assert {dataset.domain for dataset in known.values()} == {"industrial", "medical"}
    assert all(dataset.class_names for dataset in known.values())


@pytest.mark.parametrize("name", ["metal_nut", "metal nut", "Metal-Nut", " metal  nut "])
def test_a_class_is_found_however_it_is_written(name):
    assert datasets_with_class(name) == ("mvtec",)


def test_words_of_no_dataset_are_found_nowhere():
    assert datasets_with_class("concrete") == ()
    assert datasets_with_class("") == ()


def test_names_for_people():
    assert spoken("metal_nut") == "metal nut"
    assert dataset_name("mvtec") == "MVTec AD"
    assert dataset_name("synthetic") == "Synthetic"
    assert dataset_name("my_parts") == "my_parts"


def test_missing_cards_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"mvtec\.json"):
        datasets(tmp_path)
