"""What the visitor looks at: one record, which is also the page's address.

Tables and charts carry query patches, a few parameters of the address each. A click applies one;
so a click, a link and the back button are the same thing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from adaclip.runs import wording
from adaclip.runs.scores import RunLike, Scores, own_threshold
from demo.benchmark import words
from demo.benchmark.cells import FLOOR_ID, measured_id
from demo.benchmark.printed import column_ids

METRICS = tuple(words.METRICS)
LEVELS = tuple(words.LEVELS)
DOMAINS = tuple(words.DOMAINS)
OUTCOMES = tuple(words.OUTCOMES)
SCALES = tuple(words.SCALES)
CUTS = tuple(words.CUTS)
DEFAULT_PROTOCOL = "adaclip"
MAX_PARAMETER = 1000  # characters; longer ones are no links of ours
LISTS = ("methods", "datasets")  # parameters that name several things
SEPARATOR = ";"
MOST_LISTED = 40

ScoreRange = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Everything the benchmark page shows follows from this.

    `threshold` None is the run's own. `score_range` is half-open, except that an upper end of 1
    includes 1. `class_name` None is all classes of the run. `methods` (columns of the overview)
    and `datasets` empty are all of them; `baseline` is the column that others are compared with.
    `scale` is what the histogram and the threshold's slider are drawn on; `cuts` and `alarms`
    (0-1) are at which thresholds two runs are compared: their own, or those with at most that
    false-alarm rate.
    """

    run: str | None = None
    against: str | None = None
    dataset: str | None = None
    class_name: str | None = None
    metric: str = "auroc"
    level: str = "image"
    domain: str = "all"
    protocol: str = DEFAULT_PROTOCOL
    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    baseline: str | None = None
    threshold: float | None = None
    image: str | None = None
    outcome: str | None = None
    score_range: ScoreRange | None = None
    scale: str = "score"
    cuts: str = "own"
    alarms: float = 0.05

    def to_query(self) -> dict[str, str]:
        """The parameters that differ from the defaults, as the address has them."""
        query: dict[str, str] = {}
        for name, parameter in PARAMETERS.items():
            value = getattr(self, name)
            if value is None or value == _DEFAULTS[name]:
                continue
            query[parameter] = _written(name, value)
        return query


# Field -> parameter of the address, in the order in which an address lists them.
PARAMETERS = {
    "dataset": "dataset",
    "run": "run",
    "against": "against",
    "class_name": "class",
    "level": "level",
    "metric": "metric",
    "domain": "domain",
    "protocol": "protocol",
    "methods": "methods",
    "datasets": "sets",
    "baseline": "baseline",
    "threshold": "threshold",
    "outcome": "outcome",
    "score_range": "scores",
    "image": "image",
    "scale": "scale",
    "cuts": "cuts",
    "alarms": "alarms",
}
_DEFAULTS = {item.name: item.default for item in dataclasses.fields(Selection)}
# What a new value takes with it: an image of another run is no image of this one.
_CLEARS = {
    "run": ("against", "class_name", "threshold", "outcome", "score_range", "image"),
    "dataset": ("run", "against", "class_name", "threshold", "outcome", "score_range", "image"),
    "class_name": ("outcome", "score_range", "image"),
    "outcome": ("score_range", "image"),
    "score_range": ("image",),
}


def _written(name: str, value: Any) -> str:
    if name == "score_range":
        return f"{value[0]!r}-{value[1]!r}"
    if name in LISTS:
        return SEPARATOR.join(value)
    return repr(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What exists: an address may name this and nothing else."""

    # Run id -> (dataset, classes), newest first.
    runs: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    # Dataset key -> classes.
    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protocols: tuple[str, ...] = (DEFAULT_PROTOCOL, "all")
    # What the table can be sorted and its columns pinned by, whether or not it shows them now.
    columns: frozenset[str] = frozenset()
    preferred: str | None = None

    @classmethod
    def of(cls, runs: Sequence[RunLike], cards: Mapping[str, Any], published: Any) -> Known:
        """From the runs read, newest first, the dataset cards and the published results."""
        newest = list(runs)
        known_runs = {
            run.id: (
                run.results.dataset,
                tuple(row.class_name for row in run.results.classes),
            )
            for run in newest
        }
        datasets = {key: tuple(card.classes) for key, card in cards.items()}
        for dataset, classes in known_runs.values():
            datasets.setdefault(dataset, classes)
        listed = () if published is None else sorted({str(p) for p in published["protocol"]})
        complete = (run.id for run in newest if run.results.complete)
        return cls(
            runs=known_runs,
            datasets=datasets,
            protocols=tuple(dict.fromkeys((DEFAULT_PROTOCOL, *listed, "all"))),
            columns=frozenset((*column_ids(published), *map(measured_id, newest))),
            preferred=next(complete, next(iter(known_runs), None)),
        )

    def default(self) -> Selection:
        """The first view: the newest complete run, if there is one."""
        if self.preferred is None:
            return Selection()
        return Selection(run=self.preferred, dataset=self.runs[self.preferred][0])

    def from_query(self, query: Mapping[str, Any]) -> tuple[Selection, list[str]]:
        """A link's selection, and a sentence for every part of it that is not followed."""
        base = Selection()
        asked = [query.get(name) for name in ("run", "dataset")]
        if not any(asked):
            base = self.default()
        return self.apply(base, query)

    def apply(self, selection: Selection, patch: Mapping[str, Any]) -> tuple[Selection, list[str]]:
        """The selection after a click or link; "" takes a filter away. Nothing is raised."""
        notes: list[str] = []
        values = dataclasses.asdict(selection)
        given: dict[str, Any] = {}
        for name, parameter in PARAMETERS.items():
            if parameter in patch and patch[parameter] is not None:
                text = str(patch[parameter])
                parsed, reason = self._read(name, text)
                if reason:
                    notes.append(words.dropped(parameter, text, reason))
                else:
                    given[name] = parsed
        if given.get("run"):
            self._follow_run(given, notes)
        for name in _CLEARS:
            if name in given and given[name] != values[name]:
                values.update({other: _DEFAULTS[other] for other in _CLEARS[name]})
        values.update(given)
        self._drop_foreign(values, notes)
        return Selection(**values), notes

    def column_note(self, parameter: str, column: str) -> str:
        """Why a link cannot sort by or pin a column; "" when it can."""
        special = ("name", "mean", FLOOR_ID) if parameter == "sort" else ()
        if column in self.columns or column in special:
            return ""
        return words.dropped(parameter, column, "the table has no such column")

    def _follow_run(self, given: dict[str, Any], notes: list[str]) -> None:
        """A run is of one dataset; a link that says another one is mended, with a word."""
        dataset = self.runs[given["run"]][0]
        other = given.get("dataset")
        if other and other != dataset:
            notes.append(words.dropped("dataset", other, f"run {given['run']} is of {dataset}"))
        given["dataset"] = dataset

    def _drop_foreign(self, values: dict[str, Any], notes: list[str]) -> None:
        """A class that the run or dataset does not have, and a comparison with itself."""
        run, name = values["run"], values["class_name"]
        classes = self.runs[run][1] if run else self.datasets.get(values["dataset"] or "", ())
        if name is not None and name not in classes:
            where = run or values["dataset"] or "no dataset is chosen, so it"
            notes.append(words.dropped("class", name, f"{where} has no such class"))
            values.update(class_name=None, outcome=None, score_range=None, image=None)
        if values["against"] is not None and values["against"] == run:
            notes.append(words.dropped("against", str(run), "it is the run itself"))
            values["against"] = None

    def _read(self, name: str, text: str) -> tuple[Any, str]:
        """(value, "") or (None, why not)."""
        longest = 8 * MAX_PARAMETER if name in LISTS else MAX_PARAMETER
        if len(text) > longest or not text.isprintable():
            return None, "it is no value of this page"
        if text == "":
            return _DEFAULTS[name], ""
        if name in ("threshold", "alarms"):
            value = _number(text)
            return (value, "") if value is not None else (None, "it is no number from 0 to 1")
        if name == "score_range":
            given = read_range(text)
            return (given, "") if given else (None, "it is no range like 0.2-0.4")
        if name in LISTS:
            return self._read_list(name, text)
        if name in ("class_name", "image"):
            return text, ""
        offered: Iterable[str] = {
            "run": self.runs,
            "against": self.runs,
            "dataset": self.datasets,
            "metric": METRICS,
            "level": LEVELS,
            "domain": DOMAINS,
            "protocol": self.protocols,
            "outcome": OUTCOMES,
            "baseline": self.columns,
            "scale": SCALES,
            "cuts": CUTS,
        }[name]
        return (text, "") if text in offered else (None, "there is none of that name here")

    def _read_list(self, name: str, text: str) -> tuple[Any, str]:
        """Those of the names that exist; (None, why not) when none does."""
        offered: Iterable[str] = self.columns if name == "methods" else self.datasets
        listed = dict.fromkeys(text.split(SEPARATOR))
        known = tuple(one for one in listed if one in offered)[:MOST_LISTED]
        return (known, "") if known else (None, "there is none of that name here")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0.0 <= value <= 1.0 else None


def read_range(text: str) -> ScoreRange | None:
    """ "0.2-0.4" as numbers; None when it is no rising range within 0 to 1."""
    cut = next((i for i, c in enumerate(text) if c == "-" and i and text[i - 1] not in "eE"), None)
    if cut is None:
        return None
    low, high = _number(text[:cut]), _number(text[cut + 1 :])
    return (low, high) if low is not None and high is not None and low < high else None


def written_range(low: float, high: float) -> str:
    """A score range as an address has it; reads back as the same numbers."""
    return f"{low!r}-{high!r}"


def threshold_of(selection: Selection, run: RunLike) -> float:
    """The selection's threshold, else the run's own, 0-1."""
    return own_threshold(run) if selection.threshold is None else selection.threshold


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Where the open image stands among the selected ones; `position` counts from 0."""

    position: int | None
    total: int
    previous: str | None
    next: str | None


def ranked_rows(selection: Selection, scores: Scores, threshold: float) -> np.ndarray:
    """Rows of `scores.frame` that the selection shows, worst first.

    Worst is what errs most: a normal image by how far its score is over the threshold, an
    anomalous one by how far it is under it. `scores` is of the selected class.
    """
    if selection.outcome == "failed":
        return scores.failed_rows
    confusion = scores.confusion(threshold)
    normal = _between(scores.normal, selection.score_range)
    abnormal = _between(scores.abnormal, selection.score_range)
    outcome = selection.outcome
    if outcome in ("fn", "tp", "anomalous"):
        normal = (0, 0)
    if outcome in ("fp", "tn", "normal"):
        abnormal = (0, 0)
    if outcome in ("fp", "wrong"):
        normal = (max(normal[0], confusion.tn), normal[1])
    if outcome == "tn":
        normal = (normal[0], min(normal[1], confusion.tn))
    if outcome in ("fn", "wrong"):
        abnormal = (abnormal[0], min(abnormal[1], confusion.fn))
    if outcome == "tp":
        abnormal = (max(abnormal[0], confusion.fn), abnormal[1])
    high, low = slice(*normal), slice(*abnormal)
    error = np.concatenate(
        [(scores.normal[high] - threshold)[::-1], threshold - scores.abnormal[low]]
    )
    rows = np.concatenate([scores.normal_rows[high][::-1], scores.abnormal_rows[low]])
    return rows[np.argsort(-error, kind="stable")]  # two sorted runs: merged in linear time


def _between(ascending: np.ndarray, score_range: ScoreRange | None) -> tuple[int, int]:
    """The slice of sorted scores in a range, half-open but for an upper end of 1."""
    if score_range is None:
        return 0, len(ascending)
    low, high = score_range
    first = int(np.searchsorted(ascending, low, side="left"))
    last = int(np.searchsorted(ascending, high, side="right" if high >= 1.0 else "left"))
    return first, max(first, last)


def images_page(
    selection: Selection,
    scores: Scores,
    threshold: float,
    offset: int = 0,
    limit: int | None = 60,
) -> tuple[pd.DataFrame, int]:
    """(a page of the selected images, worst first; how many there are in all).

    The images.csv columns, then `predicted` (bool) and `outcome` (fp, fn, tp, tn, failed).
    """
    rows = ranked_rows(selection, scores, threshold)
    end = None if limit is None else offset + limit
    page = scores.frame.iloc[rows[offset:end]].copy()
    score = page["anomaly_score"].to_numpy(dtype=np.float64, na_value=np.nan)
    if selection.outcome == "failed":
        return page.assign(predicted=False, outcome="failed"), len(rows)
    predicted = score >= threshold
    anomalous = page["anomalous"].to_numpy(dtype=np.int64) == 1
    names = np.array([["tn", "fp"], ["fn", "tp"]], dtype=object)
    outcome = names[anomalous.astype(int), predicted.astype(int)]
    return page.assign(predicted=predicted, outcome=outcome), len(rows)


def neighbours(selection: Selection, scores: Scores, threshold: float) -> Neighbours:
    """The images before and after the open one, in the gallery's order."""
    rows = ranked_rows(selection, scores, threshold)
    paths = scores.frame["rel_path"].to_numpy(dtype=object)[rows]
    found = np.flatnonzero(paths == selection.image) if selection.image else np.array([], dtype=int)
    if not len(found):
        return Neighbours(position=None, total=len(rows), previous=None, next=None)
    at = int(found[0])
    return Neighbours(
        position=at,
        total=len(rows),
        previous=str(paths[at - 1]) if at else None,
        next=str(paths[at + 1]) if at + 1 < len(rows) else None,
    )


def describe(selection: Selection, total: int, threshold: float) -> str:
    """The gallery's heading: "12 false alarms of metal_nut at threshold 0.431, worst first"."""
    if selection.outcome:
        nouns = words.ONE_OUTCOME if total == 1 else words.OUTCOMES
        what = f"{total:,} {nouns[selection.outcome]}"
    else:
        what = wording.images(total)
    if selection.class_name:
        what += f" of {selection.class_name}"
    if selection.score_range:
        low, high = selection.score_range
        what += f" with a score from {low:g} to {high:g}"
    if selection.outcome == "failed":
        return what
    order = ", worst first" if total > 1 else ""
    return f"{what} at threshold {words.threshold(threshold)}{order}"
