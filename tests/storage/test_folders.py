"""Where a user's files go, with and without a home, and whether they can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adaclip.annotations.store import AnnotationStore
from adaclip.checkpoints.catalogue import weights_home
from adaclip.storage import folders
from tests.annotations.samples import row

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whom the system does not know, as `docker run --user 1234` gives."""
    for name in ("HOME", "ADACLIP_DATA", "ADACLIP_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_home_is_used_where_there_is_one(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ADACLIP_DATA", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert folders.has_home()
    assert folders.annotations_home() == tmp_path / ".local/share/adaclip/annotations"
    assert folders.expanded("a/~/b") == Path("a/~/b")


def test_without_a_home_nothing_is_called_tilde(no_home, monkeypatch):
    assert not folders.has_home()
    places = [folders.data_home(), folders.runs_home(), weights_home()]
    monkeypatch.setenv("ADACLIP_DATA", "~/mine")
    places += [folders.annotations_home(), *map(folders.expanded, ("~", "~no-such-user/x"))]
    for place in places:
        assert place.is_relative_to(no_home / "adaclip-home")
        assert "~" not in str(place)
    monkeypatch.setenv("HOME", "")
    assert folders.data_home() == no_home / "adaclip-home" / "mine"


def test_a_command_without_a_home_makes_no_folder_called_tilde(tmp_path):
    keep = ("PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment |= {"HOME": "", "PYTHONPATH": str(ROOT)}
    csv = tmp_path / "in.csv"
    csv.write_bytes(b"x")
    subprocess.run(
        [sys.executable, "-m", "adaclip", "annotations", "import", str(csv)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (tmp_path / "adaclip-home/.local/share/adaclip/annotations").is_dir()
    assert not list(tmp_path.rglob("~*"))


def test_a_place_that_cannot_be_written_is_said_before_anything_is_stored(tmp_path):
    store = AnnotationStore(tmp_path / "labels")
    assert store.why_not_writable() == ""
    assert folders.why_not_writable(tmp_path / "new" / "folder") == ""
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").write_text("")
    assert "nothing can be stored here" in folders.why_not_writable(tmp_path / "file" / "x")
    store.add(row(1))
    store.path.write_bytes(b"sep=,\n" + store.path.read_bytes())
    assert "was saved by another program" in store.why_not_writable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in folders.why_not_writable(tmp_path)
    tmp_path.chmod(0o700)
