"""The rows of a run's `images.csv`: one per image, in a fixed order of columns."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaclip.errors import StoreError
from adaclip.text import leads_out

# A path that stays where it is joined to: relative, no "..", no backslash, no NUL.
_MAP_FILE = re.compile(r"maps/\d{6,}\.npz")
_OPTIONAL = ("defect_type", "mask_rel_path", "map_file", "error")
_LARGEST_SIDE = 1 << 31


@dataclass(frozen=True, kw_only=True)
class Row:
    """One image's line. What is None is an empty field.

    An image that failed has an `error` and neither scores nor sizes. `map_file` is relative to
    the run's folder.
    """

    dataset: str
    class_name: str
    defect_type: str | None
    rel_path: str
    mask_rel_path: str | None
    anomalous: bool
    width: int | None = None
    height: int | None = None
    anomaly_score: float | None = None
    anomaly_margin: float | None = None
    map_file: str | None = None
    seconds: float | None = None
    error: str | None = None


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))
_TEXTS = ("dataset", "class_name", "defect_type", "rel_path", "mask_rel_path", "map_file", "error")
_NUMBERS = ("anomaly_score", "anomaly_margin", "seconds")
_SIDES = ("width", "height")


def header_line() -> bytes:
    """The first line of every images.csv."""
    return ",".join(COLUMNS).encode() + b"\n"


def encode(rows: Iterable[Row]) -> bytes:
    """CSV lines; floats so that they read back the same, undecodable path bytes as they are."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(_text(getattr(row, name)) for name in COLUMNS)
    return text.getvalue().encode("utf-8", "surrogateescape")


def complete_part(data: bytes) -> bytes:
    """`data` without the line that a crash has cut short: up to the last line end outside quotes.

    A field cut within its quotes swallows what follows, so quotes are counted from the start.
    """
    if data.endswith(b"\n") and data.count(b'"') % 2 == 0:
        return data
    end, inside = 0, False
    position = 0
    for line in data.splitlines(keepends=True):
        position += len(line)
        inside ^= line.count(b'"') % 2 == 1
        if not inside and line.endswith(b"\n"):
            end = position
    return data[:end]


def decode(data: bytes, name: str | Path) -> list[Row]:
    """The rows of a whole images.csv; see `read_table` for what is refused."""
    lines = read_table(data, name).itertuples(index=False, name=None)
    return [
        Row(**{c: _python(c, value) for c, value in zip(COLUMNS, line, strict=True)})
        for line in lines
    ]


def read_table(data: bytes, name: str | Path) -> pd.DataFrame:
    """images.csv as a table: text columns ("" for none), `anomalous` bool, the rest nullable.

    Raises StoreError, naming the file, for another header, a value that is not what its column
    holds, or a path that would lead out of its folder.
    """
    if not data.startswith(header_line()):
        raise StoreError(
            f"{name}: the first line is not that of a run's images.csv; check the file"
        )
    types = dict.fromkeys(_TEXTS, "str") | dict.fromkeys(_NUMBERS, "float64")
    types |= dict.fromkeys(_SIDES, "Int64") | {"anomalous": "int64"}
    empty = {column: [""] for column in (*_NUMBERS, *_SIDES)}
    try:
        table = pd.read_csv(
            io.BytesIO(data),
            dtype=types,
            na_values=empty,
            keep_default_na=False,
            encoding="utf-8",
            encoding_errors="surrogateescape",
        )
    except (ValueError, TypeError, OverflowError) as error:  # pandas' own are ValueErrors
        raise StoreError(
            f"{name}: a line does not fit its columns ({' '.join(str(error).split())}); "
            "restore the file, or make the run again"
        ) from error
    _check(table, name)
    table["anomalous"] = table["anomalous"].astype(bool)
    return table[list(COLUMNS)]


def empty_table() -> pd.DataFrame:
    """What `read_table` gives for a run without images."""
    return read_table(header_line(), "images.csv")


def is_map_file(text: str) -> bool:
    """True for a name that `map_file` may hold."""
    return _MAP_FILE.fullmatch(text) is not None


def _check(table: pd.DataFrame, name: str | Path) -> None:
    """Raise StoreError for the first row that cannot be."""
    done = table["error"] == ""
    score = table["anomaly_score"]
    wrong = {
        "anomalous is not 0 or 1": ~table["anomalous"].isin([0, 1]),
        "rel_path is empty": table["rel_path"] == "",
        "rel_path leads out of its folder": _leading_out(table["rel_path"]),
        "mask_rel_path leads out of its folder": _leading_out(table["mask_rel_path"]),
        "map_file is not a file of the run": _no_map_files(table["map_file"]),
        "the image is there twice": table.duplicated(["dataset", "rel_path"]),
        "anomaly_score is not between 0 and 1": done & ~score.between(0, 1),
        "anomaly_margin is not a number": done & ~table["anomaly_margin"].abs().lt(math.inf),
        "width or height is not a size": done
        & ~(
            table["width"].between(1, _LARGEST_SIDE) & table["height"].between(1, _LARGEST_SIDE)
        ).fillna(False),
    }
    for what, rows in wrong.items():
        if rows.any():
            raise StoreError(
                f"{name}: row {int(np.asarray(rows, bool).argmax()) + 1}: {what}; "
                "restore the file, or make the run again"
            )


def _leading_out(paths: pd.Series) -> np.ndarray:
    """(rows,) bool: `leads_out` of each; 200,000 ordinary paths are cleared at a glance."""
    texts = paths.tolist()
    together = "\n" + "\n".join(texts)
    if not any(sign in together for sign in ("\n/", ":", "\\", "\0", "..")):
        return np.zeros(len(texts), bool)
    return np.fromiter(map(leads_out, texts), bool, len(texts))


def _no_map_files(names: pd.Series) -> np.ndarray:
    """(rows,) bool: neither empty nor a name that `map_file` may hold."""
    texts = names.tolist()
    if not any(texts):
        return np.zeros(len(texts), bool)
    return np.fromiter((t != "" and not is_map_file(t) for t in texts), bool, len(texts))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)


def _python(column: str, value: Any) -> Any:
    """A table's value as a Row holds it."""
    if column == "anomalous":
        return bool(value)
    if value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return None if value == "" and column in _OPTIONAL else value
