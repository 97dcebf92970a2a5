"""The flag bar: one click or key says what is wrong with a verdict. Placed wherever one looks.

Two pieces: the bar itself, which never changes, so that nothing typed gets lost; and what was
said, which every answer of the server replaces. Their behaviour is in assets/flag.js, that of
drawing a region over the picture in assets/region.js.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from adaclip.annotations.store import Annotation
from adaclip.errors import AdaClipError, InputError
from demo.flag import flagging
from demo.flag import region as flag_region
from demo.flag import words as flag_words
from demo.flag.flagging import Stored, Subject
from demo.page.guard import guarded
from demo.page.templates import render
from demo.page.theme import asset
from demo.page.theme import html as html_part
from demo.services import Services

# As demo.page.events.PRIVATE; every press counts, so none is dropped while another is under way.
FLAGS: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "multiple",
    "concurrency_id": "annotate",
    "concurrency_limit": 4,
}


@dataclass(frozen=True, kw_only=True)
class FlagBar:
    """The components of one bar."""

    place: str
    bar: gr.HTML
    said: gr.HTML
    region: gr.HTML  # never seen: what drawing starts with


def build_flag_bar(place: str, stage: str) -> FlagBar:
    """Lay a bar out inside the current Blocks; `place` is unique on the page.

    `stage` is a CSS selector of the element around the picture, over which a region is drawn.
    """
    with gr.Column(elem_id=f"flag-{place}-box", elem_classes="flag-box"):
        shift = "" if place == "annotate" else "⇧"  # elsewhere digits have another meaning
        fixed = render("flag_bar", place=place, stage=stage, shift=shift, words=flag_words)
        bar = html_part(fixed, js_on_load=asset("flag.js"), elem_id=f"flag-{place}")
        said = html_part(hidden(), elem_id=f"flag-{place}-said")
        region = html_part("", elem_id=f"flag-{place}-region")
    return FlagBar(place=place, bar=bar, said=said, region=region)


def wire_flag_bar(
    flag: FlagBar,
    services: Services,
    subject_of: Callable[..., Subject | None],
    inputs: Sequence[Any],
) -> list[Any]:
    """Saving, undo and drawing; the events that save, so that a caller can refresh what it shows.

    `subject_of(*values)` gives what is shown now, `subject_of(*values, row=N)` a listed one.
    """

    def judge(event: gr.EventData, *values: Any) -> str:
        data, row = event._data, _row(event._data)
        listed = None if row is None else lambda: subject_of(*values, row=row)
        return said_after(services, lambda: subject_of(*values), data, listed=listed)

    def undo(event: gr.EventData, *values: Any) -> str:
        return said_after_undo(services, lambda: subject_of(*values), event._data)

    def draw(event: gr.EventData, *values: Any) -> str:
        return region_html(services, subject_of(*values), event._data)

    flag.bar.edit(_safe(draw), list(inputs), flag.region, **FLAGS)
    return [
        flag.bar.select(_safe(judge), list(inputs), flag.said, **FLAGS),
        flag.bar.undo(_safe(undo), list(inputs), flag.said, **FLAGS),
    ]


def region_html(
    services: Services, subject: Subject | None, data: Any, *, blind: bool = False
) -> Markup:
    """What drawing starts with: the person's stored region, else the predicted one.

    Nothing of the prediction while `blind`. Raises AdaClipError.
    """
    subject = _present(subject)
    name = data.get("annotator") if isinstance(data, dict) else None
    stored = None
    if services.annotations is not None and isinstance(name, str):
        known = flagging.mine(services.annotations, subject, name)
        stored = services.annotations.mask(known) if known else None
    start = flag_region.start_of(subject, stored, blind=blind)
    return render("flag_region", **start, n=secrets.token_hex(4))


def said_after(
    services: Services,
    subject_of: Callable[[], Subject | None],
    data: Any,
    *,
    listed: Callable[[], Subject | None] | None = None,
) -> Markup:
    """Store a flag and say so, or say why it was not stored.

    A flag of a `listed` picture leaves the one that is shown where it is.
    """
    shown = None
    try:
        shown = subject_of()
        judged = _present(shown if listed is None else listed())
        stored = store_flag(services, judged, data)
    except AdaClipError as error:
        return said_html(services, shown, problem=str(error))
    return said_html(services, shown, line=saved_line(stored, named=listed is not None))


def store_flag(services: Services, subject: Subject, data: Any, *, policy: str = "") -> Stored:
    """Check and store what a bar sent; durable when it returns. Raises AdaClipError."""
    store = services.annotation_store
    flag = flagging.flag_of(data)
    session = data.get("page")
    return flagging.save(
        store,
        subject,
        flag,
        session_id=session[:40] if isinstance(session, str) else "",
        policy=policy,
    )


def said_after_undo(
    services: Services, subject_of: Callable[[], Subject | None], data: Any
) -> Markup:
    """Take the named annotation back and say so, or say why not."""
    shown = None
    try:
        shown = subject_of()
        after = take_back(services, data)
    except AdaClipError as error:
        return said_html(services, shown, problem=str(error))
    return said_html(services, shown, line=undone_line(after))


def take_back(services: Services, data: Any, event_id: str | None = None) -> Annotation:
    """Undo the event named, or the one in `data`; what it had replaced is current again.

    Raises AdaClipError.
    """
    store = services.annotation_store
    if not isinstance(data, dict):
        raise InputError(flag_words.UNREADABLE_FLAG)
    name = flagging.checked_name(data.get("annotator"))
    named = str(data.get("event", ""))[:80] if event_id is None else event_id
    return store.undo(named, annotator=name)


def undone_line(after: Annotation) -> str:
    """What an undo came to: nothing is said any more, or what was said before."""
    return flag_words.TAKEN_BACK if after.action == "retract" else flag_words.RESTORED


def said_html(
    services: Services,
    subject: Subject | None,
    *,
    line: str = "",
    problem: str = "",
    blind: bool = False,
    only: str | None = None,
) -> Markup:
    """Under the bar: what was stored last, and who has said what of the picture shown.

    A bar without a subject hides itself. `blind` asks for the defect, not for the verdict; `only`
    one person's words are shown.
    """
    if services.annotations is None or subject is None:
        return hidden(line=line, problem=problem)
    marks = flagging.marks(services.annotations, subject)
    shown = [a for a in marks if only in (None, a.annotator)]
    return _said(subject, line, problem, state="blind" if blind else subject.state, marks=shown)


def hidden(*, line: str = "", problem: str = "") -> Markup:
    """No picture, no bar."""
    return _said(None, line, problem)


def _said(
    subject: Subject | None,
    line: str,
    problem: str,
    state: str = "",
    marks: Sequence[Annotation] = (),
) -> Markup:
    return render(
        "flag_said",
        subject=subject,
        line=line,
        problem=problem,
        state=state,
        marks=marks,
        n=secrets.token_hex(4),  # equal words twice are news twice
        words=flag_words,
    )


def saved_line(stored: Stored, *, named: bool = False) -> Markup:
    """When and what was stored, with the region's origin, and a way back."""
    saved = stored.annotation
    what = [flag_words.VERDICTS[saved.verdict]]
    if saved.reason_code:
        what.append(flag_words.REASONS[saved.reason_code].lower())
    if saved.region_area_px:
        what.append(flag_words.with_region(stored.region, saved.region_area_px))
    clock = flagging.clock(saved.ts_utc)
    return render("flag_saved", saved=saved, clock=clock, what=", ".join(what), named=named)


def row_cell(row: int, subject: str, alarm: bool, said: Sequence[Annotation]) -> Markup:
    """A table's cell: what was said of a listed picture, and one button for what is likely."""
    likely = "FP" if alarm else "FN"
    return render(
        "flag_cell",
        place="detect",
        row=row,
        subject=subject,
        marks=said,
        choice=next(choice for choice in flag_words.CHOICES if choice.sent == likely),
        words=flag_words,
    )


def _present(subject: Subject | None) -> Subject:
    if subject is None:
        raise InputError(flag_words.NOTHING_SHOWN)
    return subject


def _row(data: Any) -> int | None:
    row = data.get("row") if isinstance(data, dict) else None
    return row if isinstance(row, int) and not isinstance(row, bool) else None


def _safe(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Guarded, with the handler's own signature, which Gradio reads."""
    wrapper = guarded(handler)
    wrapper.__annotations__ = dict(handler.__annotations__)
    return wrapper
