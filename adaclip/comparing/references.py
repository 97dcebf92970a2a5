"""Good examples of an object, and pictures judged by their distance to the nearest of them.

Each example's patches go into a bank. A picture's distance is that of its patches to the nearest
ones of the bank, in several frozen stages; what its threshold is comes from the examples
themselves, each compared with the others. Sources: PatchCore (CVPR 2022), AnomalyDINO (WACV 2025).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from adaclip.comparing.calibration import Against, against, calibrate, together
from adaclip.comparing.features import Features, Tokens, unit_half, views
from adaclip.comparing.joining import Calibration
from adaclip.comparing.poses import own_views, pose_varies, turned
from adaclip.comparing.results import detection_of
from adaclip.comparing.tokens import spread_rows, thinned
from adaclip.errors import InputError
from adaclip.types import Detection

Pose = Literal["auto", "fixed", "turned"]
# More tell little that these do not, and each takes room and time.
MAX_REFERENCES = 64
# Patches of all examples together, for each stage: the time of a comparison goes with them.
MAX_BANK = 4096

OTHER_OBJECT = "looks unlike the good examples as a whole: is it the same object?"
# Of a turned copy.
COPIED_PATCHES = 256


@dataclass(frozen=True, kw_only=True)
class References:
    """Good examples of one object, ready to be compared with; frozen, and the same bits each time.

    Attributes:
        names: what the examples are called, in the order given.
        examples: their tokens and zero-shot margins.
        banks: of each example its patches, (stages, n, D) float16, those of turned copies included.
        posed: True when turned and mirrored copies are among them.
        calibration: where the examples themselves lie, and the thresholds that follow.
        notes: what the user should know, e.g. which example is unlike the others.
    """

    names: tuple[str, ...]
    examples: tuple[Tokens, ...]
    banks: tuple[np.ndarray, ...]
    posed: bool
    calibration: Calibration
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def model(self) -> str:
        """The model whose features the examples are."""
        return self.examples[0].model

    @functools.cached_property
    def _tensors(self) -> dict[str, list[list[Tensor]]]:
        return {}

    def tensors(self, device: torch.device) -> list[list[Tensor]]:
        """The banks on a device, (n, D) fp32 for each example and view; made once."""
        name = str(device)
        if name not in self._tensors:
            self._tensors[name] = [
                [part.to(device) for part in bank_tensors(bank)] for bank in self.banks
            ]
        return self._tensors[name]

    def check(self, model: str) -> None:
        """Raise InputError unless the examples' features are of `model`."""
        if model != self.model:
            raise InputError(
                "these good examples were read with another model; read them again with the "
                "checkpoint that judges"
            )


def make_references(
    read: Callable[[Sequence[np.ndarray]], list[Features]],
    pictures: Sequence[np.ndarray],
    names: Sequence[str] = (),
    pose: Pose = "auto",
    device: torch.device | None = None,
) -> References:
    """References from pictures; `read` gives the features of any pictures.

    Raises InputError for none, too many, names that do not fit, or an unknown pose.
    """
    check_count(len(pictures))
    if pose not in get_args(Pose):
        raise InputError(f"unknown pose {pose!r}; choose from {', '.join(get_args(Pose))}")
    if names and len(names) != len(pictures):
        raise InputError(f"{len(names)} names do not fit {len(pictures)} good examples")
    where = device or torch.device("cpu")
    titles = tuple(names) or tuple(f"good example {n}" for n in range(1, len(pictures) + 1))
    examples = read(pictures)
    copies: list[list[Features]] = [[] for _ in examples]
    if pose == "turned" or (pose == "auto" and pose_varies(read, pictures, examples, where)):
        copies = [read(turned(picture)) for picture in pictures]
    self_views = read(own_views(pictures[0])) if len(pictures) == 1 else []
    return assemble(titles, examples, copies, self_views, where)


def check_count(count: int) -> None:
    """Raise InputError for a number of good examples that cannot be used."""
    if not count:
        raise InputError("there are no good examples; give 1 or more pictures without a defect")
    if count > MAX_REFERENCES:
        raise InputError(
            f"{count} good examples are more than the {MAX_REFERENCES} that can be used; give "
            "those that differ most from each other"
        )


def assemble(
    names: Sequence[str],
    examples: Sequence[Tokens],
    copies: Sequence[Sequence[Tokens]],
    self_views: Sequence[Tokens],
    device: torch.device,
) -> References:
    """References from features that are already known."""
    limit = MAX_BANK // len(examples)
    banks = tuple(
        _bank([example, *turned_ones], limit, device)
        for example, turned_ones in zip(examples, copies, strict=True)
    )
    tensors = [[part.to(device) for part in bank_tensors(bank)] for bank in banks]
    calibration, notes = calibrate(names, examples, tensors, self_views, device)
    return References(
        names=tuple(names),
        examples=tuple(_bare(example) for example in examples),
        banks=banks,
        posed=any(copies),
        calibration=calibration,
        notes=notes,
    )


# What is known of pictures and examples already; the caller keeps it between calls.
Known = MutableMapping[tuple[str, str, int], Against]


def score_all(
    features: Sequence[Features],
    references: References,
    device: torch.device,
    known: Known | None = None,
) -> list[Detection]:
    """The detections of pictures compared with good examples, in order.

    With `known`, which is added to, a picture is compared only with examples that are new to it.
    Raises InputError when a picture's features are of another model.
    """
    known = {} if known is None else known
    banks = references.tensors(device)
    plural = "" if len(references) == 1 else "s"
    what = f"{len(references)} good example{plural}"
    found = []
    for each in features:
        references.check(each.model)
        keys = [
            (each.picture, example.picture, bank.shape[1])
            for example, bank in zip(references.examples, references.banks, strict=True)
        ]
        missing = [number for number, key in enumerate(keys) if key not in known]
        own = views(each, device) if missing else []
        for number in missing:
            known[keys[number]] = against(own, banks[number])
        result = together([known[key] for key in keys])
        foreign = result.typical >= references.calibration.foreign
        notes = (OTHER_OBJECT,) if foreign else ()
        found.append(detection_of(each, result, references.calibration, what, notes))
    return found


def bank_tensors(bank: np.ndarray) -> list[Tensor]:
    """(n, D) fp32 unit vectors for each view of an example's bank."""
    return list(F.normalize(torch.from_numpy(bank.astype(np.float32)), dim=-1))


def _bank(shown: Sequence[Tokens], limit: int, device: torch.device) -> np.ndarray:
    """(views, n, D) float16: at most `limit` patches of an example and its turned copies."""
    parts = [views(each, device) for each in shown]
    # A turned copy shows the same thing again: its patches on a coarser grid will do.
    rows = [
        spread_rows(each.grid, len(each.patch_margins) if number == 0 else COPIED_PATCHES)
        for number, each in enumerate(shown)
    ]
    stages = [
        torch.cat([part[stage][own.to(device)] for part, own in zip(parts, rows, strict=True)])
        for stage in range(len(parts[0]))
    ]
    return unit_half(torch.stack([thinned(stage, limit) for stage in stages]))


def _bare(example: Tokens) -> Tokens:
    return example.without_detection() if isinstance(example, Features) else example
