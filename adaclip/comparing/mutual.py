"""A batch of one object judged by comparing its pictures with each other; no label is needed.

For each patch the distance to its nearest patch in every other picture, and of these the mean of
the lowest: a normal patch finds itself in most pictures, a defective one in few. Source: MuSc
(ICLR 2024, arXiv 2401.16753).

Pictures are compared with a bank of at most BANK_PICTURES of them, and of each with at most
BANK_PATCHES / BANK_PICTURES patches on a regular grid. Which pictures these are follows from
their pixels, so that their order does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adaclip.comparing.calibration import (
    Compared,
    foreign_from,
    logarithm,
    margin_prior,
    patch_normals,
)
from adaclip.comparing.features import Features, views
from adaclip.comparing.joining import (
    PASSED,
    PRIOR_SPREADS,
    REVIEW_PASSED,
    Calibration,
    joined,
    patch_sums,
    quantile_of,
    robust,
)
from adaclip.comparing.results import detection_of
from adaclip.comparing.tokens import both_ways, spread_rows, top_mean
from adaclip.types import Detection

OTHER_OBJECT = "looks unlike the other pictures as a whole: is it the same object?"
LEAST_BATCH = 8
BANK_PICTURES = 32
BANK_PATCHES = 8192
# Of the other pictures those in which a patch has to find itself.
NEAREST_SHARE = 0.3


def bank_of(features: Sequence[Features], device: torch.device) -> dict[str, list[Tensor]]:
    """What the pictures of a batch are compared with, by picture; a tensor (n, D) for each view."""
    by_picture = {each.picture: each for each in features}
    chosen = sorted(by_picture)[:BANK_PICTURES]
    limit = BANK_PATCHES // len(chosen)
    bank = {}
    for picture in chosen:
        rows = spread_rows(by_picture[picture].grid, limit).to(device)
        bank[picture] = [view[rows] for view in views(by_picture[picture], device)]
    return bank


def compared_with_others(
    own: Sequence[Tensor], bank: dict[str, list[Tensor]], picture: str
) -> Compared:
    """How little each patch of a picture is found in the others, and theirs in it.

    `own` is the picture's views; its own patches in the bank do not count.
    """
    others = [bank[name] for name in sorted(bank) if name != picture]
    count = max(1, int(NEAREST_SHARE * len(others)))
    forward, backward = [], []
    for number, queries in enumerate(own):
        ways = [both_ways(queries, parts[number]) for parts in others]
        there = torch.stack([way[0] for way in ways])
        forward.append(there.topk(count, dim=0, largest=False).values.mean(dim=0))
        backward.append([way[1] for way in ways])
    lacking = [
        logarithm(top_mean(torch.stack(views_of).mean(dim=0)))
        for views_of in zip(*backward, strict=True)
    ]
    distances = torch.stack(forward).mean(dim=0)
    return Compared(
        distances=distances.cpu().numpy(),
        forward=logarithm(top_mean(distances)),
        backward=float(np.mean(sorted(lacking)[:count])),
        typical=float(distances.median()),
    )


Run = Callable[..., Any]


def stream_all(features: Sequence[Features], device: torch.device, run: Run) -> Iterator[Detection]:
    """The detections of a batch, in order; below LEAST_BATCH different pictures the zero-shot ones.

    `run(function, *arguments)` computes a step where the device allows it; between the steps of
    two pictures others have their turn.
    """
    if len({each.picture for each in features}) < LEAST_BATCH:
        yield from (each.detection for each in features)
        return
    bank = run(bank_of, features, device)
    found = [run(compared_picture, each, bank, device) for each in features]
    calibration = calibrate_batch(features, found)
    what = f"{len(features) - 1} others"
    for each, result in zip(features, found, strict=True):
        notes = (OTHER_OBJECT,) if result.typical >= calibration.foreign else ()
        yield detection_of(each, result, calibration, what, notes)


def compared_picture(
    each: Features, bank: dict[str, list[Tensor]], device: torch.device
) -> Compared:
    """One picture of a batch compared with the others of the bank."""
    return compared_with_others(views(each, device), bank, each.picture)


def compare_all(features: Sequence[Features], device: torch.device) -> list[Detection]:
    """The detections of pictures compared with each other, all at once."""
    return list(stream_all(features, device, lambda step, *given: step(*given)))


def calibrate_batch(features: Sequence[Features], found: Sequence[Compared]) -> Calibration:
    """Where most pictures of a batch lie, and the thresholds that follow.

    Robust: a third of the pictures may be defective, and none may be.
    """
    rows = [
        (one.forward, one.backward, each.anomaly_margin)
        for one, each in zip(found, features, strict=True)
    ]
    columns = zip(*rows, strict=True)
    first, second, third = (
        robust(column, prior)
        for column, prior in zip(columns, (*PRIOR_SPREADS, margin_prior(features)), strict=True)
    )
    normals = (first, second, third)
    sums = [joined(row, normals) for row in rows]
    threshold, review = (
        quantile_of(robust(sums, 1.0), len(sums), p) for p in (PASSED, REVIEW_PASSED)
    )
    usual = sorted(zip(sums, range(len(sums)), strict=True))[: len(sums) // 2 + 1]
    typical = [index for _, index in usual]
    patches = patch_normals(
        [found[index].distances for index in typical],
        [features[index].patch_margins for index in typical],
    )
    tops = [
        top_mean(
            torch.from_numpy(
                patch_sums(found[index].distances, features[index].patch_margins, *patches)
            )
        )
        for index in typical
    ]
    return Calibration(
        values=normals,
        patch_distance=patches[0],
        patch_margin=patches[1],
        threshold=threshold,
        review_band=threshold - review,
        map_threshold=max(tops),
        foreign=foreign_from([one.typical for one in found]),
        source=f"this batch of {len(features)}, up to a third of it defective",
    )
