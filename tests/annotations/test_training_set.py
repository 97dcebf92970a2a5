"""What of the annotations can be trained on, why the rest cannot, and where its pictures lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from adaclip.annotations.exports import export
from adaclip.annotations.labels import trainable
from adaclip.annotations.pictures import NOT_FOUND, remember_roots, remembered_roots
from adaclip.annotations.store import AnnotationStore
from adaclip.config import TrainConfig
from adaclip.training.data import gather
from tests.annotations.samples import flag, mixed_store, picture


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return mixed_store(tmp_path / "labels")


def test_training_takes_defects_without_a_region_at_image_level(tmp_path, store):
    export(store, "mvtec", tmp_path / "set")
    config = TrainConfig(auxiliary=(str(tmp_path / "set"),))
    data = gather(config, workers=1)
    images = (*data.training, *data.validation)
    assert [i.anomalous for i in images].count(True) == 3
    assert [i.masked for i in images].count(False) == 1
    assert data.left_out == ()


def test_what_can_be_trained_on_is_what_the_export_holds(tmp_path, store):
    found = trainable(store)
    done = export(store, "mvtec", tmp_path / "set")
    assert (found.normal, found.anomalous, found.with_region) == (3, 3, 2)
    assert found.usable == done.written
    assert found.reviewed == 10
    assert {r: len(group) for r, group in found.by_reason.items()} == {
        NOT_FOUND: 1,
        "nobody was sure": 1,
        "the annotators disagree": 1,
        "a test image of the benchmark mvtec": 1,
    }
    assert found.lacking == ""


def test_what_training_lacks_is_named(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    assert "there is none yet" in trainable(store).lacking
    drawn = flag(store, 1, verdict="TP", region=True)
    assert trainable(store).lacking.startswith("Training needs normal")
    (store.folder / drawn.region_path).unlink()
    assert trainable(store).usable == 1  # the row has its run lengths
    flag(store, 2, verdict="unsure")
    flag(store, 3, verdict="unsure")
    assert list(map(len, trainable(store).by_reason.values())) == [2]


def test_a_folder_of_a_data_root_that_was_reviewed_by_itself_is_found_again(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    folder = tmp_path / "data" / "lot 7"
    (folder / "nut/test/good").mkdir(parents=True)
    Image.fromarray(picture(1)).save(folder / "nut/test/good/1.png")
    flag(store, 1, keep=False, dataset="mvtec", split="train")
    assert trainable(store).by_reason.keys() == {NOT_FOUND}
    assert "--data-root" in NOT_FOUND
    assert trainable(store, data_roots=[tmp_path / "data"]).normal == 1
    Image.fromarray(picture(2)).save(folder / "nut/test/good/1.png")  # changed since
    assert trainable(store, data_roots=[tmp_path / "data"]).normal == 0


def test_a_store_remembers_its_data_folders_newest_first(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    assert remembered_roots(store) == ()
    remember_roots(store, [tmp_path / "a"])
    remember_roots(store, [tmp_path / "b", tmp_path / "a"])
    assert remembered_roots(store) == (tmp_path / "b", tmp_path / "a")
    for odd in ("{", "{}", '[1, "\\u0000"]'):
        (store.folder / "data_roots.json").write_text(odd)
        assert remembered_roots(store) == ()
