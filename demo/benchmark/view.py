"""What the Benchmark tab shows beside tables and charts: gallery, inspector, runs, jobs.

HTML from values; everything a file, a run or a visitor says is escaped.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from adaclip.data.registry import dataset_name, spoken
from adaclip.runs.scores import Confusion, Scores
from demo.benchmark import words
from demo.benchmark.cells import day, image_count, part_of
from demo.benchmark.select import Neighbours, Selection, describe
from demo.page.icons import icon
from demo.page.messages import NEXT, PREVIOUS, TIMES

esc = html.escape
PAGE = 60
REPRODUCE = "python -m adaclip evaluate --data synthetic --checkpoint lite --out RUN"
# Which filters stand over the gallery, in this order.
FILTERS = ("wrong", "fp", "fn", "tp", "tn")
RIGHT = ("tp", "tn")
CHOOSE_TWO = "Choose the run to compare with."
ONE_RUN = "There is only one run here. Measure another checkpoint, or bring a run along."
FIRST_RUN = (
    f"Nothing has been measured here yet. <code>{REPRODUCE}</code> measures the small checkpoint "
    "on pictures that are drawn for it; the tab Measure does the same."
)


def act(patch: Mapping[str, str]) -> str:
    """Attributes of a button that applies a query patch."""
    return f'type="button" data-act="bench" data-patch="{esc(json.dumps(dict(patch)))}"'


def address_html(
    query: str, *, step: bool = False, changes: Mapping[str, Any] | None = None
) -> str:
    """For the browser: the view's address, whether it is a step of its own, and what moves in
    charts that are drawn already."""
    moved = f' data-changes="{esc(json.dumps(changes))}"' if changes else ""
    return f'<i data-query="{esc(query)}" data-step="{"push" if step else "replace"}"{moved}></i>'


def problems_html(problems: Sequence[str], notes: Sequence[str] = ()) -> str:
    """What could not be read, folded away; what of a link is not followed, in the open."""
    said = "".join(f'<p class="notice warn">{icon("warning")}{esc(note)}</p>' for note in notes)
    if not problems:
        return said
    count = len(problems)
    head = "1 file could not be read" if count == 1 else f"{count} files could not be read"
    items = "".join(f"<li>{esc(problem)}</li>" for problem in problems[:20])
    more = f"<li>and {count - 20} more</li>" if count > 20 else ""
    return (
        f'{said}<details class="bench-broken"><summary>{icon("warning")}{head}</summary>'
        f"<ul>{items}{more}</ul></details>"
    )


def column_choice(column: Any) -> str:
    """A method's name where it is chosen: never two alike."""
    kind = words.MEASURED.lower() if column.measured else column.sublabel
    return f"{column.label} ({kind})" if kind else str(column.label)


def source_of(dataset: str | None, card: Any, choices: Sequence[tuple[str, str]]) -> str | None:
    """Which of the things that can be measured here a dataset is; None when it is not here."""
    names = {dataset} if card is None else {dataset, card.name}
    if card is not None:
        names |= {folder for layout in card.layouts for folder in layout.folders}
    wanted = {str(name).lower() for name in names}
    for label, source in choices:
        if label.lower() in wanted or source == dataset:
            return source
    return None


def not_here(dataset: str, card: Any, choices: Sequence[tuple[str, str]]) -> list[str]:
    """What to do about a dataset that this server does not have; nothing when it has it."""
    if source_of(dataset, card, choices) is not None:
        return []
    name = dataset if card is None else card.name
    home = "" if card is None or not card.homepage else f" Its home is {card.homepage}."
    return [
        f"{name} is not on this server, so it cannot be measured yet.{home} Put it into a folder "
        "and start the page with --data-root DIR."
    ]


def part_words(run: Any, cards: Mapping[str, Any]) -> str:
    """A run's mark and what part of its dataset it has measured; "" for all of it."""
    part = part_of(run, image_count(cards.get(run.results.dataset)))
    return f"{words.PARTIAL_MARK} {part}" if part else ""


def run_choices(runs: Sequence[Any], cards: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, id): runs of one title are told apart by their names; a part of a set is marked."""
    parts = [part_words(run, cards) for run in runs]
    names = [run.results.title or run.id for run in runs]
    titles = [f"{name} {part}".strip() for name, part in zip(names, parts, strict=True)]
    return [
        (title if titles.count(title) == 1 else f"{title} ({run.id})", run.id)
        for title, run in zip(titles, runs, strict=True)
    ]


def about_html(
    run: Any, selection: Selection, measured: bool = False, *, part: str = "", printed: str = ""
) -> str:
    """One line over a run's charts. `measured`: there are runs to choose from.

    part: what part of the dataset was measured; printed: whose values per object stand in for a
    run that is not here.
    """
    if run is None:
        if selection.dataset is None and measured:
            return '<p class="hint">No run is chosen. Choose one above.</p>'
        if selection.dataset is None:
            return f'<p class="bench-empty">{FIRST_RUN}</p>'
        name = esc(dataset_name(selection.dataset))
        said = f"These are {esc(printed)}." if printed else "Nothing is published of its objects."
        return (
            f'<p class="hint no-run{"" if printed else " no-values"}">No run of {name} is here. '
            f'{said} <button type="button" class="quiet" data-act="bench" '
            f'data-measure="{esc(selection.dataset)}">Measure a checkpoint on it</button></p>'
        )
    results = run.results
    parts = [
        f"<b>{esc(results.checkpoint_name)}</b> on <b>{esc(dataset_name(results.dataset))}</b>",
        esc(day(run)),
    ]
    command = results.command or ""
    if command:
        parts.append(f"<code title='Repeats this run'>{esc(command)}</code>")
    line = f'<p class="bench-line">{"<i></i>".join(f"<span>{part}</span>" for part in parts)}</p>'
    partial = f"{part}: not to be compared with values of the whole set" if part else ""
    for said in filter(None, (partial, results.leak, *results.warnings)):
        line += f'<p class="notice warn">{icon("warning")}{esc(str(said))}</p>'
    return line


def class_choices(run: Any) -> list[tuple[str, str]]:
    """(words, class) of a run, all of them first."""
    listed = [] if run is None else [row.class_name for row in run.results.classes]
    return [("All objects", ""), *((spoken(name), name) for name in listed)]


def gallery_html(
    selection: Selection, page: pd.DataFrame, total: int, offset: int, scores: Scores, cut: float
) -> str:
    """Filters with their counts, then exactly the pictures that the selection names."""
    head = _filters(selection, scores.confusion(cut), scores.failed)
    if not total:
        said = "There is no such picture."
        if not scores.n_normal + scores.n_abnormal + scores.failed:
            said = "The run has no rows: its images.csv is empty, damaged or not here."
        return f'{head}<p class="bench-empty">{said}</p>'
    run = esc(str(selection.run))
    shots = "".join(_shot(row, selection) for row in page.itertuples())
    return (
        f'{head}<div class="shots" data-run="{run}">{shots}</div>{_pager(total, offset, len(page))}'
    )


def heading(selection: Selection, total: int, cut: float) -> str:
    """What the gallery holds, in words."""
    return describe(selection, total, cut)


def _filters(selection: Selection, counts: Confusion, failed: int) -> str:
    numbers = {
        "wrong": counts.fp + counts.fn,
        "fp": counts.fp,
        "fn": counts.fn,
        "tp": counts.tp,
        "tn": counts.tn,
        "failed": failed,
    }
    shown = [*FILTERS, *(["failed"] if failed else [])]
    every = counts.fp + counts.fn + counts.tp + counts.tn
    buttons = _filter("", "All", every, selection.outcome is None)
    for outcome in shown:
        label = words.OUTCOMES[outcome].capitalize()
        buttons += _filter(outcome, label, numbers[outcome], selection.outcome == outcome)
    extra = ""
    if selection.outcome in ("normal", "anomalous"):
        extra += _removable(words.OUTCOMES[selection.outcome], {"outcome": ""})
    if selection.score_range is not None:
        low, high = selection.score_range
        extra += _removable(f"score {low:g} to {high:g}", {"scores": "", "outcome": ""})
    if selection.class_name is not None:
        extra += _removable(spoken(selection.class_name), {"class": ""})
    return f'<div class="shot-filters"><div class="pills">{buttons}</div>{extra}</div>'


def _filter(outcome: str, label: str, count: int, pressed: bool) -> str:
    return (
        f'<button {act({"outcome": outcome, "scores": ""})} aria-pressed="{str(pressed).lower()}"'
        f' class="pill {outcome}">{esc(label)} <b>{count:,}</b></button>'
    )


def _removable(text: str, patch: Mapping[str, str]) -> str:
    return (
        f'<button {act(patch)} class="pill chosen" title="Show the others as well">'
        f"{esc(text)} {TIMES}</button>"
    )


def _shot(row: Any, selection: Selection) -> str:
    path = str(row.rel_path)
    outcome = str(row.outcome)
    current = ' aria-current="true"' if path == selection.image else ""
    score = "unreadable" if outcome == "failed" else f"{row.anomaly_score:.3f}"
    what = words.ONE_OUTCOME[outcome]
    truth = str(row.defect_type or "") or ("anomalous" if row.anomalous else "normal")
    title = f"{path}\n{what}, {'truth: ' + spoken(truth)}"
    return (
        f'<button {act({"image": path})} class="shot {outcome}" title="{esc(title)}"'
        f' data-path="{esc(path)}"{current}>'
        f'<span class="frame"><img data-thumb="{esc(path)}" alt="{esc(what)}: {esc(path)}"></span>'
        f'<span class="said"><b>{score}</b><i>{esc(what)}</i></span></button>'
    )


def _pager(total: int, offset: int, shown: int) -> str:
    if total <= PAGE:
        return ""
    back = "" if offset else " disabled"
    on = "" if offset + shown < total else " disabled"
    return (
        '<p class="shot-pager">'
        f'<button type="button" data-act="bench" data-turn="-1" aria-label="Earlier"{back}>'
        f"{PREVIOUS}</button><span>{offset + 1:,} to {offset + shown:,} of {total:,}</span>"
        f'<button type="button" data-act="bench" data-turn="1" aria-label="Later"{on}>'
        f"{NEXT}</button></p>"
    )


FRAMES = (("image", "Picture"), ("map", "Heat map"), ("mask", "Truth"))


def inspector_html(
    selection: Selection, row: Mapping[str, Any], near: Neighbours, cut: float
) -> str:
    """One picture: itself, the map over it and the true mask, side by side."""
    path, outcome = str(row["rel_path"]), _outcome(row, cut)
    frames = "".join(
        f'<figure data-kind="{kind}"><div class="ground" aria-busy="true"></div>'
        f"<figcaption><b>{title}</b> <span></span></figcaption></figure>"
        for kind, title in FRAMES
    )
    return (
        f'<section class="inspect {outcome}" data-run="{esc(str(selection.run))}" '
        f'data-image="{esc(path)}" aria-label="One picture">'
        f"{_inspector_head(selection, row, near, cut, outcome)}"
        f'<div class="looks">{frames}</div>{_inspector_foot(row, cut)}</section>'
    )


def _outcome(row: Mapping[str, Any], cut: float) -> str:
    """fp, fn, tp, tn or failed."""
    if row["error"] or row["anomaly_score"] != row["anomaly_score"]:
        return "failed"
    called, bad = float(row["anomaly_score"]) >= cut, bool(row["anomalous"])
    return ("tp" if called else "fn") if bad else ("fp" if called else "tn")


def _inspector_head(
    selection: Selection, row: Mapping[str, Any], near: Neighbours, cut: float, outcome: str
) -> str:
    error = str(row.get("error") or "")
    if error:
        verdict = f'<span class="chip failed">{icon("failed")}Unreadable</span>'
        score = f'<span class="dim">{esc(error)}</span>'
    else:
        called = outcome in ("tp", "fp")
        kind = "anomalous" if called else "normal"
        verdict = f'<span class="chip {kind}">{icon(kind)}{kind.capitalize()}</span>'
        score = f"<b>{float(row['anomaly_score']):.3f}</b>"
    judged = words.ONE_OUTCOME[outcome].capitalize()
    place = ""
    if near.position is not None:
        place = f"{near.position + 1:,} of {describe(selection, near.total, cut)}"
    return (
        f"<header>{_step(near.previous, PREVIOUS, 'Previous', 'bench-previous')}"
        f"{_step(near.next, NEXT, 'Next', 'bench-next')}"
        f'{verdict}<span class="score-said">{score}</span>'
        f'<span class="judged {"right" if outcome in RIGHT else "wrong"}">{esc(judged)}</span>'
        f'<span class="dim place">{esc(place)}</span>'
        f'<button {act({"image": ""})} class="round" aria-label="Close" title="Close (Esc)" '
        f'id="bench-close">{TIMES}</button></header>'
    )


def _step(path: str | None, sign: str, label: str, element_id: str) -> str:
    off = ' disabled=""' if path is None else ""
    return (
        f'<button {act({"image": path or ""})} id="{element_id}" class="step" '
        f'aria-label="{label}" title="{label}"{off}>{sign}</button>'
    )


def _inspector_foot(row: Mapping[str, Any], cut: float) -> str:
    truth = "normal"
    if row["anomalous"]:
        defect = str(row.get("defect_type") or "")
        truth = f"anomalous: {spoken(defect)}" if defect else "anomalous"
    seconds = row.get("seconds")
    facts = [
        ("File", str(row["rel_path"])),
        ("Object", spoken(str(row["class_name"]))),
        ("Truth", truth),
        ("Threshold", words.threshold(cut)),
    ]
    if seconds is not None and seconds == seconds:
        facts.append(("Took", f"{float(seconds):.2g} s"))
    told = "".join(f"<span><i>{term}</i> {esc(text)}</span>" for term, text in facts)
    return (
        f'<footer>{told}<button type="button" data-act="bench" data-detect="yes" '
        'class="quiet">Open in Detect</button></footer>'
    )


def no_picture_html(path: str) -> str:
    """A link to a picture that the run does not have."""
    return f'<p class="bench-empty">{esc(path)}: the run has no such picture.</p>'
