"""What Two runs shows beside its charts: deltas, verdicts at two pairs of thresholds, a picture."""

from __future__ import annotations

from typing import Any

from adaclip.data.registry import spoken
from adaclip.runs import wording
from adaclip.runs.compare import Comparison, Delta, signed
from adaclip.text import printable
from demo.benchmark import words
from demo.benchmark.cells import metric_title
from demo.benchmark.select import Selection
from demo.page.messages import NEXT, PREVIOUS, TIMES
from demo.page.templates import render

CHANGES_SHOWN = 200
VERDICTS = {"better": "better", "worse": "worse", "even": "no clear difference"}


def versus_html(comparison: Comparison) -> str:
    """What makes the comparison less than it seems; to be read before the charts."""
    return render("benchmark_notices", notices=comparison.warnings)


def compare_html(own: Comparison, equal: Comparison | None, selection: Selection) -> str:
    """Deltas per class, the verdicts at the runs' own thresholds and at equal false alarms, then
    the images that change sides at the chosen ones, worst changes first."""
    if not own.common:
        return ""
    chosen = chosen_of(own, equal, selection)
    changed = chosen.changed
    return render(
        "benchmark_compare",
        caption=f"{metric_title(own.metric, 'image')}, {words.TIMES_100}, "
        f"{wording.images(own.common)} in common",
        deltas=[_delta(row) for row in (*own.rows, own.mean)],
        cuts=[_own_row(own, chosen is own), _equal_row(equal, chosen is equal, selection)],
        changed=_changed_text(chosen, chosen is own),
        images=[_change(one, selection) for one in changed.head(CHANGES_SHOWN).itertuples()],
        more=f"{len(changed) - CHANGES_SHOWN:,}" if len(changed) > CHANGES_SHOWN else "",
    )


def chosen_of(own: Comparison, equal: Comparison | None, selection: Selection) -> Comparison:
    """The comparison at the thresholds that the selection names."""
    return equal if equal is not None and selection.cuts == "equal" else own


def cut_text(threshold: float) -> str:
    """A run's threshold in words; over 1 nothing is called anomalous."""
    return "over 1" if threshold > 1.0 else words.threshold(threshold)


def _delta(row: Delta) -> dict[str, Any]:
    interval = wording.NA
    if row.low is not None and row.high is not None:
        interval = f"{signed(row.low)} to {signed(row.high)}"
    return {
        "side": row.side,
        "name": spoken(row.class_name) if row.class_name else words.MEAN,
        "patch": None if row.delta is None else {"class": row.class_name},
        "a": wording.percent(row.a),
        "b": wording.percent(row.b),
        "delta": wording.NA if row.delta is None else signed(row.delta),
        "interval": interval,
        "count": f"{row.n_normal + row.n_abnormal:,}",
        "verdict": row.reason or VERDICTS[row.side],
    }


def _own_row(own: Comparison, chosen: bool) -> dict[str, Any]:
    return {
        "name": words.CUTS["own"],
        "chosen": chosen,
        "patch": {"cuts": "own"},
        "rates": (),
        "cells": _cells(own),
    }


def _equal_row(equal: Comparison | None, chosen: bool, selection: Selection) -> dict[str, Any]:
    """The row whose false-alarm rate can be chosen."""
    offered = sorted({*words.ALARMS, selection.alarms})
    rates = [
        (f"{100 * rate:g} %", {"cuts": "equal", "alarms": repr(rate)}, rate == selection.alarms)
        for rate in offered
    ]
    return {
        "name": f"{words.CUTS['equal']}, at most",
        "chosen": chosen,
        "patch": {"cuts": "equal"},
        "rates": rates if equal is not None else (),
        "cells": None if equal is None else _cells(equal),
        "reason": f"{wording.NA}: {wording.NO_NORMALS}",
    }


def _cells(at: Comparison) -> list[str]:
    a, b = at.counts
    broken = int((at.changed["change"] == "broken").sum())
    gain = wording.NA
    if a.detection_rate is not None and b.detection_rate is not None:
        gain = signed(b.detection_rate - a.detection_rate)
    return [
        cut_text(at.threshold_a),
        cut_text(at.threshold_b),
        _rate(a.false_alarm_rate, a.fp, a.fp + a.tn),
        _rate(b.false_alarm_rate, b.fp, b.fp + b.tn),
        _rate(a.detection_rate, a.tp, a.tp + a.fn),
        _rate(b.detection_rate, b.tp, b.tp + b.fn),
        gain,
        f"{len(at.changed) - broken:,}",
        f"{broken:,}",
    ]


def _rate(rate: float | None, part: int, whole: int) -> str:
    return wording.NA if rate is None else f"{words.share(rate)} ({part:,} of {whole:,})"


def _changed_text(at: Comparison, own: bool) -> str:
    broken = int((at.changed["change"] == "broken").sum())
    where = "each run at its own threshold" if own else "both at equal false alarms"
    return (
        f"{broken:,} broken and {len(at.changed) - broken:,} mended by B, {where} "
        f"(A {cut_text(at.threshold_a)}, B {cut_text(at.threshold_b)}). "
        + ("A row shows both maps." if len(at.changed) else "")
    )


def _change(one: Any, selection: Selection) -> dict[str, Any]:
    path = str(one.rel_path)
    return {
        "path": path,
        "shown": printable(path),
        "current": path == selection.image,
        "truth": "anomalous" if one.anomalous else "normal",
        "a": f"{one.score_a:.3f} {words.ONE_OUTCOME[str(one.outcome_a)]}",
        "b": f"{one.score_b:.3f} {words.ONE_OUTCOME[str(one.outcome_b)]}",
        "change": one.change,
    }


def pair_html(at: Comparison, image: str) -> str:
    """One picture under both runs: itself, A's map, B's map, the truth."""
    found = at.images[at.images["rel_path"] == image]
    if found.empty:
        return render("benchmark_nothing", text=f"{image}: not a picture that both runs scored.")
    row = found.iloc[0]
    paths = [str(path) for path in at.changed["rel_path"]]
    place = paths.index(image) if image in paths else None
    sides = {
        name: {
            "run": run,
            "title": title,
            "name": name.upper(),
            "score": f"{row[f'score_{name}']:.3f}",
            "judged": words.ONE_OUTCOME[str(row[f"outcome_{name}"])],
            "kind": "right" if row[f"outcome_{name}"] in ("tp", "tn") else "wrong",
        }
        for name, run, title in (("a", at.a, at.title_a), ("b", at.b, at.title_b))
    }
    facts = [
        ("File", printable(image)),
        ("Object", spoken(str(row["class_name"]))),
        ("Defect", spoken(str(row["defect_type"])) if row["defect_type"] else ""),
        ("Thresholds", f"A {cut_text(at.threshold_a)}, B {cut_text(at.threshold_b)}"),
    ]
    return render(
        "benchmark_pair",
        **sides,
        path=image,
        truth="anomalous" if row["anomalous"] else "normal",
        place="" if place is None else f"{place + 1:,} of {len(paths):,} that changed sides",
        previous=paths[place - 1] if place else None,
        next=paths[place + 1] if place is not None and place + 1 < len(paths) else None,
        facts=[(term, text) for term, text in facts if text],
        previous_sign=PREVIOUS,
        next_sign=NEXT,
        times=TIMES,
    )
