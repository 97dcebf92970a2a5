"""In which order pictures are reviewed, and what is left of them. Pure: no store, no page.

An order is a function of the pictures alone, so that the same queue comes out on any machine;
where a person stopped is found from what that person has judged.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from adaclip.errors import InputError
from adaclip.logits import logit

ALL = "all"  # no filter
NEEDS_SECOND_RUN = (
    "For disagreement choose a second run of the same pictures, made with another checkpoint."
)
# Scores of exactly 0 or 1 are that sure; a logit needs a bound.
_SURE = 1e-6
# Checkpoint, dataset, path; or checkpoint, "", digest of the pixels.
Key = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class QueueItem:
    """One picture of a queue, as far as its order needs to know it."""

    dataset: str
    class_name: str
    rel_path: str
    score: float | None  # 0-1; None: could not be judged
    threshold: float  # the one it is judged by, 0-1
    anomalous: bool | None = None  # what the dataset says; None: unknown
    other_score: float | None = None  # of a second checkpoint
    other_threshold: float = 0.5
    index: int = 0  # in its source
    pixel_sha256: str = ""  # where a path is no name: uploads
    checkpoint_id: str = ""

    @property
    def key(self) -> Key:
        """What it is called in annotations: where its path is no name, by its pixels."""
        if self.pixel_sha256:
            return (self.checkpoint_id, "", self.pixel_sha256)
        return (self.checkpoint_id, self.dataset, self.rel_path)

    @property
    def excess(self) -> float:
        """How far the score is above the threshold, in logits: from about -28 to 28."""
        return _logit(self.score) - _logit(self.threshold)

    @property
    def other_excess(self) -> float:
        """The same for the second checkpoint."""
        return _logit(self.other_score) - _logit(self.other_threshold)


def ordered(items: Sequence[QueueItem], order: str, *, seed: int = 0) -> list[QueueItem]:
    """`items` in the order they are to be reviewed; equal ones by name. Raises InputError.

    "false_alarms": what the dataset calls normal first, highest score first; then what nobody
    has labelled; then known defects, lowest score first, for these may have been missed.
    "uncertain": closest to the threshold first, in logits, so that it means the same near 0 and 1.
    "disagreement": different verdicts of the two checkpoints first, then the largest difference.
    "random": by a digest of seed and name: adding pictures does not shuffle the others.
    """
    sort_key: Callable[[QueueItem], tuple]
    if order == "false_alarms":
        sort_key = _suspicion
    elif order == "uncertain":
        sort_key = lambda item: (item.score is None, abs(item.excess))  # noqa: E731
    elif order == "disagreement":
        if all(item.other_score is None for item in items):
            raise InputError(NEEDS_SECOND_RUN)
        sort_key = _disagreement
    elif order == "random":
        sort_key = lambda item: (_digest(seed, item),)  # noqa: E731
    else:
        raise InputError(f"{order[:40]}: is not an order of a queue; choose another one")
    return sorted(items, key=lambda item: (*sort_key(item), item.dataset, item.rel_path))


def policy(order: str, *, seed: int = 0, blind: bool = False, labelled: bool = True) -> str:
    """How a queue was ordered, as it is stored with each annotation.

    Where nothing is `labelled`, putting likely false alarms first is putting high scores first.
    """
    name = f"random:{seed}" if order == "random" else order.replace("_", "-")
    if order == "false_alarms" and not labelled:
        name = "highest-score"
    return f"{name}+blind" if blind else name


def matching(
    items: Sequence[QueueItem], *, dataset: str = ALL, class_name: str = ALL
) -> list[QueueItem]:
    """Those of one dataset and class; "all" is no filter."""
    return [
        item
        for item in items
        if dataset in (ALL, item.dataset) and class_name in (ALL, item.class_name)
    ]


def first_unjudged(
    items: Sequence[QueueItem], judged: Collection[Key], start: int = 0
) -> int | None:
    """The place of the next picture the person has not judged, from `start` on and around.

    None when all are.
    """
    count = len(items)
    for step in range(count):
        place = (start + step) % count
        if items[place].key not in judged:
            return place
    return None


def rate(times: Sequence[float]) -> float | None:
    """Pictures per minute over the last verdicts (seconds, ascending); None for fewer than two.

    A pause of more than two minutes is a pause and does not count.
    """
    recent = times[-31:]
    gaps = [b - a for a, b in itertools.pairwise(recent)]
    gaps = [gap for gap in gaps if gap <= 120.0]
    total = sum(gaps)
    return 60.0 * len(gaps) / total if gaps and total > 0 else None


def _suspicion(item: QueueItem) -> tuple:
    if item.score is None:
        return (3, 0.0)
    if item.anomalous is None:
        return (1, -item.score)
    return (2, item.score) if item.anomalous else (0, -item.score)


def _disagreement(item: QueueItem) -> tuple:
    if item.score is None or item.other_score is None:
        return (True, True, 0.0)
    same = (item.excess >= 0) == (item.other_excess >= 0)
    return (False, same, -abs(item.excess - item.other_excess))


def _logit(value: float | None) -> float:
    return logit(0.5 if value is None else value, within=_SURE)


def _digest(seed: int, item: QueueItem) -> bytes:
    name = f"{seed}\0{item.dataset}\0{item.rel_path}\0{item.pixel_sha256}"
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
