"""From what people said to labelled pictures that a model can be trained on.

Everybody's verdicts on a picture of a class become one label: normal where they call it a false
alarm or a correct pass, anomalous where they call it a correct alarm or a missed defect. Where
they are not sure, or not of one mind, it is left out, unless somebody has settled it. The region
is the one drawn last.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adaclip.annotations.record import Annotation, Truth, truth_of
from adaclip.annotations.settlements import decided
from adaclip.annotations.store import AnnotationStore
from adaclip.data.cards import SYNTHETIC_KEY, cards
from adaclip.data.images import pixel_sha256, read_image
from adaclip.errors import AdaClipError
from adaclip.synthetic import benchmark_set
from adaclip.text import leads_out

ALL = "all"
SAMPLING_NOTE = (
    "Labels from a queue that puts likely false alarms or doubtful pictures first are no random "
    "sample: rates taken from them are not those of the line. `queue_policy` says how each was "
    "chosen. Keep all rows of one pixel_sha256 on the same side of a split."
)
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
# Folders that mean something in such a tree.
_MEANT = ("ground_truth", "train", "test", "good", "ok", "normal")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A picture or row that did not come along, and why. `name` is what the user knows it by."""

    event_id: str
    name: str
    reason: str
    benchmark: bool = False


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One picture of a class, as all who judged it say. `region` is the row with its mask."""

    truth: Truth
    rows: tuple[Annotation, ...]
    region: Annotation | None

    @property
    def row(self) -> Annotation:
        """The latest verdict."""
        return self.rows[-1]

    @property
    def defect(self) -> str:
        """What the defect is called: the dataset's own word, or "anomaly"."""
        return next((row.defect_type for row in reversed(self.rows) if row.defect_type), "anomaly")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What goes into a training export, what does not, and what is to be said of it."""

    items: tuple[Labelled, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]


def select(store: AnnotationStore, *, include_datasets: Collection[str] = ()) -> Selection:
    """The pictures whose label is clear, without test images of benchmarks.

    These come along only when their dataset, or "all", is in `include_datasets`. A picture that
    any row calls a test image is one, whatever other rows say.
    """
    events, current = store.events(), store.current()
    tests: dict[str, set[str]] = {}
    for event in events:
        if is_benchmark(event):
            tests.setdefault(event.pixel_sha256, set()).add(event.dataset)
    groups: dict[tuple[str, str], list[Annotation]] = {}
    for row in decided(current):
        groups.setdefault((row.pixel_sha256, row.class_name), []).append(row)
    items: list[Labelled] = []
    left_out: list[LeftOut] = []
    included: dict[str, int] = {}
    for (digest, _), rows in groups.items():
        held = {d for d in tests.get(digest, ()) if not {d, ALL} & set(include_datasets)}
        if held:
            why = f"a test image of the benchmark {', '.join(sorted(held))}"
            left_out.append(_left(rows, why, benchmark=True))
            continue
        labelled = _labelled(store, rows)
        if isinstance(labelled, str):
            left_out.append(_left(rows, labelled))
            continue
        items.append(labelled)
        for dataset in tests.get(digest, ()):
            included[dataset] = included.get(dataset, 0) + 1
    warnings = [
        f"{count} test images of the benchmark {dataset} are in this export: a model trained on "
        "them cannot be measured on that benchmark any more"
        for dataset, count in sorted(included.items())
    ]
    if any(not row.queue_policy.startswith("random") for item in items for row in item.rows):
        warnings.append(SAMPLING_NOTE)
    return Selection(items=tuple(items), left_out=tuple(left_out), warnings=tuple(warnings))


def is_benchmark(row: Annotation) -> bool:
    """True for a test image of a dataset with a card; without a word on its split it is one."""
    return row.dataset in cards() and row.split != "train"


def picture(
    store: AnnotationStore, rows: Iterable[Annotation], data_roots: Sequence[Path]
) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB of a judged picture: kept, under a data folder, or drawn; else None.

    Only a picture whose pixels have the hash that was judged is taken.
    """
    for row in rows:
        try:
            kept = store.image(row.pixel_sha256)
            if kept is not None and pixel_sha256(kept) == row.pixel_sha256:
                return kept
            if row.dataset == SYNTHETIC_KEY and row.rel_path:
                drawn = benchmark_set.draw(row.rel_path).image
                if pixel_sha256(drawn) == row.pixel_sha256:
                    return drawn
        except (AdaClipError, OSError):
            pass  # another row, or a folder, may have it
        for path in _places(row, data_roots):
            try:
                pixels = read_image(path)
            except AdaClipError:
                continue
            if pixel_sha256(pixels) == row.pixel_sha256:
                return pixels
    return None


def folder_names(names: Iterable[str], fallback: str) -> dict[str, str]:
    """A different folder name for each text, as like it as file systems allow."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        base = _NOT_IN_NAMES.sub("_", name)[:60].strip("._") or fallback
        if _RESERVED.fullmatch(base) or base.casefold() in _MEANT:
            base = f"{base}_"
        folder, count = base, 1
        while folder.casefold() in taken:  # not every file system tells "A" from "a"
            count += 1
            folder = f"{base}-{count}"
        taken.add(folder.casefold())
        found[name] = folder
    return found


def _labelled(store: AnnotationStore, rows: list[Annotation]) -> Labelled | str:
    """One label from all verdicts, or why there is none."""
    truths = {truth_of(row) for row in rows} - {None}
    if not truths:
        return "nobody was sure"
    if len(truths) > 1:
        return "the annotators disagree"
    [truth] = truths
    assert truth is not None
    drawn = [row for row in rows if row.region_kind == "mask" and truth_of(row) == truth]
    region = None
    # An empty region says nothing of where the defect is.
    if truth == "anomalous" and drawn and drawn[-1].region_area_px:
        region = drawn[-1]
    return Labelled(truth=truth, rows=tuple(rows), region=region)


def left_out(item: Labelled, reason: str) -> LeftOut:
    """A labelled picture that cannot come along after all."""
    return _left(item.rows, reason)


def _left(rows: Sequence[Annotation], reason: str, *, benchmark: bool = False) -> LeftOut:
    row = rows[-1]
    name = row.rel_path or row.pixel_sha256[:16]
    return LeftOut(event_id=row.event_id, name=name, reason=reason, benchmark=benchmark)


def _places(row: Annotation, data_roots: Sequence[Path]) -> Iterable[Path]:
    """Files that may be the picture; never one outside the data folders, links included."""
    if not row.rel_path or leads_out(row.rel_path):
        return
    for root in data_roots:
        real = os.path.realpath(root)
        for base in (Path(real), Path(real, _NOT_IN_NAMES.sub("_", row.dataset))):
            path = base / row.rel_path
            if path.is_file() and Path(os.path.realpath(path)).is_relative_to(real):
                yield path
