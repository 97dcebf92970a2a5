"""Counts the calls of the project's own functions behind three deeds of a visitor.

    python -m benchmarks.own_calls

A stub stands in for the model, so what is counted is the page's work: no gradio, no torch. A call
is one entry into a Python function of `adaclip/` or `demo/`; each step of a generator counts.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from PIL import Image

from adaclip.annotations.store import AnnotationStore
from demo.benchmark.actions import BenchmarkActions
from demo.detect.actions import DetectActions
from demo.flag.bar import said_after
from demo.look import Look
from demo.runs.library import Library
from demo.start import BUNDLED_RUNS
from tests.demo.stub import stub_services, tile

ROOT = Path(__file__).resolve().parents[1]
OWN = (f"{ROOT / 'adaclip'}/", f"{ROOT / 'demo'}/")
THRESHOLD = 0.5


def counted(work: Callable[[], Any]) -> tuple[int, int, Any]:
    """(calls of own functions, files they are in, what the work gave)."""
    calls, files = 0, set()

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(OWN):
            calls += 1
            files.add(frame.f_code.co_filename)

    sys.setprofile(count)
    try:
        given = work()
    finally:
        sys.setprofile(None)
    return calls, len(files), given


def main() -> None:
    """Prints the calls for dropping and detecting a picture, a flag, and arriving at Benchmark."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        services = stub_services(
            folder / "served",
            run_roots=(BUNDLED_RUNS,),
            annotations=AnnotationStore(folder / "annotations"),
        )
        upload = services.store.folder / ("a" * 64) / "tile.png"
        upload.parent.mkdir(parents=True)
        Image.fromarray(tile([(40, 30, 80, 70)])).save(upload)
        detect, look = DetectActions(services), Look()

        def drop() -> str:
            return str(
                detect.dropped(
                    "", [{"path": str(upload), "orig_name": upload.name}], "tile", THRESHOLD, look
                )["key"]
            )

        calls, files, key = counted(drop)
        report("drop a picture", calls, files)

        def run() -> None:
            detect.start(key, "lite", "tile", "lite", THRESHOLD, look)
            for _ in detect.run(key):
                pass

        report("detect it", *counted(run)[:2])
        shown = detect.subject(key)
        assert shown is not None
        given = {"choice": "FP", "annotator": "A", "subject": shown.id}
        flag = counted(lambda: said_after(services, lambda: detect.subject(key), given))
        assert "problem" not in flag[2], flag[2]
        report("flag it", *flag[:2])

        library = Library(services)
        library.holdings()  # files are read once for all visitors
        page = BenchmarkActions(services, library)
        report("arrive at Benchmark", *counted(lambda: page.arrive("", ""))[:2])


def report(what: str, calls: int, files: int) -> None:
    """One line."""
    print(f"{what:22}{calls:7,} calls in {files:3} files")


if __name__ == "__main__":
    main()
