"""Defects drawn into a scene: each takes (rng, scene) and gives the changed picture (H, W, 3).

A defect changes pixels only where it lies, and only inside the scene's foreground (an extra part
may stick out of it), so that the mask can be read off the difference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from adaclip.synthetic.canvas.fields import (
    Rng,
    blur,
    colour,
    log_uniform,
    mix,
    noise,
    step,
)
from adaclip.synthetic.canvas.shapes import (
    blob,
    fill_polygons,
    fill_strokes,
    pick_point,
    walk,
)
from adaclip.synthetic.scene import Scene

Defect = Callable[[Rng, Scene], np.ndarray]


def extent(scene: Scene) -> float:
    """About the half-size, in pixels, of what is inspected."""
    return float(np.sqrt(scene.foreground[::4, ::4].mean()) * min(scene.foreground.shape) / 2)


def lay(scene: Scene, target: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Blend `target` over the scene's picture by `cover`, inside the foreground."""
    return mix(scene.image, target, cover * step(scene.foreground, 0.5, 0.5))


def shade(
    rng: Rng, scene: Scene, cover: np.ndarray, amount: float, dark: float = 0.5
) -> np.ndarray:
    """Darken (with probability `dark`) or lighten by about `amount`, 0-1, where covered.

    `amount` is raised to stand out of a rough texture, which would hide it from anyone.
    """
    weight = float(cover.sum()) + 1e-6
    mean = float((scene.image.mean(-1) * cover).sum()) / weight
    amount = max(amount, min(1.3 * scene.roughness, 0.5))
    darker = rng.random() < dark
    # Black cannot get darker nor white lighter: a change nobody sees is no defect.
    if mean < 0.12 or (mean < 0.2 and amount > 0.15):
        darker = False
    elif mean > 0.88:
        darker = True
    if darker:
        target = scene.image * np.float32(1 - min(amount / max(mean, 0.05), 0.96))
    else:
        lift = min(amount / max(1 - mean, 0.05), 0.96)
        target = scene.image + (1 - scene.image) * np.float32(lift)
    return lay(scene, target, cover)


def faint_to_strong(rng: Rng, low: float = 0.06, high: float = 0.7) -> float:
    """A contrast, 0-1, with small ones as likely as large ones."""
    return log_uniform(rng, low, high)


def scratch(rng: Rng, scene: Scene) -> np.ndarray:
    """One to five nearly straight thin lines, sometimes with a bright and a dark side."""
    u, size = scene.unit, extent(scene)
    start, heading = pick_point(rng, scene.foreground), rng.uniform(0, 2 * np.pi)
    strokes = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 5]))):
        begin = (start[0] + rng.normal(0, 14) * u, start[1] + rng.normal(0, 14) * u)
        length = size * log_uniform(rng, 0.15, 1.6)
        width = log_uniform(rng, 0.9, 5) * u
        turn = heading + rng.normal(0, 0.1)
        strokes.append(
            walk(rng, begin, turn, length, width, jag=0.02, bend=rng.uniform(0, 0.05), pace=8 * u)
        )
    cover = fill_strokes(scene.foreground.shape, strokes)
    amount = max(faint_to_strong(rng, 0.1), 0.15 * u / max(w.mean() for _, w in strokes))
    changed = shade(rng, scene, cover, amount, dark=0.4)
    if rng.random() < 0.3:
        rim = np.roll(cover, (max(1, round(u)), max(1, round(u))), (0, 1)) * (1 - cover)
        cover_rim = rim * step(scene.foreground, 0.5, 0.5) * rng.uniform(0.2, 0.6)
        changed = mix(changed, changed * 0.4, cover_rim)
    return changed


def hole(rng: Rng, scene: Scene) -> np.ndarray:
    """A deep round hole or blowhole, dark inside, now and then with a lit rim."""
    u, size = scene.unit, extent(scene)
    radius = max(2.5 * u, min(log_uniform(rng, 3.5 * u, 65 * u), 0.4 * size))
    centre = pick_point(rng, scene.foreground)
    radii = (radius, radius * rng.uniform(0.4, 1.0))
    turn = rng.uniform(0, np.pi)
    outer_rough = rng.uniform(0, 0.7)
    cover = blob(
        rng, scene.foreground.shape, centre, radii, rough=outer_rough, soft=2 * u, turn=turn
    )
    changed = shade(rng, scene, cover, rng.uniform(0.15, 0.8), dark=0.93)
    if rng.random() < 0.4:
        rim = np.clip(blur(cover, max(1, radius * 0.15)) - cover, 0, 0.5) * 2
        rim *= step(scene.foreground, 0.5, 0.5)
        changed = mix(changed, np.minimum(changed + 0.3, 1), rim * rng.uniform(0.3, 0.8))
    return changed


def pits(rng: Rng, scene: Scene) -> np.ndarray:
    """A cluster of small pits or pores."""
    u, size = scene.unit, extent(scene)
    centre = pick_point(rng, scene.foreground)
    spread = size * rng.uniform(0.08, 0.5)
    polygons = []
    for _ in range(int(log_uniform(rng, 3, 30))):
        row, column = centre[0] + rng.normal(0, spread), centre[1] + rng.normal(0, spread)
        angles = np.arange(9) * 0.7
        far = log_uniform(rng, 1.5, 7) * u * rng.uniform(0.7, 1.3, 9)
        polygons.append(np.stack([column + far * np.cos(angles), row + far * np.sin(angles)], 1))
    cover = fill_polygons(scene.foreground.shape, polygons)
    return shade(rng, scene, cover, rng.uniform(0.12, 0.6), dark=0.85)


def _bump(rng: Rng, scene: Scene, radius: float, sign: float) -> np.ndarray:
    """Shade a round hollow (sign -1) or bump (sign 1), with a soft highlight."""
    shape = scene.foreground.shape
    centre = pick_point(rng, scene.foreground)
    radii = (radius, radius * rng.uniform(0.5, 1))
    height = blob(rng, shape, centre, radii, rough=rng.uniform(0, 0.4), soft=radius * 1.2)
    slope_y, slope_x = np.gradient(height)
    angle = rng.uniform(0, 2 * np.pi)
    facing = (slope_x * np.cos(angle) + slope_y * np.sin(angle)) * radius * sign
    tone = facing * rng.uniform(0.2, 0.8) + height * sign * rng.uniform(0.06, 0.2)
    gloss = np.clip(facing - 0.45, 0, 1) * rng.choice([0.0, 1.2])
    target = scene.image * (1 + tone)[..., None] + (gloss + 0.25 * tone)[..., None]
    return lay(scene, np.clip(target, 0, 1), step(height, 0.06, 0.08))


def dent(rng: Rng, scene: Scene) -> np.ndarray:
    """A hollow seen only by its light and shade."""
    radius = max(7 * scene.unit, extent(scene) * log_uniform(rng, 0.1, 0.6))
    return _bump(rng, scene, radius, -1.0)


def blister(rng: Rng, scene: Scene) -> np.ndarray:
    """One to six raised bubbles."""
    changed = scene
    for _ in range(int(rng.integers(1, 7))):
        radius = max(4 * scene.unit, extent(scene) * log_uniform(rng, 0.05, 0.25))
        changed = _replace(changed, _bump(rng, changed, radius, 1.0))
    return changed.image


def _replace(scene: Scene, image: np.ndarray) -> Scene:
    return dataclasses.replace(scene, image=image)


def stain(rng: Rng, scene: Scene) -> np.ndarray:
    """A noise-shaped spot of liquid or dirt, tinted, hard or soft, sometimes with a dark rim."""
    u, size = scene.unit, extent(scene)
    radius = max(4 * u, size * log_uniform(rng, 0.07, 0.7))
    radii = (radius, radius * rng.uniform(0.35, 1))
    centre = pick_point(rng, scene.foreground)
    soft = max(1.0, radius * log_uniform(rng, 0.03, 0.8))
    cover = blob(rng, scene.foreground.shape, centre, radii, rough=rng.uniform(0.2, 1.3), soft=soft)
    if rng.random() < 0.25:
        cover = np.clip(cover * (1 - 0.75 * step(cover, 0.85, 0.3)), 0, 1)
    if rng.random() < 0.5:
        return shade(rng, scene, cover, faint_to_strong(rng, 0.06, 0.6), dark=0.7)
    dye = colour(rng, (0.1, 0.9), (0.1, 0.9))
    target = scene.image * dye if rng.random() < 0.6 else 0.4 * scene.image + 0.6 * dye
    return lay(scene, target, cover * rng.uniform(0.25, 1))


def uneven(rng: Rng, scene: Scene) -> np.ndarray:
    """A large soft region of other tone, polish or sharpness."""
    size = extent(scene)
    radius = size * rng.uniform(0.25, 0.9)
    radii = (radius, radius * rng.uniform(0.3, 0.9))
    centre = pick_point(rng, scene.foreground)
    rough, soft = rng.uniform(0.2, 1.0), radius * rng.uniform(0.1, 0.7)
    cover = blob(rng, scene.foreground.shape, centre, radii, rough=rough, soft=soft)
    if rng.random() < 0.25:
        texture = noise(rng, cover.shape, rng.uniform(2, 12) * scene.unit)
        cover = cover * np.clip(0.8 + 0.3 * texture, 0.3, 1)
    return shade(rng, scene, cover, faint_to_strong(rng, 0.07, 0.4), dark=0.55)


def lesion(rng: Rng, scene: Scene) -> np.ndarray:
    """One or a few bright or dark soft-edged growths or bleeds."""
    shape, size = scene.foreground.shape, extent(scene)
    cover = np.zeros(shape, np.float32)
    for _ in range(int(rng.choice([1, 1, 2, 3, 8]))):
        radius = max(4 * scene.unit, size * log_uniform(rng, 0.08, 0.5))
        radii = (radius, radius * rng.uniform(0.4, 1))
        centre, rough = pick_point(rng, scene.foreground), rng.uniform(0.1, 1.0)
        soft = radius * rng.uniform(0.1, 0.8)
        one = blob(rng, shape, centre, radii, rough=rough, soft=soft)
        cover = np.maximum(cover, one)
    inner = np.clip(0.85 + 0.25 * noise(rng, shape, 8 * scene.unit), 0.3, 1)
    return shade(rng, scene, cover * inner, faint_to_strong(rng, 0.08, 0.6), dark=0.35)


def inclusion(rng: Rng, scene: Scene) -> np.ndarray:
    """Streaks drawn out along one direction, as of slag in rolled steel."""
    u, size = scene.unit, extent(scene)
    turn = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)], p=[0.3, 0.5, 0.2])
    shape = scene.foreground.shape
    cover = np.zeros(shape, np.float32)
    centre = pick_point(rng, scene.foreground)
    for _ in range(int(log_uniform(rng, 1, 12))):
        row = centre[0] + rng.normal(0, size * 0.35)
        column = centre[1] + rng.normal(0, size * 0.35)
        long = max(8 * u, size * log_uniform(rng, 0.06, 0.8))
        thin = max(1.2 * u, long * log_uniform(rng, 0.03, 0.25))
        rough = rng.uniform(0.3, 1.1)
        one = blob(
            rng, shape, (row, column), (long, thin), rough=rough, soft=2 * u, turn=float(turn)
        )
        cover = np.maximum(cover, one * rng.uniform(0.5, 1))
    return shade(rng, scene, cover, faint_to_strong(rng, 0.07, 0.5), dark=0.75)


def rolled_scale(rng: Rng, scene: Scene) -> np.ndarray:
    """A region of dense rough specks pressed into the surface."""
    u, size = scene.unit, extent(scene)
    radius = size * rng.uniform(0.15, 0.8)
    centre = pick_point(rng, scene.foreground)
    radii = (radius, radius * rng.uniform(0.25, 0.9))
    region = blob(rng, scene.foreground.shape, centre, radii, rough=0.9, soft=radius * 0.5)
    specks = noise(rng, region.shape, (rng.uniform(3, 14) * u, rng.uniform(2, 6) * u))
    cover = region * step(specks + region, rng.uniform(0.9, 1.6), 0.5)
    return shade(rng, scene, cover, faint_to_strong(rng, 0.1, 0.6), dark=0.8)


def dead_cell(rng: Rng, scene: Scene) -> np.ndarray:
    """Dark blocks bounded by straight lines, or fine interrupted fingers, of a solar cell."""
    shape, u = scene.foreground.shape, scene.unit
    polygons = []
    if rng.random() < 0.4:
        row, column = pick_point(rng, scene.foreground)
        for _ in range(int(rng.integers(1, 9))):
            left = column + rng.normal(0, 25) * u
            wide, high = rng.uniform(1.5, 9) * u, rng.uniform(0.08, 0.35) * shape[0]
            corners = (
                (left, row),
                (left + wide, row),
                (left + wide, row + high),
                (left, row + high),
            )
            polygons.append(np.array(corners))
    else:
        for _ in range(int(rng.integers(1, 4))):
            row, column = pick_point(rng, scene.foreground)
            high, wide = rng.uniform(0.05, 0.35) * shape[0], rng.uniform(0.06, 0.5) * shape[1]
            tilt = rng.normal(0, 0.25, (4, 2)) * min(high, wide)
            corners_at = np.array([(0, 0), (wide, 0), (wide, high), (0, high)]) + tilt
            polygons.append(corners_at + np.array((column - wide / 2, row - high / 2)))
    cover = fill_polygons(shape, polygons)
    if rng.random() < 0.5:
        cover = blur(cover, rng.uniform(1, 6) * u)
    return shade(rng, scene, cover, faint_to_strong(rng, 0.1, 0.6), dark=0.95)
