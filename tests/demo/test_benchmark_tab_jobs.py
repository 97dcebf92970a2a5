"""Evaluations asked for from the page."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.errors import DatasetError, InputError
from adaclip.runs import list_runs
from demo.benchmark.actions import BenchmarkActions
from demo.benchmark.measure import MeasureActions
from demo.runs.jobs import GOING, JobBoard, describe, sources
from demo.runs.library import Library
from tests.demo import benches
from tests.demo.stub import stub_services


@pytest.fixture
def services(tmp_path: Path):
    rng = np.random.default_rng(0)
    for kind, level in (("good", 220), ("dent", 60)):
        for index in range(3):
            path = tmp_path / "data" / "box" / "tile" / "test" / kind / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((24, 32, 3), level, np.uint8) + rng.integers(0, 9, (24, 32, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    (tmp_path / "data" / "notes").mkdir()
    return stub_services(
        tmp_path / "served",
        run_roots=(tmp_path / "runs",),
        data_roots=(tmp_path / "data",),
        cards=benches.cards,
        published=benches.published,
    )


def settled(board: JobBoard, seconds: float = 20.0):
    end = time.monotonic() + seconds
    while board.going and time.monotonic() < end:
        time.sleep(0.01)
    return board.jobs[0]


def test_the_drawn_set_and_folders_of_the_data_roots_are_offered(services):
    assert [key for _, key in sources(services)] == ["synthetic", "0:box", "0:notes", "0:."]
    assert "3 normal, 3 anomalous, without masks" in describe(services, "0:box")
    with pytest.raises(DatasetError):
        describe(services, "0:notes")


@pytest.mark.parametrize("source", ["0:..", "0:../box", "7:box", "/etc", "", None])
def test_a_folder_that_is_not_on_offer_is_refused(services, source):
    with pytest.raises(InputError):
        JobBoard(services).start(source, "lite", None, False)


def test_a_checkpoint_that_is_not_here_is_refused(services):
    with pytest.raises(InputError, match="adaclip fetch"):
        JobBoard(services).start("0:box", "published", None, False)


def test_a_waiting_job_can_be_cancelled_and_the_next_one_runs(services):
    gate, ran = threading.Event(), []

    def work(_, job):
        ran.append(job.id)
        job.state = "running"
        gate.wait(10)

    board = JobBoard(services, work)
    first = board.start("0:box", "lite", None, False)
    second = board.start("synthetic", "lite", 4, True)
    board.cancel(second.id)
    gate.set()
    settled(board)
    assert ran == [first.id]
    assert (first.state, second.state) == ("done", "stopped")
    with pytest.raises(InputError):
        board.cancel("nobody")


def test_a_failure_is_said_and_the_board_goes_on(services):
    def work(_, job):
        raise DatasetError("box: is no dataset") if job.root else ValueError("secret")

    board = JobBoard(services, work)
    failed = board.start("0:box", "lite", None, False)
    odd = board.start("synthetic", "lite", None, False)
    settled(board)
    assert (failed.state, failed.message) == ("failed", "box: is no dataset")
    assert "secret" not in odd.message


def test_what_is_measured_appears_in_the_table_and_what_was_stopped_resumes(services, tmp_path):
    services.pool.get("lite").slow = 0.05
    library = Library(services)
    page = BenchmarkActions(services, library)
    board = JobBoard(services)
    measure = MeasureActions(services, library, page, board)
    key = page.arrive("", "view=measure")["key"]
    screen = measure.start(key, "0:box", "lite", 0, True)
    assert "Cancel" in screen["jobs"]
    job = board.jobs[0]
    while job.done < 1 and job.state in GOING:
        time.sleep(0.005)
    measure.steer(key, {"job": job.id})
    settled(board)
    assert job.state == "stopped", job.message
    left = library.unfinished()
    assert "Resume" in measure.watch(key)["jobs"]
    done_before = len(left[0].images())
    assert 1 <= done_before < 6

    measure.steer(key, {"resume": left[0].id})
    settled(board)
    assert board.jobs[0].state == "done", board.jobs[0].message
    assert services.pool.calls == 6
    screen = measure.watch(key)
    assert "Show" in screen["jobs"]
    runs, problems = list_runs(services.run_roots)
    assert (len(runs), problems) == (1, [])
    assert runs[0].results.classes[0].image_level.auroc == 1.0
    assert runs[0].id in library.holdings().runs
    assert "Measured here" in page.act(key, {"view": "results"})["table"]
