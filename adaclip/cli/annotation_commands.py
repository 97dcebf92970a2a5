"""`annotations`: check, compact, export and import what people flagged; suggest thresholds."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adaclip.cli.streams import add_format, progress_bar, write
from adaclip.errors import InputError
from adaclip.storage.folders import annotations_home, runs_home
from adaclip.text import printable

if TYPE_CHECKING:  # not needed to list the flags
    from adaclip.annotations.check import StoreReport
    from adaclip.annotations.exports import Export, LeftOut
    from adaclip.annotations.store import AnnotationStore
    from adaclip.annotations.thresholds import Rate, Suggestion

# All findings of a large store would fill the screen; JSON gives them all.
SHOWN_FINDINGS, SHOWN_LEFT_OUT = 30, 10
KINDS = ("csv", "excel-csv", "zip", "coco", "mvtec", "jsonl")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Lay out the commands' flags."""
    parser = commands.add_parser(
        "annotations",
        help="check, tidy up, export and import annotations; suggest thresholds",
        description="Work on a folder of annotations, as the page writes it.",
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_check(actions)
    _add_export(actions)
    _add_import(actions)
    compact = _add(
        actions,
        "compact",
        "keep only the rows that hold; the old file goes to the folder's backups",
    )
    compact.set_defaults(command=_compact)
    training = _add(
        actions, "trainable", "how many reviewed pictures can be trained on, and why others cannot"
    )
    training.set_defaults(command=_trainable)
    _add_data_root(training)
    add_format(training, "text, or one JSON object")
    thresholds = _add(actions, "thresholds", "what the labels say of each class's threshold")
    thresholds.set_defaults(command=_thresholds)
    add_format(thresholds, "a table, or one JSON object per class and checkpoint")


def _add(
    actions: argparse._SubParsersAction, name: str, help_text: str, more: str = ""
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}.{more}"
    )
    parser.add_argument(
        "--annotations",
        type=Path,
        default=None,
        metavar="DIR",
        help=f"the folder (default: {annotations_home()})",
    )
    return parser


def _add_check(actions: argparse._SubParsersAction) -> None:
    codes = " Exit code 0: whole, 1: something is wrong, 2: not possible."
    check = _add(actions, "check", "look at every row, mask and kept picture", codes)
    check.set_defaults(command=_check)
    add_format(check, "text, or one JSON object")


def _add_export(actions: argparse._SubParsersAction) -> None:
    more = (
        " csv, excel-csv and zip hold every current row. coco, mvtec and jsonl are for training: "
        "test images of benchmarks stay out unless asked for by name."
    )
    export = _add(actions, "export", "write the current annotations to a file or folder", more)
    export.set_defaults(command=_export)
    add = export.add_argument
    add("--format", choices=KINDS, default="csv", help="default: csv")
    add("--out", type=Path, required=True, metavar="PATH", help="a file; for mvtec a new folder")
    _add_data_root(export)
    add(
        "--include-dataset",
        action="append",
        default=[],
        metavar="NAME",
        help="take this benchmark's test images, too (all: every benchmark's)",
    )


def _add_data_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-root",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="where pictures that were not kept lie; may be given several times. The folders the "
        "page was started with, and those of runs, are looked through as well",
    )


def _add_import(actions: argparse._SubParsersAction) -> None:
    take = _add(actions, "import", "add the rows of an exported CSV or ZIP that are not here yet")
    take.set_defaults(command=_import)
    take.add_argument("file", type=Path, metavar="FILE", help="a .csv, .zip or .csv.gz")
    take.add_argument(
        "--accept-edits",
        action="store_true",
        help="take rows that another program has changed as they stand, as your own verdicts; "
        "the store's own file, when a spreadsheet has saved it, is moved to the backups first",
    )
    take.add_argument(
        "--annotator",
        default="",
        metavar="NAME",
        help="whose verdicts accepted edits are (default: your user name)",
    )


def _open(
    arguments: argparse.Namespace, *, create: bool = False, read: bool = True
) -> AnnotationStore:
    from adaclip.annotations.store import AnnotationStore

    folder = arguments.annotations or annotations_home()
    return AnnotationStore(folder, create=create, read=read)


def _check(arguments: argparse.Namespace) -> int:
    from adaclip.annotations.check import check_store

    with progress_bar(unit="row") as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = check_store(_open(arguments), progress=tell)
    if arguments.format == "json":
        write(json.dumps(dataclasses.asdict(report) | {"fine": report.fine}), sys.stdout)
    else:
        for line in _report_text(report):
            write(line, sys.stdout)
    return 0 if report.fine else 1


def _compact(arguments: argparse.Namespace) -> int:
    from adaclip.annotations.check import compact_store

    done = compact_store(_open(arguments))
    write(f"{done.rows_kept} rows kept, {done.rows_removed} no longer hold", sys.stdout)
    if done.files_moved:
        write(f"{done.files_moved} masks and pictures moved to the backups", sys.stdout)
    if done.backup is not None:
        write(f"the file as it was: {printable(str(done.backup))}", sys.stdout)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from adaclip.annotations.exports import export

    store = _open(arguments)
    _complain_of(store.problems)
    done = export(
        store,
        arguments.format,
        arguments.out,
        data_roots=_data_roots(arguments, store),
        include_datasets=arguments.include_dataset,
    )
    _complain_of(done.warnings)
    for line in _left_out(done.left_out):
        write(line, sys.stderr)
    write(_exported(done), sys.stdout)
    return 0


def _data_roots(arguments: argparse.Namespace, store: AnnotationStore) -> list[Path]:
    """Folders to find pictures in: named ones, those of the page, those of the user's runs."""
    from adaclip.annotations.pictures import remembered_roots
    from adaclip.runs import list_runs

    of_runs = [run.data_root for run in list_runs((runs_home(),))[0]]
    named: list[Path] = arguments.data_root
    for root in named:
        if not root.is_dir():
            raise InputError(f"--data-root {root}: there is no such folder")
    roots = [*named, *remembered_roots(store), *filter(None, of_runs)]
    return [root for root in dict.fromkeys(roots) if root.is_dir()]


def _trainable(arguments: argparse.Namespace) -> int:
    from adaclip.annotations.labels import trainable

    store = _open(arguments)
    _complain_of(store.problems)
    found = trainable(store, data_roots=_data_roots(arguments, store))
    if arguments.format == "json":
        write(json.dumps(dataclasses.asdict(found) | {"lacking": found.lacking}), sys.stdout)
        return 0
    write(
        f"{found.usable} of {found.reviewed} reviewed pictures can be trained on: {found.normal} "
        f"normal, {found.anomalous} anomalous ({found.with_region} with a region)",
        sys.stdout,
    )
    if found.lacking:
        write(found.lacking, sys.stdout)
    for line in _left_out(found.left_out):
        write(line, sys.stderr)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from adaclip.annotations.imports import import_annotations

    store = _open(arguments, create=True, read=False)
    who = (arguments.annotator or _user_name()) if arguments.accept_edits else ""
    done = import_annotations(store, arguments.file, accept_edits=who)
    _complain_of((*done.notes, *done.skipped))
    pictures = f", {done.images} pictures kept" if done.images else ""
    edits = f" ({done.edits} of them changed ones, as {printable(who)}'s)" if done.edits else ""
    write(f"{done.added} rows added{edits}, {done.known} were here already{pictures}", sys.stdout)
    if done.aside is not None:
        write(f"the file as it was: {printable(str(done.aside))}", sys.stdout)
    return 1 if done.skipped else 0


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:  # no account, as in some containers
        raise InputError("say in whose name the edits are taken, with --annotator NAME") from error


def _thresholds(arguments: argparse.Namespace) -> int:
    from adaclip.annotations.thresholds import suggest

    store = _open(arguments)
    _complain_of(store.problems)
    found = suggest(store.current())
    if arguments.format == "json":
        for each in found:
            write(json.dumps(dataclasses.asdict(each)), sys.stdout)
        return 0
    if not found:
        write("there are no annotations yet", sys.stdout)
    for each in found:
        for line in _suggestion_text(each):
            write(line, sys.stdout)
    return 0


def _complain_of(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        write(f"adaclip: {printable(sentence)}", sys.stderr)


def _report_text(report: StoreReport) -> Iterator[str]:
    yield printable(report.folder)
    yield (
        f"  {report.events} rows, {report.current} of them hold, {report.retracted} take one back"
    )
    said = ", ".join(f"{count} {verdict}" for verdict, count in report.verdicts.items())
    yield f"  {said or 'no verdicts'}; annotators: {report.annotators}"
    yield f"  {report.masks} masks, {report.images} kept pictures"
    newest = f", the newest of {report.newest_copy}" if report.newest_copy else ""
    what = "copy" if report.daily_copies == 1 else "copies"
    yield f"  {report.daily_copies} daily {what} in backups/daily{newest}"
    for finding in report.findings[:SHOWN_FINDINGS]:
        yield printable(f"{finding.kind}: {finding.where}: {finding.detail}")
    hidden = len(report.findings) - SHOWN_FINDINGS
    if hidden > 0:
        yield f"and {hidden} more; --format json lists them all"
    yield f"{len(report.findings)} found" if report.findings else "nothing wrong"


def _exported(done: Export) -> str:
    what = "pictures" if done.kind in ("mvtec", "coco") else "rows"
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in done.counts.items())
    return f"{printable(str(done.path))}: {done.written} {what}{f' ({counts})' if counts else ''}"


def _left_out(items: Sequence[LeftOut]) -> Iterator[str]:
    """The reasons with their counts, and a few names of each."""
    for reason, count in Counter(item.reason for item in items).most_common(SHOWN_LEFT_OUT):
        names = [item.name for item in items if item.reason == reason][:3]
        more = ", ..." if count > len(names) else ""
        yield printable(f"adaclip: left out {count}: {reason} ({', '.join(names)}{more})")


def _suggestion_text(each: Suggestion) -> Iterator[str]:
    yield printable(f"{each.class_name or 'no class'} · {each.checkpoint_id or 'no checkpoint'}")
    yield f"  labelled    {each.normal} normal, {each.anomalous} anomalous"
    if each.threshold is not None and each.interval is not None:
        low, high = each.interval
        yield f"  threshold   {each.threshold:.4f} ({low:.4f} to {high:.4f}), by {each.method}"
    if each.reason:
        yield f"  {'better' if each.method else 'none yet':<11} {each.reason}"
    if each.current_threshold is not None:
        yield f"  now         {each.current_threshold:.4f}"
    for name, before, after in (
        ("false alarms", each.false_alarm_rate_before, each.false_alarm_rate_after),
        ("missed", each.missed_rate_before, each.missed_rate_after),
    ):
        yield f"  {name:<11} {_share(before)} before, {_share(after)} after"
    for note in each.notes:
        yield f"  note        {note}"


def _share(rate: Rate | None) -> str:
    if rate is None:
        return "n/a"
    return (
        f"{100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f}; "
        f"{rate.count} of {rate.total})"
    )
