"""The review's words and pictures as HTML: pure functions of a subject, a queue, annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from adaclip.data.registry import spoken
from adaclip.types import Verdict
from demo.annotate import words
from demo.flag import words as flag_words
from demo.flag.flagging import Subject
from demo.page import messages
from demo.page.parts import chip, score_text
from demo.page.templates import render

if TYPE_CHECKING:
    from demo.annotate.review import Review

_VERDICTS = {"OK": Verdict.NORMAL, "REVIEW": Verdict.REVIEW, "ANOM": Verdict.ANOMALOUS}


def empty_stage() -> Markup:
    """What to do, in three steps."""
    return render("annotate_empty", title=words.HERO_TITLE, steps=words.HERO_STEPS)


def problem_stage(problem: str) -> Markup:
    """In place of a picture that cannot be shown: why."""
    return render("problem", title="This picture cannot be shown", text=problem)


def busy_stage(text: str, share: float) -> Markup:
    """A folder being judged; `share` 0-1 is done."""
    return render("annotate_busy", text=text, percent=f"{100 * share:.1f}")


def facts_html(subject: Subject, *, blind: bool = False) -> Markup:
    """What was predicted and of what; while blind only of what."""
    rows = [("Object", spoken(subject.class_name)), ("Dataset", subject.dataset)]
    if not blind:
        if subject.threshold is not None:
            cut = f"{score_text(subject.threshold.value)}, {subject.threshold.source}"
            rows.append(("Threshold", cut))
        if subject.truth:
            kind = f" ({spoken(subject.defect_type)})" if subject.defect_type else ""
            rows.append(("Dataset says", subject.truth + kind))
    size = f"{subject.size[1]} {messages.TIMES} {subject.size[0]} px"
    rows += [("Checkpoint", subject.checkpoint_id), ("Size", size)]
    verdict = _VERDICTS.get(subject.predicted)
    shown = verdict is not None and subject.score is not None and not blind
    return render(
        "annotate_predicted",
        hidden=words.HIDDEN if blind else words.NOT_PREDICTED,
        verdict=verdict.value if shown and verdict else "",
        chip=Markup(chip(verdict)) if shown and verdict else "",
        score=score_text(subject.score) if shown and subject.score is not None else "",
        facts=rows,
    )


def counter_html(review: Review | None) -> str:
    """Where in the queue, how much is done, how fast, and which verdicts."""
    if review is None:
        return ""
    done, count = review.done, len(review.items)
    pace = review.per_minute
    facts = []
    if pace is not None:
        facts.append(f"{pace:.0f} per minute")
        left = (count - done) / pace
        if count > done and left >= 1:
            facts.append(f"about {messages.duration(60 * left)} left")
    return render(
        "annotate_counter",
        judged=f"{done:,} / {count:,}",
        facts=facts,
        complete=words.ALL_DONE if review.complete else "",
        percent=f"{100.0 * done / count:.1f}",
        tallies=_tallies(review.tallies),
    )


def position_html(review: Review | None) -> str:
    """Which picture this is."""
    if review is None:
        return ""
    item = review.item
    truth = ""
    if not review.hides and item.anomalous is not None:
        truth = " · labelled anomalous" if item.anomalous else " · labelled normal"
    return render(
        "annotate_position",
        place=f"{review.place + 1:,} / {len(review.items):,}",
        name=item.rel_path,
        about=f"{spoken(item.class_name)}{truth}",
    )


def tally_html(current: Sequence[Any]) -> Markup:
    """Of all annotations: how many of each verdict, by how many people, of how many pictures."""
    parts = []
    if current:
        people = len({a.annotator for a in current})
        parts.append("1 person" if people == 1 else f"{people:,} people")
        parts.append(words.pictures(len({a.pixel_sha256 for a in current})))
    return render(
        "annotate_tally",
        count=words.labels(len(current)),
        rest=" · ".join(parts),
        tallies=_tallies(Counter(a.verdict for a in current)),
    )


def keys_html() -> Markup:
    """The keys, beside the picture."""
    return render("annotate_keys", keys=[(keys.split(), what) for keys, what in words.REVIEW_KEYS])


def note(text: str) -> Markup:
    """A quiet line that something is done."""
    return render("annotate_note", text=text)


def _tallies(counts: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """(code, verdict, how often) of each verdict that was given."""
    return [
        (code, label, f"{counts[code]:,}")
        for code, label in flag_words.VERDICTS.items()
        if counts.get(code)
    ]
