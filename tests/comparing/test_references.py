"""Good examples: what they judge, what they say of themselves, and that they survive a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from adaclip.comparing.calibration import compared
from adaclip.comparing.features import Features, views
from adaclip.comparing.files import load_references, save_references
from adaclip.comparing.joining import quantile, robust, shrunk
from adaclip.comparing.references import MAX_BANK, References, assemble, score_all
from adaclip.errors import InputError, StoreError
from adaclip.types import Verdict
from tests.comparing.samples import features

CPU = torch.device("cpu")


def references(count: int = 4, names: tuple[str, ...] = ()) -> References:
    examples = [features(seed) for seed in range(count)]
    own = [features(seed) for seed in range(90, 93)] if count == 1 else []
    titles = names or tuple(f"{n}.png" for n in range(count))
    return assemble(titles, examples, [[] for _ in examples], own, CPU)


def test_distance_is_the_mean_over_stages_of_the_nearest_patch_of_any_example() -> None:
    picture, others = features(7), [features(seed) for seed in (1, 2)]
    found = compared(views(picture, CPU), [views(each, CPU) for each in others])
    expected = []
    for mine, *theirs in zip(views(picture, CPU), *(views(o, CPU) for o in others), strict=True):
        bank = np.concatenate([each.numpy() for each in theirs]).astype(np.float64)
        expected.append((1 - mine.numpy().astype(np.float64) @ bank.T).min(axis=1))
    np.testing.assert_allclose(found.distances, np.mean(expected, axis=0), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_defect_is_found_and_its_place_too(count: int) -> None:
    good, bad = score_all([features(50), features(51, defect=True)], references(count), CPU)
    assert bad.anomaly_margin > good.anomaly_margin
    assert bad.threshold is not None
    assert bad.threshold.verdict(bad.anomaly_score) is Verdict.ANOMALOUS
    assert bad.anomaly_score == pytest.approx(1 / (1 + np.exp(-bad.anomaly_margin)))
    peak = np.unravel_index(bad.model_margin_map.argmax(), bad.model_margin_map.shape)
    assert peak[0] < 3
    assert peak[1] < 6
    assert bad.map_threshold == 0.5
    assert bad.model_anomaly_map.max() > 0.5


def test_most_further_normals_pass() -> None:
    found = score_all([features(seed) for seed in range(100, 160)], references(4), CPU)
    assert sum(one.anomaly_score >= 0.5 for one in found) <= 3


def test_the_source_says_what_the_threshold_rests_on() -> None:
    assert references(3).calibration.source == "3 good examples, leave-one-out"
    assert references(1).calibration.source == "1 good example, other views of it"
    [found] = score_all([features(9)], references(3), CPU)
    assert found.compared_with == "3 good examples"


def test_the_order_of_examples_moves_no_score() -> None:
    examples = [features(seed) for seed in range(4)]
    scores = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        chosen = [examples[i] for i in order]
        made = assemble([str(i) for i in order], chosen, [[] for _ in order], [], CPU)
        scores.append(score_all([features(50, defect=True)], made, CPU)[0].anomaly_margin)
    assert scores[0] == pytest.approx(scores[1], abs=1e-9)


def foreign(seed: int) -> Features:
    """A picture of something else: the same tokens, their channels elsewhere."""
    one = features(seed)
    return replace(one, tokens=np.roll(one.tokens, 5, axis=-1).copy())


def test_an_example_with_a_defect_or_of_another_object_is_named() -> None:
    examples = [*(features(seed) for seed in range(4)), features(60, defect=True)]
    names = [*"abcd", "scratched.png"]
    notes = assemble(names, examples, [[] for _ in names], [], CPU).notes
    assert notes == ("scratched.png is unlike the other good examples: is it without a defect?",)
    examples[4] = foreign(61)
    notes = assemble(names, examples, [[] for _ in names], [], CPU).notes
    assert notes == ("scratched.png seems to show another object than the other good examples",)
    two = assemble(["a", "b"], [features(0), foreign(1)], [[], []], [], CPU)
    assert two.notes == ("a and b hardly show the same object",)
    assert references(2).notes == ()


def test_a_picture_of_another_object_says_so() -> None:
    other, same = score_all([foreign(62), features(63)], references(4), CPU)
    assert any("same object" in note for note in other.notes)
    assert same.notes == ()


def test_banks_are_bounded_however_many_examples() -> None:
    many = references(16)
    total = sum(bank.shape[1] for bank in many.banks)
    assert total <= MAX_BANK
    assert {bank.dtype for bank in many.banks} == {np.dtype(np.float16)}


def test_what_is_known_is_not_computed_again_and_changes_nothing() -> None:
    pictures, known = [features(seed) for seed in (50, 51)], {}
    score_all(pictures, references(3), CPU, known)
    before = set(known)
    again = score_all(pictures, references(4), CPU, known)
    assert len(before) == 6
    assert len(set(known) - before) == 2
    for one, other in zip(again, score_all(pictures, references(4), CPU), strict=True):
        assert one.anomaly_margin == other.anomaly_margin


def test_a_file_gives_back_the_same_bits(tmp_path: Path) -> None:
    before, path = references(3), tmp_path / "nut.npz"
    save_references(before, path)
    after = load_references(path)
    assert after.names == before.names
    assert after.calibration == before.calibration
    one, two = (score_all([features(50)], each, CPU)[0] for each in (before, after))
    assert one.anomaly_margin == two.anomaly_margin
    np.testing.assert_array_equal(one.model_margin_map, two.model_margin_map)
    again = assemble(after.names, after.examples, [[], [], []], [], CPU)
    assert again.calibration == before.calibration


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "nut.npz"
    save_references(references(2), path)
    whole = path.read_bytes()
    for damage in (b"", b"no zip", whole[: len(whole) // 2]):
        path.write_bytes(damage)
        with pytest.raises(StoreError, match=r"nut\.npz"):
            load_references(path)
    with pytest.raises(StoreError, match="cannot read"):
        load_references(tmp_path / "none.npz")
    with np.load(_rewritten(path, whole)) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for name, value in (
        ("tokens_0", arrays["tokens_0"] * np.float16(np.nan)),
        ("bank_1", arrays["bank_1"][:, :, :3]),
        ("class_token_0", arrays["class_token_0"].astype(np.float64)),
        ("about", arrays["about"][:-9]),
        ("about", np.frombuffer(b'{"format": "other"}', np.uint8)),
    ):
        np.savez(path, **arrays | {name: value})
        with pytest.raises(StoreError, match="damaged"):
            load_references(path)


def _rewritten(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_features_of_another_model_are_refused() -> None:
    with pytest.raises(InputError, match="another model"):
        score_all([features(1, model="other")], references(2), CPU)


def test_a_spread_is_drawn_to_what_is_known() -> None:
    assert shrunk([3.0], 0.5).spread == pytest.approx(0.5)
    many = np.random.default_rng(0).normal(1.0, 2.0, 5000)
    assert shrunk(many, 0.5).spread == pytest.approx(2.0, rel=0.05)
    assert quantile([0.0] * 2, 0.98) > quantile([0.0] * 8, 0.98)


@pytest.mark.parametrize("defective", [0, 100])
def test_the_normal_of_a_batch_is_found_with_a_third_defective_or_none(
    defective: int,
) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 300 - defective), rng.normal(6, 2, defective)])
    found = robust(values, 1.0)
    assert abs(found.centre) < 0.5
    assert 0.7 < found.spread < 1.5
