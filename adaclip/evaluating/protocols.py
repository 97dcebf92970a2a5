"""Ways of judging a dataset beside zero-shot: with good examples of each class, or as a batch.

Each is a protocol of its own: what it measures never stands beside zero-shot values. Importing
this module loads no torch.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adaclip.data.images import pixel_sha256
from adaclip.data.samples import Sample, load_samples
from adaclip.errors import AdaClipError, InputError
from adaclip.evaluating.sources import ImageSource
from adaclip.types import Detection, Threshold

if TYPE_CHECKING:  # the engine loads torch
    from adaclip.comparing.features import Features
    from adaclip.comparing.references import References
    from adaclip.comparing.store import FeatureStore
    from adaclip.detecting.detector import Detector

# Comparisons put their thresholds here, whatever the class.
_MIDDLE = 0.5


class FeatureCache:
    """Features of images by their pixels and class name, so that several seeds share one pass."""

    def __init__(self, detector: Detector, store: FeatureStore) -> None:
        self._detector = detector
        self._store = store
        self._known: dict[tuple[str, str], Features] = {}

    def features(self, images: Sequence[np.ndarray], prompt: str) -> list[Features]:
        """The features of images, computed where they are not known."""
        keys = [(prompt, pixel_sha256(image)) for image in images]
        missing = {
            key: image for key, image in zip(keys, images, strict=True) if key not in self._known
        }
        if missing:
            found = self._detector.features(list(missing.values()), prompt, batch_size=len(missing))
            for key, each in zip(missing, found, strict=True):
                self._known[key] = self._store.keep(each)
        return [self._known[key] for key in keys]


class Protocol(ABC):
    """How the images of a class are judged.

    Attributes:
        name: what tables call it: "4 references", "batch".
        words: the same as a sentence for the run's header.
        threshold: where all of its scores are cut.
        whole_class: True when a class is judged all at once.
    """

    name = ""
    words = ""
    whole_class = False
    source = ""

    @property
    def threshold(self) -> Threshold:
        """Where all scores are cut, whatever the class."""
        return Threshold(value=_MIDDLE, source=self.source)

    def settings(self) -> dict[str, Any]:
        """What else has to be the same for a run to be resumed."""
        return {"comparison": self.name}

    @abstractmethod
    def judge(self, class_name: str, images: Sequence[np.ndarray], prompt: str) -> list[Detection]:
        """The detections of images of a class, in order. Raises AdaClipError."""


@dataclass
class ReferenceProtocol(Protocol):
    """Every image compared with the same few normal pictures of its class."""

    detector: Detector
    cache: FeatureCache
    examples: Mapping[str, Sequence[Sample]]
    count: int
    seed: int
    images: ImageSource

    def __post_init__(self) -> None:
        plural = "s" if self.count > 1 else ""
        self.name = f"{self.count} reference{plural}"
        self.source = f"{self.count} good example{plural} of each class"
        self.words = (
            f"Compared with {self.count} normal picture{plural} of each class, drawn with seed "
            f"{self.seed} from the train split, or where there is none from the test split and "
            "then left out of it."
        )
        self._made: dict[tuple[str, str], References] = {}

    def settings(self) -> dict[str, Any]:
        drawn = sorted(each.rel_path for found in self.examples.values() for each in found)
        return super().settings() | {"seed": self.seed, "references": drawn}

    def judge(self, class_name: str, images: Sequence[np.ndarray], prompt: str) -> list[Detection]:
        references = self._references(class_name, prompt)
        return self.detector.score(self.cache.features(images, prompt), references)

    def _references(self, class_name: str, prompt: str) -> References:
        key = (class_name, prompt)
        if key not in self._made:
            samples = self.examples[class_name]
            try:
                pictures = [self.images.image(each) for each in samples]
            except AdaClipError as error:
                raise InputError(f"a reference of {class_name} cannot be read: {error}") from error
            names = [each.rel_path for each in samples]
            self._made[key] = self.detector.references(pictures, prompt, names=names)
        return self._made[key]


@dataclass
class BatchProtocol(Protocol):
    """All images of a class compared with each other."""

    detector: Detector
    name: str = "batch"
    source: str = "each class's own pictures, up to a third of them defective"
    words: str = "All test pictures of a class compared with each other, without labels."
    whole_class: bool = True

    def judge(self, class_name: str, images: Sequence[np.ndarray], prompt: str) -> list[Detection]:
        return self.detector.detect_batch(images, prompt)


def draw_references(
    samples: Sequence[Sample], train: Sequence[Sample], count: int, seed: int
) -> tuple[list[Sample], dict[str, list[Sample]]]:
    """(the images that remain to be judged, the references of each class).

    `count` normal pictures of each class, of `train` where it has any of the class, else of
    `samples`, which then lack them. Raises InputError for a class with too few.
    """
    normal: dict[str, dict[bool, list[Sample]]] = defaultdict(lambda: {True: [], False: []})
    for own, given in ((True, train), (False, samples)):
        for sample in given:
            if not sample.anomalous:
                normal[sample.class_name][own].append(sample)
    drawn: dict[str, list[Sample]] = {}
    for class_name in sorted({sample.class_name for sample in samples}):
        pool = normal[class_name][True] or normal[class_name][False]
        if len(pool) < count + (not normal[class_name][True]):
            raise InputError(
                f"class {class_name} has {len(pool)} normal pictures, too few to take {count} "
                "references from; use fewer, or another dataset"
            )
        pool = sorted(pool, key=lambda sample: sample.rel_path)
        generator = np.random.default_rng([seed, zlib.crc32(class_name.encode())])
        drawn[class_name] = [pool[i] for i in generator.permutation(len(pool))[:count]]
    left_out = {each.rel_path for found in drawn.values() for each in found}
    from_train = {sample.rel_path for sample in train}
    kept = [s for s in samples if s.rel_path not in left_out or s.rel_path in from_train]
    return kept, drawn


def train_samples(root: Path, dataset: str | None) -> list[Sample]:
    """The train split of a dataset; none where it has none."""
    try:
        return load_samples(root, dataset, split="train")
    except AdaClipError:
        return []
