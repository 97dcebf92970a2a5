"""Pictures of more than 8 bits per channel become 0 to 255: one rule, and a note of what was done.

1. What is no data is left out: NaN, infinities, a value the file or custom calls so (-9999), and
   a constant far from all other values, such as a saturated column or a black surround.
2. The range is where all but 0.2 % of the pixels at either end lie: a hot pixel decides nothing.
3. Where that fills at least half of 8, 10, 12, 14 or 16 bits, black is 0 and white the highest
   value of those bits: the same for every picture of that camera. Values shifted up, such as 12
   bits in steps of 16, count as what they are.
4. Otherwise the range itself, rounded outward, becomes black to white; black stays 0 where the
   darkest values are nearer to 0 than to the brightest.

A series (`adaclip.data.series`) decides once for all of its pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

DEPTHS = (8, 10, 12, 14, 16)
# Pixels left out at either end: one in so many, and one at least.
_LEFT_OUT = 500
# So many times the spread of all other values apart, a constant is no part of the picture.
_FAR = 4
# Fewer levels than these are a drawing, where every one counts.
_FEW_LEVELS = 16
# A window is never narrower than this share of its bit depth: noise is not blown up to a picture.
_NARROWEST = 64
# What instruments and maps write where they measured nothing.
NO_DATA = frozenset({-9999.0, -99999.0, -32767.0, -32768.0, -999.0, -1e20, 1e20, -1e30, 1e30})
_HUGE = 1e37  # the largest float32 and its like
_SURVEYED = 1 << 22  # pixels looked at of a picture whose values are not 16-bit integers


@dataclass(frozen=True, kw_only=True)
class Deep:
    """A picture as stored: (H, W) or (H, W, 3 or 4) of any integers or floats, and what is known.

    `bits`: how many the file says are used. `no_data`: the value that stands for none.
    `window`: the (black, white) that the file itself asks for. `inverted`: 0 is white.
    """

    values: np.ndarray
    words: str
    bits: int | None = None
    no_data: float | None = None
    window: tuple[float, float] | None = None
    inverted: bool = False

    @property
    def colours(self) -> np.ndarray:
        """The values without transparency."""
        return self.values[..., :3] if self.values.ndim == 3 else self.values

    @property
    def kind(self) -> str:
        """What may share a range: "integer", "float" or "window"."""
        if self.window is not None:
            return "window"
        return "float" if self.values.dtype.kind == "f" else "integer"


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Which finite values occur, ascending, and how often; `bits` as the file says."""

    values: np.ndarray
    counts: np.ndarray
    whole: bool  # integers, whatever the type
    bits: int | None = None


@dataclass(frozen=True, kw_only=True)
class GreyRange:
    """`low` becomes 0 and `high` 255; `words` say why. `no_data` belongs to neither."""

    low: float
    high: float
    words: str
    no_data: tuple[float, ...] = ()


def survey(deep: Deep) -> Levels:
    """The values of a picture, without NaN, infinities and what it calls no data."""
    values = deep.colours
    if values.dtype in (np.uint8, np.uint16):
        counts = np.bincount(values.ravel(), minlength=1)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        flat = values.ravel()
        flat = flat[:: -(-flat.size // _SURVEYED)]
        if flat.dtype.kind == "f":
            flat = flat[np.isfinite(flat)]
        found, counts = np.unique(flat, return_counts=True)
    if deep.no_data is not None:
        kept = found != np.asarray(deep.no_data).astype(found.dtype)
        found, counts = found[kept], counts[kept]
    whole = found.dtype.kind != "f" or bool((found == np.rint(found)).all())
    return Levels(values=found.astype(np.float64), counts=counts, whole=whole, bits=deep.bits)


def pooled(parts: list[Levels]) -> Levels:
    """The levels of several pictures as if they were one, each weighing the same."""
    values = np.concatenate([part.values for part in parts])
    shares = np.concatenate([part.counts / max(part.counts.sum(), 1) for part in parts])
    found, places = np.unique(values, return_inverse=True)
    weights = np.bincount(places, weights=shares, minlength=len(found))
    largest = max(int(part.counts.sum()) for part in parts)
    bits = max((part.bits or 0 for part in parts), default=0) or None
    return Levels(
        values=found,
        counts=weights * largest,
        whole=all(part.whole for part in parts),
        bits=bits,
    )


def range_of(deep: Deep) -> GreyRange:
    """What becomes black and white in one picture: the window it asks for, or by the rule above."""
    if deep.window is None:
        return grey_range(survey(deep))
    low, high = deep.window
    return GreyRange(low=low, high=high, words=f"the window of the file, {low:g} to {high:g}")


def grey_range(levels: Levels) -> GreyRange:
    """What becomes black and white, by the rule above."""
    values, counts, no_data = _without_no_data(levels)
    if not len(values):
        return GreyRange(low=0.0, high=1.0, words="nothing in it is a number", no_data=no_data)
    low, high = _ends(*_without_far_constants(values, counts))
    top = _top(levels, values, low, high)
    narrowest = 0.0
    if top is not None:
        if high - low >= top / 2 or low == high:
            return GreyRange(low=0.0, high=top, words=f"0 to {top:g}", no_data=no_data)
        narrowest = top / _NARROWEST
    if low >= 0 and low <= high / 2:
        low = 0.0
    low, high = _window(low, high, narrowest)
    return GreyRange(low=low, high=high, words=f"{low:g} to {high:g}", no_data=no_data)


def to_8_bit(deep: Deep, scale: GreyRange) -> tuple[np.ndarray, list[str]]:
    """uint8 in the shape of `deep.values`, and notes: the range, what lies beyond, what is none."""
    colours = deep.colours
    missing = _missing(deep, scale)
    lost = int(missing.sum()) if missing is not None else 0
    shown = _scaled(colours, scale)
    if deep.inverted:
        shown = 255 - shown
    if missing is not None and lost:
        shown = _filled(shown, missing)
    if deep.values.ndim == 3 and deep.values.shape[2] == 4:
        shown = np.dstack([shown, _alpha(deep.values[..., 3])])
    return shown, _notes(deep, scale, missing, lost)


def _notes(deep: Deep, scale: GreyRange, missing: np.ndarray | None, lost: int) -> list[str]:
    colours = deep.colours
    if lost == colours.size:
        return [f"{deep.words}, no data anywhere in it: shown black"]
    # As float64, since the ends of the widest floats may lie beyond their own type.
    beyond = (colours < np.float64(scale.low)) | (colours > np.float64(scale.high))
    if missing is not None:
        beyond &= ~missing
    shown_as = "white to black" if deep.inverted else "black to white"
    what = f"{deep.words}, {scale.words} shown as {shown_as}"
    if outside := int(beyond.sum()):
        what += f", {outside} {'value' if outside == 1 else 'values'} beyond cut off"
    notes = [what]
    if lost:
        invalid = deep.values.dtype.kind == "f" and not np.isfinite(colours).all()
        named = (
            " or ".join(
                [*(["NaN or infinite"] if invalid else []), *(f"{v:g}" for v in scale.no_data)]
            )
            or f"{deep.no_data:g}"
        )
        share = 100 * lost / colours.size
        notes.append(
            f"no data ({named}) in {share:.2g} % of the picture, filled with the nearest values"
        )
    return notes


def _without_no_data(levels: Levels) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Without the values that custom calls no data, where they stand apart from all others."""
    values, counts = levels.values, levels.counts
    no_data = []
    for end in (0, -1, 0, -1):
        if len(values) < 2:
            break
        value = float(values[end])
        rest = values[1:] if end == 0 else values[:-1]
        known = value in NO_DATA or abs(value) > _HUGE
        gap = abs(value - float(rest[end]))
        if known and gap > float(rest[-1] - rest[0]) / 2:
            no_data.append(value)
            values, counts = rest, counts[1:] if end == 0 else counts[:-1]
    return values, counts, tuple(no_data)


def _without_far_constants(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without a lowest and a highest value far from the others, however many pixels have it."""
    for end in (0, -1):
        rest = slice(1, None) if end == 0 else slice(None, -1)
        few = len(values) <= _FEW_LEVELS or counts[rest].sum() < counts[end]
        if few:
            continue
        inner = values[rest]
        low, high = _ends(inner, counts[rest])
        if abs(values[end] - inner[end]) > _FAR * (high - low) > 0:
            values, counts = inner, counts[rest]
    return values, counts


def _ends(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Between which all but a few of the pixels lie; all of them where that would be one value."""
    total = float(counts.sum())
    left_out = max(1.0, total // _LEFT_OUT)
    below = np.cumsum(counts)
    low = float(values[min(int(np.searchsorted(below, left_out, side="right")), len(values) - 1)])
    high = float(values[int(np.searchsorted(below, total - left_out, side="left"))])
    return (low, high) if low < high else (float(values[0]), float(values[-1]))


def _top(levels: Levels, values: np.ndarray, low: float, high: float) -> float | None:
    """The highest value of the bit depth in use; None where no depth is known to fit."""
    if low < 0:
        return None
    if not levels.whole or (levels.bits is None and high <= 1):
        return next((top for top in (1.0, 255.0) if high <= top), None)
    fitting = (bits for bits in DEPTHS if high <= 2**bits - 1)
    bits = levels.bits or next(fitting, None)
    if bits is None or high > 2**bits - 1:
        return None
    used = int(np.bitwise_or.reduce(values.astype(np.int64)))
    step = used & -used
    shifted = step > 1 and len(values) > 2 * _FEW_LEVELS
    return float(2**bits - (step if shifted else 1))


def _window(low: float, high: float, narrowest: float) -> tuple[float, float]:
    """Rounded outward to eighths, so that pictures that hardly differ get the same."""
    if high - low < narrowest:
        middle = (low + high) / 2
        low, high = max(0.0, middle - narrowest / 2), middle + narrowest / 2
    spread = high - low
    if not spread > 0 or not math.isfinite(spread):
        return low, high if high > low else low + 1.0
    unit = 2.0 ** (math.ceil(math.log2(spread)) - 3)
    return math.floor(low / unit) * unit, math.ceil(high / unit) * unit


def _missing(deep: Deep, scale: GreyRange) -> np.ndarray | None:
    """Which values are no data; None for integers without any such value."""
    colours = deep.colours
    none = [*scale.no_data, *([] if deep.no_data is None else [deep.no_data])]
    if colours.dtype.kind != "f" and not none:
        return None
    missing = ~np.isfinite(colours) if colours.dtype.kind == "f" else np.zeros(colours.shape, bool)
    for value in none:
        missing |= colours == np.asarray(value).astype(colours.dtype)
    return missing


def _filled(shown: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The nearest value where there is none: no spot and no edge that is not in the object."""
    nowhere = missing if missing.ndim == 2 else missing.any(-1)
    if nowhere.all():
        return np.zeros_like(shown)
    rows, columns = distance_transform_edt(nowhere, return_distances=False, return_indices=True)
    return np.ascontiguousarray(shown[rows, columns])


def _scaled(values: np.ndarray, scale: GreyRange) -> np.ndarray:
    """uint8 of `values`, cut off at the ends of the range."""
    if values.dtype == np.uint16:  # one look-up instead of five passes
        return _scaled(np.arange(1 << 16, dtype=np.float64), scale)[values]
    wide = np.nan_to_num(values.astype(np.float64), nan=scale.low)
    # Each divided first: the difference of the widest floats is none.
    spread = scale.high / 255.0 - scale.low / 255.0
    shares = (np.clip(wide, scale.low, scale.high) / 255.0 - scale.low / 255.0) / spread
    return np.rint(shares * 255.0).astype(np.uint8)


def _alpha(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.rint(np.clip(np.nan_to_num(values), 0, 1) * 255).astype(np.uint8)
    return (values >> (8 * (values.dtype.itemsize - 1))).astype(np.uint8)
