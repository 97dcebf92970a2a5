"""`detect`: judge images; a line for each as soon as it is done, and files of maps if asked for."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from adaclip.cli.streams import add_format, positive, progress_bar, unit_interval, write
from adaclip.config import DetectConfig, Precision
from adaclip.data.folders import collect_image_paths, passed_over
from adaclip.data.images import FORMATS_TEXT, load_image
from adaclip.data.series import Series
from adaclip.errors import AdaClipError, ImageError, InputError, StoreError
from adaclip.maps.outputs import OutputFolder, is_written_overlay
from adaclip.text import printable
from adaclip.types import Detection, Threshold, Verdict

if TYPE_CHECKING:
    from adaclip.detecting.detector import Detector


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Lay out the command's flags."""
    defaults = DetectConfig()
    detect = commands.add_parser(
        "detect",
        help="judge images: verdict, score and anomaly map",
        epilog="Pictures of more than 8 bits are brought to 8 the same way in all files named "
        "here; a note says how (docs/DATA.md).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    detect.set_defaults(command=_detect)
    add = detect.add_argument
    add("paths", nargs="+", metavar="PATH", help="image files, or folders to search for them")
    add("--class-name", default=defaults.class_name, metavar="NAME", help="what the images show")
    add("--checkpoint", default=defaults.checkpoint, metavar="ID", help="checkpoint id or file")
    add(
        "--threshold",
        type=unit_interval,
        metavar="T",
        help="score from which an image is anomalous, 0-1 (default: the checkpoint's own)",
        default=argparse.SUPPRESS,
    )
    add("--device", default=defaults.device, help="auto, cpu, cuda, cuda:N or mps")
    add("--precision", choices=get_args(Precision), default=defaults.precision, help="number type")
    add(
        "--batch-size",
        type=positive,
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
    add(
        "--follow-links",
        action="store_true",
        help="follow links that lead out of a folder (else they are named and passed over)",
    )
    add_format(detect, "a table, or one JSON object per image and line")


@dataclass(frozen=True)
class _File:
    """One input file: its pixels and notes, or why it could not be read."""

    path: Path
    pixels: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None


def _detect(arguments: argparse.Namespace) -> int:
    out = OutputFolder(arguments.out) if "out" in arguments else None
    paths = _input_paths(arguments.paths, arguments.follow_links)
    # Before torch is imported: what is wrong with the checkpoint is said at once.
    from adaclip.checkpoints.catalogue import find

    find(arguments.checkpoint)
    from adaclip.detecting.detector import load_detector

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
        write(f"{'verdict':<9}  {'score':>6}  {'threshold':>9}  image", sys.stdout)
    on_one_screen = sys.stdout.isatty() and sys.stderr.isatty()
    try:
        with progress_bar(total=len(paths), unit="image") as bar:
            for file, detection in outcomes:
                record = _record(file, detection, threshold, out)
                counts["failed" if "error" in record else record["verdict"]] += 1
                if on_one_screen:  # the update draws the bar again below the line
                    bar.clear()
                write(as_line(record), sys.stdout)
                bar.update()
    except KeyboardInterrupt:
        done = counts.total()
        write(f"adaclip: interrupted, {done} of {len(paths)} images done", sys.stderr)
        return 130
    if arguments.format == "table":
        write(_summary(counts), sys.stderr)
    if counts["failed"] == counts.total():
        return 2
    return 1 if counts["failed"] else 0


def _input_paths(given: list[str], follow_links: bool) -> list[Path]:
    """The files to judge, without the overlays of an earlier run. Raises InputError."""
    named = {Path(path) for path in given}
    outside: list[Path] = []
    found = collect_image_paths(given, follow_links=follow_links, outside=outside)
    if outside:
        write(f"adaclip: note: {passed_over(outside)}", sys.stderr)
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
    remaining, series = iter(paths), Series(paths)
    failure: str | None = ""
    while failure is not None:
        failure = None
        images = _read(remaining, waiting, series)
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


def _read(paths: Iterator[Path], waiting: deque[_File], series: Series) -> Iterator[np.ndarray]:
    """Yield the images that can be read and leave word of every file in `waiting`."""
    for path in paths:
        try:
            image = load_image(path, series=series)
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
