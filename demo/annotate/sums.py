"""What all annotations together come to: enough or not, thresholds, what can be trained on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from adaclip.annotations import thresholds
from adaclip.annotations.exports import Export, export
from adaclip.annotations.labels import trainable
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.annotations.thresholds import Rate, Suggestion
from adaclip.data.registry import spoken
from adaclip.errors import InputError
from demo.annotate import words
from demo.annotate.sheet import SHOWN, Cell, Row, cells, hint, number, sheet_html
from demo.flag import words as flag_words
from demo.page.icons import icon
from demo.page.parts import score_text
from demo.page.templates import render

_CODE, _AS_CODE = re.compile(r"`([^`]*)`"), r"<code>\1</code>"
# Of the bootstrap: an interval is drawn in a few seconds, however many annotations there are.
_MANY, _RESAMPLES, _FEW = 5000, 1000, 100
_NAMES_SHOWN = 20
# Button -> kind of export, and the file's name.
EXPORTS = {
    "csv": ("csv", "annotations.csv"),
    "jsonl": ("jsonl", "annotations.jsonl"),
    "coco": ("coco", "annotations-coco.json"),
    "tree": ("mvtec", "annotations-training.zip"),
}


def quality_html(current: Sequence[Annotation]) -> Markup:
    """For each object how many labels there are, and how many it takes until they are worth it."""
    found = thresholds.quality(current)
    if not found:
        return hint(words.NOTHING_YET)
    rows = [
        Row(
            cells=cells(
                spoken(q.class_name),
                number(q.normal),
                number(q.anomalous),
                number(q.masks),
                _needs(q.threshold_needs),
                _needs(q.training_needs),
            )
        )
        for q in found[:SHOWN]
    ]
    heads = ("Object", "Normal", "With defect", "With region", "For a threshold", "For training")
    return sheet_html(heads, rows, "needs") + hint(words.TRAINING_BIAS)


def suggestions_html(current: Sequence[Annotation]) -> Markup:
    """Suggested thresholds with counts, intervals, and the false-alarm rate before and after."""
    found = thresholds.suggest(current, resamples=_FEW if len(current) > _MANY else _RESAMPLES)
    if not found:
        return hint(words.NOTHING_YET)
    heads = (
        "Object",
        "Checkpoint",
        "Labels: normal, defect",
        "Threshold now",
        "Suggested",
        "95 % interval",
        "False alarms, before to after",
        "Missed, before to after",
    )
    notes = list(dict.fromkeys(text for s in found for text in s.notes))
    table = sheet_html(heads, (_suggestion(s) for s in found[:SHOWN]), "suggest")
    return table + render("annotate_remarks", notes=notes, mark="note")


def trainable_html(
    store: AnnotationStore, data_roots: Sequence[Path], *, benchmark_too: bool = False
) -> Markup:
    """Of the reviewed pictures how many can be trained on, and why each of the others cannot."""
    included = ("all",) if benchmark_too else ()
    found = trainable(store, data_roots=data_roots, include_datasets=included)
    if not found.reviewed:
        return hint(words.NOTHING_YET)
    reasons = [
        {
            "count": len(left),
            "reason": words.WAY_OUT.get(reason, reason),
            "names": [each.name for each in left[:_NAMES_SHOWN]],
            "more": len(left) - _NAMES_SHOWN,
        }
        for reason, left in found.by_reason.items()
    ]
    share = 100.0 * found.usable / found.reviewed
    return render("annotate_trainable", found=found, reasons=reasons, share=share)


def write_export(
    store: AnnotationStore,
    kind: str,
    folder: Path,
    *,
    data_roots: Sequence[Path] = (),
    benchmark_too: bool = False,
) -> tuple[Path, Markup]:
    """The file, and HTML that says what is in it and what is not. Raises AdaClipError."""
    if kind not in EXPORTS:
        raise InputError(flag_words.UNREADABLE_FLAG)
    what, name = EXPORTS[kind]
    included = ("all",) if benchmark_too else ()
    out = folder / (Path(name).stem if kind == "tree" else name)
    done = export(store, what, out, data_roots=data_roots, include_datasets=included)
    path = out
    if kind == "tree":
        path = Path(shutil.make_archive(str(out), "zip", out))
        shutil.rmtree(out)
    return path, _report(done, name)


def _report(done: Export, name: str) -> Markup:
    what = words.pictures if done.kind in ("coco", "mvtec") else words.labels
    warnings = [Markup(_CODE.sub(_AS_CODE, str(escape(text)))) for text in done.warnings]
    return render(
        "annotate_export",
        text=f"{name}: {what(done.written)}",
        warnings=warnings,
        count=f"{len(done.left_out):,}",
        left_out=done.left_out[:SHOWN],
    )


def _suggestion(s: Suggestion) -> Row:
    value: str = Markup('<span class="dim">{}</span>').format(s.reason)
    if s.threshold is not None:
        shown = score_text(s.threshold)
        value = Markup('<b>{}</b> <span class="dim">{}</span>').format(shown, s.method)
    interval = ""
    if s.interval is not None:
        interval = f"{score_text(s.interval[0])} to {score_text(s.interval[1])}"
    now = "n/a" if s.current_threshold is None else score_text(s.current_threshold)
    return Row(
        cells=cells(
            spoken(s.class_name),
            s.checkpoint_id,
            Cell(text=f"{s.normal:,}, {s.anomalous:,}", kind="n"),
            Cell(text=now, kind="n"),
            value,
            Cell(text=interval, kind="n"),
            _rates(s.false_alarm_rate_before, s.false_alarm_rate_after),
            _rates(s.missed_rate_before, s.missed_rate_after),
        )
    )


def _rates(before: Rate | None, after: Rate | None) -> Markup:
    return Markup("{} → {}").format(_rate(before), _rate(after))


def _rate(rate: Rate | None) -> Markup:
    if rate is None:
        return Markup('<span class="dim">n/a</span>')
    interval = f"95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %"
    value = f"{100 * rate.value:.0f} % ({rate.count} of {rate.total})"
    return Markup('<span title="{}">{}</span>').format(interval, value)


def _needs(text: str) -> str:
    enough = Markup('<span class="done">{}enough</span>').format(Markup(icon("normal")))
    return text or enough
