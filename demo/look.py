"""What a visitor has chosen to see, checked: values from the web are not to be trusted."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from adaclip.errors import InputError
from adaclip.logits import logit, sigmoid
from adaclip.maps.rendering import COLOUR_MAPS, DEFAULT_COLOUR_MAP, Scale
from adaclip.types import Threshold
from demo.page import messages

Unit = Literal["score", "margin"]
View = Literal["overlay", "contours", "mask", "map"]
# The threshold sliders' step; within half of it a value is the recommended one.
SLIDER_STEP = 0.001
MARGIN_STEP = 0.01  # of a slider over margins
MAX_AREA_PERCENT = 2.0
MAX_MARGIN = 14.0  # of the slider and the gauge; a score of 0.9999992


@dataclass(frozen=True, kw_only=True)
class Look:
    """Display settings; the defaults are the page's. Raises InputError on values not on offer."""

    map_threshold: float = 0.5
    min_area_percent: float = 0.02  # of the picture
    view: View = "overlay"
    opacity: float = 0.7
    colour_map: str = DEFAULT_COLOUR_MAP
    scale: Scale = "fixed"
    unit: Unit = "score"  # of the picture's score and its threshold

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
            and self.unit in messages.UNIT_LABELS
            and all(is_number(value, highest) for value, highest in numbers)
        )
        if not on_offer:
            raise InputError(messages.UNKNOWN_VALUE)


def is_number(value: Any, highest: float = 1.0, lowest: float = 0.0) -> bool:
    """A finite number from `lowest` to `highest`."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and lowest <= value <= highest
    )


def margin_of(score: float) -> float:
    """Where a score is on the margin slider, which ends at MAX_MARGIN on either side."""
    return min(max(logit(score), -MAX_MARGIN), MAX_MARGIN)


def gauge_place(score: float, unit: Unit) -> float:
    """0-1: where a score is between the gauge's ends."""
    return score if unit == "score" else (margin_of(score) + MAX_MARGIN) / (2 * MAX_MARGIN)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where the two threshold sliders stand, and which of them counts."""

    unit: Any
    threshold: Any
    margin: Any


def judged_at(value: float | Cut, recommended: Threshold) -> Threshold:
    """The threshold a slider stands for: the recommended one when it rests there.

    Raises InputError when it is no number of the slider's range.
    """
    if isinstance(value, Cut) and value.unit == "margin":
        if not is_number(value.margin, MAX_MARGIN, -MAX_MARGIN):
            raise InputError(messages.UNKNOWN_VALUE)
        if abs(value.margin - margin_of(recommended.value)) <= MARGIN_STEP / 2:
            return recommended
        return given_threshold(sigmoid(value.margin), recommended, messages.SET_BY_YOU)
    number = value.threshold if isinstance(value, Cut) else value
    exact = given_threshold(number, recommended, messages.SET_BY_YOU)
    if abs(number - recommended.value) <= SLIDER_STEP / 2:
        return recommended
    return exact


def given_threshold(value: Any, recommended: Threshold, source: str = "manual") -> Threshold:
    """Exactly this threshold, with the recommended one's review band.

    Raises InputError when it is no number from 0 to 1.
    """
    if not is_number(value):
        raise InputError(messages.THRESHOLD_RANGE)
    return dataclasses.replace(recommended, value=float(value), source=source)
