"""`python -m adaclip.synthetic --sheet FILE.png` draws the contact sheet of all kinds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from adaclip.errors import AdaClipError
from adaclip.synthetic.sheet import write_sheet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status: 0, or 2 when the file cannot be drawn."""
    parser = argparse.ArgumentParser(
        prog="python -m adaclip.synthetic", description="Draw synthetic inspection pictures."
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        required=True,
        metavar="FILE",
        help="contact sheet of every kind, flawless and with a defect (.png or .jpg)",
    )
    parser.add_argument(
        "--framed", action="store_true", help="close-ups, cut parts and tolerated marks as well"
    )
    given = parser.parse_args(arguments)
    try:
        write_sheet(given.sheet, framed=given.framed)
    except AdaClipError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    sys.stdout.write(f"{given.sheet}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
