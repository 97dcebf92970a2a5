"""The engine: any batch, any thread, any precision gives an image its own result."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import adaclip
from adaclip.detecting import detector as detector_module
from adaclip.detecting.detector import Detector, load_detector
from adaclip.errors import AdaClipError, CheckpointError, ImageError, InputError
from adaclip.types import Detection
from tests.tiny import write_tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="module")
def detector(checkpoint: Path) -> Detector:
    return load_detector(checkpoint, device="cpu", precision="fp32")


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(20, 90, size=(count, 2))
    return [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in sizes]


def test_result_describes_the_image_at_its_own_size(detector: Detector) -> None:
    image = pictures(1)[0]
    [result] = detector.detect([image], "metal nut")
    assert result.margin_map.shape == result.anomaly_map.shape == image.shape[:2]
    assert result.margin_map.dtype == np.float32
    assert 0 <= result.anomaly_map.min() <= result.anomaly_map.max() <= 1
    assert result.anomaly_score == pytest.approx(1 / (1 + np.exp(-result.anomaly_margin)), abs=1e-9)
    assert (result.class_name, result.device, result.precision) == ("metal nut", "cpu", "fp32")
    assert result.seconds > 0
    with pytest.raises(ValueError, match="read-only"):
        result.model_margin_map[0, 0] = 1.0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "treatment", [{}, {"least_image_size": 28}, {"refinement_radius": 1.0, "smoothing_sigma": 0.0}]
)
def test_batch_size_moves_no_score(
    tmp_path: Path, precision: str, treatment: dict[str, float]
) -> None:
    checkpoint = write_tiny(tmp_path / "tiny.safetensors", **treatment)
    detector = load_detector(checkpoint, device="cpu", precision=precision)  # type: ignore[arg-type]
    images = pictures(7)
    alone = [detector.detect([image], "screw")[0] for image in images]
    for size in (2, 3, 7):
        together = detector.detect(images, "screw", batch_size=size)
        assert [found.image_size for found in together] == [image.shape[:2] for image in images]
        for one, other in zip(alone, together, strict=True):
            assert other.model_margin_map.shape == (56, 56)
            assert abs(one.anomaly_score - other.anomaly_score) < 1e-3
            assert np.abs(one.anomaly_map - other.anomaly_map).max() < 1e-3


def test_refinement_draws_the_map_to_the_image_and_moves_no_score(tmp_path: Path) -> None:
    image = np.zeros((56, 56, 3), np.uint8)
    image[:, 30:] = 200
    plain, refined = (
        load_detector(
            write_tiny(tmp_path / f"{radius}.safetensors", refinement_radius=radius),
            device="cpu",
            precision="fp32",
        ).detect([image], "tile")[0]
        for radius in (0.0, 1.0)
    )
    assert refined.anomaly_margin == plain.anomaly_margin

    def largest_step(found: Detection) -> int:
        return int(np.abs(np.diff(found.model_margin_map, axis=1)).mean(axis=0).argmax())

    assert abs(largest_step(refined) - 29) <= 1 < abs(largest_step(plain) - 29)


def test_same_call_gives_same_bits_whatever_ran_before(detector: Detector) -> None:
    images = pictures(3)
    before = detector.detect(images, "pill")
    detector.detect(pictures(5, seed=1), "wood", batch_size=5)
    for one, other in zip(before, detector.detect(images, "pill"), strict=True):
        assert one.anomaly_score == other.anomaly_score
        np.testing.assert_array_equal(one.model_margin_map, other.model_margin_map)


def test_threads_and_checkpoints_do_not_mix(tmp_path: Path, detector: Detector) -> None:
    other = load_detector(write_tiny(tmp_path / "other.safetensors", seed=1), precision="fp32")
    images = pictures(4)
    expected = {
        (d.info.id, name): [r.anomaly_margin for r in d.detect(images, name)]
        for d in (detector, other)
        for name in ("screw", "leather")
    }
    assert len({tuple(v) for v in expected.values()}) == 4
    wrong: list[object] = []

    def work(index: int) -> None:
        chosen, name = (detector, other)[index % 2], ("screw", "leather")[index // 2 % 2]
        for _ in range(3):
            got = [r.anomaly_margin for r in chosen.detect(images, name)]
            if got != expected[chosen.info.id, name]:
                wrong.append((chosen.info.id, name))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_images_are_taken_only_as_needed(detector: Detector) -> None:
    taken = []

    def images():
        for index, image in enumerate(pictures(5)):
            taken.append(index)
            yield image

    next(detector.stream(images(), "tile", batch_size=2))
    assert taken == [0, 1]


def test_lack_of_memory_halves_the_batch(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    compute = detector._compute

    def limited(inputs, token_ids):
        size = len(next(iter(inputs.values())))
        sizes.append(size)
        if size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(inputs, token_ids)

    images = pictures(8)
    expected = [r.anomaly_score for r in detector.detect(images, "grid")]
    monkeypatch.setattr(detector, "_compute", limited)
    got = [r.anomaly_score for r in detector.detect(images, "grid", batch_size=8)]
    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    np.testing.assert_allclose(got, expected, atol=1e-3)


def test_no_memory_for_one_image_is_a_plain_error(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(inputs, token_ids):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(detector, "_compute", full)
    with pytest.raises(AdaClipError, match="not enough memory on cpu"):
        detector.detect(pictures(2), "grid", batch_size=2)


def test_not_finite_in_low_precision_is_recomputed_and_said(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = load_detector(checkpoint, device="cpu", precision="bf16")
    images = pictures(3)
    fp32 = load_detector(checkpoint, device="cpu", precision="fp32").detect(images, "tile")
    clean = detector.detect(images, "tile", batch_size=3)
    forward, calls = detector._forward, []

    def broken(inputs, token_ids):
        maps = forward(inputs, token_ids)
        calls.append(len(maps.image_margins))
        if len(calls) == 1:
            maps.margins[1, 3, 3] = float("nan")
        return maps

    monkeypatch.setattr(detector, "_forward", broken)
    results = detector.detect(images, "tile", batch_size=3)
    assert calls == [3, 1]
    assert [bool(r.notes) for r in results] == [False, True, False]
    assert "fp32" in results[1].notes[0]
    assert results[1].anomaly_margin == pytest.approx(fp32[1].anomaly_margin, abs=0.05)
    monkeypatch.undo()
    after = detector.detect(images, "tile", batch_size=3)
    assert [r.anomaly_margin for r in after] == [r.anomaly_margin for r in clean]


def test_never_finite_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load_detector(write_tiny(tmp_path / "bad.safetensors"), precision="fp32")
    with torch.no_grad():
        detector._models[0].model.class_projection.bias[0] = float("inf")
    with pytest.raises(CheckpointError, match="not finite"):
        detector.detect(pictures(1), "tile")


@pytest.mark.parametrize("name", ["", "  ", "螺丝", "💥", "a\x00b", "metal-nut", "x" * 80])
def test_any_short_class_name_works(detector: Detector, name: str) -> None:
    assert np.isfinite(detector.detect(pictures(1), name)[0].anomaly_margin)


def test_bad_arguments_are_named(detector: Detector, checkpoint: Path) -> None:
    with pytest.raises(InputError, match="81 characters"):
        detector.detect(pictures(1), "x" * 81)
    with pytest.raises(InputError, match="batch size 0"):
        detector.detect(pictures(1), "tile", batch_size=0)
    with pytest.raises(ImageError):
        detector.detect([np.zeros((4, 4, 7), np.uint8)], "tile")
    with pytest.raises(InputError, match="abacus"):
        load_detector(checkpoint, device="abacus")
    with pytest.raises(InputError, match="fp64"):
        load_detector(checkpoint, precision="fp64")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="fp16 needs a GPU"):
        load_detector(checkpoint, device="cpu", precision="fp16")
    with pytest.raises(CheckpointError):
        load_detector("no-such-checkpoint")


def test_package_exports_what_it_says() -> None:
    assert set(adaclip.__all__) <= set(dir(adaclip)) | {"Detector", "load_detector"}
    assert adaclip.load_detector is detector_module.load_detector
