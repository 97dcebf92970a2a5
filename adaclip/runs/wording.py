"""How figures of a run are put into words, on the page and on the command line."""

from __future__ import annotations

from adaclip.runs.records import RunResults

NA = "n/a"


NO_IMAGES = "there are no images with a score"


NO_NORMALS = "there are no normal images"


NO_ANOMALOUS = "there are no anomalous images"


def percent(value: float | None) -> str:
    """A metric as tables write it: 0.9024 becomes "90.2"."""
    return NA if value is None else f"{100 * value:.1f}"


def images(count: int) -> str:
    """A counted noun."""
    return "1 image" if count == 1 else f"{count:,} images"


ZERO_SHOT = "zero-shot"


def comparison(results: RunResults) -> str:
    """How a run's images were judged: "zero-shot", "4 references" or "batch".

    Values of different ones never stand in one column.
    """
    return str(results.extra.get("comparison") or ZERO_SHOT)
