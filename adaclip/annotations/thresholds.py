"""What labels say of thresholds: one to suggest for each class, what it would change, how sure.

Scores of different checkpoints are not comparable, so each checkpoint has its own suggestion.
Rates come from the labelled pictures alone; those were often chosen because they looked wrong.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adaclip.annotations.record import Annotation, truth_of
from adaclip.annotations.settlements import decided
from adaclip.data.registry import spoken
from adaclip.errors import InputError
from adaclip.metrics.alarms import just_above

MAX_F1, QUANTILE = "max F1", "quantile of normals"
# Fewer of a kind and one picture more or less moves the threshold anywhere.
MIN_NORMAL, MIN_ANOMALOUS = 20, 10
# What fine-tuning is not worth it below; a rule of thumb, not a measurement.
MIN_TRAINING_NORMAL, MIN_TRAINING_ANOMALOUS = 50, 25
_LEVEL_Z = 1.959963984540054  # 95 %
_AT_ONCE = 1 << 21


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share of pictures, 0-1, with Wilson's 95 % interval."""

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself, 0-1."""
        return self.count / self.total


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A threshold for a class and a checkpoint, 0-1, and what it rests on.

    Counts are pictures; `conflicting` ones are judged both ways, `unscored` have no score.
    `threshold` None: `reason` says why. `interval` holds it in 95 % of bootstrap draws.
    "before" is at `current_threshold`, the latest one annotated at, "after" at the suggestion.
    """

    class_name: str
    checkpoint_id: str
    normal: int
    anomalous: int
    unsure: int
    conflicting: int
    unscored: int
    method: str
    threshold: float | None
    interval: tuple[float, float] | None
    reason: str
    current_threshold: float | None
    false_alarm_rate_before: Rate | None
    false_alarm_rate_after: Rate | None
    missed_rate_before: Rate | None
    missed_rate_after: Rate | None
    biased: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How far the labels of a class go. `*_needs`: how many more pictures of each, "" for none."""

    class_name: str
    normal: int
    anomalous: int
    masks: int
    threshold_needs: str
    training_needs: str


@dataclass(frozen=True, kw_only=True)
class _Scores:
    normal: np.ndarray
    anomalous: np.ndarray
    unsure: int
    conflicting: int
    unscored: int


def suggest(
    annotations: Iterable[Annotation], *, quantile: float = 0.95, resamples: int = 1000
) -> list[Suggestion]:
    """A suggestion for each class and checkpoint among current annotations, by name in words.

    With enough of both kinds the threshold is the one of the highest F1; with normal pictures
    alone it lets `quantile` (0-1) of them pass. Raises InputError for a quantile outside 0.5-1.
    """
    if not 0.5 <= quantile < 1.0:
        raise InputError(f"the quantile is {quantile}; it has to be from 0.5 to below 1")
    groups: dict[tuple[str, str], list[Annotation]] = defaultdict(list)
    for row in decided(annotations):
        groups[spoken(row.class_name), row.checkpoint_id].append(row)
    return [
        _suggestion(class_name, checkpoint, rows, quantile, resamples)
        for (class_name, checkpoint), rows in sorted(groups.items())
    ]


def quality(annotations: Iterable[Annotation]) -> list[Quality]:
    """For each class among current annotations, what is still needed, by name in words."""
    groups: dict[str, list[Annotation]] = defaultdict(list)
    for row in decided(annotations):
        groups[spoken(row.class_name)].append(row)
    return [_quality(class_name, rows) for class_name, rows in sorted(groups.items())]


def wilson(count: int, total: int) -> Rate | None:
    """A share with Wilson's score interval at 95 %; None of no pictures."""
    if total == 0:
        return None
    share, z2 = count / total, _LEVEL_Z**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _LEVEL_Z / (1 + z2 / total)
    half *= math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    # At the ends the interval is exact; rounding must not move it off them.
    low = 0.0 if count == 0 else max(centre - half, 0.0)
    high = 1.0 if count == total else min(centre + half, 1.0)
    return Rate(count=count, total=total, low=low, high=high)


def best_f1_threshold(normal: np.ndarray, anomalous: np.ndarray) -> float:
    """The threshold of the highest F1, midway to the next lower score; 0-1.

    Of equal ones the highest threshold: it gives fewer false alarms.
    """
    grid = np.unique(np.concatenate([normal, anomalous]))[::-1]
    false, true = (
        np.searchsorted(np.sort(-scores), -grid, side="right")[None]
        for scores in (normal, anomalous)
    )
    return float(_midway(grid, _best_place(false, true))[0])


def _suggestion(
    class_name: str, checkpoint: str, rows: list[Annotation], quantile: float, resamples: int
) -> Suggestion:
    scores = _scores(rows)
    normal, anomalous = scores.normal.size, scores.anomalous.size
    method, reason = _method(normal, anomalous, quantile)
    threshold, interval = None, None
    if method:
        threshold, interval = _threshold(scores, method, quantile, resamples)
    dated = [row for row in rows if row.image_threshold is not None]
    current = max(dated, key=lambda row: row.ts_utc).image_threshold if dated else None
    biased = any(not row.queue_policy.startswith("random") for row in rows)
    return Suggestion(
        class_name=class_name,
        checkpoint_id=checkpoint,
        normal=normal,
        anomalous=anomalous,
        unsure=scores.unsure,
        conflicting=scores.conflicting,
        unscored=scores.unscored,
        method=method,
        threshold=threshold,
        interval=interval,
        reason=reason,
        current_threshold=current,
        false_alarm_rate_before=_rate(scores.normal, current, above=True),
        false_alarm_rate_after=_rate(scores.normal, threshold, above=True),
        missed_rate_before=_rate(scores.anomalous, current, above=False),
        missed_rate_after=_rate(scores.anomalous, threshold, above=False),
        biased=biased,
        notes=_notes(method, interval, biased),
    )


def _scores(rows: Iterable[Annotation]) -> _Scores:
    """One score for each picture on which all who are sure agree."""
    pictures: dict[str, list[Annotation]] = defaultdict(list)
    for row in rows:
        pictures[row.pixel_sha256].append(row)
    found: dict[str, list[float]] = {"normal": [], "anomalous": []}
    unsure = conflicting = unscored = 0
    for same in pictures.values():
        truths = {truth for row in same if (truth := truth_of(row)) is not None}
        values = [row.image_score for row in same if row.image_score is not None]
        if len(truths) > 1:
            conflicting += 1
        elif not truths:
            unsure += 1
        elif not values:
            unscored += 1
        else:
            found[truths.pop()].append(values[-1])
    return _Scores(
        normal=np.sort(np.asarray(found["normal"])),
        anomalous=np.sort(np.asarray(found["anomalous"])),
        unsure=unsure,
        conflicting=conflicting,
        unscored=unscored,
    )


def _method(normal: int, anomalous: int, quantile: float) -> tuple[str, str]:
    """Which way to a threshold the counts allow, and why not a better one, or none."""
    needed = max(MIN_NORMAL, math.ceil(1 / (1 - quantile) - 1e-9))
    if normal >= MIN_NORMAL and anomalous >= MIN_ANOMALOUS:
        return MAX_F1, ""
    if normal >= needed:
        short = MIN_ANOMALOUS - anomalous
        return QUANTILE, f"for the highest F1, {short} more anomalous pictures are needed"
    lacking = [f"{needed - normal} more normal"] if normal < needed else []
    if anomalous < MIN_ANOMALOUS:
        lacking.append(f"for the highest F1 {MIN_ANOMALOUS - anomalous} more anomalous")
    return "", f"too few labelled pictures: {' and '.join(lacking)} ones are needed"


def _threshold(
    scores: _Scores, method: str, quantile: float, resamples: int
) -> tuple[float, tuple[float, float]]:
    """The threshold and its 95 % bootstrap interval; seeded, so that it stays the same."""
    rng = np.random.default_rng(0)
    normal, anomalous = scores.normal, scores.anomalous
    if method == QUANTILE:
        # Above it lie at most 1 - quantile of the normals.
        value = just_above(normal, quantile)
    else:
        value = best_f1_threshold(normal, anomalous)
    # The scores there are, from the highest down, and the place of each picture's among them.
    grid = np.unique(np.concatenate([normal, anomalous]))[::-1]
    draws: list[np.ndarray] = []
    # Of very many pictures fewer draws say as much about the ends of the interval.
    left = min(resamples, max(200, _AT_ONCE // (normal.size + anomalous.size)))
    while left > 0:
        rows = min(left, max(1, _AT_ONCE // (normal.size + anomalous.size)))
        left -= rows
        false = _drawn(rng, grid, normal, rows)
        if method == QUANTILE:
            # The place of the quantile from below is that of the rest from above.
            above = normal.size - min(math.ceil(quantile * normal.size - 1e-9), normal.size)
            draws.append(grid[(false > above).argmax(axis=1)])
        else:
            true = _drawn(rng, grid, anomalous, rows)
            draws.append(_midway(grid, _best_place(false, true)))
    low, high = np.quantile(np.concatenate(draws), [0.025, 0.975])
    return value, (min(float(low), value), max(float(high), value))


def _drawn(rng: np.random.Generator, grid: np.ndarray, scores: np.ndarray, rows: int) -> np.ndarray:
    """(R, G): of `scores` drawn again R times, how many are at or above each score of `grid`."""
    places = np.searchsorted(-grid, -scores)
    drawn = places[rng.integers(scores.size, size=(rows, scores.size))]
    drawn += grid.size * np.arange(rows)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=grid.size * rows)
    return counts.reshape(rows, grid.size).cumsum(axis=1)


def _best_place(false: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(R,) first places of the highest F1 in (R, G) alarms of normals and of anomalous ones."""
    return np.asarray((2 * true / (true + false + true[:, -1:])).argmax(axis=1))


def _midway(grid: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Thresholds between the scores at these places and the next lower ones."""
    below = np.append(grid, 0.0)[places + 1]
    return np.asarray((grid[places] + below) / 2)


def _rate(scores: np.ndarray, threshold: float | None, *, above: bool) -> Rate | None:
    if threshold is None:
        return None
    alarms = int((scores >= threshold).sum())
    return wilson(alarms if above else scores.size - alarms, scores.size)


def _notes(method: str, interval: tuple[float, float] | None, biased: bool) -> tuple[str, ...]:
    notes = []
    if method and interval is not None and interval[1] - interval[0] > 0.1:
        notes.append("The interval is wide: more labels near the threshold would narrow it.")
    if biased:
        notes.append(
            "The pictures were not drawn at random, so the rates are of the labelled pictures, "
            "not of the line."
        )
    return tuple(notes)


def _quality(class_name: str, rows: Sequence[Annotation]) -> Quality:
    truths: dict[str, set[str]] = defaultdict(set)
    masks: set[str] = set()
    for row in rows:
        truth = truth_of(row)
        if truth is not None:
            truths[row.pixel_sha256].add(truth)
        if truth == "anomalous" and row.region_area_px:
            masks.add(row.pixel_sha256)
    clear = [next(iter(each)) for each in truths.values() if len(each) == 1]
    normal, anomalous = clear.count("normal"), clear.count("anomalous")
    return Quality(
        class_name=class_name,
        normal=normal,
        anomalous=anomalous,
        masks=len(masks),
        threshold_needs=_needs(normal, anomalous, MIN_NORMAL, MIN_ANOMALOUS),
        training_needs=_needs(normal, anomalous, MIN_TRAINING_NORMAL, MIN_TRAINING_ANOMALOUS),
    )


def _needs(normal: int, anomalous: int, normals: int, anomalies: int) -> str:
    lacking = [
        f"{wanted - have} more {kind}"
        for have, wanted, kind in (
            (normal, normals, "normal"),
            (anomalous, anomalies, "anomalous"),
        )
        if have < wanted
    ]
    return " and ".join(lacking)
