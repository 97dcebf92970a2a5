"""Our AUROC, average precision and max-F1 against scikit-learn's: time, memory, agreement.

    python -m benchmarks.metrics [--pixels 20000000] [--abnormal 0.03] [--spilled 4]

Both are timed in this one run on the same float32 values, each from values and labels to the three
figures; processor time too, which a busy machine does not stretch. Memory is the highest extra of
the process's resident set while one of them runs. The last part measures a set several times as
large as what `PixelMetrics` may keep in memory, AUPRO included.

Ours sorts normal and abnormal values apart and looks the one up in the other. The more abnormal
ones there are (--abnormal 0.5), the more is looked up, which gains less.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from adaclip.metrics.pixels import MAX_VALUES, PixelMetrics
from adaclip.metrics.ranking import ranking

Values = tuple[float, float, float]


def resident() -> int:
    """Bytes of this process in memory now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(function: Callable[[], Values]) -> tuple[Values, float, float, float]:
    """Its values, seconds, processor seconds, and the most memory it took on top, in MB."""
    before, peak, done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, used = time.perf_counter(), time.process_time()
    values = function()
    seconds, busy = time.perf_counter() - started, time.process_time() - used
    done.set()
    watcher.join()
    return values, seconds, busy, peak / 1e6


def by_scikit_learn(labels: np.ndarray, values: np.ndarray) -> Values:
    precision, recall, _ = precision_recall_curve(labels, values)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    return (
        float(roc_auc_score(labels, values)),
        float(average_precision_score(labels, values)),
        float(f1.max()),
    )


def ours(labels: np.ndarray, values: np.ndarray) -> Values:
    found = ranking(values[~labels], values[labels], of="pixels")
    assert found.auroc is not None
    assert found.average_precision is not None
    assert found.max_f1 is not None
    return found.auroc, found.average_precision, found.max_f1


def compare(pixels: int, share: float) -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(pixels) < share
    values = rng.standard_normal(pixels, np.float32) + labels.astype(np.float32)
    rows = {}
    for name, function in (("ours", ours), ("scikit-learn", by_scikit_learn)):
        # A second time each, and the faster counts: the machine may be busy with something else.
        runs = [measured(lambda f=function: f(labels, values)) for _ in range(2)]
        found, memory = runs[0][0], runs[0][3]
        seconds, busy = (min(run[column] for run in runs) for column in (1, 2))
        rows[name] = found, seconds, busy
        figures = ", ".join(f"{value:.9f}" for value in found)
        print(
            f"{name:<13} {seconds:7.3f} s (processor {busy:7.3f} s) {memory:6.0f} MB more  "
            f"AUROC, AP, max-F1: {figures}"
        )
    theirs, own = rows["scikit-learn"], rows["ours"]
    apart = max(abs(a - b) for a, b in zip(own[0], theirs[0], strict=True))
    print(
        f"{theirs[1] / own[1]:.0f} times as fast ({theirs[2] / own[2]:.0f} times in processor "
        f"time), {apart:.1e} apart"
    )


def spilled(times: int, share: float) -> None:
    side, rng = 518, np.random.default_rng(0)
    mask = np.zeros((side, side), bool)
    mask[: round(side * share)] = True
    images = times * MAX_VALUES // mask.size

    def run() -> Values:
        with PixelMetrics() as metrics:
            for _ in range(images):
                noise = rng.standard_normal(mask.shape, np.float32)
                metrics.add(noise + mask.astype(np.float32), mask)
            result = metrics.result()
        print(
            f"{images} maps of {side} x {side}, {images * mask.size / 1e6:.0f} million pixels, "
            f"{result.spilled_bytes / 1e6:.0f} MB on disk"
        )
        assert result.aupro is not None
        assert result.ranking.auroc is not None
        return result.ranking.auroc, result.aupro, 0.0

    (auroc, aupro, _), seconds, _, memory = measured(run)
    print(f"{seconds:.1f} s, {memory:.0f} MB more; AUROC {auroc:.6f}, AUPRO {aupro:.6f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pixels", type=int, default=20_000_000)
    parser.add_argument("--abnormal", type=float, default=0.03, help="share, 0-1")
    parser.add_argument("--spilled", type=int, default=4, help="times what fits into memory")
    arguments = parser.parse_args()
    print(f"{arguments.pixels} pixels, {arguments.abnormal:.0%} abnormal, numpy {np.__version__}")
    compare(arguments.pixels, arguments.abnormal)
    if arguments.spilled:
        spilled(arguments.spilled, arguments.abnormal)


if __name__ == "__main__":
    main()
