"""Starting the page: settings, plain refusals, and a start that waits for no model."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from adaclip.errors import InputError
from demo import app

ROOT = Path(app.__file__).parents[1]


def test_defaults_come_from_the_config():
    flags = app.parse([])
    assert (flags.host, flags.port, flags.checkpoint) == ("127.0.0.1", 7860, "lite")


def test_the_password_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("APP_AUTH", "ann:secret:with colon")
    assert app.credentials(app.parse([]).auth) == ("ann", "secret:with colon")
    assert app.credentials("") is None


@pytest.mark.parametrize("text", ["ann", "ann:", ":secret"])
def test_half_a_password_is_refused_without_showing_it(text):
    with pytest.raises(InputError) as refusal:
        app.credentials(text)
    assert "secret" not in str(refusal.value)


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}.*--port"):
            app.check_port("127.0.0.1", port)


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(InputError, match="cannot listen"):
        app.check_port("127.0.0.1", port)


def test_uploads_go_to_a_folder_of_their_own_that_others_cannot_open(monkeypatch):
    monkeypatch.setattr(app.atexit, "register", lambda *_, **__: None)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "x")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    folder = app.prepare_environment()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    folder.rmdir()


def test_the_page_is_built_without_torch():
    code = (
        "import sys, tempfile, pathlib; from demo import app; flags = app.parse([]);"
        "folder = pathlib.Path(tempfile.mkdtemp());"
        "from demo.start import services_for; from demo.ui import build_ui, shell_params;"
        "build_ui(services_for(flags, folder)[0]); shell_params();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_an_unknown_checkpoint_is_refused_before_the_page_is_up(caplog, monkeypatch, tmp_path):
    monkeypatch.setattr(app, "prepare_environment", lambda: tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert app.main(["--port", str(port), "--checkpoint", "nope"]) == 2
    assert "Unknown checkpoint 'nope'" in caplog.text


def test_the_script_and_the_installed_command_start_the_same_page():
    result = subprocess.run(
        [sys.executable, "app.py", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.startswith("usage: app.py ")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["adaclip-studio"].partition(":")
    assert getattr(importlib.import_module(module), name) is app.main


def test_a_wheel_has_all_that_the_page_needs(tmp_path):
    for name in ("adaclip", "demo", "datasets_meta"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    build = "from setuptools.build_meta import build_wheel; build_wheel('.')"
    ran = subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        [points] = [name for name in packed if name.endswith("entry_points.txt")]
        assert "adaclip-studio = demo.app:main" in archive.read(points).decode()
    for folder, ending in (("templates", "html"), ("assets", "js"), ("assets", "css")):
        for path in (ROOT / "demo" / folder).glob(f"*.{ending}"):
            assert path.relative_to(ROOT).as_posix() in packed
    assert "adaclip/weights/lite.safetensors" in packed
