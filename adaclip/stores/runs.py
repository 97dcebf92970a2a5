"""Evaluation runs: a folder each, `results.json`, `images.csv` and, if kept, `maps/`.

The parts: `run_rows` (the CSV's rows), `run_results` (reading), `run_writer` (writing),
`run_exchange` (import and export).
"""

from __future__ import annotations

from adaclip.stores.run_exchange import Scorer, export_run, folder_name, import_run
from adaclip.stores.run_results import (
    IMAGES,
    MAPS,
    METRICS,
    RESULTS,
    SCHEMA,
    Run,
    list_runs,
    parse_results,
    read_run,
)
from adaclip.stores.run_rows import COLUMNS, Row, empty_table
from adaclip.stores.run_writer import RunWriter

__all__ = [
    "COLUMNS",
    "IMAGES",
    "MAPS",
    "METRICS",
    "RESULTS",
    "SCHEMA",
    "Row",
    "Run",
    "RunWriter",
    "Scorer",
    "empty_table",
    "export_run",
    "folder_name",
    "import_run",
    "list_runs",
    "parse_results",
    "read_run",
]
