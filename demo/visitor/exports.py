"""Results as files: PNG and NPY of one picture, CSV and ZIP of a batch. Bytes in, files out."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from adaclip.errors import InputError
from adaclip.maps.outputs import safe_stem
from adaclip.maps.rendering import (
    image_to_png,
    map_to_png16,
    margin_to_npy,
    mask_to_png,
    overlay,
)
from adaclip.types import Threshold
from demo.batch import Batch, Item
from demo.look import Look
from demo.page import messages
from demo.visitor.pictures import Findings, find, open_picture

Kind = Literal["overlay", "map16", "mask", "margin"]
SUFFIXES: dict[Kind, str] = {
    "overlay": "overlay.png",
    "map16": "anomaly_map_16bit.png",
    "mask": "mask.png",
    "margin": "margin.npy",
}
COLUMNS = (
    "image",
    "class_name",
    "anomaly_score",
    "anomaly_margin",
    "verdict",
    "threshold",
    "threshold_source",
    "map_threshold",
    "regions",
    "anomalous_px",
    "anomalous_percent",
    "checkpoint",
    "seconds",
    "device",
    "precision",
    "width",
    "height",
    "error",
)
# Four bytes for each pixel add up: beyond this a ZIP leaves the margins out and says so.
MAX_MARGIN_PIXELS = 100_000_000
_MARGINS_LEFT_OUT = (
    "The margin maps (.npy) of this batch are too large for a ZIP.\n"
    "Download them one by one from the page, or run `python -m adaclip detect --out DIR`.\n"
)
# What a spreadsheet takes for a formula: OWASP's list, with full-width forms and white space.
_FORMULA = re.compile(r"^[\s\x00]*[=+\-@;|%\uff1d\uff0b\uff0d\uff20]|^[\t\r\n\x00']")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def one_file(item: Item, kind: Kind, look: Look, folder: Path) -> bytes:
    """One export of one picture, at its own size. Raises AdaClipError."""
    if kind not in get_args(Kind):
        raise InputError(messages.UNKNOWN_VALUE)
    if item.detection is None:
        raise InputError(messages.NO_RESULT)
    if kind == "margin":
        return margin_to_npy(item.detection.margin_map)
    if kind == "map16":
        return map_to_png16(item.detection.anomaly_map)
    if kind == "mask":
        return mask_to_png(find(item.detection, look).mask)
    return image_to_png(
        overlay(
            open_picture(item, folder),
            item.detection.anomaly_map,
            opacity=look.opacity,
            colour_map=look.colour_map,
            scale=look.scale,
        )
    )


def write_file(batch: Batch, name: str, content: bytes) -> Path:
    """A download, under the name the visitor will see."""
    path = batch.folder / name
    path.write_bytes(content)
    return path


def row(item: Item, batch: Batch, threshold: Threshold, look: Look, found: Findings | None) -> dict:
    """One picture's line of the CSV; numbers stay numbers, text is made harmless."""
    values: dict[str, object] = dict.fromkeys(COLUMNS, "")
    values |= {
        "image": safe_text(item.name),
        "class_name": safe_text(batch.class_name),
        "error": safe_text(item.error),
        "threshold": repr(threshold.value),
        "threshold_source": safe_text(threshold.source),
        "map_threshold": repr(look.map_threshold),
        "checkpoint": safe_text(batch.checkpoint.id if batch.checkpoint else ""),
    }
    if item.size is not None:
        values |= {"height": item.size[0], "width": item.size[1]}
    detection = item.detection
    if detection is None:
        return values
    values |= {
        "anomaly_score": repr(detection.anomaly_score),
        "anomaly_margin": repr(detection.anomaly_margin),
        "verdict": threshold.verdict(detection.anomaly_score).value,
        "seconds": f"{detection.seconds:.4f}",
        "device": safe_text(detection.device),
        "precision": safe_text(detection.precision),
    }
    if found is not None:
        area = int(found.mask.sum())
        values |= {
            "regions": len(found.regions),
            "anomalous_px": area,
            "anomalous_percent": f"{100.0 * area / found.mask.size:.4f}",
        }
    return values


def csv_text(rows: list[dict]) -> str:
    """RFC 4180, header always."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def batch_csv(batch: Batch, threshold: Threshold, look: Look) -> str:
    """The results table of a batch. Raises InputError when nothing has run."""
    _check_results(batch)
    rows = [
        row(item, batch, threshold, look, find(item.detection, look) if item.detection else None)
        for item in batch.items
    ]
    return csv_text(rows)


def write_zip(batch: Batch, threshold: Threshold, look: Look, path: Path) -> Iterator[int]:
    """Write all exports of a batch to `path`, yielding the number of pictures packed so far.

    Raises AdaClipError. The file is complete when the generator is exhausted.
    """
    _check_results(batch)
    pixels = sum(i.size[0] * i.size[1] for i in batch.items if i.detection and i.size)
    with_margins = pixels <= MAX_MARGIN_PIXELS
    rows = []
    # PNGs do not get smaller by packing them again.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, item in enumerate(batch.items, start=1):
            found = find(item.detection, look) if item.detection else None
            rows.append(row(item, batch, threshold, look, found))
            if item.detection is not None:
                stem = f"{number:03d}_{short_stem(item.name)}"
                for kind, suffix in SUFFIXES.items():
                    if kind != "margin" or with_margins:
                        content = one_file(item, kind, look, batch.folder)
                        archive.writestr(f"{stem}/{suffix}", content)
            yield number
        archive.writestr("results.csv", csv_text(rows), zipfile.ZIP_DEFLATED)
        if not with_margins:
            archive.writestr("MARGINS.txt", _MARGINS_LEFT_OUT)


def safe_text(text: str) -> str:
    """One line of text that no spreadsheet runs: a leading "'" when it looks like a formula."""
    clean = _CONTROL.sub(" ", unicodedata.normalize("NFC", text))
    return f"'{clean}" if _FORMULA.match(text) or _FORMULA.match(clean) else clean


def short_stem(name: str) -> str:
    """A file name's stem that any file system takes, with room for a folder and a suffix."""
    return safe_stem(name)[:60].rstrip(". ")


def _check_results(batch: Batch) -> None:
    if not any(item.detection for item in batch.items):
        raise InputError(messages.NOTHING_TO_EXPORT)
