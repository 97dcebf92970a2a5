"""What an object lies on: plain, lit, patterned or cluttered, and shadows that are all normal."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from adaclip.synthetic.canvas.fields import (
    Rng,
    choose,
    colour,
    grey,
    grid,
    log_uniform,
    noise,
    step,
)
from adaclip.synthetic.kinds import patterns
from adaclip.synthetic.kinds.materials import GROUNDS, Shape

_STYLES = ("white", "plain", "dark", "lit", "material", "material", "pattern", "edge")
_PATTERNS = (patterns.stripes, patterns.woven_fabric, patterns.brick_wall, patterns.knit)


def ground(rng: Rng, shape: Shape) -> np.ndarray:
    """The ground an object lies on, (H, W, 3) 0-1."""
    style = choose(rng, _STYLES)
    if style == "material":
        surface = GROUNDS[rng.integers(len(GROUNDS))](rng, shape)
        surface = np.clip(surface * rng.uniform(0.6, 1.1), 0, 1)
    elif style == "pattern":
        surface = np.clip(_PATTERNS[rng.integers(len(_PATTERNS))](rng, shape), 0, 1)
    else:
        surface = _plain(rng, shape, style)
    if style != "white" and rng.random() < 0.3:
        surface = clutter(rng, surface)
    if rng.random() < 0.25:
        surface = surface * cast_shadow(rng, shape)[..., None]
    return np.clip(surface, 0, 1).astype(np.float32, copy=False)


def _plain(rng: Rng, shape: Shape, style: str) -> np.ndarray:
    """One colour, sometimes with a slope of light or the edge of a table."""
    if style == "white":
        base = grey(rng.uniform(0.9, 1.0))
    elif style == "dark":
        base = colour(rng, (0, 0.4), (0.02, 0.2))
    else:
        base = colour(rng, (0, 0.6), (0.2, 0.9))
    flat = np.broadcast_to(base, (*shape, 3)).astype(np.float32)
    if style not in ("lit", "edge"):
        return flat
    rows, columns = grid(shape)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (rows / shape[0] - 0.5) * np.sin(angle) + (columns / shape[1] - 0.5) * np.cos(angle)
    if style == "lit":
        return flat * (1 + rng.uniform(0.1, 0.6) * ramp)[..., None].astype(np.float32)
    side = step(ramp.astype(np.float32), rng.uniform(-0.35, 0.35), log_uniform(rng, 0.004, 0.1))
    return flat + (colour(rng, (0, 0.6), (0.1, 0.95)) - flat) * side[..., None]


def clutter(rng: Rng, surface: np.ndarray) -> np.ndarray:
    """Other things lie about: boxes, discs and rods, mostly out of focus, with shadows."""
    shape = surface.shape[:2]
    side = min(shape)
    layer = Image.new("RGBA", (shape[1], shape[0]), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(2, 9))):
        tint = tuple(int(v * 255) for v in colour(rng, (0, 0.9), (0.05, 0.98)))
        cx, cy = rng.uniform(-0.1, 1.1) * shape[1], rng.uniform(-0.1, 1.1) * shape[0]
        reach = side * log_uniform(rng, 0.03, 0.3)
        form = int(rng.integers(4))
        if form == 0:
            area = (cx - reach, cy - reach * 0.8, cx + reach, cy + reach * 0.8)
            draw.ellipse(area, fill=(*tint, 255), outline=(0, 0, 0, 90), width=2)
        elif form == 1:
            turn = rng.uniform(0, 360)
            draw.regular_polygon((cx, cy, reach), 4, turn, fill=(*tint, 255))
            smaller = tuple(int(v * 0.8) for v in tint)
            draw.regular_polygon((cx, cy, reach * 0.7), 4, turn, fill=(*smaller, 255))
        else:
            turn, long = rng.uniform(0, 2 * np.pi), reach * rng.uniform(1, 4)
            end = (cx + long * np.cos(turn), cy + long * np.sin(turn))
            draw.line((cx, cy, *end), fill=(*tint, 255), width=max(1, int(reach * 0.3)))
    layer = layer.filter(ImageFilter.GaussianBlur(log_uniform(rng, 0.7, 8) * side / 518))
    pixels = np.asarray(layer, dtype=np.float32) / 255
    alpha = pixels[..., 3]
    tones = pixels[..., :3] / np.maximum(alpha, 1 / 255)[..., None]
    moved = np.roll(alpha, tuple(int(v) for v in rng.uniform(-0.02, 0.02, 2) * side), (0, 1))
    shaded = surface * (1 - rng.uniform(0, 0.5) * moved)[..., None]
    return shaded + (np.minimum(tones, 1) - shaded) * alpha[..., None]


def cast_shadow(rng: Rng, shape: Shape, *, outdoors: bool = False) -> np.ndarray:
    """(H, W) gain, 0-1: the shadow of something out of the picture, soft but for `outdoors`."""
    side = min(shape)
    rows, columns = grid(shape)
    angle = rng.uniform(0, np.pi)
    across = (rows * np.float32(np.sin(angle)) + columns * np.float32(np.cos(angle))) / side
    soft, depth = log_uniform(rng, 0.08, 0.5), rng.uniform(0.08, 0.35)
    style = choose(rng, ("half", "bars", "leaves")) if outdoors else choose(rng, ("half", "bars"))
    if outdoors:
        soft, depth = log_uniform(rng, 0.015, 0.3), rng.uniform(0.12, 0.5)
        across = across + rng.uniform(0, 0.05) * noise(rng, shape, side * rng.uniform(0.15, 0.4))
    if style == "half":
        dark = step(across, rng.uniform(-0.2, 1.2), soft)
    elif style == "bars":
        period = rng.uniform(0.3, 0.9)
        phase = np.abs((across / period + rng.random()) % 1 - 0.5)
        dark = step(-phase, -rng.uniform(0.1, 0.25), soft)
    else:
        # Light through leaves: much of the picture, with wide soft edges.
        field = noise(rng, shape, side * rng.uniform(0.08, 0.25))
        dark = step(field, rng.uniform(-0.5, 0.5), rng.uniform(0.6, 2))
    return (1 - depth * dark).astype(np.float32)
