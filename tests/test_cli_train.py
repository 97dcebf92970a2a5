"""`adaclip train`: its flags, its lines, its refusals, and Ctrl-C."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

import adaclip
from adaclip import cli
from adaclip.cli import train as cli_train
from adaclip.config import TrainConfig
from adaclip.errors import AdaClipError
from adaclip.training import step, trainer
from adaclip.training.trainer import Listeners
from tests.tiny import write_tiny
from tests.training.training_set import write_set

ROOT = Path(adaclip.__file__).parent.parent


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[TrainConfig]:
    """The configs that reach the trainer, which stops there."""
    configs: list[TrainConfig] = []

    def stop(config: TrainConfig, listeners: Listeners) -> None:
        configs.append(config)
        raise AdaClipError("stopped")

    monkeypatch.setattr(trainer, "train", stop)
    return configs


def test_defaults_are_the_published_ones(seen: list[TrainConfig]) -> None:
    assert cli.main(["train", "--auxiliary", "a", "b"]) == 2
    assert seen == [TrainConfig(auxiliary=("a", "b"))]
    config = seen[0]
    assert (config.learning_rate, config.betas, config.epochs) == (0.01, (0.5, 0.999), 5)
    assert (config.batch_size, config.seed, config.dice, config.mosaic) == (1, 111, "image", 0.0)


def test_every_flag_reaches_the_trainer(seen: list[TrainConfig]) -> None:
    flags = (
        "--auxiliary x mvtec=y --synthetic 10 --validation held --metric pixel_max_f1 --mosaic .5 "
        "--init lite --backbone lite --backbone-weights w.pt --no-include-backbone "
        "--image-size 70 --out o.safetensors --epochs 2 --batch-size 3 --accumulate 4 "
        "--learning-rate 0.001 --precision bf16 --device cpu --seed 7 --dice per-row --resume"
    )
    assert cli.main(["train", *flags.split()]) == 2
    assert seen == [
        TrainConfig(
            auxiliary=("x", "mvtec=y"),
            synthetic=10,
            out="o.safetensors",
            init="lite",
            backbone="lite",
            backbone_weights="w.pt",
            include_backbone=False,
            image_size=70,
            validation="held",
            metric="pixel_max_f1",
            epochs=2,
            batch_size=3,
            accumulate=4,
            learning_rate=0.001,
            precision="bf16",
            device="cpu",
            seed=7,
            mosaic=0.5,
            dice="row",
            resume=True,
        )
    ]
    cli.main(["train", "--validation", "0.2"])
    assert seen[1].validation == 0.2


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ([], "nothing to train on"),
        (["--auxiliary", "missing"], "missing"),
        (["--metric", "accuracy"], "invalid choice"),
        (["--dice", "per-column"], "invalid choice"),
        (["--mosaic", "2"], "2 is not between 0 and 1"),
        (["--epochs", "0"], "0 is not at least 1"),
        (["--validation", "0.8"], "validation is 0.8"),
        (["--validation", "nan"], "validation is nan"),
        (["--synthetic", "-3"], "synthetic is -3"),
        (["--out", "model.bin"], "ends in .safetensors"),
        (["--resume"], "nothing to resume"),
        (["--device", "quantum"], "quantum"),
        (["--device", "cpu", "--precision", "fp16"], "fp16 needs a GPU"),
    ],
)
def test_a_bad_request_is_exit_code_2_and_a_sentence(
    flags: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert complaint in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_tiny(folder / "tiny.safetensors")
    write_set(folder / "set", classes=("plate",), normal=4, anomalous=4)
    return folder


def flags(folder: Path, out: Path, **changes: Any) -> list[str]:
    """The command's words; a change to None leaves a flag out."""
    fields: dict[str, Any] = {
        "auxiliary": folder / "set",
        "backbone": folder / "tiny.safetensors",
        "out": out,
        "validation": 0.25,
        "epochs": 2,
        "batch-size": 2,
        "device": "cpu",
        "precision": "fp32",
    } | changes
    given = {name: value for name, value in fields.items() if value is not None}
    return ["train", *(f"--{name.replace('_', '-')}={value}" for name, value in given.items())]


def test_a_line_for_each_epoch_and_one_for_the_result(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    assert cli.main(flags(folder, out)) == 0
    captured = capsys.readouterr()
    first, second, last = captured.out.splitlines()
    number = r"\d\.\d{4}"
    assert re.match(rf"epoch 1/2  loss {number}  image_auroc {number}  ", first)
    assert re.search(r"best image_auroc  \d:\d\d gone  about \d:\d\d left$", first)
    assert second.startswith("epoch 2/2")
    assert "left" not in second
    assert last.startswith(f"{out}: epoch ")
    assert "threshold 0.5000 (default 0.5" in last
    assert captured.err == ""


def test_what_is_left_out_is_said(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_set(tmp_path / "data", classes=("plate",), normal=8, anomalous=8)
    (root / "plate" / "test" / "good" / "000.png").write_bytes(b"")
    out = tmp_path / "out.safetensors"
    assert cli.main(flags(folder, out, auxiliary=root, epochs=1)) == 0
    error = capsys.readouterr().err
    assert "1 image is left out" in error
    assert "000.png: is empty" in error


def test_an_interruption_before_the_first_epoch_keeps_nothing(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "new_training_model", interrupt)
    assert cli.main(flags(folder, tmp_path / "out.safetensors")) == 130
    assert "no epoch was done, so nothing is kept" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_after_a_failure_the_advice_leads_on(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the second epoch on the loss is infinite; `--resume` meets that again, `--init` not."""
    out, new = tmp_path / "out.safetensors", tmp_path / "new.safetensors"
    advice = (
        f"adaclip: {out} holds epoch 1, the last; to change an option, go on from it with "
        f"--init {out} --out NEW.safetensors; --resume is for the same options\n"
    )
    whole = step.adaclip_loss
    monkeypatch.setattr(
        step,
        "adaclip_loss",
        lambda *a, **k: whole(*a, **k) * (float("inf") if out.exists() else 1.0),
    )
    command = flags(folder, out, validation=0)
    for more, complaint in (
        ([], "use a lower learning rate"),
        (["--resume"], "use a lower learning rate"),
        (["--resume", "--learning-rate=0.001"], "learning_rate was 0.01, is 0.001"),
    ):
        assert cli.main([*command, *more]) == 2
        error = capsys.readouterr().err
        assert complaint in error
        assert error.endswith(advice)
    monkeypatch.undo()
    changed = {"backbone": None, "init": out, "learning_rate": 0.001}
    assert cli.main(flags(folder, new, validation=0, **changed)) == 0
    # Not this run's, so there is nothing to say of it.
    assert cli.main(command) == 2
    assert "holds epoch" not in capsys.readouterr().err


def test_the_bar_shows_the_running_loss_and_the_validation(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        cli_train, "progress_bar", lambda **options: tqdm(file=screen, mininterval=0, **options)
    )
    assert cli.main(flags(folder, tmp_path / "out.safetensors", epochs=1)) == 0
    shown = screen.getvalue()
    assert re.search(r"epoch 1: +33%.* 2/6 .*loss \d\.\d{4}\]", shown)
    assert re.search(r"validating: 100%.* 2/2 ", shown)
    assert not re.search(r"(validating|checking images):.*loss", shown)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_ctrl_c_keeps_the_last_epoch_and_resume_goes_on(folder: Path, tmp_path: Path) -> None:
    """As a process: what a terminal's Ctrl-C really does."""
    out = tmp_path / "out.safetensors"
    command = [sys.executable, "-m", "adaclip", *flags(folder, out, epochs=500)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell runs in the background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("epoch 1/500")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    kept = re.search(
        r"adaclip: interrupted; (.*) holds epoch \d+, the best of (\d+) by image_auroc; "
        r"--resume goes on after epoch (\d+)",
        error,
    )
    assert kept is not None, error
    assert kept[1] == str(out)
    assert kept[2] == kept[3]
    assert "Traceback" not in error
    epochs = int(kept[2]) + 1
    assert cli.main([*flags(folder, out, epochs=epochs), "--resume"]) == 0
