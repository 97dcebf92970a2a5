"""The flag bar: one click or key says what is wrong with a verdict. Placed wherever one looks.

Two pieces: the bar itself, which never changes, so that nothing typed gets lost; and what was
said, which every answer of the server replaces. Their behaviour is in assets/flag.js.
"""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from adaclip.annotations.store import Annotation
from adaclip.errors import AdaClipError, InputError
from demo.flag import flagging
from demo.flag import region as flag_region
from demo.flag import words as flag_words
from demo.flag.flagging import Subject
from demo.page.guard import guarded
from demo.page.icons import icon
from demo.page.theme import asset
from demo.page.theme import html as html_part
from demo.services import Services

esc = html.escape
# As detect_wiring.PRIVATE; every press counts, so none is dropped while another is under way.
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
    region: gr.Column
    editor: gr.ImageEditor


def build_flag_bar(place: str) -> FlagBar:
    """Lay a bar out inside the current Blocks; `place` is unique on the page."""
    with gr.Column(elem_id=f"flag-{place}-box", elem_classes="flag-box"):
        bar = html_part(_bar(place), js_on_load=asset("flag.js"), elem_id=f"flag-{place}")
        said = html_part(hidden(), elem_id=f"flag-{place}-said")
        with gr.Column(
            visible=False, elem_id=f"flag-{place}-region", elem_classes="flag-region"
        ) as region:
            html_part(f'<p class="hint">{esc(flag_words.REGION_HINT)}</p>')
            editor = gr.ImageEditor(
                type="pil",
                image_mode="RGBA",
                format="png",
                layers=False,
                sources=(),
                transforms=(),
                show_label=False,
                buttons=[],
                height=420,
                brush=_brush(20),
                eraser=gr.Eraser(default_size=40),
                elem_id=f"flag-{place}-editor",
            )
    return FlagBar(place=place, bar=bar, said=said, region=region, editor=editor)


def wire_flag_bar(
    flag: FlagBar,
    services: Services,
    subject_of: Callable[..., Subject | None],
    inputs: Sequence[Any],
) -> list[Any]:
    """Saving, undo and the region editor; the events, so that a caller can refresh what it shows.

    `subject_of(*values)` gives what is shown now, `subject_of(*values, row=N)` a listed one.
    """

    def judge(event: gr.EventData, *values: Any) -> str:
        data, row = event._data, _row(event._data)
        listed = None if row is None else lambda: subject_of(*values, row=row)
        return said_after(services, lambda: subject_of(*values), data, listed=listed)

    def judge_region(event: gr.EventData, editor: Any, *values: Any) -> tuple[Any, ...]:
        shown, data = (lambda: subject_of(*values)), event._data
        said = said_after(services, shown, data, region=lambda: editor)
        return said, gr.Column(visible=PROBLEM in said)

    def undo(event: gr.EventData, *values: Any) -> str:
        return said_after_undo(services, lambda: subject_of(*values), event._data)

    events = [
        flag.bar.select(_safe(judge), list(inputs), flag.said, **FLAGS),
        flag.bar.submit(
            _safe(judge_region), [flag.editor, *inputs], [flag.said, flag.region], **FLAGS
        ),
        flag.bar.undo(_safe(undo), list(inputs), flag.said, **FLAGS),
    ]
    wire_region(flag, services, subject_of, inputs)
    return events


def wire_region(
    flag: FlagBar,
    services: Services,
    subject_of: Callable[..., Subject | None],
    inputs: Sequence[Any],
) -> None:
    """Opening and closing the brush editor."""

    def open_region(event: gr.EventData, *values: Any) -> tuple[Any, ...]:
        name = (event._data or {}).get("annotator", "")
        subject = subject_of(*values)
        if subject is None:
            raise InputError(flag_words.NOTHING_SHOWN)
        return gr.Column(visible=True), editor_for(services, subject, name)

    def close_region() -> tuple[Any, ...]:
        return gr.Column(visible=False), None

    both = [flag.region, flag.editor]
    flag.bar.edit(_safe(open_region), list(inputs), both, **FLAGS)
    flag.bar.clear(guarded(close_region), None, both, **FLAGS)


def editor_for(services: Services, subject: Subject, annotator: Any) -> gr.ImageEditor:
    """The editor with the picture and the person's stored region, else the predicted one."""
    stored = None
    if services.annotations is not None and isinstance(annotator, str):
        known = flagging.mine(services.annotations, subject, annotator)
        stored = services.annotations.mask(known) if known else None
    value, radius = flag_region.editor_value(subject, stored)
    size = value["background"].size
    return gr.ImageEditor(
        value=value,  # type: ignore[arg-type]
        canvas_size=size,
        brush=_brush(radius),
        eraser=gr.Eraser(default_size=2 * radius),
    )


def said_after(
    services: Services,
    subject_of: Callable[[], Subject | None],
    data: Any,
    *,
    listed: Callable[[], Subject | None] | None = None,
    region: Callable[[], Any] | None = None,
) -> str:
    """Store a flag and say so, or say why it was not stored.

    A flag of a `listed` picture leaves the one that is shown where it is.
    """
    shown = None
    try:
        shown = subject_of()
        judged = _present(shown if listed is None else listed())
        saved = store_flag(services, judged, data, region=region)
    except AdaClipError as error:
        return said_html(services, shown, problem=str(error))
    return said_html(services, shown, line=saved_line(saved, named=listed is not None))


def store_flag(
    services: Services,
    subject: Subject,
    data: Any,
    *,
    region: Callable[[], Any] | None = None,
    policy: str = "",
) -> Annotation:
    """Check and store what a bar sent; durable when it returns. Raises AdaClipError."""
    if services.annotations is None:
        raise InputError(flag_words.NO_STORE)
    flag = flagging.flag_of(data)
    mask: np.ndarray | None = None
    if region is not None:
        mask = flag_region.mask_of(region(), subject.size)
    session = data.get("page")
    return flagging.save(
        services.annotations,
        subject,
        flag,
        mask=mask,
        session_id=session[:40] if isinstance(session, str) else "",
        policy=policy,
    )


def said_after_undo(services: Services, subject_of: Callable[[], Subject | None], data: Any) -> str:
    """Take the named annotation back and say so, or say why not."""
    shown = None
    try:
        shown = subject_of()
        after = take_back(services, data)
    except AdaClipError as error:
        return said_html(services, shown, problem=str(error))
    return said_html(services, shown, line=esc(undone_line(after)))


def take_back(services: Services, data: Any, event_id: str | None = None) -> Annotation:
    """Undo the event named, or the one in `data`; what it had replaced is current again.

    Raises AdaClipError.
    """
    if services.annotations is None:
        raise InputError(flag_words.NO_STORE)
    if not isinstance(data, dict):
        raise InputError(flag_words.UNREADABLE_FLAG)
    name = flagging.checked_name(data.get("annotator"))
    named = str(data.get("event", ""))[:80] if event_id is None else event_id
    return services.annotations.undo(named, annotator=name)


def undone_line(after: Annotation) -> str:
    """What an undo came to: nothing is said any more, or what was said before."""
    return flag_words.TAKEN_BACK if after.action == "retract" else flag_words.RESTORED


PROBLEM = 'class="flag-line problem"'


def said_html(
    services: Services,
    subject: Subject | None,
    *,
    line: str = "",
    problem: str = "",
    blind: bool = False,
    only: str | None = None,
) -> str:
    """Under the bar: what was stored last, and who has said what of the picture shown.

    `line` is HTML, the rest is escaped here. A bar without a subject hides itself. `blind` asks
    for the defect, not for the verdict; `only` one person's words are shown.
    """
    if services.annotations is None or subject is None:
        return hidden(line=line, problem=problem)
    facts = {
        "subject": subject.id,
        "alarm": "yes" if subject.alarm else "no",
        "blind": "yes" if blind else "no",
        "n": secrets.token_hex(4),  # equal words twice are news twice
    }
    marks = flagging.marks(services.annotations, subject)
    said = "".join(mark(a) for a in marks if only in (None, a.annotator))
    shown = f'<ul class="flag-marks">{said}</ul>'
    return f'<div class="flag-said" {_data(facts)}>{_line(line, problem)}{shown}</div>'


def hidden(*, line: str = "", problem: str = "") -> str:
    """No picture, no bar."""
    facts = {"subject": "", "n": secrets.token_hex(4)}
    return f'<div class="flag-said" {_data(facts)}>{_line(line, problem)}</div>'


def saved_line(saved: Annotation, *, named: bool = False) -> str:
    """HTML: "Saved 12:03:04 · False alarm, reflection · Undo"; the browser knows the time zone."""
    what = [flag_words.VERDICTS[saved.verdict]]
    if saved.reason_code:
        what.append(flag_words.REASONS[saved.reason_code].lower())
    if saved.region_area_px:
        what.append(f"region of {saved.region_area_px:,} px")
    name = f"<span>{esc(saved.rel_path)}</span>: " if named else ""
    time = f'<time datetime="{esc(saved.ts_utc)}">{esc(flagging.clock(saved.ts_utc))} UTC</time>'
    return (
        f"Saved {time} · {name}{esc(', '.join(what))} · "
        f'<button type="button" data-undo="{esc(saved.event_id)}">Undo<kbd>U</kbd></button>'
    )


def _line(line: str, problem: str) -> str:
    if problem:
        return f'<p {PROBLEM} role="alert">{icon("warning")}<span>{esc(problem)}</span></p>'
    mark = icon("normal") if line else ""
    return f'<p class="flag-line" role="status">{mark}<span>{line}</span></p>'


def mark(annotation: Annotation) -> str:
    """One person's word on a picture, as a list item that the bar reads."""
    reason = flag_words.REASONS.get(annotation.reason_code, "")
    facts = {
        "by": annotation.annotator,
        "verdict": annotation.verdict,
        "reason": annotation.reason_code,
        "event": annotation.event_id,
        "comment": annotation.comment,
    }
    said = flag_words.VERDICTS.get(annotation.verdict, annotation.verdict)
    parts = [esc(said), esc(reason), "region" if annotation.region_kind == "mask" else ""]
    if annotation.settled:  # nobody's own word, so the bar does not read it
        return f"<li><b>{esc(annotation.annotator)}</b> settled: {esc(said)}</li>"
    text = " · ".join(part for part in parts if part)
    return f"<li {_data(facts)}><b>{esc(annotation.annotator)}</b> {text}</li>"


def row_cell(row: int, subject: str, alarm: bool, said: Sequence[Annotation]) -> str:
    """A table's cell: what was said of a listed picture, and one button for what is likely."""
    choice = "false_alarm" if alarm else "missed"
    label = flag_words.CHOICES[choice][1]
    marks = "".join(
        f'<span class="tag {esc(a.verdict)}" title="{esc(a.annotator)}" '
        f"{_data({} if a.settled else {'by': a.annotator, 'event': a.event_id})}>"
        f"{esc(flag_words.VERDICTS.get(a.verdict, a.verdict))}</span>"
        for a in said
    )
    facts = {"flag-place": "detect", "row": str(row), "subject": subject}
    return (
        f'<td class="flag-cell" {_data(facts)}>{marks}<button type="button" class="quick" '
        f'data-flag-choice="{choice}" title="Flag: {label}">{icon("flag")}<span>{label}</span>'
        "</button></td>"
    )


def _data(facts: dict[str, Any]) -> str:
    """data-… attributes, escaped."""
    return " ".join(f'data-{name}="{esc(str(value or ""))}"' for name, value in facts.items())


def _present(subject: Subject | None) -> Subject:
    if subject is None:
        raise InputError(flag_words.NOTHING_SHOWN)
    return subject


def _row(data: Any) -> int | None:
    row = data.get("row") if isinstance(data, dict) else None
    return row if isinstance(row, int) and not isinstance(row, bool) else None


def _brush(radius: int) -> gr.Brush:
    paint = ("#e53935", 0.5)
    return gr.Brush(default_size=radius, colors=[paint], default_color=paint, color_mode="fixed")


def _safe(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Guarded, with the handler's own signature, which Gradio reads."""
    wrapper = guarded(handler)
    wrapper.__annotations__ = dict(handler.__annotations__)
    return wrapper


def _bar(place: str) -> str:
    """The bar's fixed HTML."""
    verdicts = "".join(
        f'<button type="button" data-choice="{choice}" aria-pressed="false"><kbd>{key}</kbd>'
        f"<span>{label}</span></button>"
        for choice, (key, label) in flag_words.CHOICES.items()
    )
    shift = "" if place == "annotate" else "⇧"
    reasons = "".join(
        f'<button type="button" role="radio" aria-checked="false" data-reason="{code}">'
        f"<kbd>{shift}{number}</kbd>{esc(label)}</button>"
        for number, (code, label) in enumerate(flag_words.REASONS.items(), start=1)
    )
    return (
        f'<div class="flag" data-place="{place}" hidden>'
        f'<div class="flag-verdicts" role="group" aria-label="Your verdict">{verdicts}</div>'
        f'<div class="flag-reasons" role="radiogroup" aria-label="Why">{reasons}</div>'
        '<div class="flag-more">'
        f'<input type="text" class="flag-comment" maxlength="{flag_words.MAX_COMMENT}" '
        'placeholder="Comment, if it needs one" aria-label="Comment">'
        '<button type="button" data-region aria-expanded="false"><kbd>B</kbd>Mark the region'
        "</button></div>"
        '<div class="flag-who"><label>Your name <input type="text" class="flag-name" '
        f'maxlength="{flag_words.MAX_NAME}" autocomplete="nickname" placeholder="initials will do">'
        f'</label><label class="flag-keep"><input type="checkbox">{esc(flag_words.KEEP)}</label>'
        "</div></div>"
    )
