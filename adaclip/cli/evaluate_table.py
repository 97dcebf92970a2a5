"""Results as a table for people: classes and their mean, in per cent, and what is undefined."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from adaclip.text import printable

if TYPE_CHECKING:
    from adaclip.runs.records import RunResults, Summary

# Head, name, level, metric; the last three are shares, of no level.
_COLUMNS = (
    ("image", "AUROC", "image", "auroc"),
    ("", "AP", "image", "average_precision"),
    ("", "max-F1", "image", "max_f1"),
    ("pixel", "AUROC", "pixel", "auroc"),
    ("", "AP", "pixel", "average_precision"),
    ("", "max-F1", "pixel", "max_f1"),
    ("", "AUPRO", "pixel", "aupro"),
    ("normal", "alarm", "", "false_alarm_rate"),
    ("", "+review", "", "review_rate"),
    ("anom.", "found", "", "detection_rate"),
)
# Title, level, metric of what is averaged over draws of references.
_OVER_SEEDS = (
    ("image AUROC", "image", "auroc"),
    ("image AP", "image", "average_precision"),
    ("pixel AUROC", "pixel", "auroc"),
    ("AUPRO", "pixel", "aupro"),
    ("normal pictures alarm", "", "false_alarm_rate"),
    ("anomalous ones found", "", "detection_rate"),
)
_WIDTH = 7
# Percentage points from which the other way of ranking is worth a line.
_DIFFERENT = 0.05


def lines(results: RunResults) -> Iterator[str]:
    """The lines of the table and the notes below it."""
    yield printable(f"{results.title}, {results.machine}")
    threshold = results.threshold
    yield printable(
        f"threshold {threshold.value:.4f} ({threshold.source}); resolution "
        f"{results.resolution}; ranked by {results.ranked_by}"
    )
    classes, mean = results.classes, results.mean
    width = max([len("class"), *(len(printable(c.class_name)) for c in classes)])
    yield ""
    yield f"{'':<{width}}  {'':>13}  " + "  ".join(f"{c[0]:<{_WIDTH}}" for c in _COLUMNS).rstrip()
    yield f"{'class':<{width}}  {'normal+anom.':>13}  " + "  ".join(
        f"{c[1]:>{_WIDTH}}" for c in _COLUMNS
    )
    for entry in classes:
        count = f"{entry.normal}+{entry.anomalous}"
        yield f"{printable(entry.class_name):<{width}}  {count:>13}  {_values(entry)}"
    yield f"{'mean':<{width}}  {'':>13}  {_values(mean)}"
    yield ""
    yield from map(printable, _notes(results))


def over_seeds(results: Sequence[RunResults]) -> Iterator[str]:
    """The mean and the deviation of several draws of references, in per cent."""
    yield ""
    yield f"mean of {len(results)} draws of references, and their standard deviation"
    for title, level, metric in _OVER_SEEDS:
        values = [
            one.mean.value(level, metric) if level else getattr(one.mean, metric) for one in results
        ]
        defined = [value for value in values if value is not None]
        if len(defined) < len(values):
            yield f"{title:<22}  {_per_cent(None):>5}"
            continue
        mean = math.fsum(defined) / len(defined)
        spread = math.sqrt(math.fsum((v - mean) ** 2 for v in defined) / max(1, len(defined) - 1))
        deviation = f"{100 * spread:.1f}" if len(defined) > 1 else _per_cent(None)
        yield f"{title:<22}  {_per_cent(mean):>5}  +- {deviation}"


def _values(entry: Summary) -> str:
    found = (
        entry.value(level, key) if level else getattr(entry, key) for _, _, level, key in _COLUMNS
    )
    return "  ".join(f"{_per_cent(value):>{_WIDTH}}" for value in found)


def _per_cent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}"


def _notes(results: RunResults) -> Iterator[str]:
    if results.leak:
        yield results.leak
    for entry in results.classes:
        for level in ("image", "pixel"):
            reasons = set(entry.level(level).undefined.values())
            if entry.value(level, "auroc") is None:
                where = f"{level} level of {entry.class_name}"
                yield f"n/a: {where}: {', '.join(sorted(reasons))}"
        if entry.without_mask and entry.pixel_level.auroc is not None:
            yield f"{entry.class_name}: {entry.without_mask} images without a mask left out"
        peak = entry.normal_peak
        if peak.on_contour is not None:
            yield (
                f"{entry.class_name}: maps of normal images peak on a contour in "
                f"{_per_cent(peak.on_contour)} % (contours cover "
                f"{_per_cent(peak.near_contours)} % of the image); of the false alarms "
                f"{_per_cent(peak.on_contour_of_false_alarms)} %"
            )
    yield from _other_ranking(results)


def _other_ranking(results: RunResults) -> Iterator[str]:
    """One line where ranking by the other value gives another mean."""
    mean, other = results.mean, results.mean.alternative
    if other is None:
        return
    changed = []
    for level, metric in ((level, metric) for _, _, level, metric in _COLUMNS if level):
        before, value = mean.value(level, metric), other.value(level, metric)
        if before is None or value is None or 100 * abs(before - value) < _DIFFERENT:
            continue
        title = next(name for _, name, _, key in _COLUMNS if key == metric)
        head = "" if metric == "aupro" else f"{level} "
        changed.append(f"{head}{title} {_per_cent(value)}")
    if changed:
        yield f"ranked by {other.ranked_by} instead: {', '.join(changed)}"
