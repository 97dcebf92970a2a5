"""An evaluation gives scikit-learn's values, survives a kill, and says what is undefined."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adaclip.config import EvaluateConfig
from adaclip.data.samples import Sample, load_samples, read_mask
from adaclip.detecting.detector import load_detector
from adaclip.errors import InputError, StoreError
from adaclip.evaluating.evaluator import evaluate, limit_samples, open_run
from adaclip.runs import Run, read_run
from adaclip.storage.atomic import sha256_of
from adaclip.types import resize_map
from tests.evaluating.evaluation_data import BrightDetector, write_dataset
from tests.metrics.oracles import by_scikit_learn, slow_aupro
from tests.tiny import write_tiny

METRICS = ("auroc", "average_precision", "max_f1")
TIMES = ("created_utc", "finished_utc", "seconds_per_image")


class Stopped(BaseException):
    """Ends an evaluation as a kill would: nothing catches it."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "parts")


def run(
    data: Path,
    folder: Path,
    detector: BrightDetector | None = None,
    *,
    resume: bool = False,
    batch_size: int = 1,
    samples: list[Sample] | None = None,
    stop: Any = None,
    progress: Any = None,
    **config: Any,
) -> dict[str, Any]:
    detector = detector or BrightDetector()
    samples = load_samples(data) if samples is None else samples
    with open_run(
        detector,
        samples,
        folder,
        EvaluateConfig(**config),
        data_root=data,
        batch_size=batch_size,
        resume=resume,
    ) as writer:
        return evaluate(detector, samples, writer, stop=stop, progress=progress).to_json()


def without_times(folder: Path) -> tuple[str, list[str]]:
    """Everything of a run but times; the folder's name is part of it."""
    results = json.loads((folder / "results.json").read_text())
    rows = (folder / "images.csv").read_text().splitlines()
    place = rows[0].split(",").index("seconds")
    cut = [",".join(v for i, v in enumerate(row.split(",")) if i != place) for row in rows]
    return json.dumps({k: v for k, v in results.items() if k not in TIMES}), cut


def pixels_of(made: Run, data: Path, class_name: str, side: int | None = None) -> tuple:
    """Maps and masks of a class from what the run kept."""
    samples = {s.rel_path: s for s in load_samples(data) if s.class_name == class_name}
    maps, masks = [], []
    for _, row in made.images().iterrows():
        if row["rel_path"] not in samples:
            continue
        size = (int(row["height"]), int(row["width"]))
        mask = read_mask(samples[row["rel_path"]], size)
        assert mask is not None
        if side is not None:
            small = Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST)
            mask, size = np.asarray(small, bool), (side, side)
        maps.append(resize_map(made.margin_map(row), size))
        masks.append(mask)
    return maps, masks


@pytest.mark.parametrize("resolution", ["native", "518"])
def test_values_are_scikit_learns_on_the_saved_maps(
    resolution: str, data: Path, tmp_path: Path
) -> None:
    samples = limit_samples(load_samples(data), 4)
    options: dict[str, Any] = {"keep_maps": True, "resolution": resolution}
    results = run(data, tmp_path / "run", samples=samples, **options)
    made = read_run(tmp_path / "run")
    assert made.results.to_json() == results
    table = made.images()
    for entry in results["classes"]:
        rows = table[table["class_name"] == entry["class_name"]]
        normal, anomalous = (
            rows.loc[rows["anomalous"] == kind, "anomaly_margin"].to_numpy()
            for kind in (False, True)
        )
        image = tuple(entry["image_level"][name] for name in METRICS)
        assert image == pytest.approx(by_scikit_learn(normal, anomalous), abs=1e-9)
        side = None if resolution == "native" else 518
        maps, masks = pixels_of(made, data, entry["class_name"], side)
        flat = [
            np.concatenate([m[mask == kind] for m, mask in zip(maps, masks, strict=True)])
            for kind in (False, True)
        ]
        pixel = tuple(entry["pixel_level"][name] for name in METRICS)
        assert pixel == pytest.approx(by_scikit_learn(*flat), abs=1e-9)
        if side is None:
            assert entry["aupro"] == pytest.approx(slow_aupro(maps, masks), abs=1e-9)
        low, high = entry["image_level"]["auroc_interval"]
        assert low <= entry["image_level"]["auroc"] <= high
    for name in METRICS:
        values = [entry["pixel_level"][name] for entry in results["classes"]]
        assert results["mean"]["pixel_level"][name] == pytest.approx(np.mean(values), abs=1e-12)
        assert results["mean"]["counts"][f"pixel_level.{name}"] == 2


@pytest.mark.parametrize("keep_maps", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_killed_and_gone_on_with_it_becomes_the_same_run(
    batch_size: int, keep_maps: bool, data: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"batch_size": batch_size, "keep_maps": keep_maps}
    run(data, tmp_path / "a" / "run", **options)
    folder = tmp_path / "b" / "run"
    detector = BrightDetector()

    def kill(judged: int) -> None:
        if judged in (5, 11):
            raise Stopped

    judged = []
    for _ in range(3):
        detector.before = kill
        try:
            run(data, folder, detector, resume=True, **options)
        except Stopped:
            # A row cut short by the kill, as the disk may have it.
            with (folder / "images.csv").open("ab") as file:
                file.write(b'parts,nut,"sc')
            assert not read_run(folder).complete
        judged.append(detector.judged)
        detector.judged += 1  # the kill is passed
    assert without_times(folder) == without_times(tmp_path / "a" / "run")
    assert not (folder / "work").exists()
    maps = {path.name: path.read_bytes() for path in folder.glob("maps/*")}
    assert maps == {p.name: p.read_bytes() for p in tmp_path.glob("a/run/maps/*")}
    assert len(maps) == (16 if keep_maps else 0)


def test_a_process_killed_outright_loses_nothing_it_had_finished(
    data: Path, tmp_path: Path
) -> None:
    run(data, tmp_path / "a" / "run")
    folder = tmp_path / "b" / "run"
    program = f"""
import os, signal
from pathlib import Path
from tests.evaluating.evaluation_data import BrightDetector
from tests.evaluating.test_evaluator import run
detector = BrightDetector()
detector.before = lambda judged: judged == 7 and os.kill(os.getpid(), signal.SIGKILL)
run(Path({str(data)!r}), Path({str(folder)!r}), detector)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    rest = BrightDetector()
    run(data, folder, rest, resume=True)
    assert rest.judged == 9
    assert without_times(folder) == without_times(tmp_path / "a" / "run")


def test_finished_images_are_not_judged_again(data: Path, tmp_path: Path) -> None:
    first, second = BrightDetector(), BrightDetector()
    stopped = run(data, tmp_path / "run", first, stop=lambda: first.judged >= 6)
    assert (stopped["complete"], first.judged, stopped["classes"]) == (False, 6, [])
    told: list[tuple[int, int]] = []
    done = run(
        data, tmp_path / "run", second, resume=True, progress=lambda *count: told.append(count)
    )
    assert (done["complete"], second.judged) == (True, 10)
    assert told == [(count, 16) for count in range(6, 17)]
    third = BrightDetector()
    assert run(data, tmp_path / "run", third, resume=True) == done
    assert third.judged == 0


def test_a_lost_map_is_made_again(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "a" / "run")
    folder = tmp_path / "b" / "run"
    detector = BrightDetector()
    run(data, folder, detector, stop=lambda: detector.judged >= 6)
    (folder / "work" / "000002.npz").unlink()
    again = BrightDetector()
    run(data, folder, again, resume=True)
    assert again.judged == 11
    assert without_times(folder) == without_times(tmp_path / "a" / "run")


def test_a_run_is_not_mixed_with_another(data: Path, tmp_path: Path) -> None:
    detector = BrightDetector()
    run(data, tmp_path / "run", detector, stop=lambda: detector.judged >= 2)
    with pytest.raises(StoreError, match="holds a run already"):
        run(data, tmp_path / "run")
    with pytest.raises(StoreError, match="ranked_by was 'margin' and is now 'probability'"):
        run(data, tmp_path / "run", resume=True, ranked_by="probability")
    with pytest.raises(StoreError, match="images was 16 and is now 4"):
        run(data, tmp_path / "run", resume=True, samples=load_samples(data)[:4])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match="holds other things"):
        run(data, tmp_path / "other")
    with pytest.raises(InputError, match="no images"):
        run(data, tmp_path / "none", samples=[])


def test_only_one_process_writes_a_run(data: Path, tmp_path: Path) -> None:
    samples, detector = load_samples(data), BrightDetector()
    options: dict[str, Any] = {"data_root": data, "resume": True}
    with (
        open_run(detector, samples, tmp_path / "run", EvaluateConfig(), **options),
        pytest.raises(StoreError, match="written by another"),
    ):
        open_run(detector, samples, tmp_path / "run", EvaluateConfig(), **options)


def test_ranking_by_probability_is_recorded_and_both_are_shown(data: Path, tmp_path: Path) -> None:
    by_margin = run(data, tmp_path / "m")
    by_probability = run(data, tmp_path / "p", ranked_by="probability")
    for one, other in zip(by_margin["classes"], by_probability["classes"], strict=True):
        assert one["alternative"]["ranked_by"] == "probability"
        assert one["alternative"]["pixel_level"] == other["pixel_level"]
        assert one["alternative"]["aupro"] == other["aupro"]
        assert other["alternative"]["aupro"] == one["aupro"]
        # The stub's probabilities saturate, as the paper's do.
        assert one["aupro"] != other["aupro"]
        score = one["image_level"]["max_f1_score"]
        assert score == pytest.approx(other["image_level"]["max_f1_threshold"], abs=1e-9)
    assert by_margin["mean"]["alternative"]["aupro"] == by_probability["mean"]["aupro"]


def test_failed_images_are_rows_with_a_reason(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "parts"
    shutil.copytree(data, root)
    (root / "nut/test/good/000.png").write_bytes(b"broken")
    Image.new("RGB", (40, 40), (255, 0, 255)).save(root / "nut/test/good/001.png")
    Image.new("L", (3, 3)).save(root / "nut/ground_truth/hole/000_mask.png")
    results = run(root, tmp_path / "run", batch_size=4)
    table = read_run(tmp_path / "run").images().set_index("rel_path")
    failed = table[table["error"] != ""]
    assert set(failed.index) == {
        "nut/test/good/000.png",
        "nut/test/good/001.png",
        "nut/test/hole/000.png",
    }
    assert "no memory" in failed.loc["nut/test/good/001.png", "error"]
    assert failed["anomaly_score"].isna().all()
    nut, tile = results["classes"]
    assert (nut["normal"], nut["anomalous"], nut["failed"]) == (2, 3, 3)
    assert (tile["normal"], tile["anomalous"], tile["failed"]) == (4, 4, 0)


@pytest.mark.parametrize(
    ("kept", "image_reason", "pixel_reason"),
    [
        ("anomalous", "no normal images", None),
        ("normal", "no anomalous images", "no anomalous images"),
        ("maskless", None, "no masks"),
    ],
)
def test_what_is_undefined_is_none_with_the_reason(
    kept: str, image_reason: str | None, pixel_reason: str | None, data: Path, tmp_path: Path
) -> None:
    samples = [
        dataclasses.replace(s, mask_path=None, mask_rel_path=None) if kept == "maskless" else s
        for s in load_samples(data)
        if kept == "maskless" or s.anomalous == (kept == "anomalous")
    ]
    results = run(data, tmp_path / "run", samples=samples)
    for entry in results["classes"]:
        for level, reason in (("image_level", image_reason), ("pixel_level", pixel_reason)):
            for name in METRICS:
                assert (entry[level][name] is None) == (reason is not None)
                assert entry[level]["undefined"].get(name) == reason
        assert (entry["aupro"] is None) == (pixel_reason is not None)
        assert (entry["false_alarm_rate"] is None) == (kept == "anomalous")
        assert (entry["detection_rate"] is None) == (kept == "normal")
        assert entry["without_mask"] == (4 if kept == "maskless" else 0)
    expected = 0 if image_reason else 2
    assert results["mean"]["counts"]["image_level.auroc"] == expected
    assert (results["mean"]["image_level"]["auroc"] is None) == (expected == 0)


def test_a_missing_mask_leaves_its_image_out_of_pixel_values_and_is_said(
    data: Path, tmp_path: Path
) -> None:
    lost = next(s for s in load_samples(data) if s.anomalous)
    whole = [s for s in load_samples(data) if s != lost]
    lost.mask_path.unlink()
    results = run(data, tmp_path / "run")
    without = run(data, tmp_path / "without", samples=whole)
    entry, other = results["classes"][0], without["classes"][0]
    assert (entry["anomalous"], entry["without_mask"]) == (4, 1)
    assert (other["anomalous"], other["without_mask"]) == (3, 0)
    assert entry["pixel_level"] == other["pixel_level"]
    assert entry["aupro"] == other["aupro"]
    [warning] = results["warnings"]
    assert warning.startswith("1 of 8 anomalous images has no mask")
    assert lost.rel_path in warning
    assert without["warnings"] == []
    assert read_run(tmp_path / "run").results.warnings == (warning,)


def test_rates_are_shares_at_the_threshold_and_peaks_are_counted(
    data: Path, tmp_path: Path
) -> None:
    results = run(data, tmp_path / "run")
    table = read_run(tmp_path / "run").images()
    for entry in results["classes"]:
        rows = table[table["class_name"] == entry["class_name"]]
        normal, anomalous = (rows[rows["anomalous"] == kind] for kind in (False, True))
        assert entry["false_alarm_rate"] == (normal["anomaly_score"] >= 0.5).mean()
        review = 1 / (1 + np.exp(1.0))
        assert entry["review_rate"] == (normal["anomaly_score"] >= review).mean()
        assert entry["detection_rate"] == (anomalous["anomaly_score"] >= 0.5).mean()
        peak = entry["normal_peak"]
        assert peak["images"] == 4
        assert 0 <= peak["on_contour"] <= 1
        assert 0 < peak["near_contours"] <= 1


def test_a_leak_is_named(data: Path, tmp_path: Path) -> None:
    assert run(data, tmp_path / "clean")["leak"] is None
    leaky = BrightDetector(trained_on=("visa", "parts"))
    assert "Bright was trained on parts" in run(data, tmp_path / "leaky", leaky)["leak"]


def test_prompts_are_the_classes_words_or_what_is_given(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "parts", classes=["metal_nut"], count=2)
    for given, expected in ((None, "metal nut"), ("", ""), ("screw", "screw")):
        detector = BrightDetector()
        results = run(data, tmp_path / f"run-{expected}", detector, class_name=given)
        assert detector.prompts == {expected}
        assert results["classes"][0]["prompt"] == expected


def test_the_run_says_how_it_was_made(data: Path, tmp_path: Path) -> None:
    results = run(data, tmp_path / "run")
    assert results["checkpoint_sha256"] == "0" * 64
    assert results["data_root"] == str(data)
    assert (results["device"], results["precision"], results["batch_size"]) == ("cpu", "fp32", 1)
    assert {"adaclip", "python", "torch", "numpy"} <= set(results["versions"])
    assert results["threshold"] == {"value": 0.5, "source": "made up", "review_band": 1.0}
    assert results["created_utc"].endswith("+00:00")
    assert results["seconds_per_image"] == 0.25


def test_any_batch_size_gives_the_same_results(data: Path, tmp_path: Path) -> None:
    """With a real network, whose batches differ in the last digits."""
    detector = load_detector(
        write_tiny(tmp_path / "tiny.safetensors"), device="cpu", precision="fp32"
    )
    samples = limit_samples(load_samples(data), 4)
    made = {}
    for size in (1, 3):
        folder = tmp_path / f"run-{size}"
        config = EvaluateConfig()
        with open_run(detector, samples, folder, config, data_root=data, batch_size=size) as writer:
            evaluate(detector, samples, writer)
        made[size] = read_run(folder)
    one, three = made[1], made[3]
    for name in ("anomaly_score", "anomaly_margin"):
        np.testing.assert_allclose(one.images()[name], three.images()[name], atol=1e-3)
    for first, second in zip(one.results.classes, three.results.classes, strict=True):
        for level, name in itertools.product(("image", "pixel"), (*METRICS, "aupro")):
            assert first.value(level, name) == pytest.approx(second.value(level, name), abs=1e-3)
    assert one.results.extra["batch_size"] == 1
    assert one.results.checkpoint_sha256 == sha256_of(tmp_path / "tiny.safetensors")
