"""A picture under review, with what was predicted over it."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from adaclip.maps.regions import anomaly_mask
from adaclip.maps.rendering import draw_contours, overlay
from adaclip.types import resize_map
from demo.flag.flagging import Subject
from demo.page.templates import Markup, render

_STAGE_SIDE = 1200
_OPACITY = 0.55


def stage_html(subject: Subject, *, blind: bool = False) -> Markup:
    """The picture, and over it what was predicted; the browser shows and hides the second."""
    pixels = subject.pixels()
    picture = Image.fromarray(pixels)
    picture.thumbnail((_STAGE_SIDE, _STAGE_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small = np.asarray(picture)
    values = None if blind else subject.anomaly_map()
    heat = ""
    if values is not None:
        fitted = resize_map(values, (small.shape[0], small.shape[1]))
        seen = overlay(small, fitted, opacity=_OPACITY)
        if subject.map_threshold is not None:
            least = round(subject.min_area_px * small.size / pixels.size)
            seen = draw_contours(seen, anomaly_mask(fitted, subject.map_threshold, least))
        heat = _jpeg(seen)
    return render("annotate_stage", name=subject.name, photo=_jpeg(small), heat=heat)


def _jpeg(pixels: np.ndarray) -> str:
    """A data URI: nothing to fetch, nothing left behind on the server."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
