"""What `lite` is trained and validated on: synthetic pictures, in pairs, and the names they go by.

Pictures are drawn as they are needed. A pair is one scene with a defect and without: whatever else
is in the picture, contours, gloss and print among it, cannot be what makes it anomalous.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from adaclip.data.preprocessing import preprocess
from adaclip.lite.model import LITE_PREPROCESSING
from adaclip.synthetic import generate
from adaclip.synthetic.catalogue import Entry

PATCH = 14
# Losses are taken at this many points per patch and axis: enough to say where a thin defect runs.
POINTS_PER_PATCH = 4
GENERIC_NAMES = ("object", "surface", "texture", "part", "product", "material", "image", "")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures of one size, drawn from one stretch of the series."""

    size: int
    images: Tensor  # (B, 3, size, size), pre-processed
    masks: Tensor  # (B, G, G) 0-1, G = size / PATCH * POINTS_PER_PATCH
    class_names: tuple[str, ...]  # one per pair
    kinds: tuple[str, ...]  # the synthesiser's word for what it drew, one per pair

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return replace(self, images=self.images.to(device), masks=self.masks.to(device))


class PicturePairs(Dataset[Batch]):
    """Batch `index` of an endless series; the same for the same arguments, whoever draws it."""

    def __init__(
        self,
        *,
        seed: int,
        pairs: int,
        sizes: tuple[int, ...],
        kinds: tuple[str, ...],
        count: int,
        more_kinds: Mapping[str, Entry] | None = None,
    ) -> None:
        """`pairs` are those of a batch of the smallest size; of larger pictures it holds fewer."""
        self.seed, self.pairs, self.sizes = seed, pairs, sizes
        self.kinds, self.count, self.more_kinds = kinds, count, more_kinds

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Batch:
        size = int(np.random.default_rng((self.seed, index)).choice(self.sizes))
        images, masks, names, kinds = [], [], [], []
        # As many patches in every batch, so that every step takes the same time.
        pairs = max(1, round(self.pairs * (min(self.sizes) / size) ** 2))
        for number in range(index * self.pairs, index * self.pairs + pairs):
            for defective in (True, False):
                sample = generate(
                    self.seed,
                    number,
                    size=size,
                    defective=defective,
                    kinds=self.kinds,
                    framed=True,
                    more_kinds=self.more_kinds,
                )
                pixels = preprocess(sample.image, size, LITE_PREPROCESSING)
                images.append(torch.from_numpy(pixels))
                masks.append(_coarse(sample.mask))
            names.append(sample.class_name)
            kinds.append(sample.kind)
        return Batch(
            size=size,
            images=torch.stack(images),
            masks=torch.stack(masks),
            class_names=tuple(names),
            kinds=tuple(kinds),
        )


def name_for(batch: Batch, rng: np.random.Generator) -> str:
    """Any name must serve: the name of one of the pictures, a generic one, or random letters."""
    names = (
        str(rng.choice(batch.class_names)),
        str(rng.choice(GENERIC_NAMES)),
        _random_words(rng),
    )
    return names[rng.integers(3)]


def _random_words(rng: np.random.Generator) -> str:
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = rng.integers(1, 3)
    return " ".join("".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(words))


def _coarse(mask: np.ndarray) -> Tensor:
    """The share of each point's square that is defective; 40 % and more count as all of it."""
    side = mask.shape[0] // PATCH * POINTS_PER_PATCH
    share = F.adaptive_avg_pool2d(torch.from_numpy(mask.astype(np.float32))[None, None], side)
    return (share[0, 0] * 2.5).clamp(max=1)
