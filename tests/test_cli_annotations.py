"""`adaclip annotations`: what it prints, its exit codes, and an export that training takes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip import cli
from adaclip.annotations.exports import FORMATS
from adaclip.annotations.pictures import remember_roots
from adaclip.annotations.store import AnnotationStore
from adaclip.annotations.thresholds import suggest
from adaclip.cli.annotation_commands import KINDS
from tests.annotations.samples import flag, picture, resaved, row
from tests.tiny import write_tiny


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    store = AnnotationStore(tmp_path / "labels")
    for number in range(4):
        flag(store, number)
        flag(store, 10 + number, verdict="FN", region=True, defect_type="scratch")
    return store


def run(store: AnnotationStore, command: str, *arguments: object) -> int:
    place = ["--annotations", str(store.folder)]
    return cli.main(["annotations", command, *map(str, arguments), *place])


def test_the_kinds_of_export_are_the_stores():
    assert tuple(FORMATS) == KINDS


def test_check_says_what_is_there_and_that_nothing_is_wrong(store, capsys):
    assert run(store, "check") == 0
    out = capsys.readouterr().out
    assert "8 rows, 8 of them hold, 0 take one back" in out
    assert "4 FN, 4 FP; annotators: 1" in out
    assert "4 masks, 8 kept pictures" in out
    assert out.endswith("nothing wrong\n")


def test_check_names_what_is_wrong_and_exits_with_1(store, capsys):
    lost = next((store.folder / "masks").iterdir())
    lost.unlink()
    (store.folder / "masks" / "stray.png").write_bytes(b"")
    assert run(store, "check") == 1
    out = capsys.readouterr().out
    assert "missing mask: e" in out
    assert "orphaned mask: masks/stray.png" in out
    assert out.endswith("2 found\n")
    assert run(store, "check", "--format", "json") == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["fine"]
    assert {f["kind"] for f in report["findings"]} == {"missing mask", "orphaned mask"}


def test_a_folder_that_is_not_there_is_no_store(tmp_path, capsys):
    for command in ("check", "compact", "thresholds"):
        assert cli.main(["annotations", command, "--annotations", str(tmp_path / "no")]) == 2
        assert "no such folder of annotations" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_compact_says_what_went_and_where_the_old_file_is(store, capsys):
    store.retract(store.current()[0].event_id, annotator="Ann")
    assert run(store, "compact") == 0
    out = capsys.readouterr().out
    assert "7 rows kept, 2 no longer hold" in out
    assert "backups" in out
    assert run(store, "check") == 0


def test_export_and_import_give_the_same_view(store, tmp_path, capsys):
    assert run(store, "export", "--format", "zip", "--out", tmp_path / "out.zip") == 0
    assert "out.zip: 8 rows (8 images)" in capsys.readouterr().out
    fresh = AnnotationStore(tmp_path / "fresh")
    assert run(fresh, "import", tmp_path / "out.zip") == 0
    assert "8 rows added, 0 were here already, 8 pictures kept" in capsys.readouterr().out
    assert fresh.current() == store.current()


def test_import_makes_the_folder_and_says_what_it_skipped(store, tmp_path, capsys):
    run(store, "export", "--out", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open("ab") as file:
        file.write(b"half a row")
    place = ["--annotations", str(tmp_path / "new")]
    assert cli.main(["annotations", "import", str(tmp_path / "out.csv"), *place]) == 1
    out, err = capsys.readouterr()
    assert "8 rows added" in out
    assert "the last line was skipped" in err
    assert cli.main(["annotations", "import", str(tmp_path / "none"), *place]) == 2


def test_a_store_that_a_spreadsheet_saved_is_taken_back_by_the_command_it_names(store, capsys):
    before = len(store.current())
    store.path.write_bytes(resaved(store.path).replace(b'"FP"', b'"TN"'))
    assert run(store, "check") == 2
    said = capsys.readouterr().err
    command = said.split("`")[1]
    arguments = shlex.split(command)[1:]
    assert cli.main([*arguments, "--annotator", "Bob"]) == 0
    out, err = capsys.readouterr()
    assert "as Bob's" in out
    assert "rows were added with their scores as the other program wrote them" in err
    assert "the file as it was: " in out
    assert run(store, "check") == 0
    fresh = AnnotationStore(store.folder)
    assert len(fresh.current()) == before
    by_whom = {(a.verdict, a.annotator) for a in fresh.current()}
    assert by_whom == {("TN", "Bob"), ("FN", "Ann")}


def test_pictures_of_a_reviewed_folder_are_found_or_the_error_names_data_root(tmp_path, capsys):
    data = tmp_path / "data" / "nut/test/good"
    data.mkdir(parents=True)
    for number in range(2):
        Image.fromarray(picture(number)).save(data / f"{number}.png")
    store = AnnotationStore(tmp_path / "labels")
    flag(store, 0, keep=False)
    flag(store, 1, keep=False, verdict="TP")
    wanted = ("export", "--format", "mvtec", "--out")
    assert run(store, *wanted, tmp_path / "a") == 2
    assert "name the folder with --data-root" in capsys.readouterr().err
    assert run(store, "trainable") == 0
    out, err = capsys.readouterr()
    assert "0 of 2 reviewed pictures can be trained on" in out
    assert "left out 2: its picture was not kept" in err
    assert run(store, *wanted, tmp_path / "a", "--data-root", tmp_path / "no") == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert run(store, *wanted, tmp_path / "a", "--data-root", tmp_path / "data") == 0
    remember_roots(store, [tmp_path / "data"])  # as the page does when it starts
    assert run(store, *wanted, tmp_path / "b") == 0
    assert "2 pictures (1 normal, 1 anomalous, 0 masks, 1 image level only)" in (
        capsys.readouterr().out
    )
    assert run(store, "trainable", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["normal"] == 1


def test_benchmark_pictures_stay_out_with_a_word_and_come_with_a_warning(store, tmp_path, capsys):
    flag(store, 50, dataset="mvtec", split="test")
    assert run(store, "export", "--format", "mvtec", "--out", tmp_path / "a") == 0
    assert "left out 1: a test image of the benchmark mvtec" in capsys.readouterr().err
    named = ("--format", "mvtec", "--out", tmp_path / "b", "--include-dataset", "mvtec")
    assert run(store, "export", *named) == 0
    assert "cannot be measured on that benchmark" in capsys.readouterr().err


def test_thresholds_are_those_of_the_labels(store, capsys):
    rng = np.random.default_rng(0)
    for number in range(30):
        store.add(row(f"n{number}", class_name="screw", image_score=rng.uniform(0.2, 0.6)))
        if number < 12:
            score = rng.uniform(0.7, 0.9)
            store.add(row(f"a{number}", class_name="screw", verdict="TP", image_score=score))
    assert run(store, "thresholds") == 0
    out = capsys.readouterr().out
    found = {each.class_name: each for each in suggest(store.current())}
    assert f"threshold   {found['screw'].threshold:.4f}" in out
    assert "by max F1" in out
    assert "0.0 % (0.0 to 11.4; 0 of 30) after" in out
    assert "none yet    too few labelled pictures" in out
    assert run(store, "thresholds", "--format", "json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["class_name"] for line in lines] == ["nut", "screw"]


def test_the_exported_folder_is_trained_on_as_it_is(store, tmp_path, capsys):
    assert run(store, "export", "--format", "mvtec", "--out", tmp_path / "set") == 0
    write_tiny(tmp_path / "tiny.safetensors", logit_scale=30.0)
    code = cli.main(
        [
            *("train", "--auxiliary", str(tmp_path / "set"), "--epochs", "1"),
            *("--backbone", str(tmp_path / "tiny.safetensors"), "--precision", "fp32"),
            *("--out", str(tmp_path / "trained.safetensors"), "--validation", "0.25"),
            *("--device", "cpu", "--batch-size", "4"),
        ]
    )
    out, err = capsys.readouterr()
    assert code == 0, err
    assert "epoch 1/1" in out
    assert (tmp_path / "trained.safetensors").is_file()
    assert "without a mask" not in err
