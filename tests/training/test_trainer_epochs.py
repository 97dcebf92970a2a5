"""What each epoch of a run is judged by, which one is kept, and what is told meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from adaclip import load_detector
from adaclip.checkpoints.metadata import read_metadata
from adaclip.errors import InputError
from adaclip.model.checkpoint import read_tensors
from adaclip.training import trainer
from adaclip.training.state import state_path
from adaclip.training.trainer import EpochReport, Listeners, Progress, train
from adaclip.training.validation import Readings, Validation, judge
from tests.training.training_set import options, save, write_set


def test_a_worse_epoch_does_not_replace_a_better_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter((0.9, 0.4, 0.5, 0.9))

    def judged(found: Readings, quantile: float) -> Validation:
        return replace(judge(found, quantile), metrics={"image_auroc": next(values)})

    monkeypatch.setattr(trainer, "judge", judged)
    out, alone = tmp_path / "out.safetensors", tmp_path / "alone.safetensors"
    reports: list[EpochReport] = []
    result = train(options(folder, out, epochs=2), Listeners(epoch=reports.append))
    assert [report.best for report in reports] == [True, False]
    assert (result.best_epoch, result.epochs, result.metrics) == (1, 2, {"image_auroc": 0.9})
    result = train(options(folder, out, epochs=3, resume=True))
    assert (result.best_epoch, result.epochs) == (1, 3)
    train(options(folder, alone, epochs=1))
    kept, first = read_tensors(out)[0], read_tensors(alone)[0]
    assert all(torch.equal(kept[name], first[name]) for name in first)
    last = torch.load(state_path(out), weights_only=True)["learned"]
    assert any(not torch.equal(kept[name], last[name]) for name in last)
    assert len(read_metadata(out)["details"]["run"]["history"]) == 3


def test_without_held_out_images_the_last_epoch_is_kept(folder: Path, tmp_path: Path) -> None:
    result = train(options(folder, tmp_path / "out.safetensors", validation=0.0, epochs=2))
    assert result.best_epoch == 2
    assert result.metadata["threshold"]["value"] == 0.5
    assert "no images were held out" in result.metadata["threshold"]["source"]


def test_a_threshold_of_enough_normals_ends_up_in_the_file(folder: Path, tmp_path: Path) -> None:
    held_out = write_set(tmp_path / "other", classes=("plate",), normal=25, anomalous=5, seed=4)
    out = tmp_path / "out.safetensors"
    train(options(folder, out, epochs=1, validation=str(held_out)))
    info = load_detector(out, device="cpu").info
    assert info.threshold.source == "99th percentile of 25 held-out normal images"
    assert 0 < info.threshold.value < 1
    assert info.details["held_out_images"]["other"]["normal"] == 25


def only_anomalous(root: Path, mask: np.ndarray) -> Path:
    """A set of three defective pictures, all with this mask."""
    write_set(root, classes=("plate",), normal=0, anomalous=3, seed=5)
    for path in root.rglob("*_mask.png"):
        save(path, mask.astype(np.uint8) * 255)
    return root


def test_defects_of_one_pixel_are_validated_on(folder: Path, tmp_path: Path) -> None:
    mask = np.zeros((64, 64), bool)
    mask[5, 5] = True  # between the pixels that validation looks at
    held_out = only_anomalous(tmp_path / "held", mask)
    result = train(
        options(folder, tmp_path / "out.safetensors", epochs=1, validation=str(held_out))
    )
    assert result.metric == "pixel_auroc"
    assert 0 <= result.metrics["pixel_auroc"] <= 1


def test_masks_of_whole_pictures_leave_nothing_to_rank(folder: Path, tmp_path: Path) -> None:
    held_out = only_anomalous(tmp_path / "held", np.ones((64, 64), bool))
    out = tmp_path / "out.safetensors"
    with pytest.raises(InputError, match="pixel_auroc is undefined: the masks cover all"):
        train(options(folder, out, epochs=1, validation=str(held_out)))


def test_progress_tells_the_running_loss_and_the_validation(folder: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    reports: list[EpochReport] = []
    # Sixteen pictures, four of them held out.
    train(
        options(folder, tmp_path / "out.safetensors", epochs=1),
        Listeners(progress=told.append, epoch=reports.append),
    )
    checked, learned, judged = (
        [each for each in told if each.what == what]
        for what in ("checking images", "epoch 1", "validating")
    )
    assert told == [*checked, *learned, *judged]
    assert [(each.done, each.total) for each in learned] == [(4, 12), (8, 12), (12, 12)]
    assert [(each.done, each.total) for each in judged] == [(4, 4)]
    assert all(each.loss is not None for each in learned)
    assert learned[-1].loss == reports[0].loss
    assert {each.loss for each in (*checked, *judged)} == {None}
    assert (checked[-1].done, checked[-1].total) == (16, 16)
