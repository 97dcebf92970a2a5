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
# Another object, where even the median patch is so many times farther than the examples' own are
# from each other, and far at all.
FOREIGN_RATIO = 2.5
LEAST_FOREIGN = 0.2
LEAST_TWO_FOREIGN = 0.25
# The spread of normal pictures' zero-shot margins, before any is seen, as a share of that of the
# patches within a picture: a checkpoint's own scale, measured on normal pictures of `lite`.
MARGIN_SHARE = 0.55


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a picture's comparison gives."""

    distances: np.ndarray  # (L,) of each patch to the nearest normal one, mean over the views
    forward: float  # log of the mean of the highest of them
    backward: float  # log of the same for what the examples have and the picture lacks
    typical: float  # the median distance: high where the picture shows something else altogether


# A picture against one example: (views, L) distances, and the log of what it lacks of it.
Against = tuple[Tensor, float]


def against(own: Sequence[Tensor], bank: Sequence[Tensor]) -> Against:
    """A picture's views, (L, D) each, compared with those of one example, (n, D) each."""
    ways = [both_ways(mine, theirs) for mine, theirs in zip(own, bank, strict=True)]
    lacking = torch.stack([back for _, back in ways]).mean(dim=0)
    return torch.stack([there for there, _ in ways]), logarithm(top_mean(lacking))


def compared(own: Sequence[Tensor], banks: Sequence[Sequence[Tensor]]) -> Compared:
    """A picture's views compared with those of several examples."""
    return together([against(own, bank) for bank in banks])


def together(found: Sequence[Against]) -> Compared:
    """What comparisons with one example each say in sum: for each patch the nearest counts."""
    distances = torch.stack([forward for forward, _ in found]).amin(dim=0).mean(dim=0)
    backward = sorted(each for _, each in found)
    return Compared(
        distances=distances.cpu().numpy(),
        forward=logarithm(top_mean(distances)),
        backward=math.fsum(backward) / len(backward),
        typical=float(distances.median()),
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
    columns = list(zip(*rows, strict=True))
    if single:
        columns = [(math.fsum(column) / len(column),) for column in columns]
    priors = (*PRIOR_SPREADS, margin_prior(shown))
    first, second, third = (
        shrunk(column, prior) for column, prior in zip(columns, priors, strict=True)
    )
    normals = (first, second, third)
    sums = [joined(row, normals) for row in zip(*columns, strict=True)]
    threshold = quantile(sums, PASSED)
    patches = patch_normals(
        [widened * one.distances for one in found], [each.patch_margins for each in shown]
    )
    calibration = Calibration(
        values=normals,
        patch_distance=patches[0],
        patch_margin=patches[1],
        threshold=threshold,
        review_band=threshold - quantile(sums, REVIEW_PASSED),
        map_threshold=_highest(found, shown, patches, widened),
        foreign=foreign_from([widened * one.typical for one in found]),
        source=_source(len(examples)),
    )
    typical = [] if single else [one.typical for one in found]
    return calibration, _unlike(names, columns[0], typical)


def _highest(
    found: Sequence[Compared],
    shown: Sequence[Tokens],
    patches: tuple[Normal, Normal],
    widened: float,
) -> float:
    """The most suspicious normal picture's mean of its highest patches, in joined values."""
    sums = (
        patch_sums(widened * one.distances, each.patch_margins, *patches)
        for one, each in zip(found, shown, strict=True)
    )
    return max(top_mean(torch.from_numpy(each)) for each in sums)


def _source(count: int) -> str:
    """What a threshold rests on, in words."""
    return (
        "1 good example, other views of it"
        if count == 1
        else f"{count} good examples, leave-one-out"
    )


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


def margin_prior(shown: Sequence[Tokens]) -> float:
    """What normal pictures' zero-shot margins may spread by, as far as their patches tell."""
    spreads = sorted(float(each.patch_margins.astype(np.float64).std()) for each in shown)
    return MARGIN_SHARE * (math.fsum(spreads) / len(spreads)) + LEAST_MARGIN


def foreign_from(typical: Sequence[float]) -> float:
    """The median distance from which a picture shows another object than those with `typical`."""
    return max(LEAST_FOREIGN, FOREIGN_RATIO * float(np.median(typical)))


def _unlike(
    names: Sequence[str], distances: Sequence[float], typical: Sequence[float]
) -> tuple[str, ...]:
    """A sentence for each example that is unlike the others, or of another object.

    Of two examples neither can be said to be the one that does not fit.
    """
    notes = []
    for number, name in enumerate(names):
        others = [i for i in range(len(typical)) if i != number]
        if len(others) < 2:
            if len(others) == 1 and number == 0 and min(typical) >= LEAST_TWO_FOREIGN:
                notes.append(f"{names[0]} and {names[1]} hardly show the same object")
            continue
        rest = shrunk([distances[i] for i in others], PRIOR_SPREADS[0])
        if typical[number] >= foreign_from([typical[i] for i in others]):
            notes.append(f"{name} seems to show another object than the other good examples")
        elif rest(distances[number]) > UNLIKE:
            notes.append(f"{name} is unlike the other good examples: is it without a defect?")
    return tuple(notes)
