"""How good a trained `lite` is on kinds it has not seen, and the thresholds that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from adaclip.engine.lite_model import run
from adaclip.engine.lite_pictures import PicturePairs
from adaclip.metrics.ranking import ranking
from adaclip.model import text_prompts
from adaclip.model.adaclip import AdaCLIP

# Of the normal pictures of the worst unseen kind this share is called anomalous: what is new to
# the model may be as odd to it as that one. Of those of all unseen kinds this share is reviewed.
ALARMS, REVIEWS = 0.05, 0.10


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Margins of validation pictures and of their patches."""

    margins: np.ndarray  # (N,)
    anomalous: np.ndarray  # (N,) bool
    kinds: np.ndarray  # (N,) str
    patch_margins: np.ndarray  # (N * L,)
    patch_masks: np.ndarray  # (N * L,) bool: a fifth of the patch or more is defective

    def summary(self) -> str:
        """Image and patch AUROC, as a line to print."""
        image = ranking(self.margins[~self.anomalous], self.margins[self.anomalous]).auroc
        patches = ranking(
            self.patch_margins[~self.patch_masks], self.patch_margins[self.patch_masks]
        ).auroc
        return f"image AUROC {image:.4f} patch AUROC {patches:.4f}"

    def threshold(self) -> dict[str, Any]:
        """The recommended threshold as it stands in a checkpoint's metadata."""
        normal, kinds = self.margins[~self.anomalous], self.kinds[~self.anomalous]
        known = np.unique(kinds)
        cut = max(float(np.quantile(normal[kinds == kind], 1 - ALARMS)) for kind in known)
        review = min(cut, float(np.quantile(normal, 1 - REVIEWS)))
        return {
            "value": round(_sigmoid(cut), 3),
            "source": f"at most {ALARMS:.0%} of the normals of each of {len(known)} synthetic "
            f"kinds never trained on, {len(normal)} pictures",
            "review_band": cut - review,
        }

    def map_threshold(self) -> float:
        """The anomaly-map cut at which abnormal patches overlap the masks best (max-F1)."""
        found = ranking(self.patch_margins[~self.patch_masks], self.patch_margins[self.patch_masks])
        assert found.max_f1_threshold is not None  # there are defects among the pictures
        return round(_sigmoid(found.max_f1_threshold), 3)


@torch.inference_mode()
def judge(model: AdaCLIP, pictures: PicturePairs, class_name: str = "object") -> Judged:
    """Run the model over a series, at the sizes of its pictures."""
    ids = text_prompts.tokenize(class_name)
    margins, anomalous, patch_margins, patch_masks = [], [], [], []
    kinds: list[str] = []
    for index in tqdm(range(len(pictures)), desc="validation"):
        batch = pictures[index]
        output = run(model, batch.images, ids)
        side = round(output.patch_margins.shape[1] ** 0.5)
        margins.append(output.image_margin)
        anomalous.append(batch.masks.flatten(1).amax(1) > 0)
        kinds += [kind for kind in batch.kinds for _ in range(2)]
        patch_margins.append(output.patch_margins.flatten())
        patch_masks.append(F.adaptive_avg_pool2d(batch.masks[:, None], side).flatten() > 0.2)
    return Judged(
        margins=torch.cat(margins).numpy(),
        anomalous=torch.cat(anomalous).numpy(),
        kinds=np.array(kinds),
        patch_margins=torch.cat(patch_margins).numpy(),
        patch_masks=torch.cat(patch_masks).numpy(),
    )


def _sigmoid(margin: float) -> float:
    return float(1 / (1 + np.exp(-margin)))
