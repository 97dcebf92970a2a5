"""`detect --references` and `detect --batch`, with a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.cli import main
from adaclip.comparing.files import save_references
from adaclip.detecting.detector import load_detector
from tests.tiny import write_tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return write_tiny(path, least_image_size=28, prompted_encoders="text")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(9):
        pixels = rng.integers(100, 130, (40 + number, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_batch_is_compared_with_itself(
    checkpoint: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--checkpoint", str(checkpoint), "--batch", "--out", str(tmp_path)]
    assert main(["detect", str(photos), *flags, "--format", "json"]) == 0
    found = lines(capsys)
    assert [Path(one["image"]).name for one in found] == [f"{n}.png" for n in range(9)]
    assert {one["compared_with"] for one in found} == {"8 others"}
    assert {one["threshold"] for one in found} == {0.5}
    assert found[0]["threshold_source"].startswith("this batch of 9")
    assert np.load(found[3]["margin_map"]).shape == (43, 50)
    assert main(["detect", str(photos), *flags, "--threshold", "0.9", "--format", "json"]) == 0
    assert {one["threshold_source"] for one in lines(capsys)} == {"manual"}
    few = [str(photos / f"{n}.png") for n in range(3)]
    assert main(["detect", *few, *flags, "--format", "json"]) == 0
    assert not any("compared_with" in one for one in lines(capsys))


def test_good_examples_come_from_files_folders_and_saved_files(
    checkpoint: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--checkpoint", str(checkpoint), "--format", "json"]
    good = [str(photos / f"{n}.png") for n in range(2)]
    shown = str(photos / "8.png")
    assert main(["detect", shown, *flags, "--references", *good]) == 0
    [found] = lines(capsys)
    assert found["compared_with"] == "2 good examples"
    assert found["threshold_source"] == "2 good examples, leave-one-out"
    detector = load_detector(checkpoint, device="cpu")
    pictures = [np.asarray(Image.open(path)) for path in good]
    save_references(detector.references(pictures, "object"), tmp_path / "nut.npz")
    assert main(["detect", shown, *flags, "--references", str(tmp_path / "nut.npz")]) == 0
    assert lines(capsys)[0]["anomaly_score"] == found["anomaly_score"]
    assert main(["detect", shown, *flags[:2], "--references", str(photos)]) == 0
    assert "compared with 9 good examples" in capsys.readouterr().err


def test_wrong_references_are_named(
    checkpoint: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ["detect", str(photos / "8.png"), "--checkpoint", str(checkpoint)]
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "broken.npz").write_bytes(b"PK broken")
    (tmp_path / "empty").mkdir()
    many = tmp_path / "many"
    many.mkdir()
    for number in range(200):
        (many / f"{number:03d}.png").write_bytes(b"")
    for given, said in (
        (str(tmp_path / "broken.png"), "broken.png"),
        (str(tmp_path / "broken.npz"), "broken.npz"),
        (str(tmp_path / "empty"), "no images found"),
        (str(many), "200 good examples"),
    ):
        assert main([*shown, "--references", given]) == 2
        assert said in capsys.readouterr().err
    assert main([*shown, "--batch", "--references", str(photos)]) == 2
    assert "choose one" in capsys.readouterr().err
