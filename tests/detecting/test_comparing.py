"""The detector with good examples and with batches, on a tiny model of random weights."""

from __future__ import annotations

import numpy as np
import pytest

from adaclip.comparing.references import MAX_REFERENCES
from adaclip.detecting.detector import Detector, load_detector
from adaclip.errors import ImageError, InputError
from tests.detecting.test_detector import pictures
from tests.tiny import write_tiny


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Like `lite`: images keep their size and aspect, no prompts in the image encoder."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    write_tiny(path, least_image_size=28, prompted_encoders="text", rarity_weight=1.0)
    return load_detector(path, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Like the published checkpoints: one square, prompts everywhere."""
    path = write_tiny(tmp_path_factory.mktemp("weights") / "published.safetensors")
    return load_detector(path, device="cpu", precision="fp32")


@pytest.mark.parametrize("kind", ["detector", "published"])
def test_good_examples_give_the_image_its_own_threshold(
    kind: str, request: pytest.FixtureRequest
) -> None:
    detector: Detector = request.getfixturevalue(kind)
    good, shown = pictures(3), pictures(3, seed=1)
    references = detector.references(good, "nut", names=["a", "b", "c"])
    found = detector.detect(shown, "nut", references=references)
    assert [one.image_size for one in found] == [image.shape[:2] for image in shown]
    for one in found:
        assert one.compared_with == "3 good examples"
        assert one.threshold is not None
        assert one.threshold.source == "3 good examples, leave-one-out"
        assert one.margin_map.shape == one.image_size
        assert np.isfinite(one.margin_map).all()
    without_model = detector.score(detector.features(shown, "nut"), references)
    assert [a.anomaly_margin for a in found] == [b.anomaly_margin for b in without_model]


@pytest.mark.parametrize("kind", ["detector", "published"])
def test_batch_size_and_what_ran_before_move_no_compared_score(
    kind: str, request: pytest.FixtureRequest
) -> None:
    detector: Detector = request.getfixturevalue(kind)
    good, shown = pictures(2), pictures(9, seed=2)
    references = detector.references(good, "nut", pose="fixed")
    alone = detector.detect(shown, "nut", references=references)
    detector.detect_batch(shown, "other")
    again = detector.detect(shown, "nut", references=references)
    assert [a.anomaly_margin for a in alone] == [b.anomaly_margin for b in again]
    together = detector.detect(shown, "nut", references=references, batch_size=9)
    for one, other in zip(alone, together, strict=True):
        assert abs(one.anomaly_score - other.anomaly_score) < 1e-3
    in_batch = detector.detect_batch(shown, "nut")
    backwards = detector.detect_batch(shown[::-1], "nut")[::-1]
    assert [a.anomaly_margin for a in in_batch] == [b.anomaly_margin for b in backwards]
    for one, other in zip(in_batch, detector.detect_batch(shown, "nut", batch_size=4), strict=True):
        assert abs(one.anomaly_score - other.anomaly_score) < 1e-3


def test_plain_detection_carries_no_threshold_of_its_own(detector: Detector) -> None:
    [found] = detector.detect(pictures(1), "nut")
    assert (found.threshold, found.map_threshold, found.compared_with) == (None, None, None)


def test_an_image_is_compared_in_its_own_aspect(detector: Detector, published: Detector) -> None:
    wide = np.zeros((28, 112, 3), np.uint8)
    [own], [square] = detector.features([wide], "nut"), published.features([wide], "nut")
    assert own.grid == (2, 8)
    assert square.grid == (4, 4)
    assert own.tokens.dtype == np.float16
    assert own.tokens.shape == (4, 16, 128)
    np.testing.assert_allclose(np.linalg.norm(own.tokens.astype(float), axis=-1), 1, atol=1e-3)


@pytest.mark.parametrize("size", [(8, 4000), (4000, 8), (300, 301), (8, 8)])
def test_extreme_aspects_stay_within_the_model_s_patches(
    detector: Detector, size: tuple[int, int]
) -> None:
    rows, columns = (side // 14 for side in detector._first.native_size(*size))
    assert rows >= 2
    assert columns >= 2
    assert rows * columns <= (56 // 14) ** 2 + max(rows, columns)


def test_turned_copies_are_added_when_asked_or_when_they_help(detector: Detector) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (56, 56, 3), dtype=np.uint8)
    upright = detector.references([picture, picture.copy()], "nut")
    assert not upright.posed
    turned = detector.references([picture, np.rot90(picture).copy()], "nut")
    assert turned.posed
    assert detector.references([picture], "nut", pose="turned").posed
    assert turned.banks[0].shape[1] > upright.banks[0].shape[1]


def test_a_single_example_is_compared_with_views_of_itself(detector: Detector) -> None:
    references = detector.references(pictures(1), "nut")
    assert references.calibration.source == "1 good example, other views of it"
    [found] = detector.detect(pictures(1, seed=3), "nut", references=references)
    assert found.compared_with == "1 good example"


def test_wrong_examples_are_refused_with_a_reason(detector: Detector, published: Detector) -> None:
    picture = pictures(1)[0]
    with pytest.raises(InputError, match="no good examples"):
        detector.references([], "nut")
    with pytest.raises(InputError, match=rf"200 good examples .* {MAX_REFERENCES}"):
        detector.references([picture] * 200, "nut")
    with pytest.raises(InputError, match="2 names do not fit 1"):
        detector.references([picture], "nut", names=["a", "b"])
    with pytest.raises(InputError, match="unknown pose"):
        detector.references([picture], "nut", pose="upside down")  # type: ignore[arg-type]
    with pytest.raises(ImageError):
        detector.references([np.zeros((4, 4, 7), np.uint8)], "nut")
    references = detector.references([picture], "nut")
    with pytest.raises(InputError, match="another model"):
        published.detect([picture], "nut", references=references)
