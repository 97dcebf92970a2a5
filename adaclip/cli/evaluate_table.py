"""Results as a table for people: classes and their mean, in per cent, and what is undefined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adaclip.text import printable

_COLUMNS = (
    ("image", "AUROC", "image_level", "auroc"),
    ("", "AP", "image_level", "average_precision"),
    ("", "max-F1", "image_level", "max_f1"),
    ("pixel", "AUROC", "pixel_level", "auroc"),
    ("", "AP", "pixel_level", "average_precision"),
    ("", "max-F1", "pixel_level", "max_f1"),
    ("", "AUPRO", None, "aupro"),
    ("normal", "alarm", None, "false_alarm_rate"),
    ("", "+review", None, "review_rate"),
    ("anom.", "found", None, "detection_rate"),
)
_WIDTH = 7
# Percentage points from which the other way of ranking is worth a line.
_DIFFERENT = 0.05


def lines(results: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the table and the notes below it."""
    yield printable(f"{results['title']}, {results['machine']}")
    threshold = results["threshold"]
    yield printable(
        f"threshold {threshold['value']:.4f} ({threshold['source']}); resolution "
        f"{results['resolution']}; ranked by {results['ranked_by']}"
    )
    classes, mean = results["classes"], results["mean"]
    width = max([len("class"), *(len(printable(c["class_name"])) for c in classes)])
    yield ""
    yield f"{'':<{width}}  {'':>13}  " + "  ".join(f"{c[0]:<{_WIDTH}}" for c in _COLUMNS).rstrip()
    yield f"{'class':<{width}}  {'normal+anom.':>13}  " + "  ".join(
        f"{c[1]:>{_WIDTH}}" for c in _COLUMNS
    )
    for entry in classes:
        count = f"{entry['normal']}+{entry['anomalous']}"
        yield f"{printable(entry['class_name']):<{width}}  {count:>13}  {_values(entry)}"
    yield f"{'mean':<{width}}  {'':>13}  {_values(mean)}"
    yield ""
    yield from map(printable, _notes(results))


def _values(entry: Mapping[str, Any]) -> str:
    found = (entry[level][key] if level else entry[key] for _, _, level, key in _COLUMNS)
    return "  ".join(f"{_per_cent(value):>{_WIDTH}}" for value in found)


def _per_cent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}"


def _notes(results: Mapping[str, Any]) -> Iterator[str]:
    if results["leak"]:
        yield results["leak"]
    for entry in results["classes"]:
        for level in ("image_level", "pixel_level"):
            reasons = set(entry[level]["undefined"].values())
            if entry[level]["auroc"] is None:
                where = f"{level.split('_')[0]} level of {entry['class_name']}"
                yield f"n/a: {where}: {', '.join(sorted(reasons))}"
        if entry["without_mask"] and entry["pixel_level"]["auroc"] is not None:
            yield f"{entry['class_name']}: {entry['without_mask']} images without a mask left out"
        peak = entry["normal_peak"]
        if peak["on_contour"] is not None:
            yield (
                f"{entry['class_name']}: maps of normal images peak on a contour in "
                f"{_per_cent(peak['on_contour'])} % (contours cover "
                f"{_per_cent(peak['near_contours'])} % of the image); of the false alarms "
                f"{_per_cent(peak['on_contour_of_false_alarms'])} %"
            )
    yield from _other_ranking(results)


def _other_ranking(results: Mapping[str, Any]) -> Iterator[str]:
    """One line where ranking by the other value gives another mean."""
    mean, other = results["mean"], results["mean"]["alternative"]
    pairs = [
        (f"{head} {name}", mean[level][key], other[level][key])
        if level
        else (name, mean[key], other[key])
        for head, (_, name, level, key) in zip(
            ["image"] * 3 + ["pixel"] * 4, _COLUMNS[:7], strict=True
        )
    ]
    changed = [
        f"{name} {_per_cent(value)}"
        for name, before, value in pairs
        if before is not None and 100 * abs(before - value) >= _DIFFERENT
    ]
    if changed:
        yield f"ranked by {other['ranked_by']} instead: {', '.join(changed)}"
