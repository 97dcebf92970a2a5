"""The command line: `detect` pictures, list `checkpoints`, `fetch` one.

Results go to stdout, one line each and at once, so that they can be piped and survive an
interruption; everything else (progress, summary, complaints) goes to stderr. torch is imported
only by `detect`, when it has something to detect.

Exit codes: 0 all well, 1 some images failed or the reader of stdout left, 2 nothing could be done,
130 interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

import numpy as np
from tqdm import tqdm

from adaclip import __version__
from adaclip.config import DetectConfig, Precision
from adaclip.data.images import FORMATS_TEXT, collect_image_paths, load_image, printable
from adaclip.errors import AdaClipError, ImageError, InputError, StoreError
from adaclip.outputs import OutputFolder, is_written_overlay
from adaclip.types import CheckpointInfo, Detection, Threshold, Verdict

if TYPE_CHECKING:
    from adaclip.engine.detector import Detector


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed its help or its complaint
        return int(stop.code or 0)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except AdaClipError as error:
        return _complain(str(error))
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except OSError as error:  # stdout on a full disk, for one
        return _complain(str(error))
    except KeyboardInterrupt:
        _write("adaclip: interrupted", sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    defaults = DetectConfig()
    parser = argparse.ArgumentParser(
        prog="adaclip", description="Zero-shot visual anomaly detection with AdaCLIP."
    )
    parser.add_argument("--version", action="version", version=f"adaclip {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    detect = commands.add_parser(
        "detect",
        help="judge images: verdict, score and anomaly map",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    detect.set_defaults(command=_detect)
    add = detect.add_argument
    add("paths", nargs="+", metavar="PATH", help="image files, or folders to search for them")
    add("--class-name", default=defaults.class_name, metavar="NAME", help="what the images show")
    add("--checkpoint", default=defaults.checkpoint, metavar="ID", help="checkpoint id or file")
    add(
        "--threshold",
        type=_unit_interval,
        metavar="T",
        help="score from which an image is anomalous, 0-1 (default: the checkpoint's own)",
        default=argparse.SUPPRESS,
    )
    add("--device", default=defaults.device, help="auto, cpu, cuda, cuda:N or mps")
    add("--precision", choices=get_args(Precision), default=defaults.precision, help="number type")
    add(
        "--batch-size",
        type=_positive,
        metavar="N",
        help="images at a time (default: the engine chooses)",
        default=argparse.SUPPRESS,
    )
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="also write margin maps (.npy) and overlays (.png) into this folder",
        default=argparse.SUPPRESS,
    )
    _add_format(detect, "a table, or one JSON object per image and line")

    checkpoints = commands.add_parser(
        "checkpoints",
        help="list the checkpoints and how to get those that are not here",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    checkpoints.set_defaults(command=_checkpoints)
    _add_format(checkpoints, "a table, or one JSON object per checkpoint and line")

    fetch = commands.add_parser("fetch", help="download a checkpoint from the Hugging Face hub")
    fetch.set_defaults(command=_fetch)
    fetch.add_argument("id", metavar="ID", help="as listed by `adaclip checkpoints`")
    return parser


def _add_format(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("--format", choices=("json", "table"), default="table", help=help_text)


def _unit_interval(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


# --- detect -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    """One input file: its pixels and notes, or why it could not be read."""

    path: Path
    pixels: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None


def _detect(arguments: argparse.Namespace) -> int:
    out = OutputFolder(arguments.out) if "out" in arguments else None
    paths = _input_paths(arguments.paths)
    # Before torch is imported: what is wrong with the checkpoint is said at once.
    from adaclip.stores.weights import find

    find(arguments.checkpoint)
    from adaclip.engine.detector import load_detector

    detector = load_detector(
        arguments.checkpoint, device=arguments.device, precision=arguments.precision
    )
    threshold = detector.info.threshold
    if "threshold" in arguments:
        threshold = dataclasses.replace(threshold, value=arguments.threshold, source="manual")
    as_line = json.dumps if arguments.format == "json" else _table_row
    counts: Counter[str] = Counter()
    outcomes = _outcomes(
        detector, paths, arguments.class_name, getattr(arguments, "batch_size", None)
    )
    if arguments.format == "table":
        _write(f"{'verdict':<9}  {'score':>6}  {'threshold':>9}  image", sys.stdout)
    on_one_screen = sys.stdout.isatty() and sys.stderr.isatty()
    try:
        with _progress_bar(total=len(paths), unit="image") as bar:
            for file, detection in outcomes:
                record = _record(file, detection, threshold, out)
                counts["failed" if "error" in record else record["verdict"]] += 1
                if on_one_screen:  # the update draws the bar again below the line
                    bar.clear()
                _write(as_line(record), sys.stdout)
                bar.update()
    except KeyboardInterrupt:
        done = counts.total()
        _write(f"adaclip: interrupted, {done} of {len(paths)} images done", sys.stderr)
        return 130
    if arguments.format == "table":
        _write(_summary(counts), sys.stderr)
    if counts["failed"] == counts.total():
        return 2
    return 1 if counts["failed"] else 0


def _input_paths(given: list[str]) -> list[Path]:
    """The files to judge, without the overlays of an earlier run. Raises InputError."""
    named = {Path(path) for path in given}
    found = collect_image_paths(given)
    paths = [path for path in found if path in named or not is_written_overlay(path)]
    if not paths:
        raise InputError(
            f"no images found in {', '.join(map(printable, given))}; "
            f"folders are searched for {FORMATS_TEXT} files"
        )
    return paths


def _outcomes(
    detector: Detector, paths: list[Path], class_name: str, batch_size: int | None
) -> Iterator[tuple[_File, Detection | None]]:
    """Every file in order with its detection, or with its error and None.

    Files are read as the detector asks for them, so memory holds a batch, not the folder. When
    the detector fails on images, those of its batch bear the error and the rest go on; what is
    wrong with the request as a whole is raised (AdaClipError).
    """
    waiting: deque[_File] = deque()
    remaining = iter(paths)
    failure: str | None = ""
    while failure is not None:
        failure = None
        images = _read(remaining, waiting)
        try:
            for detection in detector.stream(images, class_name, batch_size=batch_size):
                while waiting[0].error is not None:
                    yield waiting.popleft(), None
                yield waiting.popleft(), detection
        except AdaClipError as error:
            about_an_image = isinstance(error, ImageError) or not isinstance(error, InputError)
            if not about_an_image or all(file.error for file in waiting):
                raise
            failure = str(error)
        while waiting:
            file = waiting.popleft()
            yield dataclasses.replace(file, error=file.error or failure), None


def _read(paths: Iterator[Path], waiting: deque[_File]) -> Iterator[np.ndarray]:
    """Yield the images that can be read and leave word of every file in `waiting`."""
    for path in paths:
        try:
            image = load_image(path)
        except ImageError as error:
            waiting.append(_File(path, error=str(error)))
            continue
        waiting.append(_File(path, pixels=image.pixels, notes=image.notes))
        yield image.pixels


def _record(
    file: _File, detection: Detection | None, threshold: Threshold, out: OutputFolder | None
) -> dict[str, Any]:
    """The JSON line of one image; "notes" is there only when there is something to note."""
    if detection is None or file.pixels is None:
        return {"image": str(file.path), "error": file.error or "the detector gave no result"}
    record: dict[str, Any] = {
        "image": str(file.path),
        "class_name": detection.class_name,
        "anomaly_score": float(detection.anomaly_score),
        "verdict": str(threshold.verdict(detection.anomaly_score)),
        "threshold": threshold.value,
        "threshold_source": threshold.source,
        "checkpoint": detection.checkpoint,
        "seconds": float(detection.seconds),
    }
    if out is not None:
        try:
            record |= out.save(file.path, file.pixels, detection)
        except StoreError as error:
            return {"image": str(file.path), "error": str(error)}
    notes = [*file.notes, *detection.notes]
    return record | {"notes": notes} if notes else record


def _table_row(record: dict[str, Any]) -> str:
    if "error" in record:  # which names the file
        return f"{'failed':<9}  {'-':>6}  {'-':>9}  {printable(record['error'])}"
    score, threshold = record["anomaly_score"], record["threshold"]
    notes = f"  ({'; '.join(record['notes'])})" if "notes" in record else ""
    name = printable(record["image"])
    return f"{record['verdict']:<9}  {score:6.4f}  {threshold:9.4f}  {name}{notes}"


def _summary(counts: Counter[str]) -> str:
    kinds = [*map(str, reversed(Verdict)), "failed"]
    parts = ", ".join(f"{counts[kind]} {kind}" for kind in kinds if counts[kind])
    return f"{counts.total()} image{'s' if counts.total() != 1 else ''}: {parts}"


# --- checkpoints and fetch --------------------------------------------------------------------


def _checkpoints(arguments: argparse.Namespace) -> int:
    from adaclip.stores.weights import catalogue

    known = catalogue()
    lines = (
        _checkpoint_table(known) if arguments.format == "table" else map(_checkpoint_json, known)
    )
    for line in lines:
        _write(line, sys.stdout)
    return 0


def _checkpoint_json(info: CheckpointInfo) -> str:
    return json.dumps(
        {
            "id": info.id,
            "backbone": info.backbone,
            "size_bytes": info.size_bytes,
            "trained_on": list(info.trained_on),
            "present": info.present,
            "how_to_get": info.how_to_get,
            "threshold": info.threshold.value,
            "threshold_source": info.threshold.source,
        }
    )


def _checkpoint_table(known: list[CheckpointInfo]) -> Iterator[str]:
    """A table of what is short, then a paragraph on each checkpoint with what is not."""
    rows = [("id", "present", "backbone", "size", "threshold")]
    for info in known:
        present = "yes" if info.present else "no"
        size = "unknown" if info.size_bytes is None else f"{info.size_bytes / 1e6:.0f} MB"
        rows.append((info.id, present, info.backbone, size, f"{info.threshold.value:.4f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    for info in known:
        yield f"\n{info.id}"
        yield f"  trained on: {', '.join(info.trained_on) or 'unknown'}"
        yield f"  threshold from: {info.threshold.source}"
        if not info.present:
            yield f"  to get it: {info.how_to_get}"


def _fetch(arguments: argparse.Namespace) -> int:
    from adaclip.stores.hub import Progress, fetch

    bars: dict[str, tqdm] = {}

    def show(progress: Progress) -> None:
        if progress.file not in bars:
            bars[progress.file] = _progress_bar(
                total=progress.total_bytes,
                initial=progress.done_bytes,
                desc=progress.file,
                unit="B",
                unit_scale=True,
            )
        bar = bars[progress.file]
        bar.update(progress.done_bytes - bar.n)

    try:
        paths = fetch(arguments.id, progress=show)
    finally:
        for bar in bars.values():
            bar.close()
    for path in paths:
        _write(str(path), sys.stdout)
    return 0


# --- streams ----------------------------------------------------------------------------------


def _progress_bar(**options: Any) -> tqdm:
    """On stderr, after a second; where stderr is a file, a line now and then is enough."""
    interval = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(file=sys.stderr, delay=1.0, mininterval=interval, dynamic_ncols=True, **options)


def _write(line: str, stream: TextIO) -> None:
    """One line at once, with "?" for what the stream's encoding lacks."""
    encoding = stream.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def _complain(sentence: str) -> int:
    _write(f"adaclip: {printable(sentence)}", sys.stderr)
    return 2


def _silence_stdout() -> None:
    """Let Python's own last flush of a closed pipe go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
