"""What a check of a local copy finds, one fault at a time."""

from __future__ import annotations

import numpy as np
import pytest

from adaclip.data.cards import card
from adaclip.data.checks import FINDING_KINDS, Report, check
from adaclip.data.pairing import GRAVE
from adaclip.errors import DatasetError
from tests.data import trees


def kinds(report: Report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.path) for finding in report.findings]


@pytest.fixture
def own(tmp_path):
    return trees.mvtec_like(tmp_path / "own", ("cap", "gear"))


def test_a_whole_copy_is_fine_and_counted(own):
    told = []
    report = check(own, progress=lambda done, total: told.append((done, total)))
    assert report.fine
    assert (report.dataset, report.tree) == ("own", None)
    assert [(c.class_name, c.normal, c.anomalous) for c in report.classes] == [
        ("cap", 2, 2),
        ("gear", 2, 2),
    ]
    assert (report.normal, report.anomalous) == (4, 4)
    assert told == [(i, 8) for i in range(1, 9)]


def test_missing_and_mispaired_masks(own):
    masks = own / "cap" / "ground_truth" / "crack"
    (masks / "000_mask.png").rename(masks / "00O_mask.png")
    assert kinds(check(own)) == [
        ("missing mask", "cap/test/crack/000.png"),
        ("mask without image", "cap/ground_truth/crack/00O_mask.png"),
    ]


def test_unreadable_images_and_masks(own):
    (own / "cap/test/good/000.png").write_bytes(b"\x89PNG")
    (own / "cap/test/good/001.png").write_bytes(b"")
    (own / "gear/ground_truth/crack/000_mask.png").write_text("not a picture")
    report = check(own)
    assert kinds(report) == [
        ("unreadable", "cap/test/good/000.png"),
        ("unreadable", "cap/test/good/001.png"),
        ("wrong mask", "gear/ground_truth/crack/000_mask.png"),
    ]
    assert "0 bytes" in report.findings[1].detail


def test_masks_of_the_wrong_size_and_empty_ones(own):
    trees.mask(own / "cap/ground_truth/crack/000_mask.png", value=0)
    wide = np.zeros((24, 64), np.uint8)
    wide[0] = 255
    trees.Image.fromarray(wide).save(own / "cap/ground_truth/crack/001_mask.png")
    report = check(own)
    assert kinds(report) == [
        ("wrong mask", "cap/ground_truth/crack/001_mask.png"),
        ("empty mask", "cap/ground_truth/crack/000_mask.png"),
    ]
    assert "64 x 24 pixels and its image 32 x 24" in report.findings[0].detail


def test_duplicated_images_are_found_by_their_pixels_in_any_file(own):
    copy = (own / "cap/test/good/000.png").read_bytes()
    (own / "gear/test/good/777.png").write_bytes(copy)
    with trees.Image.open(own / "cap/test/good/000.png") as image:
        image.save(own / "gear/test/crack/001.png", compress_level=0)
    report = check(own)
    assert kinds(report) == [
        ("duplicate image", "gear/test/crack/001.png"),
        ("duplicate image", "gear/test/good/777.png"),
    ]
    assert report.findings[0].detail == (
        "the same pixels as cap/test/good/000.png, with the other label"
    )


def test_two_images_for_one_mask(own):
    trees.picture(own / "cap/test/crack/000.bmp")
    assert kinds(check(own)) == [("duplicate name", "cap/test/crack/000.bmp")]


def test_counts_and_missing_classes_against_the_card(tmp_path):
    root = trees.mvtec_like(tmp_path / "mvtec", ("bottle",))
    report = check(root)
    assert report.dataset == "mvtec"
    assert report.tree == card("mvtec").layouts[0].tree
    counted = [finding for finding in report.findings if finding.kind == "count"]
    assert [finding.path for finding in counted] == sorted(card("mvtec").classes)
    assert counted[0].detail == "2 normal and 2 anomalous, the card says 20 and 63"
    assert counted[1].detail == "the class is missing, the card says 58 and 92"


def test_a_copy_as_large_as_its_card_says_is_fine(tmp_path):
    root = tmp_path / "headct"
    for number in range(200):
        trees.picture(root / "head_ct" / f"{number:03}.png")
    trees.table(root / "labels.csv", "id,hemorrhage", *(f"{i},{int(i < 100)}" for i in range(200)))
    assert check(root, "headct").findings == ()
    (root / "head_ct" / "000.png").unlink()
    assert [finding.kind for finding in check(root).findings] == ["missing image", "count"]


def test_a_known_other_count_is_a_note_and_no_fault(tmp_path):
    root = tmp_path / "SDD_anomaly_detection" / "SDD"
    for number in range(281):
        trees.picture(root / "test" / "good" / f"{number}.bmp")
    for number in range(74):
        trees.picture(root / "test" / "defect" / f"{number}.bmp")
        trees.mask(root / "ground_truth" / "defect" / f"{number}_mask.bmp")
    report = check(root.parent)
    assert report.fine
    assert "known other set" in report.notes[0]


def test_a_tree_without_a_split_is_counted_whole(tmp_path):
    report = check(trees.ksdd(tmp_path / "KolektorSDD"))
    assert [(f.kind, f.detail) for f in report.findings] == [
        ("count", "3 images, the card says 399")
    ]


def test_a_dataset_whose_classes_are_not_counted_singly(tmp_path):
    report = check(trees.dagm(tmp_path / "DAGM2007", card("dagm").classes))
    assert [(f.kind, f.path, f.detail) for f in report.findings] == [
        ("count", "dagm", "20 normal and 10 anomalous, the card says 6996 and 1054")
    ]


def test_a_manifest_is_checked_too(tmp_path):
    root = trees.manifest(tmp_path / "own")
    assert check(root).fine
    (root / "a/ok.png").unlink()
    (root / "m/two.png").unlink()
    assert kinds(check(root)) == [("missing image", "a/ok.png"), ("missing mask", "m/two.png")]


def test_a_folder_without_images_cannot_be_checked(tmp_path):
    (tmp_path / "own/tile/test/good").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no images in them"):
        check(tmp_path / "own")


def test_all_kinds_of_problems_have_their_place_in_the_report():
    assert set(FINDING_KINDS) >= GRAVE
