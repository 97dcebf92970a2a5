"""What a table of results comes to: the best of a row, and means and ranks over shared sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from demo.benchmark.cells import Cell


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What stands under a column. None where the column lacks a shared set, or nothing is shared.

    `mean` 0-1 and `rank` (1 is best) are over the shared sets. `record` counts wins, ties and
    losses against the baseline, over the sets that both have.
    """

    mean: float | None = None
    rank: float | None = None
    record: tuple[int, int, int] | None = None
    covers: int = 0  # shared sets on which the column has a value


def shared_rows(columns: Sequence[Sequence[Cell]]) -> list[int]:
    """The rows on which every column has a value that means take in."""
    if not columns:
        return []
    return [at for at, cells in enumerate(zip(*columns, strict=True)) if all_averaged(cells)]


def all_averaged(cells: Sequence[Cell]) -> bool:
    """True when means take all of them in."""
    return all([cell.averaged for cell in cells])


def places(cells: Sequence[Cell], chosen: Sequence[int]) -> dict[int, float]:
    """Place of each of the chosen cells that has a value, 1 for the best.

    Values that read the same share the mean of their places.
    """
    values = [(at, cells[at].tenths) for at in chosen if cells[at].averaged]
    found = {}
    for at, value in values:
        better = sum([other > value for _, other in values])
        same = sum([other == value for _, other in values])
        found[at] = better + (same + 1) / 2
    return found


def leaders(cells: Sequence[Cell], chosen: Sequence[int]) -> tuple[set[int], set[int]]:
    """(the best of a row, the second best), several where they read the same.

    Nobody leads a row with one value.
    """
    values = {at: cells[at].tenths for at in chosen if cells[at].averaged}
    if len(values) < 2:
        return set(), set()
    ranked = sorted(set(values.values()), reverse=True)
    best = {at for at, value in values.items() if value == ranked[0]}
    if len(best) > 1 or len(ranked) < 2:
        return best, set()
    return best, {at for at, value in values.items() if value == ranked[1]}


def totals(
    rows: Sequence[Sequence[Cell]],
    shown: Sequence[int],
    comparable: Sequence[int],
    shared: Sequence[int],
    baseline: int | None,
) -> dict[int, Totals]:
    """Column -> what stands under it, for the columns shown; ranks among comparable ones only."""
    covers = {at: sum([rows[row][at].averaged for row in shared]) for at in shown}
    whole = [at for at in shown if shared and covers[at] == len(shared)]
    rivals = [at for at in whole if at in comparable]
    ranked = [places(rows[row], rivals) for row in shared] if len(rivals) > 1 else []
    found = {}
    for at in shown:
        mean = rank = record = None
        if at in whole:
            mean = math.fsum([rows[row][at].value or 0.0 for row in shared]) / len(shared)
        if ranked and at in rivals:
            rank = sum([one[at] for one in ranked]) / len(ranked)
        if baseline is not None and at != baseline and at in comparable:
            record = against([row[at] for row in rows], [row[baseline] for row in rows])
        found[at] = Totals(mean=mean, rank=rank, record=record, covers=covers[at])
    return found


def against(cells: Sequence[Cell], baseline: Sequence[Cell]) -> tuple[int, int, int] | None:
    """(wins, ties, losses) over the rows on which both have a value; None without any."""
    pairs = [
        one.tenths - other.tenths
        for one, other in zip(cells, baseline, strict=True)
        if one.averaged and other.averaged
    ]
    if not pairs:
        return None
    wins, losses = sum([gap > 0 for gap in pairs]), sum([gap < 0 for gap in pairs])
    return wins, len(pairs) - wins - losses, losses
