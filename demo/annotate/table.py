"""All annotations as a table: searched, paged, one row selected, changed, taken back, undone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from adaclip.annotations.queue import ALL
from adaclip.data.registry import spoken
from adaclip.errors import InputError
from demo.annotate import words
from demo.annotate.sheet import Cell, Row, cells, hint, path, sheet_html, tag
from demo.flag import flagging
from demo.flag import words as flag_words
from demo.page.parts import score_text
from demo.page.templates import render

if TYPE_CHECKING:
    from adaclip.annotations.store import Annotation, AnnotationStore

PAGE_ROWS = 100
HEADS = (
    "",
    "Picture",
    "Object",
    "Verdict",
    "Why",
    "Score",
    "Region, px",
    "Who",
    "Comment",
    "Time, UTC",
)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is looked for; "all" and "" are no filter."""

    text: str = ""
    verdict: str = ALL
    reason: str = ALL
    annotator: str = ALL
    page: int = 0


def found(current: Iterable[Annotation], search: Search) -> list[Annotation]:
    """Current annotations that match, newest first. Every word of the text must occur."""
    wanted = [word.casefold() for word in search.text[:200].split()]
    chosen = [a for a in current if _fits(a, search) and all(w in _text(a) for w in wanted)]
    return sorted(chosen, key=lambda a: a.ts_utc, reverse=True)


def table(rows: Sequence[Annotation], page: int, selected: str = "") -> Markup:
    """One page of rows."""
    if not rows:
        return hint(words.NO_ROWS)
    shown = rows[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]
    return sheet_html(HEADS, (_row(a, selected) for a in shown), "annotations")


def pages(count: int) -> int:
    """How many pages a number of rows takes; at least one."""
    return max(1, -(-count // PAGE_ROWS))


def pager(count: int, page: int) -> str:
    """Which rows these are."""
    if not count:
        return ""
    first, last = page * PAGE_ROWS + 1, min((page + 1) * PAGE_ROWS, count)
    return f'<p class="pager"><b>{first:,} to {last:,}</b> of {words.labels(count)}</p>'


def people(current: Iterable[Annotation]) -> list[str]:
    """Everybody who has judged something, by name."""
    return sorted({a.annotator for a in current})


def selected_row(store: AnnotationStore, event_id: Any) -> Annotation:
    """A current annotation by its id. Raises InputError when it is not, or not any more."""
    event = store.get(event_id) if isinstance(event_id, str) else None
    for annotation in [] if event is None else store.for_image(event.pixel_sha256):
        if annotation.event_id == event_id:
            return annotation
    raise InputError(words.UNKNOWN_ROW)


def edited(
    store: AnnotationStore,
    event_id: Any,
    *,
    annotator: Any,
    verdict: Any,
    reason: Any,
    comment: Any,
) -> Annotation:
    """Another verdict, reason or comment in place of one's own. Raises AdaClipError."""
    row = _own(selected_row(store, event_id), annotator)
    reason = reason or ""
    known = flagging.is_one_of(verdict, flag_words.VERDICTS)
    if not known or not (reason == "" or flagging.is_one_of(reason, flag_words.REASONS)):
        raise InputError(flag_words.UNREADABLE_FLAG)
    new = dataclasses.replace(
        row,
        verdict=verdict,
        reason_code=reason,
        comment=flagging.checked_comment(comment),
        lead_time_ms=None,
    )
    mask = store.mask(row) if verdict == row.verdict else None
    return store.add(new, mask=mask, seen=row.event_id)


def retracted(store: AnnotationStore, event_id: Any, *, annotator: Any) -> Annotation:
    """One's own annotation taken back; the row that says so. Raises AdaClipError."""
    row = _own(selected_row(store, event_id), annotator)
    return store.retract(row.event_id, annotator=row.annotator)


def undone(store: AnnotationStore, event_id: Any, *, annotator: Any) -> Annotation:
    """What an edit or a retraction of one's own replaced, stored again; the row that now holds.

    `event_id` is the change. Raises InputError when something else was said since.
    """
    change = store.get(event_id) if isinstance(event_id, str) else None
    before = None if change is None else store.get(change.supersedes)
    if change is None or before is None:
        raise InputError(words.UNKNOWN_ROW)
    _own(before, annotator)
    seen = "" if change.action == "retract" else _holds(store, change).event_id
    return store.add(before, mask=store.mask(before), seen=seen)


def _holds(store: AnnotationStore, change: Annotation) -> Annotation:
    """The current row that says what a change says: itself, or a copy. Raises InputError."""
    for row in store.for_image(change.pixel_sha256):
        copied = dataclasses.replace(
            change,
            event_id=row.event_id,
            supersedes=row.supersedes,
            ts_utc=row.ts_utc,
            region_path=row.region_path,
        )
        if copied == row:
            return row
    raise InputError(words.UNKNOWN_ROW)


def details(annotation: Annotation) -> Markup:
    """The selected row, in full."""
    a = annotation
    facts = [
        ("Picture", a.rel_path),
        ("Dataset", a.dataset),
        ("Object", spoken(a.class_name)),
        ("Checkpoint", a.checkpoint_id),
        ("Predicted", _predicted(a)),
        ("Threshold", f"{_number(a.image_threshold)} {a.threshold_source}".strip()),
        ("Region", f"{a.region_area_px:,} px" if a.region_area_px else "none"),
        ("Who, when", f"{a.annotator}, {_time(a.ts_utc)} UTC"),
        ("Queue", a.queue_policy or "none"),
    ]
    return render("annotate_facts", facts=facts)


def _own(row: Annotation, annotator: Any) -> Annotation:
    if row.annotator != flagging.checked_name(annotator):
        raise InputError(words.NOT_YOURS.format(name=row.annotator))
    return row


def _fits(a: Annotation, search: Search) -> bool:
    return (
        search.verdict in (ALL, a.verdict)
        and search.reason in (ALL, a.reason_code)
        and search.annotator in (ALL, a.annotator)
    )


def _text(a: Annotation) -> str:
    """All of an annotation that a search looks at, in one case."""
    parts = (a.rel_path, a.dataset, spoken(a.class_name), a.annotator, a.comment)
    said = (flag_words.VERDICTS.get(a.verdict, ""), flag_words.REASONS.get(a.reason_code, ""))
    settled = words.SETTLED if a.settled else ""
    return "\n".join((*parts, *said, settled, a.checkpoint_id, a.event_id)).casefold()


def _row(a: Annotation, selected: str) -> Row:
    return Row(
        event=a.event_id,
        current=a.event_id == selected,
        cells=cells(
            path(a.rel_path),
            spoken(a.class_name),
            tag(a),
            flag_words.REASONS.get(a.reason_code, a.reason_code),
            Cell(text=_number(a.image_score), kind="n"),
            Cell(text=f"{a.region_area_px:,}" if a.region_area_px else "", kind="n"),
            a.annotator,
            Cell(text=a.comment[:200], kind="comment"),
            _time(a.ts_utc),
        ),
    )


def _predicted(a: Annotation) -> str:
    word = flag_words.PREDICTED.get(a.predicted, a.predicted)
    return word if a.image_score is None else f"{word}, score {score_text(a.image_score)}"


def _number(value: float | None) -> str:
    return "" if value is None else score_text(value)


def _time(ts_utc: str) -> str:
    """Day and time to the second, as text."""
    return ts_utc[:19].replace("T", " ")
