"""Runs written by hand, for tests of what reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.runs import Row, Run, RunResults, RunWriter

METRICS = ("auroc", "average_precision", "max_f1")


def header(run_id: str = "run", **changes: Any) -> RunResults:
    """What the engine would write, with the fewest settings."""
    fields = {
        "schema": "adaclip-run/1",
        "id": run_id,
        "title": "Made up on parts",
        "dataset": "parts",
        "checkpoint": "made-up",
        "checkpoint_title": "Made up",
        "checkpoint_sha256": "0" * 64,
        "leak": None,
        "created_utc": "2026-01-01T00:00:00+00:00",
        "finished_utc": None,
        "complete": False,
        "data_root": "/srv/parts",
        "resolution": "native",
        "ranked_by": "margin",
        "threshold": {"value": 0.5, "source": "made up", "review_band": 1.0},
        "map_threshold": 0.5,
        "device": "cpu",
        "precision": "fp32",
        "batch_size": 1,
        "settings": {"limit": None},
        "classes": [],
        "mean": {},
    }
    return RunResults.from_json(fields | changes)


def class_entry(name: str, value: float | None = 0.5) -> dict[str, Any]:
    level = dict.fromkeys(METRICS, value)
    return {
        "class_name": name,
        "normal": 1,
        "anomalous": 1,
        "failed": 0,
        "image_level": level | {"max_f1_threshold": -1.5, "undefined": {}},
        "pixel_level": level | {"undefined": {}},
        "aupro": value,
        "false_alarm_rate": 0.0,
    }


def row(index: int, **changes: Any) -> Row:
    anomalous = index % 2 == 1
    fields: dict[str, Any] = {
        "dataset": "parts",
        "class_name": "nut",
        "defect_type": "hole" if anomalous else None,
        "rel_path": f"nut/test/{'hole' if anomalous else 'good'}/{index:03d}.png",
        "mask_rel_path": f"nut/ground_truth/hole/{index:03d}_mask.png" if anomalous else None,
        "anomalous": anomalous,
        "width": 60,
        "height": 40,
        "anomaly_score": 0.1 + 0.2 * (index % 3),
        "anomaly_margin": -1.0 / 3 + index,
        "map_file": f"maps/{index:06d}.npz",
        "seconds": 0.25,
    }
    return Row(**fields | changes)


def write_run(folder: Path, count: int = 4, *, maps: bool = True, **changes: Any) -> Run:
    """A finished run of `count` images of one class."""
    rows = [row(index, **({} if maps else {"map_file": None})) for index in range(count)]
    with RunWriter(folder, header(folder.name, **changes)) as writer:
        for index in range(count):
            writer.save_map(index, {"margin": np.full((8, 8), index, np.float32)})
        writer.append(rows)
        entry = class_entry("nut")
        mean = {level: dict.fromkeys(METRICS, 0.5) for level in ("image_level", "pixel_level")}
        finished = {"complete": True, "classes": [entry], "mean": mean | {"aupro": 0.5}}
        results = RunResults.from_json(writer.header.to_json() | finished)
        writer.finish(results, [r.rel_path for r in rows], keep_maps=maps)
        return Run(folder, results)


def change(folder: Path, **fields: Any) -> None:
    """Overwrite fields of a run's results."""
    path = folder / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
