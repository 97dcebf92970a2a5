"""Anomaly maps as pictures and files: heat maps, overlays, contours, PNG and NPY. numpy and PIL.

Colours stand for absolute values on the "fixed" scale (0-1), so that a normal image looks calm.
"stretch" spreads one map's own range over all colours, which makes faint things visible and
pictures incomparable: its legend has other numbers, and the page must say so.
"""

from __future__ import annotations

import io
from typing import Literal, get_args

import numpy as np
from PIL import Image
from plotly import colors
from scipy import ndimage

from adaclip.errors import InputError

Scale = Literal["fixed", "stretch"]
DEFAULT_COLOUR_MAP = "inferno"

# Rows rendered at a time: 50 megapixels must not become gigabytes of intermediate values.
_STRIP = 256
# The level from which `overlay` covers the photo as much as `opacity` says.
_FULL_COVER = 0.5


def _lookup_table(scale: list[str]) -> np.ndarray:
    """(256, 3) uint8 of evenly spaced plotly colours, interpolated linearly."""
    stops = np.array([_rgb(colour) for colour in scale], dtype=np.float64)
    positions = np.linspace(0.0, len(stops) - 1.0, 256)
    channels = [np.interp(positions, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    table = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    table.flags.writeable = False
    return table


def _rgb(colour: str) -> tuple[float, ...]:
    """0-255 each, of "#rrggbb" or "rgb(r,g,b)"."""
    return colors.hex_to_rgb(colour) if colour.startswith("#") else colors.unlabel_rgb(colour)


# Name -> (256, 3) uint8. The default comes first.
COLOUR_MAPS: dict[str, np.ndarray] = {
    "inferno": _lookup_table(colors.sequential.Inferno),
    "viridis": _lookup_table(colors.sequential.Viridis),
    "jet": _lookup_table(colors.sequential.Jet),
}


def heat_map(
    anomaly_map: np.ndarray, *, colour_map: str = DEFAULT_COLOUR_MAP, scale: Scale = "fixed"
) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an (H, W) map of 0-1. Raises InputError."""
    return _table(colour_map)[_levels(anomaly_map, scale)]


def overlay(
    image: np.ndarray,
    anomaly_map: np.ndarray,
    *,
    opacity: float = 0.5,
    colour_map: str = DEFAULT_COLOUR_MAP,
    scale: Scale = "fixed",
) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the heat map laid over the photo where there is something to see.

    `opacity`, 0-1, is how much of the photo an anomalous pixel hides: 0 is the photo, at 1 an
    anomalous pixel is pure heat colour. Below half the scale the cover fades out, so normal
    areas show the photo itself and not a dark veil. `image` is (H, W, 3) uint8, the map (H, W).
    Raises InputError.
    """
    if not 0.0 <= opacity <= 1.0:
        raise InputError(f"opacity is {opacity}, it must be between 0 and 1")
    _check_same_size(image, anomaly_map.shape)
    table = _table(colour_map)
    levels = _levels(anomaly_map, scale)
    # Both sides of the blend are known per level: 256 x the photo's share, and the heat added.
    ramp = np.clip(np.arange(256) / (255.0 * _FULL_COVER), 0.0, 1.0)
    cover = np.rint(256.0 * opacity * ramp**2 * (3.0 - 2.0 * ramp)).astype(np.uint16)
    kept = (256 - cover)[:, None]
    heat = table.astype(np.uint16) * cover[:, None]
    blended = np.empty_like(image)
    for top in range(0, image.shape[0], _STRIP):
        rows = slice(top, top + _STRIP)
        # 255 x 256 + 128 fits 16 bits; + 128 rounds.
        mixed = image[rows] * kept[levels[rows]] + heat[levels[rows]]
        blended[rows] = (mixed + np.uint16(128)) >> 8
    return blended


def draw_contours(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A copy of (H, W, 3) uint8 `image` with the outline of (H, W) bool `mask` drawn on it.

    White just inside the regions and black just outside, to be seen on any ground; the width
    grows with the image. Raises InputError when the sizes differ.
    """
    _check_same_size(image, mask.shape)
    drawn = image.copy()
    if not mask.any():
        return drawn
    size = 2 * _line_width(image) + 1
    solid = mask.astype(np.uint8)
    # Outside the image counts as normal: a region at the border gets a closed outline.
    core = ndimage.minimum_filter(solid, size=size, mode="constant", cval=0)
    reach = ndimage.maximum_filter(solid, size=size, mode="constant", cval=0)
    drawn[(reach > 0) & ~mask] = 0
    drawn[mask & (core == 0)] = 255
    return drawn


def legend_values(anomaly_map: np.ndarray | None, scale: Scale = "fixed") -> tuple[float, ...]:
    """Five values that the colours stand for, evenly spaced from the first colour to the last.

    The fixed scale needs no map. Raises InputError.
    """
    if scale == "fixed":
        lowest, highest = 0.0, 1.0
    elif anomaly_map is None:
        raise InputError("the legend of a stretched scale needs its anomaly map")
    else:
        lowest, highest = _range(anomaly_map, scale)
    return tuple(float(value) for value in np.linspace(lowest, highest, 5))


def colour_bar(
    colour_map: str = DEFAULT_COLOUR_MAP, *, width: int = 256, height: int = 12
) -> np.ndarray:
    """(height, width, 3) uint8: all colours from lowest to highest, for a legend."""
    steps = np.rint(np.linspace(0, 255, width)).astype(np.intp)
    return np.repeat(_table(colour_map)[steps][None], height, axis=0)


def image_to_png(image: np.ndarray) -> bytes:
    """PNG of (H, W, 3) or (H, W) uint8."""
    return _png(Image.fromarray(image))


def map_to_png16(anomaly_map: np.ndarray) -> bytes:
    """16-bit grey PNG of an (H, W) map: 0-65535 stand for 0-1."""
    values = np.rint(_unit(anomaly_map).astype(np.float64) * 65535.0)
    return _png(Image.fromarray(values.astype(np.uint16)))


def mask_to_png(mask: np.ndarray) -> bytes:
    """8-bit grey PNG of an (H, W) bool mask: 255 is anomalous, 0 normal."""
    return _png(Image.fromarray(mask.astype(np.uint8) * np.uint8(255)))


def margin_to_npy(margin_map: np.ndarray) -> bytes:
    """NPY file of an (H, W) float32 map."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(margin_map, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


def _levels(anomaly_map: np.ndarray, scale: Scale) -> np.ndarray:
    """(H, W) uint8: where each pixel is on the colour scale."""
    lowest, highest = _range(anomaly_map, scale)
    spread = highest - lowest
    if spread <= 0.0:  # a flat map has nothing to stretch
        return np.zeros(anomaly_map.shape, np.uint8)
    return np.rint(_unit((anomaly_map - lowest) / spread) * 255.0).astype(np.uint8)


def _range(anomaly_map: np.ndarray, scale: Scale) -> tuple[float, float]:
    if scale not in get_args(Scale):
        raise InputError(f"unknown scale {scale!r}; there are {', '.join(get_args(Scale))}")
    if anomaly_map.ndim != 2 or anomaly_map.size == 0:
        raise InputError(f"an anomaly map has shape (H, W), this one {anomaly_map.shape}")
    if scale == "fixed":
        return 0.0, 1.0
    return float(np.nanmin(anomaly_map)), float(np.nanmax(anomaly_map))


def _unit(values: np.ndarray) -> np.ndarray:
    """Into 0-1, NaN as 0."""
    return np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)


def _table(colour_map: str) -> np.ndarray:
    if colour_map not in COLOUR_MAPS:
        raise InputError(f"unknown colour map {colour_map!r}; there are {', '.join(COLOUR_MAPS)}")
    return COLOUR_MAPS[colour_map]


def _line_width(image: np.ndarray) -> int:
    """Pixels: 1 up to 400 on the longer side, about 1 more for each further 400."""
    return max(1, round(max(image.shape[:2]) / 400))


def _check_same_size(image: np.ndarray, size: tuple[int, ...]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"expected (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
    if image.shape[:2] != size:
        raise InputError(f"the image is {image.shape[:2]} and the map {size}; sizes must agree")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # Level 3 is a quarter of the time of the usual 6 at a few per cent more bytes.
    image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
