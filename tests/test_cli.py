"""`adaclip detect`: its contract, with a stub for the engine."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip import cli
from adaclip.errors import AdaClipError
from tests.broken_inputs import odd_inputs
from tests.stub_detector import FIELDS, StubDetector, json_lines, save


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> StubDetector:
    return StubDetector().install(monkeypatch)


def test_one_json_line_per_image(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, level in (("a.png", 51), ("b.png", 140), ("c.png", 204)):
        save(tmp_path / name, level)
    assert cli.main(["detect", str(tmp_path), "--format", "json", "--class-name", "nut"]) == 0
    captured = capsys.readouterr()
    records = json_lines(captured.out)
    assert [list(record) for record in records] == [FIELDS] * 3
    assert records[2] == {
        "image": str(tmp_path / "c.png"),
        "class_name": "nut",
        "anomaly_score": 0.8,
        "verdict": "anomalous",
        "threshold": 0.6,
        "threshold_source": "made up",
        "checkpoint": "stub",
        "seconds": 0.25,
    }
    assert [record["verdict"] for record in records] == ["normal", "review", "anomalous"]
    assert captured.err == ""


def test_flags_reach_the_engine(stub: StubDetector, tmp_path: Path) -> None:
    image = str(save(tmp_path / "a.png"))
    assert cli.main(["detect", image]) == 0
    assert stub.asked == {
        "checkpoint": "lite",
        "device": "auto",
        "precision": "auto",
        "class_name": "object",
        "batch_size": None,
    }
    flags = ["--checkpoint=all", "--device=cpu", "--precision=fp32", "--batch-size=4"]
    assert cli.main(["detect", image, *flags, "--class-name", "metal nut"]) == 0
    assert stub.asked == {
        "checkpoint": "all",
        "device": "cpu",
        "precision": "fp32",
        "class_name": "metal nut",
        "batch_size": 4,
    }


def test_a_threshold_given_by_hand_is_called_manual(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(save(tmp_path / "a.png", 51))
    cli.main(["detect", image, "--threshold", "0.2", "--format", "json"])
    [record] = json_lines(capsys.readouterr().out)
    assert (record["threshold"], record["threshold_source"]) == (0.2, "manual")
    assert record["verdict"] == "anomalous"


@pytest.mark.parametrize("batch_size", ["1", "2", "50"])
def test_bad_files_get_their_line_in_order_and_the_rest_go_on(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str], batch_size: str
) -> None:
    order = "bggbbgb"
    paths = [tmp_path / f"{index}.png" for index in range(len(order))]
    for path, kind in zip(paths, order, strict=True):
        save(path) if kind == "g" else path.write_bytes(b"no image")
    assert cli.main(["detect", str(tmp_path), "--format=json", "--batch-size", batch_size]) == 1
    records = json_lines(capsys.readouterr().out)
    assert [record["image"] for record in records] == [str(path) for path in paths]
    assert "".join("b" if "error" in record else "g" for record in records) == order
    assert set(records[0]) == {"image", "error"}
    assert "0.png" in str(records[0]["error"])


@pytest.mark.parametrize("output", ["json", "table"])
def test_nothing_readable_is_exit_code_2(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert cli.main(["detect", str(tmp_path), "missing.png", "--format", output]) == 2
    out = capsys.readouterr().out
    assert "is empty" in out
    assert "missing.png" in out


def test_images_are_read_as_the_engine_asks(
    stub: StubDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory holds a batch, not the folder."""
    for index in range(40):
        save(tmp_path / f"{index:02}.png")
    opened = 0
    load_image = cli.detect.load_image

    def count(path: Path, **options: object) -> object:
        nonlocal opened
        opened += 1
        assert opened <= stub.read + 4
        return load_image(path, **options)

    monkeypatch.setattr(cli.detect, "load_image", count)
    assert cli.main(["detect", str(tmp_path), "--batch-size", "4"]) == 0
    assert opened == stub.read == 40


def test_when_the_engine_fails_on_one_image_the_rest_go_on(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(5):
        save(tmp_path / f"{index}.png")
    failed: list[int] = []

    def fail_once(index: int) -> None:
        if index == 2 and not failed:
            failed.append(index)
            raise AdaClipError("not enough memory")

    stub.before = fail_once
    assert cli.main(["detect", str(tmp_path), "--format", "json"]) == 1
    records = json_lines(capsys.readouterr().out)
    assert [record.get("error") for record in records] == [
        None,
        None,
        "not enough memory",
        None,
        None,
    ]


def test_what_is_wrong_with_the_request_is_said_once(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(save(tmp_path / "a.png"))
    assert cli.main(["detect", image, "--class-name", "x" * 81, "--format", "json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "adaclip: the class name is too long\n"


def test_notes_are_passed_on_where_there_are_any(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.arange(0, 4096, 16, np.uint16).reshape(16, 16)).save(path)
    cli.main(["detect", str(path), "--format", "json"])
    [record] = json_lines(capsys.readouterr().out)
    assert record["notes"] == ["16-bit, 0 to 4080 shown as black to white"]


def test_the_table_is_aligned(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.png", 51)
    save(tmp_path / "b.png", 204)
    (tmp_path / "c.png").write_bytes(b"")
    assert cli.main(["detect", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "verdict     score  threshold  image",
        f"normal     0.2000     0.6000  {tmp_path}/a.png",
        f"anomalous  0.8000     0.6000  {tmp_path}/b.png",
        f"failed          -          -  {tmp_path}/c.png: is empty (0 bytes)",
    ]
    assert captured.err == "3 images: 1 anomalous, 1 normal, 1 failed\n"


def test_out_holds_the_map_and_the_overlay(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = save(tmp_path / "in" / "a.png", 204, size=(40, 30))
    out = tmp_path / "new" / "out"
    assert cli.main(["detect", str(image), "--out", str(out), "--format", "json"]) == 0
    [record] = json_lines(capsys.readouterr().out)
    assert list(record) == [*FIELDS, "margin_map", "overlay"]
    margin = np.load(str(record["margin_map"]))
    assert (margin.shape, margin.dtype) == ((30, 40), np.float32)
    np.testing.assert_allclose(margin, 3.0, rtol=1e-6)
    with Image.open(str(record["overlay"])) as overlay:
        assert (overlay.format, overlay.mode, overlay.size) == ("PNG", "RGB", (40, 30))
    assert sorted(path.name for path in out.iterdir()) == ["a_margin.npy", "a_overlay.png"]


def test_a_second_run_does_not_judge_the_overlays_of_the_first(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b_overlay.png")  # the user's own: no margin map beside it
    for _ in range(2):
        assert cli.main(["detect", str(tmp_path), "--out", str(tmp_path), "--format=json"]) == 0
        records = json_lines(capsys.readouterr().out)
        names = [Path(str(record["image"])).name for record in records]
        assert names == ["a.png", "b_overlay.png"]


def test_output_names_neither_collide_nor_escape(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for name in ("one/a.png", "two/a.png", "two/A.jpg", "two/a_2.png", "..\\..\\up.png", "...png"):
        save(source / name)
    for index, name in enumerate(odd_inputs()):
        if len(name) < 30 or name.startswith("zzz"):
            save(source / f"odd{index}" / name.replace("/", "_"))
    save(source / os.fsdecode(b"not utf-8 \xff.png"))
    files = [str(path) for path in source.rglob("*") if path.is_file()]
    assert cli.main(["detect", *files, "--out", str(out), "--format", "json"]) == 0
    records = json_lines(capsys.readouterr().out)
    assert [record["image"] for record in records] == files
    written = [str(record[key]) for record in records for key in ("margin_map", "overlay")]
    assert len({path.casefold() for path in written}) == 2 * len(files)
    assert {Path(path).parent for path in written} == {out}
    assert sorted(written) == sorted(str(path) for path in out.iterdir())
    assert all(Path(path).name.isprintable() or "\u200d" in path for path in written)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_an_output_folder_that_cannot_be_written_fails_each_image(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(save(tmp_path / "a.png"))
    (tmp_path / "file").write_text("x")
    assert cli.main(["detect", image, "--out", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err
    below = str(tmp_path / "file" / "below")
    assert cli.main(["detect", image, "--out", below, "--format", "json"]) == 2
    [record] = json_lines(capsys.readouterr().out)
    assert "cannot write" in str(record["error"])


def test_ctrl_c_keeps_what_was_done(
    stub: StubDetector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(5):
        save(tmp_path / f"{index}.png")

    def interrupt(index: int) -> None:
        if index == 2:
            raise KeyboardInterrupt

    stub.before = interrupt
    out = tmp_path / "out"
    assert cli.main(["detect", str(tmp_path), "--format", "json", "--out", str(out)]) == 130
    captured = capsys.readouterr()
    assert len(json_lines(captured.out)) == 2
    assert len(list(out.iterdir())) == 4
    assert captured.err == "adaclip: interrupted, 2 of 5 images done\n"


def test_a_progress_bar_comes_when_it_takes_longer(
    stub: StubDetector,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for index in range(4):
        save(tmp_path / f"{index}.png")
    stub.before = lambda index: time.sleep(0.4)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(["detect", str(tmp_path), "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert len(json_lines(captured.out)) == 4
    assert "4/4" in captured.err
