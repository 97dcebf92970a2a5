"""`checkpoints` lists them, and how to get those that are not here; `fetch` gets one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from tqdm import tqdm

from adaclip.cli.streams import add_format, progress_bar, write
from adaclip.types import CheckpointInfo


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Lay out both commands' flags."""
    checkpoints = commands.add_parser(
        "checkpoints",
        help="list the checkpoints and how to get those that are not here",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    checkpoints.set_defaults(command=_checkpoints)
    add_format(checkpoints, "a table, or one JSON object per checkpoint and line")

    fetch = commands.add_parser("fetch", help="download a checkpoint from the Hugging Face hub")
    fetch.set_defaults(command=_fetch)
    fetch.add_argument("id", metavar="ID", help="as listed by `adaclip checkpoints`")


def _checkpoints(arguments: argparse.Namespace) -> int:
    from adaclip.checkpoints.catalogue import catalogue

    known = catalogue()
    lines = (
        _checkpoint_table(known) if arguments.format == "table" else map(_checkpoint_json, known)
    )
    for line in lines:
        write(line, sys.stdout)
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
    from adaclip.checkpoints.hub import Progress, fetch

    bars: dict[str, tqdm] = {}

    def show(progress: Progress) -> None:
        if progress.file not in bars:
            bars[progress.file] = progress_bar(
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
        write(str(path), sys.stdout)
    return 0
