"""How far annotators agree: Cohen's kappa, overlap of regions, and where they do not."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adaclip.annotations.record import Annotation, truth_of
from adaclip.annotations.settlements import Item, item_of, settlements
from adaclip.errors import InputError

UNSURE = "unsure"


@dataclass(frozen=True, kw_only=True)
class PairAgreement:
    """Two annotators on the pictures both judged.

    `agreed` is the share of equal judgements and `kappa` (-1 to 1) how far it is above chance;
    None where undefined, `reason` then says why. `mean_iou` is over the `masks` pictures on
    which both drew a region that is not empty in both; None when there are none.
    """

    first: str
    second: str
    items: int
    agreed: float | None
    kappa: float | None
    reason: str = ""
    masks: int = 0
    mean_iou: float | None = None


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One picture of a class on which judgements differ, with everybody's latest one.

    `settlement` is what it was settled with, None while it is open.
    """

    pixel_sha256: str
    class_name: str
    annotations: tuple[Annotation, ...]
    settlement: Annotation | None = None

    @property
    def rel_path(self) -> str:
        """What the picture is known by."""
        return next((a.rel_path for a in reversed(self.annotations) if a.rel_path), "")

    @property
    def dataset(self) -> str:
        """Where the picture is from."""
        return next((a.dataset for a in reversed(self.annotations) if a.dataset), "")

    @property
    def opposed(self) -> int:
        """How many pairs of people contradict each other outright; unsure contradicts nobody."""
        judged = Counter(judgement(a) for a in self.annotations)
        return judged["normal"] * judged["anomalous"]


def judgement(annotation: Annotation) -> str:
    """ "normal", "anomalous" or "unsure": what is said of the picture, not of the model."""
    return truth_of(annotation) or UNSURE


def kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa of two people's labels of the same items, in the same order, -1 to 1.

    None where undefined: without items, or when both give all items one and the same label, as
    chance alone would then agree on everything. Raises InputError for lists of unequal length.
    """
    if len(first) != len(second):
        raise InputError(
            f"kappa needs two labels for each item, got {len(first)} and {len(second)}"
        )
    if not first:
        return None
    count = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    one, two = Counter(first), Counter(second)
    chance = sum(one[label] * two[label] for label in one) / count**2
    return None if chance >= 1.0 else (agreed - chance) / (1.0 - chance)


def mask_iou(first: np.ndarray, second: np.ndarray) -> float | None:
    """Intersection over union of two (H, W) bool masks, 0-1; None when both are empty.

    Raises InputError when their shapes differ.
    """
    if first.shape != second.shape:
        raise InputError(f"masks of {first.shape} and {second.shape} are not of one picture")
    union = int(np.logical_or(first, second).sum())
    return int(np.logical_and(first, second).sum()) / union if union else None


def pairs(
    annotations: Iterable[Annotation],
    mask_of: Callable[[Annotation], np.ndarray | None] | None = None,
) -> list[PairAgreement]:
    """Every two annotators who judged a picture both, those with most in common first.

    `annotations` are current ones; `mask_of` gives a row's region, None to leave regions out.
    Of several by one person on one picture (of several checkpoints) the latest counts.
    """
    by_person: dict[str, dict[Item, Annotation]] = {}
    for row in annotations:
        if row.settled:
            continue  # made with the others' verdicts in sight
        items = by_person.setdefault(row.annotator, {})
        item = item_of(row)
        if item not in items or items[item].ts_utc <= row.ts_utc:
            items[item] = row
    found = []
    for first, second in itertools.combinations(sorted(by_person), 2):
        one, two = by_person[first], by_person[second]
        both = [(row, two[item]) for item, row in one.items() if item in two]
        if both:
            found.append(_pair(first, second, both, mask_of))
    return sorted(found, key=lambda pair: -pair.items)


def disagreements(annotations: Iterable[Annotation]) -> list[Disagreement]:
    """The pictures that people judge differently, most contested first, then the latest.

    Those that were settled come last.
    """
    rows = list(annotations)
    settled = settlements(rows)
    latest: dict[Item, dict[str, Annotation]] = {}
    for row in rows:
        if row.settled:
            continue
        people = latest.setdefault(item_of(row), {})
        if row.annotator not in people or people[row.annotator].ts_utc <= row.ts_utc:
            people[row.annotator] = row
    found = [
        Disagreement(
            pixel_sha256=digest,
            class_name=class_name,
            annotations=tuple(sorted(people.values(), key=lambda row: row.ts_utc)),
            settlement=settled.get((digest, class_name)),
        )
        for (digest, class_name), people in latest.items()
        if (digest, class_name) in settled or len({judgement(row) for row in people.values()}) > 1
    ]
    found.sort(key=lambda each: each.annotations[-1].ts_utc, reverse=True)
    return sorted(found, key=lambda each: (each.settlement is not None, -each.opposed))


def _pair(
    first: str,
    second: str,
    both: Sequence[tuple[Annotation, Annotation]],
    mask_of: Callable[[Annotation], np.ndarray | None] | None,
) -> PairAgreement:
    labels = [(judgement(one), judgement(two)) for one, two in both]
    value = kappa([one for one, _ in labels], [two for _, two in labels])
    overlaps = [] if mask_of is None else _overlaps(both, mask_of)
    return PairAgreement(
        first=first,
        second=second,
        items=len(both),
        agreed=sum(one == two for one, two in labels) / len(labels),
        kappa=value,
        reason="" if value is not None else f"both say {labels[0][0]} of every picture",
        masks=len(overlaps),
        mean_iou=sum(overlaps) / len(overlaps) if overlaps else None,
    )


def _overlaps(
    both: Sequence[tuple[Annotation, Annotation]],
    mask_of: Callable[[Annotation], np.ndarray | None],
) -> list[float]:
    """IoU of the pictures on which both drew; of one judgement, as regions mean what it says."""
    found = []
    for one, two in both:
        if judgement(one) != judgement(two) or "none" in (one.region_kind, two.region_kind):
            continue
        masks = mask_of(one), mask_of(two)
        if masks[0] is not None and masks[1] is not None and masks[0].shape == masks[1].shape:
            value = mask_iou(masks[0], masks[1])
            if value is not None:
                found.append(value)
    return found
