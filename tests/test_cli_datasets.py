"""The command `datasets`: list, card, check, write."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from adaclip.cli import main
from adaclip.data.cards import cards
from adaclip.synthetic import benchmark_set
from tests.data import trees

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


def test_the_list_names_every_dataset_with_its_counts(capsys):
    assert main(["datasets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = "mvtec MVTec AD industrial 15 467 1258 image and pixel"
    assert lines[1].split() == first.split()
    assert [line.split()[0] for line in lines[1:16]] == list(cards())


def test_the_list_in_json_is_a_card_a_line(capsys):
    assert main(["datasets", "--format", "json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["key"] for each in listed] == list(cards())
    assert listed[0]["class_cards"][0]["normal"] == 20


@pytest.mark.parametrize("key", list(cards()))
def test_a_card_is_shown_for_people_and_for_programs(capsys, key):
    assert main(["datasets", key]) == 0
    text = capsys.readouterr().out
    assert cards()[key].full_name in text
    assert "None" not in text
    assert main(["datasets", key, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == key


def test_an_undefined_floor_is_not_zero(capsys):
    assert main(["datasets", "isic"]) == 0
    text = capsys.readouterr().out
    assert "anomalous: n/a" in text
    assert "no normal images" in text


def test_an_unknown_dataset_ends_with_two(capsys):
    assert main(["datasets", "mvtek"]) == 2
    assert "choose from mvtec" in capsys.readouterr().err


def test_a_whole_copy_ends_with_zero(capsys, tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    assert main(["datasets", "--root", str(root)]) == 0
    assert "2 normal and 2 anomalous images: nothing wrong" in capsys.readouterr().out


def test_a_copy_with_faults_ends_with_one_and_lists_them(capsys, tmp_path):
    root = trees.mvtec_like(tmp_path / "MVTec", ("bottle",))
    (root / "bottle/ground_truth/crack/000_mask.png").unlink()
    assert main(["datasets", "mvtec", "--root", str(root)]) == 1
    text = capsys.readouterr().out
    assert "missing mask: bottle/test/crack/000.png" in text
    assert "count: cable: the class is missing, the card says 58 and 92" in text
    assert main(["datasets", "--root", str(root), "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["dataset"] == "mvtec"
    assert report["fine"] is False
    assert report["findings"][0]["kind"] == "missing mask"


def test_a_long_list_of_findings_is_cut_on_the_screen_alone(capsys, tmp_path):
    root = trees.mvtec_like(tmp_path / "own", normals=1)
    copy = (root / "tile/test/good/000.png").read_bytes()
    for number in range(1, 30):
        (root / "tile/test/good" / f"{number:03}.png").write_bytes(copy)
    assert main(["datasets", "--root", str(root)]) == 1
    assert "and 9 more" in capsys.readouterr().out
    assert main(["datasets", "--root", str(root), "--format", "json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 29


@pytest.mark.parametrize("arguments", [["--root"], ["visa", "--root"]])
def test_what_is_no_dataset_ends_with_two(capsys, tmp_path, arguments):
    assert main(["datasets", *arguments, str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(tmp_path) in captured.err


def test_the_synthetic_set_is_written_and_no_other(capsys, tmp_path, monkeypatch):
    one = benchmark_set.entries()[:1]
    monkeypatch.setattr(benchmark_set, "entries", lambda: one)
    monkeypatch.setattr(benchmark_set, "_by_path", lambda: {each.rel_path: each for each in one})
    assert main(["datasets", "synthetic", "--write", str(tmp_path / "set")]) == 0
    assert "1 images written" in capsys.readouterr().out
    assert (tmp_path / "set" / one[0].rel_path).is_file()
    assert main(["datasets", "mvtec", "--write", str(tmp_path / "other")]) == 2
    assert "adaclip datasets synthetic --write" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_what_a_name_leaves_open_is_asked_and_answered(capsys, tmp_path):
    root = trees.mvtec_like(tmp_path / "own", good="clean")
    assert main(["datasets", "--root", str(root)]) == 1
    text = capsys.readouterr().out
    assert "unclear name: tile/test/clean: was read as a kind of defect" in text
    assert "0 normal and 4 anomalous images" in text
    assert main(["datasets", "--root", str(root), "--normal", "Clean"]) == 0
    assert "2 normal and 2 anomalous images: nothing wrong" in capsys.readouterr().out
    assert main(["datasets", "--root", str(root), "--normal", "god"]) == 2
    assert "no folder is called 'god'; there are clean, crack" in capsys.readouterr().err


def test_links_out_of_the_folder_are_named_and_followed_when_asked(capsys, tmp_path):
    root = trees.mvtec_like(tmp_path / "own")
    (root / "tile/test/crack/far.png").symlink_to(trees.picture(tmp_path / "far.png"))
    assert main(["datasets", "--root", str(root)]) == 1
    assert "link outside: tile/test/crack/far.png" in capsys.readouterr().out
    main(["datasets", "--root", str(root), "--follow-links"])
    assert "2 normal and 3 anomalous images" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["datasets", "evaluate"])
def test_the_rule_for_grey_levels_of_masks_stands_in_the_help(capsys, command):
    with contextlib.suppress(SystemExit):
        main([command, "--help"])
    assert "brightest channel is above 0" in " ".join(capsys.readouterr().out.split())


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images are not here")
def test_a_real_folder_is_checked(capsys):
    assert main(["datasets", "--root", str(REAL / "aws_alien")]) == 0
    assert "58 normal and 60 anomalous images: nothing wrong" in capsys.readouterr().out
