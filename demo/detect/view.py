"""The Detect tab's results as HTML: pure functions of results and settings, by templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from adaclip.maps.rendering import colour_bar, legend_values
from adaclip.types import Detection, Threshold, Verdict
from demo.batch import RUNNING, Batch, Item, threshold_of
from demo.look import Look, gauge_place
from demo.page import messages
from demo.page.data_uri import data_uri
from demo.page.parts import chip, device_text, number_text, plain_chip
from demo.page.templates import render
from demo.visitor.pictures import Findings, min_area_px
from demo.visitor.runner import seconds_left

_SHOWN_REGIONS = 30
_HEADS = ("#", "Picture", "Verdict", "Score", "Seconds")
_PHASES = {"waiting": "Waiting…", "loading": "Loading…", "running": "Looking…"}


def verdict_bar(batch: Batch | None, found: Findings | None = None) -> str:
    """What is said of the selected picture, or what is going on, or what to do next.

    With the picture's `found` regions it says so where they contradict the verdict.
    """
    if batch is None:
        return _bar("idle", "No picture yet", messages.DROP_HINT)
    item = batch.current
    if item.error:
        several = len(batch.items) > 1
        text = messages.OTHERS_CONTINUE if several else messages.TRY_ANOTHER
        return _bar("failed", "Not read", text)
    if item.detection is None:
        return _bar_without_result(batch)
    threshold = threshold_of(batch)
    verdict = threshold.verdict(item.detection.anomaly_score)
    return render(
        "verdict",
        state=verdict.value,
        chip=Markup(chip(verdict)),
        score=_score(item.detection, threshold, batch.look),
        facts=_facts(batch, item.detection, threshold, found),
    )


def _bar(state: str, word: str, text: str) -> str:
    return render("verdict", state=state, chip=Markup(plain_chip(state, word)), text=text)


def _bar_without_result(batch: Batch) -> str:
    if batch.phase == "failed":
        return _bar("failed", "Stopped", batch.message)
    if batch.phase in RUNNING:
        return _bar("busy", _PHASES[batch.phase], batch.message)
    if batch.phase == "cancelled":
        return _bar("idle", "Cancelled", "This picture was not run.")
    text = f"{messages.pictures_ready(len(batch.items))}. Name the object and press Detect."
    return _bar("idle", "Ready", f"{text} {batch.message}".strip())


def _score(detection: Detection, threshold: Threshold, look: Look) -> dict[str, str]:
    score, review = detection.anomaly_score, threshold.review_value
    places = (gauge_place(value, look.unit) for value in (score, review, threshold.value))
    at, low, cut = (f"{100 * place:.2f}" for place in places)
    return {
        "text": number_text(score, look.unit),
        "unit": look.unit,
        "at": at,
        "review": low,
        "cut": cut,
        "cut_text": number_text(threshold.value, look.unit),
    }


def _facts(
    batch: Batch, detection: Detection, threshold: Threshold, found: Findings | None
) -> dict[str, Any]:
    verdict = threshold.verdict(detection.anomaly_score)
    cut = number_text(threshold.value, batch.look.unit)
    yours = threshold.source == messages.SET_BY_YOU
    count = 0 if found is None else len(found.regions)
    sentence, why = messages.verdict_sentence(verdict, cut, yours), ""
    if verdict is Verdict.NORMAL and count:
        sentence, why = messages.map_against_normal(count), messages.MAP_AGAINST_NORMAL
    elif verdict is Verdict.ANOMALOUS and found is not None and not count:
        sentence, why = messages.NO_REGION_ANOMALOUS, messages.SCORE_WITHOUT_REGION
    return {
        "sentence": sentence,
        "why": why,
        "notes": (*batch.current.notes, *detection.notes),
        "threshold": cut,
        "source": threshold.source,
        "run": (
            f"{detection.seconds:.2f} s · {device_text(detection.device, detection.precision)}"
            f" · {detection.checkpoint} · “{detection.class_name}”"
        ),
    }


def progress_bar(batch: Batch | None) -> str:
    """A thin line and a pill over the picture; they take no room, so nothing jumps."""
    if batch is None or batch.phase not in RUNNING:
        return '<div class="progress"></div>'
    total = len(batch.items)
    text = ""  # a single picture's is in the verdict bar
    if batch.phase == "running" and total > 1:
        text = messages.progress(batch.done, total, seconds_left(batch))
    busy = batch.phase != "running" or total == 1
    return render("progress", busy=busy, total=total, done=batch.done, text=text)


def legend(batch: Batch | None) -> str:
    """What the colours stand for, with numbers; nothing for views without colours."""
    detection = batch.current.detection if batch else None
    if detection is None:
        return '<div class="legend"></div>'
    assert batch is not None
    look = batch.look
    if look.view in ("mask", "contours"):
        return render("legend", regions_from=f"{look.map_threshold:.3f}")
    values = legend_values(detection.model_anomaly_map, look.scale)
    place = (look.map_threshold - values[0]) / ((values[-1] - values[0]) or 1.0)
    return render(
        "legend",
        regions_from="",
        values=values,
        bar=data_uri(colour_bar(look.colour_map), "png"),
        cut=100 * place if 0.0 <= place <= 1.0 else None,
        note=messages.STRETCHED if look.scale == "stretch" else "",
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
    rows = []
    for region in found.regions:
        left, top, right, bottom = region.box
        rows.append(
            {
                "area": f"{region.area_px:,}",
                "percent": f"{100 * region.area_fraction:.2f}",
                "peak": f"{region.peak:.3f}",
                "box": f"{left}, {top}; {right - left}{messages.TIMES}{bottom - top}",
            }
        )
    share = 100.0 * float(np.mean(found.mask))
    return render("regions", regions=rows, shown=_SHOWN_REGIONS, share=share)


def listing(batch: Batch | None, flags: Sequence[str] | None = None) -> str:
    """The batch as a table to sort and click; nothing for a single picture.

    `flags` holds for each picture the HTML of its last cell, for flagging.
    """
    if batch is None or len(batch.items) < 2:
        return ""
    threshold = threshold_of(batch)
    counts = {verdict: 0 for verdict in Verdict}
    for item in batch.items:
        if item.detection is not None:
            counts[threshold.verdict(item.detection.anomaly_score)] += 1
    failed = sum(bool(item.error) for item in batch.items)
    waiting = sum(item.waiting for item in batch.items)
    rows = [_row(item, batch, threshold) for item in batch.items]
    for index, row in enumerate(rows):
        row["current"] = index == batch.selected
        row["flag"] = Markup(flags[index] if flags else "")
    return render(
        "listing",
        rows=rows,
        heads=_HEADS,
        flagged=bool(flags),
        summary=messages.summary(counts, failed, waiting, batch.phase),
    )


def _row(item: Item, batch: Batch, threshold: Threshold) -> dict[str, Any]:
    """What a row's cells show, and what they sort by."""
    row: dict[str, Any] = {"name": item.name, "thumbnail": item.thumbnail, "chip": ""}
    if item.detection is not None:
        score = item.detection.anomaly_score
        verdict = threshold.verdict(score)
        return row | {
            "chip": Markup(chip(verdict)),
            "rank": list(Verdict).index(verdict),
            "margin": item.detection.anomaly_margin,
            "score": number_text(score, batch.look.unit),
            "seconds": item.detection.seconds,
        }
    failed = Markup(plain_chip("failed", "Not read"))
    waits = "not run" if batch.phase in ("cancelled", "failed") else "waiting"
    return row | {"error": bare_reason(item), "failed": failed, "waits": waits}


def bare_reason(item: Item) -> str:
    """Why a picture cannot be used, without its name before it."""
    return item.error.removeprefix(f"{item.name}: ")


def position(batch: Batch | None) -> str:
    """Which picture of how many, by name."""
    if batch is None:
        return ""
    item = batch.current
    size = f"{item.size[1]} {messages.TIMES} {item.size[0]} px" if item.size else ""
    number, count = batch.selected + 1, len(batch.items)
    return render("position", number=number, count=count, file=item.name, size=size)
