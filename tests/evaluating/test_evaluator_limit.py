"""Which images of a dataset a limited evaluation judges."""

from __future__ import annotations

from pathlib import Path

from adaclip.data.samples import load_samples
from adaclip.evaluating.evaluator import limit_samples
from tests.evaluating.evaluation_data import write_dataset


def test_a_limit_is_balanced_and_the_same_each_time(tmp_path: Path) -> None:
    samples = load_samples(write_dataset(tmp_path / "parts"))
    assert limit_samples(samples, None) == samples
    for limit in range(1, 9):
        kept = limit_samples(samples, limit)
        assert kept == limit_samples(samples, limit)
        for class_name in ("nut", "tile"):
            some = [s for s in kept if s.class_name == class_name]
            anomalous = [s.defect_type for s in some if s.anomalous]
            assert len(some) == limit
            assert len(anomalous) == limit // 2
            assert abs(anomalous.count("hole") - anomalous.count("scratch")) <= 1
    assert len(limit_samples([s for s in samples if s.anomalous], 3)) == 6
    assert limit_samples(samples, 100) == samples
