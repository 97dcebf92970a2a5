"""Means per domain and level: what the radar draws, over sets that all its methods share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from demo.benchmark.cells import image_count, part_of
from demo.benchmark.columns import Column
from demo.benchmark.printed import column_id, source_rank
from demo.benchmark.table import Overview

# In the order in which they go round.
PLACES = (
    ("industrial", "image"),
    ("medical", "image"),
    ("medical", "pixel"),
    ("industrial", "pixel"),
)


@dataclass(frozen=True, kw_only=True)
class Spoke:
    """One domain and level: column id -> mean (0-1), over the sets that all of them share."""

    domain: str
    level: str
    sets: tuple[str, ...]
    means: Mapping[str, float]


def spokes(
    published: pd.DataFrame,
    cards: Mapping[str, Any],
    metric: str,
    table: Overview,
    columns: Sequence[Column],
) -> list[Spoke]:
    """The spokes on which at least two of the columns share a set; those without are left out.

    A column that has no value at all on a spoke does not keep the others from sharing.
    """
    values = _published(published, metric, {column.id for column in columns})
    for column in columns:
        for dataset, run in table.runs.get(column.id, {}).items():
            expected = image_count(cards.get(dataset))
            if run.results.leak or part_of(run, expected):
                continue
            for level in ("image", "pixel"):
                value = run.results.mean.value(level, metric)
                if value is not None:
                    values.setdefault((level, column.id), {})[dataset] = value
    found = []
    for domain, level in PLACES:
        keys = [key for key in cards if cards[key].domain == domain]
        rings = {
            column.id: ring
            for column in columns
            if (ring := _within(values.get((level, column.id), {}), keys))
        }
        shared = [key for key in keys if all([key in ring for ring in rings.values()])]
        if len(rings) > 1 and shared:
            means = {
                name: math.fsum([ring[key] for key in shared]) / len(shared)
                for name, ring in rings.items()
            }
            found.append(Spoke(domain=domain, level=level, sets=tuple(shared), means=means))
    return found


def _within(values: Mapping[str, float], keys: Sequence[str]) -> dict[str, float]:
    return {key: values[key] for key in keys if key in values}


def _published(
    table: pd.DataFrame, metric: str, wanted: set[str]
) -> dict[tuple[str, str], dict[str, float]]:
    """(level, column id) -> dataset -> value, the best source's."""
    rows = table[(table["metric"] == metric) & (table["class_name"].fillna("") == "")]
    values: dict[tuple[str, str], dict[str, float]] = {}
    ranks: dict[tuple[str, str, str], int] = {}
    for row in rows.to_dict("records"):
        name = column_id(row["method"], row["protocol"], row["source"])
        place, rank = (row["level"], name, row["dataset"]), source_rank(row["source"])
        if name in wanted and rank < ranks.get(place, 99):
            ranks[place] = rank
            values.setdefault(place[:2], {})[row["dataset"]] = float(row["value"])
    return values
