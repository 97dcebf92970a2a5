"""What a detector does with several pictures of one object: references and batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from adaclip.comparing.features import Features
from adaclip.comparing.mutual import stream_all
from adaclip.comparing.references import (
    Known,
    Pose,
    References,
    make_references,
    score_all,
)
from adaclip.comparing.store import FeatureStore
from adaclip.data.images import as_pixels
from adaclip.detecting.device import Device
from adaclip.types import Detection


class Comparing(ABC):
    """The part of a `Detector` that compares; it keeps no state either."""

    _owner: Device

    @property
    @abstractmethod
    def features_id(self) -> str:
        """What features are of: those of two detectors compare where this is the same."""

    @abstractmethod
    def stream_features(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> Iterator[Features]:
        """Yield what each image is compared by, in order."""

    def features(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> list[Features]:
        """The features of images, to be scored any number of times without the model running."""
        return list(self.stream_features(images, class_name, batch_size=batch_size))

    def references(
        self,
        images: Sequence[np.ndarray],
        class_name: str,
        *,
        names: Sequence[str] = (),
        pose: Pose = "auto",
        batch_size: int | None = None,
    ) -> References:
        """Good examples as something to compare with; see `adaclip.comparing.references`.

        Args:
            images: 1 to MAX_REFERENCES pictures without a defect, of any sizes.
            names: what notes call them; by default "good example 1" and so on.
            pose: "turned" adds turned and mirrored copies of each, "fixed" does not, "auto" looks
                at the examples themselves.

        Raises:
            InputError: none, too many, or an argument that cannot be used.
            ImageError: an array that is no image.
        """
        pictures = [as_pixels(image) for image in images]

        def read(shown: Sequence[np.ndarray]) -> list[Features]:
            return self.features(shown, class_name, batch_size=batch_size)

        return make_references(read, pictures, names, pose, self._owner.torch_device)

    def score(
        self,
        features: Sequence[Features],
        references: References,
        *,
        known: Known | None = None,
    ) -> list[Detection]:
        """Detections by comparing with good examples; the model does not run.

        `known` is a dict that the caller keeps between calls: after an example was added, each
        picture is compared with the new one alone. It holds about 10 KB for each picture and
        example. Raises InputError when the features are of another model than the references.
        """
        return self._owner.run(score_all, features, references, self._owner.torch_device, known)

    def compare(self, features: Sequence[Features]) -> list[Detection]:
        """Detections by comparing pictures of one object with each other; the model does not run.

        Below LEAST_BATCH pictures each keeps its zero-shot detection. The order of the pictures
        does not matter.
        """
        return list(stream_all(features, self._owner.torch_device, self._owner.run))

    def stream_batch(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> Iterator[Detection]:
        """Yield detections that come of comparing many images of one object with each other.

        All images are taken, one by one, before the first detection comes. Memory holds the
        features of about a hundred of them, a file those of the rest. Arguments and errors as of
        `Detector.stream`; StoreError when the disk is full.
        """
        return self._batch(self.stream_features(images, class_name, batch_size=batch_size))

    def _batch(self, each: Iterator[Features]) -> Iterator[Detection]:
        with FeatureStore() as store:
            kept = [store.keep(features) for features in each]
            yield from stream_all(kept, self._owner.torch_device, self._owner.run)

    def detect_batch(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> list[Detection]:
        """Detect anomalies in images of one object by comparing them; see `stream_batch`."""
        return list(self.stream_batch(images, class_name, batch_size=batch_size))
