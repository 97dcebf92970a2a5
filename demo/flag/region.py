"""A region drawn by hand: what the browser starts to draw with, and the mask that comes back.

Both ways it is COCO's compressed run lengths at the picture's own size, which is at most
`adaclip.config.MAX_IMAGE_PIXELS`; nothing is scaled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adaclip.annotations.masks import mask_of_rle, rle_text
from adaclip.errors import InputError, StoreError
from adaclip.maps.regions import anomaly_mask
from adaclip.types import resize_map
from demo.flag import words as flag_words

if TYPE_CHECKING:
    from demo.flag.flagging import Subject

# Characters of run lengths; a page full of scribble over 12 megapixels has a tenth of it.
MAX_COUNTS = 2_000_000


def start_of(subject: Subject, mask: np.ndarray | None, *, blind: bool = False) -> dict[str, Any]:
    """What drawing starts with: whose region, its size, and the run lengths.

    The stored `mask`, else the predicted region; nothing of the prediction while `blind`. Raises
    AdaClipError.
    """
    if mask is None:
        mask = np.zeros(subject.size, dtype=bool) if blind else predicted_mask(subject)
    height, width = subject.size
    return {"subject": subject.id, "width": width, "height": height, "counts": rle_text(mask)}


def predicted_mask(subject: Subject) -> np.ndarray:
    """(H, W) bool of what the model marked, as it is shown; empty when its map was not kept."""
    values = subject.anomaly_map()
    if values is None or subject.map_threshold is None:
        return np.zeros(subject.size, dtype=bool)
    fitted = resize_map(values, subject.size)
    return anomaly_mask(fitted, subject.map_threshold, subject.min_area_px)


def mask_of(sent: Any, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of what a browser sent as drawn on a picture of `size`. Raises InputError.

    One of another size is refused, never stretched, and before it is unpacked.
    """
    counts = sent.get("counts") if isinstance(sent, dict) else None
    if not isinstance(counts, str):
        raise InputError(flag_words.UNREADABLE_REGION)
    given = (sent.get("height"), sent.get("width"))
    if given != size:
        raise InputError(flag_words.wrong_size(given, size))
    if len(counts) > MAX_COUNTS:
        raise InputError(flag_words.region_too_large(len(counts), MAX_COUNTS))
    try:
        return mask_of_rle(counts, size)
    except StoreError as error:
        raise InputError(flag_words.UNREADABLE_REGION) from error
