"""What a person said of what the model said: one annotation, its words and its limits. No IO."""

from __future__ import annotations

import dataclasses
import math
import operator
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from adaclip.errors import InputError

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
_TIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(\.\d{1,6})?Z")
_LEADS_OUT = re.compile(r"^/|^[A-Za-z]:|\\|\x00|(?:^|/)\.\.(?:/|$)")
# What a name on one line must not hold: it would hide or turn around what is beside it.
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # part of words in some scripts, and of emoji

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
    def key(self) -> Key:
        """Annotations of one key are of the same thing by the same person: the last one holds."""
        return (self.pixel_sha256, self.class_name, self.checkpoint_id, self.annotator)


COLUMNS = tuple(field.name for field in dataclasses.fields(Annotation))
INTEGERS = ("width", "height", "region_area_px", "lead_time_ms")
FLOATS = ("image_score", "image_margin", "image_threshold", "map_threshold")


# Looked up tens of thousands of times when a store is opened.
_limited_of = operator.attrgetter(*_LIMITS)
_coded_of = operator.attrgetter(*_CHOICES)
_known_codes: set[tuple[str, ...]] = set()


def truth_of(annotation: Annotation) -> Truth | None:
    """What the person says the picture is; None when they are not sure."""
    if annotation.verdict in ("FP", "TN"):
        return "normal"
    return "anomalous" if annotation.verdict in ("TP", "FN") else None


def mask_name(pixel_sha256: str, event_id: str) -> str:
    """The one file name a region's mask may have, relative to the store's folder."""
    return f"masks/{pixel_sha256[:16]}_{event_id}.png"


def leads_out(rel_path: str) -> bool:
    """True for a path that is not plainly below the folder it is joined to."""
    return _LEADS_OUT.search(rel_path) is not None


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


def one_line(text: str) -> str:
    """NFC, without control characters and marks that turn the direction; single blanks."""
    visible = (
        " " if unicodedata.category(c) in _INVISIBLE and c not in _JOINERS else c
        for c in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(visible).split())


def check(annotation: Annotation) -> None:
    """Raise InputError, naming the field, for what no annotation may hold."""
    a = annotation
    if any(map(operator.gt, map(len, _limited_of(a)), _LIMITS.values())):
        for name in _LIMITS:
            _check_length(name, getattr(a, name))
    # The few combinations there are come again and again.
    codes = _coded_of(a)
    if codes not in _known_codes:
        for name, choices in _CHOICES.items():
            if getattr(a, name) not in choices:
                raise _wrong(a, name, f"one of {', '.join(filter(None, choices))}")
        _known_codes.add(codes)
    _check_ids(a)
    if not _TIME.fullmatch(a.ts_utc):
        raise _wrong(a, "ts_utc", "a time such as 2026-01-31T12:00:00.000000Z")
    if leads_out(a.rel_path):
        raise _wrong(a, "rel_path", "a path below its dataset, with / between folders")
    _check_numbers(a)
    _check_region(a)


def _check_ids(a: Annotation) -> None:
    if not _EVENT_ID.fullmatch(a.event_id):
        raise _wrong(a, "event_id", "letters, digits, _ and -, 8 to 64 of them, a letter first")
    if a.supersedes and not _EVENT_ID.fullmatch(a.supersedes):
        raise _wrong(a, "supersedes", "an event's id")
    if not _SHA256.fullmatch(a.pixel_sha256):
        raise _wrong(a, "pixel_sha256", "64 lower-case hex digits")
    for name in ("image_sha256", "checkpoint_sha256"):
        if getattr(a, name) and not _SHA256.fullmatch(getattr(a, name)):
            raise _wrong(a, name, "64 lower-case hex digits")


def _check_numbers(a: Annotation) -> None:
    for name in _SHARES:
        share = getattr(a, name)
        if share is not None and not 0.0 <= share <= 1.0:
            raise _wrong(a, name, "from 0 to 1")
    if a.image_margin is not None and not math.isfinite(a.image_margin):
        raise _wrong(a, "image_margin", "a finite number")
    for name in ("width", "height"):
        side = getattr(a, name)
        if side is None or not 1 <= side <= _MAX_SIDE:
            raise _wrong(a, name, "the picture's size in pixels")
    for name in ("lead_time_ms", "region_area_px"):
        count = getattr(a, name)
        if count is not None and not 0 <= count < 1 << 53:
            raise _wrong(a, name, "0 or more")


def _check_region(a: Annotation) -> None:
    """A region has the one name it can have: no row can lead to another file."""
    if a.region_path:
        stem, dot, ending = a.region_path.rpartition(".")
        prefix, _, event = stem.rpartition(f"masks/{a.pixel_sha256[:16]}_")
        if prefix or dot + ending != ".png" or not _EVENT_ID.fullmatch(event):
            raise _wrong(a, "region_path", "masks/<image>_<event>.png")
    if (a.region_kind == "mask") != bool(a.region_path):
        raise _wrong(a, "region_kind", "mask exactly where there is a region_path")


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
