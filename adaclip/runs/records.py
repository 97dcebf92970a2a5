"""The results of a run as records: what `results.json` holds, checked when it is read.

Written by the evaluator, read by the command line and the page. Metrics are 0-1; None is undefined,
and `undefined` says why. `from_json` and `to_json` keep the file's format to the letter.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.errors import StoreError
from adaclip.metrics.ranking import METRICS, Ranking
from adaclip.types import Threshold

SCHEMA = "adaclip-run/1"
RATES = ("false_alarm_rate", "review_rate", "detection_rate")


@dataclass(frozen=True, kw_only=True)
class LevelResults:
    """Metrics of whole images, or of pixels."""

    auroc: float | None = None
    average_precision: float | None = None
    max_f1: float | None = None
    max_f1_threshold: float | None = None  # of the values that were ranked
    max_f1_score: float | None = None  # the same as a score; image level only
    # Metric -> ends of its 95 % interval; None where no interval is computed (pixels, means).
    intervals: Mapping[str, tuple[float, float] | None] | None = None
    undefined: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, *, mean: bool = False) -> dict[str, Any]:
        """As results.json has it; a mean has metrics alone."""
        found: dict[str, Any] = {name: getattr(self, name) for name in METRICS}
        if mean:
            return found
        found |= {"max_f1_threshold": self.max_f1_threshold, "undefined": dict(self.undefined)}
        if self.intervals is not None:
            for name, ends in self.intervals.items():
                found[f"{name}_interval"] = None if ends is None else list(ends)
            found["max_f1_score"] = self.max_f1_score
        return found


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What ranking by one value gives."""

    image_level: LevelResults = field(default_factory=LevelResults)
    pixel_level: LevelResults = field(default_factory=LevelResults)
    aupro: float | None = None
    ranked_by: str | None = None  # of an alternative: the value that ranked
    counts: Mapping[str, int] = field(default_factory=dict)  # of a mean: classes behind each value

    def value(self, level: str, metric: str) -> float | None:
        """A metric of "image" or "pixel" level; AUPRO is of the pixel level alone."""
        if metric == "aupro":
            return self.aupro if level == "pixel" else None
        found: float | None = getattr(self.level(level), metric)
        return found

    def level(self, level: str) -> LevelResults:
        """Of "image" or "pixel"."""
        return self.image_level if level == "image" else self.pixel_level

    def to_json(self, *, mean: bool = False) -> dict[str, Any]:
        """As results.json has it."""
        return {
            **({} if self.ranked_by is None else {"ranked_by": self.ranked_by}),
            **({"counts": dict(self.counts)} if mean else {}),
            "image_level": self.image_level.to_json(mean=mean),
            "pixel_level": self.pixel_level.to_json(mean=mean),
            "aupro": self.aupro,
        }


@dataclass(frozen=True, kw_only=True)
class Summary(Measures):
    """Measures with the shares of images at or above the checkpoint's thresholds."""

    false_alarm_rate: float | None = None
    review_rate: float | None = None
    detection_rate: float | None = None
    alternative: Measures | None = None  # ranked by the other of margin and probability

    def to_json(self, *, mean: bool = False) -> dict[str, Any]:
        """As results.json has it."""
        found = super().to_json(mean=mean) | {name: getattr(self, name) for name in RATES}
        if self.alternative is not None:
            found["alternative"] = self.alternative.to_json(mean=mean)
        return found


@dataclass(frozen=True, kw_only=True)
class NormalPeak:
    """Where the maps of normal images peak; `near_contours` is what chance would give."""

    images: int = 0
    on_contour: float | None = None
    on_contour_of_false_alarms: float | None = None
    near_contours: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClassResults(Summary):
    """The results of one class of a dataset."""

    class_name: str
    prompt: str = ""
    normal: int = 0
    anomalous: int = 0
    failed: int = 0
    without_mask: int = 0
    normal_peak: NormalPeak = field(default_factory=NormalPeak)

    def to_json(self, *, mean: bool = False) -> dict[str, Any]:
        """As results.json has it."""
        names = ("class_name", "prompt", "normal", "anomalous", "failed", "without_mask")
        peak = {"normal_peak": dataclasses.asdict(self.normal_peak)}
        return {name: getattr(self, name) for name in names} | super().to_json() | peak


@dataclass(frozen=True, kw_only=True)
class MeanResults(Summary):
    """Each metric's mean over the classes in which it is defined, and how many those are."""

    def to_json(self, *, mean: bool = True) -> dict[str, Any]:
        """As results.json has it."""
        return super().to_json(mean=mean)


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """All of `results.json`; `classes` is empty in a run that is not complete."""

    id: str
    title: str
    dataset: str
    checkpoint: str
    resolution: str
    ranked_by: str
    created_utc: str
    complete: bool
    threshold: Threshold
    map_threshold: float
    checkpoint_title: str = ""
    checkpoint_sha256: str | None = None
    leak: str | None = None
    warnings: Sequence[str] = ()
    finished_utc: str | None = None
    data_root: str | None = None
    device: str = ""
    precision: str = ""
    machine: str = ""
    commit: str | None = None
    command: str | None = None
    protocol: str = ""
    size_bytes: float | None = None
    seconds_per_image: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    classes: Sequence[ClassResults] = ()
    mean: MeanResults = field(default_factory=MeanResults)
    # What else the file holds: versions, batch_size, fields of later versions.
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lists become tuples, so that what was written equals what is read."""
        object.__setattr__(self, "warnings", tuple(self.warnings))
        object.__setattr__(self, "classes", tuple(self.classes))

    @property
    def checkpoint_name(self) -> str:
        """The checkpoint's title, or its id where none was recorded."""
        return self.checkpoint_title or self.checkpoint

    @property
    def synthetic(self) -> bool:
        """True when the images are those the project draws itself."""
        return self.data_root == SYNTHETIC_KEY

    @property
    def images(self) -> tuple[int, int, int]:
        """(normal, anomalous, failed) images of all classes."""
        normal, anomalous, failed = (
            sum(getattr(one, name) for one in self.classes)
            for name in ("normal", "anomalous", "failed")
        )
        return normal, anomalous, failed

    def to_json(self) -> dict[str, Any]:
        """As results.json has it."""
        own = [item.name for item in dataclasses.fields(self) if item.name != "extra"]
        found = {"schema": SCHEMA} | {name: getattr(self, name) for name in own} | dict(self.extra)
        return found | {
            "warnings": list(self.warnings),
            "threshold": dataclasses.asdict(self.threshold),
            "classes": [one.to_json() for one in self.classes],
            "mean": self.mean.to_json() if self.classes else {},
        }

    @classmethod
    def from_json(cls, data: Any, name: str | Path = "results.json") -> RunResults:
        """The results in parsed JSON. Raises StoreError, naming the file and the field."""
        return _Reader(name).run(data)


def level_of(result: Ranking) -> LevelResults:
    """Rank metrics as a level's results, without intervals."""
    values = {name: getattr(result, name) for name in (*METRICS, "max_f1_threshold")}
    return LevelResults(**values, undefined=dict(result.undefined))


def mean_of(classes: Sequence[ClassResults]) -> MeanResults:
    """Each metric's mean over the classes in which it is defined, and how many those are."""
    counts: dict[str, int] = {}
    others = [one.alternative for one in classes if one.alternative is not None]
    rates: dict[str, Any] = {}
    own = _mean_measures(classes, counts)
    other_counts: dict[str, int] = {}
    for name in RATES:
        rates[name], counts[name] = defined_mean(getattr(one, name) for one in classes)
    alternative = None
    if others and len(others) == len(classes):
        alternative = Measures(
            **_mean_measures(others, other_counts),
            ranked_by=others[0].ranked_by,
            counts=other_counts,
        )
    return MeanResults(**own, **rates, alternative=alternative, counts=counts)


def defined_mean(values: Iterable[float | None]) -> tuple[float | None, int]:
    """The mean of the values that are not None, None without any, and how many they are."""
    defined = [value for value in values if value is not None]
    return (math.fsum(defined) / len(defined) if defined else None), len(defined)


def _mean_measures(entries: Sequence[Measures], counts: dict[str, int]) -> dict[str, Any]:
    means: dict[str, Any] = {}
    for level in ("image", "pixel"):
        values: dict[str, Any] = {}
        for name in METRICS:
            found = defined_mean(entry.value(level, name) for entry in entries)
            values[name], counts[f"{level}_level.{name}"] = found
        means[f"{level}_level"] = LevelResults(**values)
    means["aupro"], counts["aupro"] = defined_mean(entry.aupro for entry in entries)
    return means


@dataclass(frozen=True)
class _Reader:
    """Turns parsed JSON into records; says which field of which file is not what it must be."""

    name: str | Path

    def run(self, data: Any) -> RunResults:
        if not isinstance(data, dict):
            raise StoreError(f"{self.name}: is no run: a JSON object is expected")
        if data.get("schema") != SCHEMA:
            raise StoreError(
                f"{self.name}: has the schema {data.get('schema')!r}, this version reads {SCHEMA!r}"
            )
        own = {item.name for item in dataclasses.fields(RunResults)}
        given: dict[str, Any] = {key: value for key, value in data.items() if key in own}
        given["extra"] = {k: v for k, v in data.items() if k not in own and k != "schema"}
        for key in ("id", "title", "dataset", "checkpoint", "resolution", "ranked_by"):
            self._expect(isinstance(data.get(key), str), key)
        self._expect(isinstance(data.get("created_utc"), str), "created_utc")
        for key in ("checkpoint_title", "device", "precision", "machine", "protocol"):
            self._expect(isinstance(data.get(key, ""), str | None), key)
            given[key] = data.get(key) or ""
        for key in ("leak", "data_root", "finished_utc", "checkpoint_sha256", "commit", "command"):
            self._expect(isinstance(data.get(key), str | None), key)
        for key in ("leak", "data_root", "finished_utc", "checkpoint_sha256"):
            self._expect(key in data, key)
        self._expect(isinstance(data.get("complete"), bool), "complete")
        warnings = data.get("warnings", [])
        texts = isinstance(warnings, list) and all(isinstance(one, str) for one in warnings)
        self._expect(texts, "warnings")
        given["settings"] = self._object(data.get("settings") or {}, "settings")
        given["threshold"] = self._threshold(data.get("threshold"))
        given["map_threshold"] = self._share(data, "map_threshold", "", required=True)
        for key in ("seconds_per_image", "size_bytes"):
            value = data.get(key)
            self._expect(value is None or (_is_number(value) and value >= 0), key)
        self._expect(isinstance(data.get("classes"), list), "classes")
        given["classes"] = tuple(
            self._class(one, f"classes[{index}]") for index, one in enumerate(data["classes"])
        )
        names = {one.class_name for one in given["classes"]}
        self._expect(len(names) == len(data["classes"]), "classes")
        mean = self._object(data.get("mean"), "mean")
        given["mean"] = self._mean(mean) if data["classes"] else MeanResults()
        return RunResults(**given)

    def _threshold(self, given: Any) -> Threshold:
        found = self._object(given, "threshold")
        self._expect(set(found) == {"value", "source", "review_band"}, "threshold")
        self._share(found, "value", "threshold.", required=True)
        self._expect(isinstance(found["source"], str), "threshold.source")
        self._expect(_is_number(found["review_band"]), "threshold.review_band")
        return Threshold(**found)

    def _class(self, given: Any, where: str) -> ClassResults:
        found = self._object(given, where)
        self._expect(isinstance(found.get("class_name"), str), f"{where}.class_name")
        counts: dict[str, Any] = {}
        for key in ("normal", "anomalous", "failed", "without_mask"):
            value = found.get(key, 0 if key == "without_mask" else None)
            is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            self._expect(is_count, f"{where}.{key}")
            counts[key] = value
        peak = self._object(found.get("normal_peak") or {}, f"{where}.normal_peak")
        known = {item.name for item in dataclasses.fields(NormalPeak)}
        return ClassResults(
            class_name=found["class_name"],
            prompt=str(found.get("prompt") or ""),
            normal_peak=NormalPeak(**{k: v for k, v in peak.items() if k in known}),
            **counts,
            **self._summary(found, where),
        )

    def _mean(self, found: Mapping[str, Any]) -> MeanResults:
        return MeanResults(**self._summary(found, "mean"))

    def _summary(self, found: Mapping[str, Any], where: str) -> dict[str, Any]:
        given = self._measures(found, where)
        for key in RATES:
            given[key] = self._share(found, key, f"{where}.")
        other = found.get("alternative")
        if other is not None:
            place = f"{where}.alternative"
            ranked_by = self._object(other, place).get("ranked_by")
            given["alternative"] = Measures(**self._measures(other, place), ranked_by=ranked_by)
        return given

    def _measures(self, found: Mapping[str, Any], where: str) -> dict[str, Any]:
        self._expect("aupro" in found, f"{where}.aupro")
        given: dict[str, Any] = {"aupro": self._share(found, "aupro", f"{where}.")}
        counts = self._object(found.get("counts") or {}, f"{where}.counts")
        given["counts"] = {key: value for key, value in counts.items() if isinstance(value, int)}
        for level in ("image_level", "pixel_level"):
            given[level] = self._level(found.get(level), f"{where}.{level}")
        return given

    def _level(self, given: Any, where: str) -> LevelResults:
        found = self._object(given, where)
        values: dict[str, Any] = {}
        for metric in METRICS:
            self._expect(metric in found, f"{where}.{metric}")
            values[metric] = self._share(found, metric, f"{where}.")
        for key in ("max_f1_threshold", "max_f1_score"):
            self._expect(found.get(key) is None or _is_number(found[key]), f"{where}.{key}")
            values[key] = found.get(key)
        if any(f"{metric}_interval" in found for metric in METRICS):
            values["intervals"] = {
                metric: self._interval(found.get(f"{metric}_interval"), f"{where}.{metric}")
                for metric in METRICS
            }
        reasons = self._object(found.get("undefined") or {}, f"{where}.undefined")
        values["undefined"] = {str(key): str(value) for key, value in reasons.items()}
        return LevelResults(**values)

    def _interval(self, ends: Any, where: str) -> tuple[float, float] | None:
        if ends is None:
            return None
        self._expect(isinstance(ends, list) and len(ends) == 2, f"{where}_interval")
        both = {"low": ends[0], "high": ends[1]}
        for end in both:
            self._share(both, end, f"{where}_interval.", required=True)
        return ends[0], ends[1]

    def _share(self, found: Any, key: str, where: str, *, required: bool = False) -> Any:
        value = found.get(key)
        fits = _is_number(value) and 0 <= value <= 1
        self._expect(fits or (value is None and not required), f"{where}{key}")
        return value

    def _object(self, given: Any, where: str) -> dict[str, Any]:
        self._expect(isinstance(given, dict), where)
        found: dict[str, Any] = given
        return found

    def _expect(self, condition: bool, where: str) -> None:
        if not condition:
            raise StoreError(
                f"{self.name}: {where} is missing or not what a run holds there; "
                "restore the file, or make the run again"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
