"""Evaluation runs: a folder each, `results.json`, `images.csv` and, if kept, `maps/`.

The parts: `run_rows` (the CSV's rows), `run_results` (reading), `run_writer` (writing),
`run_exchange` (import and export).
"""

from __future__ import annotations

from adaclip.runs.exchange import export_run, folder_name, import_run
from adaclip.runs.records import (
    METRICS,
    SCHEMA,
    ClassResults,
    LevelResults,
    MeanResults,
    RunResults,
)
from adaclip.runs.results import (
    IMAGES,
    MAPS,
    RESULTS,
    Run,
    list_runs,
    parse_results,
    read_run,
)
from adaclip.runs.rows import COLUMNS, Row, empty_table
from adaclip.runs.writer import RunWriter

__all__ = [
    "COLUMNS",
    "IMAGES",
    "MAPS",
    "METRICS",
    "RESULTS",
    "SCHEMA",
    "ClassResults",
    "LevelResults",
    "MeanResults",
    "Row",
    "Run",
    "RunResults",
    "RunWriter",
    "empty_table",
    "export_run",
    "folder_name",
    "import_run",
    "list_runs",
    "parse_results",
    "read_run",
]
