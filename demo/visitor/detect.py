"""Detections are computed once for every tab: by pixels, weights and the object's name."""

from __future__ import annotations

import numpy as np

from adaclip.checkpoints.catalogue import fingerprint
from adaclip.data.images import pixel_sha256
from adaclip.types import CheckpointInfo, Detection
from demo.batch import DetectionKey
from demo.services import Services


def detection_key(info: CheckpointInfo, class_name: str, sha256: str) -> DetectionKey:
    """What the detection of a picture with these pixels is remembered by."""
    return (sha256, fingerprint(info), class_name)


def known_detection(
    services: Services, info: CheckpointInfo, class_name: str, sha256: str
) -> Detection | None:
    """The detection this server still remembers; nothing is computed for it."""
    return services.store.detections.get(detection_key(info, class_name, sha256))


def detect(
    services: Services, info: CheckpointInfo, pixels: np.ndarray, class_name: str
) -> Detection:
    """The detection of one picture, (H, W, 3) uint8 RGB: remembered, or computed now.

    Raises AdaClipError.
    """
    key = detection_key(info, class_name, pixel_sha256(pixels))
    known = services.store.detections.get(key)
    if known is None:
        detector = services.pool.get(info.id)
        with services.device_line.taken():
            [known] = detector.detect([pixels], class_name)
        services.store.detections.put(key, known)
    return known
