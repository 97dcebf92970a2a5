"""Where the picture of an annotation is: kept in the store, below a data folder, or drawn.

A store remembers the data folders its page was started with, so that an export from the command
line finds the same pictures.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from adaclip.annotations.record import Annotation
from adaclip.annotations.store import AnnotationStore
from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.data.images import pixel_sha256, read_image
from adaclip.errors import AdaClipError
from adaclip.storage.atomic import write_bytes
from adaclip.synthetic import benchmark_set
from adaclip.text import leads_out

ROOTS_NAME = "data_roots.json"
NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
NOT_FOUND = (
    "its picture was not kept and is in no data folder known here: name the folder with --data-root"
)
_MOST_ROOTS = 50


def remember_roots(store: AnnotationStore, roots: Iterable[Path]) -> None:
    """Write down, beside the CSV, the data folders in which judged pictures lie.

    Newest first. A folder that cannot be written is no error: exports then ask for --data-root.
    """
    named = [str(root.resolve()) for root in roots]
    known = [str(root) for root in remembered_roots(store)]
    merged = list(dict.fromkeys([*named, *known]))[:_MOST_ROOTS]
    if merged != known:
        with suppress(AdaClipError):
            write_bytes(store.folder / ROOTS_NAME, json.dumps(merged, indent=1).encode())


def remembered_roots(store: AnnotationStore) -> tuple[Path, ...]:
    """The data folders written down by `remember_roots`; none where the file is missing or odd."""
    try:
        listed = json.loads((store.folder / ROOTS_NAME).read_bytes())
    except (OSError, ValueError):
        return ()
    texts = listed if isinstance(listed, list) else []
    return tuple(Path(text) for text in texts if isinstance(text, str) and "\0" not in text)


class PictureFinder:
    """Finds judged pictures in a store and in data folders; one per export.

    A picture counts as found only where its pixels have the hash that was judged.
    """

    def __init__(self, store: AnnotationStore, data_roots: Sequence[Path] = ()) -> None:
        """`data_roots` and the folders directly in them are what `rel_path` may start from."""
        self._store = store
        self._roots = [os.path.realpath(root) for root in data_roots]
        self._inner = {root: _folders_in(root) for root in self._roots}

    def read(self, rows: Iterable[Annotation]) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB of the first row whose picture can be read; None: of none."""
        for row in rows:
            with suppress(AdaClipError, OSError):  # another row, or a folder, may have it
                kept = self._store.image(row.pixel_sha256)
                if kept is not None and pixel_sha256(kept) == row.pixel_sha256:
                    return kept
                if row.dataset == SYNTHETIC_KEY and row.rel_path:
                    drawn = benchmark_set.draw(row.rel_path).image
                    if pixel_sha256(drawn) == row.pixel_sha256:
                        return drawn
            for path in self.places(row):
                with suppress(AdaClipError):
                    pixels = read_image(path)
                    if pixel_sha256(pixels) == row.pixel_sha256:
                        return pixels
        return None

    def has(self, rows: Iterable[Annotation]) -> bool:
        """Whether `read` would find a picture; kept ones are not opened, files read only once."""
        for row in rows:
            if self._store.has_image(row.pixel_sha256):
                return True
            if row.dataset == SYNTHETIC_KEY and _drawn_sha256(row.rel_path) == row.pixel_sha256:
                return True
            for path in self.places(row):
                with suppress(AdaClipError, OSError):
                    facts = path.stat()
                    known = _file_pixels(path, facts.st_mtime_ns, facts.st_size)
                    if known == row.pixel_sha256:
                        return True
        return False

    def places(self, row: Annotation) -> Iterator[Path]:
        """Files that may be the picture; never one outside the data folders, links included."""
        if not row.rel_path or leads_out(row.rel_path):
            return
        for root in self._roots:
            named = os.path.join(root, NOT_IN_NAMES.sub("_", row.dataset))
            for base in dict.fromkeys((root, named, *self._inner[root])):
                path = Path(base, row.rel_path)
                if path.is_file() and Path(os.path.realpath(path)).is_relative_to(root):
                    yield path


def _folders_in(root: str) -> list[str]:
    """The folders directly in one, as a review of a server folder offers them."""
    try:
        with os.scandir(root) as entries:
            return sorted(e.path for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []


@functools.lru_cache(maxsize=20_000)
def _file_pixels(path: Path, _modified: int, _size: int) -> str:
    return pixel_sha256(read_image(path))


@functools.lru_cache(maxsize=2000)
def _drawn_sha256(rel_path: str) -> str:
    try:
        return pixel_sha256(benchmark_set.draw(rel_path).image)
    except AdaClipError:
        return ""
