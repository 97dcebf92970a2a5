"""Two runs over the images they share: what changed, and how sure that is."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adaclip.data.registry import dataset_name, spoken
from adaclip.metrics.intervals import bootstrap_difference
from adaclip.metrics.ranking import METRICS, ranking
from adaclip.runs import wording
from adaclip.runs.scores import Confusion, RunLike, has_error, own_threshold

LEVEL = 0.95
MOST_DRAWN = 4_000_000  # image draws per class: large classes need fewer and get at least 100


@dataclass(frozen=True, kw_only=True)
class Delta:
    """One class, or the mean ("" as its name), under both runs; `delta` is b - a.

    `low` and `high` bound the delta's 95 % interval from resampling the shared images, the same
    ones for both runs. None with the `reason` where a value does not exist.
    """

    class_name: str
    n_normal: int
    n_abnormal: int
    a: float | None
    b: float | None
    delta: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @property
    def side(self) -> str:
        """better, worse, or even when the interval holds zero or does not exist."""
        if self.low is None or self.high is None:
            return "even"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "even"

    @property
    def words(self) -> str:
        """For hover: values, delta and interval."""
        name = spoken(self.class_name) if self.class_name else "mean over the classes"
        if self.delta is None:
            return f"{name}: {wording.NA}, {self.reason}"
        lines = [
            f"{name}: A {wording.percent(self.a)}, B {wording.percent(self.b)}, "
            f"{signed(self.delta)} points"
        ]
        if self.low is not None and self.high is not None:
            lines.append(f"95 % interval {signed(self.low)} to {signed(self.high)}")
        lines.append(f"{self.n_normal:,} normal, {self.n_abnormal:,} anomalous images in common")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Run b against run a. `images`: every shared image; `changed`: those that changed sides.

    Sides are those at `threshold_a` and `threshold_b`; the rows do not depend on them.
    """

    a: str
    b: str
    title_a: str
    title_b: str
    metric: str
    rows: tuple[Delta, ...]
    mean: Delta
    images: pd.DataFrame
    threshold_a: float
    threshold_b: float
    only_a: int
    only_b: int
    warnings: tuple[str, ...]

    @property
    def common(self) -> int:
        """How many images both runs scored."""
        return len(self.images)

    @functools.cached_property
    def changed(self) -> pd.DataFrame:
        """The images that changed sides: broken before mended, the largest change first."""
        changed = self.images[self.images["change"] != ""]
        gap = (changed["score_b"] - changed["score_a"]).abs()
        order = pd.DataFrame({"kind": changed["change"], "gap": -gap})
        return changed.loc[order.sort_values(["kind", "gap"], kind="stable").index]

    @property
    def counts(self) -> tuple[Confusion, Confusion]:
        """The shared images by truth and verdict, under a and under b."""
        sides = (self.images[f"outcome_{run}"].value_counts() for run in ("a", "b"))
        a, b = (
            Confusion(**{name: int(found.get(name, 0)) for name in ("tp", "fp", "tn", "fn")})
            for found in sides
        )
        return a, b

    def at(self, threshold_a: float, threshold_b: float) -> Comparison:
        """The same comparison with every image judged at other thresholds, 0-1."""
        return dataclasses.replace(
            self,
            images=_sides(self.images, threshold_a, threshold_b),
            threshold_a=threshold_a,
            threshold_b=threshold_b,
        )

    def at_false_alarms(self, rate: float) -> Comparison | None:
        """Each run at its lowest threshold that calls at most `rate` of the shared normals
        anomalous, 0-1; None without normals."""
        normal = self.images["anomalous"].to_numpy(dtype=np.int64) == 0
        if not normal.any():
            return None
        scores = (self.images[f"score_{run}"].to_numpy(dtype=np.float64) for run in ("a", "b"))
        return self.at(*(threshold_at(values[normal], rate) for values in scores))


def threshold_at(normal: np.ndarray, rate: float) -> float:
    """The lowest threshold that calls at most `rate` (0-1) of the normal scores anomalous.

    Scores from the threshold on are called anomalous. `normal` (n,) is not empty. Above 1 when
    too many scores are exactly 1 and only calling nothing keeps to the rate.

    >>> threshold_at(np.array([0.1, 0.2, 0.3, 0.4]), 1.0)
    0.0
    >>> round(threshold_at(np.array([0.1, 0.2, 0.3, 0.4]), 0.25), 6)
    0.3
    """
    allowed = math.floor(rate * len(normal) + 1e-9)
    if allowed >= len(normal):
        return 0.0
    return float(np.nextafter(np.sort(normal)[::-1][allowed], np.inf))


def signed(value: float) -> str:
    """A difference in points of 100, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "\u2212")


def compare(
    run_a: RunLike,
    run_b: RunLike,
    frame_a: pd.DataFrame,
    frame_b: pd.DataFrame,
    *,
    metric: str = "auroc",
    draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Deltas per class with paired bootstrap intervals, and the images that changed sides.

    Only images that both runs scored count, on image level: `metric` is auroc,
    average_precision or max_f1 (any other is compared as auroc). `draws` at most, fewer for
    large classes. Each run is judged at its own threshold.
    """
    metric = metric if metric in METRICS else "auroc"
    cut_a, cut_b = own_threshold(run_a), own_threshold(run_b)
    same_dataset = run_a.results.dataset == run_b.results.dataset
    images, only_a, only_b, disputed = _shared(run_a, run_b, frame_a, frame_b)
    if not same_dataset:
        images = images.iloc[:0]
    rows = [
        _class_delta(str(name), group, metric, min(draws, max(100, MOST_DRAWN // len(group))), seed)
        for name, group in images.groupby("class_name", sort=True)
    ]
    return Comparison(
        a=run_a.id,
        b=run_b.id,
        title_a=_title(run_a),
        title_b=_title(run_b),
        metric=metric,
        rows=tuple(rows),
        mean=_mean_delta(rows),
        images=_sides(images, cut_a, cut_b),
        threshold_a=cut_a,
        threshold_b=cut_b,
        only_a=only_a,
        only_b=only_b,
        warnings=tuple(_warnings(run_a, run_b, len(images), only_a, only_b, disputed)),
    )


def _title(run: RunLike) -> str:
    return run.results.title or run.results.checkpoint_title or run.id


def _shared(
    run_a: RunLike, run_b: RunLike, frame_a: pd.DataFrame, frame_b: pd.DataFrame
) -> tuple[pd.DataFrame, int, int, int]:
    """(images both scored, only under A, only under B, of which the runs disagree on the truth)."""
    a, b = _scored(run_a, frame_a), _scored(run_b, frame_b)
    columns = ["rel_path", "class_name", "defect_type", "anomalous", "score", "rank"]
    both = a[columns].merge(
        b[["rel_path", "anomalous", "score", "rank"]], on="rel_path", suffixes=("_a", "_b")
    )
    agreed = both[both["anomalous_a"] == both["anomalous_b"]]
    agreed = agreed.drop(columns="anomalous_b").rename(columns={"anomalous_a": "anomalous"})
    return agreed, len(a) - len(both), len(b) - len(both), len(both) - len(agreed)


def _scored(run: RunLike, frame: pd.DataFrame) -> pd.DataFrame:
    good = frame[~has_error(frame) & frame["anomaly_score"].notna()]
    by_score = run.results.ranked_by == "probability"
    rank = good["anomaly_score"]
    if not by_score:
        rank = good["anomaly_margin"].fillna(good["anomaly_score"])
    good = good.assign(score=good["anomaly_score"], rank=rank)
    return good.drop_duplicates("rel_path")


def _sides(images: pd.DataFrame, cut_a: float, cut_b: float) -> pd.DataFrame:
    """Adds outcome_a, outcome_b and change: "mended", "broken" or ""."""
    bad = images["anomalous"].to_numpy(dtype=np.int64) == 1
    names = np.array([["tn", "fp"], ["fn", "tp"]], dtype=object)
    called_a = images["score_a"].to_numpy(dtype=np.float64) >= cut_a
    called_b = images["score_b"].to_numpy(dtype=np.float64) >= cut_b
    change = np.full(len(images), "", dtype=object)
    change[(called_a != bad) & (called_b == bad)] = "mended"
    change[(called_a == bad) & (called_b != bad)] = "broken"
    return images.assign(
        outcome_a=names[bad.astype(int), called_a.astype(int)],
        outcome_b=names[bad.astype(int), called_b.astype(int)],
        change=change,
    )


def _class_delta(name: str, group: pd.DataFrame, metric: str, draws: int, seed: int) -> Delta:
    bad = group["anomalous"].to_numpy(dtype=np.int64) == 1
    sizes = (int((~bad).sum()), int(bad.sum()))
    a, b = (
        (ranks[~bad], ranks[bad])
        for ranks in (group[column].to_numpy(dtype=np.float64) for column in ("rank_a", "rank_b"))
    )
    if not all(sizes):
        reason = wording.NO_ANOMALOUS if sizes[0] else wording.NO_NORMALS
        return _delta(name, sizes, None, None, None, reason)
    values = [getattr(ranking(*sides), metric) for sides in (a, b)]
    bounds = bootstrap_difference(a, b, metric, resamples=draws, level=LEVEL, seed=seed)
    reason = "" if bounds else "no interval: fewer than two images of a kind"
    return _delta(name, sizes, values[0], values[1], bounds, reason)


def _delta(
    name: str,
    sizes: tuple[int, int],
    a: float | None,
    b: float | None,
    bounds: tuple[float, float] | None,
    reason: str = "",
) -> Delta:
    return Delta(
        class_name=name,
        n_normal=sizes[0],
        n_abnormal=sizes[1],
        a=a,
        b=b,
        delta=None if a is None or b is None else b - a,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        reason=reason,
    )


def _mean_delta(rows: list[Delta]) -> Delta:
    """The mean over classes with a value.

    Classes share no image, so their intervals combine like those of independent sums.
    """
    used = [row for row in rows if row.a is not None and row.b is not None]
    sizes = (sum(row.n_normal for row in used), sum(row.n_abnormal for row in used))
    if not used:
        return _delta("", sizes, None, None, None, "no class has a value under both")
    a, b = (float(np.mean([getattr(row, side) for row in used])) for side in ("a", "b"))
    halves = [
        (row.high - row.low) / 2 for row in used if row.low is not None and row.high is not None
    ]
    if len(halves) < len(used):
        return _delta("", sizes, a, b, None, "no interval: a class has none")
    if len(used) == 1:
        return dataclasses.replace(used[0], class_name="")
    half = math.hypot(*halves) / len(used)
    return _delta("", sizes, a, b, (b - a - half, b - a + half))


def _warnings(
    run_a: RunLike, run_b: RunLike, common: int, only_a: int, only_b: int, disputed: int
) -> list[str]:
    """What makes a comparison less than it seems."""
    said = []
    a, b = run_a.results, run_b.results
    if a.dataset != b.dataset:
        names = [dataset_name(one.dataset) for one in (a, b)]
        return [f"A is of {names[0]}, B of {names[1]}: runs of different datasets do not compare."]
    for key, what in (("resolution", "resolution"), ("ranked_by", "ranking value")):
        mine, other = getattr(a, key), getattr(b, key)
        if mine != other:
            said.append(f"Different protocols: {what} {mine} under A, {other} under B.")
    ways = wording.comparison(a), wording.comparison(b)
    if ways[0] != ways[1]:
        said.append(f"Different protocols: {ways[0]} under A, {ways[1]} under B.")
    for name, one in (("A", a), ("B", b)):
        if one.leak:
            said.append(f"{name}: {one.leak}")
        if not one.complete:
            said.append(f"{name} is not finished.")
    if only_a or only_b:
        said.append(
            f"Compared on the {wording.images(common)} both have; left out: "
            f"{only_a:,} only under A, {only_b:,} only under B."
        )
    if disputed:
        said.append(
            f"{wording.images(disputed)} left out: normal in one run, anomalous in the other."
        )
    return said
