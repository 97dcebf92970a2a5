"""One number of the benchmark, with everything one needs to believe it: or why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adaclip.data.registry import dataset_name, spoken
from adaclip.runs import wording
from adaclip.runs.records import ClassResults, MeanResults, Measures, RunResults, Summary
from adaclip.runs.scores import RunLike
from adaclip.types import Threshold
from demo.benchmark import words


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value 0-1, or None with its `reason`; `source` is what hover and click show."""

    value: float | None
    text: str
    source: str
    reason: str = ""
    marks: tuple[str, ...] = ()
    run_id: str | None = None
    # How many images stand behind the value, where that is known.
    count: int | None = None
    # Ends of the 95 % interval, 0-1, of a measured value.
    interval: tuple[float, float] | None = None
    # Query patch of a click; empty: nothing to open.
    patch: Mapping[str, str] = field(default_factory=dict)

    # As printed, in tenths of a point: what decides who is better. Means and ranks take in what
    # is zero-shot and of the whole dataset.
    tenths: int = field(init=False, default=0)
    averaged: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        if self.value is not None:
            object.__setattr__(self, "tenths", round(1000 * self.value))
            left_out = words.TRAINED_MARK in self.marks or words.PARTIAL_MARK in self.marks
            object.__setattr__(self, "averaged", not left_out)


def absent(reason: str, **more: Any) -> Cell:
    """n/a, and why."""
    return Cell(
        value=None, text=wording.NA, reason=reason, source=f"{wording.NA}: {reason}", **more
    )


def metric_title(metric: str, level: str) -> str:
    """ "image AUROC", "pixel max-F1", "AUPRO"."""
    name = words.METRICS[metric]
    return name if metric == "aupro" else f"{level} {name}"


def name_of(key: str, cards: Mapping[str, Any]) -> str:
    """A dataset's short name, from its card when it has one."""
    return str(cards[key].name) if key in cards else dataset_name(key)


def domain_of(key: str, cards: Mapping[str, Any]) -> str:
    """industrial, medical or synthetic; "" for an own folder."""
    return str(cards[key].domain) if key in cards else ""


def floor_of(card: Any) -> float | None:
    """A dataset's max-F1 floor, 0-1, from its card; None when it has none."""
    return None if card is None or card.max_f1_floor is None else float(card.max_f1_floor)


def image_count(card: Any) -> int | None:
    """How many test images a dataset has, by the smallest edition its card counts."""
    if card is None:
        return None
    editions = [(one.normal, one.anomalous) for one in (card, *card.alternatives)]
    totals = [normal + bad for normal, bad in editions if normal is not None and bad is not None]
    return min(totals, default=None)


def dataset_reason(card: Any, metric: str, level: str) -> str | None:
    """Why a metric cannot exist on a dataset, or None when it can."""
    if level == "image" and metric == "aupro":
        return words.IMAGE_ONLY
    if card is None:
        return None
    if level == "image" and not card.has_normals:
        return f"{card.name}: {wording.NO_NORMALS}"
    if level == "pixel" and not card.has_masks:
        return f"{card.name}: {words.NO_MASKS}"
    return None


FLOOR_ID = "floor"


def measured_id(run: RunLike) -> str:
    """The same of a run: a column per checkpoint and way of measuring."""
    results = run.results
    way = wording.comparison(results)
    compared = "" if way == wording.ZERO_SHOT else f"|{way}"
    return f"run:{results.checkpoint}|{results.resolution}|{results.ranked_by}{compared}"


def undefined_reason(entry: Measures, level: str, metric: str) -> str:
    """Why a class of a run has no value, in the run's own words."""
    if level == "image" and metric == "aupro":
        return words.IMAGE_ONLY
    return entry.level(level).undefined.get(metric) or words.NOT_IN_RUN


def day(run: RunLike) -> str:
    """When a run was finished, else begun: "2026-11-24 02:10 UTC"."""
    text = run.results.finished_utc or run.results.created_utc
    return f"{text[:16].replace('T', ' ')} UTC" if text else "date not recorded"


def resolution_words(run: RunLike) -> str:
    """What pixel metrics were computed on, and what ranked the images."""
    size = run.results.resolution
    words_of_size = "the images' own resolution" if size == "native" else f"{size} x {size} px"
    return f"pixels at {words_of_size}, ranked by {run.results.ranked_by}"


def run_lines(run: RunLike) -> list[str]:
    """Where a measured number comes from."""
    results = run.results
    normal, abnormal, failed = run.results.images
    counts = f"{wording.images(normal + abnormal)} ({normal:,} normal, {abnormal:,} anomalous)"
    sha = results.checkpoint_sha256 or "not recorded"
    lines = [
        f"{words.MEASURED}: run {run.id}, {day(run)}",
        f"{counts}{f', {failed:,} unreadable' if failed else ''}",
        f"{_device_words(results) or 'device not recorded'}; {resolution_words(run)}",
        f"Checkpoint {results.checkpoint}, sha256 {sha[:12]}",
    ]
    if results.leak:
        lines.append(f"{words.TRAINED_MARK} {results.leak}")
    return lines


def _maskless(rows: Sequence[ClassResults], level: str) -> list[str]:
    """How many anomalous images a pixel value leaves out."""
    count = sum(row.without_mask for row in rows)
    if level != "pixel" or not count:
        return []
    return [f"{wording.images(count)} without a mask left out"]


def measured_cell(run: RunLike, name: str, metric: str, level: str, expected: int | None) -> Cell:
    """A run's mean over its classes. `expected`: images the whole dataset has, where known."""
    results = run.results
    mean = results.mean
    value = mean.value(level, metric)
    patch = {"run": run.id, "dataset": results.dataset, "metric": metric}
    patch["level"] = level
    if value is None:
        reasons = dict.fromkeys(undefined_reason(row, level, metric) for row in results.classes)
        reason = "; ".join(reasons) or wording.NO_IMAGES
        lines = [f"{wording.NA}: {reason}", *run_lines(run)]
        cell = absent(reason, run_id=run.id, patch=patch)
        return replace(cell, source="\n".join(lines))
    normal, abnormal, _ = results.images
    part = part_of(run, expected)
    marks = ((words.TRAINED_MARK,) if results.leak else ()) + (
        (words.PARTIAL_MARK,) if part else ()
    )
    interval = mean_interval(run, level, metric)
    head = f"{results.checkpoint_name} on {name}: {metric_title(metric, level)}"
    lines = [f"{head} {wording.percent(value)}"]
    if interval is not None:
        lines.append(f"95 % interval {interval_words(interval)}, {words.INTERVAL_HELP}")
    classes, averaged = len(results.classes), _averaged(mean, level, metric)
    if averaged is not None and averaged < classes:
        lines.append(f"Mean of the {averaged} of {classes} classes where it is defined")
    lines += other_ranking(mean, level, metric)
    lines += _maskless(results.classes, level)
    if part:
        lines.append(f"{words.PARTIAL}: {part}")
    return Cell(
        value=float(value),
        text=wording.percent(value),
        source="\n".join(lines + run_lines(run)),
        marks=marks,
        run_id=run.id,
        count=normal + abnormal,
        interval=interval,
        patch=patch,
    )


def part_of(run: RunLike, expected: int | None) -> str:
    """What part of the dataset a run has measured, in words; "" for all of it.

    `expected`: images the whole dataset has, where known.
    """
    seen = sum(run.results.images)
    if expected is not None:
        return "" if seen >= expected else f"{seen:,} of {expected:,} pictures"
    limit = run.results.settings.get("limit")
    return f"at most {limit} pictures per object" if limit else ""


def mean_interval(run: RunLike, level: str, metric: str) -> tuple[float, float] | None:
    """The 95 % interval of a run's mean over its classes; None when a class has none.

    Classes share no image, so their intervals combine like those of independent sums.
    """
    found = []
    for row in run.results.classes:
        value = row.value(level, metric)
        ends = (row.level(level).intervals or {}).get(metric)
        if value is not None:
            if ends is None:
                return None
            found.append((value, *ends))
    if not found:
        return None
    values, lows, highs = zip(*found, strict=True)
    mean, count = sum(values) / len(values), len(values)
    below = math.dist(values, lows) / count
    above = math.dist(values, highs) / count
    return max(0.0, mean - below), min(1.0, mean + above)


def interval_words(interval: tuple[float, float]) -> str:
    """ "67.9 to 100.0"."""
    return " to ".join(map(wording.percent, interval))


def other_ranking(entry: Summary, level: str, metric: str) -> list[str]:
    """The value by the other ranking, where a run has both: margins do not saturate."""
    other = entry.alternative
    value = None if other is None else other.value(level, metric)
    if other is None or value is None:
        return []
    return [f"Ranked by {other.ranked_by} instead: {wording.percent(value)}"]


def _averaged(mean: MeanResults, level: str, metric: str) -> int | None:
    """How many classes stand behind a mean."""
    return mean.counts.get("aupro" if metric == "aupro" else f"{level}_level.{metric}")


def category_rows(run: RunLike) -> list[dict[str, Any]]:
    """The run page's table: class, counts, and a Cell per (level, metric), in the run's order."""
    table = []
    for row in run.results.classes:
        cells = {
            (level, metric): class_cell(run, row, level, metric)
            for level, metric in MEASURED_METRICS
        }
        table.append(
            {
                "class_name": row.class_name,
                "words": spoken(row.class_name),
                "normal": row.normal,
                "anomalous": row.anomalous,
                "failed": row.failed,
                "cells": cells,
            }
        )
    return table


MEASURED_METRICS = (
    ("image", "auroc"),
    ("image", "average_precision"),
    ("image", "max_f1"),
    ("pixel", "auroc"),
    ("pixel", "average_precision"),
    ("pixel", "max_f1"),
    ("pixel", "aupro"),
)


def class_cell(run: RunLike, row: ClassResults, level: str, metric: str) -> Cell:
    """One class of a run; click: this class with this metric."""
    value = row.value(level, metric)
    name = row.class_name
    patch = {"run": run.id, "class": name, "level": level, "metric": metric}
    if value is None:
        reason = undefined_reason(row, level, metric)
        return absent(f"{spoken(name)}: {reason}", run_id=run.id, patch=patch)
    interval = (row.level(level).intervals or {}).get(metric)
    text = f"{spoken(name)}: {metric_title(metric, level)} {wording.percent(value)}"
    if interval:
        text += f", 95 % interval {interval_words(interval)}"
    lines = [text, f"{row.normal:,} normal, {row.anomalous:,} anomalous images"]
    lines += _maskless([row], level)
    return Cell(
        value=float(value),
        text=wording.percent(value),
        source="\n".join(lines + other_ranking(row, level, metric)),
        run_id=run.id,
        count=row.normal + row.anomalous,
        patch=patch,
    )


def run_facts(run: RunLike) -> list[tuple[str, str]]:
    """What a run is, for people: (term, text), only what is recorded."""
    results = run.results
    normal, abnormal, failed = run.results.images
    seconds, size = results.seconds_per_image, results.size_bytes
    facts: list[tuple[str, Any]] = [
        ("Checkpoint", results.checkpoint_name),
        ("Size", f"{size / 1e6:,.0f} MB" if size else None),
        ("sha256", results.checkpoint_sha256),
        ("Measured", day(run)),
        ("Images", f"{normal:,} normal, {abnormal:,} anomalous"),
        ("Unreadable", f"{failed:,}" if failed else None),
        ("Threshold", _threshold_words(results.threshold)),
        ("Protocol", resolution_words(run)),
        ("Device", _device_words(results)),
        ("Time per image", f"{seconds:.3g} s" if seconds else None),
        ("Complete", None if results.complete else "no: resume it to finish"),
        ("Caution", results.leak),
        ("Commit", results.commit),
        ("Reproduce", results.command),
    ]
    return [(term, str(text)) for term, text in facts if text]


def _device_words(results: RunResults) -> str:
    return ", ".join(value for value in (results.device, results.precision) if value)


def _threshold_words(threshold: Threshold) -> str:
    source = f", {threshold.source}" if threshold.source else ""
    return words.threshold(threshold.value) + source
