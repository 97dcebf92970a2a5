"""What a person said of what the model said: one annotation, its words and its limits. No IO."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from adaclip.errors import InputError
from adaclip.text import leads_out, one_line

SCHEMA = "adaclip-annotations/1"

# Code -> words. "Alarm" is the model's; the verdict is the person's.
VERDICTS = {
    "FP": "false alarm",
    "TP": "correct alarm",
    "FN": "missed defect",
    "TN": "correct pass",
    "unsure": "not sure",
}
REASONS = {
    "edge": "edge or contour",
    "reflection": "reflection",
    "background": "background",
    "texture": "texture",
    "print": "print or label",
    "dirt": "allowed dirt",
    "other": "other",
}
PREDICTED = {"OK": "normal", "REVIEW": "review", "ANOM": "anomalous"}
ACTIONS = ("label", "retract")
REGION_KINDS = ("none", "mask", "bbox")
# How the queue policy of a settlement ends (see settlements.py).
SETTLED = "settled"

MAX_COMMENT, MAX_NAME = 2000, 80
_MAX_SIDE = 1 << 20
# Spreadsheets cut a cell at 32,767 characters; a longer region is in its mask file alone.
MAX_RLE = 30_000
_LIMITS = dict.fromkeys(
    ("annotator", "class_name", "dataset", "split", "defect_type", "session_id"), MAX_NAME
) | {
    "comment": MAX_COMMENT,
    "rel_path": 1000,
    "prompt": 1000,
    "checkpoint_id": 300,
    "preproc_version": MAX_NAME,
    "threshold_source": 500,
    "gt_source": 500,
    "app_version": MAX_NAME,
    "queue_policy": 300,
    "region_rle": MAX_RLE,
}
_CHOICES = {
    "action": ACTIONS,
    "predicted": ("", *PREDICTED),
    "verdict": tuple(VERDICTS),
    "reason_code": ("", *REASONS),
    "region_kind": REGION_KINDS,
    "gt_label": ("", "normal", "anomalous"),
}
_SHARES = ("image_score", "image_threshold", "map_threshold")  # 0-1
_EVENT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{7,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")

Truth = Literal["normal", "anomalous"]
# One thing that can be judged: its picture, its class, and whose prediction it is.
Key = tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """One event: a verdict, or the taking back of one. "" and None mean: not known.

    `supersedes` is the event this one replaces or takes back. Scores and thresholds are 0-1, the
    margin is in logits, sizes are pixels. `image_sha256` is of the file's bytes, `pixel_sha256`
    of the decoded picture (`adaclip.data.images.pixel_sha256`). `rel_path` is POSIX, relative to
    the root of its dataset. `region_rle` holds COCO's compressed counts, column by column;
    `region_path` a PNG of 0 and 255 at the picture's own size.
    """

    schema: str = SCHEMA
    event_id: str = ""
    supersedes: str = ""
    ts_utc: str = ""
    action: str = "label"
    image_sha256: str = ""
    pixel_sha256: str = ""
    rel_path: str = ""
    dataset: str = ""
    split: str = ""
    class_name: str = ""
    defect_type: str = ""
    prompt: str = ""
    width: int | None = None
    height: int | None = None
    checkpoint_id: str = ""
    checkpoint_sha256: str = ""
    preproc_version: str = ""
    image_score: float | None = None
    image_margin: float | None = None
    image_threshold: float | None = None
    map_threshold: float | None = None
    threshold_source: str = ""
    predicted: str = ""
    verdict: str = ""
    reason_code: str = ""
    region_kind: str = "none"
    region_path: str = ""
    region_rle: str = ""
    region_area_px: int | None = None
    gt_label: str = ""
    gt_source: str = ""
    annotator: str = ""
    session_id: str = ""
    lead_time_ms: int | None = None
    comment: str = ""
    app_version: str = ""
    queue_policy: str = ""

    @property
    def settled(self) -> bool:
        """True for a settlement: it counts whatever others say of the picture."""
        return self.queue_policy.endswith(SETTLED)

    @property
    def key(self) -> Key:
        """Annotations of one key are of the same thing by the same person: the last one holds.

        Settlements of a picture of a class have one key, whoever made them.
        """
        if self.settled:
            return (self.pixel_sha256, self.class_name, "", "")
        return (self.pixel_sha256, self.class_name, self.checkpoint_id, self.annotator)


COLUMNS = tuple(field.name for field in dataclasses.fields(Annotation))
INTEGERS = ("width", "height", "region_area_px", "lead_time_ms")
FLOATS = ("image_score", "image_margin", "image_threshold", "map_threshold")


# What an event without a region holds of one.
NO_REGION: dict[str, Any] = {
    "region_kind": "none",
    "region_path": "",
    "region_rle": "",
    "region_area_px": None,
}
# What a person says of a picture; the rest is recorded by the program.
_STATED = (
    "action",
    "class_name",
    "defect_type",
    "verdict",
    "reason_code",
    "gt_label",
    "comment",
    "region_kind",
    "region_area_px",
)


def same_statement(first: Annotation, second: Annotation) -> bool:
    """Whether two events say the same of the same picture, whoever says it."""
    names = ("pixel_sha256", *_STATED)
    return all(getattr(first, name) == getattr(second, name) for name in names)


def truth_of(annotation: Annotation) -> Truth | None:
    """What the person says the picture is; None when they are not sure."""
    if annotation.verdict in ("FP", "TN"):
        return "normal"
    return "anomalous" if annotation.verdict in ("TP", "FN") else None


def mask_name(pixel_sha256: str, event_id: str) -> str:
    """The one file name a region's mask may have, relative to the store's folder."""
    return f"masks/{pixel_sha256[:16]}_{event_id}.png"


def is_event_id(text: str) -> bool:
    """True for what may be an event's id: letters, digits, "_" and "-", a letter first."""
    return _EVENT_ID.fullmatch(text) is not None


def tidy(annotation: Annotation) -> Annotation:
    """The annotation as it is stored: names on one visible line, numbers as plain numbers.

    Floats keep 9 significant digits: all of a float32, and what spreadsheets give back.
    Raises InputError for a value of the wrong kind.
    """
    values: dict[str, Any] = {}
    for name in COLUMNS:
        value = getattr(annotation, name)
        if name in FLOATS:
            values[name] = None if value is None else _rounded(name, value)
        elif name in INTEGERS:
            values[name] = None if value is None else _whole(name, value)
        elif not isinstance(value, str):
            raise InputError(f"annotation {name} is a {type(value).__name__}; it has to be text")
    for name in ("annotator", "class_name", "dataset", "split", "defect_type"):
        # Looked at before it is worked on: ten megabytes would take a while.
        _check_length(name, getattr(annotation, name))
        values[name] = one_line(getattr(annotation, name))
    return dataclasses.replace(annotation, **values)


def check(annotation: Annotation) -> None:
    """Raise InputError, naming the field, for what no annotation may hold."""
    a = annotation
    for name in _LIMITS:
        _check_length(name, getattr(a, name))
    for name, (fits, rule) in _RULES.items():
        if not fits(getattr(a, name)):
            raise _wrong(a, name, rule)
    if not _is_region_path(a.region_path, a.pixel_sha256):
        raise _wrong(a, "region_path", "masks/<image>_<event>.png")
    if (a.region_kind == "mask") != bool(a.region_path):
        raise _wrong(a, "region_kind", "mask exactly where there is a region_path")


def all_fit(columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether `check` passes every row of a table, which is here a column of values by name.

    Each value is looked at once, however many rows have it: several times as fast.
    """
    seen = {name: set(columns[name]) for name in {*_LIMITS, *_RULES}}
    return (
        all(max(map(len, seen[name]), default=0) <= limit for name, limit in _LIMITS.items())
        and all(all(map(fits, seen[name])) for name, (fits, _) in _RULES.items())
        and all(map(_is_region_path, columns["region_path"], columns["pixel_sha256"]))
        and all(
            (kind == "mask") == bool(path)
            for kind, path in zip(columns["region_kind"], columns["region_path"], strict=True)
        )
    )


def _is_region_path(path: str, pixel_sha256: str) -> bool:
    """A region has the one name it can have: no row can lead to another file."""
    if not path:
        return True
    stem, dot, ending = path.rpartition(".")
    prefix, _, event = stem.rpartition(f"masks/{pixel_sha256[:16]}_")
    return not prefix and dot + ending == ".png" and is_event_id(event)


def _is_time(text: str) -> bool:
    """In the one form that sorts as time does, and a day there is."""
    try:
        return _TIME.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _is_share(value: float | None) -> bool:
    return value is None or 0.0 <= value <= 1.0


def _is_count(value: int | None) -> bool:
    return value is None or 0 <= value < 1 << 53


def _is_side(value: int | None) -> bool:
    return value is not None and 1 <= value <= _MAX_SIDE


def _is_finite(value: float | None) -> bool:
    return value is None or math.isfinite(value)


def _is_digest_or_empty(text: str) -> bool:
    return not text or _SHA256.fullmatch(text) is not None


# Field -> whether a value fits, and what it has to be.
_Rule = tuple[Callable[[Any], Any], str]
_DIGEST, _ID = "64 lower-case hex digits", "letters, digits, _ and -, 8 to 64, a letter first"
_RULES: dict[str, _Rule] = {
    name: (choices.__contains__, f"one of {', '.join(filter(None, choices))}")
    for name, choices in _CHOICES.items()
}
_RULES |= {
    "event_id": (_EVENT_ID.fullmatch, _ID),
    "supersedes": (lambda text: not text or is_event_id(text), "an event's id"),
    "pixel_sha256": (_SHA256.fullmatch, _DIGEST),
    "image_sha256": (_is_digest_or_empty, _DIGEST),
    "checkpoint_sha256": (_is_digest_or_empty, _DIGEST),
    "ts_utc": (_is_time, "a time such as 2026-01-31T12:00:00.000000Z"),
    "rel_path": (
        lambda text: not leads_out(text),
        "a path below its dataset, with / between folders",
    ),
    "image_margin": (_is_finite, "a finite number"),
}
_RULES |= dict.fromkeys(_SHARES, (_is_share, "from 0 to 1"))
_RULES |= dict.fromkeys(("width", "height"), (_is_side, "the picture's size in pixels"))
_RULES |= dict.fromkeys(("lead_time_ms", "region_area_px"), (_is_count, "0 or more"))


def _check_length(name: str, text: str) -> None:
    if len(text) > _LIMITS[name]:
        raise InputError(
            f"the {name.replace('_', ' ')} has {len(text):,} characters; at most "
            f"{_LIMITS[name]:,} are stored: shorten it"
        )


def _wrong(annotation: Annotation, name: str, rule: str) -> InputError:
    shown = repr(getattr(annotation, name))
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return InputError(f"annotation {name} is {shown}; it has to be {rule}")


def _rounded(name: str, value: Any) -> float:
    try:
        number = float(format(float(value), ".9g"))
    except (TypeError, ValueError) as error:
        raise InputError(f"annotation {name} is {value!r:.60}; it has to be a number") from error
    return number + 0.0  # -0.0 and 0.0 are one


def _whole(name: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"annotation {name} is {value!r:.60}; it has to be a whole number") from (
            error
        )
    return number
