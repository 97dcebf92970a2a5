"""Soft and scattered defects of surfaces: same contract as `defects`."""

from __future__ import annotations

import numpy as np

from adaclip.synthetic.canvas.fields import Rng, blur, grid, log_uniform, noise, step
from adaclip.synthetic.canvas.shapes import blob, pick_point, pick_rim
from adaclip.synthetic.defects.marks import extent, faint_to_strong, lay, shade
from adaclip.synthetic.scene import Scene


def worn(rng: Rng, scene: Scene) -> np.ndarray:
    """A large zone rubbed smooth or rough: the surface's own grain is lost, mostly at an edge."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    radius = size * rng.uniform(0.25, 0.9)
    radii = (radius, radius * rng.uniform(0.25, 0.8))
    at_rim = rng.random() < 0.5
    centre = pick_rim(rng, scene.foreground) if at_rim else pick_point(rng, scene.foreground)
    rough, soft = rng.uniform(0.4, 1.3), radius * log_uniform(rng, 0.05, 0.6)
    cover = blob(rng, shape, centre, radii, rough=rough, soft=soft)
    smooth = np.stack([blur(scene.image[..., c], rng.uniform(3, 9) * u) for c in range(3)], -1)
    target = scene.image + (smooth - scene.image) * rng.uniform(0.4, 1)
    lift = rng.choice([-1, 1]) * rng.uniform(0.05, 0.3)
    grain = rng.uniform(0.02, 0.15) * noise(rng, shape, rng.uniform(1.2, 6) * u)
    long = rng.uniform(30, 300) * u
    cell = (1.5 * u, long) if rng.random() < 0.5 else (long, 1.5 * u)
    grain = grain + rng.uniform(0, 0.12) * noise(rng, shape, cell)
    return lay(scene, np.clip(target + (lift + grain)[..., None], 0, 1), cover)


def band(rng: Rng, scene: Scene) -> np.ndarray:
    """A soft or sharp stripe of other tone right across: a roll mark or a missed stroke."""
    u, shape = scene.unit, scene.foreground.shape
    rows, columns = grid(shape)
    row, column = pick_point(rng, scene.foreground)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)], p=[0.4, 0.4, 0.2])
    across = (rows - row) * np.float32(np.cos(angle)) + (columns - column) * np.float32(
        np.sin(angle)
    )
    across = across + rng.uniform(0, 4) * u * noise(rng, shape, 40 * u)
    half = log_uniform(rng, 2, 40) * u
    cover = step(-np.abs(across), -half, max(1.5, half * rng.uniform(0.1, 1.5)))
    streak = noise(rng, shape, rng.uniform(3, 60) * u)
    cover = cover * np.clip(1 + rng.uniform(0, 0.5) * streak, 0, 1)
    if rng.random() < 0.4:
        radius = extent(scene) * rng.uniform(0.4, 1.2)
        cover = cover * blob(
            rng, shape, (row, column), (radius, radius), rough=0.3, soft=0.3 * radius
        )
    return shade(rng, scene, cover, faint_to_strong(rng, 0.08, 0.5), dark=0.4)


def spots(rng: Rng, scene: Scene) -> np.ndarray:
    """Several small or middling blots, dark or bright, hard or soft."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    cover = np.zeros(shape, np.float32)
    centre, spread = pick_point(rng, scene.foreground), size * rng.uniform(0.1, 0.6)
    largest = log_uniform(rng, 4, 70) * u
    for _ in range(int(log_uniform(rng, 1, 14))):
        at = (centre[0] + rng.normal(0, spread), centre[1] + rng.normal(0, spread))
        radius = max(2.5 * u, largest * rng.uniform(0.3, 1))
        radii = (radius, radius * rng.uniform(0.3, 1))
        soft = max(1.0, radius * rng.uniform(0.1, 0.9))
        one = blob(rng, shape, at, radii, rough=rng.uniform(0.1, 1.2), soft=soft)
        cover = np.maximum(cover, one * np.float32(rng.uniform(0.5, 1)))
    return shade(rng, scene, cover, faint_to_strong(rng, 0.1, 0.6), dark=0.65)


def blotches(rng: Rng, scene: Scene) -> np.ndarray:
    """Ragged islands of other tone or polish over a large part of the surface: scale, oxide, damp.

    Large ones and the small ones around them belong together, as those of a coast do.
    """
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    cell = size * log_uniform(rng, 0.12, 0.6)
    field = noise(rng, shape, cell) + rng.uniform(0.2, 0.6) * noise(rng, shape, cell / 4)
    field = field + rng.uniform(0.1, 0.4) * noise(rng, shape, max(cell / 14, 2 * u))
    if rng.random() < 0.7:  # in one region, not everywhere
        radius = size * rng.uniform(0.3, 1)
        radii = (radius, radius * rng.uniform(0.3, 1))
        centre = pick_point(rng, scene.foreground)
        region = blob(rng, shape, centre, radii, rough=0.6, soft=0.6 * radius)
        field = field - 3 * (1 - region)
    level = float(np.quantile(field[::8, ::8], rng.uniform(0.6, 0.95)))
    cover = step(field, level, log_uniform(rng, 0.03, 0.4))
    grain = np.clip(0.85 + 0.3 * noise(rng, shape, rng.uniform(1.5, 6) * u), 0.2, 1)
    return shade(rng, scene, cover * grain, faint_to_strong(rng, 0.06, 0.4), dark=0.6)
