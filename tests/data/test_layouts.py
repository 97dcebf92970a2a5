"""Every dataset's tree loads: recognised, labelled, and each image with its own mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adaclip.data.cards import cards
from adaclip.data.layouts import READERS, read_tree
from adaclip.data.samples import load_samples, read_mask
from adaclip.errors import DatasetError, InputError
from tests.data import trees

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


def made(key: str, way: int, root: Path) -> Path:
    """A tiny copy of a dataset in its `way`-th layout."""
    card = cards()[key]
    layout = card.layouts[way]
    if layout.reader == "mvtec":
        return trees.mvtec_like(
            root,
            card.classes,
            good=layout.options.get("normal", ["good"])[0],
            normals=2 if card.has_normals else 0,
            suffix="" if key == "btad" else "_mask",
            image=".bmp" if key == "btad" else ".png",
        )
    own = {
        "visa": trees.visa,
        "sdd": trees.ksdd,
        "dagm": trees.dagm,
        "headct": trees.headct,
        "brain_mri": trees.brain_mri,
        "br35h": trees.br35h,
        "isic": trees.isic,
        "colondb": trees.colondb,
        "tn3k": trees.tn3k,
    }
    if key == "clinicdb":
        return (trees.clinicdb if way == 1 else trees.colondb)(root)
    return own[key](root)


LAYOUTS = [(key, way) for key, card in cards().items() for way in range(len(card.layouts))]


@pytest.mark.parametrize(("key", "way"), LAYOUTS, ids=[f"{k}-{w}" for k, w in LAYOUTS])
def test_every_layout_of_every_card_loads_by_name_and_by_itself(tmp_path, key, way):
    card = cards()[key]
    folder = tmp_path / card.layouts[way].folders[0]
    root = made(key, way, folder)
    samples = load_samples(root, key)
    assert samples == load_samples(root)
    assert {s.dataset for s in samples} == {key}
    assert {s.class_name for s in samples} <= set(card.classes)
    assert any(s.anomalous for s in samples)
    assert card.has_normals == any(not s.anomalous for s in samples)
    assert len({s.rel_path for s in samples}) == len(samples)
    assert [(s.class_name, s.rel_path) for s in samples] == sorted(
        (s.class_name, s.rel_path) for s in samples
    )
    for sample in samples:
        assert sample.image_path == root / sample.rel_path
        assert sample.image_path.is_file()
        assert (sample.defect_type is not None) == sample.anomalous
        mask = read_mask(sample, trees.SIZE)
        if not sample.anomalous:
            assert sample.mask_path is None
            assert not mask.any()
        elif sample.mask_path is not None:
            assert sample.mask_path == root / sample.mask_rel_path
            np.testing.assert_array_equal(mask, trees.expected_mask())
    if card.has_masks:
        assert all(s.mask_path for s in samples if s.anomalous)


def test_all_readers_are_named_by_some_card():
    named = {layout.reader for card in cards().values() for layout in card.layouts}
    assert named == set(READERS)


@pytest.mark.parametrize(
    ("key", "make", "normal", "anomalous"),
    [
        ("visa", trees.visa, 4, 4),
        ("sdd", trees.ksdd, 2, 1),
        ("dagm", trees.dagm, 4, 2),
        ("headct", trees.headct, 2, 2),
        ("brain_mri", trees.brain_mri, 2, 2),
        ("br35h", trees.br35h, 2, 2),
        ("isic", trees.isic, 0, 3),
        ("tn3k", trees.tn3k, 0, 3),
    ],
)
def test_the_original_trees_are_known_under_any_folder_name(tmp_path, key, make, normal, anomalous):
    samples = load_samples(make(tmp_path / "copy"))
    assert {s.dataset for s in samples} == {key}
    assert sum(s.anomalous for s in samples) == anomalous
    assert len(samples) - anomalous == normal


def test_visa_takes_the_split_of_its_table(tmp_path):
    root = trees.visa(tmp_path / "VisA")
    train = load_samples(root, split="train")
    assert [s.rel_path for s in train] == [
        f"{name}/Data/Images/Normal/0000.JPG" for name in ("candle", "pcb1")
    ]


def test_visa_masks_of_class_ids_look_black_and_still_count(tmp_path):
    samples = load_samples(trees.visa(tmp_path / "VisA"))
    masks = [read_mask(s, trees.SIZE) for s in samples if s.anomalous]
    assert len(masks) == 4
    assert all(mask.sum() == trees.expected_mask().sum() for mask in masks)


def test_visa_without_its_split_table_says_what_is_missing(tmp_path):
    root = trees.visa(tmp_path / "VisA")
    (root / "split_csv" / "1cls.csv").unlink()
    with pytest.raises(DatasetError, match=r"1cls\.csv: cannot be read"):
        load_samples(root)


def test_a_defective_dagm_image_without_its_label_file_is_not_taken_for_normal(tmp_path):
    root = trees.dagm(tmp_path / "DAGM2007")
    (root / "Class1" / "Test" / "Label" / "0002_label.PNG").unlink()
    sample = next(s for s in load_samples(root) if s.rel_path == "Class1/Test/0002.PNG")
    assert sample.anomalous
    assert sample.mask_path is None


def test_a_ksdd_image_without_its_label_file_is_not_taken_for_normal(tmp_path):
    root = trees.ksdd(tmp_path / "KolektorSDD")
    (root / "kos01" / "Part0_label.bmp").unlink()
    with pytest.raises(DatasetError, match=r"kos01/Part0\.jpg: missing label"):
        load_samples(root)
    (root / "kos01" / "Part1_label.bmp").write_bytes(b"not a picture")
    kinds = {problem.kind for problem in read_tree(root).pairing.problems}
    assert kinds == {"missing label", "unreadable"}


def test_head_ct_labels_that_name_no_image_or_no_number_are_named(tmp_path):
    root = trees.headct(tmp_path / "ct")
    trees.table(root / "labels.csv", "id,hemorrhage", "0,1", "1,1", "2,0", "7,0")
    pairing = read_tree(root).pairing
    assert [(p.kind, p.path) for p in pairing.problems] == [
        ("missing image", "head_ct/head_ct/007.png"),
        ("unlisted image", "head_ct/head_ct/003.png"),
    ]
    trees.table(root / "labels.csv", "id,hemorrhage", "0,1", "one,1")
    with pytest.raises(DatasetError, match="line 3: 'one' is no image number"):
        load_samples(root)
    trees.table(root / "labels.csv", "id,hemorrhage", "\u00b2,1")  # a digit, but no number
    with pytest.raises(DatasetError, match="is no image number"):
        load_samples(root)
    trees.table(root / "labels.csv", "id,hemorrhage", "0,perhaps")
    with pytest.raises(DatasetError, match="'perhaps' says neither normal nor anomalous"):
        load_samples(root)
    trees.table(root / "labels.csv", "number,hemorrhage", "0,1")
    with pytest.raises(DatasetError, match="has no column id"):
        load_samples(root)


def test_the_copies_inside_brain_mri_are_passed_over(tmp_path):
    root = trees.brain_mri(tmp_path / "copy")
    assert len(load_samples(root)) == 4
    inner = load_samples(root / "brain_tumor_dataset")
    assert len(inner) == 4


@pytest.mark.parametrize(
    ("make", "orphan"),
    [
        (trees.dagm, "Class1/Test/Label/0003x_label.PNG"),
        (trees.isic, "ISBI2016_ISIC_Part1_Test_GroundTruth/ISIC_0000003_Segmentation.png"),
        (trees.isic, "ISBI2016_ISIC_Part1_Test_GroundTruth/ISIC_0000001.png"),
        (trees.tn3k, "test-mask/0003.jpg"),
        (trees.ksdd, "kos01/Part7_label.bmp"),
    ],
)
def test_masks_that_no_image_answers_to_are_found_in_the_original_trees(tmp_path, make, orphan):
    root = make(tmp_path / "copy")
    trees.mask(root / orphan)
    problems = read_tree(root).pairing.problems
    assert [(p.kind, p.path) for p in problems] == [("mask without image", orphan)]
    load_samples(root)


def test_jpeg_masks_are_cut_at_half_grey(tmp_path):
    sample = load_samples(trees.tn3k(tmp_path / "TN3K"))[0]
    assert sample.mask_rule.above == 127
    np.testing.assert_array_equal(read_mask(sample, trees.SIZE), trees.expected_mask())


def test_the_same_images_and_masks_folders_may_be_two_datasets(tmp_path):
    with pytest.raises(DatasetError, match="may be clinicdb or colondb"):
        load_samples(trees.colondb(tmp_path / "polyps"))
    assert load_samples(tmp_path / "polyps", "colondb")[0].dataset == "colondb"
    assert load_samples(trees.colondb(tmp_path / "CVC-ClinicDB"))[0].dataset == "clinicdb"


def test_a_class_name_that_another_dataset_has_too_decides_nothing(tmp_path):
    assert load_samples(trees.mvtec_like(tmp_path / "magnetic", ("tile",)))[0].dataset == "magnetic"


def test_one_class_and_some_classes_of_a_dataset_are_known_by_the_folders_name(tmp_path):
    root = trees.mvtec_like(tmp_path / "MVTec-AD", ("bottle", "tile"))
    assert {s.dataset for s in load_samples(root)} == {"mvtec"}
    one = load_samples(root / "tile")
    assert {(s.dataset, s.class_name) for s in one} == {("mvtec", "tile")}
    assert one[0].rel_path == "test/crack/000.png"


def test_an_own_folder_never_takes_a_published_name(tmp_path):
    root = trees.mvtec_like(tmp_path / "mvtec", ("bottle", "teapot"))
    assert {s.dataset for s in load_samples(root)} == {"mvtec-own"}
    with pytest.raises(DatasetError, match=r"is no copy of MVTec AD.*Found: bottle, teapot"):
        load_samples(root, "mvtec")


def test_unknown_names_splits_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match="no dataset 'mvtek'; choose from mvtec, visa"):
        load_samples(tmp_path, "mvtek")
    with pytest.raises(DatasetError, match="no split 'validation'"):
        load_samples(tmp_path, split="validation")
    with pytest.raises(DatasetError, match="there is no such folder"):
        load_samples(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="laid out like no dataset"):
        load_samples(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images are not here")
@pytest.mark.parametrize(
    ("name", "normal", "anomalous", "masked"),
    [
        ("magnetic_tile", 60, 60, 60),
        ("aws_alien", 58, 60, 0),
        ("elpv", 120, 120, 0),
        ("deepcrack", 0, 60, 60),
        ("crackforest", 0, 60, 60),
        ("neu_seg", 0, 60, 60),
    ],
)
def test_real_folders_load_as_their_readme_counts_them(name, normal, anomalous, masked):
    samples = load_samples(REAL / name)
    assert {s.dataset for s in samples} == {name}
    assert sum(not s.anomalous for s in samples) == normal
    assert sum(s.anomalous for s in samples) == anomalous
    assert sum(s.mask_path is not None for s in samples) == masked
