"""What good examples say of themselves: where the normal lies, thresholds, and who does not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adaclip.comparing.features import Tokens, views
from adaclip.comparing.joining import (
    PASSED,
    PRIOR_SPREADS,
    REVIEW_PASSED,
    Calibration,
    Normal,
    joined,
    patch_sums,
    quantile,
    shrunk,
)
from adaclip.comparing.tokens import both_ways, top_mean

# A picture's own views lie nearer to it than another picture would: so much farther.
WIDENED = 1.6
# Where distances are less than this, they are noise: an empty picture has no spread.
LEAST_DISTANCE = 1e-3
LEAST_MARGIN = 0.05
# An example is unlike the others from so many spreads on.
UNLIKE = 4.0
# Cosine of class tokens below which two pictures hardly show the same object.
LEAST_LIKENESS = 0.4


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a picture's comparison gives."""

    distances: np.ndarray  # (L,) of each patch to the nearest normal one, mean over the views
    forward: float  # log of the mean of the highest of them
    backward: float  # log of the same for what the nearest example has and the picture lacks


def compared(own: Sequence[Tensor], banks: Sequence[Sequence[Tensor]]) -> Compared:
    """A picture's views compared with those of several examples.

    Args:
        own: a tensor (L, D) for each view.
        banks: for each example the same, (n, D).
    """
    forward, backward = [], []
    for bank in banks:
        ways = [both_ways(mine, theirs) for mine, theirs in zip(own, bank, strict=True)]
        forward.append(torch.stack([there for there, _ in ways]))
        lacking = torch.stack([back for _, back in ways]).mean(dim=0)
        backward.append(logarithm(top_mean(lacking)))
    distances = torch.stack(forward).amin(dim=0).mean(dim=0)
    return Compared(
        distances=distances.cpu().numpy(),
        forward=logarithm(top_mean(distances)),
        backward=math.fsum(sorted(backward)) / len(backward),
    )


def logarithm(distance: float) -> float:
    """Of a distance, with noise kept from mattering."""
    return math.log(distance + LEAST_DISTANCE)


def calibrate(
    names: Sequence[str],
    examples: Sequence[Tokens],
    banks: Sequence[Sequence[Tensor]],
    self_views: Sequence[Tokens],
    device: torch.device,
) -> tuple[Calibration, tuple[str, ...]]:
    """Where the examples lie, and notes of those that do not fit.

    Each example is compared with the others; a single one with other views of itself, which lie
    nearer to it than another picture would, so their distances are widened, and their spread,
    which says nothing of other pictures, does not count.
    """
    single = len(examples) == 1
    shown = self_views if single else examples
    found = []
    for number, each in enumerate(shown):
        others = banks if single else [bank for i, bank in enumerate(banks) if i != number]
        found.append(compared(views(each, device), others))
    widened = WIDENED if single else 1.0
    rows = [
        (
            one.forward + math.log(widened),
            one.backward + math.log(widened),
            each.anomaly_margin,
        )
        for one, each in zip(found, shown, strict=True)
    ]
    if single:
        rows = [tuple(math.fsum(column) / len(column) for column in zip(*rows, strict=True))]
    columns = list(zip(*rows, strict=True))
    first, second, third = (
        shrunk(column, prior) for column, prior in zip(columns, PRIOR_SPREADS, strict=True)
    )
    normals = (first, second, third)
    sums = [joined(row, normals) for row in rows]
    threshold = quantile(sums, PASSED)
    patches = patch_normals(
        [widened * one.distances for one in found], [each.patch_margins for each in shown]
    )
    tops = [
        top_mean(
            torch.from_numpy(patch_sums(widened * one.distances, each.patch_margins, *patches))
        )
        for one, each in zip(found, shown, strict=True)
    ]
    calibration = Calibration(
        values=normals,
        patch_distance=patches[0],
        patch_margin=patches[1],
        threshold=threshold,
        review_band=threshold - quantile(sums, REVIEW_PASSED),
        map_threshold=max(tops),
        source=(
            "1 good example, other views of it"
            if single
            else f"{len(examples)} good examples, leave-one-out"
        ),
    )
    return calibration, _unlike(names, examples, columns[0])


def patch_normals(
    distances: Sequence[np.ndarray], margins: Sequence[np.ndarray]
) -> tuple[Normal, Normal]:
    """Where normal patches lie in distance and in zero-shot margin."""
    both = []
    for values, least in ((distances, LEAST_DISTANCE), (margins, LEAST_MARGIN)):
        # In an order of their own, so that the order of pictures moves no bit.
        together = np.sort(np.concatenate(values).astype(np.float64))
        both.append(Normal(centre=float(together.mean()), spread=float(together.std()) + least))
    return both[0], both[1]


def _unlike(
    names: Sequence[str], examples: Sequence[Tokens], distances: Sequence[float]
) -> tuple[str, ...]:
    """A sentence for each example that is unlike the others, or of another object."""
    notes = []
    tokens = np.stack([each.class_token for each in examples]).astype(np.float64)
    likeness = tokens @ tokens.T
    for number, name in enumerate(names):
        others = [i for i in range(len(names)) if i != number]
        if not others:
            continue
        alike = float(np.median(likeness[number, others]))
        rest = shrunk([distances[i] for i in others], PRIOR_SPREADS[0])
        if alike < LEAST_LIKENESS:
            notes.append(f"{name} seems to show another object than the other good examples")
        elif len(others) > 1 and rest(distances[number]) > UNLIKE:
            notes.append(f"{name} is unlike the other good examples: is it without a defect?")
    return tuple(notes)
