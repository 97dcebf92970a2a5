"""Reading a run: `results.json`, checked, with `images.csv` and the maps behind it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaclip.errors import StoreError
from adaclip.runs.rows import complete_part, empty_table, is_map_file, read_table
from adaclip.types import Threshold

SCHEMA = "adaclip-run/1"
RESULTS, IMAGES, MAPS, WORK = "results.json", "images.csv", "maps", "work"
METRICS = ("auroc", "average_precision", "max_f1")
# The `data_root` of images that the project draws itself.
SYNTHETIC = "synthetic"
_LARGEST_RESULTS = 32 * 1024 * 1024
_TEXTS = ("id", "title", "dataset", "checkpoint", "resolution", "ranked_by", "created_utc")
_SHARES = ("false_alarm_rate", "review_rate", "detection_rate")


@dataclass(frozen=True)
class Run:
    """One evaluation: a folder and its checked results. Nothing else is read before it is asked."""

    folder: Path
    results: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The folder's name: the same run imported twice stays two."""
        return self.folder.name

    @property
    def title(self) -> str:
        """For people."""
        return str(self.results["title"])

    @property
    def dataset(self) -> str:
        """Dataset key, or the folder's name of a set that is not published."""
        return str(self.results["dataset"])

    @property
    def checkpoint(self) -> str:
        """Checkpoint id."""
        return str(self.results["checkpoint"])

    @property
    def complete(self) -> bool:
        """False while it runs, and after an interruption until it has been resumed."""
        return bool(self.results["complete"])

    @property
    def threshold(self) -> Threshold:
        """The image threshold of the checkpoint when the run was made."""
        return Threshold(**self.results["threshold"])

    @property
    def classes(self) -> Sequence[Mapping[str, Any]]:
        """The results of each class; empty in a run that is not complete."""
        found: Sequence[Mapping[str, Any]] = self.results["classes"]
        return found

    @property
    def mean(self) -> Mapping[str, Any]:
        """The mean over the classes; empty in a run that is not complete."""
        found: Mapping[str, Any] = self.results["mean"]
        return found

    @property
    def data_root(self) -> Path | None:
        """The folder the images were in; None for drawn images and for an imported run."""
        root = self.results["data_root"]
        return Path(root) if root and root != SYNTHETIC else None

    @property
    def synthetic(self) -> bool:
        """True when the images are those the project draws itself."""
        return bool(self.results["data_root"] == SYNTHETIC)

    def images(self) -> pd.DataFrame:
        """A row per image, failed ones with their error; see `run_rows.read_table`.

        Read anew at each call. A last line that is cut short is left out. Without images.csv the
        table is empty. Raises StoreError.
        """
        path = self.folder / IMAGES
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return empty_table()
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
        return read_table(complete_part(data), path)

    def margin_map(self, row: Mapping[str, Any] | pd.Series | str) -> np.ndarray | None:
        """(S, S) float32, logits, of a row of `images()` or its `map_file`; None if not kept.

        Raises StoreError when the file is damaged.
        """
        name = row if isinstance(row, str) else str(row["map_file"] or "")
        if not is_map_file(name):
            return None
        margin = (load_arrays(self.folder / name) or {}).get("margin")
        if margin is None:
            return None
        if margin.ndim != 2 or margin.dtype.kind != "f" or not np.isfinite(margin).all():
            raise StoreError(f"{self.folder / name}: holds no map; make the run again")
        return margin.astype(np.float32, copy=False)


def read_run(folder: Path) -> Run:
    """The run in a folder. Raises StoreError when there is none or its results are damaged."""
    path = folder / RESULTS
    try:
        if path.stat().st_size > _LARGEST_RESULTS:
            raise StoreError(f"{path} is larger than any results can be; remove it")
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    return Run(folder, parse_results(data, path))


def list_runs(roots: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Every run in the folders of `roots`, and a sentence for each that cannot be read.

    A root that is not there holds none. Of two runs with one id the first counts.
    """
    runs: dict[str, Run] = {}
    problems: list[str] = []
    for root in roots:
        try:
            folders = sorted(path for path in root.iterdir() if (path / RESULTS).is_file())
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"cannot list the runs in {root}: {error.strerror or error}")
            continue
        for folder in folders:
            if folder.name in runs:
                first = runs[folder.name].folder
                problems.append(f"{folder} has the same name as {first}; rename one of them")
                continue
            try:
                runs[folder.name] = read_run(folder)
            except StoreError as error:
                problems.append(str(error))
    return list(runs.values()), problems


def parse_results(data: bytes, name: str | Path) -> dict[str, Any]:
    """Results from their JSON. Raises StoreError, naming the file and the field."""
    try:
        results = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{name}: is damaged, not JSON ({error}); remove it") from error
    if not isinstance(results, dict):
        raise StoreError(f"{name}: is no run: a JSON object is expected")
    if results.get("schema") != SCHEMA:
        raise StoreError(
            f"{name}: has the schema {results.get('schema')!r}, this version reads {SCHEMA!r}"
        )
    _Checker(name).results(results)
    return results


def mean_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Each metric's mean over the entries in which it is defined, and in `counts` how many."""
    counts: dict[str, int] = {}
    mean: dict[str, Any] = {"counts": counts}
    for level in ("image_level", "pixel_level"):
        mean[level] = {}
        for name in METRICS:
            found = defined_mean(entry[level][name] for entry in entries)
            mean[level][name], counts[f"{level}.{name}"] = found
    mean["aupro"], counts["aupro"] = defined_mean(entry["aupro"] for entry in entries)
    return mean


def defined_mean(values: Iterable[float | None]) -> tuple[float | None, int]:
    """The mean of the values that are not None, None without any, and how many they are."""
    defined = [value for value in values if value is not None]
    return (math.fsum(defined) / len(defined) if defined else None), len(defined)


def load_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a map file; None when there is none. Raises StoreError when it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        return None
    # zipfile and numpy answer damage with errors of many types.
    except Exception as error:
        raise StoreError(f"{path}: is damaged ({error}); make the run again") from error


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not a value")


@dataclass(frozen=True)
class _Checker:
    """Says which field of which file is not what it must be."""

    name: str | Path

    def results(self, results: Mapping[str, Any]) -> None:
        for key in _TEXTS:
            self._expect(isinstance(results.get(key), str), key)
        self._expect(isinstance(results.get("complete"), bool), "complete")
        for key in ("leak", "data_root", "finished_utc", "checkpoint_sha256"):
            value = results.get(key, 0)
            self._expect(value is None or isinstance(value, str), key)
        warnings = results.get("warnings", [])
        texts = isinstance(warnings, list) and all(isinstance(one, str) for one in warnings)
        self._expect(texts, "warnings")
        threshold = results.get("threshold")
        self._expect(isinstance(threshold, dict), "threshold")
        assert isinstance(threshold, dict)
        self._expect(set(threshold) == {"value", "source", "review_band"}, "threshold")
        self._share(threshold["value"], "threshold.value", required=True)
        self._expect(isinstance(threshold["source"], str), "threshold.source")
        self._expect(_is_number(threshold["review_band"]), "threshold.review_band")
        self._share(results.get("map_threshold"), "map_threshold", required=True)
        for key in ("seconds_per_image", "size_bytes"):
            value = results.get(key)
            self._expect(value is None or (_is_number(value) and value >= 0), key)
        classes = results.get("classes")
        self._expect(isinstance(classes, list), "classes")
        assert isinstance(classes, list)
        for index, entry in enumerate(classes):
            self._class(entry, f"classes[{index}]")
        self._expect(len({entry["class_name"] for entry in classes}) == len(classes), "classes")
        self._expect(isinstance(results.get("mean"), dict), "mean")
        if classes:
            self._levels(results["mean"], "mean")
            self._expect(isinstance(results["mean"].get("counts", {}), dict), "mean.counts")

    def _class(self, entry: Any, where: str) -> None:
        self._expect(isinstance(entry, dict), where)
        self._expect(isinstance(entry.get("class_name"), str), f"{where}.class_name")
        for key in ("normal", "anomalous", "failed"):
            value = entry.get(key)
            is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            self._expect(is_count, f"{where}.{key}")
        for key in _SHARES:
            self._share(entry.get(key), f"{where}.{key}")
        self._levels(entry, where)

    def _levels(self, entry: Mapping[str, Any], where: str) -> None:
        for level in ("image_level", "pixel_level"):
            values = entry.get(level)
            self._expect(isinstance(values, dict), f"{where}.{level}")
            assert isinstance(values, dict)
            self._expect(
                isinstance(values.get("undefined", {}), dict), f"{where}.{level}.undefined"
            )
            for metric in METRICS:
                self._expect(metric in values, f"{where}.{level}.{metric}")
                self._share(values[metric], f"{where}.{level}.{metric}")
                interval = values.get(f"{metric}_interval")
                if interval is not None:
                    both = isinstance(interval, list) and len(interval) == 2
                    self._expect(both, f"{where}.{level}.{metric}_interval")
                    for end in interval:
                        self._share(end, f"{where}.{level}.{metric}_interval", required=True)
        self._expect("aupro" in entry, f"{where}.aupro")
        self._share(entry["aupro"], f"{where}.aupro")
        other = entry.get("alternative")
        if other is not None:
            self._expect(isinstance(other, dict), f"{where}.alternative")
            self._levels(other, f"{where}.alternative")

    def _share(self, value: Any, where: str, *, required: bool = False) -> None:
        fits = _is_number(value) and 0 <= value <= 1
        self._expect(fits or (value is None and not required), where)

    def _expect(self, condition: bool, where: str) -> None:
        if not condition:
            raise StoreError(
                f"{self.name}: {where} is missing or not what a run holds there; "
                "restore the file, or make the run again"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
