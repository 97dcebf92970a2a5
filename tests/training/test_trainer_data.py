"""Which pictures a run gets, in which order, and which it refuses."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from adaclip.config import PreprocessingConfig, TrainConfig
from adaclip.errors import DatasetError, InputError
from adaclip.synthetic import BENCHMARK_DEFECTS, BENCHMARK_KINDS, benchmark_set, generate
from adaclip.training.data import (
    TrainingData,
    TrainingImage,
    drawn_images,
    epoch_plan,
    gather,
    hold_out,
    read_ahead,
)
from tests.data import trees
from tests.training.training_set import picture, save, write_set


def gathered(*folders: Path, **options: object) -> TrainingData:
    fields: dict = {"auxiliary": tuple(str(folder) for folder in folders), "validation": 0.0}
    return gather(TrainConfig(**(fields | options)), workers=2)


def labelled(normal: int, anomalous: int, classes: int) -> list[TrainingImage]:
    return [
        TrainingImage(
            dataset="d",
            group=f"class{index % classes}",
            anomalous=index >= normal,
            masked=True,
            name=f"{index}",
            series=(0, index),
        )
        for index in range(normal + anomalous)
    ]


def test_a_tree_of_classes_is_read_with_masks_and_spoken_names(tmp_path: Path) -> None:
    data = gathered(write_set(tmp_path / "set"))
    assert len(data.training) == 24
    assert {image.dataset for image in data.training} == {"set"}
    image = next(i for i in data.training if i.anomalous and i.group == "metal_nut")
    pixels, mask, class_name = image.read(56)
    assert class_name == "metal nut"
    assert mask is not None
    assert mask.sum() == 24 * 24
    assert pixels[mask].mean(axis=0).tolist() == [20, 30, 200]
    assert not next(i for i in data.training if not i.anomalous).read(56)[1].any()  # type: ignore[union-attr]


def test_a_published_layout_is_read_as_it_lies(tmp_path: Path) -> None:
    data = gathered(trees.visa(tmp_path / "VisA"))
    labels = [(image.dataset, image.group, image.anomalous) for image in data.training]
    assert sorted(labels) == [
        ("visa", group, anomalous)
        for group in ("candle", "pcb1")
        for anomalous in (False, False, True, True)
    ]
    for image in data.training:
        mask = image.read(56)[1]
        expected = trees.expected_mask()
        np.testing.assert_array_equal(mask, expected if image.anomalous else False & expected)


def test_a_manifest_is_read_with_its_classes_and_masks(tmp_path: Path) -> None:
    root = tmp_path / "line"
    rows = ["a.png,steel rod,0,", "b.png,steel rod,1,b_mask.png", "c.png,bolt,1,"]
    for name in "abc":
        trees.picture(root / f"{name}.png")
    trees.mask(root / "b_mask.png")
    trees.table(root / "manifest.csv", "image,class_name,anomalous,mask", *rows)
    good, marked, bare = sorted(gathered(root).training, key=lambda image: image.name)
    assert [image.group for image in (good, marked, bare)] == ["steel rod", "steel rod", "bolt"]
    assert {image.dataset for image in (good, marked, bare)} == {"line"}
    assert [image.anomalous for image in (good, marked, bare)] == [False, True, True]
    assert [image.masked for image in (good, marked, bare)] == [True, True, False]
    np.testing.assert_array_equal(marked.read(56)[1], trees.expected_mask())


def test_a_key_before_the_folder_says_which_dataset_it_is(tmp_path: Path) -> None:
    root = trees.mvtec_like(tmp_path / "mine", ("tile",))
    for text, dataset in ((root, "mine"), (f"mvtec={root}", "mvtec")):
        data = gather(TrainConfig(auxiliary=(str(text),), validation=0.0), workers=2)
        assert {image.dataset for image in data.training} == {dataset}
    with pytest.raises(DatasetError, match="is no copy of VisA"):
        gather(TrainConfig(auxiliary=(f"visa={root}",)), workers=2)
    with pytest.raises(InputError, match="there is no dataset 'nonsense'"):
        gather(TrainConfig(auxiliary=(f"nonsense={root}",)), workers=2)
    # A folder that is there is no key.
    data = gathered(trees.mvtec_like(tmp_path / "mvtec=old", ("tile",)))
    assert {image.dataset for image in data.training} == {"mvtec=old"}


def test_masks_are_optional_and_an_empty_one_is_none(tmp_path: Path) -> None:
    bare = write_set(tmp_path / "bare", classes=("plate",), masks=False)
    empty = write_set(tmp_path / "empty", classes=("nut",))
    save(empty / "nut" / "ground_truth" / "spot" / "000_mask.png", np.zeros((64, 64), np.uint8))
    data = gathered(bare, empty)
    without = [image for image in data.training if not image.masked]
    assert len(without) == 6 + 1
    assert all(image.anomalous for image in without)
    assert all(image.read(56)[1] is None for image in without)
    assert data.notes[0] == "7 of 24 images are anomalous without a mask: image level only"
    assert data.notes[1].startswith("1 mask marks nothing: nut/test/spot/000.png.")


def test_false_alarms_exported_as_normal_images_are_trained_on(tmp_path: Path) -> None:
    """An export of annotations is a tree of the MVTec kind: what was no defect lies under good."""
    root = write_set(tmp_path / "export", classes=("part",), normal=0, anomalous=3)
    for index in range(2):
        pixels, _ = picture(np.random.default_rng(index), spot=True)
        save(root / "part" / "test" / "good" / f"alarm{index}.png", pixels)
    data = gathered(root)
    assert [image.anomalous for image in data.training].count(False) == 2


def test_drawn_pictures_are_half_defective_and_no_other_run_of_them(tmp_path: Path) -> None:
    data = gather(TrainConfig(synthetic=6, validation=0.0), workers=2)
    assert [image.anomalous for image in data.training] == [False, True] * 3
    pixels, mask, class_name = data.training[1].read(64)
    assert pixels.shape == (64, 64, 3)
    assert mask is not None
    assert mask.any()
    assert class_name
    other = drawn_images(seed=112, count=1)[0].read(64)[0]
    assert not np.array_equal(other, data.training[0].read(64)[0])


def test_what_the_benchmark_draws_is_never_trained_on() -> None:
    for image in drawn_images(seed=111, count=16):
        assert image.series is not None
        drawn = generate(*image.series, size=64, defective=image.anomalous)
        assert drawn.kind not in BENCHMARK_KINDS
        assert drawn.defect_type not in BENCHMARK_DEFECTS
    lowest = drawn_images(seed=0, count=1)[0].series
    assert lowest is not None
    assert lowest[0] > benchmark_set.SEED


def test_the_benchmark_on_disk_is_not_trained_or_validated_on(tmp_path: Path) -> None:
    """Wherever it lies; a folder of the same name with other things in it is one's own."""
    named = write_set(tmp_path / "synthetic", classes=("gasket", "key"))
    moved = write_set(tmp_path / "moved", classes=BENCHMARK_KINDS, normal=1, anomalous=1)
    own = write_set(tmp_path / "own" / "synthetic", classes=("plate",))
    for root in (named, moved):
        with pytest.raises(DatasetError, match="is the synthetic benchmark set"):
            gathered(root)
        with pytest.raises(DatasetError, match="is the synthetic benchmark set"):
            gathered(own, validation=str(root))
    assert {image.dataset for image in gathered(own).training} == {"synthetic-own"}


@pytest.mark.parametrize(
    ("normal", "anomalous", "complaint"),
    [(4, 0, "all 4 images to train on are normal"), (0, 4, "all 4 images .* are anomalous")],
)
def test_one_kind_alone_is_refused(
    tmp_path: Path, normal: int, anomalous: int, complaint: str
) -> None:
    root = write_set(tmp_path / "set", classes=("plate",), normal=normal, anomalous=anomalous)
    with pytest.raises(DatasetError, match=complaint):
        gathered(root)


def test_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nothing to train on"):
        gathered()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty"):
        gathered(tmp_path / "empty")
    with pytest.raises(DatasetError, match="missing"):
        gathered(tmp_path / "missing")


def test_what_cannot_be_used_is_left_out_and_named(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", normal=12, anomalous=12)
    (root / "plate" / "test" / "good" / "003.png").write_bytes(b"no picture")
    mask = root / "metal_nut" / "ground_truth" / "spot" / "001_mask.png"
    save(mask, np.zeros((10, 10), np.uint8))
    data = gathered(root)
    assert len(data.training) == 48 - 2
    assert len(data.left_out) == 2
    assert "001_mask.png" in data.left_out[0]
    assert "10 x 10" in data.left_out[0]
    assert "003.png" in data.left_out[1]


def test_many_unusable_images_are_refused(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", classes=("plate",))
    for path in (root / "plate" / "ground_truth" / "spot").iterdir():
        save(path, np.zeros((10, 10), np.uint8))
    with pytest.raises(DatasetError, match=r"6 of 12 images cannot be used, the first: .*10 x 10"):
        gathered(root)


def test_an_image_is_not_both_trained_and_validated_on(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    with pytest.raises(DatasetError, match="24 images are named twice"):
        gathered(root, validation=str(root))
    other = write_set(tmp_path / "other", seed=1)
    data = gathered(root, validation=str(other))
    assert (len(data.training), len(data.validation)) == (24, 24)
    assert {image.dataset for image in data.validation} == {"other"}


@pytest.mark.parametrize(("normal", "anomalous"), [(60, 40), (7, 200), (30, 1)])
def test_a_held_out_share_keeps_proportions(normal: int, anomalous: int) -> None:
    images = labelled(normal, anomalous, classes=5)
    kept, held = hold_out(images, 0.2, seed=1)
    assert sorted(kept + held, key=lambda i: int(i.name)) == images
    for kind, count in ((False, normal), (True, anomalous)):
        chosen = [image for image in held if image.anomalous is kind]
        assert len(chosen) == (max(1, round(0.2 * count)) if count > 1 else 0)
        per_class = [sum(i.group == f"class{n}" for i in chosen) for n in range(5)]
        assert max(per_class) - min(per_class) <= 1
    again, other = hold_out(images, 0.2, seed=1)[1], hold_out(images, 0.2, seed=2)[1]
    assert held == again
    assert len(images) < 40 or held != other


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    images = labelled(20, 20, classes=2)
    first, again, second = (
        epoch_plan(images, seed=1, epoch=epoch, mosaic=0.0) for epoch in (1, 1, 2)
    )
    assert sorted(int(p.images[0].name) for p in first) == list(range(40))
    assert all(len(p.images) == 1 for p in first)
    assert first == again != second


def test_a_mosaic_joins_images_of_one_class(tmp_path: Path) -> None:
    data = gathered(write_set(tmp_path / "set"))
    plan = epoch_plan(data.training, seed=1, epoch=1, mosaic=1.0)
    assert len(plan) == 24
    assert all(len({image.group for image in planned.images}) == 1 for planned in plan)
    share = len([p for p in epoch_plan(data.training, seed=1, epoch=1, mosaic=0.3) if p.images[1:]])
    assert 2 <= share <= 13
    example = plan[0].example(56, PreprocessingConfig())
    assert example.image.shape == (3, 56, 56)
    assert example.mask is not None
    assert example.anomalous == any(image.anomalous for image in plan[0].images)
    assert example.mask.any() == example.anomalous


def test_drawn_pictures_stay_out_of_mosaics() -> None:
    plan = epoch_plan(drawn_images(1, 8), seed=1, epoch=1, mosaic=1.0)
    assert all(len(planned.images) == 1 for planned in plan)


def test_reading_ahead_keeps_order_and_bounds() -> None:
    started: list[int] = []
    lock = threading.Lock()

    def slow(index: int) -> int:
        with lock:
            started.append(index)
        time.sleep(0.002 * (index % 3))
        return index

    reader = read_ahead(slow, range(50), ahead=4, workers=3)
    assert [next(reader) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(started) <= 9
    reader.close()
    count = len(started)
    time.sleep(0.05)
    assert len(started) == count <= 9
    assert list(read_ahead(slow, range(20), ahead=4, workers=3)) == list(range(20))
