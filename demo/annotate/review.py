"""One person's way through a queue, kept on the server: where they are, what can be undone.

Nothing here has to survive a restart: what was judged is in the annotation store, and where a
person stopped is found from it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from adaclip.annotations.queue import (
    ALL,
    Key,
    QueueItem,
    first_unjudged,
    matching,
    ordered,
    policy,
    rate,
)
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.errors import AdaClipError, InputError
from adaclip.storage.cache import BoundedCache
from demo.annotate import words
from demo.annotate.sources import Pictures
from demo.annotate.stage import stage_html
from demo.flag import words as flag_words
from demo.flag.flagging import Subject, is_one_of

_MAX_REVIEWS = 64
_ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="review-ahead")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a queue is ordered and filtered. Raises InputError on values not on offer."""

    order: str = "false_alarms"
    seed: int = 0
    blind: bool = False
    advance: bool = True
    dataset: str = ALL
    class_name: str = ALL
    show: str = words.WAITING
    annotator: str = ALL

    def __post_init__(self) -> None:
        shows = (*words.SHOW, *flag_words.VERDICTS)
        texts = (self.dataset, self.class_name, self.annotator)
        fits = (
            is_one_of(self.order, words.ORDERS)
            and is_one_of(self.show, shows)
            and isinstance(self.seed, int)
            and all(isinstance(text, str) for text in texts)
        )
        if not fits:
            raise InputError(flag_words.UNREADABLE_FLAG)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture ready to be looked at."""

    subject: Subject
    stage: str  # HTML with prediction
    stage_blind: str


class Review:
    """A queue in the hands of one person; one answer at a time."""

    def __init__(
        self, store: AnnotationStore, pictures: Pictures, settings: Settings, annotator: str
    ) -> None:
        """Starts at the first picture the person has not judged. Raises InputError."""
        self.lock = threading.RLock()
        self.pictures, self.annotator, self._store = pictures, annotator, store
        self.saved: list[tuple[str, Key]] = []  # this session's, to be undone one by one
        self.times: list[float] = []
        self._said: dict[Key, str] = {}
        self._ready: BoundedCache[int, Shown] = BoundedCache(3)
        self.items: list[QueueItem] = []
        self.place = 0
        self.arrange(settings)

    def arrange(self, settings: Settings) -> None:
        """Another order or other filters over the same pictures. Raises InputError."""
        with self.lock:
            current = self._store.current()
            chosen = matching(
                self.pictures.items, dataset=settings.dataset, class_name=settings.class_name
            )
            chosen = _said(chosen, current, settings)
            if not chosen:
                raise InputError(words.NO_MATCH)
            self.items = ordered(chosen, settings.order, seed=settings.seed)
            self.settings = settings
            self.judged = judged_by(current, self.annotator)
            start = first_unjudged(self.items, self.judged)
            self.place = 0 if start is None or settings.show != words.WAITING else start

    @property
    def policy(self) -> str:
        """As it is stored with each annotation."""
        chosen = self.settings
        labelled = self.pictures.labelled
        return policy(chosen.order, seed=chosen.seed, blind=chosen.blind, labelled=labelled)

    @property
    def item(self) -> QueueItem:
        """The picture in work."""
        return self.items[self.place]

    @property
    def done(self) -> int:
        """How many pictures of this queue the person has judged, ever."""
        return sum(item.key in self.judged for item in self.items)

    @property
    def complete(self) -> bool:
        """Everything is judged."""
        return first_unjudged(self.items, self.judged) is None

    @property
    def tallies(self) -> Counter[str]:
        """How often each verdict stands, of this session's pictures."""
        return Counter(self._said.values())

    @property
    def per_minute(self) -> float | None:
        """The pace of this session."""
        return rate(self.times)

    @property
    def hides(self) -> bool:
        """True while the prediction must not be seen: blind, and not judged yet."""
        return self.settings.blind and self.item.key not in self.judged

    def shown(self, place: int | None = None) -> Shown:
        """The picture in work, read and drawn. Raises AdaClipError."""
        index = self.items[self.place if place is None else place].index
        with self.lock:
            ready = self._ready.get(index)
        if ready is None:
            subject = self.pictures.subject(index)
            ready = Shown(
                subject=subject,
                stage=stage_html(subject),
                stage_blind=stage_html(subject, blind=True),
            )
            with self.lock:
                self._ready.put(index, ready)
        return ready

    def look_ahead(self) -> None:
        """Read the next picture while this one is looked at."""
        place = first_unjudged(self.items, self.judged, self.place + 1)
        if place is not None and place != self.place:
            _ahead.submit(self._prepare, place)

    def _prepare(self, place: int) -> None:
        try:
            self.shown(place)
        except (AdaClipError, IndexError):
            return  # said when the picture's turn comes

    def step(self, by: int) -> None:
        """The next or previous picture, judged or not, around the corner."""
        with self.lock:
            self.place = (self.place + by) % len(self.items)

    def record(self, saved: Annotation) -> None:
        """A verdict was stored: remember it, and move on."""
        with self.lock:
            self.saved.append((saved.event_id, self.item.key))
            self.judged.add(self.item.key)
            self.times.append(time.monotonic())
            self._said[self.item.key] = saved.verdict
            if not self.settings.advance:
                return
            if self.settings.show == words.WAITING:
                start = first_unjudged(self.items, self.judged, self.place + 1)
                self.place = self.place if start is None else start
            elif self.place + 1 < len(self.items):
                self.place += 1

    def forget(self) -> None:
        """The last verdict was taken back: go back to its picture."""
        with self.lock:
            _, key = self.saved.pop()
            self.judged = judged_by(self._store.current(), self.annotator)
            self._said.pop(key, None)
            if self.times:
                self.times.pop()
            places = [place for place, item in enumerate(self.items) if item.key == key]
            self.place = places[0] if places else self.place


class Reviews:
    """Everybody's open queues, the longest unused ones dropped first."""

    def __init__(self) -> None:
        self._open: BoundedCache[str, Review] = BoundedCache(_MAX_REVIEWS)

    def add(self, review: Review) -> str:
        """Its key: 128 random bits that stay in the visitor's session."""
        key = secrets.token_urlsafe(16)
        self._open.put(key, review)
        return key

    def get(self, key: Any) -> Review:
        """The review. Raises InputError."""
        review = self._open.get(key) if isinstance(key, str) else None
        if review is None:
            raise InputError(words.QUEUE_GONE if key else words.NO_QUEUE)
        return review


def judged_by(current: Iterable[Annotation], annotator: str) -> set[Key]:
    """What a person has judged, as queues call it."""
    keys: set[Key] = set()
    for a in current:
        if a.annotator == annotator and not a.settled:
            keys |= keys_of(a)
    return keys


def keys_of(annotation: Annotation) -> set[Key]:
    """An annotation is found by its path and by its pixels."""
    a = annotation
    return {(a.checkpoint_id, a.dataset, a.rel_path), (a.checkpoint_id, "", a.pixel_sha256)}


def _said(
    items: Collection[QueueItem], current: Iterable[Annotation], settings: Settings
) -> list[QueueItem]:
    """Filtered by what somebody, or anybody, has said of them."""
    verdict = settings.show if settings.show in flag_words.VERDICTS else None
    if verdict is None and settings.annotator == ALL:
        return list(items)
    keys: set[Key] = set()
    for a in current:
        if settings.annotator in (ALL, a.annotator) and verdict in (None, a.verdict):
            keys |= keys_of(a)
    return [item for item in items if item.key in keys]
