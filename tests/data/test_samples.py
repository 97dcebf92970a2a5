"""Trees of the MVTec kind and manifests: what pairs, what is refused, how masks are read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from adaclip.data.layouts import read_tree
from adaclip.data.samples import MaskRule, Sample, load_samples, read_mask
from adaclip.errors import DatasetError
from tests.data import trees


def anomalous(root) -> list[Sample]:
    return [sample for sample in load_samples(root) if sample.anomalous]


def with_mask(path, *, above: int | None = None) -> Sample:
    return Sample(
        dataset="own",
        class_name="tile",
        defect_type="crack",
        anomalous=True,
        image_path=path,
        mask_path=path,
        rel_path=path.name,
        mask_rel_path=path.name,
        mask_rule=MaskRule(above=above),
    )


def test_a_folder_of_classes_and_one_class_load_alike(tmp_path):
    root = trees.mvtec_like(tmp_path / "own", ("gear", "cap"))
    both = load_samples(root)
    assert [(s.class_name, s.rel_path) for s in both[:3]] == [
        ("cap", "cap/test/crack/000.png"),
        ("cap", "cap/test/crack/001.png"),
        ("cap", "cap/test/good/000.png"),
    ]
    assert both[0].mask_rel_path == "cap/ground_truth/crack/000_mask.png"
    assert {s.dataset for s in both} == {"own"}
    one = load_samples(root / "gear")
    assert {(s.dataset, s.class_name) for s in one} == {("gear", "gear")}
    assert one[0].rel_path == "test/crack/000.png"


def test_a_folder_of_datasets_names_them(tmp_path):
    trees.mvtec_like(tmp_path / "first")
    trees.mvtec_like(tmp_path / "second")
    with pytest.raises(DatasetError, match="name one of them: first, second"):
        load_samples(tmp_path)


def test_masks_pair_by_name_when_one_is_missing_in_the_middle(tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    trees.picture(root / "tile/test/crack/002.png")
    trees.mask(root / "tile/ground_truth/crack/002_mask.png", where=np.s_[:2, :2])
    (root / "tile/ground_truth/crack/001_mask.png").unlink()
    assert [p.kind for p in read_tree(root).pairing.problems] == ["missing mask"]
    pairs = {s.rel_path: s.mask_rel_path for s in load_samples(root) if s.anomalous}
    assert pairs["tile/test/crack/002.png"] == "tile/ground_truth/crack/002_mask.png"
    assert pairs["tile/test/crack/001.png"] is None


@pytest.mark.parametrize(
    "suffix", ["", "_mask", "_label", "_Segmentation", "-gt", "_seg", "_groundtruth", "_mask_0"]
)
def test_usual_suffixes_of_masks(tmp_path, suffix):
    root = trees.mvtec_like(tmp_path / "own", suffix=suffix)
    assert all(s.mask_path.stem == s.image_path.stem + suffix for s in anomalous(root))


@pytest.mark.parametrize("odd", ["000_1", "000_mask"])
def test_an_image_named_like_a_mask_keeps_its_own(tmp_path, odd):
    root = trees.mvtec_like(tmp_path / "own", suffix="")
    trees.picture(root / f"tile/test/crack/{odd}.png")
    trees.mask(root / f"tile/ground_truth/crack/{odd}.png")
    for sample in anomalous(root):
        assert [path.name for path in sample.mask_paths] == [sample.image_path.name]


@pytest.mark.parametrize(
    "names", [("000_mask_0", "000_mask_1"), ("000_0", "000_1"), ("000/a", "000/b")]
)
def test_several_masks_of_an_image_count_together(tmp_path, names):
    root = tmp_path / "own"
    trees.picture(root / "tile/test/crack/000.png")
    halves = (np.s_[4:10, 6:12], np.s_[4:10, 12:20])
    for name, half in zip(names, halves, strict=True):
        trees.mask(root / f"tile/ground_truth/crack/{name}.png", where=half)
    (sample,) = load_samples(root)
    assert len(sample.mask_paths) == 2
    np.testing.assert_array_equal(read_mask(sample, trees.SIZE), trees.expected_mask())


def test_no_masks_at_all_means_image_level_only(tmp_path):
    root = tmp_path / "own"
    trees.picture(root / "tile/test/good/000.png")
    trees.picture(root / "tile/test/broken/000.png")
    trees.picture(root / "tile/test/broken/000.jpg")  # no mask to fight over
    broken = anomalous(root)
    assert len(broken) == 2
    assert all(s.mask_path is None and read_mask(s, trees.SIZE) is None for s in broken)


def test_two_images_that_would_share_a_mask_are_refused(tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    trees.picture(root / "tile/test/crack/000.jpg")
    with pytest.raises(DatasetError, match=r"000\.jpg: duplicate name, 000\.png would get"):
        load_samples(root)


def test_a_mask_without_an_image_does_not_stop_loading(tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    trees.mask(root / "tile/ground_truth/crack/777_mask.png")
    trees.mask(root / "tile/ground_truth/dent/000_mask.png")
    assert len(load_samples(root)) == 4
    orphans = [p.path for p in read_tree(root).pairing.problems]
    assert orphans == [
        "tile/ground_truth/crack/777_mask.png",
        "tile/ground_truth/dent/000_mask.png",
    ]


def test_images_outside_of_a_defect_folder_are_refused(tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    trees.picture(root / "tile/test/loose.png")
    with pytest.raises(DatasetError, match=r"tile/test: has images outside .* loose\.png"):
        load_samples(root)


def test_empty_folders_are_a_dataset_without_images(tmp_path):
    (tmp_path / "own/tile/test/good").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no images in them"):
        load_samples(tmp_path / "own")


def test_hidden_files_and_other_files_are_passed_over(tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    (root / "tile/test/good/.hidden.png").write_bytes(b"")
    (root / "tile/test/good/Thumbs.db").write_bytes(b"")
    (root / "__MACOSX/test/good").mkdir(parents=True)
    assert len(load_samples(root)) == 4


def test_the_train_split_holds_normal_images(tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    trees.picture(root / "tile/train/good/000.png")
    (sample,) = load_samples(root, split="train")
    assert sample.rel_path == "tile/train/good/000.png"
    assert not sample.anomalous


@pytest.mark.parametrize(
    ("mode", "value"),
    [("L", 1), ("L", 255), ("1", 1), ("P", 3), ("RGB", (128, 0, 0)), ("LA", (9, 255)), ("I;16", 1)],
)
def test_any_level_above_zero_is_a_defect_in_any_kind_of_png(tmp_path, mode, value):
    image = Image.new(mode, (32, 24))
    if mode == "P":
        image.putpalette([0, 0, 0, 10, 10, 10, 20, 20, 20, 0, 0, 90])
    for row in range(4, 10):
        for column in range(6, 20):
            image.putpixel((column, row), value)
    image.save(tmp_path / "mask.png")
    mask = read_mask(with_mask(tmp_path / "mask.png"), trees.SIZE)
    np.testing.assert_array_equal(mask, trees.expected_mask())


def test_a_jpeg_mask_is_cut_at_half_grey_without_being_told(tmp_path):
    trees.mask(tmp_path / "mask.jpg")
    noisy = np.asarray(Image.open(tmp_path / "mask.jpg"))
    assert ((noisy > 0) != trees.expected_mask()).any()  # "> 0" would be wrong
    mask = read_mask(with_mask(tmp_path / "mask.jpg"), trees.SIZE)
    np.testing.assert_array_equal(mask, trees.expected_mask())


def test_a_mask_of_another_size_or_unreadable_is_named(tmp_path):
    sample = with_mask(trees.mask(tmp_path / "mask.png"))
    with pytest.raises(DatasetError, match="the mask is 32 x 24 pixels and its image 24 x 32"):
        read_mask(sample, (32, 24))
    (tmp_path / "mask.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"mask\.png: the mask cannot be read"):
        read_mask(sample, trees.SIZE)
    (tmp_path / "mask.png").unlink()
    with pytest.raises(DatasetError, match=r"mask\.png: the mask cannot be read"):
        read_mask(sample, trees.SIZE)


def test_a_manifest_is_found_in_its_folder_or_named(tmp_path):
    root = trees.manifest(tmp_path / "own")
    samples = load_samples(root)
    assert samples == load_samples(root / "manifest.csv")
    assert [(s.class_name, s.rel_path, s.defect_type) for s in samples] == [
        ("cap", "b/bad.png", "defect"),
        ("gear", "a/bad.png", "chip"),
        ("gear", "a/ok.png", None),
    ]
    cap, chipped, fine = samples
    assert {s.dataset for s in samples} == {"own"}
    assert read_mask(cap, trees.SIZE) is None
    np.testing.assert_array_equal(read_mask(chipped, trees.SIZE), trees.expected_mask())
    assert not read_mask(fine, trees.SIZE).any()
    (root / "manifest.csv").rename(root / "line-3.csv")
    assert load_samples(root / "line-3.csv")[0].dataset == "line-3"


def test_a_manifest_may_hold_a_line_break_in_quotes(tmp_path):
    root = trees.manifest(tmp_path / "own")
    trees.picture(root / "two\nlines.png")
    row = '"two\nlines.png",gear,0'
    trees.table(root / "manifest.csv", "image,class_name,anomalous", row)
    assert [sample.rel_path for sample in load_samples(root)] == ["two\nlines.png"]


@pytest.mark.parametrize(
    "path", ["../out.png", "/etc/out.png", "a/../../out.png", "C:/x.png", "", "."]
)
@pytest.mark.parametrize("column", ["image", "mask"])
def test_a_manifest_cannot_leave_its_folder(tmp_path, path, column):
    root = trees.manifest(tmp_path / "own")
    trees.picture(tmp_path / "out.png")
    cells = {"image": "a/bad.png", "mask": "m/one.png"} | {column: path}
    row = f"{cells['image']},{cells['mask']},gear,1"
    trees.table(root / "manifest.csv", "image,mask,class_name,anomalous", row)
    if column == "mask" and not path:  # no mask: image level only
        assert load_samples(root)[0].mask_path is None
        return
    with pytest.raises(DatasetError, match=r"line 2: .* is not a path inside"):
        load_samples(root)


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("image,class_name", "a/ok.png,gear", "has no column anomalous"),
        ("image,class_name,anomalous", "a/ok.png,,0", "line 2: class_name is empty"),
        ("image,class_name,anomalous", "a/ok.png,gear,", "line 2: '' says neither"),
        ("image,class_name,anomalous", "a/no.png,gear,0", "a/no.png: missing image, line 2"),
        (
            "image,class_name,anomalous",
            "a/ok.png,gear,0\na/ok.png,gear,1",
            "duplicate name, on lines 2 and 3",
        ),
        ("image,class_name,anomalous", "", "no images in them"),
    ],
)
def test_what_a_manifest_can_get_wrong_is_named(tmp_path, header, row, message):
    root = trees.manifest(tmp_path / "own")
    trees.table(root / "manifest.csv", header, row)
    with pytest.raises(DatasetError, match=message):
        load_samples(root)


def test_half_of_a_manifests_mask_is_no_mask(tmp_path):
    root = trees.manifest(tmp_path / "own")
    first = next(s for s in load_samples(root) if s.mask_path)
    both = f"{first.mask_rel_path}|m/x.png"
    trees.table(
        root / "manifest.csv",
        "image,mask,class_name,anomalous",
        f"{first.rel_path},{both},gear,1",
    )
    [sample] = load_samples(root)
    assert sample.mask_path is None
    [problem] = read_tree(root).pairing.problems
    assert (problem.kind, problem.path) == ("missing mask", "m/x.png")


def test_what_is_wrong_with_a_mask_is_said_without_the_users_folders(tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    for content, said in ((b"no picture", "cannot be read"), (None, "3 x 2 pixels")):
        path = root / "tile/ground_truth/crack/000_mask.png"
        if content is None:
            Image.fromarray(np.zeros((2, 3), np.uint8)).save(path)
        else:
            path.write_bytes(content)
        sample = next(s for s in load_samples(root) if s.mask_path == path)
        with pytest.raises(DatasetError, match=said) as caught:
            read_mask(sample, trees.SIZE)
        assert str(caught.value).startswith("tile/ground_truth/crack/000_mask.png: ")
        assert str(tmp_path) not in str(caught.value)


def test_a_manifest_that_is_no_text_is_named(tmp_path):
    (tmp_path / "manifest.csv").write_bytes(b"\xff\xfe\x00\xd8image")
    with pytest.raises(DatasetError, match=r"manifest\.csv: cannot be read"):
        load_samples(tmp_path)
