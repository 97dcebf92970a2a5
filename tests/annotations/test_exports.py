"""Out again and in again: the same view, COCO as pycocotools reads it, folders to train on."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.annotations.check import check_store
from adaclip.annotations.exports import FORMATS, export
from adaclip.annotations.imports import import_annotations
from adaclip.annotations.labels import SAMPLING_NOTE
from adaclip.annotations.pictures import NOT_FOUND
from adaclip.annotations.store import AnnotationStore
from adaclip.data.images import pixel_sha256, read_image
from adaclip.data.samples import load_samples, read_mask
from adaclip.errors import InputError, StoreError
from adaclip.synthetic import benchmark_set
from tests.annotations.samples import PIECES, digest, flag, mixed_store, picture, row


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return mixed_store(tmp_path / "labels")


def reasons(done) -> dict[str, str]:
    return {Path(left.name).stem: left.reason for left in done.left_out}


@pytest.mark.parametrize("kind", ["csv", "excel-csv", "zip"])
def test_export_then_import_gives_the_same_view(tmp_path, store, kind):
    for number, piece in enumerate(PIECES):
        store.add(row(number, comment=piece, class_name="01"))
    out = tmp_path / f"out{FORMATS[kind]}"
    done = export(store, kind, out)
    assert done.written == len(store.current())
    fresh = AnnotationStore(tmp_path / "fresh")
    taken = import_annotations(fresh, out)
    assert (taken.added, taken.known, taken.skipped) == (done.written, 0, ())
    assert fresh.current() == store.current()
    assert AnnotationStore(fresh.folder).current() == store.current()
    for annotation in store.current():
        first, second = store.mask(annotation), fresh.mask(annotation)
        assert (first is None and second is None) or (first == second).all()
    assert check_store(fresh).fine
    again = import_annotations(fresh, out)
    assert (again.added, again.known) == (0, done.written)
    pictures = {a.pixel_sha256 for a in store.current() if store.has_image(a.pixel_sha256)}
    assert {p for p in pictures if fresh.has_image(p)} == (pictures if kind == "zip" else set())
    assert taken.images == (len(pictures) if kind == "zip" else 0)


def test_a_csv_for_excel_has_a_byte_order_mark_and_its_line_ends(tmp_path, store):
    export(store, "excel-csv", tmp_path / "out.csv")
    data = (tmp_path / "out.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfschema,")
    assert data.count(b"\r\n") == data.count(b"\n") == len(store.current()) + 1


def test_logs_kept_apart_are_brought_together(tmp_path, store):
    out = tmp_path / "out.csv"
    old = store.add(row("x"))
    export(store, "csv", out)
    other = AnnotationStore(tmp_path / "other")
    newer = other.add(row("x", verdict="TN"))
    assert newer.ts_utc > old.ts_utc
    import_annotations(other, out)
    assert newer in other.current()  # the later word of the same person holds
    assert old not in other.current()
    assert old in other.events()


def test_coco_is_read_by_pycocotools(tmp_path, store, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    done = export(store, "coco", tmp_path / "out.json")
    dataset = coco.COCO(str(tmp_path / "out.json"))
    by_event = {a["event_id"]: a for a in dataset.loadAnns(dataset.getAnnIds())}
    rows = [a for a in store.current() if a.region_kind == "mask" and a.verdict in ("TP", "FN")]
    assert set(by_event) == {a.event_id for a in rows}
    for annotation in rows:
        entry = by_event[annotation.event_id]
        mask = store.mask(annotation)
        with pytest.warns(DeprecationWarning, match="__array__"):  # pycocotools' own
            decoded = dataset.annToMask(entry)
        assert (decoded.astype(bool) == mask).all()
        assert entry["area"] == mask.sum()
        assert entry["bbox"] == [0, 0, 24, 40]
    names = {c["name"]: c["supercategory"] for c in dataset.loadCats(dataset.getCatIds())}
    assert names == {"scratch": "nut", "anomaly": "nut"}
    # False alarms are pictures without objects; what was wrongly marked stands aside.
    normal = [i for i in dataset.loadImgs(dataset.getImgIds()) if not i["anomalous"]]
    assert len(normal) == 4
    assert all(not dataset.getAnnIds(imgIds=[image["id"]]) for image in normal)
    assert [r["reason_code"] for r in dataset.dataset["false_alarm_regions"]] == ["edge"]
    assert dataset.dataset["info"]["sampling"] == SAMPLING_NOTE
    assert done.counts == {"regions": 2, "false_alarm_regions": 1}
    for image in dataset.loadImgs(dataset.getImgIds()):
        assert (store.folder / image["file_name"]).is_file() or image["rel_path"][-5:] == "8.png"


def test_a_tree_to_train_on(tmp_path, store):
    out = tmp_path / "set"
    done = export(store, "mvtec", out)
    samples = load_samples(out)
    assert [s.class_name for s in samples] == ["nut"] * 6
    normal = {s.image_path.stem for s in samples if not s.anomalous}
    assert normal == {pixel_sha256(picture(n))[:20] for n in (1, 2, 10)}
    assert {s.defect_type for s in samples if s.anomalous} == {"scratch", "anomaly"}
    left = np.zeros((40, 48), bool)
    left[:, :24] = True
    bare = pixel_sha256(picture(5))[:20]
    assert [s.image_path.stem for s in samples if s.anomalous and not s.mask_path] == [bare]
    for sample in samples:
        mask = read_mask(sample, (40, 48))
        if sample.image_path.stem == bare:
            assert mask is None  # a defect whose place nobody drew: image level alone
        else:
            assert (mask == (left if sample.anomalous else False)).all()
        with Image.open(sample.image_path) as file:
            assert not file.info
    assert done.written == 6
    assert done.counts == {"normal": 3, "anomalous": 3, "masks": 2, "image level only": 1}
    assert reasons(done) == {
        "6": "nobody was sure",
        "7": "the annotators disagree",
        "8": NOT_FOUND,
        "9": "a test image of the benchmark mvtec",
    }
    lines = [json.loads(line) for line in (out / "annotations.jsonl").read_text().splitlines()]
    assert {line["image"] for line in lines} == {s.rel_path for s in samples}
    assert {p for line in lines for p in line["queue_policies"]} == {
        "false_alarms",
        "random seed=1",
    }
    about = json.loads((out / "about.json").read_text())
    assert about["warnings"] == list(done.warnings) == [SAMPLING_NOTE]
    assert len(about["left_out"]) == 4


def test_benchmarks_come_along_only_by_name_and_with_a_warning(tmp_path, store):
    flag(store, 12, dataset="visa", split="test")
    flag(store, 13, dataset="visa", split="")  # unknown: taken for a test image
    done = export(store, "mvtec", tmp_path / "a", include_datasets=["mvtec"])
    assert done.warnings[0].startswith("1 test images of the benchmark mvtec")
    assert "cannot be measured" in done.warnings[0]
    assert {reasons(done)["12"], reasons(done)["13"]} == {"a test image of the benchmark visa"}
    done = export(store, "mvtec", tmp_path / "b", include_datasets=["all"])
    assert "benchmark visa" in done.warnings[1]
    assert not [left for left in done.left_out if left.benchmark]


def test_a_test_image_under_another_name_is_still_one(tmp_path, store):
    flag(store, 9, dataset="upload", split="", annotator="Bob")
    done = export(store, "mvtec", tmp_path / "set")
    assert "a test image of the benchmark mvtec" in {left.reason for left in done.left_out}
    assert not list((tmp_path / "set").rglob(f"{pixel_sha256(picture(9))[:20]}*"))


def test_pictures_are_found_in_data_folders_by_their_pixels_and_never_outside(tmp_path, store):
    roots = [tmp_path / "data", tmp_path / "more"]
    (roots[0] / "nut/test/good").mkdir(parents=True)
    (roots[1] / "line_3/nut/test/good").mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.mkdir()
    Image.fromarray(picture(14)).save(secret / "14.png")
    for number, root in ((8, roots[1] / "line_3"), (15, roots[0])):
        flag(store, number, keep=False)
        Image.fromarray(picture(number)).save(root / f"nut/test/good/{number}.png")
    flag(store, 14, keep=False)
    (roots[0] / "nut/test/good/14.png").symlink_to(secret / "14.png")
    flag(store, 16, keep=False)
    Image.fromarray(picture(99)).save(roots[0] / "nut/test/good/16.png")  # another picture
    done = export(store, "mvtec", tmp_path / "set", data_roots=roots)
    names = {path.stem for path in (tmp_path / "set").rglob("good/*.png")}
    assert {pixel_sha256(picture(n))[:20] for n in (8, 15)} <= names
    assert {"14", "16"} <= set(reasons(done))


def test_pictures_of_the_synthetic_set_are_drawn_when_asked_for(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    entry = next(e for e in benchmark_set.entries() if e.defect_type is None)
    pixels = benchmark_set.draw(entry.rel_path).image
    fields = {"width": pixels.shape[1], "height": pixels.shape[0], "class_name": entry.class_name}
    fields |= {"pixel_sha256": pixel_sha256(pixels), "rel_path": entry.rel_path}
    store.add(row(1, dataset="synthetic", split="test", **fields))
    with pytest.raises(InputError, match="1: a test image of the benchmark synthetic"):
        export(store, "mvtec", tmp_path / "set")
    assert not (tmp_path / "set").exists()
    export(store, "mvtec", tmp_path / "set", include_datasets=["synthetic"])
    [sample] = load_samples(tmp_path / "set")
    assert (read_image(sample.image_path) == pixels).all()


def test_a_class_without_regions_comes_along_at_image_level(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    flag(store, 1)
    flag(store, 2, verdict="TP")
    flag(store, 3, verdict="TP", annotator="Bob")
    store.add(row(4, verdict="TP", class_name="screw"), mask=np.zeros((12, 20), bool))
    done = export(store, "mvtec", tmp_path / "set")
    samples = load_samples(tmp_path / "set")
    assert [s.anomalous for s in samples].count(True) == 2
    assert all(s.mask_path is None for s in samples)
    assert done.counts["masks"] == 0


def test_names_that_mean_something_elsewhere_become_harmless_folders(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    names = [
        "../../x",
        "good",
        "ground_truth",
        "A/b",
        "A_b",
        "a_b",
        "con",
        "0 Defects",
        "\u65e5\u672c",
        "...",
    ]
    for number, name in enumerate(names):
        flag(store, number, class_name=name, verdict="TP", region=True, defect_type=name)
        flag(store, 100 + number, class_name=name)
    export(store, "mvtec", tmp_path / "set")
    samples = load_samples(tmp_path / "set")
    assert sum(s.anomalous for s in samples) == sum(not s.anomalous for s in samples) == len(names)
    assert len({s.class_name.casefold() for s in samples}) == len(names)
    assert {path.name for path in tmp_path.iterdir()} == {"labels", "set"}


def test_nothing_is_written_over(tmp_path, store):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("")
    with pytest.raises(InputError, match="is there already"):
        export(store, "mvtec", tmp_path / "set")
    with pytest.raises(InputError, match="is a folder"):
        export(store, "csv", tmp_path / "set")
    with pytest.raises(InputError, match="no export 'xml'"):
        export(store, "xml", tmp_path / "out.xml")
    with pytest.raises(InputError, match="there are no annotations"):
        export(AnnotationStore(tmp_path / "none"), "mvtec", tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels", "none", "set"]


def test_json_lines_say_how_each_was_chosen(tmp_path, store):
    done = export(store, "jsonl", tmp_path / "out.jsonl")
    about, *lines = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert about["sampling"] == SAMPLING_NOTE
    assert about["queue_policies"] == {"false_alarms": 9, "random seed=1": 1}
    assert len(lines) == done.written == 10
    assert not [line for line in lines if line["benchmark"]]
    assert {line["truth"] for line in lines} == {"normal", "anomalous", None}
    for line in lines:
        assert line["image"] is None or (store.folder / line["image"]).is_file()
    assert [left.name for left in done.left_out] == ["nut/test/good/9.png"]


def test_odd_paths_are_no_odd_json(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    flag(store, 1, rel_path="caf\udce9.png")
    for kind in ("jsonl", "coco", "mvtec"):
        export(store, kind, tmp_path / f"out{FORMATS[kind]}")
    line = (tmp_path / "out.jsonl").read_text().splitlines()[1]
    assert json.loads(line)["rel_path"] == "caf\udce9.png"


# --- what comes in ----------------------------------------------------------------------------


def test_a_hostile_zip_writes_nothing_outside_and_says_what_it_skipped(tmp_path, store):
    out = tmp_path / "out.zip"
    export(store, "zip", out)
    wrong = digest("x")
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("../escaped.png", b"x")
        archive.writestr("/etc/escaped.png", b"x")
        archive.writestr("masks/../../escaped.png", b"x")
        archive.writestr(f"images/{wrong[:2]}/{wrong}.png", b"no picture")
    fresh = AnnotationStore(tmp_path / "in" / "fresh")
    done = import_annotations(fresh, out)
    assert [wrong in line for line in done.skipped] == [True]
    assert not list(tmp_path.rglob("escaped.png"))
    assert check_store(fresh).fine


def test_files_that_are_no_exports_are_refused(tmp_path, store):
    fresh = AnnotationStore(tmp_path / "fresh")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("other.csv", "")
    export(store, "zip", tmp_path / "c.zip")
    data = bytearray((tmp_path / "c.zip").read_bytes())
    data[60:200] = bytes(140)
    (tmp_path / "c.zip").write_bytes(data)
    for name, word in (("a.csv", "first line"), ("b.zip", "no export"), ("c.zip", "damaged")):
        with pytest.raises(StoreError, match=word):
            import_annotations(fresh, tmp_path / name)
    with pytest.raises(StoreError, match="cannot read"):
        import_annotations(fresh, tmp_path / "none.csv")
    assert fresh.events() == []


def test_an_import_does_not_write_over_a_region(tmp_path, store):
    import dataclasses

    from adaclip.annotations.csv_rows import HEADER_LINE, encode
    from adaclip.annotations.masks import rle_text

    mine = next(a for a in store.current() if a.region_path)
    mask = np.ones((40, 48), bool)
    forged = dataclasses.replace(
        mine, event_id="e0123456789", region_rle=rle_text(mask), region_area_px=int(mask.sum())
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_bytes(HEADER_LINE + encode(forged))
    before = store.mask(mine).copy()
    with pytest.raises(StoreError, match="holds another region"):
        import_annotations(store, tmp_path / "in" / "a.csv")
    assert (store.mask(mine) == before).all()


def test_a_region_that_is_not_in_the_file_is_said_to_be_lost(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    mask = np.random.default_rng(0).random((400, 400)) < 0.5
    store.add(row(1, width=400, height=400), mask=mask)
    export(store, "csv", tmp_path / "out.csv")
    fresh = AnnotationStore(tmp_path / "fresh")
    done = import_annotations(fresh, tmp_path / "out.csv")
    assert done.added == 1
    assert "its mask is not in the file" in done.skipped[0]
    assert check_store(fresh).fine
    # Beside the masks, as in a store's own folder, it is found.
    other = AnnotationStore(tmp_path / "other")
    assert import_annotations(other, store.path).skipped == ()
    assert (other.mask(other.current()[0]) == mask).all()
