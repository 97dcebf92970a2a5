"""From what people said to labelled pictures that a model can be trained on.

Everybody's verdicts on a picture of a class become one label: normal where they call it a false
alarm or a correct pass, anomalous where they call it a correct alarm or a missed defect. Where
they are not sure, or not of one mind, it is left out, unless somebody has settled it. The region
is the one drawn last.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adaclip.annotations.pictures import NOT_FOUND, NOT_IN_NAMES, PictureFinder
from adaclip.annotations.record import Annotation, Truth, truth_of
from adaclip.annotations.settlements import decided
from adaclip.annotations.store import AnnotationStore
from adaclip.data.cards import cards
from adaclip.data.normal_names import is_normal_name

ALL = "all"
SAMPLING_NOTE = (
    "Labels from a queue that puts likely false alarms or doubtful pictures first are no random "
    "sample: rates taken from them are not those of the line. `queue_policy` says how each was "
    "chosen. Keep all rows of one pixel_sha256 on the same side of a split."
)
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


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """How many reviewed pictures can be trained on, and why each of the others cannot.

    A picture that was judged as two classes counts once for each. `with_region` of the
    `anomalous` ones also teach where the defect is; the others count at image level.
    """

    normal: int
    anomalous: int
    with_region: int
    left_out: tuple[LeftOut, ...]

    @property
    def usable(self) -> int:
        """Pictures that a training folder would hold."""
        return self.normal + self.anomalous

    @property
    def reviewed(self) -> int:
        """All pictures that somebody's verdict holds for."""
        return self.usable + len(self.left_out)

    @property
    def by_reason(self) -> dict[str, tuple[LeftOut, ...]]:
        """Reason -> the pictures left out for it; the most frequent reason first."""
        groups: dict[str, list[LeftOut]] = {}
        for each in self.left_out:
            groups.setdefault(each.reason, []).append(each)
        by_size = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        return {reason: tuple(group) for reason, group in by_size}

    @property
    def lacking(self) -> str:
        """What training needs besides, "" when both kinds are there."""
        if self.normal and self.anomalous:
            return ""
        lacking = "anomalous" if self.normal else "normal" if self.anomalous else ""
        if not lacking:
            return "Training needs normal and anomalous pictures; there is none yet."
        return f"Training needs {lacking} pictures as well; there is none yet."


def trainable(
    store: AnnotationStore,
    *,
    data_roots: Sequence[Path] = (),
    include_datasets: Collection[str] = (),
) -> Trainable:
    """What `export` as "mvtec" would hold and leave out, without writing it. Raises StoreError."""
    selection = select(store, include_datasets=include_datasets)
    finder = PictureFinder(store, data_roots)
    found: list[Labelled] = []
    missing: list[LeftOut] = []
    for item in selection.items:
        if not finder.has(reversed(item.rows)):
            missing.append(left_out(item, NOT_FOUND))
        elif item.region is not None and not store.has_mask(item.region):
            missing.append(left_out(item, "the file of its region is missing"))
        else:
            found.append(item)
    anomalous = [item for item in found if item.truth == "anomalous"]
    return Trainable(
        normal=len(found) - len(anomalous),
        anomalous=len(anomalous),
        with_region=sum(item.region is not None for item in anomalous),
        left_out=(*selection.left_out, *missing),
    )


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


def folder_names(names: Iterable[str], fallback: str, *, defects: bool = False) -> dict[str, str]:
    """A different folder name for each text, as like it as file systems allow.

    Of `defects` none speaks of good: its pictures would be read as normal.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        base = NOT_IN_NAMES.sub("_", name)[:60].strip("._") or fallback
        if _RESERVED.fullmatch(base) or base.casefold() in _MEANT:
            base = f"{base}_"
        if defects and is_normal_name(base) is not False:
            base = fallback
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
