"""What holds now: a log of annotation events folded, event by event."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from adaclip.annotations.record import Annotation, Key


class AnnotationView:
    """The current annotations and every event, found by id, by picture and by what they are of.

    An event takes the place of the one it supersedes. Of two that are of the same thing by the
    same person the later one holds, whether it names the other or not: logs that were kept
    apart may be brought together. A retraction ends what it supersedes and all before it.
    """

    def __init__(self, events: Iterable[Annotation] = ()) -> None:
        self.events: list[Annotation] = []
        self._by_id: dict[str, Annotation] = {}
        # Replaced or taken back, whether their own row has been seen or is still to come.
        self._ended: set[str] = set()
        self._current: dict[str, Annotation] = {}
        self._by_key: dict[Key, str] = {}
        self._by_image: dict[str, dict[str, Annotation]] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: Annotation) -> bool:
        """Add one event; False, and nothing done, for an id that is here already."""
        if event.event_id in self._by_id:
            return False
        self.events.append(event)
        self._by_id[event.event_id] = event
        if event.supersedes:
            self._drop(event.supersedes)
            self._ended.add(event.supersedes)
        if event.action == "label" and event.event_id not in self._ended:
            key = event.key
            same = self.of_key(key)
            if same is not None:
                if same.ts_utc > event.ts_utc:
                    return True  # said otherwise since, in a log that was brought together with it
                self._drop(same.event_id)
            self._current[event.event_id] = event
            self._by_key[key] = event.event_id
            self._by_image.setdefault(event.pixel_sha256, {})[event.event_id] = event
        return True

    def get(self, event_id: str) -> Annotation | None:
        """Any event, current or not."""
        return self._by_id.get(event_id)

    def is_current(self, event_id: str) -> bool:
        """True for what was neither replaced nor taken back."""
        return event_id in self._current

    def current(self) -> list[Annotation]:
        """What holds now, oldest first."""
        return list(self._current.values())

    def of_key(self, key: Key) -> Annotation | None:
        """What one person says of one thing now."""
        event_id = self._by_key.get(key)
        return None if event_id is None else self._current[event_id]

    def for_image(self, pixel_sha256: str) -> list[Annotation]:
        """What anybody says of a picture now, oldest first."""
        return list(self._by_image.get(pixel_sha256, {}).values())

    def before(self, row: Annotation) -> Annotation | None:
        """What the same person said before, steps already taken back not counted."""
        chain: list[Annotation] = []
        step: Annotation | None = row
        while step is not None and step.action == "label" and step.key == row.key:
            chain.append(step)
            step = self.get(step.supersedes) if step.supersedes else None
        statements: list[Annotation] = []
        for step in reversed(chain):
            if len(statements) > 1 and _same_words(step, statements[-2]):
                statements.pop()  # it is a copy that an undo made
            else:
                statements.append(step)
        return statements[-2] if len(statements) > 1 else None

    def __len__(self) -> int:
        return len(self._current)

    def _drop(self, event_id: str) -> None:
        gone = self._current.pop(event_id, None)
        if gone is None:
            return
        del self._by_key[gone.key]
        of_image = self._by_image[gone.pixel_sha256]
        del of_image[event_id]
        if not of_image:
            del self._by_image[gone.pixel_sha256]


def _same_words(first: Annotation, second: Annotation) -> bool:
    same = dataclasses.replace(
        first, event_id=second.event_id, supersedes=second.supersedes, ts_utc=second.ts_utc
    )
    return same == second
