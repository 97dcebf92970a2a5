"""A published number: the column it stands in, its cell, and which of several printings counts."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from adaclip.data.published import PROTOCOLS
from adaclip.runs import wording
from demo.benchmark import words
from demo.benchmark.cells import Cell, metric_title

PREFERRED_SOURCES = ("paper", "repo-readme", "repo-log", "reprint", "re-eval")


@functools.lru_cache(maxsize=4096)
def column_id(method: str, protocol: str, source: str) -> str:
    """The column that a published number stands in, as sorting and pinning name it.

    It ends in 1 for a number that others than the method's authors measured.
    """
    text, name = f"{source} {protocol}".lower(), method.lower()
    again = "re-eval" in text or "retrained" in name or "unofficial" in name
    return f"{method}|{protocol}|{int(again)}"


def is_re_evaluation(row: Mapping[str, Any]) -> bool:
    """A number that others than the method's authors measured, with their own training of it."""
    return column_id(row["method"], row["protocol"], row["source"]).endswith("1")


def column_ids(published: pd.DataFrame | None) -> set[str]:
    """The columns of all published numbers."""
    if published is None:
        return set()
    rows = published[["method", "protocol", "source"]].drop_duplicates()
    return set(map(column_id, rows["method"], rows["protocol"], rows["source"]))


def protocol_label(protocol: str) -> str:
    """A protocol's id as words."""
    return PROTOCOLS.get(protocol, protocol.replace("_", " ").replace("-", " "))


def elsewhere(published: pd.DataFrame, metric: str, level: str, protocol: str) -> str:
    """Why a table has no columns, and which protocols would have some."""
    quantity = metric_title(metric, level)
    if metric == "aupro" and level == "image":
        return f"{quantity}: {wording.NA}, {words.IMAGE_ONLY}."
    same = (published["metric"] == metric) & (published["level"] == level)
    others = published["protocol"][same].value_counts().index
    listed = "; ".join(protocol_label(str(other)) for other in others[:3] if other != protocol)
    there = f" There are values under: {listed}." if listed else ""
    return f"Nothing publishes {quantity} for these datasets under this protocol.{there}"


def venue_of(row: Mapping[str, Any]) -> str:
    """Where and when a number was published: "ECCV 2024"."""
    venue, year = str(row["venue"] or ""), str(row["year"] or "")
    return venue if year in venue and venue else f"{venue} {year}".strip() or "venue not stated"


@functools.lru_cache(maxsize=1024)
def source_rank(source: str) -> int:
    """Of two printings of one number the paper's counts, a reprint after all originals."""
    text = source.lower()
    for rank, start in enumerate(PREFERRED_SOURCES):
        if text.startswith(start):
            return rank
    return len(PREFERRED_SOURCES)


def published_cell(rows: Sequence[Mapping[str, Any]], name: str, protocol_label: str) -> Cell:
    """The cell of one method on one dataset. `rows`: its printings, at least one."""
    best, *others = sorted(rows, key=_rank_of)
    value = float(best["value"])
    shown = wording.percent(value)
    lines = [
        f"{best['method']} on {name}: {metric_title(best['metric'], best['level'])} {shown}",
        f"{words.PUBLISHED}: {venue_of(best)}",
        f"Trained on: {best['training_data']}",
        f"Protocol: {protocol_label}",
        f"Source: {best['source']} ({best['confidence']})",
    ]
    lines += [
        f"Also printed: {wording.percent(float(row['value']))} in {row['source']}" for row in others
    ]
    marks = (words.RE_EVALUATED_MARK,) if is_re_evaluation(best) else ()
    return Cell(
        value=value,
        text=shown,
        source="\n".join(lines + ([words.RE_EVALUATION] if marks else [])),
        marks=marks,
    )


def _rank_of(row: Mapping[str, Any]) -> int:
    return source_rank(row["source"])
