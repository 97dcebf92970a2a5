"""How good a model in training is on held-out images, and the thresholds that follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from adaclip.config import TrainMetric
from adaclip.detecting.device import Device
from adaclip.errors import AdaClipError, InputError
from adaclip.logits import sigmoid
from adaclip.metrics.ranking import METRICS, Ranking, ranking
from adaclip.model import scoring
from adaclip.training.data import TrainingImage
from adaclip.training.model import TrainingModel, forward, fp32_blocks
from adaclip.training.step import Batch

# Pixel metrics look at every so many-th pixel both ways: neighbours hardly differ.
PIXEL_STRIDE = 4
# A quantile of fewer normal images would be a guess.
LEAST_NORMALS = 20
_REVIEW_QUANTILE = 0.9
_HIGHEST_BAND = 200.0


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What held-out images gave. Metrics 0-1, named "image_auroc" and so on; undefined ones absent.

    `threshold` and `map_threshold` are as a checkpoint's metadata holds them.
    """

    metrics: Mapping[str, float]
    threshold: Mapping[str, Any]
    map_threshold: float


NO_VALIDATION = Validation(
    metrics={},
    threshold={
        "value": 0.5,
        "source": "default 0.5: the softmax's break-even; no images were held out to calibrate it",
        "review_band": 0.0,
    },
    map_threshold=0.5,
)


@dataclass(frozen=True, kw_only=True)
class Readings:
    """A model's outputs for held-out images, maps thinned out by PIXEL_STRIDE.

    A mask says of each pixel that is left whether there is a defect in the square it stands for.
    """

    groups: Sequence[tuple[str, str]]  # (dataset, class) of each
    anomalous: np.ndarray  # (N,) bool
    margins: np.ndarray  # (N,) logits
    masks: Sequence[np.ndarray | None]  # (P,) bool each
    pixel_margins: Sequence[np.ndarray]  # (P,) float32, finished maps of margins
    pixel_scores: Sequence[np.ndarray]  # (P,) float32, the same of probabilities


def choose_metric(metric: TrainMetric, images: Sequence[TrainingImage]) -> str | None:
    """The metric that decides which epoch is best; None without held-out images.

    "auto" is the image AUROC, or the pixel AUROC where held-out images are all of one kind.

    Raises:
        InputError: the metric asked for is undefined on these images.
    """
    if not images:
        if metric != "auto":
            raise InputError(
                f"the metric {metric} needs held-out images; hold out a share of the images, or "
                "name a folder to validate on"
            )
        return None
    both_kinds = len({image.anomalous for image in images}) == 2
    has_masks = any(image.anomalous and image.masked for image in images)
    if metric == "auto":
        return "image_auroc" if both_kinds else "pixel_auroc" if has_masks else None
    if metric.startswith("image") and not both_kinds:
        raise InputError(f"{metric} is undefined: the held-out images are all of one kind")
    if metric.startswith("pixel") and not has_masks:
        raise InputError(f"{metric} is undefined: no held-out anomalous image has a mask")
    return metric


def readings(
    trained: TrainingModel,
    device: Device,
    precision: str,
    images: Sequence[TrainingImage],
    batches: Iterable[Batch],
) -> Readings:
    """Run the model over held-out images; `batches` hold them in their order.

    Raises:
        AdaClipError: an output is not finite in fp32 either.
    """
    margins: list[float] = []
    masks: list[np.ndarray | None] = []
    pixel_margins: list[np.ndarray] = []
    pixel_scores: list[np.ndarray] = []
    for batch in batches:
        outputs = device.run(_outputs, trained, device, precision, batch)
        margins += outputs[0].tolist()
        pixel_margins += [values.numpy().ravel() for values in outputs[1]]
        pixel_scores += [values.numpy().ravel() for values in outputs[2]]
        thin = _thinned_masks(batch.masks)
        known = batch.has_mask.tolist()
        masks += [thin[row].ravel() if known[row] else None for row in range(len(known))]
    return Readings(
        groups=[(image.dataset, image.group) for image in images],
        anomalous=np.array([image.anomalous for image in images]),
        margins=np.array(margins, np.float32),
        masks=masks,
        pixel_margins=pixel_margins,
        pixel_scores=pixel_scores,
    )


@torch.no_grad()
def _outputs(
    trained: TrainingModel, device: Device, precision: str, batch: Batch
) -> tuple[Tensor, Tensor, Tensor]:
    """Image margins (B,), thinned maps of margins and probabilities (B, P, P), on the CPU."""
    found = _computed(trained, device, batch)
    if not all(bool(values.isfinite().all()) for values in found):
        with fp32_blocks(trained.model, precision):
            found = _computed(trained, device, batch)
    if not all(bool(values.isfinite().all()) for values in found):
        raise AdaClipError(
            f"the model gives values that are not finite for {', '.join(batch.names[:4])}, in "
            "fp32 too; train with a lower learning rate"
        )
    return found


def _computed(
    trained: TrainingModel, device: Device, batch: Batch
) -> tuple[Tensor, Tensor, Tensor]:
    config = trained.model.config
    images = batch.images.to(device.torch_device)
    output = forward(trained.model, images, batch.class_names)
    size = images.shape[-1]
    maps = scoring.margin_map(
        output.patch_margins, images, size, refinement_radius=config.refinement_radius
    )
    # In pixels of a map of the full size, as the detector smooths it.
    sigma = config.smoothing_sigma * size / config.image_size
    margins = _thinned(scoring.smooth(maps, sigma))
    scores = _thinned(scoring.smooth(maps.sigmoid(), sigma))
    return output.image_margin.float().cpu(), margins.cpu(), scores.cpu()


def _thinned(maps: Tensor) -> Tensor:
    first = PIXEL_STRIDE // 2
    return maps[:, first::PIXEL_STRIDE, first::PIXEL_STRIDE]


def _thinned_masks(masks: Tensor) -> np.ndarray:
    """(B, S, S) to (B, P, P) bool: no defect is lost between the pixels that are left."""
    side = _thinned(masks).shape[-1]
    return adaptive_max_pool2d(masks[:, None], side)[:, 0].numpy() > 0.5


def judge(found: Readings, quantile: float) -> Validation:
    """Metrics of the readings, and thresholds calibrated on them."""
    metrics = {}
    for level, of_rows in (("image", _image_ranking), ("pixel", _pixel_ranking)):
        for name, value in _mean_over_groups(found, of_rows).items():
            metrics[f"{level}_{name}"] = value
    best = _pixel_ranking(found, np.arange(len(found.margins)), scores=True).max_f1_threshold
    return Validation(
        metrics={name: metrics[name] for name in get_args(TrainMetric) if name in metrics},
        threshold=_threshold(found.margins[~found.anomalous], quantile),
        map_threshold=0.5 if best is None else float(np.clip(best, 0.0, 1.0)),
    )


def _mean_over_groups(found: Readings, of_rows: Any) -> dict[str, float]:
    """The mean over classes; where none has both kinds, that of all images together."""
    groups: dict[tuple[str, str], list[int]] = {}
    for row, group in enumerate(found.groups):
        groups.setdefault(group, []).append(row)
    everything = np.arange(len(found.margins))
    results = [of_rows(found, np.array(rows)) for rows in groups.values()]
    values = {}
    for name in METRICS:
        defined = [v for r in results if (v := getattr(r, name)) is not None]
        defined = defined or [
            v for v in [getattr(of_rows(found, everything), name)] if v is not None
        ]
        if defined:
            values[name] = float(np.mean(defined))
    return values


def _image_ranking(found: Readings, rows: np.ndarray) -> Ranking:
    margins, anomalous = found.margins[rows], found.anomalous[rows]
    return ranking(margins[~anomalous], margins[anomalous])


def _pixel_ranking(found: Readings, rows: np.ndarray, *, scores: bool = False) -> Ranking:
    """Of the images whose masks are known."""
    maps = found.pixel_scores if scores else found.pixel_margins
    pairs = [(maps[row], mask) for row in rows if (mask := found.masks[row]) is not None]
    values = np.concatenate([v for v, _ in pairs]) if pairs else np.empty(0, np.float32)
    mask = np.concatenate([m for _, m in pairs]) if pairs else np.empty(0, bool)
    return ranking(values[~mask], values[mask], of="pixels")


def _threshold(normals: np.ndarray, quantile: float) -> dict[str, Any]:
    """The stated quantile of held-out normals' margins, review from their 90th percentile on."""
    if len(normals) < LEAST_NORMALS:
        source = (
            "default 0.5: the softmax's break-even; "
            f"{len(normals)} held-out normal images are too few to calibrate it"
        )
        return {"value": 0.5, "source": source, "review_band": 0.0}
    cut, review = np.quantile(normals.astype(np.float64), [quantile, _REVIEW_QUANTILE])
    return {
        "value": sigmoid(float(cut)),
        "source": f"{_ordinal(quantile)} percentile of {len(normals)} held-out normal images",
        "review_band": float(np.clip(cut - review, 0.0, _HIGHEST_BAND)),
    }


def _ordinal(quantile: float) -> str:
    percent = f"{100 * quantile:g}"
    if percent.endswith(("11", "12", "13")):
        return f"{percent}th"
    return percent + {"1": "st", "2": "nd", "3": "rd"}.get(percent[-1], "th")
