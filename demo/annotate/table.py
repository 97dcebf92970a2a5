"""All annotations as a table: searched, paged, one row in hand. HTML is escaped here."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adaclip.annotations.queue import ALL
from adaclip.data.registry import spoken
from adaclip.errors import InputError
from demo.annotate import words
from demo.annotate.view import table_html
from demo.flag import flagging
from demo.flag import words as flag_words
from demo.page.parts import score_text

if TYPE_CHECKING:
    from adaclip.annotations.store import Annotation, AnnotationStore

esc = html.escape
PAGE_ROWS = 100
HEADS = (
    "Time, UTC",
    "Picture",
    "Object",
    "Verdict",
    "Why",
    "Score",
    "Region, px",
    "Who",
    "Comment",
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
    chosen = [a for a in current if _fits(a, search) and all(w in _hay(a) for w in wanted)]
    return sorted(chosen, key=lambda a: a.ts_utc, reverse=True)


def table(rows: Sequence[Annotation], page: int, selected: str = "") -> str:
    """One page of rows."""
    if not rows:
        return f'<p class="hint">{words.NO_ROWS}</p>'
    shown = rows[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]
    return table_html(HEADS, "".join(_row(a, selected) for a in shown), "annotations")


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


def row_in_hand(store: AnnotationStore, event_id: Any) -> Annotation:
    """A current annotation by its id. Raises InputError when it is not, or not any more."""
    for annotation in _history(store, event_id):
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
    row = _own(store, event_id, annotator)
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
    """One's own annotation taken back. Raises AdaClipError."""
    row = _own(store, event_id, annotator)
    return store.retract(row.event_id, annotator=row.annotator)


def details(annotation: Annotation) -> str:
    """The row in hand, in full."""
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
    rows = "".join(f"<p><span>{esc(k)}</span>{esc(v)}</p>" for k, v in facts)
    return f'<div class="facts-card">{rows}</div>'


def _own(store: AnnotationStore, event_id: Any, annotator: Any) -> Annotation:
    name = flagging.checked_name(annotator)
    row = row_in_hand(store, event_id)
    if row.annotator != name:
        raise InputError(words.NOT_YOURS.format(name=row.annotator))
    return row


def _history(store: AnnotationStore, event_id: Any) -> Sequence[Annotation]:
    """The current annotations of the picture an event is of."""
    event = store.get(event_id) if isinstance(event_id, str) else None
    return [] if event is None else store.for_image(event.pixel_sha256)


def _fits(a: Annotation, search: Search) -> bool:
    return (
        search.verdict in (ALL, a.verdict)
        and search.reason in (ALL, a.reason_code)
        and search.annotator in (ALL, a.annotator)
    )


def _hay(a: Annotation) -> str:
    parts = (a.rel_path, a.dataset, spoken(a.class_name), a.annotator, a.comment)
    said = (flag_words.VERDICTS.get(a.verdict, ""), flag_words.REASONS.get(a.reason_code, ""))
    return "\n".join((*parts, *said, a.checkpoint_id, a.event_id)).casefold()


def _row(a: Annotation, selected: str) -> str:
    current = ' aria-current="true"' if a.event_id == selected else ""
    region = f"{a.region_area_px:,}" if a.region_area_px else ""
    cells = (
        f"<td>{esc(_time(a.ts_utc))}</td>",
        f'<td class="file" title="{esc(a.rel_path)}">{esc(a.rel_path)}</td>',
        f"<td>{esc(spoken(a.class_name))}</td>",
        f'<td><span class="tag {esc(a.verdict)}">'
        f"{esc(flag_words.VERDICTS.get(a.verdict, a.verdict))}</span></td>",
        f"<td>{esc(flag_words.REASONS.get(a.reason_code, a.reason_code))}</td>",
        f'<td class="n">{_number(a.image_score)}</td>',
        f'<td class="n">{region}</td>',
        f"<td>{esc(a.annotator)}</td>",
        f'<td class="comment">{esc(a.comment[:200])}</td>',
    )
    return f'<tr data-event="{esc(a.event_id)}" tabindex="0"{current}>{"".join(cells)}</tr>'


def _predicted(a: Annotation) -> str:
    word = flag_words.PREDICTED.get(a.predicted, a.predicted)
    return word if a.image_score is None else f"{word}, score {score_text(a.image_score)}"


def _number(value: float | None) -> str:
    return "" if value is None else score_text(value)


def _time(ts_utc: str) -> str:
    """Day and time to the second, as text."""
    return ts_utc[:19].replace("T", " ")
