"""Files are replaced whole or not at all, and checksums survive a round trip."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from adaclip.errors import StoreError
from adaclip.storage import atomic


def test_writing_makes_the_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "é 🧪.txt"
    atomic.write_text(path, "a\r\nb\n")
    assert path.read_bytes() == b"a\r\nb\n"
    atomic.write_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_longest_name_the_disk_allows_can_be_written(tmp_path: Path) -> None:
    atomic.write_bytes(tmp_path / ("n" * 255), b"x")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.txt"
    atomic.write_text(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"kept\.txt: No space left on device; check"):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        atomic.write_bytes(tmp_path, b"x")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write"):
        atomic.write_bytes(tmp_path / "file" / "below", b"x")


def test_sha256_is_that_of_hashlib(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "f").write_bytes(content)
    assert atomic.sha256_of(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_a_recorded_checksum_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"weights")
    assert atomic.recorded_sha256(path) is None
    atomic.record_sha256(path, atomic.sha256_of(path))
    assert atomic.recorded_sha256(path) == atomic.sha256_of(path)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_sha256sum_reads_the_record(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"weights")
    atomic.record_sha256(path, atomic.sha256_of(path))
    check = ["sha256sum", "--check", "--strict", "w.pth.sha256"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 0


@pytest.mark.parametrize("content", [b"", b"  \n", b"abc  w.pth\n", b"\xff\xfe"])
def test_a_broken_record_is_no_record(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth.sha256").write_bytes(content)
    assert atomic.recorded_sha256(tmp_path / "w.pth") is None
