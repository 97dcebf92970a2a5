"""What a visitor has chosen to see, checked: values from the web are not to be trusted."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from adaclip.errors import InputError
from adaclip.maps.rendering import COLOUR_MAPS, DEFAULT_COLOUR_MAP, Scale
from adaclip.types import Threshold
from demo.page import messages

View = Literal["overlay", "contours", "mask", "map"]
# The threshold sliders' step; within half of it a value is the recommended one.
SLIDER_STEP = 0.001
MARGIN_STEP = 0.01  # of a slider over margins
MAX_AREA_PERCENT = 2.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """Display settings; the defaults are the page's. Raises InputError on values not on offer."""

    map_threshold: float = 0.5
    min_area_percent: float = 0.02  # of the picture
    view: View = "overlay"
    opacity: float = 0.7
    colour_map: str = DEFAULT_COLOUR_MAP
    scale: Scale = "fixed"

    def __post_init__(self) -> None:
        numbers = (
            (self.map_threshold, 1.0),
            (self.opacity, 1.0),
            (self.min_area_percent, MAX_AREA_PERCENT),
        )
        on_offer = (
            self.view in messages.VIEW_LABELS
            and self.colour_map in COLOUR_MAPS
            and self.scale in messages.SCALE_LABELS
            and all(is_number(value, highest) for value, highest in numbers)
        )
        if not on_offer:
            raise InputError(messages.UNKNOWN_VALUE)


def is_number(value: Any, highest: float = 1.0) -> bool:
    """A finite number from 0 to `highest`."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0.0 <= value <= highest
    )


def judged_at(value: float, recommended: Threshold) -> Threshold:
    """The threshold a slider stands for: the recommended one when it rests there.

    Raises InputError when it is no number from 0 to 1.
    """
    exact = given_threshold(value, recommended, messages.SET_BY_YOU)
    if abs(value - recommended.value) <= SLIDER_STEP / 2:
        return recommended
    return exact


def given_threshold(value: Any, recommended: Threshold, source: str = "manual") -> Threshold:
    """Exactly this threshold, with the recommended one's review band.

    Raises InputError when it is no number from 0 to 1.
    """
    if not is_number(value):
        raise InputError(messages.THRESHOLD_RANGE)
    return dataclasses.replace(recommended, value=float(value), source=source)
