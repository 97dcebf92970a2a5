"""Outside oracles: scikit-learn, and a slow AUPRO that walks every threshold and region."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score


def by_scikit_learn(normal: np.ndarray, abnormal: np.ndarray) -> tuple[float, float, float]:
    """AUROC, average precision and max-F1."""
    labels = np.r_[np.zeros(len(normal), int), np.ones(len(abnormal), int)]
    values = np.r_[normal, abnormal]
    precision, recall, _ = precision_recall_curve(labels, values)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    return (
        float(roc_auc_score(labels, values)),
        float(average_precision_score(labels, values)),
        float(f1.max()),
    )


def flood_fill(mask: np.ndarray) -> list[list[tuple[int, int]]]:
    """The pixels of each region, 8 neighbours, by hand."""
    left = set(zip(*np.nonzero(mask), strict=True))
    regions = []
    while left:
        stack, region = [left.pop()], []
        while stack:
            y, x = stack.pop()
            region.append((y, x))
            for near in [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    stack.append(near)
        regions.append(region)
    return regions


def slow_aupro(maps: list[np.ndarray], masks: list[np.ndarray], limit: float = 0.3) -> float:
    """Region by region and threshold by threshold, then numpy's trapezoids."""
    regions = [(m, flood_fill(mask)) for m, mask in zip(maps, masks, strict=True)]
    normal = np.concatenate([m[~mask] for m, mask in zip(maps, masks, strict=True)])
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]:
        rates.append(float(np.mean(normal >= threshold)))
        overlaps.append(
            float(
                np.mean(
                    [
                        np.mean([anomaly_map[pixel] >= threshold for pixel in region])
                        for anomaly_map, found in regions
                        for region in found
                    ]
                )
            )
        )
    inside = [i for i, rate in enumerate(rates) if rate <= limit]
    x, y = [rates[i] for i in inside], [overlaps[i] for i in inside]
    if x[-1] < limit:
        after = len(inside)
        slope = (overlaps[after] - y[-1]) / (rates[after] - x[-1])
        y.append(y[-1] + slope * (limit - x[-1]))
        x.append(limit)
    return float(np.trapezoid(y, x) / limit)


def random_case(
    rng: np.random.Generator, levels: int, images: int = 3, side: int = 14
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """float32 maps with at most `levels` distinct values each, and blobs for masks."""
    masks = [
        ndimage.gaussian_filter(rng.normal(size=(side, side)), 1) > 0.35 for _ in range(images)
    ]
    masks[0][0, 0], masks[0][-1, -1] = True, False
    maps = [
        (rng.integers(0, levels, (side, side)) / levels + 0.4 * mask).astype(np.float32)
        for mask in masks
    ]
    return maps, masks
