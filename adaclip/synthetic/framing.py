"""How flawless things are framed: close-ups, parts that end inside the picture, tolerated marks.

All of it is normal variation and is drawn before the defect, so that a picture and its flawless
twin share it. A detector that never saw a part's own edge cross the picture takes it for a crack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy import ndimage

from adaclip.synthetic.canvas.fields import (
    Rng,
    choose,
    colour,
    grey,
    grid,
    log_uniform,
    mix,
    noise,
    step,
)
from adaclip.synthetic.catalogue import Entry
from adaclip.synthetic.defects import cracks, damage, marks
from adaclip.synthetic.scene import Scene, draw_scene

Shape = tuple[int, int]

CLOSE_UPS, EDGES, SPECKS, MARKS = 0.45, 0.55, 0.3, 0.3
# Materials of which parts are cut; scans and cells have edges of their own.
_CUT_GROUPS = frozenset({"metal", "mineral", "sheet", "fibre", "pattern"})
# Of a close-up the thing should fill this share; eight windows are tried for it.
_LEAST_SHOWN = 0.25
# What real surfaces carry faintly, and inspectors pass: lines, streaks and points. No large
# patches: a model that learns to pass faint ones passes the stronger ones of real steel, too.
_MARKS = (marks.scratch, marks.inclusion, cracks.hairline, damage.contamination)


def draw_framed_scene(
    rng: Rng, framing: Rng, kind: str, shape: Shape, more_kinds: Mapping[str, Entry] | None = None
) -> Scene:
    """A normal picture of `kind`, framed as inspection cameras frame: near, cut off, not spotless.

    `rng` draws the thing as `draw_scene` does, `framing` everything else.
    """
    if framing.random() < CLOSE_UPS:
        zoom = framing.uniform(1.25, 2.2)
        large = (round(shape[0] * zoom), round(shape[1] * zoom))
        scene = _close_up(framing, draw_scene(rng, kind, large, more_kinds), shape)
    else:
        scene = draw_scene(rng, kind, shape, more_kinds)
    whole = bool(scene.foreground.min() > 0.99)
    if whole and scene.group in _CUT_GROUPS and framing.random() < EDGES:
        scene = with_edges(framing, scene)
    if framing.random() < SPECKS:
        scene = with_specks(framing, scene)
    return with_marks(framing, scene) if framing.random() < MARKS else scene


def _close_up(framing: Rng, large: Scene, shape: Shape) -> Scene:
    """A window of a larger picture."""
    spare = (large.foreground.shape[0] - shape[0], large.foreground.shape[1] - shape[1])
    for _ in range(8):
        top, left = int(framing.integers(spare[0] + 1)), int(framing.integers(spare[1] + 1))
        window = np.s_[top : top + shape[0], left : left + shape[1]]
        if large.foreground[window].mean() >= _LEAST_SHOWN:
            break
    return replace(
        large,
        image=np.ascontiguousarray(large.image[window]),
        foreground=np.ascontiguousarray(large.foreground[window]),
        ground=np.ascontiguousarray(large.ground[window]),
    )


def with_edges(rng: Rng, scene: Scene) -> Scene:
    """The material as a part whose edges, one to four of them, lie inside the picture."""
    shape = scene.foreground.shape
    distances = _sides(rng, (shape[0], shape[1]), scene.unit)
    depth = np.min(distances, axis=0)  # pixels from the nearest edge, negative beyond it
    inside = step(depth, 0, log_uniform(rng, 0.7, 3))
    image = _worked_edges(rng, scene, distances)
    beyond = _beyond(rng, scene, depth)
    return replace(
        scene,
        image=np.clip(mix(beyond, image, inside), 0, 1).astype(np.float32),
        foreground=inside * scene.foreground,
        ground=np.clip(beyond, 0, 1).astype(np.float32),
    )


def _sides(rng: Rng, shape: Shape, unit: float) -> list[np.ndarray]:
    """(H, W) pixels from each edge shown, a little tilted and, where cut roughly, uneven."""
    rows, columns = grid(shape)
    shown = rng.random(4) < 0.5
    shown[rng.integers(4)] = True
    rough = rng.random() < 0.3
    distances = []
    for side in np.flatnonzero(shown):
        along, across = (columns, rows) if side < 2 else (rows, columns)
        extent = shape[0] if side < 2 else shape[1]
        inset = rng.uniform(0.0, 0.04) if rng.random() < 0.5 else rng.uniform(0.03, 0.16)
        tilt = rng.uniform(-0.04, 0.04) if rng.random() < 0.6 else 0.0
        depth = (across if side % 2 == 0 else extent - 1 - across) - inset * extent + tilt * along
        if rough:
            swing = rng.uniform(0.5, 3) * unit
            depth = depth + swing * noise(rng, shape, rng.uniform(8, 60) * unit)
        distances.append(np.broadcast_to(depth, shape).astype(np.float32))
    return distances


def _worked_edges(rng: Rng, scene: Scene, distances: list[np.ndarray]) -> np.ndarray:
    """The part's picture with bevels, worn rims, gloss and shade along each of its edges."""
    unit, shape = scene.unit, scene.foreground.shape
    image = scene.image
    for distance in distances:
        near = np.maximum(distance, 0)
        gain = np.ones(shape, np.float32)
        if rng.random() < 0.5:  # a bevel, lit or in shade
            bevel = step(-near, -log_uniform(rng, 2, 28) * unit, rng.uniform(1, 4))
            gain *= 1 + rng.uniform(-0.6, 0.6) * bevel
        if rng.random() < 0.5:  # rounded off: darker or lighter towards the rim
            gain *= 1 + rng.uniform(-0.7, 0.4) * np.exp(-near / (log_uniform(rng, 4, 60) * unit))
        image = image * gain[..., None]
        if rng.random() < 0.45:  # a bright line or patches of gloss along it
            cell = (rng.uniform(30, 200) * unit, rng.uniform(30, 200) * unit)
            patchy = step(noise(rng, (shape[0], shape[1]), cell), rng.uniform(-1, 0.8), 0.8)
            width, at = log_uniform(rng, 1.5, 14) * unit, rng.uniform(0, 25) * unit
            gloss = np.exp(-(((near - at) / width) ** 2)) * patchy
            image = image + (rng.uniform(0.1, 0.7) * gloss)[..., None]
    return image


def _beyond(rng: Rng, scene: Scene, depth: np.ndarray) -> np.ndarray:
    """What lies past the edges: nothing, a fixture, or the next part of the same kind."""
    height, width = scene.foreground.shape
    style = choose(rng, ("dark", "dark", "light", "plain", "next part"))
    if style == "next part":
        gap = step(-np.abs(depth + rng.uniform(2, 14) * scene.unit), -rng.uniform(1, 9), 2.0)
        turned = scene.image[::-1, ::-1] * np.float32(rng.uniform(0.4, 1.1))
        return mix(turned, np.broadcast_to(grey(rng.uniform(0, 0.12)), turned.shape), gap)
    tone = {"dark": (0.0, 0.15), "light": (0.8, 1.0), "plain": (0.15, 0.8)}[style]
    base = colour(rng, (0, 0.3), tone)
    grain = rng.uniform(0, 0.03) * noise(rng, (height, width), rng.uniform(1, 8))
    # Contact shadow: darkest right beside the part.
    shade = 1 - rng.uniform(0, 0.6) * np.exp(-np.maximum(-depth, 0) / (rng.uniform(2, 20)))
    return (base + grain[..., None]) * shade[..., None]


def with_specks(rng: Rng, scene: Scene) -> Scene:
    """Dust, faint smears and wear that every inspector lets pass."""
    shape = scene.foreground.shape
    change = np.zeros(shape, np.float32)
    count = int(rng.integers(2, 40))
    rows, columns = rng.integers(shape[0], size=count), rng.integers(shape[1], size=count)
    change[rows, columns] = rng.uniform(-1, 1, count)
    sigma = rng.uniform(0.5, 1.6) * max(scene.unit, 0.5)
    change = ndimage.gaussian_filter(change, sigma, truncate=3) * np.float32(2 * np.pi * sigma**2)
    change *= rng.uniform(0.01, 0.06)
    if rng.random() < 0.5:  # smears along one direction
        long, thin = rng.uniform(60, 300) * scene.unit, rng.uniform(3, 12) * scene.unit
        cell = (long, thin) if rng.random() < 0.5 else (thin, long)
        smears = step(noise(rng, (shape[0], shape[1]), cell), rng.uniform(1, 2), 1)
        change += rng.uniform(-0.04, 0.04) * smears
    image = scene.image + (change * scene.foreground)[..., None]
    return replace(scene, image=np.clip(image, 0, 1).astype(np.float32))


def with_marks(rng: Rng, scene: Scene) -> Scene:
    """One to four marks shaped like defects, but so faint that they are tolerated.

    The scene's `tolerated` says how faint; a defect drawn into it has to stand out of them.
    """
    hidden = min(1.3 * scene.roughness, 0.5)  # fainter than this is not seen in the texture
    contrast = max(log_uniform(rng, 0.01, 0.04), rng.uniform(0.15, 0.5) * hidden)
    image = scene.image
    for _ in range(int(rng.integers(1, 5))):
        mark = _MARKS[rng.integers(len(_MARKS))](rng, scene) - scene.image
        change = np.abs(mark).max(-1)
        seen = change[change > 0.25 * change.max()]
        strongest = contrast * rng.uniform(0.5, 1)
        gain = min(1.0, strongest / float(seen.mean())) if seen.size else 0.0
        image = image + np.float32(gain) * mark
    return replace(scene, image=np.clip(image, 0, 1).astype(np.float32), tolerated=contrast)
