"""Checkpoints joined with "+": what is known of the mean of their margins."""

from __future__ import annotations

from collections.abc import Sequence

from adaclip.logits import logit, sigmoid
from adaclip.types import CheckpointInfo, Threshold


def ensemble_of(members: Sequence[CheckpointInfo]) -> CheckpointInfo:
    """The catalogue's entry for the mean of the members' margins; `how_to_get` is left empty.

    Thresholds are averaged in logits as well. `path` is the first member's: an ensemble has no
    file of its own.
    """
    thresholds = list(dict.fromkeys(member.threshold for member in members))
    threshold = thresholds[0]
    if len(thresholds) > 1:
        threshold = Threshold(
            value=_mean_in_logits([member.threshold.value for member in members]),
            source="mean of the members' thresholds, not calibrated for the ensemble",
            review_band=max(member.threshold.review_band for member in members),
        )
    identity = "+".join(member.id for member in members)
    present = all(member.present for member in members)
    sizes = [member.size_bytes for member in members if member.size_bytes is not None]
    details: dict[str, object] = {"file": None, "includes_backbone": False, "backbone_path": None}
    details |= {
        name: " ".join(dict.fromkeys(m.details[name] for m in members if name in m.details))
        for name in ("note", "error")
        if any(name in member.details for member in members)
    }
    return CheckpointInfo(
        id=identity,
        title=_joined_title([member.title for member in members]),
        backbone=" + ".join(dict.fromkeys(member.backbone for member in members)),
        trained_on=tuple(dict.fromkeys(key for m in members for key in m.trained_on)),
        threshold=threshold,
        map_threshold=_mean_in_logits([member.map_threshold for member in members]),
        licence=" + ".join(dict.fromkeys(member.licence for member in members)),
        path=members[0].path if present else None,
        size_bytes=sum(sizes) if len(sizes) == len(members) else None,
        members=tuple(member.id for member in members),
        details=details,
    )


def _joined_title(titles: Sequence[str]) -> str:
    """ "A · x" and "A · y" become "A · mean of x and y"."""
    heads, tails = zip(*(title.rpartition(" · ")[::2] for title in titles), strict=True)
    if heads[0] and len(set(heads)) == 1:
        return f"{heads[0]} · mean of {' and '.join(tails)}"
    return f"Mean of {' and '.join(titles)}"


def _mean_in_logits(values: Sequence[float]) -> float:
    """0-1; the ends, whose logits are infinite, are moved in by a millionth."""
    if len(set(values)) == 1:
        return values[0]
    return sigmoid(sum(logit(value, within=1e-6) for value in values) / len(values))
