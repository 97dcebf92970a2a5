"""A dataset as a table: `manifest.csv`, with a header and a row per image.

Whatever separator or encoding a spreadsheet chose is read (`adaclip.data.tables`).

The columns are image, mask, class_name, anomalous and defect_type. Paths are relative to the
manifest's folder. `mask` and `defect_type` may be left out or empty; several masks of one image
are set apart by "|". An anomalous image without a mask counts at image level only.
"""

from __future__ import annotations

from pathlib import Path

from adaclip.data.originals import csv_rows, inside
from adaclip.data.pairing import Pairing
from adaclip.data.tables import truth
from adaclip.errors import DatasetError
from adaclip.text import printable

MANIFEST_NAME = "manifest.csv"
COLUMNS = ("image", "class_name", "anomalous")
MASK_SEPARATOR = "|"


def manifest_of(root: Path) -> Path | None:
    """The manifest that `root` is or holds; None where there is none."""
    if root.is_file():
        return root if root.suffix.lower() == ".csv" else None
    return root / MANIFEST_NAME if (root / MANIFEST_NAME).is_file() else None


def manifest_name(table: Path) -> str:
    """What a manifest's dataset is called: its folder's name, or its own if it has one."""
    return table.resolve().parent.name if table.name == MANIFEST_NAME else table.stem


def read_manifest(table: Path, dataset: str) -> Pairing:
    """The samples a manifest names; files that are missing are problems, not errors.

    Raises DatasetError for a row that makes no sense or leaves the folder.
    """
    root = table.parent
    pairing = Pairing(root=root, dataset=dataset)
    lines: dict[str, int] = {}
    for line, row in csv_rows(table, COLUMNS):
        where = f"{printable(str(table))}, line {line}"
        image = inside(root, row["image"], where)
        if not row["class_name"]:
            raise DatasetError(f"{where}: class_name is empty; say what the image shows")
        key = pairing.relative(image)
        if key in lines:
            pairing.note("duplicate name", image, f"on lines {lines[key]} and {line}")
            continue
        lines[key] = line
        anomalous = truth(row["anomalous"], where)
        if not image.is_file():
            pairing.note("missing image", image, f"line {line} names it")
            continue
        cells = [cell.strip() for cell in row.get("mask", "").split(MASK_SEPARATOR)]
        masks = [inside(root, cell, where) for cell in cells if cell] if anomalous else []
        missing = [mask for mask in masks if not mask.is_file()]
        for mask in missing:
            pairing.note("missing mask", mask, f"line {line} names it")
        pairing.add(
            image,
            class_name=row["class_name"],
            defect_type=(row.get("defect_type") or "defect") if anomalous else None,
            masks=[] if missing else masks,  # half of a mask would be a wrong one
        )
    return pairing
