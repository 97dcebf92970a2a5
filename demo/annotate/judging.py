"""What a queue is judged with: checkpoint, threshold, class name; chosen and said on the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from adaclip.errors import AdaClipError, InputError
from adaclip.types import CheckpointInfo, Threshold
from demo.annotate import words
from demo.annotate.folders import recent_contents
from demo.annotate.sources import Source
from demo.batch import Batch
from demo.look import given_threshold
from demo.page.parts import score_text
from demo.page.templates import render
from demo.services import Services
from demo.visitor.intake import checked_class_name, present_checkpoint

_NAMES = 4


@dataclass(frozen=True, kw_only=True)
class Judging:
    """What a visitor chose; "": the source's own. Nothing of it is checked yet."""

    checkpoint_id: Any = ""
    class_name: Any = ""
    threshold: Any = ""

    def checkpoint(self, services: Services) -> CheckpointInfo:
        """The checkpoint for a folder's pictures. Raises InputError when it is not here."""
        chosen = str(self.checkpoint_id or services.default_checkpoint().id)
        return present_checkpoint(services, chosen)

    def asked_class(self) -> str:
        """The class name for all pictures of a folder, "" for each one's own. Raises InputError."""
        return checked_class_name(self.class_name, "")

    @property
    def value(self) -> float | None:
        """The threshold that was written, None for none. Raises InputError for no number of 0-1."""
        text = str(self.threshold or "").strip()
        if not text:
            return None
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = -1.0
        if not 0.0 <= value <= 1.0:
            raise InputError(words.unreadable_threshold(text[:20]))
        return value

    def cut(self, own: Threshold) -> Threshold:
        """The threshold that was written, else `own`. Raises InputError."""
        return own if self.value is None else given_threshold(self.value, own)


@dataclass(frozen=True, kw_only=True)
class Described:
    """What a source is judged with when Start is pressed, and which of it can be chosen."""

    html: Markup
    labelled: bool = False
    threshold_hint: str = ""  # the threshold taken when none is given; "": none can be
    asked: bool = False  # checkpoint and class name can be chosen
    class_hint: str = ""  # the class names taken when none is given


def describe(services: Services, batch: Batch | None, source: Source, chosen: Judging) -> Described:
    """What would judge a source's pictures now. Never raises for values that can be mended."""
    if source.kind == "kept":
        return Described(html=_said(words.JUDGED_KEPT, []))
    if source.kind == "folder":
        return _folder(services, source, chosen)
    if source.kind == "run":
        own, names = source.value.threshold, words.CLASS_OF_RUN
        title = _title(services, str(source.value.checkpoint))
    elif batch is None or batch.checkpoint is None:
        return Described(html=_said(words.SOURCE_EMPTY, []))
    else:
        own, names = batch.threshold or batch.checkpoint.threshold, batch.class_name
        title = batch.checkpoint.title
    facts = [("Checkpoint", title), ("Class name", names), ("Threshold", _cut(own, chosen))]
    return Described(
        html=_said("", facts),
        labelled=source.kind == "run",
        threshold_hint=score_text(own.value),
    )


def _folder(services: Services, source: Source, chosen: Judging) -> Described:
    found = recent_contents(source.value)
    names = found.class_names
    own = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if names[_NAMES:] else "")
    text, facts, threshold_hint = "", [], ""
    try:
        info = chosen.checkpoint(services)
        threshold_hint = score_text(info.threshold.value)
        given = chosen.asked_class()
        facts = [
            ("Class name", given or f"{own}, {words.class_of_folder(found.labelled)}"),
            ("Threshold", _cut(info.threshold, chosen)),
        ]
    except AdaClipError as error:
        text = str(error)
    return Described(
        html=_said(text, facts),
        labelled=found.labelled,
        threshold_hint=threshold_hint,
        asked=True,
        class_hint=own,
    )


def _cut(own: Threshold, chosen: Judging) -> str:
    try:
        cut = chosen.cut(own)
    except AdaClipError as error:
        return str(error)
    return f"{score_text(cut.value)}, {cut.source}"


def _title(services: Services, checkpoint_id: str) -> str:
    return next((i.title for i in services.catalogue() if i.id == checkpoint_id), checkpoint_id)


def _said(text: str, facts: list[tuple[str, str]]) -> Markup:
    return render("annotate_judging", text=text, facts=facts)
