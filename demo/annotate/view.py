"""The review's words and pictures as HTML: pure functions of a subject, a queue, annotations.

gr.HTML does not sanitise, so every text that comes from a user or a file goes through `esc`.
"""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from adaclip.data.registry import spoken
from adaclip.types import Verdict
from demo.annotate import words
from demo.flag import words as flag_words
from demo.flag.flagging import Subject
from demo.page import messages
from demo.page.icons import icon
from demo.page.parts import chip, score_text
from demo.page.templates import render

if TYPE_CHECKING:
    from demo.annotate.review import Review

esc = html.escape
_VERDICTS = {"OK": Verdict.NORMAL, "REVIEW": Verdict.REVIEW, "ANOM": Verdict.ANOMALOUS}


def empty_stage() -> str:
    """What to do, in three steps."""
    steps = "".join(
        f"<li><b>{esc(step)}</b><span>{esc(how)}</span></li>" for step, how in words.HERO_STEPS
    )
    return f'<div class="hero"><h2>{words.HERO_TITLE}</h2><ol>{steps}</ol></div>'


def problem_stage(problem: str) -> str:
    """In place of a picture that cannot be shown: why."""
    return render("problem", title="This picture cannot be shown", text=problem)


def busy_stage(text: str, share: float) -> str:
    """A folder being judged."""
    return (
        f'<div class="hero"><h2>{esc(text)}</h2><div class="meter" role="progressbar" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}">'
        f'<i style="width:{100 * share:.1f}%"></i></div></div>'
    )


def facts_html(subject: Subject, *, blind: bool = False) -> str:
    """What was predicted and of what; while blind only of what."""
    rows = [("Object", spoken(subject.class_name)), ("Dataset", subject.dataset)]
    top = f'<p class="said-blind">{icon("idle")}Hidden until you have judged it</p>'
    if not blind:
        top = _predicted(subject)
        if subject.threshold is not None:
            cut = f"{score_text(subject.threshold.value)}, {subject.threshold.source}"
            rows.append(("Threshold", cut))
        if subject.truth:
            kind = f" ({spoken(subject.defect_type)})" if subject.defect_type else ""
            rows.append(("Dataset says", subject.truth + kind))
    rows += [("Checkpoint", subject.checkpoint_id), ("Size", _size(subject.size))]
    facts = "".join(f"<p><span>{esc(k)}</span>{esc(v)}</p>" for k, v in rows)
    return f'{top}<div class="facts-card">{facts}</div>'


def _predicted(subject: Subject) -> str:
    verdict = _VERDICTS.get(subject.predicted)
    if verdict is None or subject.score is None:
        return f'<p class="said-blind">{icon("idle")}Nothing was predicted</p>'
    return (
        f'<div class="predicted {verdict.value}">{chip(verdict)}'
        f"<b>{score_text(subject.score)}</b><span>score</span></div>"
    )


def counter_html(review: Review | None) -> str:
    """Where in the queue, how much is done, how fast, and which verdicts."""
    if review is None:
        return ""
    done, count = review.done, len(review.items)
    pace = review.per_minute
    facts = [f"<b>{done:,} / {count:,}</b> judged"]
    if pace is not None:
        facts.append(f"{pace:.0f} per minute")
        left = (count - done) / pace
        if count > done and left >= 1:
            facts.append(f"about {messages.duration(60 * left)} left")
    tallies = "".join(
        f'<li class="{code}"><i></i>{esc(label)} <b>{review.tallies[code]:,}</b></li>'
        for code, label in flag_words.VERDICTS.items()
        if review.tallies[code] > 0
    )
    share = 100.0 * done / count
    finished = f'<span class="all-done">{icon("normal")}{words.ALL_DONE}</span>'
    return (
        f'<div class="counter"><p>{" · ".join(facts)}{finished if review.complete else ""}</p>'
        f'<div class="meter"><i style="width:{share:.1f}%"></i></div>'
        f'<ul class="tallies" aria-label="This session">{tallies}</ul></div>'
    )


def position_html(review: Review | None) -> str:
    """Which picture this is."""
    if review is None:
        return ""
    item = review.item
    truth = ""
    if not review.hides and item.anomalous is not None:
        truth = " · labelled anomalous" if item.anomalous else " · labelled normal"
    return (
        f'<div class="position"><b>{review.place + 1:,} / {len(review.items):,}</b> '
        f'<span class="name">{esc(item.rel_path)}</span>'
        f'<span class="dim">{esc(spoken(item.class_name))}{truth}</span></div>'
    )


def table_html(heads: Sequence[str], rows: str, kind: str = "") -> str:
    """A quiet table; `rows` is HTML, escaped by whoever made it."""
    head = "".join(f"<th>{esc(h)}</th>" for h in heads)
    return (
        f'<div class="sheet-scroll"><table class="sheet {kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def tally_html(current: Sequence[Any]) -> str:
    """Of all annotations: how many of each verdict, by how many people, of how many pictures."""
    counts = Counter(a.verdict for a in current)
    parts = [words.labels(len(current))]
    if current:
        people = len({a.annotator for a in current})
        parts.append("1 person" if people == 1 else f"{people:,} people")
        parts.append(words.pictures(len({a.pixel_sha256 for a in current})))
    tallies = "".join(
        f'<li class="{code}"><i></i>{esc(label)} <b>{counts[code]:,}</b></li>'
        for code, label in flag_words.VERDICTS.items()
        if counts[code]
    )
    rest = " · ".join(parts[1:])
    return f'<p class="sum"><b>{parts[0]}</b> {rest}</p><ul class="tallies">{tallies}</ul>'


def keys_html() -> str:
    """The keys, beside the picture."""
    rows = "".join(
        "<dt>" + "".join(f"<kbd>{key}</kbd>" for key in keys.split()) + f"</dt><dd>{what}</dd>"
        for keys, what in words.REVIEW_KEYS
    )
    return f'<dl class="keys">{rows}</dl>'


def note(text: str) -> str:
    """A quiet line that something is done."""
    return f'<p class="done">{icon("normal")}{esc(text)}</p>'


def kept_html(picture: str, size: tuple[int, int], mask: np.ndarray | None) -> str:
    """A kept image as a data URI, small, with its region over it."""
    over = "" if mask is None else f'<img class="region" src="{_mask_png(mask)}" alt="Region">'
    height, width = size
    style = f"aspect-ratio:{width}/{height}"
    return f'<div class="kept" style="{style}"><img src="{picture}" alt="Kept image">{over}</div>'


def _mask_png(mask: np.ndarray) -> str:
    """Red where the region is, nothing elsewhere; at most 240 pixels long."""
    grey = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    grey.thumbnail((240, 240))
    paint = Image.new("RGBA", grey.size, (229, 57, 53, 0))
    paint.putalpha(grey.point(lambda level: level * 150 // 255))
    buffer = io.BytesIO()
    paint.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} {messages.TIMES} {size[0]} px"
