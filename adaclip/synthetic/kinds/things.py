"""Grown, eaten, worn and played-with things on a ground, one or several at a time.

Every function takes (rng, shape) and gives the picture (H, W, 3), the foreground (H, W) and the
bare ground (H, W, 3).
"""

from __future__ import annotations

import numpy as np

from adaclip.synthetic.canvas.easel import (
    Easel,
    bar_points,
    blend,
    box,
    disc,
    oval,
    polygon,
    ring_points,
    rod,
    stroke_points,
)
from adaclip.synthetic.canvas.fields import Rng, colour, fractal, grey, mix, noise, relief, step
from adaclip.synthetic.canvas.grounds import ground
from adaclip.synthetic.kinds.hardware import Placed
from adaclip.synthetic.kinds.materials import Shape


def _mark(rng: Rng, ink: np.ndarray, size: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """A short imprint of invented glyphs: strokes and rings."""
    shapes = []
    count = int(rng.integers(2, 6))
    for i in range(count):
        cx = (i - (count - 1) / 2) * size * 1.2
        for _ in range(rng.integers(2, 4)):
            ends = rng.choice([-0.45, 0.0, 0.45], (2, 2)) * size
            if np.abs(ends[0] - ends[1]).sum() < 0.1 * size:
                continue
            shapes.append((stroke_points(ends[0] + (cx, 0), ends[1] + (cx, 0), size * 0.16), ink))
    return shapes


def pill(rng: Rng, shape: Shape) -> Placed:
    """A pressed tablet with an imprint or score line, sometimes speckled."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    tint = colour(rng, (0, 0.6), (0.6, 0.98))
    long = rng.uniform(0.5, 0.9)
    body = oval(x, y, 0.92, long) if rng.random() < 0.5 else box(x, y, 0.92, long, long * 0.98)
    easel.paint(body, tint, bevel=rng.uniform(0.15, 0.4), depth=0.4, gloss=rng.uniform(0, 0.3))
    if rng.random() < 0.5:
        spots = step(noise(rng, easel.shape, 5 * easel.unit), 1.7, 0.4)
        ink = colour(rng, (0.3, 0.9), (0.3, 0.7))
        easel.colours = mix(easel.colours, ink, spots * easel.cover(body) * rng.uniform(0.2, 0.8))
    if rng.random() < 0.5:
        easel.tone(-0.3 * step(-np.abs(x), -0.02, 0.02), body)
    else:
        easel.sketch(_mark(rng, tint * rng.uniform(0.5, 0.8), 0.22))
    easel.tone(0.02 * noise(rng, easel.shape, 1.5 * easel.unit))
    return easel.finish()


def capsule(rng: Rng, shape: Shape) -> Placed:
    """A two-coloured gelatine capsule with a highlight and print."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    r = rng.uniform(0.28, 0.4)
    halves = (colour(rng, (0, 0.9), (0.3, 0.95)), colour(rng, (0, 0.9), (0.2, 0.95)))
    body = rod(x, y, (-0.92 + r, 0), (0.92 - r, 0), r)
    seam = rng.uniform(-0.15, 0.25)
    paint = mix(halves[0], halves[1], step(x, seam, easel.pixel))
    easel.paint(body, paint, bevel=r, depth=0.6, gloss=rng.uniform(0.2, 0.9))
    easel.tone(-0.35 * np.exp(-(((x - seam) / 0.012) ** 2)), body)
    easel.sketch(_mark(rng, halves[0] * 0.4 if rng.random() < 0.5 else grey(0.95), 0.13))
    return easel.finish()


def toy_figure(rng: Rng, shape: Shape) -> Placed:
    """A small moulded figure: head with eyes, trunk, arms and legs melting together."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 1.0))
    x, y = easel.x, easel.y
    tint = colour(rng, (0.2, 0.95), (0.4, 0.95))
    wide, head = rng.uniform(0.18, 0.3), rng.uniform(0.2, 0.32)
    trunk = oval(x, y, wide, 0.38, 0, 0.05)
    lift = rng.uniform(-0.5, 0.6)
    for side in (-1, 1):
        reach = lift + rng.uniform(-0.2, 0.2)
        arm = rod(
            x, y, (side * wide * 0.7, -0.15), (side * (wide + 0.35), -0.15 + reach * 0.6), 0.08
        )
        leg = rod(x, y, (side * 0.12, 0.3), (side * rng.uniform(0.16, 0.3), 0.82), 0.1)
        foot = oval(x, y, 0.15, 0.09, side * 0.27, 0.86)
        for limb in (arm, leg, foot):
            trunk = blend(trunk, limb, 0.09)
    skull = oval(x, y, head, head * rng.uniform(0.8, 1.1), 0, -0.58)
    body = blend(trunk, skull, 0.08)
    if rng.random() < 0.5:
        for side in (-1, 1):
            body = blend(body, disc(x, y, 0.11, side * head * 0.85, -0.58 - head * 0.75), 0.05)
    easel.paint(body, tint, bevel=rng.uniform(0.12, 0.25), depth=0.6, gloss=rng.uniform(0, 0.5))
    if rng.random() < 0.4:
        shirt = np.maximum(body, np.abs(y - 0.1) - 0.28)
        easel.tone(grey(1)[0] * rng.uniform(-0.5, -0.1) * np.ones(easel.shape, np.float32), shirt)
    eye = colour(rng, (0, 1), (0.02, 0.9))
    shapes = []
    for side in (-1, 1):
        ring = ring_points(1, 24) * (0.3 * head, 0.2 * head) + (side * 0.42 * head, -0.6)
        shapes.append((ring, eye))
        shapes.append((ring_points(0.07 * head, 10, side * 0.45 * head, -0.63), grey(0.95)))
    easel.sketch([*shapes, (bar_points(0, -0.6 + 0.45 * head, 0.3 * head, 0.02), eye * 0.5)])
    return easel.finish()


def cookie(rng: Rng, shape: Shape) -> Placed:
    """A biscuit or cracker: browned, rough, with chips or pricked holes."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    dough = colour(rng, (0.4, 0.7), (0.6, 0.9), (0.07, 0.12))
    wobble = 0.025 * noise(rng, easel.shape, 60 * easel.unit)
    body = disc(x, y, 0.9) + wobble
    if rng.random() < 0.3:
        body = box(x, y, 0.85, 0.8, 0.15) + 0.02 * np.sin(np.arctan2(y, x) * 40)
    rough = fractal(rng, easel.shape, 18 * easel.unit, 4, 0.65)
    shade = 1 + relief(rough, easel.light, 0.12) + 0.05 * rough
    easel.paint(body, dough * shade[..., None], bevel=0.25, depth=0.45)
    shapes = []
    if rng.random() < 0.6:
        chip = colour(rng, (0.3, 0.7), (0.1, 0.35), (0.03, 0.08))
        for _ in range(rng.integers(6, 22)):
            far, turn = 0.75 * np.sqrt(rng.random()), rng.uniform(0, 6.3)
            points = ring_points(rng.uniform(0.04, 0.1), 7) * rng.uniform(0.8, 1.2, (7, 1))
            at = np.array((far * np.cos(turn), far * np.sin(turn)))
            shapes.append((points + at, chip))
    else:
        for px in np.linspace(-0.5, 0.5, 4):
            shapes += [
                (ring_points(0.03, 10, px, py), dough * 0.5) for py in np.linspace(-0.5, 0.5, 4)
            ]
    easel.sketch(shapes)
    return easel.finish()


def seed_grain(rng: Rng, shape: Shape) -> Placed:
    """A nut, seed or kernel: an egg-shaped body with ridges and a pale base."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    shell = colour(rng, (0.2, 0.7), (0.3, 0.85), (0.04, 0.13))
    wide = rng.uniform(0.45, 0.85)
    body = oval(x, y * (1 + 0.25 * x), 0.92, wide) + 0.015 * noise(
        rng, easel.shape, 70 * easel.unit
    )
    ridges = noise(rng, easel.shape, 25 * easel.unit)
    lines = np.sin(np.arctan2(y, x + 1.4) * rng.uniform(30, 90) + ridges)
    shade = (
        1 + rng.uniform(0.02, 0.14) * lines + 0.05 * fractal(rng, easel.shape, 20 * easel.unit, 3)
    )
    easel.paint(body, shell * shade[..., None], bevel=0.5, depth=0.55, gloss=rng.uniform(0, 0.3))
    if rng.random() < 0.5:
        base = np.maximum(body, -x - rng.uniform(0.5, 0.65) + 0.05 * ridges)
        easel.paint(np.maximum(base, x - 9), np.clip(shell * 1.4, 0, 1), bevel=0.1)
    return easel.finish()


def fruit(rng: Rng, shape: Shape) -> Placed:
    """A round fruit: blushed skin, speckles, stalk and highlight."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    ripe, green = (
        colour(rng, (0.6, 0.95), (0.5, 0.95), (0, 0.14)),
        colour(rng, (0.5, 0.9), (0.5, 0.9), (0.15, 0.35)),
    )
    body = blend(disc(x, y, 0.68, -0.16, 0.08), disc(x, y, 0.68, 0.16, 0.08), 0.2)
    skin = mix(
        ripe, green, step(fractal(rng, easel.shape, 140 * easel.unit, 3), rng.uniform(-0.5, 1.5), 2)
    )
    easel.paint(body, skin, bevel=0.7, depth=0.6, gloss=rng.uniform(0, 0.5))
    spots = step(noise(rng, easel.shape, 4 * easel.unit), 1.9, 0.5)
    easel.tone(rng.uniform(0, 0.3) * spots, body)
    easel.paint(
        rod(x, y, (0, -0.55), (rng.uniform(-0.15, 0.15), -0.9), 0.035), grey(0.25), bevel=0.04
    )
    return easel.finish()


def button(rng: Rng, shape: Shape) -> Placed:
    """A sewing button, coin or token with rim and holes or relief."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    tint = colour(rng, (0, 0.7), (0.2, 0.9))
    easel.paint(disc(x, y, 0.93), tint, bevel=0.15, depth=0.5, gloss=0.3)
    easel.paint(disc(x, y, 0.72), tint * 0.92, bevel=0.06, depth=-0.4)
    if rng.random() < 0.6:
        holes = int(rng.choice([2, 4]))
        for turn in np.arange(holes) * 2 * np.pi / holes:
            easel.carve(disc(x, y, 0.09, 0.22 * np.cos(turn), 0.22 * np.sin(turn)))
    else:
        star = polygon(x, y, int(rng.integers(3, 8)), rng.uniform(0.25, 0.45))
        easel.paint(star, tint * 1.05, bevel=0.06, depth=0.6)
        ring = np.abs(np.hypot(x, y) - 0.58) - 0.03
        easel.tone(0.25 * np.sin(np.arctan2(y, x) * rng.integers(12, 60)), ring)
    return easel.finish()


def zipper(rng: Rng, shape: Shape) -> Placed:
    """A closed zip: two tapes and a row of interlocked teeth."""
    easel = Easel(rng, ground(rng, shape), fill=(0.85, 1.1), turn=0.2)
    x, y = easel.x, easel.y
    tape = colour(rng, (0, 0.7), (0.08, 0.8))
    cloth = 1 + rng.uniform(0.05, 0.2) * np.sin(x * 160) * np.sin(y * 160)
    easel.paint(np.abs(x) - 0.55, tape * cloth[..., None].astype(np.float32))
    easel.tone(-0.25 * np.exp(-(((np.abs(x) - 0.4) / 0.01) ** 2)))
    tooth = colour(rng, (0, 0.5), (0.3, 0.95))
    pitch = rng.uniform(0.07, 0.13)
    side = ((y / pitch) % 2) < 1
    centre = np.where(side, 0.04, -0.04)
    near = ((y / pitch) % 1 - 0.5) * pitch
    teeth = np.maximum(np.abs(x - centre) - 0.13, np.abs(near) - pitch * 0.4)
    easel.paint(teeth.astype(np.float32), tooth, bevel=0.04, depth=0.6, gloss=0.3)
    return easel.finish(shadow=0.0)


def candle_row(rng: Rng, shape: Shape) -> Placed:
    """Several like pieces side by side: candles, sweets, pasta, tablets, caps."""
    easel = Easel(rng, ground(rng, shape), fill=(0.9, 1.0), turn=rng.choice([0.05, np.pi]))
    x, y = easel.x, easel.y
    across, down = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    tint = colour(rng, (0, 0.7), (0.5, 0.98))
    pitch_x, pitch_y = 1.9 / across, min(1.9 / across, 1.9 / down)
    cell_x, cell_y = np.floor(x / pitch_x + across / 2), np.floor(y / pitch_y + down / 2)
    valid = (cell_x >= 0) & (cell_x < across) & (cell_y >= 0) & (cell_y < down)
    jitter = rng.uniform(-0.12, 0.12, (2, 16, 16)).astype(np.float32) * min(pitch_x, pitch_y)
    index = (cell_y.astype(int) % 16, cell_x.astype(int) % 16)
    dx = (x / pitch_x + across / 2 - cell_x - 0.5) * pitch_x + jitter[0][index]
    dy = (y / pitch_y + down / 2 - cell_y - 0.5) * pitch_y + jitter[1][index]
    size = min(pitch_x, pitch_y) * rng.uniform(0.3, 0.38)
    form = rng.integers(0, 4)
    far = [
        disc(dx, dy, size),
        box(dx, dy, size, size * 0.7, size * 0.3),
        polygon(dx, dy, 6, size * 0.85),
        np.abs(np.hypot(dx, dy) - size * 0.7) - size * 0.28,
    ][form]
    piece = np.where(valid, far, 1.0).astype(np.float32)
    rough = 1 + 0.04 * fractal(rng, easel.shape, 12 * easel.unit, 3)
    easel.paint(
        piece, tint * rough[..., None], bevel=size * 0.5, depth=0.5, gloss=rng.uniform(0, 0.4)
    )
    if form == 0:
        inner = np.where(valid, disc(dx, dy, size * 0.25), 1.0).astype(np.float32)
        easel.paint(inner, tint * rng.uniform(0.3, 0.8), bevel=size * 0.1)
    return easel.finish()


def bristle_comb(rng: Rng, shape: Shape) -> Placed:
    """A comb, fork or connector: a back with evenly spaced teeth or pins."""
    easel = Easel(rng, ground(rng, shape), fill=(0.8, 1.0))
    x, y = easel.x, easel.y
    tint = colour(rng, (0, 0.8), (0.1, 0.9))
    pitch = rng.uniform(0.08, 0.22)
    teeth = np.abs((x / pitch) % 1 - 0.5) * pitch - pitch * rng.uniform(0.2, 0.32)
    teeth = np.maximum(teeth, np.maximum(np.abs(x) - 0.88, np.maximum(-0.2 - y, y - 0.55)))
    pin = tint if rng.random() < 0.5 else colour(rng, (0, 0.4), (0.5, 0.9), (0.08, 0.15))
    easel.paint(teeth.astype(np.float32), pin, bevel=pitch * 0.25, depth=0.5, gloss=0.3)
    easel.paint(box(x, y, 0.93, 0.25, 0.08, 0, -0.35), tint, bevel=0.1, gloss=0.2)
    easel.sketch(_mark(rng, np.clip(tint * rng.choice([0.4, 1.7]), 0, 1), 0.12))
    return easel.finish()
