"""`evaluate` with references and as a batch: protocols of their own, with a tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaclip.cli import main
from adaclip.data.samples import load_samples
from adaclip.errors import InputError
from adaclip.evaluating.protocols import draw_references
from adaclip.runs import read_run, wording
from tests.evaluating.evaluation_data import write_dataset
from tests.tiny import write_tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "parts")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return write_tiny(path, least_image_size=28, prompted_encoders="text")


def run(data: Path, checkpoint: Path, out: Path, *flags: str) -> int:
    base = ["--data", str(data), "--checkpoint", str(checkpoint), "--out", str(out)]
    return main(["evaluate", *base, *flags])


def test_references_are_drawn_from_the_test_split_and_left_out(data: Path) -> None:
    samples = load_samples(data)
    kept, drawn = draw_references(samples, [], 2, seed=0)
    again = draw_references(list(reversed(samples)), [], 2, seed=0)
    assert drawn == again[1]
    assert set(drawn) == {"nut", "tile"}
    taken = {each.rel_path for found in drawn.values() for each in found}
    assert len(taken) == 4
    assert not any(each.anomalous for found in drawn.values() for each in found)
    assert {s.rel_path for s in samples} - {s.rel_path for s in kept} == taken
    assert draw_references(samples, [], 2, seed=1)[1] != drawn
    with pytest.raises(InputError, match="class nut has 4 normal pictures"):
        draw_references(samples, [], 4, seed=0)


def test_references_of_the_train_split_leave_the_test_split_whole(tmp_path: Path) -> None:
    test = load_samples(write_dataset(tmp_path / "test"))
    folder = write_dataset(tmp_path / "train", masks=False)
    train = [s for s in load_samples(folder) if not s.anomalous]
    for sample in train:
        object.__setattr__(sample, "rel_path", sample.rel_path.replace("/test/", "/train/"))
    kept, drawn = draw_references(test, train, 4, seed=0)
    assert kept == test
    assert {len(found) for found in drawn.values()} == {4}


def test_each_draw_is_a_run_and_their_mean_is_printed(
    data: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(data, checkpoint, out, "--references", "2", "--seeds", "2") == 0
    printed = capsys.readouterr().out
    assert "mean of 2 draws of references" in printed
    found = [read_run(tmp_path / f"run-2-references-seed-{n}").results for n in (0, 1)]
    for one in found:
        assert wording.comparison(one) == "2 references"
        assert one.threshold.value == 0.5
        assert one.protocol.startswith("Compared with 2 normal pictures of each class")
        assert [(c.normal, c.anomalous) for c in one.classes] == [(2, 4), (2, 4)]
    mean = sum(one.mean.image_level.auroc or 0 for one in found) / 2
    assert f"{100 * mean:.1f}" in printed
    assert found[0].settings["references"] != found[1].settings["references"]
    # Resumed, it is the same run.
    assert run(data, checkpoint, out, "--references", "2", "--seeds", "2", "--resume") == 0
    assert run(data, checkpoint, out, "--references", "2", "--seeds", "2") == 2


def test_a_batch_run_says_so(data: Path, checkpoint: Path, tmp_path: Path) -> None:
    assert run(data, checkpoint, tmp_path / "run", "--batch") == 0
    found = read_run(tmp_path / "run").results
    assert wording.comparison(found) == "batch"
    assert found.protocol.startswith("All test pictures of a class")
    assert run(data, checkpoint, tmp_path / "plain") == 0
    assert wording.comparison(read_run(tmp_path / "plain").results) == wording.ZERO_SHOT


def test_protocols_that_do_not_go_together_are_refused(
    data: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(data, checkpoint, out, "--batch", "--references", "1") == 2
    assert "choose one" in capsys.readouterr().err
    assert run(data, checkpoint, out, "--seeds", "2") == 2
    assert "--references" in capsys.readouterr().err
    assert run(data, checkpoint, out, "--references", "9") == 2
    assert "too few" in capsys.readouterr().err
