"""What comparing adds to detecting: `python -m benchmarks.comparing [--checkpoint ID] [--size N]`.

Drawn pictures of one object. Ratios of one process on one machine: each time is the least of
several, and stands beside that of plain detection of the same pictures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from adaclip.comparing.features import Features
from adaclip.detecting.detector import Detector, load_detector


def least(function: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of several calls."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        found.append(time.perf_counter() - started)
    return min(found)


def pictures(count: int, size: int) -> list[np.ndarray]:
    """A bright disc on a dark ground with noise, never twice the same."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size - 0.5
    disc = 60 + 120 * (x * x + y * y < 0.14)
    noisy = (disc[..., None] + rng.normal(0, 8, (size, size, 3)) for _ in range(count))
    return [np.clip(each, 0, 255).astype(np.uint8) for each in noisy]


def measure(detector: Detector, size: int, batch: int) -> None:
    """Print the ratios."""
    shown = pictures(batch + 5, size)
    few = shown[:3]
    plain = least(lambda: detector.detect(few, "disc")) / len(few)
    references = detector.references(shown[-4:], "disc", pose="fixed")
    compared = least(lambda: detector.detect(few, "disc", references=references)) / len(few)
    print(f"plain detection          {1000 * plain:8.1f} ms")
    print(f"with 4 good examples     {1000 * compared:8.1f} ms  x {compared / plain:.2f}")
    features: list[Features] = detector.features(shown[:batch], "disc")
    scoring = least(lambda: detector.score(features, references), 1)
    mutual = least(lambda: detector.compare(features), 1)
    print(f"rescoring a batch of {batch:3} {1000 * scoring:8.1f} ms")
    ratio = (mutual + batch * plain) / (batch * plain)
    print(f"a batch with itself      {1000 * mutual:8.1f} ms  x {ratio:.2f} of its detection")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="lite")
    parser.add_argument("--size", type=int, default=518, help="side of the pictures")
    parser.add_argument("--batch", type=int, default=50)
    arguments = parser.parse_args()
    measure(load_detector(arguments.checkpoint), arguments.size, arguments.batch)


if __name__ == "__main__":
    main()
