"""What all annotations together say: agreement, disagreements, enough or not, thresholds, files."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adaclip.annotations import agreement, thresholds
from adaclip.annotations.exports import Export, export
from adaclip.annotations.store import Annotation, AnnotationStore
from adaclip.data.registry import spoken
from adaclip.errors import InputError
from demo.annotate import words
from demo.annotate.view import note, table_html
from demo.flag import words as flag_words
from demo.page.icons import icon
from demo.page.parts import score_text

esc = html.escape
_SHOWN = 200
_CODE, _AS_CODE = re.compile(r"`([^`]*)`"), r"<code>\1</code>"
# Of the bootstrap: an interval is drawn in a few seconds, however many annotations there are.
_MANY, _RESAMPLES, _FEW = 5000, 1000, 100
# Button -> kind of export, and the file's name.
EXPORTS = {
    "csv": ("csv", "annotations.csv"),
    "jsonl": ("jsonl", "annotations.jsonl"),
    "coco": ("coco", "annotations-coco.json"),
    "tree": ("mvtec", "annotations-training.zip"),
}


def agreement_html(current: Sequence[Annotation], store: AnnotationStore) -> str:
    """Kappa and mask overlap of each pair of people who judged the same pictures."""
    found = agreement.pairs(current, store.mask)
    if not found:
        return f'<p class="hint measure">{words.NO_PAIRS}</p>'
    rows = "".join(
        f"<tr><td>{esc(p.first)} and {esc(p.second)}</td><td>{p.items:,}</td>"
        f"<td>{_percent(p.agreed)}</td><td>{_maybe(p.kappa, p.reason)}</td>"
        f"<td>{_maybe(p.mean_iou, words.NO_COMMON_MASKS)}{_of(p.masks)}</td></tr>"
        for p in found
    )
    heads = ("Who", "Pictures both judged", "Same verdict", "Cohen's kappa", "Mask overlap (IoU)")
    return table_html(heads, rows, "numbers") + f'<p class="hint measure">{words.KAPPA}</p>'


def disagreements_html(current: Sequence[Annotation]) -> str:
    """Pictures on which people differ, with who said what."""
    groups = agreement.disagreements(current)
    if not groups:
        return f'<p class="hint">{words.NO_DISAGREEMENT}</p>'
    rows = "".join(
        f'<tr data-event="{esc(g.annotations[-1].event_id)}" tabindex="0">'
        f'<td class="file" title="{esc(g.rel_path)}">{esc(g.rel_path)}</td>'
        f"<td>{esc(spoken(g.class_name))}</td><td>{_opinions(g.annotations)}</td></tr>"
        for g in groups[:_SHOWN]
    )
    rest = len(groups) - _SHOWN
    more = f'<p class="hint">and {rest:,} more</p>' if rest > 0 else ""
    return table_html(("Picture", "Object", "Who says what"), rows) + more


def quality_html(current: Sequence[Annotation]) -> str:
    """For each object how many labels there are, and how many it takes until they are worth it."""
    found = thresholds.quality(current)
    if not found:
        return f'<p class="hint">{words.NOTHING_YET}</p>'
    rows = "".join(
        f"<tr><td>{esc(spoken(q.class_name))}</td><td class='n'>{q.normal:,}</td>"
        f"<td class='n'>{q.anomalous:,}</td><td class='n'>{q.masks:,}</td>"
        f"<td>{_needs(q.threshold_needs)}</td><td>{_needs(q.training_needs)}</td></tr>"
        for q in found[:_SHOWN]
    )
    heads = ("Object", "Normal", "With defect", "With region", "For a threshold", "For training")
    return table_html(heads, rows, "needs") + f'<p class="hint measure">{words.TRAINING_BIAS}</p>'


def suggestions_html(current: Sequence[Annotation]) -> str:
    """Suggested thresholds with counts, intervals, and the false-alarm rate before and after."""
    found = thresholds.suggest(current, resamples=_FEW if len(current) > _MANY else _RESAMPLES)
    if not found:
        return f'<p class="hint">{words.NOTHING_YET}</p>'
    rows = "".join(_suggestion(s) for s in found[:_SHOWN])
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
    notes = dict.fromkeys(text for s in found for text in s.notes)
    said = "".join(f"<li>{icon('note')}<span>{esc(text)}</span></li>" for text in notes)
    return table_html(heads, rows, "suggest") + (f'<ul class="remarks">{said}</ul>' if said else "")


def write_export(
    store: AnnotationStore,
    kind: str,
    folder: Path,
    *,
    data_roots: Sequence[Path] = (),
    benchmark_too: bool = False,
) -> tuple[Path, str]:
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


def _report(done: Export, name: str) -> str:
    left = "".join(
        f"<li>{esc(each.name)}: {esc(each.reason)}</li>" for each in done.left_out[:_SHOWN]
    )
    warnings = "".join(
        f"<li>{icon('warning')}<span>{_CODE.sub(_AS_CODE, esc(text))}</span></li>"
        for text in done.warnings
    )
    said = note(f"{name}: {words.labels(done.written)}")
    if warnings:
        said += f'<ul class="remarks warn">{warnings}</ul>'
    if left:
        count = f"{len(done.left_out):,} left out, with the reasons"
        said += f"<details class='left-out'><summary>{count}</summary><ul>{left}</ul></details>"
    return said


def _suggestion(s: Any) -> str:
    now = "n/a" if s.current_threshold is None else score_text(s.current_threshold)
    value = f'<span class="dim">{esc(s.reason)}</span>'
    if s.threshold is not None:
        value = f"<b>{score_text(s.threshold)}</b> <span class='dim'>{esc(s.method)}</span>"
    interval = ""
    if s.interval is not None:
        interval = f"{score_text(s.interval[0])} to {score_text(s.interval[1])}"
    return (
        f"<tr><td>{esc(spoken(s.class_name))}</td><td>{esc(s.checkpoint_id)}</td>"
        f"<td class='n'>{s.normal:,}, {s.anomalous:,}</td><td class='n'>{now}</td>"
        f"<td>{value}</td><td class='n'>{interval}</td>"
        f"<td>{_rates(s.false_alarm_rate_before, s.false_alarm_rate_after)}</td>"
        f"<td>{_rates(s.missed_rate_before, s.missed_rate_after)}</td></tr>"
    )


def _rates(before: Any, after: Any) -> str:
    return f"{_rate(before)} → {_rate(after)}"


def _rate(rate: Any) -> str:
    if rate is None:
        return '<span class="dim">n/a</span>'
    interval = f"95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %"
    return (
        f'<span title="{interval}">{100 * rate.value:.0f} % ({rate.count} of {rate.total})</span>'
    )


def _needs(text: str) -> str:
    return esc(text) if text else f'<span class="done">{icon("normal")}enough</span>'


def _opinions(said: Sequence[Annotation]) -> str:
    return " ".join(
        f'<span class="tag {esc(a.verdict)}">{esc(a.annotator)}: '
        f"{esc(flag_words.VERDICTS.get(a.verdict, a.verdict))}</span>"
        for a in said
    )


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.0f} %"


def _of(masks: int) -> str:
    return f' <span class="dim">of {masks:,}</span>' if masks else ""


def _maybe(value: float | None, reason: str) -> str:
    if value is None:
        return f'<span class="dim" title="{esc(reason)}">n/a</span>'
    return f"{value:.2f}"
