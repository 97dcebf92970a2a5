"""Zero-shot visual anomaly detection with AdaCLIP (ECCV 2024, arXiv 2407.15795).

    from adaclip import load_detector
    [detection] = load_detector("lite").detect([image], "metal nut")

Importing this package loads neither torch nor gradio; `load_detector` does, when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adaclip.errors import AdaClipError
from adaclip.types import CheckpointInfo, Detection, Threshold, Verdict

if TYPE_CHECKING:
    from adaclip.detecting.detector import Detector, load_detector

__version__ = "0.1.0"
__all__ = [
    "AdaClipError",
    "CheckpointInfo",
    "Detection",
    "Detector",
    "Threshold",
    "Verdict",
    "load_detector",
]


def __getattr__(name: str) -> Any:
    """Import the engine, and torch with it, on first use (PEP 562)."""
    if name in {"Detector", "load_detector"}:
        from adaclip.detecting import detector

        return getattr(detector, name)
    raise AttributeError(f"module 'adaclip' has no attribute {name!r}")
