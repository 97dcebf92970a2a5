"""Every word of the benchmark page that the logic, the tables and the charts say."""

from __future__ import annotations

from adaclip.runs.wording import NA
from adaclip.text import printable

METRICS = {
    "auroc": "AUROC",
    "max_f1": "max-F1",
    "average_precision": "AP",
    "aupro": "AUPRO",
}
METRIC_HELP = {
    "auroc": "Area under the ROC curve: how often an anomalous one outranks a normal one.",
    "max_f1": "The best F1 over all thresholds. Calling everything anomalous reaches the floor.",
    "average_precision": "Average precision: the area under the precision-recall curve.",
    "aupro": "Per-region overlap, up to a false-positive rate of 0.3.",
}
LEVELS = {"image": "Image", "pixel": "Pixel"}
DOMAINS = {
    "all": "All domains",
    "industrial": "Industrial",
    "medical": "Medical",
    "synthetic": "Synthetic",
}
OUTCOMES = {
    "fp": "false alarms",
    "fn": "missed anomalies",
    "tp": "detected anomalies",
    "tn": "correct passes",
    "wrong": "wrong verdicts",
    "normal": "normal images",
    "anomalous": "anomalous images",
    "failed": "unreadable images",
}
ONE_OUTCOME = {
    "fp": "false alarm",
    "fn": "missed anomaly",
    "tp": "detected anomaly",
    "tn": "correct pass",
    "wrong": "wrong verdict",
    "normal": "normal image",
    "anomalous": "anomalous image",
    "failed": "unreadable image",
}

SCALES = {"score": "Score", "margin": "Margin"}
SCALE_HELP = (
    "Margin spreads out the scores near 0 and 1: it is their log-odds, 0 at a score of 0.5."
)
CUTS = {"own": "Each run's own threshold", "equal": "Equal false alarms"}
ALARMS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)

TIMES_100 = "\u00d7 100"
NO_MASKS = "the dataset has no masks"
NOT_PUBLISHED = "not published"
NOT_MEASURED = "not measured here yet"
NOT_IN_RUN = "the run has no value for it"
IMAGE_ONLY = "defined on pixels only"
FLOOR = "Floor"
FLOOR_HELP = "max-F1 of calling every image anomalous: no method can be worse at its best threshold"
NO_FLOOR = "needs the counts of normal and anomalous images"
NO_PIXEL_FLOOR = "depends on the share of defective pixels, which the publications do not state"
MEAN = "Mean"
MEASURE = "Measure"
NOTHING_SHARED = (
    "No set has a value in every column, so there are no means: choose methods that share some."
)
INTERVAL_HELP = "from draws of its pictures"

LEGEND = "Bold: the best of a row. Underlined: the second best."
NOT_RANKED = "Columns of different protocols are not ranked against each other."
BELOW_MARK = "\u25be"
BELOW_CHANCE = "\u25be below chance: worse than guessing"
CHANCE = {"auroc": 0.5}
PUBLISHED = "Published"
MEASURED = "Measured here"
RE_EVALUATED = "re-evaluated"
ALL_PROTOCOLS = "All, each in its own columns"
TRAINED_MARK = "†"
TRAINED_ON_IT = (
    "† trained on this dataset or its generator: not zero-shot, left out of means and ranks"
)
PARTIAL_MARK = "◐"
PARTIAL = "◐ measured on a part of the dataset only, left out of means and ranks"
RE_EVALUATED_MARK = "↻"
RE_EVALUATION = "↻ measured by somebody else than the method's authors"


def no_mean(covers: int, shared: int) -> str:
    """Why a column has no mean."""
    if not shared:
        return "no mean: the columns share no set"
    return f"no mean: it has {covers} of the {shared} sets that means are over"


def stated(domain: str, value: str) -> str:
    """A mean that a publication prints."""
    return f"Stated by the source, {domain} mean: {value}"


def share(value: float | None) -> str:
    """A rate with its unit: 0.034 becomes "3.4 %"."""
    return NA if value is None else f"{100 * value:.1f} %"


def threshold(value: float) -> str:
    """A threshold as the page writes it: three digits, more near 0 and 1."""
    if 0.0 < value < 0.001 or 0.999 < value < 1.0:
        return f"{value:.6g}"
    return f"{value:.3f}"


def dropped(parameter: str, value: str, reason: str) -> str:
    """A part of a link that is not followed."""
    shown = printable(value if len(value) <= 60 else value[:59] + "…")
    return f"The link's {parameter} “{shown}” is ignored: {reason}."
