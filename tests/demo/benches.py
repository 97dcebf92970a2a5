"""Made-up runs, cards and published results for the benchmark page's tests."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaclip.metrics.ranking import ranking
from adaclip.runs.records import RunResults
from adaclip.runs.rows import COLUMNS
from adaclip.runs.scores import read_scores
from demo.benchmark.select import Selection, images_page


@dataclass(frozen=True, kw_only=True)
class FakeRun:
    """A run without a folder; counts how often its images are read."""

    id: str
    results: RunResults
    table: pd.DataFrame
    reads: list[int] = field(default_factory=list)

    def images(self) -> pd.DataFrame:
        self.reads.append(1)
        return self.table


@dataclass(frozen=True, kw_only=True)
class FakeCard:
    """What the page reads of a dataset's card."""

    key: str
    name: str
    domain: str
    classes: tuple[str, ...] = ("gear",)
    has_masks: bool = True
    has_normals: bool = True
    normal: int | None = None
    anomalous: int | None = None
    max_f1_floor: float | None = None
    alternatives: tuple[Any, ...] = ()
    layouts: tuple[Any, ...] = ()
    homepage: str = ""


def image_rows(
    dataset: str, class_name: str, normal: np.ndarray, abnormal: np.ndarray
) -> pd.DataFrame:
    """images.csv rows of one class from margins."""
    margins = np.concatenate([normal, abnormal]).astype(np.float64)
    bad = np.r_[np.zeros(len(normal), int), np.ones(len(abnormal), int)]
    paths = [
        f"{class_name}/test/{'scratch' if b else 'good'}/{i:05d}.png" for i, b in enumerate(bad)
    ]
    return pd.DataFrame(
        {
            "dataset": dataset,
            "class_name": class_name,
            "defect_type": ["scratch" if b else "" for b in bad],
            "rel_path": paths,
            "mask_rel_path": "",
            "anomalous": bad,
            "width": 64,
            "height": 48,
            "anomaly_score": 1 / (1 + np.exp(-margins)),
            "anomaly_margin": margins,
            "map_file": "",
            "seconds": 0.1,
            "error": "",
        },
        columns=list(COLUMNS),
    )


def run_of(
    table: pd.DataFrame, run_id: str = "run-1", checkpoint: str = "lite", **more: Any
) -> FakeRun:
    """A run with image-level values from the table and made-up pixel values."""
    classes = [class_entry(str(name), rows) for name, rows in table.groupby("class_name")]
    results: dict[str, Any] = {
        "schema": "adaclip-run/1",
        "id": run_id,
        "title": f"{checkpoint} on synthetic",
        "dataset": str(table["dataset"].iloc[0]) if len(table) else "synthetic",
        "checkpoint": checkpoint,
        "checkpoint_title": checkpoint.title(),
        "checkpoint_sha256": "ab" * 32,
        "leak": None,
        "created_utc": "2026-11-24T02:00:00Z",
        "finished_utc": "2026-11-24T02:30:00Z",
        "complete": True,
        "resolution": "native",
        "ranked_by": "margin",
        "data_root": None,
        "map_threshold": 0.5,
        "threshold": {"value": 0.5, "source": "held-out pictures", "review_band": 0.0},
        "device": "CPU, 2 threads",
        "precision": "fp32",
        "seconds_per_image": 0.8,
        "size_bytes": 40_000_000,
        "command": "python -m adaclip evaluate --dataset synthetic --out RUN",
        "classes": classes,
        "mean": mean_of(classes),
    }
    return FakeRun(id=run_id, results=RunResults.from_json({**results, **more}), table=table)


def class_entry(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    good = rows[rows["error"] == ""]
    bad = good["anomalous"] == 1
    values = ranking(
        good["anomaly_margin"][~bad].to_numpy(), good["anomaly_margin"][bad].to_numpy()
    )
    image = {key: getattr(values, key) for key in ("auroc", "average_precision", "max_f1")}
    pixel = {"auroc": 0.93, "average_precision": 0.41, "max_f1": 0.45, "undefined": {}}
    return {
        "class_name": name,
        "normal": int((~bad).sum()),
        "anomalous": int(bad.sum()),
        "failed": int(len(rows) - len(good)),
        "image_level": {**image, "undefined": dict(values.undefined)},
        "pixel_level": pixel,
        "aupro": 0.81,
    }


def mean_of(classes: list[dict[str, Any]]) -> dict[str, Any]:
    mean: dict[str, Any] = {"image_level": {}, "pixel_level": {}}
    for level in ("image_level", "pixel_level"):
        for key in ("auroc", "average_precision", "max_f1"):
            values = [one[level][key] for one in classes if one[level][key] is not None]
            mean[level][key] = float(np.mean(values)) if values else None
    mean["aupro"] = 0.81 if classes else None
    return mean


def written(run: FakeRun, root: Path) -> Path:
    """The run as a folder below `root`, for `adaclip.runs`."""
    folder = root / run.id
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(run.results.to_json()), encoding="utf-8")
    run.table.to_csv(folder / "images.csv", index=False)
    return folder


def some_run(run_id: str = "run-1", seed: int = 0, count: int = 40, **more: Any) -> FakeRun:
    """Two classes of overlapping scores, one picture unreadable."""
    generator = np.random.default_rng(seed)
    tables = [
        image_rows(
            str(more.get("dataset", "synthetic")),
            name,
            generator.normal(-1, 1.2, count),
            generator.normal(1 + 0.4 * place, 1.2, count // 2),
        )
        for place, name in enumerate(("gear", "metal_nut"))
    ]
    table = pd.concat(tables, ignore_index=True)
    table.loc[0, "error"] = "cannot be read"
    table.loc[0, ["anomaly_score", "anomaly_margin"]] = np.nan
    return run_of(table, run_id, **more)


def cards() -> dict[str, FakeCard]:
    listed = [
        FakeCard(key="mvtec", name="MVTec AD", domain="industrial", max_f1_floor=0.85),
        FakeCard(key="visa", name="VisA", domain="industrial"),
        FakeCard(key="headct", name="HeadCT", domain="medical", has_masks=False),
        FakeCard(key="isic", name="ISIC", domain="medical", has_normals=False),
        FakeCard(
            key="synthetic", name="Synthetic", domain="synthetic", classes=("gear", "metal_nut")
        ),
    ]
    return {card.key: card for card in listed}


def printed(method: str, dataset: str, value: float, **more: Any) -> dict[str, Any]:
    """A row of the published results."""
    row = {
        "method": method,
        "venue": "ECCV",
        "year": 2024,
        "training_data": "MVTec AD + ColonDB",
        "protocol": "adaclip",
        "dataset": dataset,
        "class_name": "",
        "level": "image",
        "metric": "auroc",
        "value": value,
        "source": "paper: AdaCLIP Table 1",
        "confidence": "verified-in-source",
    }
    return {**row, **more}


def published(*more: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            printed("AdaCLIP", "mvtec", 0.892),
            printed("AdaCLIP", "visa", 0.858),
            printed("AdaCLIP", "headct", 0.914),
            printed("AdaCLIP", "mean:industrial", 0.902),
            printed("AdaCLIP", "isic", 0.893, level="pixel"),
            printed("WinCLIP", "mvtec", 0.918, venue="CVPR", year=2023),
            printed("AnomalyCLIP", "mvtec", 0.915, protocol="anomalyclip", venue="ICLR"),
            printed("AdaCLIP", "mvtec", 0.859, source="re-eval: by others", protocol="anomalyclip"),
            *more,
        ]
    )


def replaced(run: FakeRun, **results: Any) -> FakeRun:
    """The run with other entries in results.json."""
    changed = RunResults.from_json({**run.results.to_json(), **results})
    return dataclasses.replace(run, results=changed)


def with_intervals(run: FakeRun, below: float, above: float) -> FakeRun:
    """The run with intervals about each class's image AUROC."""
    classes = run.results.to_json()["classes"]
    for entry in classes:
        value = entry["image_level"]["auroc"]
        entry["image_level"]["auroc_interval"] = [value - below, value + above]
    return replaced(run, classes=classes)


def images_of(selection: Selection, frame: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """All images that a selection shows of a run's `images()`, worst first."""
    scores = read_scores(frame, selection.class_name)
    return images_page(selection, scores, threshold, limit=None)[0]
