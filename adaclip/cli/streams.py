"""What the commands share: lines on stdout, progress and complaints on stderr, flag types."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from tqdm import tqdm

from adaclip.text import printable


def progress_bar(**options: Any) -> tqdm:
    """On stderr, after a second; where stderr is a file, a line now and then is enough."""
    interval = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(file=sys.stderr, delay=1.0, mininterval=interval, dynamic_ncols=True, **options)


def write(line: str, stream: TextIO) -> None:
    """One line at once, with "?" for what the stream's encoding lacks."""
    encoding = stream.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def complain(sentence: str) -> int:
    """Say on stderr why nothing could be done; the exit code for that."""
    write(f"adaclip: {printable(sentence)}", sys.stderr)
    return 2


def silence_stdout() -> None:
    """Let Python's own last flush of a closed pipe go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def unit_interval(text: str) -> float:
    """A flag's value from 0 to 1."""
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def positive(text: str) -> int:
    """A flag's value of 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def add_labels(parser: Any) -> None:
    """The flags --normal and --follow-links, of a parser or a group of one."""
    parser.add_argument(
        "--normal",
        action="append",
        metavar="NAME",
        help="a folder of normal images, where its name does not say so; may be repeated, and "
        "then all other folders are defects (default: by names such as good, OK or no_defect)",
        default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--follow-links",
        action="store_true",
        default=argparse.SUPPRESS,
        help="read what links that lead out of the folder point to (default: named, not read)",
    )


def labels_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `add_labels` was given, as `load_dataset` takes it."""
    normal = tuple(getattr(arguments, "normal", ()))
    return {"normal": normal, "follow_links": getattr(arguments, "follow_links", False)}


def add_format(parser: argparse.ArgumentParser, help_text: str) -> None:
    """The flag --format."""
    parser.add_argument("--format", choices=("json", "table"), default="table", help=help_text)
