"""The dataset cards: complete, consistent with themselves, and honest about what is unknown."""

from __future__ import annotations

import json

import numpy as np
import pytest

from adaclip.data.cards import (
    META_FOLDER,
    PUBLISHED_KEYS,
    SYNTHETIC_KEY,
    card,
    cards,
    read_card,
)
from adaclip.data.layouts import READERS
from adaclip.data.registry import spoken
from adaclip.errors import DatasetError, InputError

KEYS = (*PUBLISHED_KEYS, SYNTHETIC_KEY)

# Counted by hand from the datasets' papers: (classes, normal, anomalous).
KNOWN = {
    "mvtec": (15, 467, 1258),
    "visa": (12, 962, 1200),
    "mpdd": (6, 176, 282),
    "btad": (3, 451, 290),
    "sdd": (1, 181, 74),
    "dagm": (10, 6996, 1054),
    "dtd": (12, 357, 947),
    "headct": (1, 100, 100),
    "brain_mri": (1, 98, 155),
    "br35h": (1, 1500, 1500),
    "isic": (1, 0, 379),
    "colondb": (1, 0, 380),
    "clinicdb": (1, 0, 612),
    "tn3k": (1, 0, 614),
    "synthetic": (8, 80, 80),
}
RAW_KEYS = {
    "key",
    "name",
    "full_name",
    "domain",
    "classes",
    "prompt_words",
    "counts",
    "has_masks",
    "has_normals",
    "metrics",
    "max_f1_floor",
    "resolution",
    "licence",
    "homepage",
    "downloads",
    "citation",
    "layouts",
    "notes",
}


def floor(normal: int, anomalous: int) -> float:
    """Max-F1 of calling every image anomalous."""
    return 2 * anomalous / (2 * anomalous + normal)


def test_there_is_a_card_for_each_dataset_and_no_other():
    assert tuple(cards()) == KEYS
    assert {path.stem for path in META_FOLDER.glob("*.json")} == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_card_has_every_field_and_sensible_ones(key):
    raw = json.loads((META_FOLDER / f"{key}.json").read_text(encoding="utf-8"))
    assert set(raw) == RAW_KEYS
    it = card(key)
    assert it.domain in ("industrial", "medical", "synthetic")
    assert it.name
    assert it.full_name
    assert it.citation
    assert it.prompt_words
    assert it.homepage.startswith("http") or key == SYNTHETIC_KEY
    assert all(address.startswith(("http", "Kaggle")) for _, address in it.downloads)
    for fact in (it.resolution, it.licence):
        assert fact.source
        assert (fact.value is None) == (fact.confidence == "unknown")
    assert it.counts_confidence == "verified-in-source"
    assert "from-memory" not in json.dumps(raw)


@pytest.mark.parametrize("key", KEYS)
def test_classes_are_unique_and_their_counts_add_up(key):
    it = card(key)
    assert (len(it.classes), it.normal, it.anomalous) == KNOWN[key]
    assert len(set(it.classes)) == len(it.classes)
    assert len({each.words.casefold() for each in it.class_cards}) == len(it.classes)
    assert all(each.words == spoken(each.name) for each in it.class_cards)
    if any(each.normal is not None for each in it.class_cards):
        assert sum(each.normal for each in it.class_cards) == it.normal
        assert sum(each.anomalous for each in it.class_cards) == it.anomalous
    else:
        assert key == "dagm"  # whose paper gives the sum alone
    if it.train_normal is not None and it.all_images is not None:
        assert it.train_normal + it.normal + it.anomalous == it.all_images


@pytest.mark.parametrize("key", KEYS)
def test_floors_are_what_calling_everything_anomalous_gives(key):
    it = card(key)
    for each in it.class_cards:
        if not each.normal:
            assert each.max_f1_floor is None
        else:
            assert each.max_f1_floor == pytest.approx(floor(each.normal, each.anomalous), abs=6e-4)
    if not it.has_normals:
        assert it.max_f1_floor is None
    elif it.class_floors:
        assert it.max_f1_floor == pytest.approx(np.mean(list(it.class_floors.values())), abs=1e-3)
    else:
        assert it.max_f1_floor == pytest.approx(floor(it.normal, it.anomalous), abs=1e-3)
    for other in it.alternatives:
        assert other.why
        expected = floor(other.normal, other.anomalous)
        assert other.max_f1_floor == pytest.approx(expected, abs=1e-3)


def test_the_floors_of_the_two_large_sets_are_as_published():
    assert card("mvtec").max_f1_floor == pytest.approx(0.834)
    assert card("visa").max_f1_floor == pytest.approx(0.719)


@pytest.mark.parametrize("key", KEYS)
def test_metrics_are_defined_where_there_are_normals_or_masks_and_else_it_says_why(key):
    it = card(key)
    assert it.has_normals == (it.normal > 0) == it.image_metrics
    assert it.has_masks == it.pixel_metrics
    assert (it.undefined_because is None) == (it.image_metrics and it.pixel_metrics)
    assert it.image_metrics or "normal images" in it.undefined_because
    assert it.pixel_metrics or "masks" in it.undefined_because


def test_medical_sets_lack_either_normals_or_masks():
    medical = [it for it in cards().values() if it.domain == "medical"]
    assert {it.key for it in medical if not it.has_masks} == {"headct", "brain_mri", "br35h"}
    assert {it.key for it in medical if not it.has_normals} == {
        "isic",
        "colondb",
        "clinicdb",
        "tn3k",
    }
    assert len(medical) == 7


@pytest.mark.parametrize("key", KEYS)
def test_layouts_have_a_reader_a_tree_and_a_mask_rule(key):
    it = card(key)
    assert it.layouts
    for layout in it.layouts:
        assert layout.reader in READERS
        assert layout.folders
        assert layout.tree
        assert layout.source
        assert ("no masks" in layout.mask_rule) == (not it.has_masks)


def test_an_unknown_key_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="no dataset 'MVTec'; choose from mvtec, visa"):
        card("MVTec")


@pytest.mark.parametrize("content", ["", "[]", "{}x", '{"key": "a"}', "\xff"])
def test_a_damaged_card_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(DatasetError, match=r"a\.json: the dataset's card cannot be read"):
        read_card(path)


def test_a_card_under_another_name_is_refused(tmp_path):
    path = tmp_path / "visa.json"
    path.write_bytes((META_FOLDER / "mvtec.json").read_bytes())
    with pytest.raises(DatasetError, match="says it is of 'mvtec'"):
        read_card(path)
