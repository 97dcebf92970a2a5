"""The pool: one load per checkpoint, a bounded number in memory, honest states."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from adaclip.detecting import detector as detector_module
from adaclip.detecting.pool import DetectorPool
from adaclip.errors import CheckpointError
from tests.tiny import write_tiny


class Loader:
    """Stands in for `load_detector` and remembers what it was asked for."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def __call__(self, checkpoint: str, **_: object) -> object:
        self.gate.wait(5)
        if self.error is not None:
            raise self.error
        self.loaded.append(checkpoint)
        return object()


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Loader:
    stand_in = Loader()
    monkeypatch.setattr(detector_module, "load_detector", stand_in)
    return stand_in


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    return tmp_path


def test_many_callers_load_once(loader: Loader) -> None:
    pool, got = DetectorPool(), []
    threads = [threading.Thread(target=lambda: got.append(pool.get("a"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loader.loaded == ["a"]
    assert len(set(map(id, got))) == 1


def test_the_least_recently_used_is_let_go(loader: Loader) -> None:
    pool = DetectorPool(max_loaded=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        pool.get(name)
    assert loader.loaded == ["a", "b", "c", "b"]


def test_states_are_honest(loader: Loader, home: Path) -> None:
    write_tiny(home / "mine.safetensors")
    pool = DetectorPool()
    assert pool.state("mine") == "idle"
    assert pool.state("never heard of") == "absent"
    loader.gate.clear()
    thread = threading.Thread(target=pool.get, args=("mine",))
    thread.start()
    while pool.state("mine") == "idle":
        time.sleep(0.01)
    assert pool.state("mine") == "loading"
    loader.gate.set()
    thread.join()
    assert pool.state("mine") == "ready"


@pytest.mark.parametrize("error", [CheckpointError("damaged"), RuntimeError("damaged")])
def test_a_failed_load_says_why_and_may_be_tried_again(loader: Loader, error: Exception) -> None:
    pool = DetectorPool()
    loader.error = error
    with pytest.raises(type(error)):
        pool.get("a")
    assert pool.state("a") == "failed"
    assert pool.failure("a") == "damaged"
    loader.error = None
    pool.get("a")
    assert pool.state("a") == "ready"
    assert pool.failure("a") is None


def test_a_real_checkpoint_from_the_weights_folder(home: Path) -> None:
    write_tiny(home / "mine.safetensors")
    pool = DetectorPool(device="cpu", precision="fp32")
    assert pool.device_name == "cpu"
    assert pool.get("mine").info.title == "mine"
    assert pool.device_name.endswith("fp32")


def test_a_replaced_file_is_loaded_again(home: Path) -> None:
    write_tiny(home / "mine.safetensors")
    pool = DetectorPool(device="cpu", precision="fp32")
    first = pool.get("mine")
    assert pool.get("mine") is first
    write_tiny(home / "mine.safetensors", seed=7)
    assert pool.get("mine") is not first
