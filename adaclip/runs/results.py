"""Reading a run: `results.json`, checked, with `images.csv` and the maps behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaclip.errors import StoreError
from adaclip.runs.records import RunResults
from adaclip.runs.rows import complete_part, empty_table, is_map_file, read_table
from adaclip.types import Threshold

RESULTS, IMAGES, MAPS, WORK = "results.json", "images.csv", "maps", "work"
# Two maps of 2048 x 2048 and the mask of a very large picture.
LARGEST_MAP = 128 * 1024 * 1024
_LARGEST_RESULTS = 32 * 1024 * 1024


@dataclass(frozen=True)
class Run:
    """One evaluation: a folder and its checked results. Nothing else is read before it is asked."""

    folder: Path
    results: RunResults

    @property
    def id(self) -> str:
        """The folder's name: the same run imported twice stays two."""
        return self.folder.name

    @property
    def checkpoint(self) -> str:
        """Checkpoint id."""
        return self.results.checkpoint

    @property
    def complete(self) -> bool:
        """False while it runs, and after an interruption until it has been resumed."""
        return self.results.complete

    @property
    def threshold(self) -> Threshold:
        """The image threshold of the checkpoint when the run was made."""
        return self.results.threshold

    @property
    def data_root(self) -> Path | None:
        """The folder the images were in; None for drawn images and for an imported run."""
        root = self.results.data_root
        return Path(root) if root and not self.results.synthetic else None

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


def parse_results(data: bytes, name: str | Path) -> RunResults:
    """Results from their JSON. Raises StoreError, naming the file and the field."""
    try:
        results = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{name}: is damaged, not JSON ({error}); remove it") from error
    return RunResults.from_json(results, name)


def load_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a map file; None when there is none. Raises StoreError when it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            # A packed array may unpack to anything; its size stands beside its name.
            if sum(entry.file_size for entry in stored.zip.infolist()) > LARGEST_MAP:
                raise ValueError(f"it unpacks to more than {LARGEST_MAP >> 20} MB")
            return {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        return None
    # zipfile and numpy answer damage with errors of many types.
    except Exception as error:
        raise StoreError(f"{path}: is damaged ({error}); make the run again") from error


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not a value")
