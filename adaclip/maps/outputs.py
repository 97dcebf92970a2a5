"""Files written for each judged image: a margin map and an overlay, side by side in one folder."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np

from adaclip.errors import InputError
from adaclip.maps import rendering
from adaclip.storage.atomic import write_bytes
from adaclip.text import printable
from adaclip.types import Detection

_MARGIN_SUFFIX = "_margin.npy"
_OVERLAY_SUFFIX = "_overlay.png"
# File systems allow names of 255 bytes; this leaves room for a counter and a suffix.
_MAX_STEM_BYTES = 200


class UniqueStems:
    """Hands out file-name stems that are safe and never twice the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, name: str) -> str:
        """The stem of the file name `name` where it is safe and free, else the like of it."""
        stem = plain = safe_stem(name)
        count = 1
        # Some file systems take names that differ only in case for the same.
        while stem.casefold() in self._taken:
            count += 1
            stem = f"{plain}_{count}"
        self._taken.add(stem.casefold())
        return stem


class OutputFolder:
    """Writes into one folder, under names that neither collide nor lead out of it.

    Within one run: a later run with the same files replaces what the earlier one wrote.
    """

    def __init__(self, folder: Path) -> None:
        """Raises InputError when there is a file in the folder's place."""
        if folder.exists() and not folder.is_dir():
            raise InputError(f"the output folder {folder} is a file; name a folder")
        self._folder = folder
        self._stems = UniqueStems()

    def save(self, source: Path, pixels: np.ndarray, detection: Detection) -> dict[str, str]:
        """Write the margin map (H, W) float32 and the overlay PNG of the image `source`.

        Returns their paths as "margin_map" and "overlay". Raises StoreError.
        """
        stem = self._stems.new(source.name)
        margin_path = self._folder / (stem + _MARGIN_SUFFIX)
        overlay_path = self._folder / (stem + _OVERLAY_SUFFIX)
        picture = rendering.overlay(pixels, detection.anomaly_map)
        write_bytes(margin_path, rendering.margin_to_npy(detection.margin_map))
        write_bytes(overlay_path, rendering.image_to_png(picture))
        return {"margin_map": str(margin_path), "overlay": str(overlay_path)}


def safe_stem(name: str) -> str:
    """A file name's stem that any file system takes: no separators, no control characters."""
    stem = unicodedata.normalize("NFC", printable(Path(name).stem))
    stem = re.sub(r'[<>:"/\\|?*]', "_", stem).strip(". ")
    return stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore") or "image"


def is_written_overlay(path: Path) -> bool:
    """True for an overlay that lies beside its margin map: our output, not a photo to judge."""
    stem = path.name.removesuffix(_OVERLAY_SUFFIX)
    return stem != path.name and path.with_name(stem + _MARGIN_SUFFIX).exists()
