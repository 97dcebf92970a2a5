"""Pictures of a run for the browser: thumbnails, and one image with its map and its mask.

They travel inside answers, as data URIs: no path is ever served, and none is taken from a
browser. What is asked for must be a row of a run that is listed.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adaclip.data.registry import spoken
from adaclip.errors import AdaClipError, DatasetError, InputError
from adaclip.maps.rendering import overlay
from adaclip.runs.results import Run
from adaclip.storage.cache import BoundedCache
from adaclip.types import resize_map
from demo.page import messages
from demo.page.data_uri import data_uri
from demo.page.guard import logged
from demo.page.messages import TIMES
from demo.runs.library import Library
from demo.runs.source_images import data_root_of, run_map, run_picture
from demo.services import Services
from demo.visitor.detect import detect
from demo.visitor.pictures import PREVIEW_SIDE

MOST_AT_ONCE = 24
SIDE = 200
OPACITY = 0.6
_CACHE_BYTES = 32 << 20
KINDS = ("image", "map", "mask", "exact")


class BenchmarkPictures:
    """One per page. Handlers answer with what to show, or with a sentence that says why not."""

    def __init__(self, services: Services, library: Library) -> None:
        self._services, self.library = services, library
        self._thumbnails: BoundedCache[tuple, str] = BoundedCache(_CACHE_BYTES, len)
        self._one = threading.Lock()

    def thumbs(self, asked: Any) -> dict[str, dict[str, str]]:
        """{"run": id, "paths": [...]} -> {path: {"src": data URI} or {"error": why not}}."""
        paths = asked.get("paths") if isinstance(asked, dict) else None
        if not isinstance(paths, list) or len(paths) > MOST_AT_ONCE:
            return {}
        return {str(path): _told(functools.partial(self._thumb, asked, path)) for path in paths}

    def look(self, asked: Any) -> dict[str, str]:
        """{"run": id, "image": path, "kind": "image", "map" or "mask"} -> src and caption."""
        return _told(functools.partial(self._look, asked))

    def _thumb(self, asked: Mapping[str, Any], path: Any) -> dict[str, str]:
        run, row = self._row(asked.get("run"), path)
        key = (run.folder, row["rel_path"])
        known = self._thumbnails.get(key)
        if known is None:
            picture = Image.fromarray(self._pixels(run, row))
            picture.thumbnail((SIDE, SIDE), reducing_gap=2.0)
            known = data_uri(picture, quality=82, subsampling=0)
            self._thumbnails.put(key, known)
        return {"src": known}

    def _look(self, asked: Any) -> dict[str, str]:
        if not isinstance(asked, dict) or asked.get("kind") not in KINDS:
            raise InputError(messages.UNKNOWN_VALUE)
        run, row = self._row(asked.get("run"), asked.get("image"))
        if asked["kind"] == "mask":
            return self._mask(run, row)
        pixels = self._pixels(run, row)
        if asked["kind"] == "exact":
            return {"src": data_uri(pixels, "png")}
        if asked["kind"] == "image":
            height, width = pixels.shape[:2]
            return {
                "src": data_uri(_shrunk(pixels), subsampling=0),
                "caption": f"{width} {TIMES} {height} px",
            }
        small = _shrunk(pixels)
        values, caption = self._map(run, row, pixels)
        values = resize_map(values, small.shape[:2])
        return {
            "src": data_uri(overlay(small, values, opacity=OPACITY), subsampling=0),
            "caption": caption,
        }

    def _row(self, run_id: Any, path: Any) -> tuple[Run, Mapping[str, Any]]:
        """A listed run's row. Raises InputError."""
        run = self.library.holdings().runs.get(str(run_id))
        if run is None:
            raise InputError(messages.UNKNOWN_VALUE)
        scores = self.library.book.scores(run)
        places = scores.drawn.get("places")
        if places is None:
            places = {path: at for at, path in enumerate(scores.frame["rel_path"])}
            scores.drawn["places"] = places
        if not isinstance(path, str) or path not in places:
            raise InputError(messages.UNKNOWN_VALUE)
        return run, scores.frame.iloc[places[path]].to_dict()

    def pixels(self, run_id: Any, path: Any) -> tuple[np.ndarray, Mapping[str, Any]]:
        """(H, W, 3) uint8 of a run's image, and its row. Raises AdaClipError."""
        run, row = self._row(run_id, path)
        return self._pixels(run, row), row

    def _pixels(self, run: Run, row: Mapping[str, Any]) -> np.ndarray:
        return run_picture(self._services, run, str(row["rel_path"]))[0]

    def _map(self, run: Run, row: Mapping[str, Any], pixels: np.ndarray) -> tuple[np.ndarray, str]:
        """(S, S) 0-1 and where it comes from. Raises AdaClipError when there is none."""
        kept = run_map(run, row)
        if kept is not None:
            return kept, "kept by the run"
        info = self._services.checkpoint(run.checkpoint)
        if not info.present:
            raise InputError(
                f"The run kept no maps, and {info.title} is not on this machine to make one."
            )
        with self._one:  # of several visitors' at a time
            found = detect(self._services, info, pixels, spoken(str(row["class_name"])))
        return found.model_anomaly_map, "computed now"

    def _mask(self, run: Run, row: Mapping[str, Any]) -> dict[str, str]:
        size = (int(row["height"]), int(row["width"])) if row["error"] == "" else None
        if not row["anomalous"]:
            raise InputError("Normal: there is nothing to mark.")
        if run.results.synthetic:
            from adaclip.synthetic import benchmark_set

            mask = benchmark_set.draw(str(row["rel_path"])).mask
        else:
            mask = self._stored_mask(run, row, size)
        share = 100.0 * float(mask.mean())
        grey = _shrunk(np.repeat((mask * np.uint8(255))[:, :, None], 3, axis=2))
        return {"src": data_uri(grey, "png"), "caption": f"{share:.2g} % of the picture"}

    def _stored_mask(
        self, run: Run, row: Mapping[str, Any], size: tuple[int, int] | None
    ) -> np.ndarray:
        from adaclip.data.sample import read_mask

        dataset = (
            run.results.dataset if run.results.dataset in self.library.holdings().cards else None
        )
        sample = _samples(data_root_of(self._services, run), dataset).get(str(row["rel_path"]))
        if sample is None:
            raise DatasetError("The picture is no longer in its folder.")
        mask = read_mask(sample, size) if size is not None else None
        if mask is None:
            raise DatasetError("The dataset has no mask for it.")
        return mask


@functools.lru_cache(maxsize=4)
def _samples(root: Path, dataset: str | None) -> dict[str, Any]:
    """rel_path -> Sample of a dataset's folder; an own folder is recognised by its tree."""
    from adaclip.data.samples import load_samples

    return {sample.rel_path: sample for sample in load_samples(root, dataset)}


def _told(make: Any) -> dict[str, str]:
    """What `make` gives; its error as a sentence. Nothing is raised: nobody would see it."""
    try:
        return make()
    except AdaClipError as error:
        return {"error": str(error)}
    except Exception:
        return {"error": messages.unexpected(logged())}


def _shrunk(pixels: np.ndarray) -> np.ndarray:
    """At most PREVIEW_SIDE on the longer side."""
    if max(pixels.shape[:2]) <= PREVIEW_SIDE:
        return pixels
    picture = Image.fromarray(pixels)
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(picture)
