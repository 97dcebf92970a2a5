"""A picture under review, with what was predicted over it."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from adaclip.maps.regions import anomaly_mask
from adaclip.maps.rendering import draw_contours, overlay
from adaclip.types import resize_map
from demo.annotate.view import esc
from demo.flag.flagging import Subject

_STAGE_SIDE = 1200


_OPACITY = 0.55


def stage_html(subject: Subject, *, blind: bool = False) -> str:
    """The picture, and over it what was predicted; the browser shows and hides the second."""
    pixels = subject.pixels()
    picture = Image.fromarray(pixels)
    picture.thumbnail((_STAGE_SIDE, _STAGE_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small = np.asarray(picture)
    name = esc(subject.name)
    base = f'<img class="photo" src="{_jpeg(small)}" alt="{name}">'
    values = None if blind else subject.anomaly_map()
    if values is None:
        return f'<div class="look plain">{base}</div>'
    fitted = resize_map(values, (small.shape[0], small.shape[1]))
    seen = overlay(small, fitted, opacity=_OPACITY)
    if subject.map_threshold is not None:
        seen = draw_contours(seen, anomaly_mask(fitted, subject.map_threshold))
    over = f'<img class="heat" src="{_jpeg(seen)}" alt="{name}, with what was predicted">'
    return f'<div class="look">{base}{over}</div>'


def _jpeg(pixels: np.ndarray) -> str:
    """A data URI: nothing to fetch, nothing left behind on the server."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
