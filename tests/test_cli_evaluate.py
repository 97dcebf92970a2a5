"""The command `evaluate`: what it prints, what it leaves behind, and its exit codes."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from adaclip.checkpoints import catalogue
from adaclip.cli import evaluate, main
from adaclip.data.samples import load_samples, read_mask
from adaclip.evaluating.sources import SyntheticSource, synthetic_samples
from adaclip.runs import read_run
from adaclip.synthetic import benchmark_set
from adaclip.types import resize_map
from tests.evaluating.evaluation_data import BrightDetector, write_dataset
from tests.metrics.oracles import by_scikit_learn

THREE_KINDS = sorted({entry.class_name for entry in benchmark_set.entries()})[:3]
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "parts")


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> BrightDetector:
    """Stands in for the engine and for the catalogue's `find`."""
    stub = BrightDetector()
    module = types.ModuleType("adaclip.detecting.detector")
    module.load_detector = lambda checkpoint, **options: stub  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "adaclip.detecting.detector", module)
    monkeypatch.setattr(catalogue, "find", lambda checkpoint: stub.info)
    return stub


def run(*words: object) -> int:
    return main(["evaluate", "--batch-size", "1", *map(str, words)])


def test_a_table_of_classes_and_their_mean(
    data: Path,
    tmp_path: Path,
    detector: BrightDetector,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--data", data, "--out", tmp_path / "run") == 0
    out, err = capsys.readouterr()
    results = read_run(tmp_path / "run").results.to_json()
    for name, entry in [
        *((c["class_name"], c) for c in results["classes"]),
        ("mean", results["mean"]),
    ]:
        [line] = [line for line in out.splitlines() if line.startswith(name + " ")]
        cells = line.split()
        shown = cells[-10:]
        expected = [
            *entry["image_level"].values(),
        ][:3]
        assert shown[:3] == [f"{100 * value:.1f}" for value in expected]
        assert shown[6] == f"{100 * entry['aupro']:.1f}"
    assert "4+4" in out
    assert "ranked by probability instead" in out
    assert "peak on a contour" in out
    assert "threshold 0.5000 (made up); resolution native; ranked by margin" in out
    assert f"run: {tmp_path / 'run'}" in err


def test_json_holds_the_results(
    data: Path, tmp_path: Path, detector: BrightDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", data, "--out", tmp_path / "run", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == read_run(tmp_path / "run").results.to_json()


def test_a_batch_size_that_was_given_is_recorded_even_if_it_is_one() -> None:
    parser = argparse.ArgumentParser()
    evaluate.add_parser(parser.add_subparsers())
    given = parser.parse_args(["evaluate", "--data", "x", "--batch-size", "1"])
    left_out = parser.parse_args(["evaluate", "--data", "x"])
    assert evaluate._command(given).endswith("evaluate --batch-size 1 --data x")
    assert evaluate._command(left_out).endswith("evaluate --data x")


def test_what_was_guessed_is_said_and_recorded_and_can_be_answered(
    tmp_path: Path, detector: BrightDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_dataset(tmp_path / "own", classes=("nut",), count=2)
    (root / "nut/test/good").rename(root / "nut/test/clean")
    masks = root / "nut/ground_truth/hole"
    (masks / "000_mask.png").rename(masks / "000_001.png")
    assert run("--data", root, "--out", tmp_path / "a") == 0
    said = capsys.readouterr().err
    assert "warning: unclear name: nut/test/clean" in said
    assert "paired by a number alone: nut/test/hole/000.png" in said
    assert run("--data", root, "--out", tmp_path / "b", "--normal", "clean") == 0
    assert "unclear name" not in capsys.readouterr().err
    results = read_run(tmp_path / "b").results
    assert any("by a number alone" in warning for warning in results.warnings)
    assert "--normal clean" in (results.command or "")
    assert [entry.normal for entry in results.classes] == [2]


def test_the_recorded_command_makes_the_same_run(
    data: Path, tmp_path: Path, detector: BrightDetector
) -> None:
    words = ["--limit", 4, "--class-name", "", "--resolution", 518, "--ranked-by", "probability"]
    first = tmp_path / "a b" / "run"
    assert run("--data", data, "--out", first, "--keep-maps", "--resume", *words) == 0
    made = read_run(first)
    command = shlex.split(made.results.command or "")
    assert command[:4] == ["python", "-m", "adaclip", "evaluate"]
    assert "--resume" not in command
    shutil.rmtree(first)
    assert main(command[3:]) == 0
    assert read_run(first).results.settings == made.results.settings
    assert detector.prompts == {""}
    assert len(read_run(first).images()) == 8


def test_interrupted_it_keeps_what_is_done_and_goes_on(
    data: Path, tmp_path: Path, detector: BrightDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(judged: int) -> None:
        if judged == 6:
            raise KeyboardInterrupt

    detector.before = interrupt
    assert run("--data", data, "--out", tmp_path / "run") == 130
    assert "6 of 16 images done" in capsys.readouterr().err
    assert len(read_run(tmp_path / "run").images()) == 6
    assert run("--data", data, "--out", tmp_path / "run") == 2
    assert "--resume" in capsys.readouterr().err
    detector.before = lambda judged: None
    assert run("--data", data, "--out", tmp_path / "run", "--resume") == 0
    assert detector.judged == 16
    assert read_run(tmp_path / "run").complete
    before = (tmp_path / "run" / "results.json").read_bytes()
    assert run("--data", data, "--out", tmp_path / "run", "--resume") == 0
    assert (tmp_path / "run" / "results.json").read_bytes() == before


def test_failed_images_give_1_and_nothing_but_failures_2(
    data: Path, tmp_path: Path, detector: BrightDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "parts"
    shutil.copytree(data, root)
    (root / "nut/test/good/000.png").write_bytes(b"broken")
    assert run("--data", root, "--out", tmp_path / "some") == 1
    assert "nut/test/good/000.png: is text" in capsys.readouterr().err
    for path in root.glob("*/test/*/*.png"):
        path.write_bytes(b"broken")
    assert run("--data", root, "--out", tmp_path / "all") == 2
    out, err = capsys.readouterr()
    assert "n/a: pixel level of nut: no images" in out
    assert "and 6 more, see images.csv" in err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--data", "{data}/absent"], "absent"),
        (["--data", "{data}", "--dataset", "no-such-set"], "no-such-set"),
        (["--data", "synthetic", "--dataset", "mvtec"], "leave --dataset out"),
        (["--data", "{empty}"], "empty"),
        (["--data", "{data}", "--class-name", "x" * 200], "class name"),
        (["--data", "{data}", "--limit", "0"], "at least 1"),
        (["--data", "{data}", "--out", "{full}"], "holds other things"),
        ([], "--data"),
    ],
)
def test_what_cannot_be_done_is_said_with_2(
    words: list[str],
    complaint: str,
    data: Path,
    tmp_path: Path,
    detector: BrightDetector,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"data": data, "empty": tmp_path / "empty", "full": tmp_path / "full"}
    places["empty"].mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")

    def refuse(judged: int) -> None:
        from adaclip.errors import InputError

        raise InputError("the class name is too long")

    detector.before = refuse
    filled = [word.format(**places) for word in words]
    if "--out" not in filled:
        filled += ["--out", str(tmp_path / "run")]
    assert run(*filled) == 2
    assert complaint in capsys.readouterr().err


def test_a_folder_of_several_datasets_names_the_choices(
    tmp_path: Path, detector: BrightDetector, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "sets" / "one", count=2)
    write_dataset(tmp_path / "sets" / "two", count=2)
    assert run("--data", tmp_path / "sets", "--out", tmp_path / "run") == 2
    assert "one, two" in capsys.readouterr().err


def test_without_out_the_run_has_a_place_of_its_own(
    data: Path, tmp_path: Path, detector: BrightDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADACLIP_DATA", str(tmp_path))
    assert run("--data", data, "--limit", 2) == 0
    assert read_run(tmp_path / "runs" / "parts-bright").complete


def test_a_leak_is_said_at_the_start_and_in_the_table(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    detector: BrightDetector,
    capsys: pytest.CaptureFixture[str],
) -> None:
    detector.info = BrightDetector(trained_on=("parts",)).info
    assert run("--data", data, "--out", tmp_path / "run") == 0
    out, err = capsys.readouterr()
    assert "was trained on parts" in out
    assert "note: Bright was trained on parts" in err


def test_help_and_complaints_load_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; from adaclip.cli import main; main(['evaluate', '--help']); "
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_synthetic_set_is_drawn_as_it_is_judged(
    tmp_path: Path, detector: BrightDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [entry for entry in benchmark_set.entries() if entry.class_name in THREE_KINDS]
    monkeypatch.setattr(benchmark_set, "entries", lambda: few)
    assert run("--data", "synthetic", "--limit", 1, "--out", tmp_path / "run") == 0
    made = read_run(tmp_path / "run")
    assert made.results.synthetic
    assert made.data_root is None
    assert made.results.dataset == "synthetic"
    assert detector.judged == len(made.results.classes) == 3
    samples = synthetic_samples()
    assert len({sample.rel_path for sample in samples}) == len(samples)
    source, broken = SyntheticSource(), next(sample for sample in samples if sample.anomalous)
    mask = source.mask(broken, source.image(broken).shape[:2])
    assert mask is not None
    assert mask.any()


@pytest.mark.skipif(not (REAL / "magnetic_tile").is_dir(), reason="the photographs are not here")
@pytest.mark.parametrize("dataset", ["magnetic_tile", "deepcrack"])
def test_real_photographs_give_scikit_learns_values(dataset: str, tmp_path: Path) -> None:
    words = ["--data", str(REAL / dataset), "--limit", "2", "--keep-maps"]
    assert main(["evaluate", *words, "--out", str(tmp_path / "run")]) == 0
    made = read_run(tmp_path / "run")
    samples = {sample.rel_path: sample for sample in load_samples(REAL / dataset)}
    normal, anomalous = [], []
    for _, row in made.images().iterrows():
        size = (int(row["height"]), int(row["width"]))
        margin = resize_map(made.margin_map(row), size)
        mask = read_mask(samples[row["rel_path"]], size)
        normal.append(margin[~mask])
        anomalous.append(margin[mask])
    expected = by_scikit_learn(np.concatenate(normal), np.concatenate(anomalous))
    [entry] = made.results.classes
    found = tuple(entry.value("pixel", name) for name in ("auroc", "average_precision", "max_f1"))
    assert found == pytest.approx(expected, abs=1e-9)
