"""Fetching from a hub that behaves, and from one that does not (a stand-in on 127.0.0.1)."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from adaclip.checkpoints import catalogue, download, published
from adaclip.checkpoints.hub import FetchCancelled, Progress, fetch
from adaclip.errors import CheckpointError, FetchError
from adaclip.storage.atomic import checksum_path, record_sha256, recorded_sha256, sha256_of
from tests.checkpoints.conftest import (
    BACKBONE,
    CLIP,
    FIRST,
    PICKLED,
    SECOND,
    WEIGHTS,
    closed_port,
    names,
)
from tests.checkpoints.hub_server import HubServer


def test_everything_a_checkpoint_needs_is_fetched_and_recorded(home: Path, hub: HubServer) -> None:
    seen: list[Progress] = []
    paths = fetch("all", progress=seen.append)
    assert paths == [home / "pretrained_all.pth", home / "ViT-L-14-336.safetensors"]
    assert [path.read_bytes() for path in paths] == [WEIGHTS, CLIP]
    assert recorded_sha256(paths[0]) == hashlib.sha256(WEIGHTS).hexdigest()
    assert names(home) == {n for path in paths for n in (path.name, path.name + ".sha256")}
    assert catalogue.find_backbone("ViT-L-14-336") == paths[1]

    for path in paths:
        told = [progress for progress in seen if progress.file == path.name]
        done = [progress.done_bytes for progress in told]
        assert done == sorted(done)
        assert done[0] == 0
        assert done[-1] == path.stat().st_size
        assert {progress.total_bytes for progress in told} == {path.stat().st_size}
        assert all(progress.seconds >= 0 for progress in told)


def test_nothing_but_the_files_is_asked_for_and_no_token_is_sent(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    fetch("all")
    expected = [FIRST, f"storage/{FIRST}", BACKBONE, f"storage/{BACKBONE}"]
    assert [path.removeprefix("/") for path, _ in hub.requests] == expected
    assert not any("authorization" in map(str.lower, headers) for _, headers in hub.requests)


def test_what_is_here_is_not_fetched_again(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fetch("all")
    hub.requests.clear()
    assert fetch("all") == first
    assert hub.requests == []
    # Not even a network is needed.
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch("all") == first


def test_a_file_damaged_since_is_fetched_again(home: Path, hub: HubServer) -> None:
    [path, _] = fetch("all")
    path.write_bytes(b"damaged")
    fetch("all")
    assert path.read_bytes() == WEIGHTS


def test_an_ensemble_fetches_its_members_and_the_backbone_once(home: Path, hub: HubServer) -> None:
    for name in ("mvtec_colondb", "visa_clinicdb"):
        hub.files[FIRST.replace("all", name)] = WEIGHTS
    paths = fetch("mvtec_colondb+visa_clinicdb")
    assert [path.name for path in paths] == [
        "pretrained_mvtec_colondb.pth",
        "ViT-L-14-336.safetensors",
        "pretrained_visa_clinicdb.pth",
    ]
    assert len(hub.sent) == 3


def test_the_second_source_serves_when_the_first_has_no_such_file(
    home: Path, hub: HubServer
) -> None:
    del hub.files[FIRST]
    [path, _] = fetch("all")
    assert path.read_bytes() == WEIGHTS
    assert hub.sent[0] == (SECOND, None)


def test_the_backbone_may_come_pickled(home: Path, hub: HubServer) -> None:
    hub.files[PICKLED] = hub.files.pop(BACKBONE)
    assert fetch("all")[1] == home / "ViT-L-14-336.bin" == catalogue.find_backbone("ViT-L-14-336")
    hub.sent.clear()
    fetch("all")
    assert hub.sent == []


def test_a_file_nobody_has_is_named_with_the_way_by_hand(home: Path, hub: HubServer) -> None:
    hub.files.clear()
    with pytest.raises(FetchError, match="not found on the hub") as caught:
        fetch("all")
    message = str(caught.value)
    assert "127.0.0.1 answers 404" in message
    assert "cubert-gmbh/adaclip" in message
    assert "Caoyunkang/AdaCLIP" in message
    assert f"put into {home}" in message
    assert "huggingface.co" not in message
    # The backbone would fail next: it is named too, to be done at once.
    assert "ViT-L-14-336.safetensors (open_clip_model.safetensors renamed" in message


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_not_found(home: Path, hub: HubServer, status: int) -> None:
    hub.statuses = [status]
    assert fetch("all")[0].read_bytes() == WEIGHTS
    assert hub.sent[0] == (SECOND, None)


def test_a_hub_out_of_reach_says_so_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    with pytest.raises(FetchError, match=r"127\.0\.0\.1 cannot be reached .* By hand: put into"):
        fetch("all")


@pytest.mark.parametrize(
    "endpoint", ["ftp://127.0.0.1", "here", "http://", "http://[", "http://:x"]
)
def test_an_endpoint_that_is_none_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(FetchError):
        fetch("all")


def test_two_threads_fetch_each_file_once(home: Path, hub: HubServer) -> None:
    hub.seconds_per_chunk = 0.002
    results: list[list[Path]] = []
    threads = [threading.Thread(target=lambda: results.append(fetch("all"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert len(hub.sent) == 2
    assert (home / "pretrained_all.pth").read_bytes() == WEIGHTS


def test_two_processes_fetch_each_file_once(home: Path, hub: HubServer) -> None:
    hub.seconds_per_chunk = 0.01
    command = [sys.executable, "-c", "from adaclip.checkpoints.hub import fetch; fetch('all')"]
    root = Path(download.__file__).parents[2]
    running = [subprocess.Popen(command, cwd=root, env=dict(os.environ)) for _ in range(2)]
    assert [process.wait(30) for process in running] == [0, 0]
    assert len(hub.sent) == 2
    assert (home / "pretrained_all.pth").read_bytes() == WEIGHTS


def test_a_waiting_fetch_can_be_cancelled(home: Path, hub: HubServer) -> None:
    hub.chunk = 2_000
    hub.seconds_per_chunk = 0.02
    first_stop = threading.Event()
    begun = threading.Event()

    def first() -> None:
        with pytest.raises(FetchCancelled):
            fetch("all", progress=lambda _: begun.set(), cancelled=first_stop.is_set)

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(5)
    end = time.monotonic() + 0.3
    with pytest.raises(FetchCancelled):
        fetch("all", cancelled=lambda: time.monotonic() > end)
    first_stop.set()
    thread.join()
    assert len(hub.sent) == 1


def test_offline_is_honoured_and_said(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError, match=r"HF_HUB_OFFLINE is set.* By hand: put into"):
        fetch("all")
    assert hub.requests == []


def test_a_file_put_there_by_hand_is_checked_against_the_hub(home: Path, hub: HubServer) -> None:
    home.mkdir()
    path = home / "pretrained_all.pth"
    path.write_bytes(WEIGHTS)
    fetch("all")
    assert recorded_sha256(path) == sha256_of(path)
    assert [name for name, _ in hub.sent if name == FIRST] == [FIRST]

    checksum_path(path).unlink()
    path.write_bytes(b"another file")
    with pytest.raises(FetchError, match="is not the file the hub has"):
        fetch("all")
    assert path.read_bytes() == b"another file"


def test_files_put_there_by_hand_need_no_hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    home.mkdir()
    (home / "pretrained_all.pth").write_bytes(WEIGHTS)
    (home / "ViT-L-14-336px.pt").write_bytes(CLIP)
    assert fetch("all") == [home / "pretrained_all.pth"]


def test_a_folder_that_cannot_be_used_is_said(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.touch()
    with pytest.raises(FetchError, match=r"cannot use .*File exists"):
        fetch("all")


def test_only_known_ids_are_fetched(
    home: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for text in ("nothing", "../all", "/etc/passwd", str(home / "pretrained_all.pth")):
        with pytest.raises(CheckpointError, match="there is no checkpoint"):
            fetch(text)
    monkeypatch.setattr(catalogue, "_LITE", tmp_path / "lite.safetensors")
    with pytest.raises(CheckpointError, match="ships with the project"):
        fetch("lite")
    assert hub.requests == []


def test_the_backbone_repositories_are_those_open_clip_names() -> None:
    # Read, not imported: open_clip brings torch.
    found = importlib.util.find_spec("open_clip")
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).with_name("pretrained.py").read_text()
    for name, (repo, archive) in published.BACKBONES.items():
        table = re.search(rf'"{name}": (\w+),', source)
        assert table is not None
        block = source[source.index(f"\n{table[1]} = dict(") :]
        openai = block[block.index("openai=_pcfg(") :]
        assert f'hf_hub="{repo}/"' in openai[: openai.index(")")]
        assert f"/{archive}" in openai[: openai.index(")")] or archive == f"{name}.pt"
    constants = Path(found.origin).with_name("constants.py").read_text()
    safe, pickled = published.backbone_sources("ViT-L-14-336")
    assert f'HF_SAFE_WEIGHTS_NAME = "{safe.path}"' in constants
    assert f'HF_WEIGHTS_NAME = "{pickled.path}"' in constants


def test_fetching_needs_neither_torch_nor_gradio() -> None:
    code = (
        "import sys, adaclip.checkpoints.hub; "
        "sys.exit(bool({'torch', 'gradio', 'open_clip'} & set(sys.modules)))"
    )
    root = Path(download.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


def test_a_recorded_file_with_another_content_is_ours_to_write_again(
    home: Path, hub: HubServer
) -> None:
    home.mkdir()
    path = home / "pretrained_all.pth"
    path.write_bytes(b"half")
    record_sha256(path, "0" * 64)
    assert fetch("all")[0].read_bytes() == WEIGHTS
