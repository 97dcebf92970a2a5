"""Runs and tables leave and come in as files."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from adaclip.errors import InputError, StoreError
from adaclip.runs import export_run, import_run
from adaclip.runs.results import IMAGES, RESULTS, Run
from demo.page import messages
from demo.runs.jobs import NO_FOLDER
from demo.services import Services

_FAMILIES = {"zip": "{}.zip", "json": "{}.results.json", "csv": "{}.images.csv"}


def exported(run: Run, kind: str, folder: Path) -> Path:
    """The run as a file of its own in `folder`, which may be served. Raises AdaClipError."""
    if kind not in _FAMILIES:
        raise InputError(messages.UNKNOWN_VALUE)
    target = _fresh(folder) / _FAMILIES[kind].format(run.id)
    if kind == "zip":
        return export_run(run, target)
    source = run.folder / (RESULTS if kind == "json" else IMAGES)
    try:
        if kind == "json":  # without the data folder's path: through the ZIP's own rules
            return _results_alone(run, target)
        shutil.copyfile(source, target)
    except OSError as error:
        raise StoreError(f"{source.name} of {run.id} cannot be read: it is gone") from error
    return target


def _results_alone(run: Run, target: Path) -> Path:
    import zipfile

    packed = export_run(run, target.with_suffix(".zip"))
    with zipfile.ZipFile(packed) as archive:
        name = next(name for name in archive.namelist() if name.endswith(RESULTS))
        target.write_bytes(archive.read(name))
    packed.unlink()
    return target


def imported(services: Services, upload: Any) -> Run:
    """The run in an uploaded file, now among the others. Raises AdaClipError."""
    if not services.run_roots:
        raise InputError(NO_FOLDER)
    path = Path(str(upload or ""))
    served = services.store.folder.resolve()
    if not path.is_file() or not path.resolve().is_relative_to(served):
        raise InputError(messages.NOT_UPLOADED)
    return import_run(path, services.run_roots[0])


def table_file(frame: pd.DataFrame, folder: Path, name: str) -> Path:
    """The overview as CSV."""
    target = _fresh(folder) / f"{name}.csv"
    frame.to_csv(target, index=False, encoding="utf-8")
    return target


def _fresh(folder: Path) -> Path:
    """A folder nobody can guess."""
    fresh = folder / f"export-{secrets.token_urlsafe(16)}"
    fresh.mkdir(parents=True, mode=0o700)
    return fresh
