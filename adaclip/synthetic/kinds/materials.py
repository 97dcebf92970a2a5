"""Surfaces that fill the picture: metals, minerals, organic and smooth sheets.

Every function takes (rng, shape) and gives a normal surface, (H, W, 3) float32, about 0-1.
"""

from __future__ import annotations

import numpy as np

from adaclip.synthetic.canvas.fields import (
    Rng,
    blur,
    cells,
    colour,
    fractal,
    grid,
    log_uniform,
    mix,
    noise,
    relief,
    step,
)

Shape = tuple[int, int]


def _unit(shape: Shape) -> float:
    """Pixels per pixel of a 518 px picture."""
    return min(shape) / 518


def _tinted(rng: Rng, tone: np.ndarray, strength: float = 0.12) -> np.ndarray:
    """Grey `tone` (H, W) with a faint tint of one hue."""
    tint = colour(rng, (0, strength), (1, 1))
    return tone[..., None] * tint


def brushed_metal(rng: Rng, shape: Shape) -> np.ndarray:
    """Long parallel brush marks, sometimes round a centre."""
    u = _unit(shape)
    long = log_uniform(rng, 60, 500) * u
    fine = noise(rng, shape, (1.0, long)) + 0.6 * noise(rng, shape, (2.5 * u, long * 2))
    if rng.random() < 0.5:
        fine = np.ascontiguousarray(fine[:: rng.choice([-1, 1])])
    tone = rng.uniform(0.35, 0.75) + rng.uniform(0.015, 0.07) * fine
    tone += rng.uniform(0, 0.06) * noise(rng, shape, 200 * u)
    if rng.random() < 0.3:
        return tone[..., None] * colour(rng, (0.15, 0.45), (0.9, 1.1), (0.04, 0.13))
    return _tinted(rng, tone)


def cast_metal(rng: Rng, shape: Shape) -> np.ndarray:
    """Rough pebbled casting under raking light."""
    u = _unit(shape)
    height = fractal(rng, shape, log_uniform(rng, 4, 14) * u, 3, 0.6)
    tone = rng.uniform(0.25, 0.65) + relief(height, rng.uniform(0, 6.3), rng.uniform(0.03, 0.11))
    tone += 0.03 * fractal(rng, shape, 90 * u, 3)
    return _tinted(rng, tone, 0.15)


def steel_strip(rng: Rng, shape: Shape) -> np.ndarray:
    """Hot-rolled strip: soft streaks along the rolling direction and faint scale."""
    u = _unit(shape)
    tone = rng.uniform(0.2, 0.75) + rng.uniform(0.01, 0.04) * noise(rng, shape, (250 * u, 7 * u))
    tone += rng.uniform(0.005, 0.03) * fractal(rng, shape, 14 * u, 3, 0.7)
    tone += rng.uniform(0.0, 0.04) * noise(rng, shape, 160 * u)
    if rng.random() < 0.4:
        tone += rng.uniform(0.01, 0.06) * noise(rng, shape, 1)
    if rng.random() < 0.3:
        tone += rng.uniform(0.02, 0.1) * noise(rng, shape, (900 * u, 60 * u))
    return _tinted(rng, tone, 0.03)


def ground_metal(rng: Rng, shape: Shape) -> np.ndarray:
    """Dark ground face of a magnet: grinding lines, patchy light, bright line-ends."""
    u = _unit(shape)
    lines = noise(rng, shape, (rng.uniform(100, 600) * u, 1.3 * u))
    lines += 0.7 * noise(rng, shape, (rng.uniform(200, 900) * u, 5 * u))
    patchy = 0.6 + 0.5 * step(noise(rng, shape, 170 * u), 0, 2.5)
    base = rng.uniform(0.14, 0.42)
    tone = base * (1 + rng.uniform(0.05, 0.28) * lines * patchy)
    tone *= 1 + rng.uniform(0.05, 0.35) * noise(rng, shape, 230 * u)
    tone += 0.012 * noise(rng, shape, 1)
    if rng.random() < 0.35:
        tone += base * rng.uniform(0.3, 1.2) * step(noise(rng, shape, (700 * u, 8 * u)), 1.6, 0.6)
    if rng.random() < 0.4:
        columns = grid(shape)[1] / shape[1]
        edge = np.minimum(columns, 1 - columns) - rng.uniform(0, 0.05)
        tone = tone * step(edge, 0.0, 0.02 + rng.uniform(0, 0.04))
    return _tinted(rng, tone, 0.05)


def wood(rng: Rng, shape: Shape) -> np.ndarray:
    """Grain lines bent round slow waves, with fine fibres and now and then a plank joint."""
    u = _unit(shape)
    columns = grid(shape)[1] / u
    bend = noise(rng, shape, (260 * u, 90 * u)) * rng.uniform(8, 40)
    bend += noise(rng, shape, (60 * u, 20 * u)) * rng.uniform(0.5, 3)
    period = log_uniform(rng, 14, 60)
    rings = np.sin((columns + bend) * np.float32(2 * np.pi / period))
    fibre = noise(rng, shape, (rng.uniform(25, 90) * u, 1.2 * u))
    share = 0.5 + rng.uniform(0.1, 0.35) * rings + rng.uniform(0.06, 0.2) * fibre
    light = colour(rng, (0.2, 0.5), (0.6, 0.9), (0.05, 0.11))
    wooden = mix(light * rng.uniform(0.45, 0.8), light, share)
    if rng.random() < 0.25:
        width = rng.uniform(120, 260)
        joint = np.abs((columns + rng.uniform(0, width)) % width - width / 2) - rng.uniform(0.8, 2)
        wooden = wooden * (0.3 + 0.7 * step(joint, 0, 1.5))[..., None]
    return wooden


def leather(rng: Rng, shape: Shape) -> np.ndarray:
    """Pebbled leather: irregular cells parted by creases."""
    u = _unit(shape)
    gap, label = cells(rng, shape, log_uniform(rng, 9, 34) * u)
    height = np.sqrt(np.clip(gap * 2.2, 0, 1)) + 0.15 * noise(rng, shape, 3 * u)
    shade = relief(blur(height, 0.8 * u), rng.uniform(0, 6.3), rng.uniform(0.15, 0.5))
    tone = 0.8 + shade + 0.18 * np.clip(gap * 2, 0, 1) + 0.04 * (label - 0.5)
    tone += 0.03 * fractal(rng, shape, 120 * u, 3)
    return tone[..., None] * colour(rng, (0.1, 0.75), (0.15, 0.75), (0.98, 1.15))


def plastic(rng: Rng, shape: Shape) -> np.ndarray:
    """Plain moulded plastic: nearly even, sometimes with a fine orange-peel grain."""
    u = _unit(shape)
    tone = 1 + 0.02 * noise(rng, shape, 220 * u)
    if rng.random() < 0.6:
        peel = noise(rng, shape, rng.uniform(2, 9) * u)
        tone = tone + relief(peel, rng.uniform(0, 6.3), rng.uniform(0.01, 0.06))
    return tone[..., None] * colour(rng, (0, 0.8), (0.12, 0.95))


def granite(rng: Rng, shape: Shape) -> np.ndarray:
    """Speckled stone of three minerals."""
    u = _unit(shape)
    cell = log_uniform(rng, 5, 22) * u
    base = colour(rng, (0, 0.3), (0.4, 0.85), (0.95, 1.15))
    stone = np.broadcast_to(base, (*shape, 3)).astype(np.float32)
    for _ in range(3):
        spots = step(fractal(rng, shape, cell, 3, 0.7), rng.uniform(0.3, 1.3), 0.3)
        stone = mix(stone, base * rng.uniform(0.25, 1.3), spots)
    return stone * (1 + 0.05 * noise(rng, shape, 1.2))[..., None]


def concrete(rng: Rng, shape: Shape) -> np.ndarray:
    """Concrete or mortar: cloudy, sandy, with a few tiny pores."""
    u = _unit(shape)
    tone = rng.uniform(0.35, 0.8) + rng.uniform(0.01, 0.07) * fractal(rng, shape, 150 * u, 5, 0.6)
    tone += rng.uniform(0.01, 0.07) * noise(rng, shape, rng.uniform(1, 3) * u)
    tone += relief(fractal(rng, shape, 7 * u, 3, 0.7), rng.uniform(0, 6.3), rng.uniform(0, 0.05))
    if rng.random() < 0.6:
        pores = step(noise(rng, shape, rng.uniform(2.5, 5) * u), rng.uniform(2.3, 3), 0.6)
        tone = tone * (1 - rng.uniform(0.2, 0.5) * pores)
    return tone[..., None] * colour(rng, (0, 0.22), (1, 1), (0.04, 0.15))


def asphalt(rng: Rng, shape: Shape) -> np.ndarray:
    """Road surface: coarse light and dark stones in a dark binder."""
    u = _unit(shape)
    size = log_uniform(rng, 2, 9) * u
    stones = fractal(rng, shape, size, 3, 0.8)
    tone = rng.uniform(0.25, 0.6) + rng.uniform(0.03, 0.11) * stones
    tone += rng.uniform(0.05, 0.3) * step(noise(rng, shape, size * 1.2), rng.uniform(1.6, 2.4), 0.5)
    tone -= rng.uniform(0.03, 0.2) * step(noise(rng, shape, size), rng.uniform(1.5, 2.3), 0.5)
    tone += rng.uniform(0, 0.05) * fractal(rng, shape, 200 * u, 3)
    return _tinted(rng, tone, 0.14)


def gravel(rng: Rng, shape: Shape) -> np.ndarray:
    """Exposed aggregate: pebbles of several tones set in cement."""
    u = _unit(shape)
    gap, label = cells(rng, shape, log_uniform(rng, 12, 45) * u)
    pebble = step(gap, rng.uniform(0.12, 0.3), 0.15)
    cement = colour(rng, (0, 0.2), (0.3, 0.7), (0.05, 0.15))
    stone = cement * (0.6 + 0.8 * label)[..., None]
    surface = mix(cement, stone, pebble)
    rough = relief(np.clip(gap, 0, 0.5), rng.uniform(0, 6.3), rng.uniform(0.3, 1.5))
    return surface * (1 + rough + 0.07 * noise(rng, shape, 1.5 * u))[..., None]


def marble(rng: Rng, shape: Shape) -> np.ndarray:
    """Polished stone with soft veins, which are normal here."""
    u = _unit(shape)
    field = fractal(rng, shape, rng.uniform(120, 260) * u, 5, 0.55)
    veins = np.exp(-np.abs(field) * rng.uniform(5, 20)).astype(np.float32)
    clouds = step(fractal(rng, shape, 180 * u, 4), 0, 4)
    base = colour(rng, (0, 0.25), (0.3, 0.95))
    dark = base * rng.uniform(0.35, 0.8) if base.mean() > 0.5 else base + 0.3
    return mix(mix(base, dark, clouds * 0.5), dark, veins * rng.uniform(0.3, 0.9))


def glass(rng: Rng, shape: Shape) -> np.ndarray:
    """A clear or frosted pane: smooth tone, soft reflections."""
    u = _unit(shape)
    rows, columns = grid(shape)
    angle = rng.uniform(0, np.pi)
    across = (rows * np.sin(angle) + columns * np.cos(angle)) / min(shape)
    tone = rng.uniform(0.3, 0.8) + 0 * across.astype(np.float32)
    for _ in range(rng.integers(0, 4)):
        band = np.exp(-(((across - rng.uniform(0, 1.3)) / rng.uniform(0.03, 0.3)) ** 2))
        tone = tone + rng.uniform(0.03, 0.2) * band
    if rng.random() < 0.4:
        tone = tone + rng.uniform(0.01, 0.04) * noise(rng, shape, rng.uniform(1, 3) * u)
    return tone[..., None].astype(np.float32) * colour(rng, (0, 0.3), (0.95, 1), (0.3, 0.65))


def paper(rng: Rng, shape: Shape) -> np.ndarray:
    """Paper or cardboard: fibres, and sometimes the flutes of corrugated board."""
    u = _unit(shape)
    fibre = noise(rng, shape, (1.2 * u, 7 * u)) + noise(rng, shape, (7 * u, 1.2 * u))
    tone = 1 + rng.uniform(0.008, 0.04) * fibre + 0.02 * fractal(rng, shape, 60 * u, 3)
    if rng.random() < 0.3:
        flutes = np.sin(grid(shape)[0] * np.float32(2 * np.pi / (rng.uniform(14, 40) * u)))
        tone = tone + rng.uniform(0.01, 0.06) * flutes
    return tone[..., None] * colour(rng, (0, 0.45), (0.6, 0.95), (0.05, 0.14))


def ceramic(rng: Rng, shape: Shape) -> np.ndarray:
    """Glazed ceramic: even colour, faint speckles, soft gloss."""
    u = _unit(shape)
    tone = 1 + 0.03 * noise(rng, shape, 200 * u)
    if rng.random() < 0.5:
        tone = tone - rng.uniform(0.05, 0.2) * step(noise(rng, shape, 2.5 * u), 2.2, 0.5)
    rows, columns = grid(shape)
    far = np.hypot(rows / shape[0] - rng.random(), columns / shape[1] - rng.random())
    gloss = rng.uniform(0, 0.25) * np.exp(-((far / rng.uniform(0.1, 0.5)) ** 2))
    glaze = tone[..., None] * colour(rng, (0, 0.5), (0.5, 0.95))
    return glaze + gloss[..., None].astype(np.float32)


def rubber(rng: Rng, shape: Shape) -> np.ndarray:
    """Matt black or coloured rubber or foam with fine pores."""
    u = _unit(shape)
    size = log_uniform(rng, 2.5, 12) * u
    pores = step(fractal(rng, shape, size, 2, 0.5), rng.uniform(0.4, 1.4), 0.8)
    tone = 1 - rng.uniform(0.1, 0.45) * pores + 0.05 * noise(rng, shape, 1.3)
    return tone[..., None] * colour(rng, (0, 0.6), (0.15, 0.8))


def carpet(rng: Rng, shape: Shape) -> np.ndarray:
    """Felt or carpet: tangled tufts of two close colours."""
    u = _unit(shape)
    size = log_uniform(rng, 2.5, 8) * u
    tufts = fractal(rng, shape, size, 2, 0.8)
    base = colour(rng, (0, 0.5), (0.25, 0.75))
    tone = 1 + rng.uniform(0.08, 0.25) * tufts
    tone += relief(tufts, rng.uniform(0, 6.3), rng.uniform(0.02, 0.1))
    return (
        mix(base, colour(rng, (0, 0.4), (0.25, 0.75)), 0.2 * step(tufts, 0.5, 1)) * tone[..., None]
    )


def painted(rng: Rng, shape: Shape) -> np.ndarray:
    """Painted wall or sheet with roller or plaster relief."""
    u = _unit(shape)
    height = fractal(rng, shape, log_uniform(rng, 8, 40) * u, 3, 0.6)
    ripple = relief(height, rng.uniform(0, 6.3), rng.uniform(0.02, 0.15))
    return (1 + ripple)[..., None] * colour(rng, (0, 0.5), (0.3, 0.95))


GROUNDS = (concrete, wood, paper, plastic, brushed_metal, carpet, granite, painted, cast_metal)
