"""Streaming one file: cuts, resumes, checks, cancels, full disks (a stand-in on 127.0.0.1)."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from adaclip.checkpoints import download
from adaclip.checkpoints.hub import FetchCancelled, Progress, fetch
from adaclip.errors import FetchError
from adaclip.storage.atomic import recorded_sha256
from tests.checkpoints.conftest import (
    FIRST,
    WEIGHTS,
    names,
)
from tests.checkpoints.hub_server import HubServer


def test_a_cut_connection_is_gone_on_with(home: Path, hub: HubServer) -> None:
    hub.cuts = [70_000, 0, 50_000]
    [path, _] = fetch("all")
    assert path.read_bytes() == WEIGHTS
    ranges = [wanted for name, wanted in hub.sent if name == FIRST]
    assert ranges == [None, "bytes=70000-", "bytes=70000-", "bytes=120000-"]


def test_a_connection_always_cut_gives_up_and_keeps_the_rest(home: Path, hub: HubServer) -> None:
    hub.cuts = [70_000, *[0] * 9]
    with pytest.raises(FetchError, match=r"gave up after 4 tries .* what has arrived is kept"):
        fetch("all")
    assert (home / "pretrained_all.pth.part").stat().st_size == 70_000
    hub.cuts.clear()
    hub.sent.clear()
    fetch("all")
    assert hub.sent[0] == (FIRST, "bytes=70000-")
    assert (home / "pretrained_all.pth").read_bytes() == WEIGHTS


def test_a_server_without_range_starts_over(home: Path, hub: HubServer) -> None:
    hub.knows_range = False
    hub.cuts = [70_000]
    [path, _] = fetch("all")
    assert path.read_bytes() == WEIGHTS
    assert hub.sent[:2] == [(FIRST, None), (FIRST, "bytes=70000-")]


def test_a_server_without_range_that_always_cuts_ends(home: Path, hub: HubServer) -> None:
    hub.knows_range = False
    hub.cuts = [70_000] * 20
    with pytest.raises(FetchError, match="gave up"):
        fetch("all")


def test_a_part_that_is_complete_is_only_checked(home: Path, hub: HubServer) -> None:
    home.mkdir()
    (home / "pretrained_all.pth.part").write_bytes(WEIGHTS)
    [path, _] = fetch("all")
    assert path.read_bytes() == WEIGHTS
    assert hub.sent[0] == (FIRST, f"bytes={len(WEIGHTS)}-")


def test_a_part_that_is_too_long_is_begun_again(home: Path, hub: HubServer) -> None:
    home.mkdir()
    (home / "pretrained_all.pth.part").write_bytes(WEIGHTS + b"more")
    [path, _] = fetch("all")
    assert path.read_bytes() == WEIGHTS


def test_a_part_that_cannot_be_checked_is_begun_again(home: Path, hub: HubServer) -> None:
    home.mkdir()
    (home / "pretrained_all.pth.part").write_bytes(b"of another file")
    hub.announces_checksum = False
    hub.cuts = [70_000]
    [path, _] = fetch("all")
    assert path.read_bytes() == WEIGHTS
    # The storage's own ETag is not taken for a SHA-256; ours is recorded.
    assert recorded_sha256(path) == hashlib.sha256(WEIGHTS).hexdigest()


def test_a_wrong_checksum_removes_what_arrived(home: Path, hub: HubServer) -> None:
    hub.announced[FIRST] = WEIGHTS[::-1]
    with pytest.raises(FetchError, match=r"arrived damaged: its SHA-256 .* fetch again") as caught:
        fetch("all")
    assert hashlib.sha256(WEIGHTS[::-1]).hexdigest() in str(caught.value)
    assert names(home) == set()


def test_a_busy_server_is_asked_again(home: Path, hub: HubServer) -> None:
    hub.statuses = [503, 429]
    assert fetch("all")[0].read_bytes() == WEIGHTS
    (home / "pretrained_all.pth").unlink()
    hub.statuses = [503] * 9
    with pytest.raises(FetchError, match="answers 503"):
        fetch("all")


def test_a_login_page_is_not_taken_for_weights(home: Path, hub: HubServer) -> None:
    hub.web_page = True
    with pytest.raises(FetchError, match="web page instead of the file"):
        fetch("all")
    assert names(home) == set()


def test_a_stalled_connection_counts_as_cut(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(download, "RETRY_SECONDS", (0.01,))
    hub.seconds_per_chunk = 0.3
    hub.chunk = 150_000
    assert fetch("all")[0].read_bytes() == WEIGHTS
    assert len(hub.sent) > 2


def test_a_slow_connection_is_waited_for_and_reported(home: Path, hub: HubServer) -> None:
    hub.chunk = 50_000
    hub.seconds_per_chunk = 0.05
    seen: list[Progress] = []
    fetch("all", progress=seen.append)
    slow = [progress for progress in seen if progress.file == "pretrained_all.pth"]
    assert len(slow) >= 4
    assert slow[-1].seconds >= 0.1


def test_progress_is_not_told_for_every_packet(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PROGRESS_SECONDS", 60.0)
    seen: list[Progress] = []
    fetch("all", progress=seen.append)
    ends = [progress for progress in seen if progress.done_bytes == progress.total_bytes]
    assert len(ends) == 2
    assert len(seen) <= 4


def test_a_cancel_leaves_what_the_next_fetch_goes_on_with(home: Path, hub: HubServer) -> None:
    seen: list[Progress] = []
    hub.seconds_per_chunk = 0.002
    with pytest.raises(FetchCancelled):
        fetch(
            "all",
            progress=seen.append,
            cancelled=lambda: bool(seen) and seen[-1].done_bytes > 60_000,
        )
    part = home / "pretrained_all.pth.part"
    kept = part.read_bytes()
    assert 60_000 < len(kept) < len(WEIGHTS)
    assert WEIGHTS.startswith(kept)
    hub.sent.clear()
    hub.seconds_per_chunk = 0.0
    assert fetch("all")[0].read_bytes() == WEIGHTS
    assert hub.sent[0] == (FIRST, f"bytes={len(kept)}-")


def test_a_cancel_works_between_tries(home: Path, hub: HubServer) -> None:
    hub.statuses = [503] * 99
    with pytest.raises(FetchCancelled):
        fetch("all", cancelled=lambda: len(hub.requests) > 1)


def test_a_full_disk_is_said_before_anything_is_written(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(home.parent)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(FetchError, match=r"is full \(200000 bytes needed, 1000 free\)"):
        fetch("all")
    assert names(home) == set()


def test_a_disk_that_fills_up_is_said(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FetchError, match=r"is full \(No space left on device\)"):
        fetch("all")


def test_an_error_of_the_caller_s_callback_stays_its_own(home: Path, hub: HubServer) -> None:
    def broken(progress: Progress) -> None:
        raise BrokenPipeError("the terminal is gone")

    with pytest.raises(BrokenPipeError):
        fetch("all", progress=broken)
