"""What no model at all achieves: how far a pixel's grey value is from its image's mean.

    python -m benchmarks.trivial_baseline mvtec/ deepcrack/

An accuracy means little unless it beats this. Image / pixel AUROC in % at each image's own size,
the mean over classes; the image score is the mean of the highest hundredth of the map.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

from adaclip.data.images import read_image
from adaclip.data.sample import Sample, read_mask
from adaclip.data.samples import load_samples
from adaclip.metrics.pixels import PixelMetrics
from adaclip.metrics.ranking import ranking

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# The model's smoothing: sigma 4 of 518 pixels.
SIGMA = 4 / 518


def grey_distance(image: np.ndarray) -> np.ndarray:
    """(H, W) float32 map of an (H, W, 3) uint8 image."""
    tone = image.astype(np.float32) @ LUMA
    return ndimage.gaussian_filter(np.abs(tone - tone.mean()), SIGMA * min(tone.shape))


def judge(samples: list[Sample]) -> tuple[float | None, float | None]:
    """Image and pixel AUROC of one class, None where undefined."""
    scores = []
    masked = any(s.mask_path for s in samples)
    with PixelMetrics() as pixels:
        for sample in samples:
            image = read_image(sample.image_path)
            found = grey_distance(image)
            highest = max(1, found.size // 100)
            scores.append(np.partition(found.ravel(), -highest)[-highest:].mean())
            mask = read_mask(sample, found.shape)
            if masked and mask is not None:
                pixels.add(found, mask)
        anomalous = np.array([s.anomalous for s in samples])
        values = np.array(scores)
        return (
            ranking(values[~anomalous], values[anomalous]).auroc,
            pixels.result().ranking.auroc if masked else None,
        )


def shown(values: list[float | None]) -> str:
    """The mean of the defined values, in %."""
    known = [v for v in values if v is not None]
    return f"{100 * np.mean(known):.1f}" if known else "n/a"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("roots", nargs="+", type=Path)
    for root in parser.parse_args().roots:
        samples = load_samples(root)
        names = sorted({s.class_name for s in samples})
        found = [judge([s for s in samples if s.class_name == name]) for name in names]
        images, pixels = zip(*found, strict=True)
        print(f"{root.name} ({len(samples)}): {shown(list(images))} / {shown(list(pixels))}")


if __name__ == "__main__":
    main()
