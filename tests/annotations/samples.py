"""Annotations to test with, and the oldest trick of all: a random string of anything."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.annotations.record import Annotation
from adaclip.annotations.store import AnnotationStore
from adaclip.data.images import pixel_sha256

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\uff1d1+1",
    " =1",
    "|x",
    "%0",
    ";=1;=2",
]
PIECES = [
    *FORMULAS,
    *("'", "''", '"', '""', ",", ";", "\n", "\r\n", "\\", "\\n", "\\u0041", "\x00", "\x1b[2J"),
    *("\u202e", "\u2066", "\ufeff", "\ud800", "\udfff", "\U0001f600", "é", "e\u0301", "日本"),
    *("<img src=x onerror=alert(1)>", "01", "1e5", "TRUE", "1/2", "2026-01-31", "MAR1", " ", "a"),
]


def digest(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def row(name: object = "a", **changes: Any) -> Annotation:
    """A false alarm by Ann on a picture that the name stands for."""
    fields: dict[str, Any] = {
        "pixel_sha256": digest(name),
        "image_sha256": digest(f"file {name}"),
        "rel_path": f"nut/test/good/{name}.png",
        "dataset": "line 3",
        "class_name": "nut",
        "width": 20,
        "height": 12,
        "checkpoint_id": "lite",
        "checkpoint_sha256": digest("lite"),
        "image_score": 0.75,
        "image_margin": -0.5,
        "image_threshold": 0.5,
        "map_threshold": 0.5,
        "threshold_source": "99th percentile of normals",
        "predicted": "ANOM",
        "verdict": "FP",
        "annotator": "Ann",
        "app_version": "0.4.0",
        "queue_policy": "false_alarms",
    }
    return Annotation(**fields | changes)


def random_text(rng: random.Random) -> str:
    """Formulas, quotes, line ends and any characters there are, in any order."""
    parts = []
    for _ in range(rng.randrange(1, 7)):
        kind = rng.random()
        if kind < 0.6:
            parts.append(rng.choice(PIECES))
        elif kind < 0.8:
            parts.append(chr(rng.randrange(0x110000)))
        else:
            parts.append(chr(rng.randrange(0x100)))
    return "".join(parts)


def random_mask(rng: np.random.Generator, size: tuple[int, int] = (12, 20)) -> np.ndarray:
    return rng.random(size) < rng.random()


def picture(seed: int, size: tuple[int, int] = (40, 48)) -> np.ndarray:
    """(H, W, 3) uint8 of noise."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def flag(store: AnnotationStore, seed: int, *, keep: bool = True, **changes: Any) -> Annotation:
    """Flag a picture of noise; with `region` True its left half is the region."""
    pixels = picture(seed)
    region = changes.pop("region", False)
    mask = None
    if region:
        mask = np.zeros(pixels.shape[:2], bool)
        mask[:, : pixels.shape[1] // 2] = True
    fields = {"pixel_sha256": pixel_sha256(pixels), "width": 48, "height": 40}
    annotation = row(seed, **fields | changes)
    return store.add(annotation, mask=mask, image=pixels if keep else None)


def mixed_store(folder: Path) -> AnnotationStore:
    """Two false alarms, two defects with regions, and what cannot be trained on."""
    store = AnnotationStore(folder)
    flag(store, 1, region=True, reason_code="edge")
    flag(store, 2, verdict="TN", queue_policy="random seed=1")
    flag(store, 3, verdict="FN", region=True, defect_type="scratch")
    flag(store, 4, verdict="TP", region=True)
    flag(store, 5, verdict="TP")  # a defect without a region
    flag(store, 6, verdict="unsure")
    flag(store, 7, verdict="FP")
    flag(store, 7, verdict="TP", annotator="Bob")  # not of one mind
    flag(store, 8, verdict="FP", keep=False)  # its picture is nowhere
    flag(store, 9, verdict="FP", dataset="mvtec", split="test")
    flag(store, 10, verdict="FP", dataset="mvtec", split="train")
    store.retract(flag(store, 11).event_id, annotator="Ann")
    return store


def resaved(path: Path, *, separator: str = ",", comma: bool = False) -> bytes:
    """A CSV as a spreadsheet saves it: byte order mark, CR LF, all text quoted, longer numbers."""
    import csv
    import io

    rows = list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))
    places = [rows[0].index(name) for name in ("image_score", "image_margin")]
    for cells in rows[1:]:
        for place in places:
            if cells[place]:
                cells[place] = f"{float(cells[place]):.12f}"
                if comma:
                    cells[place] = cells[place].replace(".", ",")
    out = io.StringIO()
    csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()
