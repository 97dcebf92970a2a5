"""Cracks and other thin dark lines: same contract as `defects`.

They run from a faint hairline, hardly darker than the grain it lies in, to an open gap.
"""

from __future__ import annotations

import numpy as np

from adaclip.synthetic.canvas.fields import Rng, blur, cells, log_uniform, noise, step
from adaclip.synthetic.canvas.shapes import (
    Stroke,
    blob,
    crack_strokes,
    fill_strokes,
    pick_point,
    walk,
)
from adaclip.synthetic.defects.marks import extent, faint_to_strong, lay, shade
from adaclip.synthetic.scene import Scene


def gap_level(scene: Scene, cover: np.ndarray, amount: float) -> np.ndarray:
    """Darken what is covered to one even level, `amount` (0-1) below its surroundings.

    The inside of a gap does not show the surface's own grain.
    """
    tone = scene.image.mean(-1)
    level = np.maximum(blur(tone, 20 * scene.unit) - amount, 0.02)
    share = np.clip(level / np.maximum(tone, 0.02), 0, 1)
    return lay(scene, scene.image * share[..., None], cover)


def _border_start(rng: Rng, shape: tuple[int, int]) -> tuple[tuple[float, float], float]:
    """A (row, column) on the picture's border and a heading that leads inwards."""
    height, width = shape
    side, at = int(rng.integers(4)), rng.uniform(0.05, 0.95)
    starts = ((0, at * width), (height, at * width), (at * height, 0), (at * height, width))
    inwards = (np.pi / 2, -np.pi / 2, 0.0, np.pi)
    return starts[side], inwards[side] + rng.normal(0, 0.35)


def _long_strokes(rng: Rng, scene: Scene, width: float) -> list[Stroke]:
    """A crack from one border of the picture to another, with its branches."""
    start, heading = _border_start(rng, scene.foreground.shape)
    return crack_strokes(
        rng,
        start,
        scene.unit,
        rng.uniform(0.7, 1.5) * max(scene.foreground.shape),
        width=width,
        heading=heading,
    )


def _broken(rng: Rng, scene: Scene, cover: np.ndarray) -> np.ndarray:
    """Crumbled edges and gaps: the line is not one even stroke."""
    coarse = rng.uniform(3, 14) * scene.unit
    return cover * step(noise(rng, cover.shape, coarse), -rng.uniform(0.9, 2.4), 1.2)


def _darken(rng: Rng, scene: Scene, cover: np.ndarray, amount: float) -> np.ndarray:
    if rng.random() < 0.65 and scene.image.mean() > 0.15:
        return gap_level(scene, cover, amount)
    return shade(rng, scene, cover, amount, dark=0.92)


def crack(rng: Rng, scene: Scene) -> np.ndarray:
    """A branching, mostly dark line of varying width, up to right across the picture."""
    u, size = scene.unit, extent(scene)
    # In walls and roads cracks mostly run on through the picture.
    through = rng.random() < (0.5 if scene.group in ("mineral", "cell") else 0.1)
    width = log_uniform(rng, 0.9, 9) * u
    if through:
        strokes = _long_strokes(rng, scene, width)
    else:
        span = size * log_uniform(rng, 0.3, 3.0)
        strokes = crack_strokes(rng, pick_point(rng, scene.foreground), u, span, width=width)
    if through and rng.random() < 0.35:
        strokes += _long_strokes(rng, scene, width * rng.uniform(0.4, 1))
    cover = fill_strokes(scene.foreground.shape, strokes)
    if rng.random() < 0.6:
        cover = _broken(rng, scene, cover)
    if rng.random() < 0.3:
        cover = np.maximum(cover, 0.9 * blur(cover, rng.uniform(0.5, 1.5) * u))
    # The thinner the line, the more contrast it needs to be seen at all.
    thin = float(strokes[0][1].mean()) / u
    amount = max(faint_to_strong(rng, 0.12, 0.75), 0.18 / thin, min(1.2 * scene.roughness, 0.6))
    return _darken(rng, scene, cover, amount)


def hairline(rng: Rng, scene: Scene) -> np.ndarray:
    """One to six fine dark cracks of low contrast, 1 to 3 pixels wide, wandering and forking."""
    u, size = scene.unit, extent(scene)
    strokes: list[Stroke] = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 4, 6]))):
        width = max(0.9, rng.uniform(0.9, 3.2) * u)
        style = rng.random()
        if style < 0.45:
            strokes += _long_strokes(rng, scene, width)
        elif style < 0.75:
            start, span = pick_point(rng, scene.foreground), size * log_uniform(rng, 0.4, 2.5)
            strokes += crack_strokes(rng, start, u, span, width=width)
        else:
            start, turn = pick_point(rng, scene.foreground), rng.uniform(0, 2 * np.pi)
            length, bend = size * rng.uniform(0.3, 1.8), rng.uniform(0.02, 0.15)
            pace = rng.uniform(2, 6) * u
            jag = rng.uniform(0, 0.3)
            strokes.append(walk(rng, start, turn, length, width, jag=jag, bend=bend, pace=pace))
    cover = fill_strokes(scene.foreground.shape, strokes)
    if rng.random() < 0.7:
        cover = _broken(rng, scene, cover)
    if rng.random() < 0.25:
        cover = np.minimum(1.3 * blur(cover, rng.uniform(0.5, 1.0) * u), 1)
    amount = max(log_uniform(rng, 0.08, 0.5), min(rng.uniform(1.1, 2.4) * scene.roughness, 0.5))
    return gap_level(scene, cover, amount)


def crack_network(rng: Rng, scene: Scene) -> np.ndarray:
    """A mesh of cracks between blocks, all over a region or the picture."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    block = log_uniform(rng, 22, 150) * u
    gap = cells(rng, shape, block)[0]
    width = max(1.2, log_uniform(rng, 1.2, 4) * u)
    jag = rng.uniform(0.5, 2.5) * u / block
    gap = gap + jag * noise(rng, shape, rng.uniform(5, 14) * u)
    lines = step(-gap, -width / block, 1.2 / block)
    # Edges are missing here and there.
    lines = lines * step(noise(rng, shape, block), rng.uniform(-2, -0.4), 0.3)
    if rng.random() < 0.7:
        radii = (size * rng.uniform(0.3, 1.3), size * rng.uniform(0.2, 0.9))
        centre = pick_point(rng, scene.foreground)
        lines = lines * blob(rng, shape, centre, radii, rough=0.7, soft=0.2 * radii[1])
    amount = max(faint_to_strong(rng, 0.1, 0.5), min(scene.roughness, 0.5))
    return _darken(rng, scene, lines, amount)
