"""Runs: every picture gets its answer or its reason, and a stop is a stop."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from adaclip.errors import ImageError, InputError
from adaclip.types import Detection
from demo.detect.actions import _prepare
from demo.visitor import runner
from tests.demo.stub import StubDetector, infos, stub_services, tile


def make(services, files):
    store = services.store
    batch = store.get(store.create([(path.name, path) for path in files]))
    batch.checkpoint, batch.class_name, batch.phase = infos()[0], "tile", "waiting"
    return batch


def test_a_broken_file_does_not_stop_the_others(services, upload):
    files = [upload("a.png"), upload("b.png", content=b"no picture"), upload("c.png")]
    batch = make(services, files)
    list(runner.run(services, batch))
    assert batch.phase == "done"
    assert [item.detection is not None for item in batch.items] == [True, False, True]
    assert "is text, not an image" in batch.items[1].error


def test_the_same_question_is_answered_from_memory_with_the_same_answer(services, upload):
    path = upload()
    first, second = make(services, [path]), make(services, [path])
    list(runner.run(services, first))
    list(runner.run(services, second))
    assert services.pool.calls == 1
    assert second.current.detection is first.current.detection


def test_another_name_or_checkpoint_is_another_question(services, upload):
    path = upload()
    for name, info in (("tile", infos()[0]), ("carpet", infos()[0]), ("tile", infos()[1])):
        batch = make(services, [path])
        batch.class_name, batch.checkpoint = name, info
        list(runner.run(services, batch))
        assert batch.current.detection.class_name == name
        assert batch.current.detection.checkpoint == info.id
    assert services.pool.calls == 3


def test_cancel_keeps_what_is_done_and_stops_within_one_image(services, upload):
    batch = make(services, [upload(f"{n}.png", tile([(0, 0, n + 9, 30)])) for n in range(6)])
    for _ in runner.run(services, batch):
        if batch.done == 2:
            batch.cancelled.set()
    assert batch.phase == "cancelled"
    assert batch.done == 2
    assert services.pool.calls <= 3


def test_a_closed_page_leaves_a_cancelled_batch(services, upload):
    batch = make(services, [upload("a.png"), upload("b.png")])
    steps = runner.run(services, batch)
    next(steps)
    steps.close()
    assert batch.phase == "cancelled"
    assert services.runs_ahead == 0


@pytest.mark.parametrize("end", [list, lambda steps: steps.close()])
@pytest.mark.parametrize("refused", [False, True])
def test_a_cancelled_run_leaves_the_next_one_alone(services, upload, monkeypatch, end, refused):
    batch = make(services, [upload(f"{n}.png", tile([(0, 0, n + 9, 30)])) for n in range(4)])
    steps = runner.run(services, batch)
    while batch.done == 0:
        next(steps)
    batch.cancelled.set()
    batch.phase = "cancelled"
    _prepare(batch, infos()[1], "carpet")
    if refused:
        monkeypatch.setattr(runner, "open_picture", no_picture)
    end(steps)
    assert [item.waiting for item in batch.items] == [True] * 4
    assert (batch.phase, batch.message, batch.seconds) == ("waiting", "", 0.0)
    monkeypatch.undo()
    list(runner.run(services, batch))
    assert batch.phase == "done"
    assert {item.detection.checkpoint for item in batch.items} == {"mvtec"}


def no_picture(*_):
    raise ImageError("gone")


def test_a_run_cancelled_while_loading_leaves_the_next_one_alone(tmp_path, upload):
    services = stub_services(tmp_path / "served", load_seconds=0.6)
    batch = make(services, [upload()])
    steps = runner.run(services, batch)
    next(steps)
    batch.cancelled.set()
    _prepare(batch, infos()[1], "carpet")
    list(steps)
    assert (batch.phase, batch.message) == ("waiting", "")


def test_what_the_engine_refused_once_is_asked_again(services, upload, monkeypatch):
    def refuse(*_, **__):
        raise InputError("too odd")

    batch = make(services, [upload()])
    with monkeypatch.context() as patched:
        patched.setattr(StubDetector, "stream", lambda *a, **k: (refuse() for _ in a[1]))
        list(runner.run(services, batch))
    assert batch.current.error == "too odd"
    _prepare(batch, infos()[0], "tile")
    assert batch.current.waiting
    list(runner.run(services, batch))
    assert batch.current.detection is not None
    assert batch.current.error == ""


def test_other_weights_under_the_same_id_are_another_question(services, upload, tmp_path):
    path, weights = upload(), tmp_path / "weights.safetensors"
    info = dataclasses.replace(infos()[0], details={"file": str(weights)})
    for calls, content in ((1, b"one"), (1, b"one"), (2, b"other")):
        if not weights.exists() or weights.read_bytes() != content:
            weights.write_bytes(content)
        batch = make(services, [path])
        batch.checkpoint = info
        list(runner.run(services, batch))
        assert services.pool.calls == calls


def test_cancel_while_the_model_loads_does_not_wait_for_it(tmp_path, upload):
    services = stub_services(tmp_path / "served", load_seconds=1.5)
    batch = make(services, [upload()])
    steps = runner.run(services, batch)
    next(steps)
    assert batch.phase == "loading"
    assert "Lite, 0 s so far" in batch.message
    batch.cancelled.set()
    list(steps)
    assert batch.phase == "cancelled"
    assert services.pool.calls == 0


def test_weights_that_cannot_be_loaded_are_said_plainly(services, upload):
    batch = make(services, [upload()])
    batch.checkpoint = infos()[2]
    list(runner.run(services, batch))
    assert batch.phase == "failed"
    assert "is not on this machine" in batch.message


def test_a_fault_of_ours_shows_a_log_id_and_no_details(services, upload, monkeypatch, caplog):
    def crash(*_, **__):
        raise RuntimeError("secret /etc/x")
        yield

    monkeypatch.setattr(StubDetector, "stream", crash)
    batch = make(services, [upload()])
    list(runner.run(services, batch))
    assert batch.phase == "failed"
    assert "secret" not in batch.message
    assert batch.message.split()[-1].rstrip(".") in caplog.text


def test_a_picture_the_engine_refuses_is_named_alone(services, upload, monkeypatch):
    honest = StubDetector.stream

    def refuse(self, images, class_name, *, batch_size=None):
        for image in images:
            if image.shape[0] == 50:
                raise InputError("too odd")
            yield from honest(self, [image], class_name)

    monkeypatch.setattr(StubDetector, "stream", refuse)
    odd = upload("odd.png", tile(size=(50, 50)))
    batch = make(services, [upload("a.png"), odd, upload("c.png", tile([(1, 1, 9, 9)]))])
    list(runner.run(services, batch))
    assert [item.error for item in batch.items] == ["", "too odd", ""]
    assert batch.phase == "done"


def test_one_refusal_in_a_device_batch_spares_the_others(services, upload, monkeypatch):
    honest = StubDetector.stream

    def all_at_once(self, images, class_name, *, batch_size=None):
        images = list(images)
        if any(image.shape[0] == 50 for image in images):
            raise InputError("too odd")
        yield from honest(self, images, class_name)

    monkeypatch.setattr(StubDetector, "stream", all_at_once)
    odd = upload("odd.png", tile(size=(50, 50)))
    batch = make(services, [upload("a.png"), odd, upload("c.png", tile([(1, 1, 9, 9)]))])
    list(runner.run(services, batch))
    assert [item.error for item in batch.items] == ["", "too odd", ""]
    assert all(isinstance(batch.items[n].detection, Detection) for n in (0, 2))


@pytest.mark.parametrize("count", [4])
def test_visitors_at_once_get_their_own_answers(services, upload, count):
    batches = [
        make(
            services, [upload(f"{v}-{n}.png", tile([(0, 0, 10 * v + 9, n + 9)])) for n in range(5)]
        )
        for v in range(count)
    ]
    threads = [threading.Thread(target=lambda b=b: list(runner.run(services, b))) for b in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for batch in batches:
        for item in batch.items:
            alone = make(services, [item.path])
            services.store.detections = type(services.store.detections)(1)
            list(runner.run(services, alone))
            assert item.detection.anomaly_score == alone.current.detection.anomaly_score
