"""From a picture and its detection to what is looked at: previews, thumbnails, views."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from adaclip.data.images import load_image, pixel_sha256
from adaclip.errors import ImageError, StoreError
from adaclip.maps.regions import Region, anomaly_mask, find_regions
from adaclip.maps.rendering import draw_contours, heat_map, overlay
from adaclip.types import Detection, resize_map
from demo.batch import Batch, Item, ResultStore
from demo.look import Look
from demo.page import messages
from demo.page.data_uri import data_uri

PREVIEW_SIDE = 1400
THUMBNAIL_SIDE = 96
_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 92, "subsampling": 0}
_NUMBERED_REGIONS = 9


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The anomalous part of one picture at one map threshold, at the picture's own size."""

    mask: np.ndarray  # (H, W) bool
    regions: tuple[Region, ...]


def open_picture(item: Item, folder: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an item; its size, notes, thumbnail and preview are filled in.

    Raises ImageError or StoreError.
    """
    if not item.path.is_file():
        raise ImageError(f"{item.name}: {messages.FILE_GONE}")
    loaded = load_image(item.path, name=item.name)
    if item.preview is None or not item.preview.is_file():
        picture = Image.fromarray(loaded.pixels)
        item.size, item.notes = (picture.height, picture.width), loaded.notes
        item.thumbnail = thumbnail(picture)
        item.pixel_sha256 = pixel_sha256(loaded.pixels)
        item.preview = _save_preview(picture, folder, item)
    return loaded.pixels


def thumbnail(picture: Image.Image) -> str:
    """A small JPEG as a data URI: nothing to fetch, nothing to clean up."""
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=2.0)
    return data_uri(small, quality=80)


def min_area_px(percent: float, size: tuple[int, int]) -> int:
    """Pixels of an (H, W) picture that a share of it stands for, rounded up."""
    return math.ceil(percent / 100.0 * size[0] * size[1])


def find(detection: Detection, look: Look) -> Findings:
    """Mask and regions at the picture's own size."""
    anomaly_map = detection.anomaly_map
    least = min_area_px(look.min_area_percent, detection.image_size)
    mask = anomaly_mask(anomaly_map, look.map_threshold, least)
    return Findings(mask=mask, regions=tuple(find_regions(anomaly_map, mask)))


def findings(store: ResultStore, detection: Detection, look: Look) -> Findings:
    """`find`, remembered for the last few questions."""
    key = (id(detection), look.map_threshold, look.min_area_percent)
    known = store.recent.get(key)
    # The detection is kept beside its findings: while it is there its id() is its own.
    if isinstance(known, tuple) and known[0] is detection:
        return known[1]
    found = find(detection, look)
    store.recent.put(key, (detection, found))
    return found


def render(picture: np.ndarray, detection: Detection, found: Findings, look: Look) -> np.ndarray:
    """(h, w, 3) uint8 RGB of `picture`, the photo at any size, as `look` asks for."""
    height, width = picture.shape[:2]
    if look.view in ("mask", "contours"):
        mask = _resize_mask(found.mask, (height, width))
        if look.view == "mask":
            return np.repeat((mask * np.uint8(255))[:, :, None], 3, axis=2)
        return _number(draw_contours(picture, mask), detection.image_size, found.regions)
    values = resize_map(detection.model_anomaly_map, (height, width))
    if look.view == "map":
        return heat_map(values, colour_map=look.colour_map, scale=look.scale)
    return overlay(
        picture, values, opacity=look.opacity, colour_map=look.colour_map, scale=look.scale
    )


def stage_pictures(store: ResultStore, batch: Batch) -> tuple[str, str] | None:
    """Files of the original and the chosen view of the selected picture; None if unreadable.

    Without a detection both are the original. Raises ImageError when the upload is gone.
    """
    item, look = batch.current, batch.look
    if item.error:
        return None
    if item.preview is None or not item.preview.is_file():
        open_picture(item, batch.folder)
    assert item.preview is not None
    original = str(item.preview)
    if item.detection is None:
        return original, original
    with Image.open(item.preview) as file:
        picture = np.asarray(file.convert("RGB"))
    found = findings(store, item.detection, look)
    path = batch.new_picture(look.view)
    Image.fromarray(render(picture, item.detection, found, look)).save(path, **_JPEG)
    return original, str(path)


def _resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Half covered is covered; a region too small for that keeps at least its darkest pixel."""
    if mask.shape == size:
        return mask
    height, width = size
    grey = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    return np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR)) >= 96


def _number(picture: np.ndarray, size: tuple[int, int], regions: tuple[Region, ...]) -> np.ndarray:
    """Write the first regions' numbers, as in the table, beside their boxes."""
    drawn = Image.fromarray(picture)
    pen = ImageDraw.Draw(drawn)
    scale = drawn.height / size[0]
    height = max(11, round(max(drawn.size) / 45))
    font = ImageFont.load_default(size=height)
    for number, region in enumerate(regions[:_NUMBERED_REGIONS], start=1):
        left = min(max(region.box[0] * scale, 2), drawn.width - height)
        top = max(region.box[1] * scale - 1.4 * height, 2)
        pen.text(
            (left, top), str(number), font=font, fill="white", stroke_fill="black", stroke_width=2
        )
    return np.asarray(drawn)


def _save_preview(picture: Image.Image, folder: Path, item: Item) -> Path:
    """At most PREVIEW_SIDE on the longer side; small pictures keep their pixels."""
    small = picture.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    path = folder / f"original-{id(item):x}.jpg"
    part = folder / f"original-{secrets.token_hex(6)}.part"
    try:
        small.save(part, **_JPEG)
        part.replace(path)  # a run and a visitor may want the same picture at once
    except OSError as error:
        raise StoreError(messages.cannot_store(item.name)) from error
    return path
