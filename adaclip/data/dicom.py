"""Medical pictures, through pydicom, which is optional (`adaclip-studio[formats]`).

Rescaling and the file's own window are applied, MONOCHROME1 and palettes are read as meant, the
first of several frames is taken, padding counts as no data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

import numpy as np

from adaclip.data.kinds import EXTRA
from adaclip.data.levels import Deep
from adaclip.errors import ImageError
from adaclip.text import printable

_EXPORT = "or export it as 16-bit PNG or TIFF"


def read(
    file: IO[bytes], name: str, check_size: Callable[[int, int, str], None]
) -> tuple[Deep, tuple[str, ...]]:
    """The first frame's values and notes; (H, W, 3) uint8 for colour. Raises ImageError."""
    try:
        import pydicom
    except ImportError as error:
        raise ImageError(
            f"{name}: is a DICOM file, which is read with an optional library: {EXTRA}; {_EXPORT}"
        ) from error
    try:
        header = pydicom.dcmread(file)
        if "PixelData" not in header:
            raise ImageError(f"{name}: is a DICOM file without a picture; give one that has one")
        check_size(int(header.Columns), int(header.Rows), name)
        return _first_frame(header)
    except ImageError:
        raise
    # pydicom answers damaged files and missing decoders with errors of many types.
    except Exception as error:
        reason = printable(str(error).strip().split("\n")[0][:120])
        raise ImageError(
            f"{name}: is a DICOM file that cannot be decoded ({reason}); save it uncompressed, "
            f"{_EXPORT}"
        ) from error


def _first_frame(header: Any) -> tuple[Deep, tuple[str, ...]]:
    from pydicom.pixels import apply_modality_lut, pixel_array
    from pydicom.pixels.processing import apply_color_lut

    count = int(header.get("NumberOfFrames", 1) or 1)
    notes = [f"first of {count} frames"] if count > 1 else []
    frame = pixel_array(header, index=0)
    photometric = str(header.get("PhotometricInterpretation", "MONOCHROME2"))
    bits = int(header.get("BitsStored", 16))
    if photometric == "PALETTE COLOR":
        frame = apply_color_lut(frame, header)
        bits = 8 * frame.dtype.itemsize
    if frame.ndim == 3:
        colour = frame if frame.dtype == np.uint8 else (frame >> max(0, bits - 8)).astype(np.uint8)
        return Deep(values=colour, words="DICOM colour"), (*notes, "DICOM colour")
    padding = header.get("PixelPaddingValue")
    values = np.asarray(apply_modality_lut(frame, header), np.float64)
    signed = bool(header.get("PixelRepresentation", 0))
    if padding is not None:
        values = np.where(frame == padding, np.nan, values)
    window = _window(header)
    rescaled = header.get("RescaleSlope", 1) != 1 or header.get("RescaleIntercept", 0) != 0
    deep = Deep(
        values=values if padding is not None or rescaled or window else frame,
        words=f"DICOM, {bits}-bit",
        bits=None if signed or rescaled else bits,
        window=window,
        inverted=photometric == "MONOCHROME1",
    )
    return deep, tuple(notes)


def _window(header: Any) -> tuple[float, float] | None:
    """Black and white of the file's first window."""
    centre, width = header.get("WindowCenter"), header.get("WindowWidth")
    if centre is None or width is None:
        return None
    # Several windows may be offered; the first is the default.
    middle, wide = (
        float(each[0] if hasattr(each, "__len__") else each) for each in (centre, width)
    )
    return (middle - wide / 2, middle + wide / 2) if wide >= 1 else None
