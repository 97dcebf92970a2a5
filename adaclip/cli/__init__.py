"""The command line: a module for each command, whose `add_parser` lays out its flags.

Results go to stdout, one line each and at once, so that they can be piped and survive an
interruption; everything else (progress, summary, complaints) goes to stderr. torch is imported
only when there is something to compute.

Exit codes: 0 all well, 1 some images failed or the reader of stdout left, 2 nothing could be done,
130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from adaclip import __version__
from adaclip.cli import annotation_commands, checkpoints, datasets, detect, evaluate, train
from adaclip.cli.streams import complain, silence_stdout, write
from adaclip.errors import AdaClipError

# In the order of the help text.
COMMANDS = (detect, evaluate, checkpoints, datasets, train, annotation_commands)


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
        return complain(str(error))
    except BrokenPipeError:
        silence_stdout()
        return 1
    except OSError as error:  # stdout on a full disk, for one
        return complain(str(error))
    except KeyboardInterrupt:
        write("adaclip: interrupted", sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adaclip", description="Zero-shot visual anomaly detection with AdaCLIP."
    )
    parser.add_argument("--version", action="version", version=f"adaclip {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_parser(commands)
    return parser
