"""The server's memory of its visitors: bounded, and each to himself."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaclip.storage.cache import BoundedCache
from demo.batch import ResultStore, detection_bytes
from tests.demo.stub import stub_detection, tile

DETECTION = stub_detection(tile())
SIZE = detection_bytes(DETECTION)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path, max_bytes=3 * SIZE, max_batches=5)


def fill(store: ResultStore) -> str:
    key = store.create([("a.png", Path("a.png"))])
    store.get(key).current.detection = DETECTION
    return key


def test_keys_are_long_and_never_repeat(store):
    keys = {store.create([]) for _ in range(200)}
    assert len(keys) == 200
    assert min(len(key) for key in keys) >= 22


@pytest.mark.parametrize("key", ["", None, "x", "../x"])
def test_an_unknown_key_opens_nothing(store, key):
    fill(store)
    assert store.get(key) is None


def test_the_folder_of_a_batch_does_not_betray_its_key(store):
    key = fill(store)
    assert key not in str(store.get(key).folder)


def test_the_longest_unused_results_make_room(store):
    keys = [fill(store) for _ in range(3)]
    store.get(keys[0])
    fill(store)
    store.trim()
    assert store.get(keys[1]) is None
    assert store.get(keys[0]) is not None


def test_a_running_batch_is_not_dropped(store):
    keys = [fill(store) for _ in range(3)]
    store.get(keys[0]).phase = "running"
    for key in keys[1:]:
        store.get(key)
    fill(store)
    store.trim()
    assert store.get(keys[0]) is not None


def test_there_are_never_more_batches_than_allowed(store):
    for _ in range(20):
        store.create([])
    assert len(store) <= 5


def test_a_dropped_batch_leaves_no_files_and_stops_its_run(store):
    key = fill(store)
    batch = store.get(key)
    (batch.folder / "x.png").write_bytes(b"x")
    store.drop(key)
    assert not batch.folder.exists()
    assert batch.cancelled.is_set()
    store.drop(key)
    store.drop("")


def test_rendered_pictures_do_not_pile_up(store):
    batch = store.get(fill(store))
    for _ in range(100):
        batch.new_picture("overlay").write_bytes(b"x")
    assert len(list(batch.folder.iterdir())) <= 24


def test_the_cache_forgets_the_oldest_and_counts_sizes():
    cache: BoundedCache[str, bytes] = BoundedCache(10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    cache.get("a")
    cache.put("c", b"1234")
    assert cache.get("b") is None
    assert cache.get("a") == b"1234"
    cache.put("huge", b"1" * 11)
    assert cache.get("huge") is None
    cache.put("a", b"1")
    cache.put("a", b"12")
    assert cache.get("a") == b"12"
