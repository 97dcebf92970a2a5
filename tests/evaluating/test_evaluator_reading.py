"""Pictures are read ahead of the judging, and what goes wrong there is not lost."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from adaclip.config import EvaluateConfig
from adaclip.data.samples import Sample, load_samples
from adaclip.evaluating.evaluator import evaluate, open_run
from adaclip.evaluating.sources import FileSource
from adaclip.runs import read_run
from tests.evaluating.evaluation_data import BrightDetector, write_dataset


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "parts", classes=["nut"], count=2)


def test_the_next_batch_is_read_while_one_is_judged(data: Path, tmp_path: Path) -> None:
    """Judging waits here until the image after it has been asked for."""
    samples, asked = load_samples(data), threading.Semaphore(0)

    class Telling(FileSource):
        def image(self, sample: Sample) -> np.ndarray:
            asked.release()
            return super().image(sample)

    def wait(judged: int) -> None:
        wanted = 2 if judged == 0 else 1 if judged + 1 < len(samples) else 0
        for _ in range(wanted):
            assert asked.acquire(timeout=20)

    detector = BrightDetector()
    detector.before = wait
    config = EvaluateConfig()
    with open_run(
        detector, samples, tmp_path / "run", config, data_root=data, batch_size=1
    ) as writer:
        assert evaluate(detector, samples, writer, source=Telling()).complete


def test_an_error_of_reading_that_is_not_ours_ends_the_evaluation(
    data: Path, tmp_path: Path
) -> None:
    class Failing(FileSource):
        def image(self, sample: Sample) -> np.ndarray:
            if sample.rel_path == load_samples(data)[2].rel_path:
                raise ZeroDivisionError
            return super().image(sample)

    detector, samples = BrightDetector(), load_samples(data)
    with (
        open_run(
            detector, samples, tmp_path / "run", EvaluateConfig(), data_root=data, batch_size=1
        ) as writer,
        pytest.raises(ZeroDivisionError),
    ):
        evaluate(detector, samples, writer, source=Failing())
    assert len(read_run(tmp_path / "run").images()) == 2
