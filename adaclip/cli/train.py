"""`train`: AdaCLIP's own training on auxiliary data; a line per epoch, then where the result is.

Ctrl-C keeps what the last whole epoch left; `--resume` with the same options goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tqdm import tqdm

from adaclip.cli.streams import positive, progress_bar, unit_interval, write
from adaclip.config import Precision, TrainConfig, TrainMetric
from adaclip.data.images import printable
from adaclip.errors import AdaClipError

if TYPE_CHECKING:
    from adaclip.engine.trainer import EpochReport, TrainResult

_DESCRIPTION = """\
Train AdaCLIP's prompts, generators and projections around a frozen backbone.

The auxiliary folders' *test* splits are trained on, as published: AdaCLIP learns from anomalies.
Any layout that `adaclip evaluate` reads will do; masks are optional. The result is a normal
checkpoint: use it with `adaclip detect --checkpoint FILE`, or put it into the weights folder.
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
    add = parser.add_argument_group("data").add_argument
    add(
        "--auxiliary",
        nargs="+",
        default=unset,
        metavar="DATA",
        help="dataset folders; KEY=FOLDER names the layout where it is not recognised",
    )
    add(
        "--synthetic",
        type=int,
        default=defaults.synthetic,
        metavar="N",
        help="also N drawn pictures, half of them defective",
    )
    add(
        "--validation",
        default=str(defaults.validation),
        metavar="SHARE|DATA",
        help="a share of the images to hold out (0: none), or a folder of other images",
    )
    add(
        "--metric",
        choices=get_args(TrainMetric),
        default=defaults.metric,
        help="on the held-out images; the epoch with the highest is kept",
    )
    add(
        "--mosaic",
        type=unit_interval,
        default=defaults.mosaic,
        metavar="P",
        help="how often an image becomes a 2x2 mosaic of its class",
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
    add("--epochs", type=positive, default=defaults.epochs, metavar="N", help="in all")
    add("--batch-size", type=positive, default=defaults.batch_size, metavar="N", help="images")
    add(
        "--accumulate",
        type=positive,
        default=defaults.accumulate,
        metavar="N",
        help="batches that make one step",
    )
    add("--learning-rate", type=float, default=defaults.learning_rate, metavar="X", help="AdamW's")
    add("--precision", choices=get_args(Precision), default=defaults.precision, help="number type")
    add("--device", default=defaults.device, help="auto, cpu, cuda, cuda:N or mps")
    add("--seed", type=int, default=defaults.seed, metavar="N", help="decides all that is random")
    add(
        "--dice",
        choices=("per-image", "per-row"),
        default=f"per-{defaults.dice}",
        help="per-row is what the authors' code does",
    )
    add("--resume", action="store_true", help="go on with an interrupted run of the same options")


def _train(arguments: argparse.Namespace) -> int:
    options = {name: value for name, value in vars(arguments).items() if name != "command"}
    options["auxiliary"] = tuple(options.get("auxiliary", ()))
    options["dice"] = options["dice"].removeprefix("per-")
    with suppress(ValueError):
        options["validation"] = float(options["validation"])
    config = TrainConfig(**options)
    # After the options are known to be good: torch takes a while.
    from adaclip.engine.trainer import Listeners, train

    screen = _Screen(config)
    listeners = Listeners(note=screen.note, progress=screen.progress, epoch=screen.epoch)
    try:
        result = train(config, listeners)
    except KeyboardInterrupt:
        screen.close()
        write(f"adaclip: interrupted; {screen.what_is_kept()}", sys.stderr)
        return 130
    except AdaClipError:
        screen.close()
        if screen.done:
            write(f"adaclip: {screen.what_is_kept()}", sys.stderr)
        raise
    screen.close()
    write(_last_line(result), sys.stdout)
    return 0


class _Screen:
    """The progress bar of whatever is going on, and the lines between."""

    def __init__(self, config: TrainConfig) -> None:
        self.done = 0
        self._config = config
        self._bar: tqdm | None = None
        self._what = ""

    def note(self, sentence: str) -> None:
        self.close()
        write(f"adaclip: {printable(sentence)}", sys.stderr)

    def progress(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self.close()
            self._what = what
        if self._bar is None:
            self._bar = progress_bar(total=total, unit="image", desc=what)
        self._bar.update(done - self._bar.n)

    def epoch(self, report: EpochReport) -> None:
        self.close()
        self.done = report.epoch
        write(_epoch_line(report), sys.stdout)

    def close(self) -> None:
        """Take the bar off; what comes next draws its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def what_is_kept(self) -> str:
        out = printable(self._config.out)
        if self.done:
            return f"{out} holds the best of {self.done} epochs; --resume goes on from there"
        if Path(self._config.out).exists():
            return f"{out} is as it was; --resume goes on from there"
        return "no epoch was done, so nothing is kept"


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
