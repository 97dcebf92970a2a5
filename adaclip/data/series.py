"""Pictures of one object, taken with one camera: more than 8 bits become 8 the same way in all.

Only then are their scores comparable. Nothing is read before the first such picture is met.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from adaclip.data.images import deep_of
from adaclip.data.levels import Deep, GreyRange, Levels, grey_range, pooled, survey
from adaclip.data.sample import Sample
from adaclip.errors import ImageError

# So many pictures decide, taken at even distances: reading all of them twice would take long.
LOOKED_AT = 24


class Series:
    """The one range of grey levels of a list of files, found when it is first asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        step = max(1, -(-len(paths) // LOOKED_AT))
        self._paths = paths[::step]
        self._lock = threading.Lock()
        self._ranges: dict[str, GreyRange] | None = None

    def range_for(self, deep: Deep) -> GreyRange | None:
        """What becomes black and white in pictures like this one; None where it decides itself."""
        if len(self._paths) < 2:
            return None
        with self._lock:
            if self._ranges is None:
                self._ranges = self._survey()
        return self._ranges.get(deep.kind)

    def _survey(self) -> dict[str, GreyRange]:
        found: dict[str, list[Levels]] = {}
        for path in self._paths:
            try:
                deep = deep_of(path)
            except ImageError:  # whoever reads it will say so
                continue
            if deep is not None and deep.window is None:
                found.setdefault(deep.kind, []).append(survey(deep))
        return {
            kind: _of_series(grey_range(pooled(parts)), len(parts))
            for kind, parts in found.items()
            if len(parts) > 1
        }


def series_of_classes(samples: Iterable[Sample]) -> dict[str, Series]:
    """The series of every class name: pictures of one object."""
    paths: dict[str, list[Path]] = {}
    for sample in samples:
        paths.setdefault(sample.class_name, []).append(sample.image_path)
    return {name: Series(found) for name, found in paths.items()}


def _of_series(found: GreyRange, count: int) -> GreyRange:
    words = f"{found.words} (as in the whole series, by {count} of its pictures)"
    return GreyRange(low=found.low, high=found.high, words=words, no_data=found.no_data)
