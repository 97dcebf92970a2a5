"""A disputed picture settled: one verdict that counts whatever others say of the picture.

A settlement is a label like any other whose `queue_policy` ends with "settled". It is of a picture
of a class, not of a person's own review: the last one holds, whoever made it, and what its author
said before stands beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from adaclip.annotations.record import SETTLED, Annotation, Truth, truth_of
from adaclip.annotations.store import AnnotationStore
from adaclip.errors import InputError

# A picture of a class, whichever checkpoint looked at it.
Item = tuple[str, str]


def item_of(annotation: Annotation) -> Item:
    """What an annotation is of, whoever made it and whichever checkpoint was judged."""
    return (annotation.pixel_sha256, annotation.class_name)


def settlements(annotations: Iterable[Annotation]) -> dict[Item, Annotation]:
    """The settlement of each settled picture of a class among current annotations."""
    return {item_of(row): row for row in annotations if row.settled}


def decided(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Current annotations without those that a settlement overrules, in their order."""
    rows = list(annotations)
    settled = settlements(rows)
    if not settled:
        return rows
    return [
        row
        for row in rows
        if item_of(row) not in settled or truth_of(row) == truth_of(settled[item_of(row)])
    ]


def settle(
    store: AnnotationStore,
    rows: Sequence[Annotation],
    truth: Truth,
    *,
    annotator: str,
    comment: str = "",
    seen: str = "",
) -> Annotation:
    """Store that the picture which `rows` are of is `truth`; the row that says so.

    `rows` are what people say of it, the latest last; `seen` is the settlement that the page
    showed, "" for none. Raises InputError without rows and when another settlement holds by now,
    StoreError when the disk refuses.
    """
    said = [row for row in rows if not row.settled]
    if not said:
        raise InputError("nobody has judged this picture any more, so there is nothing to settle")
    row = said[-1]
    alarm = row.predicted in ("REVIEW", "ANOM")
    # Chosen for its look by anybody, it is no random sample.
    chosen = next((r for r in said if not r.queue_policy.startswith("random")), row).queue_policy
    verdict = {
        ("anomalous", True): "TP",
        ("anomalous", False): "FN",
        ("normal", True): "FP",
        ("normal", False): "TN",
    }[truth, alarm]
    return store.add(
        dataclasses.replace(
            row,
            verdict=verdict,
            reason_code="",
            annotator=annotator,
            comment=comment,
            session_id="",
            lead_time_ms=None,
            queue_policy=f"{chosen}+{SETTLED}" if chosen else SETTLED,
        ),
        seen=seen,
    )
