"""Writers that are killed, and writers side by side; run as a program of its own.

It forks, so it must stay without threads: it imports neither torch nor gradio.

    python -m tests.annotations.processes kill FOLDER N [SEED]
    python -m tests.annotations.processes append FOLDER WRITERS ROWS

It prints what was acknowledged and what is there, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from adaclip.annotations import log
from adaclip.annotations.check import check_store
from adaclip.annotations.store import AnnotationStore
from tests.annotations.samples import row


def kill_writers(folder: Path, kills: int, seed: int = 0) -> dict[str, object]:
    """Kill a writer at a random moment, again and again; then compare with what it was told."""
    rng = random.Random(seed)
    acknowledged: list[str] = []
    for number in range(kills):
        read, write = os.pipe()
        child = _fork(lambda number=number, write=write: _write_forever(folder, number, write))
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            # At some moment while it adds its first rows, or while it still opens the store.
            heard = [pipe.readline() for _ in range(rng.randrange(5))]
            time.sleep(rng.random() * 0.02)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            heard += pipe.readlines()
        # A line cut short was not heard by anybody.
        acknowledged += [line.decode().strip() for line in heard if line.endswith(b"\n")]
    return _outcome(folder, acknowledged)


def append_together(folder: Path, writers: int, rows: int) -> dict[str, object]:
    """Several writers add rows at the same time."""
    children = [
        _fork(lambda number=number: _write_some(folder, number, rows)) for number in range(writers)
    ]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return {**_outcome(folder, []), "codes": codes}


def _write_forever(folder: Path, number: int, pipe: int) -> None:
    if number % 2:
        _tear_writes(random.Random(number))
    store = AnnotationStore(folder)
    last = None
    for count in range(10_000):
        name = f"{number}-{count}"
        if last is not None and count % 5 == 4:
            event = store.retract(last.event_id, annotator="Ann")
        else:
            mask = np.random.default_rng(count).random((12, 20)) < 0.5 if count % 2 else None
            event = last = store.add(row(name, comment="caf\u00e9; \u65e5\u672c\n" * 3), mask=mask)
        os.write(pipe, event.event_id.encode() + b"\n")


def _write_some(folder: Path, number: int, rows: int) -> None:
    store = AnnotationStore(folder)
    for count in range(rows):
        store.add(row(f"{number}-{count}", annotator=f"writer {number}"))


def _tear_writes(rng: random.Random) -> None:
    """Rows reach the file in pieces, so that a kill may leave a part of one."""

    def write_in_pieces(descriptor: int, data: bytes) -> None:
        place = rng.randrange(1, len(data))
        os.write(descriptor, data[:place])
        time.sleep(0.003)
        os.write(descriptor, data[place:])

    log._write_all = write_in_pieces  # type: ignore[assignment]


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)


def _outcome(folder: Path, acknowledged: list[str]) -> dict[str, object]:
    store = AnnotationStore(folder)
    # As the next writer finds it: it mends the tail before it writes.
    store.add(row("the last one"))
    store = AnnotationStore(folder)
    events = {event.event_id for event in store.events()}
    report = check_store(store)
    return {
        "acknowledged": len(acknowledged),
        "lost": [event for event in acknowledged if event not in events],
        "events": len(events) - 1,
        "problems": list(store.problems),
        "findings": sorted({finding.kind for finding in report.findings}),
        "rows": len(store.path.read_bytes().split(b"\n")) - 3,
    }


def main(arguments: list[str]) -> None:
    what, folder, *numbers = arguments
    work = {"kill": kill_writers, "append": append_together}[what]
    result = work(Path(folder), *map(int, numbers))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
