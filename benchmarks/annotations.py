"""The annotation store under many rows and many kills: times, and whether anything is lost.

    python -m benchmarks.annotations [--rows 50000] [--appends 200] [--kills 1000]
                                           [--folder DIR] [--no-page]

Adding and undoing are timed with all those rows in the store, each until it is on disk; another
process's view is brought up to date after each. With a Chromium the page is started over them and
its tab opened at once (see `annotation_page`). Kills are SIGKILLs of a writer at random moments,
every second one of a writer whose rows reach the file in two pieces.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from adaclip.annotations import record
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.annotations.thresholds import suggest
from benchmarks.annotation_page import measure_page
from tests.annotations.samples import row

REASONS = tuple(record.REASONS)


def many(count: int) -> list[Annotation]:
    """Rows as people leave them: some classes, reasons, comments, four annotators."""
    return [
        row(
            number,
            event_id=f"e{number:024x}",
            ts_utc=f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
            class_name=f"class {number % 15}",
            annotator=("Ann", "Bob", "Cem", "Dee")[number % 4],
            verdict=("FP", "TP", "FN", "TN")[number % 3],
            reason_code=REASONS[number % 7],
            image_score=number % 997 / 1000,
            comment="a comment, of some length" if number % 5 == 0 else "",
        )
        for number in range(count)
    ]


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def spread(values: list[float]) -> str:
    return f"median {statistics.median(values):.2f} ms, 95th {np.percentile(values, 95):.2f} ms"


def load(folder: Path, rows: int, appends: int) -> None:
    """With all rows in the store: opening, adding, undoing, and what another process sees."""
    store = AnnotationStore(folder)
    events = many(rows)
    print(f"import of {rows:,} rows: {timed(lambda: store.add_events(events)) / 1000:.2f} s")
    used = time.process_time()
    opening = timed(lambda: AnnotationStore(folder)) / 1000
    # Processor time is what a busy machine does not stretch (much).
    used = time.process_time() - used
    size = store.path.stat().st_size / 1e6
    print(f"opening {rows:,} rows ({size:.1f} MB): {opening:.2f} s, {used:.2f} s of processor time")
    store, other = AnnotationStore(folder), AnnotationStore(folder)
    mask = np.zeros((480, 640), bool)
    mask[100:200, 100:300] = True
    adds, masked, undos, sights = [], [], [], []
    for number in range(appends):
        mine = row(f"new {number}", width=640, height=480)
        adds.append(timed(lambda mine=mine: store.add(mine)))
        sights.append(timed(other.current))
        changed = dataclasses.replace(mine, verdict="TP")
        masked.append(timed(lambda changed=changed: store.add(changed, mask=mask)))
        latest = store.current()[-1].event_id
        undos.append(timed(lambda latest=latest: store.undo(latest, annotator="Ann")))
    print(f"adding: {spread(adds)}; with a 640 x 480 region: {spread(masked)}")
    print(f"undoing: {spread(undos)}")
    print(f"another process's view after it: {spread(sights)}")
    print(f"thresholds of all classes: {timed(lambda: suggest(store.current())) / 1000:.2f} s")


def kill(folder: Path, kills: int) -> None:
    """In a program of its own, as it forks."""
    command = [sys.executable, "-m", "tests.annotations.processes", "kill"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, str(folder), str(kills)], check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    print(
        f"{kills} kills in {time.perf_counter() - started:.0f} s: {found['acknowledged']} rows "
        f"acknowledged, {len(found['lost'])} lost, {found['events']} in the file, problems "
        f"{found['problems']}, left behind: {found['findings']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--appends", type=int, default=200)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: temporary)")
    parser.add_argument("--no-page", action="store_true", help="leave the browser out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        if arguments.rows:
            load(Path(temporary) / "many", arguments.rows, arguments.appends)
            if not arguments.no_page:
                measure_page(Path(temporary) / "many", Path(temporary))
        if arguments.kills:
            kill(Path(temporary) / "killed", arguments.kills)


if __name__ == "__main__":
    main()
