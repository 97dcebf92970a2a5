"""Defects held out of training: same contract as `defects`."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from adaclip.synthetic.canvas.fields import Rng, blur, colour, grid, log_uniform, mix, noise, step
from adaclip.synthetic.canvas.shapes import (
    Stroke,
    blob,
    fill_polygons,
    fill_strokes,
    pick_point,
    pick_rim,
    walk,
)
from adaclip.synthetic.defects.marks import Defect, extent, lay
from adaclip.synthetic.scene import Scene


def tear(rng: Rng, scene: Scene) -> np.ndarray:
    """A ragged opening, wide in the middle or at the contour, with a pale lifted lip."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    inwards = rng.random() < 0.5
    start = pick_rim(rng, scene.foreground) if inwards else pick_point(rng, scene.foreground)
    length = size * rng.uniform(0.35, 1.2)
    goal = pick_point(rng, scene.foreground)
    heading = float(np.arctan2(goal[0] - start[0], goal[1] - start[1]))
    line, _ = walk(rng, start, heading, length, 1, jag=0.35, bend=0.05, pace=7 * u)
    place = np.linspace(0, 1, len(line))
    profile = (1 - place) if inwards else np.sin(np.pi * place)
    wide = max(3 * u, size * log_uniform(rng, 0.03, 0.16)) * profile
    run = np.gradient(line, axis=0)
    across = np.stack([-run[:, 1], run[:, 0]], 1) / np.maximum(np.hypot(*run.T), 1e-3)[:, None]
    ragged = rng.uniform(0.5, 1.2, (2, len(line), 1)) * wide[:, None]
    ring = np.concatenate([line + across * ragged[0], (line - across * ragged[1])[::-1]])
    opening = fill_polygons(shape, [ring])
    lip_line = line + across * (ragged[0] + 1.5 * u)
    lip = fill_strokes(shape, [(lip_line, np.full(len(line), rng.uniform(2, 6) * u))])
    lip = lip * (1 - opening) * step(scene.foreground, 0.5, 0.5)
    tone = scene.image.mean()
    target = np.clip(scene.image + (0.3 if tone < 0.6 else -0.3), 0, 1)
    changed = mix(scene.image, target, lip * rng.uniform(0.3, 0.9))
    if scene.is_object:
        return mix(changed, scene.ground, opening * step(scene.foreground, 0.04, 0.04))
    # Below a surface it is dark, or pale where the surface is dark itself.
    under = scene.image * rng.uniform(0.1, 0.4) if tone > 0.25 else scene.image * 0.3 + 0.55
    return mix(changed, under, opening)


def wrinkle(rng: Rng, scene: Scene) -> np.ndarray:
    """A few ridges side by side: the surface is pushed together and lit along their backs."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    centre, angle = pick_point(rng, scene.foreground), rng.uniform(0, np.pi)
    radius = size * rng.uniform(0.35, 0.9)
    cover = blob(
        rng,
        shape,
        centre,
        (radius, radius * rng.uniform(0.3, 0.7)),
        rough=0.3,
        soft=0.5 * radius,
        turn=angle,
    )
    rows, columns = grid(shape)
    across = (rows - centre[0]) * np.float32(np.cos(angle)) - (columns - centre[1]) * np.float32(
        np.sin(angle)
    )
    across = across + rng.uniform(2, 9) * u * noise(rng, shape, rng.uniform(40, 110) * u)
    period = rng.uniform(16, 60) * u
    phase = across * np.float32(2 * np.pi / period)
    height, slope = np.cos(phase) ** 3, -np.sin(phase) * np.cos(phase) ** 2
    push = cover * slope * rng.uniform(0.1, 0.3) * period
    at = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    where = (at[0] + push * np.cos(angle), at[1] - push * np.sin(angle))
    moved = np.stack(
        [
            ndimage.map_coordinates(scene.image[..., c], where, order=1, mode="nearest")
            for c in range(3)
        ],
        -1,
    )
    strength = rng.uniform(0.3, 0.8)
    tone = strength * slope * 1.6 + 0.2 * strength * height
    lit = np.clip(moved * (1 + tone)[..., None] + 0.12 * tone[..., None], 0, 1)
    return lay(scene, lit, step(cover, 0.15, 0.3))


def smudge(rng: Rng, scene: Scene) -> np.ndarray:
    """A finger's or a cloth's smear: a hazy film with fine ridges, drawn out to one side."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    centre, angle = pick_point(rng, scene.foreground), rng.uniform(0, np.pi)
    long = max(16 * u, size * rng.uniform(0.2, 0.65))
    broad = long * rng.uniform(0.25, 0.6)
    soft = 0.4 * broad
    cover = blob(rng, shape, centre, (long, broad), rough=0.4, soft=soft, turn=angle)
    rows, columns = grid(shape)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    down, right = rows - np.float32(centre[0]), columns - np.float32(centre[1])
    along, across = right * cos + down * sin, down * cos - right * sin
    if rng.random() < 0.5:
        bend = np.hypot(along, across * 1.6) + 3 * u * noise(rng, shape, 30 * u)
        ridges = np.sin(bend * np.float32(2 * np.pi / (rng.uniform(5, 9) * u)))
    else:
        wobble = across + 2 * u * noise(rng, shape, 60 * u)
        ridges = np.interp(wobble, np.linspace(-broad, broad, 40), rng.normal(0, 1, 40))
    film = cover * np.clip(0.75 + 0.3 * ridges, 0.15, 1).astype(np.float32)
    hazy = np.stack([blur(scene.image[..., c], 2.5 * u) for c in range(3)], -1)
    tone = float(scene.image[::4, ::4].mean())
    grease = np.clip(colour(rng, (0, 0.3), (0.8, 1)) * (0.75 if tone < 0.5 else tone - 0.35), 0, 1)
    target = 0.45 * hazy + 0.55 * grease
    return lay(scene, target, film * rng.uniform(0.3, 0.85))


def loose_stitch(rng: Rng, scene: Scene) -> np.ndarray:
    """Loops of a twisted strand that stand off the surface, with their shadow."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    centre, turn = pick_point(rng, scene.foreground), rng.uniform(0, 2 * np.pi)
    loops = int(rng.integers(1, 4))
    time = np.linspace(0, 2 * np.pi * loops, 40 * loops)
    radius = max(9 * u, size * rng.uniform(0.07, 0.22))
    drift = rng.uniform(0.1, 0.35) * radius
    along = radius * np.sin(time) + drift * time
    across = radius * rng.uniform(0.4, 0.8) * (1 - np.cos(time))
    cos, sin = np.cos(turn), np.sin(turn)
    points = np.stack(
        [centre[1] + along * cos - across * sin, centre[0] + along * sin + across * cos], 1
    )
    width = log_uniform(rng, 2, 5.5) * u
    strokes: list[Stroke] = [(points, np.full(len(points), width))]
    cover = fill_strokes(shape, strokes)
    lift = rng.uniform(2, 6) * u
    shadow = np.roll(cover, (round(lift), round(0.7 * lift)), (0, 1)) * (1 - cover)
    inside = step(scene.foreground, 0.5, 0.5)
    changed = scene.image * (1 - rng.uniform(0.15, 0.5) * blur(shadow, u) * inside)[..., None]
    tone = float(scene.image[::4, ::4].mean())
    strand = colour(rng, (0, 0.7), (0.75, 1) if tone < 0.5 else (0.05, 0.4))
    rows, columns = grid(shape)
    ply = 1 + 0.25 * np.sin((rows + columns) * np.float32(2 * np.pi / (5 * u)))
    return mix(changed, np.clip(strand * ply[..., None], 0, 1), cover * inside)


def corrosion(rng: Rng, scene: Scene) -> np.ndarray:
    """A bloom of rust or verdigris with a ragged rim, eaten into by dark pits."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    centre = pick_point(rng, scene.foreground)
    radius = max(12 * u, size * rng.uniform(0.12, 0.5))
    radii = (radius, radius * rng.uniform(0.4, 1))
    bloom = blob(rng, shape, centre, radii, rough=1.2, soft=0.5 * radius)
    crust = noise(rng, shape, rng.uniform(4, 10) * u)
    patches = bloom * step(crust + 2.5 * bloom, rng.uniform(1.2, 2), 0.6)
    hue = (0.02, 0.09) if rng.random() < 0.75 else (0.4, 0.5)
    rust = colour(rng, (0.4, 0.85), (0.25, 0.6), hue)
    flaky = rust * (1 + 0.25 * noise(rng, shape, 2 * u))[..., None]
    changed = lay(scene, np.clip(0.25 * scene.image + 0.75 * flaky, 0, 1), patches)
    pits = step(noise(rng, shape, rng.uniform(2.5, 5) * u) + bloom, rng.uniform(2.2, 2.7), 0.3)
    pits = pits * step(bloom, 0.2, 0.2) * step(scene.foreground, 0.5, 0.5)
    return changed * (1 - rng.uniform(0.4, 0.85) * pits)[..., None]


def misalignment(rng: Rng, scene: Scene) -> np.ndarray:
    """A rectangular section sits askew: slipped and turned a little, with gaps at its joints."""
    u, size, shape = scene.unit, extent(scene), scene.foreground.shape
    row, column = pick_point(rng, scene.foreground)
    half = size * rng.uniform(0.2, 0.6, 2)
    base = rng.choice([0.0, rng.uniform(0, np.pi)])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    cos, sin = np.cos(base), np.sin(base)
    corners = corners @ np.array([[cos, sin], [-sin, cos]]) + (column, row)
    section = fill_polygons(shape, [corners])
    turn = rng.normal(0, 9)
    slip = rng.choice([-1, 1], 2) * rng.uniform(3, 14, 2) * u
    piece = Image.fromarray((np.clip(scene.image, 0, 1) * 255).astype(np.uint8))
    turned = piece.rotate(
        turn,
        Image.Resampling.BILINEAR,
        center=(column, row),
        translate=(round(slip[0]), round(slip[1])),
    )
    moved = np.asarray(turned, dtype=np.float32) / 255
    joint = np.clip(section - ndimage.minimum_filter(section, max(3, round(3 * u))), 0, 1)
    moved = moved * (1 - rng.uniform(0.3, 0.8) * joint)[..., None]
    return lay(scene, moved, section)


DEFECTS: dict[str, Defect] = {
    "tear": tear,
    "wrinkle": wrinkle,
    "smudge": smudge,
    "loose_stitch": loose_stitch,
    "corrosion": corrosion,
    "misalignment": misalignment,
}
