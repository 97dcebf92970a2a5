"""How good a trained `lite` is on kinds it has not seen, and the thresholds that follow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from adaclip.lite.model import run
from adaclip.lite.pictures import PicturePairs
from adaclip.logits import logit, sigmoid
from adaclip.metrics.alarms import just_above
from adaclip.metrics.ranking import Ranking, ranking
from adaclip.model import scoring, text_prompts
from adaclip.model.adaclip import AdaCLIP

# Of the normal pictures of the worst unseen kind this share is called anomalous: what is new to
# the model may be as odd to it as that one. Of those of all unseen kinds this share is reviewed.
ALARMS, REVIEWS = 0.05, 0.10


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Margins of validation pictures and of their pixels."""

    margins: np.ndarray  # (N,)
    anomalous: np.ndarray  # (N,) bool
    kinds: np.ndarray  # (N,) str
    pixel_margins: np.ndarray  # (P,) of their maps, at the masks' size
    pixel_masks: np.ndarray  # (P,) bool

    def summary(self) -> str:
        """Image and pixel AUROC, as a line to print."""
        image = ranking(self.margins[~self.anomalous], self.margins[self.anomalous]).auroc
        return f"image AUROC {image:.4f} pixel AUROC {self._pixel_ranking().auroc:.4f}"

    def threshold(self) -> dict[str, Any]:
        """The recommended threshold as it stands in a checkpoint's metadata."""
        normal = sigmoid(self.margins[~self.anomalous].astype(np.float64))
        kinds = self.kinds[~self.anomalous]
        known = np.unique(kinds)
        cuts = [just_above(np.sort(normal[kinds == kind]), 1 - ALARMS) for kind in known]
        value = _rounded_up(max(cuts))
        review = min(value, just_above(np.sort(normal), 1 - REVIEWS))
        return {
            "value": value,
            "source": f"at most {ALARMS:.0%} of the normals of each of {len(known)} synthetic "
            f"kinds never trained on, {len(normal)} pictures",
            "review_band": logit(value) - logit(review),
        }

    def map_threshold(self) -> float:
        """The anomaly-map cut at which marked pixels overlap the masks best (max-F1)."""
        found = self._pixel_ranking()
        assert found.max_f1_threshold is not None  # there are defects among the pictures
        return round(sigmoid(found.max_f1_threshold), 3)

    def _pixel_ranking(self) -> Ranking:
        return ranking(self.pixel_margins[~self.pixel_masks], self.pixel_margins[self.pixel_masks])


@torch.inference_mode()
def judge(model: AdaCLIP, pictures: PicturePairs, class_name: str = "object") -> Judged:
    """Run the model over a series, at the sizes of its pictures."""
    ids = text_prompts.tokenize(class_name)
    margins, anomalous, pixel_margins, pixel_masks = [], [], [], []
    kinds: list[str] = []
    for index in tqdm(range(len(pictures)), desc="validation"):
        batch = pictures[index]
        output = run(model, batch.images, ids)
        maps = scoring.margin_map(
            output.patch_margins,
            batch.images,
            batch.size,
            refinement_radius=model.config.refinement_radius,
        )
        margins.append(output.image_margin)
        anomalous.append(batch.masks.flatten(1).amax(1) > 0)
        kinds += [kind for kind in batch.kinds for _ in range(2)]
        # As coarse as the masks are kept.
        pixel_margins.append(F.adaptive_avg_pool2d(maps, batch.masks.shape[-1]).flatten())
        pixel_masks.append(batch.masks.flatten() > 0.5)
    return Judged(
        margins=torch.cat(margins).numpy(),
        anomalous=torch.cat(anomalous).numpy(),
        kinds=np.array(kinds),
        pixel_margins=torch.cat(pixel_margins).numpy(),
        pixel_masks=torch.cat(pixel_masks).numpy(),
    )


def _rounded_up(score: float) -> float:
    """To three digits, or to six near 1, where a thousandth is much.

    Rounded down, more pictures than stated could reach it.
    """
    steps = 1000 if score < 0.99 else 1_000_000
    value = math.ceil(score * steps) / steps
    assert value < 1  # or nothing could be called anomalous
    return value
