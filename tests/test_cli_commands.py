"""The command line's other commands, its refusals, and its manners as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import adaclip
from adaclip import cli
from adaclip.checkpoints import catalogue
from adaclip.errors import AdaClipError, CheckpointError, FetchError
from adaclip.types import CheckpointInfo, Threshold
from tests.stub_detector import FIELDS, StubDetector, json_lines, save

ROOT = Path(adaclip.__file__).parent.parent
LITE = ROOT / "adaclip" / "weights" / "lite.safetensors"

# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "COMMAND"),
        (["inspect"], "invalid choice"),
        (["detect"], "PATH"),
        (["detect", "x", "--threshold", "1.5"], "1.5 is not between 0 and 1"),
        (["detect", "x", "--threshold", "nan"], "nan is not between 0 and 1"),
        (["detect", "x", "--threshold", "high"], "--threshold"),
        (["detect", "x", "--batch-size", "0"], "0 is not at least 1"),
        (["detect", "x", "--precision", "int8"], "int8"),
        (["detect", "x", "--format", "xml"], "xml"),
        (["detect", "x", "--nonsense"], "--nonsense"),
        (["detect", "x", "--checkpoint", "nope"], "nope"),
        (["detect", "EMPTY"], "no images found in EMPTY"),
        (["fetch"], "ID"),
        (["fetch", "nope"], "nope"),
        (["checkpoints", "more"], "more"),
    ],
)
def test_a_bad_command_is_exit_code_2_and_a_sentence(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert complaint in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("arguments", [["--help"], ["detect", "--help"], ["--version"]])
def test_help_is_exit_code_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out


# --- checkpoints and fetch --------------------------------------------------------------------


def test_checkpoints_as_json_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    assert cli.main(["checkpoints", "--format", "json"]) == 0
    records = json_lines(capsys.readouterr().out)
    by_id = {record["id"]: record for record in records}
    ids = {"lite", "mvtec_colondb", "visa_clinicdb", "all", "mvtec_colondb+visa_clinicdb"}
    assert ids <= set(by_id)
    published = by_id["mvtec_colondb"]
    assert list(published) == [
        "id",
        "backbone",
        "size_bytes",
        "trained_on",
        "present",
        "how_to_get",
        "threshold",
        "threshold_source",
    ]
    assert published["trained_on"] == ["mvtec", "colondb"]
    assert published["present"] is False
    assert "fetch mvtec_colondb" in str(published["how_to_get"])
    assert str(tmp_path) in str(published["how_to_get"])
    assert isinstance(published["threshold"], float)
    assert published["threshold_source"]


def test_checkpoints_as_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = StubDetector()
    absent = CheckpointInfo(
        id="elsewhere",
        title="Elsewhere",
        backbone="ViT-L-14-336",
        trained_on=(),
        threshold=Threshold(value=0.25, source="F1-max on VisA"),
        map_threshold=0.5,
        licence="MIT",
        size_bytes=12_400_000,
        how_to_get="Ask a friend.",
    )
    monkeypatch.setattr(catalogue, "catalogue", lambda: [stub.info, absent])
    assert cli.main(["checkpoints"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "id         present  backbone      size     threshold",
        "stub       yes      none          unknown  0.6000",
        "elsewhere  no       ViT-L-14-336  12 MB    0.2500",
        "",
        "stub",
        "  trained on: synthetic",
        "  threshold from: made up",
        "",
        "elsewhere",
        "  trained on: unknown",
        "  threshold from: F1-max on VisA",
        "  to get it: Ask a friend.",
    ]


def _stub_hub(monkeypatch: pytest.MonkeyPatch, fetch: Callable[..., list[Path]]) -> None:
    module = types.ModuleType("adaclip.checkpoints.hub")
    module.fetch = fetch  # type: ignore[attr-defined]
    module.Progress = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "adaclip.checkpoints.hub", module)


def test_fetch_prints_where_the_files_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(identity: str, *, progress: Callable[[object], None]) -> list[Path]:
        assert identity == "all"
        for file in ("one.pth", "two.safetensors"):
            for done in (0, 500, 1000):
                progress(SimpleNamespace(file=file, done_bytes=done, total_bytes=1000, seconds=0.1))
        return [Path("/weights/one.pth"), Path("/weights/two.safetensors")]

    _stub_hub(monkeypatch, fetch)
    assert cli.main(["fetch", "all"]) == 0
    assert capsys.readouterr().out == "/weights/one.pth\n/weights/two.safetensors\n"


@pytest.mark.parametrize("error", [FetchError("no network"), CheckpointError("no such id")])
def test_a_failed_fetch_is_exit_code_2(
    error: AdaClipError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(identity: str, *, progress: object) -> list[Path]:
        raise error

    _stub_hub(monkeypatch, fetch)
    assert cli.main(["fetch", "all"]) == 2
    assert capsys.readouterr().err == f"adaclip: {error}\n"


def test_an_interrupted_fetch_is_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(identity: str, *, progress: object) -> list[Path]:
        raise KeyboardInterrupt

    _stub_hub(monkeypatch, fetch)
    assert cli.main(["fetch", "all"]) == 130
    assert "interrupted" in capsys.readouterr().err


# --- as a process -----------------------------------------------------------------------------

WITH_STUB = """
import sys
import pytest
from adaclip import cli
from tests.stub_detector import StubDetector
StubDetector().install(pytest.MonkeyPatch())
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_reader_that_leaves_is_no_traceback(tmp_path: Path) -> None:
    for index in range(200):
        save(tmp_path / f"{'long name ' * 20}{index}.png", size=(8, 8))
    command = [sys.executable, "-c", WITH_STUB, "detect", str(tmp_path), "--format", "json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["verdict"] == "normal"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_any_name_can_be_printed_in_any_encoding(tmp_path: Path) -> None:
    save(tmp_path / "🙂 ü.png")
    save(tmp_path / os.fsdecode(b"not utf-8 \xff.png"))
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", WITH_STUB, "detect", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert [line.rsplit("/", 1)[-1] for line in done.stdout.splitlines()[1:]] == [
        "not utf-8 ?.png",
        "? ?.png",
    ]


def test_only_detect_loads_torch() -> None:
    script = (
        "import sys; from adaclip.cli import main; "
        "assert main(['checkpoints']) == 0; assert main(['detect', '--help']) == 0; "
        "assert main(['detect', 'x', '--checkpoint', 'nope']) == 2; "
        "sys.exit('torch' in sys.modules or 'gradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_python_dash_m_adaclip_is_the_command_line() -> None:
    command = [sys.executable, "-m", "adaclip", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"adaclip {adaclip.__version__}\n"


def _detect_for_real(folder: Path, *flags: str) -> dict[str, object]:
    """Run `detect` as a user would on a picture and a broken file; the picture's record."""
    generator = np.random.default_rng(0)
    image = Image.fromarray(generator.integers(90, 130, (60, 80, 3), dtype=np.uint8))
    image.save(folder / "a.png")
    (folder / "b.png").write_bytes(b"broken")
    command = [sys.executable, "-m", "adaclip", "detect", str(folder), "--format", "json"]
    command += ["--out", str(folder / "out"), "--device", "cpu", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    good, bad = json_lines(done.stdout)
    assert set(bad) == {"image", "error"}
    return good


def test_the_real_engine_answers_the_command_line(tmp_path: Path) -> None:
    from tests.tiny import write_tiny

    checkpoint = write_tiny(tmp_path / "tiny.safetensors")
    record = _detect_for_real(tmp_path, "--checkpoint", str(checkpoint), "--precision", "fp32")
    assert list(record) == [*FIELDS, "margin_map", "overlay"]
    assert record["threshold_source"] == "made up for tests"
    assert 0.0 <= float(str(record["anomaly_score"])) <= 1.0
    margin = np.load(str(record["margin_map"]))
    assert (margin.shape, margin.dtype) == ((60, 80), np.float32)
    assert np.isfinite(margin).all()


@pytest.mark.skipif(not LITE.exists(), reason="lite.safetensors is not here")
def test_lite_judges_an_image(tmp_path: Path) -> None:
    record = _detect_for_real(tmp_path)
    assert list(record) == [*FIELDS, "margin_map", "overlay"]
    assert record["checkpoint"] == "lite"
    assert 0.0 <= float(str(record["anomaly_score"])) <= 1.0
