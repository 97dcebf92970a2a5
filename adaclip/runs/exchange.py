"""Runs leave as a ZIP and come in as a ZIP, as results.json or as images.csv.

What comes in is a stranger's: only files with the names of a run are taken, sizes are capped,
nothing is written outside the new folder, and the data folder it names is forgotten, as it would
be read here.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import tempfile
import unicodedata
import zipfile
from datetime import UTC, datetime
from pathlib import Path, PurePath, PurePosixPath

import pandas as pd

from adaclip.errors import StoreError
from adaclip.metrics.ranking import ranking
from adaclip.runs.records import (
    METRICS,
    ClassResults,
    LevelResults,
    RunResults,
    level_of,
    mean_of,
)
from adaclip.runs.results import IMAGES, LARGEST_MAP, RESULTS, Run, parse_results
from adaclip.runs.rows import is_map_file, read_table
from adaclip.storage.atomic import cannot, write_bytes
from adaclip.types import Threshold

_LARGEST = 4 * 1024**3
_LARGEST_TEXT = 256 * 1024**2
# Maps hardly shrink when packed, rows by a factor of ten or two: what unpacks to far more than it
# is would only fill the disk.
_MOST_GROWTH, _ALWAYS_FINE = 50, 64 * 1024**2
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")


def export_run(run: Run, target: Path) -> Path:
    """Write the run's results, rows and kept maps into a ZIP at `target`. Raises StoreError.

    The data folder's path is left out: it is of no use elsewhere and nobody's business.
    """
    shared = dataclasses.replace(
        run.results, data_root=_shared_root(run.results), command=_shared_command(run.results)
    )
    results = json.dumps(shared.to_json(), indent=1)
    names = [IMAGES, *sorted(f"maps/{path.name}" for path in run.folder.glob("maps/*.npz"))]
    # Beside the target, so that it appears in one step.
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{run.id}/{RESULTS}", results)
            for name in names:
                if (run.folder / name).is_file():
                    archive.write(run.folder / name, f"{run.id}/{name}")
        partial.replace(target)
    except OSError as error:
        raise cannot("write", target, error) from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def import_run(file: Path, runs_root: Path) -> Run:
    """Add the run in a ZIP, a results.json or an images.csv to `runs_root` as a new folder.

    Rows alone have no pixel values: those are undefined and say so.
    Raises StoreError when the file is none of the three or is damaged.
    """
    try:
        runs_root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=runs_root) as temporary:
            staged = Path(temporary) / "run"
            staged.mkdir()
            if zipfile.is_zipfile(file):
                results = _from_zip(file, staged)
            elif file.read_bytes()[:64].lstrip()[:1] == b"{":
                results = parse_results(_small(file), file.name)
            else:
                results = _from_rows(file, staged)
            return _settle(staged, results, runs_root)
    except OSError as error:
        raise StoreError(
            f"cannot import {file.name}: {error.strerror or error}; check the folder {runs_root}"
        ) from error


def folder_name(text: str) -> str:
    """A run's id made of any text: a short file name without separators."""
    short = unicodedata.normalize("NFC", text).encode("utf-8", "replace")[:80]
    return _NOT_IN_NAMES.sub("-", short.decode(errors="ignore")).strip(".-") or "run"


def _settle(staged: Path, results: RunResults, runs_root: Path) -> Run:
    """Give the staged files a folder of their own."""
    results = dataclasses.replace(results, data_root=_shared_root(results))
    write_bytes(staged / RESULTS, json.dumps(results.to_json(), indent=1).encode() + b"\n")
    base = folder_name(results.id)
    for count in range(1, 10_000):
        folder = runs_root / (base if count == 1 else f"{base}-{count}")
        if not folder.exists():
            shutil.move(staged, folder)
            return Run(folder, results)
    raise StoreError(f"there are too many runs named {base!r} in {runs_root}; remove some")


def _shared_root(results: RunResults) -> str | None:
    return results.data_root if results.synthetic else None


def _shared_command(results: RunResults) -> str | None:
    """The command without the folders it names: of a path, its last part alone."""
    try:
        said = shlex.split(results.command or "")
    except ValueError:
        return None
    return shlex.join(PurePath(word).name if "/" in word else word for word in said) or None


def _from_zip(file: Path, staged: Path) -> RunResults:
    """Unpack a run's files, checked, into `staged`; its results."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, file.name)
            for name, member in members.items():
                (staged / name).parent.mkdir(exist_ok=True)
                with archive.open(member) as source, (staged / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise StoreError(f"{file.name}: is damaged ({error}); export the run again") from error
    results = parse_results(_small(staged / RESULTS), f"{file.name}: {RESULTS}")
    if (staged / IMAGES).is_file():
        read_table(_small(staged / IMAGES), f"{file.name}: {IMAGES}")
    return results


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """Path within the run -> entry, for the entries that belong to one run. Raises StoreError."""
    found: dict[str, zipfile.ZipInfo] = {}
    roots = [
        PurePosixPath(entry.filename).parent
        for entry in archive.infolist()
        if PurePosixPath(entry.filename).name == RESULTS
    ]
    if len(roots) != 1:
        raise StoreError(f"{name}: holds {len(roots)} files {RESULTS}; the ZIP of one run has one")
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        if path.is_relative_to(roots[0]) and not entry.is_dir():
            inside = path.relative_to(roots[0]).as_posix()
            if inside in (RESULTS, IMAGES) or is_map_file(inside):
                found[inside] = entry
    for inside, entry in found.items():
        largest = LARGEST_MAP if is_map_file(inside) else _LARGEST_TEXT
        if entry.file_size > largest:
            raise StoreError(
                f"{name}: {inside} unpacks to more than {largest >> 20} MB; that is no file of a "
                "run: export the run again, or leave the maps out"
            )
    packed = sum(entry.compress_size for entry in found.values())
    largest = min(_LARGEST, _MOST_GROWTH * packed + _ALWAYS_FINE)
    if sum(entry.file_size for entry in found.values()) > largest:
        raise StoreError(
            f"{name}: unpacks to more than {largest >> 20:,} MB, which no run of its size does; "
            "export the run again, or leave the maps out"
        )
    return found


def _small(file: Path) -> bytes:
    if file.stat().st_size > _LARGEST_TEXT:
        raise StoreError(f"{file.name}: is larger than {_LARGEST_TEXT >> 20} MB; that is no run")
    return file.read_bytes()


def _from_rows(file: Path, staged: Path) -> RunResults:
    """Results made of rows alone."""
    data = _small(file)
    table = read_table(data, file.name)
    if table.empty:
        raise StoreError(f"{file.name}: holds no image; there is nothing to import")
    (staged / IMAGES).write_bytes(data)
    classes = [_class(name, rows) for name, rows in table.groupby("class_name", sort=True)]
    dataset = str(table["dataset"].iloc[0]) or "unknown"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return RunResults(
        id=file.stem if file.name != IMAGES else dataset,
        title=f"{dataset}, imported from {file.name}",
        dataset=dataset,
        checkpoint="unknown",
        checkpoint_title="unknown",
        created_utc=now,
        finished_utc=now,
        complete=True,
        resolution="native",
        ranked_by="margin",
        threshold=Threshold(value=0.5, source="unknown: only rows were imported", review_band=0.0),
        map_threshold=0.5,
        classes=classes,
        mean=mean_of(classes),
    )


def _class(name: object, rows: pd.DataFrame) -> ClassResults:
    done = rows[rows["error"] == ""]
    margins = [
        done.loc[done["anomalous"] == kind, "anomaly_margin"].to_numpy() for kind in (False, True)
    ]
    why = "only rows were imported"
    return ClassResults(
        class_name=str(name),
        normal=len(margins[0]),
        anomalous=len(margins[1]),
        failed=len(rows) - len(done),
        image_level=level_of(ranking(*margins)),
        pixel_level=LevelResults(undefined=dict.fromkeys((*METRICS, "aupro"), why)),
    )
