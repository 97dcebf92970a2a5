"""A mask file becomes True and False; what is guessed on the way is said.

A pixel is a defect where its brightest channel is above 0, or above 127 in a JPEG, whose black is
not clean. Where that would call every pixel a defect, or none, a mask may mean something else:

- a shape that is only in the transparency: what can be seen is the defect;
- no black at all, and one colour on more than half of the picture, as white paper or index 0 of
  a palette: that colour is the background.

EXIF orientation is applied, as it is to pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from adaclip.config import MAX_IMAGE_PIXELS
from adaclip.data.decoding import UPRIGHT, orientation_in, quiet_pillow
from adaclip.errors import DatasetError
from adaclip.text import printable

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
# A JPEG cannot hold a clean mask: its black is 0 to a few levels, its white 250 to 255.
JPEG_ABOVE = 127
# A mask of labels has few colours; one with more is a picture, or has soft edges.
_MOST_LABELS = 16


# For --help.
MASK_RULE = (
    "A pixel of a mask is a defect where its brightest channel is above 0, in a JPEG above 127: "
    "black is normal, any grey or colour is a defect."
)


@dataclass(frozen=True, kw_only=True)
class MaskReading:
    """(H, W) bool, the EXIF orientation that was applied, and what was guessed, "" if nothing."""

    mask: np.ndarray
    orientation: int = 1
    guess: str = ""


def read_mask_file(path: Path, *, above: int | None = None, name: str = "") -> MaskReading:
    """One mask file, cut at `above` of 0-255; None is 0, and JPEG_ABOVE for JPEG files.

    Raises DatasetError, which calls it `name`, or else by its path.
    """
    shown = printable(name or str(path))
    try:
        with quiet_pillow(), Image.open(path, formats=_FORMATS) as file:
            if file.width * file.height > MAX_IMAGE_PIXELS:
                raise DatasetError(
                    f"{shown}: the mask has {file.width * file.height / 1e6:.0f} megapixels, "
                    f"more than the {MAX_IMAGE_PIXELS / 1e6:.0f} that are read"
                )
            if above is None:
                above = JPEG_ABOVE if file.format in ("JPEG", "MPO") else 0
            stored = orientation_in(file)
            file.load()
            # Pillow turns TIFFs by itself while loading and drops the tag.
            turn = UPRIGHT.get(orientation_in(file))
            upright = file if turn is None else file.transpose(turn)
            mask, guess = _marked(upright, above)
            return MaskReading(mask=mask, orientation=stored, guess=guess)
    except DatasetError:
        raise
    except UnidentifiedImageError as error:  # whose words name the folders above
        raise _unreadable(shown, "it is no picture") from error
    # Pillow's decoders answer damaged data with errors of a dozen types.
    except Exception as error:
        raise _unreadable(shown, getattr(error, "strerror", None) or str(error)) from error


def _unreadable(shown: str, reason: str) -> DatasetError:
    return DatasetError(
        f"{shown}: the mask cannot be read ({printable(reason)}); put back the dataset's own file"
    )


def _marked(file: Image.Image, above: int) -> tuple[np.ndarray, str]:
    """Defect pixels, and what was guessed."""
    if file.mode in ("I", "F") or file.mode.startswith("I;16"):
        values = np.asarray(file)
        return _of_labels(values > above, values[..., None])
    colours = np.asarray(file.convert("RGBA" if file.has_transparency_data else "RGB"))
    mask = colours[..., :3].max(-1) > above
    if colours.shape[2] == 4 and (colours[..., 3] != colours[0, 0, 3]).any():
        seen = colours[..., 3] > 0
        if not (mask & seen).any() or (
            mask[seen].all() and (colours == colours[0, 0])[..., :3].all()
        ):
            return seen, "its shape is only in the transparency, so what can be seen was marked"
        if not seen.all():
            return mask & seen, ""
    if file.mode in ("1", "L"):
        return _of_labels(mask, colours[..., :1])
    return _of_labels(mask, colours[..., :3])


def _of_labels(mask: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, str]:
    """The mask itself, or, where it has no black at all, what differs from the commonest colour."""
    if not mask.all() or mask.size == 0:
        return mask, ""
    flat = colours.reshape(-1, colours.shape[2])
    first = flat[0]
    if (flat == first).all():
        return mask, ""
    found, counts = np.unique(flat[:: max(1, flat.shape[0] >> 20)], axis=0, return_counts=True)
    most = int(counts.argmax())
    if len(found) > _MOST_LABELS or counts[most] * 2 <= counts.sum():
        return mask, ""
    background = found[most]
    named = ", ".join(f"{value:g}" for value in dict.fromkeys(background.tolist()))
    return (colours != background).any(-1), (
        f"it has no black, so its commonest level ({named}) was read as background"
    )
