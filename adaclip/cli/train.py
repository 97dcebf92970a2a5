"""`train`: AdaCLIP's own training on auxiliary data; a line per epoch, then where the result is.

Ctrl-C keeps what the last whole epoch left; `--resume` with the same options goes on from there.
With other options, `--init` goes on from the file of the run before, into another file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args

from tqdm import tqdm

from adaclip.checkpoints.metadata import read_metadata
from adaclip.cli.streams import (
    add_labels,
    complain,
    labels_of,
    positive,
    progress_bar,
    unit_interval,
    write,
)
from adaclip.config import Precision, TrainConfig, TrainMetric
from adaclip.errors import AdaClipError, CheckpointError
from adaclip.text import printable

if TYPE_CHECKING:
    from adaclip.training.trainer import EpochReport, Progress, TrainResult

_DESCRIPTION = """\
Train AdaCLIP's prompts, generators and projections around a frozen backbone.

The auxiliary folders' *test* splits are trained on, as published: AdaCLIP learns from anomalies.
Any layout that `adaclip evaluate` reads will do (docs/DATA.md); masks are optional. The result is
a normal checkpoint: use it with `adaclip detect --checkpoint FILE`, or put it into the weights
folder.
"""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Lay out the command's flags."""
    parser = commands.add_parser(
        "train",
        help="train a checkpoint on your own or public data",
        description=_DESCRIPTION,
        formatter_class=_Formatter,
    )
    parser.set_defaults(command=_train)
    _add_data(parser)
    _add_model(parser)
    _add_training(parser)


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The description as it stands, and the defaults of the flags."""


def _add_data(parser: argparse.ArgumentParser) -> None:
    defaults, unset = TrainConfig(), argparse.SUPPRESS
    data = parser.add_argument_group("data")
    add = data.add_argument
    add(
        "--auxiliary",
        nargs="+",
        default=unset,
        metavar="DATA",
        help="dataset folders; where one is not recognised, KEY=FOLDER says which dataset it is "
        "(`adaclip datasets` lists the keys)",
    )
    add_labels(data)
    add(
        "--synthetic",
        type=int,
        default=defaults.synthetic,
        metavar="N",
        help="have N pictures drawn to train on as well, half of them defective",
    )
    add(
        "--validation",
        default=str(defaults.validation),
        metavar="SHARE|DATA",
        help="images to judge each epoch and set the threshold on: a share of all, kept out of "
        "training (0: none), or a folder of others",
    )
    add(
        "--metric",
        choices=get_args(TrainMetric),
        default=defaults.metric,
        help="the epoch with the highest value on the held-out images is kept; auto: image_auroc, "
        "or pixel_auroc where all of them are anomalous",
    )
    add(
        "--mosaic",
        type=unit_interval,
        default=defaults.mosaic,
        metavar="P",
        help="how often, 0-1, an image is shown as a 2x2 mosaic with three others of its class",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    defaults, unset = TrainConfig(), argparse.SUPPRESS
    add = parser.add_argument_group("model").add_argument
    add("--init", default=unset, metavar="CKPT", help="go on from this checkpoint (id or file)")
    add(
        "--backbone",
        default=unset,
        metavar="NAME",
        help="start afresh on this backbone: a name of open_clip's, or a checkpoint that holds "
        "its backbone, such as lite (default: ViT-L-14-336)",
    )
    add(
        "--backbone-weights",
        default=unset,
        metavar="FILE",
        help="open_clip weights (default: those in the weights folder)",
    )
    add(
        "--include-backbone",
        action=argparse.BooleanOptionalAction,
        default=unset,
        help="put the backbone into the result (default: when it came out of a checkpoint)",
    )
    add(
        "--image-size",
        type=positive,
        default=unset,
        metavar="PIXELS",
        help="side of the model's input, a multiple of the patch size (default: 518 or near)",
    )
    add("--out", default=defaults.out, metavar="FILE", help="the result, a .safetensors file")


def _add_training(parser: argparse.ArgumentParser) -> None:
    defaults = TrainConfig()
    add = parser.add_argument_group("training").add_argument
    add(
        "--epochs",
        type=positive,
        default=defaults.epochs,
        metavar="N",
        help="how many times every image is shown; with --resume, those already done included",
    )
    add(
        "--batch-size",
        type=positive,
        default=defaults.batch_size,
        metavar="N",
        help="images computed at a time; fewer need less memory",
    )
    add(
        "--accumulate",
        type=positive,
        default=defaults.accumulate,
        metavar="N",
        help="batches that are learned from in one step: more images for no more memory",
    )
    add(
        "--learning-rate",
        type=float,
        default=defaults.learning_rate,
        metavar="X",
        help="how far a step goes, above 0 and at most 1; less, such as 1e-4, to go on with --init",
    )
    add(
        "--precision",
        choices=get_args(Precision),
        default=defaults.precision,
        help="numbers the frozen backbone computes in: 16 bits save memory and, on a GPU, time; "
        "auto: 16 where the device is made for them, else fp32",
    )
    add("--device", default=defaults.device, help="auto, cpu, cuda, cuda:N or mps")
    add(
        "--seed",
        type=int,
        default=defaults.seed,
        metavar="N",
        help="the same number gives the same first weights, order, split and drawn pictures",
    )
    add(
        "--dice",
        choices=("per-image", "per-row"),
        default=f"per-{defaults.dice}",
        help="over what the dice loss is averaged: whole images, or single rows of pixels as in "
        "the authors' code",
    )
    add(
        "--resume",
        action="store_true",
        help="go on with the interrupted run that wrote --out; only --epochs and --device may be "
        "others than before",
    )


def _train(arguments: argparse.Namespace) -> int:
    options = {name: value for name, value in vars(arguments).items() if name != "command"}
    options["auxiliary"] = tuple(options.get("auxiliary", ()))
    options |= labels_of(arguments)
    options["dice"] = options["dice"].removeprefix("per-")
    with suppress(ValueError):
        options["validation"] = float(options["validation"])
    config = TrainConfig(**options)
    # After the options are known to be good: torch takes a while.
    from adaclip.training.trainer import Listeners, train

    screen = _Screen()
    listeners = Listeners(note=screen.note, progress=screen.progress, epoch=screen.epoch)
    try:
        result = train(config, listeners)
    except KeyboardInterrupt:
        screen.close()
        write(f"adaclip: interrupted; {_to_resume(config.out)}", sys.stderr)
        return 130
    except AdaClipError as error:
        screen.close()
        code = complain(str(error))
        # Otherwise the file, if there is one, is not this run's.
        if (screen.any_epoch or config.resume) and (advice := _to_change(config.out)):
            write(f"adaclip: {advice}", sys.stderr)
        return code
    screen.close()
    write(_last_line(result), sys.stdout)
    return 0


class _Screen:
    """The progress bar of whatever is going on, and the lines between."""

    def __init__(self) -> None:
        self.any_epoch = False
        self._bar: tqdm | None = None
        self._what = ""

    def note(self, sentence: str) -> None:
        self.close()
        write(f"adaclip: {printable(sentence)}", sys.stderr)

    def progress(self, progress: Progress) -> None:
        if progress.what != self._what:
            self.close()
            self._what = progress.what
        if self._bar is None:
            self._bar = progress_bar(total=progress.total, unit="image", desc=progress.what)
        if progress.loss is not None:
            self._bar.set_postfix_str(f"loss {progress.loss:.4f}", refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def epoch(self, report: EpochReport) -> None:
        self.close()
        self.any_epoch = True
        write(_epoch_line(report), sys.stdout)

    def close(self) -> None:
        """Take the bar off; what comes next draws its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _to_resume(out: str) -> str:
    run = _run_of(out)
    if not run:
        return "no epoch was done, so nothing is kept"
    return f"{_what_is_kept(out, run)}; --resume goes on after epoch {run['epochs']}"


def _to_change(out: str) -> str:
    """How to go on with other options, which the run itself does not take; "" without a file."""
    run = _run_of(out)
    if not run:
        return ""
    return (
        f"{_what_is_kept(out, run)}; to change an option, go on from it with "
        f"--init {printable(out)} --out NEW.safetensors; --resume is for the same options"
    )


def _what_is_kept(out: str, run: Mapping[str, Any]) -> str:
    metric = run["metric"]
    which = "the last" if metric is None else f"the best of {run['epochs']} by {metric}"
    return f"{printable(out)} holds epoch {run['best_epoch']}, {which}"


def _run_of(out: str) -> Mapping[str, Any]:
    """What a result says of its run; empty for a file that is missing or no result."""
    with suppress(CheckpointError):
        return read_metadata(out)["details"].get("run", {})
    return {}


def _epoch_line(report: EpochReport) -> str:
    parts = [f"epoch {report.epoch}/{report.epochs}", f"loss {report.loss:.4f}"]
    parts += [f"{name} {value:.4f}" for name, value in report.metrics.items()]
    if report.metric is not None and report.best:
        parts.append(f"best {report.metric}")
    if report.repeated_steps:
        parts.append(f"steps repeated in fp32: {report.repeated_steps}")
    parts.append(f"{_duration(report.seconds)} gone")
    if report.epoch < report.epochs:
        parts.append(f"about {_duration(report.seconds_left)} left")
    return "  ".join(parts)


def _last_line(result: TrainResult) -> str:
    which = f"epoch {result.best_epoch} of {result.epochs}"
    if result.metric is not None:
        which += f", {result.metric} {result.metrics[result.metric]:.4f}"
    threshold = result.metadata["threshold"]
    return (
        f"{printable(str(result.path))}: {which}; threshold {threshold['value']:.4f} "
        f"({threshold['source']})"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
