"""`evaluate`: judge a labelled dataset and measure; a run folder with results, rows and maps."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from adaclip.cli import evaluate_table
from adaclip.cli.streams import add_format, add_labels, labels_of, positive, progress_bar, write
from adaclip.config import DetectConfig, EvaluateConfig, Precision, RankedBy, Resolution
from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.data.masks import MASK_RULE
from adaclip.errors import InputError
from adaclip.storage.folders import runs_home

if TYPE_CHECKING:  # the help text is to come at once
    from adaclip.data.samples import Sample
    from adaclip.detecting.detector import Detector
    from adaclip.evaluating.protocols import Protocol
    from adaclip.evaluating.sources import ImageSource
    from adaclip.runs import RunResults, RunWriter

_MOST_ERRORS = 10


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Lay out the command's flags."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a checkpoint on a labelled dataset: AUROC, AP, max-F1, AUPRO",
        epilog=f"{MASK_RULE} How names, tables and masks are read: docs/DATA.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(command=_evaluate)
    _add_what(parser)
    add_labels(parser)
    _add_how(parser)


def _add_what(parser: argparse.ArgumentParser) -> None:
    add, absent = parser.add_argument, argparse.SUPPRESS
    add(
        "--data",
        required=True,
        metavar="ROOT",
        help=f"folder of a dataset, or {SYNTHETIC_KEY!r} for the set the project draws itself",
    )
    add(
        "--dataset",
        metavar="NAME",
        default=absent,
        help="the dataset's key (default: recognised by its folders)",
    )
    add("--checkpoint", default=DetectConfig.checkpoint, metavar="ID", help="checkpoint id or file")
    add(
        "--limit",
        type=positive,
        metavar="N",
        default=absent,
        help="N images per class, half of them normal, the same ones each time (default: all)",
    )
    add(
        "--class-name",
        metavar="NAME",
        default=absent,
        help="what the images show, for every class; may be empty (default: the class's own name)",
    )
    add(
        "--out",
        type=Path,
        metavar="RUN",
        default=absent,
        help="folder of the run (default: DATASET-CHECKPOINT in the folder of runs)",
    )
    add("--resume", action="store_true", help="go on with the run that is there")


def _add_how(parser: argparse.ArgumentParser) -> None:
    add, defaults = parser.add_argument, EvaluateConfig()
    add(
        "--resolution",
        choices=get_args(Resolution),
        default=defaults.resolution,
        help="pixel metrics at each image's own size, or at 518 x 518 as in the paper",
    )
    add(
        "--ranked-by",
        choices=get_args(RankedBy),
        default=defaults.ranked_by,
        help="the logit margin, or the paper's probability, which ties where it saturates",
    )
    add("--keep-maps", action="store_true", help="keep the maps (about 2 MB per image)")
    add("--device", default=DetectConfig.device, help="auto, cpu, cuda, cuda:N or mps")
    add(
        "--precision",
        choices=get_args(Precision),
        default=DetectConfig.precision,
        help="number type",
    )
    add(
        "--batch-size",
        type=positive,
        metavar="N",
        default=argparse.SUPPRESS,
        help="images at a time (default: the engine chooses)",
    )
    add(
        "--references",
        type=positive,
        metavar="K",
        default=argparse.SUPPRESS,
        help="compare with K normal pictures of each class, of the train split or else of the test "
        "split and then left out; a protocol of its own",
    )
    add(
        "--seeds",
        type=positive,
        metavar="S",
        default=argparse.SUPPRESS,
        help="with --references: S draws, a run each, and their mean and deviation (default: 3)",
    )
    add(
        "--batch",
        action="store_true",
        help="compare the pictures of each class with each other; a protocol of its own",
    )
    add_format(parser, "a table of classes, or the results as JSON")


def _evaluate(arguments: argparse.Namespace) -> int:
    from adaclip.checkpoints.catalogue import find

    references = getattr(arguments, "references", 0)
    if arguments.batch and references:
        raise InputError("--batch and --references are two protocols; choose one of them")
    if "seeds" in arguments and not references:
        raise InputError("--seeds draws references; name how many with --references")
    samples, notes = _samples(arguments)
    # Before torch is imported: what is wrong with the checkpoint is said at once.
    info = find(arguments.checkpoint)
    folder = getattr(arguments, "out", None)
    if folder is None:
        from adaclip.runs import folder_name

        folder = runs_home() / folder_name(f"{samples[0].dataset}-{info.id}")
    from adaclip.detecting.detector import load_detector
    from adaclip.evaluating.evaluator import limit_samples

    samples = limit_samples(samples, getattr(arguments, "limit", None))
    detector = load_detector(
        arguments.checkpoint, device=arguments.device, precision=arguments.precision
    )
    if references:
        return _evaluate_references(arguments, detector, samples, notes, folder)
    if not arguments.batch:
        return _one_run(arguments, detector, samples, notes, folder, None)[0]
    from adaclip.evaluating.protocols import BatchProtocol

    own = folder if "out" in arguments else folder.with_name(f"{folder.name}-batch")
    return _one_run(arguments, detector, samples, notes, own, BatchProtocol(detector))[0]


def _evaluate_references(
    arguments: argparse.Namespace,
    detector: Detector,
    samples: Sequence[Sample],
    notes: Sequence[str],
    folder: Path,
) -> int:
    """A run for each draw of references; the model sees each image once."""
    from adaclip.comparing.store import FeatureStore
    from adaclip.evaluating.protocols import (
        FeatureCache,
        ReferenceProtocol,
        draw_references,
        train_samples,
    )

    count, synthetic = arguments.references, arguments.data == SYNTHETIC_KEY
    root, dataset = Path(arguments.data), getattr(arguments, "dataset", None)
    train = [] if synthetic else train_samples(root, dataset)
    results, worst = [], 0
    with FeatureStore() as store:
        cache = FeatureCache(detector, store)
        for seed in range(getattr(arguments, "seeds", 3)):
            kept, drawn = draw_references(samples, train, count, seed)
            source = _source(synthetic, [*samples, *train])
            protocol = ReferenceProtocol(detector, cache, drawn, count, seed, source)
            own = folder.with_name(f"{folder.name}-{count}-references-seed-{seed}")
            code, found = _one_run(arguments, detector, kept, notes, own, protocol)
            worst = max(worst, code)
            if found is None:
                return code
            results.append(found)
    for line in evaluate_table.over_seeds(results):
        write(line, sys.stderr if arguments.format == "json" else sys.stdout)
    return worst


def _one_run(
    arguments: argparse.Namespace,
    detector: Detector,
    samples: Sequence[Sample],
    notes: Sequence[str],
    folder: Path,
    protocol: Protocol | None,
) -> tuple[int, RunResults | None]:
    """Evaluate into one folder; the exit code, and the results unless interrupted."""
    from adaclip.evaluating.evaluator import open_run

    config = EvaluateConfig(
        class_name=getattr(arguments, "class_name", None),
        limit=getattr(arguments, "limit", None),
        resolution=arguments.resolution,
        ranked_by=arguments.ranked_by,
        keep_maps=arguments.keep_maps,
    )
    synthetic = arguments.data == SYNTHETIC_KEY
    with open_run(
        detector,
        samples,
        folder,
        config,
        data_root=None if synthetic else Path(arguments.data).resolve(),
        batch_size=getattr(arguments, "batch_size", None),
        resume=arguments.resume,
        command=_command(arguments),
        notes=notes,
        protocol=protocol,
    ) as writer:
        if writer.header.leak:
            write(f"adaclip: note: {writer.header.leak}", sys.stderr)
        for warning in writer.header.warnings:
            write(f"adaclip: warning: {warning}", sys.stderr)
        results = _run(detector, samples, writer, _source(synthetic, samples), protocol)
        if results is None:
            return 130, None
    return _report(results, folder, arguments.format, writer.errors), results


def _source(synthetic: bool, samples: Sequence[Sample]) -> ImageSource:
    from adaclip.evaluating.sources import FileSource, SyntheticSource

    return SyntheticSource() if synthetic else FileSource(samples)


def _run(
    detector: Detector,
    samples: Sequence[Sample],
    writer: RunWriter,
    source: ImageSource,
    protocol: Protocol | None,
) -> RunResults | None:
    """Evaluate with a progress bar; None when interrupted."""
    from adaclip.evaluating.evaluator import evaluate

    total = len(samples)
    with progress_bar(total=total, unit="image") as bar:

        def show(done: int, _: int) -> None:
            bar.update(done - bar.n)

        try:
            return evaluate(
                detector, samples, writer, source=source, progress=show, protocol=protocol
            )
        except KeyboardInterrupt:
            write(
                f"adaclip: interrupted, {bar.n} of {total} images done; the same command with "
                "--resume goes on",
                sys.stderr,
            )
            return None


def _samples(arguments: argparse.Namespace) -> tuple[Sequence[Sample], Sequence[str]]:
    """The images asked for, and what was guessed on the way. Raises InputError or DatasetError."""
    from adaclip.data.samples import load_dataset
    from adaclip.evaluating.sources import synthetic_samples

    dataset = getattr(arguments, "dataset", None)
    if arguments.data == SYNTHETIC_KEY:
        if dataset not in (None, SYNTHETIC_KEY):
            raise InputError(
                f"--data {SYNTHETIC_KEY} has no dataset {dataset!r}; leave --dataset out"
            )
        return synthetic_samples(), ()
    found = load_dataset(Path(arguments.data), dataset, **labels_of(arguments))
    return found.samples, found.notes


def _command(arguments: argparse.Namespace) -> str:
    """What to type to make this run again: the flags that are not at their defaults.

    A batch size that was given is named even where it is the default of the configuration: left
    out, the engine would choose one.
    """
    defaults = vars(EvaluateConfig()) | vars(DetectConfig())
    defaults.pop("batch_size", None)
    words = ["python", "-m", "adaclip", "evaluate"]
    for name, value in sorted(vars(arguments).items()):
        flag = "--" + name.replace("_", "-")
        if name in ("command", "resume", "format") or value is False:
            continue
        if isinstance(value, list):
            words += [word for each in value for word in (flag, each)]
            continue
        if value is True:
            words.append(flag)
        elif name not in defaults or value != defaults[name]:
            words += [flag, str(value)]
    return shlex.join(words)


def _report(results: RunResults, folder: Path, style: str, errors: Sequence[str]) -> int:
    """Print results, complain of images that failed; the exit code."""
    if style == "json":
        write(json.dumps(results.to_json(), indent=1), sys.stdout)
    else:
        for line in evaluate_table.lines(results):
            write(line, sys.stdout)
    for error in errors[:_MOST_ERRORS]:
        write(f"adaclip: {error}", sys.stderr)
    if len(errors) > _MOST_ERRORS:
        write(f"adaclip: and {len(errors) - _MOST_ERRORS} more, see images.csv", sys.stderr)
    write(f"run: {folder}", sys.stderr)
    normal, anomalous, failed = results.images
    if not normal + anomalous:
        return 2
    return 1 if failed else 0
