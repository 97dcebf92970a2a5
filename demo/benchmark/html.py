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
from demo.benchmark.cells import metric_title, run_facts
from demo.page.icons import icon

esc = html.escape
CHANGES_SHOWN = 200


def _json(patch: Mapping[str, str]) -> str:
    return esc(json.dumps(dict(patch), sort_keys=True))


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
