"""A run's image scores, read once and sorted once, so that moving the threshold costs nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from adaclip.errors import StoreError
from adaclip.metrics import curves
from adaclip.runs import wording
from adaclip.runs.records import RunResults
from adaclip.runs.rows import empty_table


class RunLike(Protocol):
    """The part of `adaclip.runs.Run` the benchmark page uses."""

    @property
    def id(self) -> str:
        """The run's folder name."""

    @property
    def results(self) -> RunResults:
        """What results.json holds."""

    def images(self) -> pd.DataFrame:
        """images.csv, one row per image; read anew on every call."""


def own_threshold(run: RunLike) -> float:
    """The threshold a run was measured with, 0-1."""
    return run.results.threshold.value


@dataclass(frozen=True, kw_only=True)
class Confusion(curves.Confusion):
    """Images by truth and by what a threshold says of them, with the rates people ask for."""

    @property
    def detection_rate(self) -> float | None:
        """The share of anomalous images found, 0-1; None without anomalous images."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def false_alarm_rate(self) -> float | None:
        """The share of normal images called anomalous, 0-1; None without normal images."""
        return _share(self.fp, self.fp + self.tn)

    @property
    def precision(self) -> float | None:
        """The share of alarms that are right, 0-1; None when nothing is called anomalous."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and detection rate, 0-1; None without anomalous images."""
        found = self.tp + self.fn
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn) if found else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """The scores of one run, or of one class of it, sorted.

    `normal` and `abnormal` are anomaly scores, 0-1, ascending; `normal_rank` and
    `abnormal_rank` the values the run's metrics are computed from (margins, or the scores
    again), in the same order. The `*_rows` are the rows of `frame` they come from. A picture
    that could not be read has no score; its row is in `failed_rows`.
    """

    frame: pd.DataFrame
    normal: np.ndarray
    abnormal: np.ndarray
    normal_rank: np.ndarray
    abnormal_rank: np.ndarray
    normal_rows: np.ndarray
    abnormal_rows: np.ndarray
    failed_rows: np.ndarray
    class_name: str | None = None
    # What charts keep here: drawn once, then only the threshold's marks move.
    drawn: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @property
    def n_normal(self) -> int:
        """Normal images with a score."""
        return len(self.normal)

    @property
    def n_abnormal(self) -> int:
        """Anomalous images with a score."""
        return len(self.abnormal)

    @property
    def failed(self) -> int:
        """Images without a score."""
        return len(self.failed_rows)

    @property
    def undefined(self) -> str | None:
        """Why curves over both kinds of image do not exist; None when they do."""
        if not self.n_normal and not self.n_abnormal:
            return wording.NO_IMAGES
        if not self.n_normal:
            return wording.NO_NORMALS
        return None if self.n_abnormal else wording.NO_ANOMALOUS

    def confusion(self, threshold: float) -> Confusion:
        """Counts when every score from `threshold` on is called anomalous."""
        quiet_normal = int(np.searchsorted(self.normal, threshold, side="left"))
        missed = int(np.searchsorted(self.abnormal, threshold, side="left"))
        return Confusion(
            tp=self.n_abnormal - missed,
            fn=missed,
            fp=self.n_normal - quiet_normal,
            tn=quiet_normal,
        )

    def score_at(self, rank: np.ndarray) -> np.ndarray:
        """The anomaly score of the image whose ranking value is given; ends are kept at 0 and 1.

        A curve runs over ranking values; the page's threshold is a score.
        """
        ranks = np.concatenate([self.normal_rank, self.abnormal_rank])
        scores = np.concatenate([self.normal, self.abnormal])
        order = np.argsort(ranks, kind="stable")
        ranks, scores = ranks[order], scores[order]
        at = np.searchsorted(ranks, rank, side="left")
        inside = scores[np.minimum(at, len(ranks) - 1)]
        return np.where(at >= len(ranks), 1.0, np.where(np.isneginf(rank), 0.0, inside))


def read_scores(
    frame: pd.DataFrame, class_name: str | None = None, ranked_by: str = "margin"
) -> Scores:
    """Scores of a run's `images()`; of one class when it is named. Sorts once."""
    score = frame["anomaly_score"].to_numpy(dtype=np.float64, na_value=np.nan)
    margin = frame["anomaly_margin"].to_numpy(dtype=np.float64, na_value=np.nan)
    rank = score if ranked_by == "probability" else np.where(np.isnan(margin), score, margin)
    inside = np.ones(len(frame), dtype=bool)
    if class_name is not None:
        inside = (frame["class_name"] == class_name).to_numpy(dtype=bool)
    failed = has_error(frame) | np.isnan(score)
    anomalous = frame["anomalous"].to_numpy(dtype=np.int64) == 1
    rows = {
        kind: _ascending(np.flatnonzero(inside & ~failed & (anomalous == kind)), score, rank)
        for kind in (False, True)
    }
    return Scores(
        frame=frame,
        class_name=class_name,
        normal=score[rows[False]],
        abnormal=score[rows[True]],
        normal_rank=rank[rows[False]],
        abnormal_rank=rank[rows[True]],
        normal_rows=rows[False],
        abnormal_rows=rows[True],
        failed_rows=np.flatnonzero(inside & failed),
    )


def _ascending(rows: np.ndarray, score: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Rows by score; equal scores, which saturate, by ranking value, then by place."""
    return rows[np.lexsort((rank[rows], score[rows]))]


def has_error(frame: pd.DataFrame) -> np.ndarray:
    """(rows,) bool: the picture of this row could not be judged."""
    if "error" not in frame:
        return np.zeros(len(frame), dtype=bool)
    return (frame["error"].fillna("").astype(str) != "").to_numpy(dtype=bool)


class ScoreBook:
    """Runs' images and sorted scores, kept while they are looked at. Safe across threads."""

    def __init__(self, runs: int = 8, classes: int = 256) -> None:
        self._lock = threading.Lock()
        self._frames: OrderedDict[str, pd.DataFrame] = OrderedDict()
        self._scores: OrderedDict[tuple[str, str | None], Scores] = OrderedDict()
        self._runs, self._classes = runs, classes
        # Run id -> why its images could not be read: they are tried again each time.
        self.unread: dict[str, str] = {}
        # How often something was forgotten: what was being read meanwhile is not kept.
        self._forgotten = 0

    def frame(self, run: RunLike) -> pd.DataFrame:
        """The run's images, read once; none, and the reason in `unread`, when they are damaged."""
        with self._lock:
            known = self._frames.get(run.id)
            if known is not None:
                self._frames.move_to_end(run.id)
                return known
            forgotten = self._forgotten
        try:
            frame = run.images()
        except StoreError as error:
            self.unread[run.id] = str(error)
            return empty_table()
        with self._lock:
            self.unread.pop(run.id, None)
            if forgotten != self._forgotten:
                return frame
            self._frames[run.id] = frame
            while len(self._frames) > self._runs:
                gone, _ = self._frames.popitem(last=False)
                self._drop_scores(gone)
        return frame

    def scores(self, run: RunLike, class_name: str | None = None) -> Scores:
        """The run's scores, of one class when it is named, sorted once."""
        key = (run.id, class_name)
        with self._lock:
            known = self._scores.get(key)
            if known is not None:
                self._scores.move_to_end(key)
                return known
            forgotten = self._forgotten
        ranked_by = run.results.ranked_by
        scores = read_scores(self.frame(run), class_name, ranked_by)
        with self._lock:
            if forgotten != self._forgotten or run.id in self.unread:
                return scores
            self._scores[key] = scores
            while len(self._scores) > self._classes:
                self._scores.popitem(last=False)
        return scores

    def forget(self, run_id: str) -> None:
        """Reads the run afresh next time: it has grown, or is gone."""
        with self._lock:
            self._forgotten += 1
            self._frames.pop(run_id, None)
            self._drop_scores(run_id)

    def _drop_scores(self, run_id: str) -> None:
        for key in [key for key in self._scores if key[0] == run_id]:
            del self._scores[key]
