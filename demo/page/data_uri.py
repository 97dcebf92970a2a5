"""Pictures inside answers, as data URIs: nothing to fetch, nothing left behind on the server."""

from __future__ import annotations

import base64
import io
from typing import Any, Literal

import numpy as np
from PIL import Image


def data_uri(
    picture: Image.Image | np.ndarray, kind: Literal["jpeg", "png"] = "jpeg", **options: Any
) -> str:
    """A picture, (H, W, 3) uint8 or Pillow's, as a data URI; PNG keeps every pixel as it is.

    `options` go to Pillow's encoder, e.g. `quality`, which is 90 for JPEG unless given.
    """
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    if kind == "jpeg":
        options = {"quality": 90, **options}
    buffer = io.BytesIO()
    picture.save(buffer, format=kind.upper(), **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
