"""From an annotation to its picture, wherever this server may read it.

Tried in this order: the copy kept with the annotations, the data folders and the folders in them,
the folders of listed runs, the bundled examples, the benchmark set that is drawn. Only pixels with
the hash that was judged are taken, so another picture of the same name is never shown.
"""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from adaclip.annotations.pictures import PictureFinder
from adaclip.annotations.store import Annotation
from adaclip.errors import AdaClipError, InputError
from adaclip.runs import list_runs
from demo.annotate import words
from demo.batch import BoundedCache
from demo.page import messages
from demo.page.guard import logged
from demo.page.templates import render
from demo.runs.source_images import data_root_of
from demo.services import Services

MOST_AT_ONCE = 24
THUMB_SIDE, PANEL_SIDE = 120, 640
_CACHE_BYTES = 16 << 20


class AnnotationPictures:
    """One per page. What is asked for is an annotation's id, never a path."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._thumbs: BoundedCache[str, str] = BoundedCache(_CACHE_BYTES, len)

    def roots(self) -> list[Path]:
        """Folders in which pictures may lie: all that this server may show, each once."""
        services = self._services
        found = [*services.data_roots]
        for run in list_runs(services.run_roots)[0] if services.run_roots else []:
            try:
                found.append(data_root_of(services, run))
            except AdaClipError:
                continue
        return list(dict.fromkeys([*found, services.examples_folder]))

    def finder(self) -> PictureFinder:
        """What finds pictures in the folders as they are now."""
        return PictureFinder(self._services.annotation_store, self.roots())

    def pixels(self, row: Annotation, finder: PictureFinder | None = None) -> np.ndarray:
        """(H, W, 3) uint8 RGB of an annotation's picture. Raises InputError that says why not."""
        finder = finder or self.finder()
        found = finder.read([row])
        if found is not None:
            return found
        if self._services.annotation_store.has_image(row.pixel_sha256):
            raise InputError(words.KEPT_DAMAGED)
        if any(True for _ in finder.places(row)):
            raise InputError(words.changed_picture(row.rel_path))
        raise InputError(words.NO_PICTURE)

    def panel(self, rows: Sequence[Annotation]) -> Markup:
        """The picture of some annotations of it, with the regions drawn; or why there is none."""
        try:
            pixels = self.pixels(rows[-1])
        except AdaClipError as error:
            return render("annotate_panel", problem=str(error), regions=[], name="")
        regions = []
        for row in rows:
            try:
                mask = self._services.annotation_store.mask(row)
            except AdaClipError:
                continue  # `annotations check` reports a damaged mask
            if mask is not None and mask.any():
                regions.append({"src": _region(mask), "who": row.annotator})
        return render(
            "annotate_panel",
            problem="",
            name=rows[-1].rel_path,
            src=_jpeg(pixels, PANEL_SIDE),
            width=pixels.shape[1],
            height=pixels.shape[0],
            regions=regions,
        )

    def thumbs(self, asked: Any) -> dict[str, dict[str, str]]:
        """[event id, ...] -> {event id: {"src": data URI} or {"error": why not}}."""
        if not isinstance(asked, list) or len(asked) > MOST_AT_ONCE:
            return {}
        finder = functools.cache(self.finder)  # only where a thumbnail is not known yet
        return {str(event): self._thumb(event, finder) for event in asked}

    def _thumb(self, event_id: Any, finder: Callable[[], PictureFinder]) -> dict[str, str]:
        try:
            row = (
                self._services.annotation_store.get(event_id) if isinstance(event_id, str) else None
            )
            if row is None:
                raise InputError(words.UNKNOWN_ROW)
            known = self._thumbs.get(row.pixel_sha256)
            if known is None:
                known = _jpeg(self.pixels(row, finder()), THUMB_SIDE)
                self._thumbs.put(row.pixel_sha256, known)
            return {"src": known}
        except AdaClipError as error:
            return {"error": str(error)}
        except Exception:  # nothing that is raised here would be seen
            return {"error": messages.unexpected(logged())}


def folders(services: Services) -> list[Path]:
    """The allow-listed folders that are there, and the folders directly in them."""
    found: list[Path] = []
    for root in services.data_roots:
        try:
            inner = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."]
        except OSError:
            continue
        found += [root, *(p for p in inner if p.resolve().is_relative_to(root.resolve()))]
    return found


def _jpeg(pixels: np.ndarray, side: int) -> str:
    """A data URI, at most `side` on the longer side."""
    small = Image.fromarray(pixels)
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _region(mask: np.ndarray) -> str:
    """Red where the region is, nothing elsewhere, as a data URI."""
    grey = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    grey.thumbnail((PANEL_SIDE, PANEL_SIDE))
    paint = Image.new("RGBA", grey.size, (229, 57, 53, 0))
    paint.putalpha(grey.point(lambda level: level * 150 // 255))
    buffer = io.BytesIO()
    paint.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
