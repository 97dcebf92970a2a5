"""The Detect tab's words and tables as HTML: pure functions of results and settings.

gr.HTML does not sanitise, so every text that comes from a user or a file goes through `esc`.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from adaclip.maps.regions import Region
from adaclip.maps.rendering import colour_bar, legend_values
from adaclip.types import Threshold, Verdict
from demo.batch import RUNNING, Batch, Item, threshold_of
from demo.page import messages
from demo.page.icons import icon
from demo.page.parts import chip, device_text, plain_chip, score_text
from demo.visitor.pictures import Findings, min_area_px, thumbnail_of
from demo.visitor.runner import seconds_left

esc = html.escape
_SHOWN_REGIONS = 30


def verdict_bar(batch: Batch | None) -> str:
    """What is said of the selected picture, or what is going on, or what to do next."""
    if batch is None:
        return _bar("idle", plain_chip("idle", "No picture yet"), messages.DROP_HINT)
    item = batch.current
    if item.error:
        return _bar(
            "failed",
            plain_chip("failed", "Not read"),
            messages.OTHERS_GO_ON if len(batch.items) > 1 else messages.TRY_ANOTHER,
        )
    if item.detection is None:
        return _bar_without_result(batch)
    threshold = threshold_of(batch)
    verdict = threshold.verdict(item.detection.anomaly_score)
    return _bar(verdict.value, chip(verdict), _score(item, threshold), _facts(batch, threshold))


def _bar_without_result(batch: Batch) -> str:
    if batch.phase == "failed":
        return _bar("failed", plain_chip("failed", "Stopped"), esc(batch.message))
    if batch.phase in RUNNING:
        word = {"waiting": "Waiting", "loading": "Loading", "running": "Looking"}[batch.phase]
        return _bar("busy", plain_chip("busy", f"{word}…"), esc(batch.message))
    if batch.phase == "cancelled":
        return _bar("idle", plain_chip("idle", "Cancelled"), "This picture was not run.")
    text = f"{messages.pictures_ready(len(batch.items))}. Name the object and press Detect."
    text = f"{text} {batch.message}".strip()
    return _bar("idle", plain_chip("idle", "Ready"), esc(text))


def _bar(state: str, chip_html: str, main: str, facts: str = "") -> str:
    return (
        f'<div class="verdict {state}" role="status" aria-live="polite">{chip_html}'
        f'<div class="verdict-main">{main}</div>{facts}</div>'
    )


def _score(item: Item, threshold: Threshold) -> str:
    assert item.detection is not None
    score = item.detection.anomaly_score
    left, review, cut = (
        f"{100 * v:.2f}%" for v in (score, threshold.review_value, threshold.value)
    )
    return (
        f'<div class="score"><b>{score_text(score)}</b><span>score</span></div>'
        f'<div class="gauge" style="--score:{left};--review:{review};--cut:{cut}" role="img" '
        f'aria-label="Score {score_text(score)}, threshold {score_text(threshold.value)}">'
        '<i class="gauge-track"></i><i class="gauge-cut"></i><i class="gauge-score"></i></div>'
    )


def _facts(batch: Batch, threshold: Threshold) -> str:
    detection = batch.current.detection
    assert detection is not None
    cut = f"Threshold <b>{score_text(threshold.value)}</b>, {esc(threshold.source)}"
    run = (
        f"{detection.seconds:.2f} s · {esc(device_text(detection.device, detection.precision))}"
        f" · {esc(detection.checkpoint)} · “{esc(detection.class_name)}”"
    )
    notes = "".join(
        f"<li>{icon('note')}{esc(note)}</li>" for note in (*batch.current.notes, *detection.notes)
    )
    notes = f'<ul class="notes">{notes}</ul>' if notes else ""
    return f'<div class="facts"><p>{cut}</p><p>{run}</p>{notes}</div>'


def progress_bar(batch: Batch | None) -> str:
    """A thin line and a pill over the picture; they take no room, so nothing jumps."""
    if batch is None or batch.phase not in RUNNING:
        return '<div class="progress"></div>'
    total = len(batch.items)
    share = 100.0 * batch.done / total
    busy = " busy" if batch.phase != "running" or total == 1 else ""
    text = ""  # a single picture's is in the verdict bar
    if batch.phase == "running" and total > 1:
        text = f"<span>{esc(messages.progress(batch.done, total, seconds_left(batch)))}</span>"
    return (
        f'<div class="progress on{busy}" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="{total}" aria-valuenow="{batch.done}">'
        f'<i style="width:{share:.1f}%"></i>{text}</div>'
    )


def legend(batch: Batch | None) -> str:
    """What the colours stand for, with numbers; nothing for views without colours."""
    detection = batch.current.detection if batch else None
    if detection is None:
        return '<div class="legend"></div>'
    assert batch is not None
    look = batch.look
    if look.view in ("mask", "contours"):
        cut = f"Regions at or above {look.map_threshold:.3f} on the map"
        return f'<div class="legend"><span class="legend-text">{cut}</span></div>'
    values = legend_values(detection.model_anomaly_map, look.scale)
    ticks = "".join(f"<span>{value:.2f}</span>" for value in values)
    bar = thumbnail_of(colour_bar(look.colour_map))
    place = (look.map_threshold - values[0]) / ((values[-1] - values[0]) or 1.0)
    mark = f'<i style="left:{100 * place:.2f}%"></i>' if 0.0 <= place <= 1.0 else ""
    note = f'<p class="hint">{messages.STRETCHED}</p>' if look.scale == "stretch" else ""
    return (
        '<div class="legend"><span class="legend-text">Anomaly map</span>'
        '<div class="legend-scale"><div class="legend-bar">'
        f'<img src="{bar}" alt="Colours from low to high">{mark}</div>'
        f'<div class="legend-ticks">{ticks}</div></div></div>{note}'
    )


def regions_table(batch: Batch | None, found: Findings | None) -> str:
    """Area, peak and box of each region of the selected picture, highest peak first."""
    if batch is None or found is None:
        return '<p class="hint">Regions are listed here after a run.</p>'
    look = batch.look
    size = batch.current.size or (found.mask.shape[0], found.mask.shape[1])
    least = min_area_px(look.min_area_percent, size)
    if not found.regions:
        return (
            f'<p class="hint">No region reaches {look.map_threshold:.3f} on the map '
            f"with {least:,} px or more.</p>"
        )
    rows = "".join(
        f"<tr><td>{n}</td><td>{r.area_px:,}</td><td>{100 * r.area_fraction:.2f}</td>"
        f"<td>{r.peak:.3f}</td><td>{_box(r)}</td></tr>"
        for n, r in enumerate(found.regions[:_SHOWN_REGIONS], start=1)
    )
    more = len(found.regions) - _SHOWN_REGIONS
    more_html = f'<p class="hint">and {more} with lower peaks</p>' if more > 0 else ""
    share = 100.0 * float(np.mean(found.mask))
    count = f"{len(found.regions)} region" + ("s" if len(found.regions) > 1 else "")
    return (
        f'<p class="regions-sum"><b>{count}</b>, {share:.2f} % of the picture</p>'
        '<div class="regions-scroll"><table class="regions"><thead><tr><th>#</th><th>Area, px</th>'
        f"<th>%</th><th>Peak</th><th>At x, y; size</th></tr></thead><tbody>{rows}</tbody></table>"
        f"{more_html}</div>"
    )


def _box(region: Region) -> str:
    """Where its box begins, and how large it is."""
    left, top, right, bottom = region.box
    return f"{left}, {top}; {right - left}{messages.TIMES}{bottom - top}"


def listing(batch: Batch | None, flags: Sequence[str] | None = None) -> str:
    """The batch as a table to sort and click; nothing for a single picture.

    `flags` holds for each picture the HTML of its last cell, for flagging.
    """
    if batch is None or len(batch.items) < 2:
        return ""
    threshold = threshold_of(batch)
    counts = {verdict: 0 for verdict in Verdict}
    failed = waiting = 0
    rows = []
    for index, item in enumerate(batch.items):
        if item.detection is not None:
            counts[threshold.verdict(item.detection.anomaly_score)] += 1
        failed += bool(item.error)
        waiting += item.waiting
        flag = flags[index] if flags else ""
        rows.append(_listing_row(index, item, batch, threshold, flag))
    summary = esc(messages.summary(counts, failed, waiting, batch.phase))
    heads = "".join(
        f'<th aria-sort="none"><button type="button" data-sort="{n}">{name}{icon("sort")}'
        "</button></th>"
        for n, name in ((0, "#"), (1, "Picture"), (2, "Verdict"), (3, "Score"), (4, "Seconds"))
    )
    heads += "<th>Flag</th>" if flags else ""
    return (
        '<div class="listing">'
        f'<p class="listing-sum"><b>{len(batch.items)} pictures</b> {summary}</p>'
        f'<div class="listing-scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></div>"
    )


def _listing_row(index: int, item: Item, batch: Batch, threshold: Threshold, flag: str = "") -> str:
    """Cells carry `data-v`, what they sort by; the one for flagging is nothing to sort by."""
    name = esc(item.name)
    picture = f'<img src="{item.thumbnail}" alt="">' if item.thumbnail else '<i class="blank"></i>'
    if item.detection is not None:
        score = item.detection.anomaly_score
        verdict = threshold.verdict(score)
        rank = list(Verdict).index(verdict)
        cells = (
            f'<td data-v="{rank}">{chip(verdict)}</td>'
            f'<td data-v="{score!r}">{score_text(score)}</td>'
            f'<td data-v="{item.detection.seconds!r}">{item.detection.seconds:.2f}</td>{flag}'
        )
    elif item.error:
        reason = esc(bare_reason(item))
        failed = plain_chip("failed", "Not read")
        cells = f'<td data-v="-1" colspan="4">{failed}<span class="reason">{reason}</span></td>'
    else:
        word = "not run" if batch.phase in ("cancelled", "failed") else "waiting"
        cells = f'<td data-v="-2">{word}</td><td data-v="-1"></td><td data-v="-1" colspan="2"></td>'
    current = ' aria-current="true"' if index == batch.selected else ""
    return (
        f'<tr data-index="{index}" tabindex="0"{current}><td data-v="{index}">{index + 1}</td>'
        f'<td data-v="{name}"><span class="cell-name">{picture}<span>{name}</span></span></td>'
        f"{cells}</tr>"
    )


def bare_reason(item: Item) -> str:
    """Why a picture cannot be used, without its name before it."""
    return item.error.removeprefix(f"{item.name}: ")


def position(batch: Batch | None) -> str:
    """Which picture of how many, by name."""
    if batch is None:
        return ""
    item, count = batch.current, len(batch.items)
    size = ""
    if item.size:
        size = f'<span class="dim">{item.size[1]} {messages.TIMES} {item.size[0]} px</span>'
    number = f"<b>{batch.selected + 1} / {count}</b> " if count > 1 else ""
    return f'<div class="position">{number}<span class="name">{esc(item.name)}</span>{size}</div>'
