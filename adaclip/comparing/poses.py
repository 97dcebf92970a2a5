"""Turned copies of good examples, and whether the object's pose varies at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image, ImageEnhance

from adaclip.comparing.calibration import compared
from adaclip.comparing.features import Features, Tokens, views

TURNS = (45, 90, 135, 180, 225, 270, 315)
# Examples that are asked whether a turned copy is nearer, by how much of a log distance.
_ASKED = 3
_NEARER = 0.05


def turned(picture: np.ndarray) -> list[np.ndarray]:
    """Copies turned in steps of 45 degrees, the last of them mirrored; (H, W, 3) uint8 each."""
    image = Image.fromarray(picture)
    ground = _ground(picture)
    copies = [
        image.rotate(
            angle, resample=Image.Resampling.BICUBIC, expand=angle % 90 == 0, fillcolor=ground
        )
        for angle in TURNS
    ]
    copies.append(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    return [np.asarray(copy) for copy in copies]


def pose_varies(
    read: Callable[[Sequence[np.ndarray]], list[Features]],
    pictures: Sequence[np.ndarray],
    examples: Sequence[Tokens],
    device: torch.device,
) -> bool:
    """True when most examples are nearer to a turned copy of the first than to it as it is.

    One example says nothing of it. Where turning moves little, as on a plain surface, copies
    would only cost time.
    """
    if len(examples) < 2:
        return False
    copies = [views(copy, device) for copy in read(turned(pictures[0]))]
    first = views(examples[0], device)
    votes = []
    for other in examples[1 : 1 + _ASKED]:
        own = views(other, device)
        plain = compared(own, [first]).forward
        votes.append(min(compared(own, [copy]).forward for copy in copies) < plain - _NEARER)
    return sum(votes) > len(votes) / 2


def own_views(picture: np.ndarray) -> list[np.ndarray]:
    """The same picture as another photo of it might be: mirrored, brighter, darker, noisier."""
    image = Image.fromarray(picture)
    noise = np.random.default_rng(0).normal(0.0, 6.0, picture.shape)
    ground = _ground(picture)
    views = [
        np.asarray(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        np.asarray(image.rotate(4, resample=Image.Resampling.BICUBIC, fillcolor=ground)),
        np.asarray(ImageEnhance.Brightness(image).enhance(1.12)),
        np.asarray(ImageEnhance.Brightness(image).enhance(0.9)),
        np.clip(picture + noise, 0, 255).astype(np.uint8),
    ]
    return [np.ascontiguousarray(view) for view in views]


def _ground(picture: np.ndarray) -> tuple[int, int, int]:
    """The median colour of the border, which a turned picture's corners get."""
    edges = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    red, green, blue = np.median(np.concatenate(edges), axis=0)
    return int(red), int(green), int(blue)
