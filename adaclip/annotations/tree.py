"""A folder of the MVTec kind made of annotations: `adaclip train --auxiliary FOLDER` takes it.

<class>/test/good/<picture>.png              false alarms and correct passes
<class>/test/<defect>/<picture>.png          correct alarms and missed defects
<class>/ground_truth/<defect>/<picture>_mask.png    where a region was drawn
annotations.jsonl, about.json                where each comes from, and what was left out
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adaclip.annotations.labels import (
    Labelled,
    LeftOut,
    Selection,
    folder_names,
    left_out,
)
from adaclip.annotations.masks import png_of
from adaclip.annotations.pictures import NOT_FOUND, PictureFinder
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import AdaClipError, InputError
from adaclip.storage.atomic import cannot, sync_folder

ROWS, ABOUT = "annotations.jsonl", "about.json"


def write_tree(
    store: AnnotationStore, selection: Selection, out: Path, data_roots: Sequence[Path]
) -> tuple[Counter[str], list[LeftOut]]:
    """Write the tree at `out`, which must not be there; how many of each kind, and what not.

    A defect without a region has no mask file, so training takes it at image level. Raises
    InputError when `out` is there or nothing is left, StoreError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; name a folder that is not")
    finder = PictureFinder(store, data_roots)
    names = {
        "class": folder_names((item.row.class_name for item in selection.items), "object"),
        "defect": folder_names((item.defect for item in selection.items), "anomaly", defects=True),
    }
    partial = out.with_name(f".{secrets.token_hex(8)}.partial")
    missing: list[LeftOut] = []
    counts: Counter[str] = Counter(normal=0, anomalous=0, masks=0)
    lines: list[str] = []
    try:
        partial.mkdir(parents=True)
        for item in selection.items:
            entry = _write_item(store, item, partial, names, finder)
            if isinstance(entry, str):
                missing.append(left_out(item, entry))
                continue
            lines.append(json.dumps(entry, ensure_ascii=False))
            counts["normal" if item.truth == "normal" else "anomalous"] += 1
            counts["masks"] += item.region is not None
        if not lines:
            raise InputError(_nothing([*selection.left_out, *missing]))
        counts["image level only"] = counts["anomalous"] - counts["masks"]
        about = _about(selection, missing, counts)
        _write_text(partial / ROWS, "\n".join(lines) + "\n")
        _write_text(partial / ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        if out.exists():
            out.rmdir()
        os.replace(partial, out)
        sync_folder(out.parent)
    except OSError as error:
        raise cannot("write", out, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return counts, missing


def _write_item(
    store: AnnotationStore,
    item: Labelled,
    root: Path,
    names: Mapping[str, Mapping[str, str]],
    finder: PictureFinder,
) -> dict[str, Any] | str:
    """Write one picture and its mask; its line in the manifest, or why it was left out."""
    pixels = finder.read(reversed(item.rows))
    if pixels is None:
        return NOT_FOUND
    mask = None
    if item.region is not None:
        try:
            mask = store.mask(item.region)
        except AdaClipError as error:
            return str(error)
    row = item.row
    folder = names["class"][row.class_name]
    kind = "good" if item.truth == "normal" else names["defect"][item.defect]
    stem = row.pixel_sha256[:20]
    image = f"{folder}/test/{kind}/{stem}.png"
    _write_png(root / image, pixels)
    mask_file = None
    if mask is not None:
        mask_file = f"{folder}/ground_truth/{kind}/{stem}_mask.png"
        _write_png(root / mask_file, mask.astype(np.uint8) * np.uint8(255))
    return {
        "image": image,
        "mask": mask_file,
        "anomalous": item.truth == "anomalous",
        "class_name": row.class_name,
        "defect_type": None if item.truth == "normal" else item.defect,
        "pixel_sha256": row.pixel_sha256,
        "dataset": row.dataset,
        "rel_path": row.rel_path,
        "event_ids": [each.event_id for each in item.rows],
        "verdicts": [each.verdict for each in item.rows],
        "reasons": sorted({each.reason_code for each in item.rows} - {""}),
        "annotators": sorted({each.annotator for each in item.rows}),
        "queue_policies": sorted({each.queue_policy for each in item.rows}),
    }


def _write_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_of(pixels))


def _write_text(path: Path, text: str) -> None:
    """Halves of surrogate pairs, from file names that are no text, as JSON's escapes."""
    path.write_bytes(text.encode("utf-8", "backslashreplace"))


def _about(
    selection: Selection, missing: list[LeftOut], counts: Mapping[str, int]
) -> dict[str, Any]:
    left = [dataclasses.asdict(each) for each in (*selection.left_out, *missing)]
    policies = Counter(row.queue_policy for item in selection.items for row in item.rows)
    return {
        "images": dict(counts),
        "warnings": list(selection.warnings),
        "queue_policies": {policy or "none": count for policy, count in policies.items()},
        "left_out": left,
    }


def _nothing(left: list[LeftOut]) -> str:
    """Why there is nothing to train on."""
    reasons = Counter(each.reason for each in left)
    if not reasons:
        return "there are no annotations to train on; flag some pictures first"
    named = "; ".join(f"{count}: {reason}" for reason, count in reasons.most_common(4))
    return f"no annotated picture can be trained on ({named})"
