"""A whole run on a tiny model: what it writes, that it repeats to the bit, what it refuses."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from adaclip import load_detector
from adaclip.checkpoints.catalogue import catalogue
from adaclip.checkpoints.metadata import read_metadata
from adaclip.config import TrainConfig
from adaclip.data.images import read_image
from adaclip.data.registry import spoken
from adaclip.errors import AdaClipError, DatasetError, InputError, StoreError
from adaclip.model.checkpoint import read_tensors
from adaclip.training import state, step
from adaclip.training.state import state_path
from adaclip.training.trainer import EpochReport, Listeners, Progress, TrainResult, train
from tests.tiny import tiny_model, write_published, write_tiny
from tests.training.training_set import options, picture, save, write_set

Run = tuple[TrainResult, list[EpochReport]]
# What draws random numbers, and what might depend on how batches fall.
EVERYTHING: dict[str, Any] = {"synthetic": 4, "mosaic": 0.3, "accumulate": 2}


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """One uninterrupted run with everything that draws random numbers."""
    reports: list[EpochReport] = []
    config = options(folder, folder / "run.safetensors", **EVERYTHING)
    return train(config, Listeners(epoch=reports.append)), reports


def test_it_learns(folder: Path, tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    result = train(
        options(folder, tmp_path / "out.safetensors", epochs=6, batch_size=2, metric="pixel_auroc"),
        Listeners(epoch=reports.append),
    )
    assert reports[-1].loss < 0.5 * reports[0].loss
    assert result.metrics["pixel_auroc"] > 0.97
    rng = np.random.default_rng(9)
    images = [picture(rng, spot=index % 2 == 1)[0] for index in range(8)]
    detector = load_detector(result.path, device="cpu", precision="fp32")
    margins = [d.anomaly_margin for d in detector.detect(images, "plate")]
    assert max(margins[::2]) < min(margins[1::2])


def test_validation_sees_images_at_the_sizes_the_detector_does(tmp_path: Path) -> None:
    """Of several sizes, which a batch cannot mix; the oracle is scikit-learn on the detector's."""
    tiny = write_tiny(tmp_path / "tiny.safetensors", least_image_size=28)
    held_out = write_set(tmp_path / "held", seed=3)
    for path in held_out.glob("*/*/*/*.png"):  # every so many-th pixel: masks keep their images
        save(path, read_image(path)[:: int(path.name[:3]) % 3 + 1, :: int(path.name[:3]) % 2 + 1])
    write_set(tmp_path / "set")
    config = options(tmp_path, tmp_path / "out.safetensors", backbone=str(tiny), epochs=1)
    result = train(
        replace(config, validation=str(held_out), auxiliary=(str(held_out.parent / "set"),))
    )
    detector = load_detector(result.path, device="cpu", precision="fp32")
    values = []
    for class_name in ("plate", "metal_nut"):
        paths = sorted((held_out / class_name / "test").glob("*/*.png"))
        found = detector.detect([read_image(path) for path in paths], spoken(class_name))
        values.append(
            roc_auc_score(
                [p.parent.name == "spot" for p in paths], [f.anomaly_margin for f in found]
            )
        )
    assert result.metrics["image_auroc"] == pytest.approx(np.mean(values), abs=1e-9)


def test_the_result_is_a_normal_checkpoint(run: Run, tmp_path: Path, folder: Path) -> None:
    result, _ = run
    metadata = read_metadata(result.path)
    assert metadata["trained_on"] == ["synthetic", "set"]  # what its backbone has seen first
    assert metadata["model"]["backbone"] == "tiny"
    assert metadata["includes_backbone"]
    assert "too few" in metadata["threshold"]["source"]
    details = metadata["details"]
    # The share held out is that of drawn pictures and of photographs alike.
    assert details["images"]["set"]["normal"] + details["held_out_images"]["set"]["normal"] == 8
    assert details["recipe"]["learning_rate"] == 2e-3
    assert set(details["versions"]) == {"adaclip", "torch", "open_clip"}
    assert len(details["run"]["history"]) == 2
    assert str(folder) not in str(metadata)  # the file may be passed on
    assert [p.name for p in result.path.parent.iterdir() if p.name.startswith(".")] == []


def test_a_backbone_from_a_checkpoint_goes_into_the_result_unchanged(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    source = write_tiny(tmp_path / "small.safetensors", int8=True)
    result = train(options(folder, tmp_path / "out.safetensors", backbone=str(source), epochs=1))
    before, after = read_tensors(source)[1], read_tensors(result.path)[1]
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert result.path.stat().st_size < 1.1 * source.stat().st_size


def test_it_is_listed_when_placed_in_the_weights_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    for path in (run[0].path, run[0].state_path):
        shutil.copy(path, tmp_path)
    entries = {entry.id: entry for entry in catalogue()}
    assert entries["run"].present
    assert set(entries["run"].trained_on) == {"set", "synthetic"}
    assert not [entry for entry in entries if "state" in entry]


def test_without_a_backbone_inside_it_is_looked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    model = tiny_model(image_size=56)
    torch.save(model.clip.state_dict(), tmp_path / "mine.pt")
    learned = write_published(tmp_path / "learned.pth", model)
    config = options(folder, tmp_path / "out.safetensors", backbone="mine", image_size=56, epochs=1)
    result = train(
        TrainConfig(**{**config.__dict__, "backbone_weights": str(tmp_path / "mine.pt")})
    )
    assert not result.metadata["includes_backbone"]
    assert load_detector(result.path, device="cpu").info.backbone == "mine"
    assert learned.exists()


def test_going_on_from_a_checkpoint_adds_to_what_it_was_trained_on(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    root = write_set(tmp_path / "more", seed=3)
    config = options(
        folder,
        tmp_path / "out.safetensors",
        auxiliary=(str(root),),
        backbone=None,
        init=str(run[0].path),
        epochs=1,
        validation=str(folder / "set"),
    )
    result = train(config)
    assert result.metadata["trained_on"] == ["synthetic", "set", "more"]
    assert result.metadata["details"]["init"] == "run.safetensors"
    assert "Trained on more" in result.metadata["details"]["note"]
    assert "chosen on set" in result.metadata["details"]["note"]


def test_reports_tell_loss_metric_and_time_left(run: Run) -> None:
    result, reports = run
    assert [(r.epoch, r.epochs) for r in reports] == [(1, 2), (2, 2)]
    assert {r.metric for r in reports} == {"image_auroc"}
    assert reports[0].seconds_left == pytest.approx(reports[0].seconds)
    assert reports[-1].seconds_left == 0
    assert [r.epoch for r in reports if r.best][-1] == result.best_epoch
    best = max(r.value for r in reports if r.value is not None)
    assert result.metrics["image_auroc"] == best


def test_the_same_options_give_the_same_bytes(run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.safetensors"
    train(options(folder, out, **EVERYTHING))
    assert out.read_bytes() == run[0].path.read_bytes()


@pytest.mark.parametrize("at", ["first", "middle", "writing"])
def test_an_interrupted_run_resumed_gives_the_same_bytes(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Stopped right after an epoch, amid one, or between the two files of an epoch."""
    out = tmp_path / "run.safetensors"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def amid(progress: Progress) -> None:
        if progress.what == "epoch 2" and progress.done > 4:
            raise KeyboardInterrupt

    if at == "first":
        listeners = Listeners(epoch=stop)
    elif at == "middle":
        listeners = Listeners(progress=amid)
    else:
        whole = state.write_bytes

        def half(path: Path, data: bytes) -> None:
            if state_path(out).exists() and Path(path) == state_path(out):
                raise KeyboardInterrupt
            whole(path, data)

        monkeypatch.setattr(state, "write_bytes", half)
        listeners = Listeners()
    with pytest.raises(KeyboardInterrupt):
        train(options(folder, out, **EVERYTHING), listeners)
    monkeypatch.undo()
    assert load_detector(out, device="cpu")  # whole at any time
    notes: list[str] = []
    result = train(options(folder, out, resume=True, **EVERYTHING), Listeners(note=notes.append))
    assert notes[-1] == "resumed after epoch 1"
    assert result.epochs == 2
    assert out.read_bytes() == run[0].path.read_bytes()
    ours, expected = (
        torch.load(p, weights_only=True) for p in (state_path(out), run[0].state_path)
    )
    for name in ("stepper", "history"):
        torch.testing.assert_close(ours["run"][name], expected["run"][name], rtol=0, atol=0)


def test_a_finished_run_can_be_given_more_epochs(run: Run, folder: Path, tmp_path: Path) -> None:
    for path in (run[0].path, run[0].state_path):
        shutil.copy(path, tmp_path)
    out = tmp_path / "run.safetensors"
    fields = EVERYTHING | {"resume": True}
    out.unlink()  # the state holds the best parameters too
    assert train(options(folder, out, **fields)).epochs == 2
    assert out.read_bytes() == run[0].path.read_bytes()
    assert train(options(folder, out, epochs=3, **fields)).epochs == 3


def test_resuming_another_run_is_refused(run: Run, folder: Path, tmp_path: Path) -> None:
    fields = EVERYTHING | {"resume": True}
    out = run[0].path
    with pytest.raises(InputError, match=r"learning_rate was 0.002, is 0.01"):
        train(options(folder, out, **(fields | {"learning_rate": 0.01})))
    with pytest.raises(InputError, match="nothing to resume"):
        train(options(folder, tmp_path / "none.safetensors", **fields))
    bad = tmp_path / "bad.safetensors"
    state_path(bad).write_bytes(b"damaged")
    with pytest.raises(StoreError, match="cannot resume from"):
        train(options(folder, bad, **fields))


def test_resuming_on_other_images_is_refused(folder: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    out = tmp_path / "out.safetensors"
    train(options(tmp_path, out, epochs=1, backbone=str(folder / "tiny.safetensors")))
    (root / "plate" / "test" / "good" / "000.png").unlink()
    config = options(
        tmp_path, out, epochs=2, backbone=str(folder / "tiny.safetensors"), resume=True
    )
    with pytest.raises(InputError, match="24 then, 23 now"):
        train(config)


# --- refusals before anything is computed -------------------------------------------------------


def test_an_existing_result_is_not_overwritten(run: Run, folder: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        train(options(folder, run[0].path))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said_at_once(folder: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot write"):
        train(options(folder, tmp_path / "out.safetensors"))


def test_a_file_in_the_folders_place_is_said_at_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot write"):
        train(options(folder, tmp_path / "file" / "out.safetensors"))


def test_a_full_disk_is_said_before_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(state.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    with pytest.raises(StoreError, match=r"1 MB free and training needs \d+ MB"):
        train(options(folder, tmp_path / "out.safetensors"))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_keeps_the_epoch_before(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.safetensors"
    replace = Path.replace

    def full(source: Path, target: Path) -> Path:
        if target == out and out.exists():
            raise OSError(28, "No space left on device")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StoreError, match="No space left on device"):
        train(options(folder, out))
    assert read_metadata(out)["details"]["run"]["epochs"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [out.name, out.name + ".state"]


def test_training_that_explodes_keeps_the_epoch_before(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.safetensors"
    broken: list[bool] = []
    whole = step.adaclip_loss
    monkeypatch.setattr(
        step,
        "adaclip_loss",
        lambda *a, **k: whole(*a, **k) * (float("inf") if broken else 1.0),
    )
    with pytest.raises(AdaClipError, match=r"not finite, in fp32 too, for .*\.png"):
        train(options(folder, out), Listeners(epoch=lambda report: broken.append(True)))
    assert read_metadata(out)["details"]["run"]["epochs"] == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("synthetic", -1),
        ("validation", 0.9),
        ("validation", float("nan")),
        ("learning_rate", 0.0),
        ("epochs", 0),
        ("batch_size", 0),
        ("accumulate", 0),
        ("mosaic", 1.5),
        ("seed", -1),
        ("metric", "accuracy"),
        ("dice", "column"),
        ("precision", "int8"),
        ("out", "model.pth"),
    ],
)
def test_an_option_that_cannot_be_is_named_with_its_value(field: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"{field} is {value!r}; it has to be"):
        TrainConfig(**{field: value})  # type: ignore[arg-type]


def test_bad_data_is_said_before_weights_are_looked_for(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", anomalous=0)
    with pytest.raises(DatasetError, match="are normal"):
        train(TrainConfig(auxiliary=(str(root),), out=str(tmp_path / "out.safetensors")))
