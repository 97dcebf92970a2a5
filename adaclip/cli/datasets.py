"""`datasets` lists them, shows a card, checks a local copy, and writes the synthetic set."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from adaclip.cli.streams import add_format, add_labels, labels_of, progress_bar, write
from adaclip.data.cards import SYNTHETIC_KEY, Card, card, cards
from adaclip.data.masks import MASK_RULE
from adaclip.errors import InputError
from adaclip.text import printable

if TYPE_CHECKING:  # not needed to list the flags
    from adaclip.data.checks import Report

# A copy with everything wrong would fill the screen; JSON gives it all.
SHOWN_FINDINGS = 20


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Lay out the command's flags."""
    datasets = commands.add_parser(
        "datasets",
        help="list the datasets, show a card, check a local copy",
        description="Without NAME: all datasets. With NAME: its card. With --root: check the "
        "copy in that folder; exit code 0: whole, 1: something is wrong, 2: not possible. "
        f"{MASK_RULE} How names, tables and masks are read: docs/DATA.md.",
    )
    datasets.set_defaults(command=_datasets)
    datasets.add_argument("name", nargs="?", metavar="NAME", help="a dataset's key, as listed")
    what = datasets.add_mutually_exclusive_group()
    what.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="check the copy in this folder; without NAME the dataset is recognised",
    )
    what.add_argument(
        "--write",
        type=Path,
        metavar="DIR",
        help=f"write the {SYNTHETIC_KEY} set into this folder",
    )
    add_labels(datasets)
    add_format(datasets, "a table, or JSON: one object per dataset and line")


def _datasets(arguments: argparse.Namespace) -> int:
    if arguments.write is not None:
        return _write(arguments.name, arguments.write)
    if arguments.root is not None:
        return _check(arguments)
    if arguments.name is not None:
        shown = [card(arguments.name)]
        lines = _card_text(shown[0])
    else:
        shown = list(cards().values())
        lines = _list(shown)
    if arguments.format == "json":
        lines = (json.dumps(dataclasses.asdict(each), ensure_ascii=False) for each in shown)
    for line in lines:
        write(line, sys.stdout)
    return 0


def _write(name: str | None, folder: Path) -> int:
    if name != SYNTHETIC_KEY:
        raise InputError(
            f"only the {SYNTHETIC_KEY} set is drawn here; "
            f"say `adaclip datasets {SYNTHETIC_KEY} --write {printable(str(folder))}`"
        )
    from adaclip.synthetic import benchmark_set

    with _counting() as tell:
        count = benchmark_set.write(folder, progress=tell)
    write(f"{count} images written to {printable(str(folder))}", sys.stdout)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from adaclip.data.checks import check

    with _counting() as tell:
        labels = labels_of(arguments)
        report = check(arguments.root, arguments.name, progress=tell, **labels)
    if arguments.format == "json":
        whole = dataclasses.asdict(report) | {"fine": report.fine}
        write(json.dumps(whole, ensure_ascii=False), sys.stdout)
    else:
        for line in _report_text(report):
            write(line, sys.stdout)
    return 0 if report.fine else 1


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr that is told (done, total)."""
    with progress_bar(unit="image") as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


def _list(shown: list[Card]) -> Iterator[str]:
    rows = [("key", "name", "domain", "classes", "normal", "anomalous", "measured")]
    for each in shown:
        levels = [
            name
            for name, defined in (("image", each.image_metrics), ("pixel", each.pixel_metrics))
            if defined
        ]
        rows.append(
            (
                each.key,
                each.name,
                each.domain,
                str(len(each.classes)),
                str(each.normal),
                str(each.anomalous),
                " and ".join(levels),
            )
        )
    yield from _aligned(rows, right={3, 4, 5})
    yield "\nCounts are of the test split. `adaclip datasets NAME` shows a card."


def _aligned(rows: Sequence[tuple[str, ...]], right: set[int]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _card_text(shown: Card) -> Iterator[str]:
    yield f"{shown.key}: {shown.full_name}"
    yield f"  domain      {shown.domain}"
    yield (
        f"  test images {shown.normal} normal, {shown.anomalous} anomalous "
        f"({shown.counts_source}; {shown.counts_confidence})"
    )
    for other in shown.alternatives:
        yield f"              or {other.normal} and {other.anomalous}: {other.why}"
    yield f"  measured    {shown.undefined_because or 'image and pixel level'}"
    yield f"  max-F1 of calling every image anomalous: {_percent(shown.max_f1_floor)}"
    for name, fact in (("resolution", shown.resolution), ("licence", shown.licence)):
        value = fact.value or "unknown"
        said_by = f"{fact.source}; {fact.confidence}" if fact.value else fact.source
        yield f"  {name:<11} {value} ({said_by})"
    if shown.homepage:
        yield f"  homepage    {shown.homepage}"
    for what, address in shown.downloads:
        yield f"  download    {what}: {address}"
    yield f"  cite        {shown.citation}"
    yield f"  prompts     {shown.prompt_words}"
    for layout in shown.layouts:
        yield f"  on disk     {layout.tree}"
        yield f"              masks: {layout.mask_rule}"
    for note in shown.notes:
        yield f"  note        {note}"
    yield ""
    rows = [("class", "words", "normal", "anomalous", "max-F1 floor")]
    for each in shown.class_cards:
        counts = (_number(each.normal), _number(each.anomalous))
        rows.append((each.name, each.words, *counts, _percent(each.max_f1_floor)))
    yield from _aligned(rows, right={2, 3, 4})


def _report_text(report: Report) -> Iterator[str]:
    yield f"{printable(report.root)}: {report.dataset}"
    if report.tree:
        yield f"  read as {report.tree}"
    yield ""
    rows = [("class", "normal", "anomalous", "on the card")]
    for each in report.classes:
        expected = (
            "-"
            if each.expected_normal is None
            else f"{each.expected_normal} and {each.expected_anomalous}"
        )
        rows.append((printable(each.class_name), str(each.normal), str(each.anomalous), expected))
    yield from _aligned(rows, right={1, 2})
    yield ""
    for note in report.notes:
        yield f"note: {note}"
    for finding in report.findings[:SHOWN_FINDINGS]:
        yield printable(f"{finding.kind}: {finding.path}: {finding.detail}")
    hidden = len(report.findings) - SHOWN_FINDINGS
    if hidden > 0:
        yield f"and {hidden} more; --format json lists them all"
    found = f"{len(report.findings)} found" if report.findings else "nothing wrong"
    yield f"{report.normal} normal and {report.anomalous} anomalous images: {found}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}"


def _number(value: int | None) -> str:
    return "n/a" if value is None else str(value)
