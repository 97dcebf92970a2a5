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
from demo.page.templates import render

esc = html.escape
PAGE = 60
REPRODUCE = "python -m adaclip evaluate --data synthetic --checkpoint lite --out RUN"
SIGNS = {"previous": PREVIOUS, "next": NEXT, "times": TIMES}
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
    nothing = "There is no such picture."
    if not scores.n_normal + scores.n_abnormal + scores.failed:
        nothing = "The run has no rows: its images.csv is empty, damaged or not here."
    pager = {
        "first": not offset,
        "last": offset + len(page) >= total,
        "text": f"{offset + 1:,} to {offset + len(page):,} of {total:,}",
    }
    return render(
        "benchmark_gallery",
        heading=describe(selection, total, cut),
        filters=_filters(selection, scores.confusion(cut), scores.failed),
        chosen=_chosen(selection),
        run=selection.run,
        shots=[_shot(row, selection) for row in page.itertuples()],
        pager=pager if total > PAGE else None,
        nothing=nothing,
        **SIGNS,
    )


def _filters(selection: Selection, counts: Confusion, failed: int) -> list[dict[str, Any]]:
    """The gallery's buttons with how many pictures each shows."""
    numbers = {
        "": counts.fp + counts.fn + counts.tp + counts.tn,
        "wrong": counts.fp + counts.fn,
        "fp": counts.fp,
        "fn": counts.fn,
        "tp": counts.tp,
        "tn": counts.tn,
        "failed": failed,
    }
    return [
        {
            "outcome": outcome,
            "label": words.OUTCOMES[outcome].capitalize() if outcome else "All",
            "count": f"{count:,}",
            "pressed": outcome == (selection.outcome or ""),
        }
        for outcome, count in numbers.items()
        if outcome != "failed" or failed
    ]


def _chosen(selection: Selection) -> list[tuple[str, dict[str, str]]]:
    """(words, the patch that takes it away) of what narrows the gallery besides the buttons."""
    chosen: list[tuple[str, dict[str, str]]] = []
    if selection.outcome in ("normal", "anomalous"):
        chosen.append((words.OUTCOMES[selection.outcome], {"outcome": ""}))
    if selection.score_range is not None:
        low, high = selection.score_range
        chosen.append((f"score {low:g} to {high:g}", {"scores": "", "outcome": ""}))
    if selection.class_name is not None:
        chosen.append((spoken(selection.class_name), {"class": ""}))
    return chosen


def _shot(row: Any, selection: Selection) -> dict[str, Any]:
    path, outcome = str(row.rel_path), str(row.outcome)
    what = words.ONE_OUTCOME[outcome]
    truth = str(row.defect_type or "") or ("anomalous" if row.anomalous else "normal")
    return {
        "path": path,
        "outcome": outcome,
        "what": what,
        "title": f"{path}\n{what}, {'truth: ' + spoken(truth)}",
        "current": path == selection.image,
        "score": "unreadable" if outcome == "failed" else f"{row.anomaly_score:.3f}",
    }


def inspector_html(
    selection: Selection, row: Mapping[str, Any], near: Neighbours, cut: float
) -> str:
    """One picture: itself, the map over it and the true mask, side by side."""
    outcome = outcome_of(row, cut)
    place = ""
    if near.position is not None:
        place = f"{near.position + 1:,} of {describe(selection, near.total, cut)}"
    return render(
        "benchmark_inspector",
        run=selection.run,
        path=str(row["rel_path"]),
        outcome=outcome,
        error=str(row.get("error") or ""),
        called="anomalous" if outcome in ("tp", "fp") else "normal",
        score=f"{float(row['anomaly_score']):.3f}",
        right=outcome in RIGHT,
        judged=words.ONE_OUTCOME[outcome].capitalize(),
        place=place,
        previous=near.previous,
        next=near.next,
        facts=_facts(row, cut),
        previous_sign=PREVIOUS,
        next_sign=NEXT,
        times=TIMES,
    )


def outcome_of(row: Mapping[str, Any], cut: float) -> str:
    """fp, fn, tp, tn or failed: what a threshold makes of a row."""
    if row["error"] or row["anomaly_score"] != row["anomaly_score"]:
        return "failed"
    called, bad = float(row["anomaly_score"]) >= cut, bool(row["anomalous"])
    return ("tp" if called else "fn") if bad else ("fp" if called else "tn")


def truth_of(row: Mapping[str, Any]) -> str:
    """A row's truth in words, with the kind of defect where the dataset says it."""
    defect = str(row.get("defect_type") or "")
    if not row["anomalous"]:
        return "normal"
    return f"anomalous: {spoken(defect)}" if defect else "anomalous"


def _facts(row: Mapping[str, Any], cut: float) -> list[tuple[str, str]]:
    facts = [
        ("File", str(row["rel_path"])),
        ("Object", spoken(str(row["class_name"]))),
        ("Truth", truth_of(row)),
        ("Threshold", words.threshold(cut)),
    ]
    seconds = row.get("seconds")
    if seconds is not None and seconds == seconds:
        facts.append(("Took", f"{float(seconds):.2g} s"))
    return facts


def no_picture_html(path: str) -> str:
    """A link to a picture that the run does not have."""
    return f'<p class="bench-empty">{esc(path)}: the run has no such picture.</p>'
