"""The current annotations out again: as CSV, ZIP, COCO, a folder to train on, or JSON lines."""

from __future__ import annotations

import dataclasses
import json
import secrets
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaclip.annotations.csv_rows import HEADER_LINE, encode
from adaclip.annotations.images import image_path
from adaclip.annotations.labels import (
    SAMPLING_NOTE,
    Labelled,
    LeftOut,
    Selection,
    is_benchmark,
    left_out,
    select,
)
from adaclip.annotations.log import FILE_NAME
from adaclip.annotations.masks import box_of, png_of, rle_text
from adaclip.annotations.record import Annotation, truth_of
from adaclip.annotations.store import AnnotationStore
from adaclip.annotations.tree import write_tree
from adaclip.errors import AdaClipError, InputError
from adaclip.storage.atomic import cannot, write_bytes

__all__ = ["FORMATS", "Export", "LeftOut", "export"]

# Kind -> the ending of its file; "" is a folder.
FORMATS = {
    "csv": ".csv",
    "excel-csv": ".csv",
    "zip": ".zip",
    "coco": ".json",
    "mvtec": "",
    "jsonl": ".jsonl",
}
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was written where: `written` counts rows (csv, zip, jsonl) or pictures."""

    path: Path
    kind: str
    written: int
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    counts: dict[str, int] = dataclasses.field(default_factory=dict)


def export(
    store: AnnotationStore,
    kind: str,
    out: Path | str,
    *,
    data_roots: Sequence[Path] = (),
    include_datasets: Collection[str] = (),
) -> Export:
    """Write the current annotations to `out`, a file, or for "mvtec" a new folder.

    csv, excel-csv and zip hold every row; zip the masks and kept pictures, too. coco, mvtec and
    jsonl are for training: benchmarks' test images are left out unless `include_datasets` names
    their dataset (or "all"). `data_roots` are folders in which pictures may be found by their
    `rel_path`. Raises InputError for an unknown kind, StoreError when it cannot be written.
    """
    out = Path(out)
    if kind not in FORMATS:
        raise InputError(f"there is no export {kind!r}; choose one of {', '.join(FORMATS)}")
    if kind != "mvtec" and out.is_dir():
        raise InputError(f"{out}: is a folder; name a file for this export")
    if kind in ("csv", "excel-csv", "zip"):
        rows = store.current()
        if kind == "zip":
            return _zip(store, rows, out)
        write_bytes(out, csv_bytes(rows, excel=kind == "excel-csv"))
        return Export(path=out, kind=kind, written=len(rows))
    selection = select(store, include_datasets=include_datasets)
    if kind == "jsonl":
        return _jsonl(store, selection, out, include_datasets)
    if kind == "coco":
        return _coco(store, selection, out)
    counts, missing = write_tree(store, selection, out, data_roots)
    return Export(
        path=out,
        kind=kind,
        written=counts["normal"] + counts["anomalous"],
        left_out=(*selection.left_out, *missing),
        warnings=selection.warnings,
        counts=dict(counts),
    )


def csv_bytes(rows: Iterable[Annotation], *, excel: bool = False) -> bytes:
    """Rows as a file of ours; for Excel with a byte order mark and CR LF, which we read, too."""
    data = HEADER_LINE + b"".join(map(encode, rows))
    return _BOM + data.replace(b"\n", b"\r\n") if excel else data


def _zip(store: AnnotationStore, rows: list[Annotation], out: Path) -> Export:
    """Everything one needs to go on elsewhere."""
    missing: list[LeftOut] = []
    images = {row.pixel_sha256 for row in rows if store.has_image(row.pixel_sha256)}
    partial = out.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(FILE_NAME, csv_bytes(rows))
            for row in {row.region_path: row for row in rows if row.region_path}.values():
                try:
                    mask = store.mask(row)
                except AdaClipError as error:
                    name = row.rel_path or row.pixel_sha256[:16]
                    missing.append(LeftOut(event_id=row.event_id, name=name, reason=str(error)))
                    continue
                assert mask is not None
                archive.writestr(row.region_path, png_of(mask.astype("uint8") * 255))
            for digest in sorted(images):
                path = image_path(store.folder, digest)
                name = path.relative_to(store.folder).as_posix()
                archive.write(path, name, compress_type=zipfile.ZIP_STORED)
        partial.replace(out)
    except OSError as error:
        raise cannot("write", out, error) from error
    finally:
        partial.unlink(missing_ok=True)
    return Export(
        path=out,
        kind="zip",
        written=len(rows),
        left_out=tuple(missing),
        counts={"images": len(images)},
    )


def _jsonl(
    store: AnnotationStore, selection: Selection, out: Path, include: Collection[str]
) -> Export:
    """A line on the file, then one for each annotation of a picture that is not held back."""
    held = [left for left in selection.left_out if left.benchmark]
    tests = {row.pixel_sha256 for left in held if (row := store.get(left.event_id)) is not None}
    rows = [row for row in store.current() if row.pixel_sha256 not in tests]
    about = {
        "about": "annotations, one a line",
        "sampling": SAMPLING_NOTE,
        "warnings": list(selection.warnings),
        "included_benchmarks": sorted(include),
        "queue_policies": dict(Counter(row.queue_policy or "none" for row in rows)),
        "left_out": [dataclasses.asdict(left) for left in held],
    }
    lines = [json.dumps(about, ensure_ascii=False)]
    for row in rows:
        entry: dict[str, Any] = dataclasses.asdict(row)
        entry["truth"] = truth_of(row)
        entry["benchmark"] = is_benchmark(row)
        entry["image"] = None
        if store.has_image(row.pixel_sha256):
            path = image_path(store.folder, row.pixel_sha256)
            entry["image"] = path.relative_to(store.folder).as_posix()
        lines.append(json.dumps(entry, ensure_ascii=False))
    # Lone surrogates, of file names that are no text, are left as escapes.
    text = "\n".join(lines) + "\n"
    write_bytes(out, text.encode("utf-8", "backslashreplace"))
    return Export(
        path=out,
        kind="jsonl",
        written=len(rows),
        left_out=tuple(held),
        warnings=selection.warnings,
    )


def _coco(store: AnnotationStore, selection: Selection, out: Path) -> Export:
    """COCO's JSON: a picture without annotations is normal; regions as compressed run lengths.

    Regions of false alarms are no objects: they stand under "false_alarm_regions".
    """
    names = sorted({(item.row.class_name, item.defect) for item in selection.items if item.region})
    categories = {name: place for place, name in enumerate(names, start=1)}
    images: list[dict[str, Any]] = []
    regions: list[dict[str, Any]] = []
    false_alarms: list[dict[str, Any]] = []
    missing: list[LeftOut] = []
    for item in selection.items:
        images.append({"id": len(images) + 1, **_coco_image(store, item)})
        for drawn in [item.region] if item.region else [r for r in item.rows if r.region_path]:
            try:
                entry = _region(store, drawn, len(images))
            except AdaClipError as error:
                missing.append(left_out(item, str(error)))
                continue
            if item.region is None:
                false_alarms.append(entry)
            else:
                entry["id"] = len(regions) + 1
                entry["category_id"] = categories[(item.row.class_name, item.defect)]
                regions.append(entry)
    document = {
        "info": {
            "description": "annotations of AdaCLIP Studio",
            "frame": "sizes and regions are of the pictures as shown, EXIF orientation applied",
            "sampling": SAMPLING_NOTE,
            "warnings": list(selection.warnings),
        },
        "images": images,
        "categories": [
            {"id": place, "name": defect, "supercategory": class_name}
            for (class_name, defect), place in categories.items()
        ],
        "annotations": regions,
        "false_alarm_regions": false_alarms,
    }
    text = json.dumps(document, ensure_ascii=False, indent=1)
    write_bytes(out, text.encode("utf-8", "backslashreplace"))
    return Export(
        path=out,
        kind="coco",
        written=len(images),
        left_out=(*selection.left_out, *missing),
        warnings=selection.warnings,
        counts={"regions": len(regions), "false_alarm_regions": len(false_alarms)},
    )


def _coco_image(store: AnnotationStore, item: Labelled) -> dict[str, Any]:
    """A picture as COCO has it, and what is known of it besides."""
    row = item.row
    kept = image_path(store.folder, row.pixel_sha256).relative_to(store.folder).as_posix()
    return {
        "file_name": kept if store.has_image(row.pixel_sha256) else row.rel_path,
        "width": row.width,
        "height": row.height,
        "class_name": row.class_name,
        "anomalous": item.truth == "anomalous",
        "pixel_sha256": row.pixel_sha256,
        "dataset": row.dataset,
        "rel_path": row.rel_path,
        "queue_policies": sorted({each.queue_policy for each in item.rows}),
    }


def _region(store: AnnotationStore, row: Annotation, image_id: int) -> dict[str, Any]:
    """One region as COCO has it. Raises StoreError when its mask cannot be read."""
    mask = store.mask(row)
    assert mask is not None
    return {
        "image_id": image_id,
        "segmentation": {"size": [row.height, row.width], "counts": rle_text(mask)},
        "area": int(mask.sum()),
        "bbox": list(box_of(mask)),
        "iscrowd": 0,
        "event_id": row.event_id,
        "verdict": row.verdict,
        "reason_code": row.reason_code,
    }
