"""The benchmark page's tables as HTML: every text escaped, every click a query patch."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping

from adaclip.data.registry import spoken
from adaclip.runs import wording
from adaclip.runs.compare import Comparison, Delta, signed
from adaclip.runs.scores import RunLike
from adaclip.text import printable
from demo.benchmark import words
from demo.benchmark.cells import Cell, metric_title, run_facts
from demo.benchmark.select import Selection
from demo.benchmark.table import Column, Overview
from demo.page.icons import icon

esc = html.escape
CHANGES_SHOWN = 200
ARROWS = {True: "\u2193", False: "\u2191"}


def table_html(table: Overview, selection: Selection | None = None) -> str:
    """The overview as a table with sticky head and first column.

    Buttons: `data-patch` (JSON, a query patch), `data-source` (a cell's source), `data-sort`
    (a column's id, "name"), `data-pin` (a column's id).
    """
    if not table.rows or not table.columns:
        said = " ".join(table.notes) or "There is nothing to show here."
        return f'<p class="bench-empty">{esc(said)}</p>'
    head = "".join(_head(column, table) for column in table.columns)
    body = "".join(
        _row(row.dataset, row.name, row.domain, row.cells, table, selection) for row in table.rows
    )
    means = "".join(
        _cell(cell, column) for cell, column in zip(table.means, table.columns, strict=True)
    )
    caption = f"{metric_title(table.metric, table.level)}, {words.TIMES_100}"
    return (
        '<div class="overview-scroll" tabindex="0"><table class="overview">'
        f"<caption>{esc(caption)}</caption><thead>{_groups(table)}"
        f'<tr><th scope="col" class="name">{_sort_button("name", "Dataset", table)}</th>{head}</tr>'
        f"</thead><tbody>{body}</tbody><tfoot><tr>"
        f'<th scope="row" class="name">{_sort_button("mean", words.MEAN, table)}'
        " <small>(datasets)</small></th>"
        f"{means}</tr></tfoot></table></div>{_notes(table.notes)}"
    )


def _groups(table: Overview) -> str:
    """The line over the columns that tells measured from published."""
    spans: list[list[object]] = []
    for column in table.columns:
        kind = _kind(column)
        if spans and spans[-1][0] == kind:
            spans[-1][1] = int(str(spans[-1][1])) + 1
        else:
            spans.append([kind, 1])
    titles = {"floor": "", "measured": words.MEASURED, "published": words.PUBLISHED}
    cells = "".join(
        f'<th scope="colgroup" colspan="{count}" class="{kind}">'
        f"<span>{titles[str(kind)]}</span></th>"
        for kind, count in spans
    )
    return f'<tr class="groups"><td class="name"></td>{cells}</tr>'


def _kind(column: Column) -> str:
    return "floor" if column.floor else "measured" if column.measured else "published"


def _head(column: Column, table: Overview) -> str:
    again = f" {words.RE_EVALUATED_MARK}" if column.re_evaluated else ""
    pin = ""
    if not column.floor:
        word = "Unpin" if column.pinned else "Pin"
        pin = (
            f'<button type="button" class="pin" data-act="bench" data-pin="{esc(column.id)}" '
            f'aria-pressed="{str(column.pinned).lower()}" title="{word} this column" '
            f'aria-label="{word} {esc(column.label)}">{_PIN}</button>'
        )
    return (
        f'<th scope="col" class="{_kind(column)}" aria-sort="{_aria(column.id, table)}">'
        f"<div>{pin}{_sort_button(column.id, column.label + again, table)}</div>"
        f"<small>{esc(column.sublabel)}</small></th>"
    )


_PIN = (
    '<svg viewBox="0 0 16 16" aria-hidden="true">'
    '<path d="M5 2h6l-.7 4.2L13 9H8.7v5h-1.4V9H3l2.7-2.8z" fill="currentColor"/></svg>'
)


def _sort_button(column_id: str, label: str, table: Overview) -> str:
    arrow = f" <i>{ARROWS[table.descending]}</i>" if table.sort == column_id else ""
    return (
        f'<button type="button" class="sort" data-act="bench" data-sort="{esc(column_id)}" '
        f'title="Sort by {esc(label)}">{esc(label)}{arrow}</button>'
    )


def _aria(column_id: str, table: Overview) -> str:
    if table.sort != column_id:
        return "none"
    return "descending" if table.descending else "ascending"


def _row(
    dataset: str,
    name: str,
    domain: str,
    cells: tuple[Cell, ...],
    table: Overview,
    selection: Selection | None,
) -> str:
    patch = _json({"dataset": dataset})
    current = ' aria-current="true"' if selection and selection.dataset == dataset else ""
    body = "".join(
        _cell(cell, column, selection) for cell, column in zip(cells, table.columns, strict=True)
    )
    return (
        f'<tr{current}><th scope="row" class="name"><button type="button" data-act="bench" '
        f'data-patch="{patch}">{esc(name)}</button><small>{esc(domain)}</small></th>{body}</tr>'
    )


def _cell(cell: Cell, column: Column, selection: Selection | None = None) -> str:
    kind = _kind(column)
    chosen = selection is not None and cell.run_id is not None and cell.run_id == selection.run
    marks = "".join(f"<sup>{esc(mark)}</sup>" for mark in cell.marks)
    missing = " na" if cell.value is None else ""
    current = ' aria-current="true"' if chosen and cell.value is not None else ""
    return (
        f'<td class="{kind}{missing}"{current}><button type="button" data-act="bench" '
        f'data-patch="{_json(cell.patch)}" data-source="{esc(cell.source)}" '
        f'title="{esc(cell.source)}">{esc(cell.text)}{marks}</button></td>'
    )


def _json(patch: Mapping[str, str]) -> str:
    return esc(json.dumps(dict(patch), sort_keys=True))


def _notes(notes: tuple[str, ...]) -> str:
    if not notes:
        return ""
    return f'<ul class="bench-notes">{"".join(f"<li>{esc(note)}</li>" for note in notes)}</ul>'


def facts_html(run: RunLike) -> str:
    """What a run is: checkpoint, date, device, protocol, the command that repeats it."""
    rows = ""
    for term, text in run_facts(run):
        told = f"<code>{esc(text)}</code>" if term in ("Reproduce", "sha256") else esc(text)
        rows += f"<dt>{esc(term)}</dt><dd>{told}</dd>"
    return f'<dl class="bench-facts">{rows}</dl>'


def versus_html(comparison: Comparison) -> str:
    """What makes the comparison less than it seems; to be read before the charts."""
    return "".join(
        f'<p class="notice warn">{icon("warning")}{esc(said)}</p>' for said in comparison.warnings
    )


def compare_html(comparison: Comparison) -> str:
    """Deltas per class, then the images that changed sides, worst changes first."""
    if not comparison.common:
        return ""
    rows = "".join(_delta_row(row) for row in (*comparison.rows, comparison.mean))
    broken = int((comparison.changed["change"] == "broken").sum())
    mended = len(comparison.changed) - broken
    return (
        "<div class='overview-scroll' tabindex='0'><table class='deltas'>"
        f"<caption>{esc(metric_title(comparison.metric, 'image'))}, {words.TIMES_100}, "
        f"{wording.images(comparison.common)} in common</caption>"
        "<thead><tr><th scope='col'>Object</th><th scope='col'>A</th><th scope='col'>B</th>"
        "<th scope='col'>B \u2212 A</th><th scope='col'>95 % interval</th>"
        "<th scope='col'>n</th><th scope='col'>Verdict</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        f"<p class='bench-changed'>{broken:,} broken and {mended:,} mended by B, "
        f"each run at its own threshold ({words.threshold(comparison.threshold_a)} and "
        f"{words.threshold(comparison.threshold_b)}).</p>{_changed(comparison)}"
    )


def _delta_row(row: Delta) -> str:
    name = esc(spoken(row.class_name)) if row.class_name else words.MEAN
    count = f"{row.n_normal + row.n_abnormal:,}"
    if row.delta is None:
        return (
            f"<tr class='even'><th scope='row'>{name}</th><td>{wording.NA}</td>"
            f"<td>{wording.NA}</td>"
            f"<td>{wording.NA}</td><td>{wording.NA}</td><td>{count}</td><td>{esc(row.reason)}</td></tr>"
        )
    interval = wording.NA
    if row.low is not None and row.high is not None:
        interval = f"{signed(row.low)} to {signed(row.high)}"
    word = {"better": "better", "worse": "worse", "even": "no clear difference"}[row.side]
    word = row.reason or word
    button = (
        f'<button type="button" data-act="bench" data-patch="{_json({"class": row.class_name})}">'
        f"{name}</button>"
    )
    return (
        f"<tr class='{row.side}'><th scope='row'>{button}</th><td>{wording.percent(row.a)}</td>"
        f"<td>{wording.percent(row.b)}</td><td><b>{signed(row.delta)}</b></td>"
        f"<td>{interval}</td><td>{count}</td><td>{esc(word)}</td></tr>"
    )


def _changed(comparison: Comparison) -> str:
    rows = "".join(
        f"<tr class='{one.change}'><td><button type='button' data-act='bench' "
        f'data-patch="{_json({"image": str(one.rel_path)})}">'
        f"{esc(printable(str(one.rel_path)))}</button></td>"
        f"<td>{'anomalous' if one.anomalous else 'normal'}</td>"
        f"<td>{one.score_a:.3f} {words.ONE_OUTCOME[str(one.outcome_a)]}</td>"
        f"<td>{one.score_b:.3f} {words.ONE_OUTCOME[str(one.outcome_b)]}</td>"
        f"<td>{one.change}</td></tr>"
        for one in comparison.changed.head(CHANGES_SHOWN).itertuples()
    )
    if not rows:
        return ""
    rest = len(comparison.changed) - CHANGES_SHOWN
    more = f"<p class='hint'>and {rest:,} more</p>" if rest > 0 else ""
    return (
        "<div class='overview-scroll' tabindex='0'><table class='changes'><thead><tr>"
        "<th scope='col'>Image</th><th scope='col'>Truth</th><th scope='col'>A</th>"
        "<th scope='col'>B</th><th scope='col'>By B</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{more}"
    )
