"""From a picture, what was predicted of it and what a person says of it to a stored annotation.

No gradio and no HTML here: the flag bar, the review queue and the tests share these rules.
"""

from __future__ import annotations

import functools
import hashlib
import math
import unicodedata
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

import adaclip
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.config import PreprocessingConfig
from adaclip.errors import InputError
from adaclip.types import Threshold, Verdict
from demo.flag import region as flag_region
from demo.flag import words as flag_words

_PREDICTED = {Verdict.NORMAL: "OK", Verdict.REVIEW: "REVIEW", Verdict.ANOMALOUS: "ANOM"}
# A picture looked at for longer was not looked at all the time.
_MAX_LEAD_MS = 3_600_000
# What can be pressed, by what the person sees: an alarm, none, or nothing of the prediction.
_OFFERED = {
    state: {c.sent for c in flag_words.CHOICES if state in c.states} for state in flag_words.STATES
}
# Where a region comes from: nowhere, the outline on the screen, a hand, the verdict before.
RegionSource = Literal["", "screen", "drawn", "kept"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One picture with all that an annotation records before a person speaks.

    `pixels` gives (H, W, 3) uint8 RGB and `anomaly_map` a map of 0-1 at any size, or None; both
    are read when asked for, so that a long queue stays small.
    """

    name: str  # as shown
    pixel_sha256: str
    image_sha256: str
    size: tuple[int, int]  # (H, W)
    rel_path: str
    dataset: str
    class_name: str
    checkpoint_id: str
    pixels: Callable[[], np.ndarray] = field(repr=False, compare=False)
    anomaly_map: Callable[[], np.ndarray | None] = field(repr=False, compare=False)
    split: str = ""
    defect_type: str = ""
    prompt: str = ""
    checkpoint_sha256: str = ""
    score: float | None = None
    margin: float | None = None
    threshold: Threshold | None = None
    map_threshold: float | None = None
    min_area_px: int = 0  # smaller regions of the map are not shown
    truth: str = ""  # "normal" or "anomalous" when the dataset says
    truth_source: str = ""

    @functools.cached_property
    def id(self) -> str:
        """What the browser calls it."""
        return subject_id(self.pixel_sha256, self.class_name, self.checkpoint_id)

    @property
    def predicted(self) -> str:
        """OK, REVIEW, ANOM, or "" when nothing was predicted."""
        if self.score is None or self.threshold is None:
            return ""
        return _PREDICTED[self.threshold.verdict(self.score)]

    @property
    def alarm(self) -> bool:
        """True when the model asked for a person: anomalous, or to be reviewed.

        This is the one rule for "review": it is an alarm, so it can be a false or a correct one.
        """
        return self.predicted in ("REVIEW", "ANOM")

    @property
    def state(self) -> str:
        """What can be said of it: "alarm" or "pass"; "blind" when nothing was predicted."""
        if not self.predicted:
            return "blind"
        return "alarm" if self.alarm else "pass"


def subject_id(pixel_sha256: str, class_name: str, checkpoint_id: str) -> str:
    """A digest of what makes annotations be of the same thing."""
    parts = "\0".join((pixel_sha256, class_name, checkpoint_id))
    return hashlib.sha256(parts.encode()).hexdigest()[:24]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """What a person sent, checked."""

    choice: str
    annotator: str
    subject_id: str
    reason: str = ""
    comment: str = ""
    keep_image: bool = False
    lead_time_ms: int | None = None
    seen: str = ""  # the event of the same person that the page showed; "" for none
    region: RegionSource = ""
    drawn: Any = None  # what the browser sent of a region drawn by hand, unread


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An annotation that is on disk, and where its region came from with this press."""

    annotation: Annotation
    region: RegionSource = ""


def flag_of(data: Any) -> Flag:
    """A flag from what a browser sent. Raises InputError; nothing of it is trusted."""
    if not isinstance(data, dict):
        raise InputError(flag_words.UNREADABLE_FLAG)
    choice, reason = _short(data.get("choice")), data.get("reason") or ""
    known = any(choice in offered for offered in _OFFERED.values())
    if not known or not (reason == "" or is_one_of(reason, flag_words.REASONS)):
        raise InputError(flag_words.UNREADABLE_FLAG)
    region = data.get("region")
    return Flag(
        choice=choice,
        annotator=checked_name(data.get("annotator")),
        subject_id=_short(data.get("subject")),
        reason=reason,
        comment=checked_comment(data.get("comment")),
        keep_image=data.get("keep") is True,
        lead_time_ms=_lead_time(data.get("lead_ms")),
        seen=_short(data.get("seen")),
        region="drawn" if isinstance(region, dict) else "screen" if region == "screen" else "",
        drawn=region,
    )


def checked_name(name: Any) -> str:
    """A person's name on one line. Raises InputError when there is none."""
    if not isinstance(name, str):
        raise InputError(flag_words.NO_NAME)
    if len(name) > flag_words.MAX_NAME:
        raise InputError(flag_words.name_too_long(len(name)))
    clean = " ".join(_visible(name).split())
    if not clean:
        raise InputError(flag_words.NO_NAME)
    return clean


def checked_comment(comment: Any) -> str:
    """A comment as it was typed; refused, not cut, when it is too long. Raises InputError."""
    text = comment if isinstance(comment, str) else ""
    if len(text) > flag_words.MAX_COMMENT:
        raise InputError(flag_words.comment_too_long(len(text)))
    return text.strip()


def verdict_of(choice: str, alarm: bool) -> str:
    """The verdict to store. A person who saw the prediction pressed it by its name.

    One who did not spoke of the picture; the prediction makes that right or wrong. Raises
    InputError for a verdict that no longer fits what is predicted: what was read when pressing is
    what is stored, or nothing is.
    """
    if choice in _OFFERED["alarm" if alarm else "pass"]:
        return choice
    if choice == "defect":
        return "TP" if alarm else "FN"
    if choice == "no_defect":
        return "FP" if alarm else "TN"
    raise InputError(flag_words.prediction_changed(alarm))


def annotation_of(
    subject: Subject, flag: Flag, *, session_id: str = "", policy: str = ""
) -> Annotation:
    """The row to store; the store fills in its id, time and region."""
    threshold = subject.threshold
    return Annotation(
        image_sha256=subject.image_sha256,
        pixel_sha256=subject.pixel_sha256,
        rel_path=subject.rel_path,
        dataset=subject.dataset,
        split=subject.split,
        class_name=subject.class_name,
        defect_type=subject.defect_type,
        prompt=subject.prompt,
        width=subject.size[1],
        height=subject.size[0],
        checkpoint_id=subject.checkpoint_id,
        checkpoint_sha256=subject.checkpoint_sha256,
        preproc_version=str(PreprocessingConfig().version),
        image_score=subject.score,
        image_margin=subject.margin,
        image_threshold=None if threshold is None else threshold.value,
        map_threshold=subject.map_threshold,
        threshold_source="" if threshold is None else threshold.source,
        predicted=subject.predicted,
        verdict=verdict_of(flag.choice, subject.alarm),
        reason_code=flag.reason,
        gt_label=subject.truth,
        gt_source=subject.truth_source,
        annotator=flag.annotator,
        session_id=session_id,
        lead_time_ms=flag.lead_time_ms,
        comment=flag.comment,
        app_version=adaclip.__version__,
        queue_policy=policy,
    )


def mine(store: AnnotationStore, subject: Subject, annotator: str) -> Annotation | None:
    """The person's current annotation of a subject."""
    said = marks(store, subject)
    return next((a for a in said if a.annotator == annotator and not a.settled), None)


def marks(store: AnnotationStore, subject: Subject) -> list[Annotation]:
    """Everybody's current annotations of a subject, oldest first."""
    return marks_of(store, subject.pixel_sha256, subject.class_name, subject.checkpoint_id)


def marks_of(
    store: AnnotationStore, pixel_sha256: str, class_name: str, checkpoint_id: str
) -> list[Annotation]:
    """The same, without reading the picture."""
    return [
        a
        for a in store.for_image(pixel_sha256)
        if (a.class_name, a.checkpoint_id) == (class_name, checkpoint_id)
    ]


def save(
    store: AnnotationStore,
    subject: Subject,
    flag: Flag,
    *,
    session_id: str = "",
    policy: str = "",
) -> Stored:
    """Store a flag; durable when it returns. Raises AdaClipError.

    Refused when the page shows another picture or another prediction, or did not know of what the
    same person has said of it since.
    """
    if flag.subject_id != subject.id:
        raise InputError(flag_words.OTHER_SHOWN)
    known = mine(store, subject, flag.annotator)
    if (known.event_id if known else "") != flag.seen:
        if known is None:
            raise InputError(flag_words.taken_back_meanwhile())
        raise InputError(
            flag_words.judged_meanwhile(clock(known.ts_utc), flag_words.VERDICTS[known.verdict])
        )
    row = annotation_of(subject, flag, session_id=session_id, policy=policy)
    mask, source = _region_of(store, subject, flag, row, known)
    image = subject.pixels() if flag.keep_image else None
    stored = store.add(row, mask=mask, image=image, seen=flag.seen)
    return Stored(annotation=stored, region=source)


def _region_of(
    store: AnnotationStore,
    subject: Subject,
    flag: Flag,
    row: Annotation,
    known: Annotation | None,
) -> tuple[np.ndarray | None, RegionSource]:
    """(H, W) bool of the region that goes with a verdict, or None. Raises AdaClipError.

    What was drawn, if something was; else what the same verdict had already, since another reason
    or comment does not rub it out; else, for a correct alarm, the outline on the screen.
    """
    source: RegionSource = ""
    mask: np.ndarray | None = None
    if flag.region == "drawn":
        mask, source = flag_region.mask_of(flag.drawn, subject.size), "drawn"
    else:
        if known is not None and known.verdict == row.verdict:
            mask, source = store.mask(known), "kept"
        if mask is None and flag.region == "screen" and row.verdict == "TP":
            mask, source = flag_region.predicted_mask(subject), "screen"
    if mask is None or not mask.any():
        return None, ""
    return mask, source


def is_one_of(value: Any, offered: Container[str]) -> bool:
    """True for a text that is on offer; what a browser sends may be of any type."""
    return isinstance(value, str) and value in offered


def clock(ts_utc: str) -> str:
    """Hours, minutes and seconds of a stored time."""
    return ts_utc[11:19]


def _short(text: Any) -> str:
    """An id as a browser sends it back; nonsense matches nothing."""
    return text[:80] if isinstance(text, str) else ""


def _lead_time(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(min(max(value, 0), _MAX_LEAD_MS))


def _visible(text: str) -> str:
    """Without control characters and marks that turn the direction of writing."""
    normal = unicodedata.normalize("NFC", text)
    return "".join(
        " " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in normal
    )
