"""`detect`: judge images; a line for each as soon as it is done, and files of maps if asked for."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import sys
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
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
    from adaclip.comparing.references import References
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
    add(
        "--references",
        nargs="+",
        metavar="PATH",
        help="good examples to compare with: images or folders of them, or one saved .npz",
        default=argparse.SUPPRESS,
    )
    add(
        "--batch",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="compare the images with each other; they have to show one object (8 or more)",
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
    threshold = None
    if "threshold" in arguments:
        threshold = dataclasses.replace(
            detector.info.threshold, value=arguments.threshold, source="manual"
        )
    as_line = json.dumps if arguments.format == "json" else _table_row
    counts: Counter[str] = Counter()
    compared: set[str] = set()
    stream = _stream(detector, arguments)
    outcomes = _outcomes(stream, paths, keep_pixels=not arguments.batch)
    if arguments.format == "table":
        write(f"{'verdict':<9}  {'score':>6}  {'threshold':>9}  image", sys.stdout)
    on_one_screen = sys.stdout.isatty() and sys.stderr.isatty()
    try:
        with progress_bar(total=len(paths), unit="image") as bar:
            for file, detection in outcomes:
                record = _record(file, detection, threshold or _own(detector, detection), out)
                if "compared_with" in record:
                    compared.add(record["compared_with"])
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
        write(_summary(counts, compared), sys.stderr)
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


_Stream = Callable[[Iterator[np.ndarray]], Iterable[Detection]]


def _stream(detector: Detector, arguments: argparse.Namespace) -> _Stream:
    """From images to detections, as the flags ask: each alone, with good examples, or together."""
    name, size = arguments.class_name, getattr(arguments, "batch_size", None)
    if "references" not in arguments:
        judge = detector.stream_batch if arguments.batch else detector.stream
        return functools.partial(judge, class_name=name, batch_size=size)
    if arguments.batch:
        raise InputError("--batch and --references are two ways of judging; choose one of them")
    references = _references(detector, arguments)
    for note in references.notes:
        write(f"adaclip: note: {printable(note)}", sys.stderr)
    return functools.partial(
        detector.stream, class_name=name, batch_size=size, references=references
    )


def _references(detector: Detector, arguments: argparse.Namespace) -> References:
    """The good examples named. Raises InputError, ImageError or StoreError."""
    from adaclip.comparing.files import load_references
    from adaclip.comparing.references import check_count

    given = arguments.references
    if len(given) == 1 and given[0].endswith(".npz"):
        return load_references(given[0])
    paths = _input_paths(given, arguments.follow_links)
    check_count(len(paths))
    series = Series(paths)
    pictures = [load_image(path, series=series).pixels for path in paths]
    size = getattr(arguments, "batch_size", None)
    return detector.references(
        pictures, arguments.class_name, names=list(map(str, paths)), batch_size=size
    )


def _own(detector: Detector, detection: Detection | None) -> Threshold:
    """The threshold that a comparison gave, else the checkpoint's."""
    compared = None if detection is None else detection.threshold
    return compared or detector.info.threshold


def _outcomes(
    judge: _Stream, paths: list[Path], *, keep_pixels: bool = True
) -> Iterator[tuple[_File, Detection | None]]:
    """Every file in order with its detection, or with its error and None.

    Files are read as the detector asks for them, so memory holds a batch, not the folder. When
    the detector fails on images, those of its batch bear the error and the rest go on; what is
    wrong with the request as a whole is raised (AdaClipError). Without `keep_pixels` a file's
    pixels are let go as soon as the detector has them.
    """
    waiting: deque[_File] = deque()
    remaining, series = iter(paths), Series(paths)
    failure: str | None = ""
    while failure is not None:
        failure = None
        images = _read(remaining, waiting, series, keep_pixels)
        try:
            for detection in judge(images):
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


def _read(
    paths: Iterator[Path], waiting: deque[_File], series: Series, keep_pixels: bool
) -> Iterator[np.ndarray]:
    """Yield the images that can be read and leave word of every file in `waiting`."""
    for path in paths:
        try:
            image = load_image(path, series=series)
        except ImageError as error:
            waiting.append(_File(path, error=str(error)))
            continue
        kept = image.pixels if keep_pixels else None
        waiting.append(_File(path, pixels=kept, notes=image.notes))
        yield image.pixels


def _record(
    file: _File, detection: Detection | None, threshold: Threshold, out: OutputFolder | None
) -> dict[str, Any]:
    """The JSON line of one image; "notes" is there only when there is something to note."""
    if detection is None:
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
    if detection.compared_with is not None:
        record["compared_with"] = detection.compared_with
    if out is not None:
        try:
            pixels = load_image(file.path).pixels if file.pixels is None else file.pixels
            record |= out.save(file.path, pixels, detection)
        except (StoreError, ImageError) as error:
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


def _summary(counts: Counter[str], compared: Collection[str]) -> str:
    kinds = [*map(str, reversed(Verdict)), "failed"]
    parts = ", ".join(f"{counts[kind]} {kind}" for kind in kinds if counts[kind])
    how = f", compared with {', '.join(sorted(compared))}" if compared else ""
    return f"{counts.total()} image{'s' if counts.total() != 1 else ''}: {parts}{how}"
