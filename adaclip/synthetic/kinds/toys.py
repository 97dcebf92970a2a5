"""Toys: plush, vinyl and moulded figures, animals, blocks, cars; each much the same left and right.

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
    ring_points,
    rod,
)
from adaclip.synthetic.canvas.fields import Rng, colour, fractal, grey, noise
from adaclip.synthetic.canvas.grounds import ground
from adaclip.synthetic.kinds.hardware import Placed
from adaclip.synthetic.kinds.materials import Shape

Ink = tuple[np.ndarray, np.ndarray]


def _eyes(rng: Rng, size: float, apart: float, height: float) -> list[Ink]:
    """Two like eyes, with pupils or slanted, or plain beads."""
    white, dark = colour(rng, (0, 1), (0.5, 1)), colour(rng, (0, 0.8), (0.02, 0.4))
    slant, flat, style = rng.uniform(-0.6, 0.6), rng.uniform(0.5, 1), rng.integers(3)
    shapes: list[Ink] = []
    for side in (-1, 1):
        ring = ring_points(1, 24) * (size, size * flat)
        cos, sin = np.cos(slant * side), np.sin(slant * side)
        ring = ring @ np.array([[cos, sin], [-sin, cos]]) + (side * apart, height)
        shapes.append((ring, white if style else dark))
        if style == 1:
            shapes.append((ring_points(size * 0.45, 16, side * apart, height), dark))
        glint = (side * apart + size * 0.25, height - size * 0.25)
        shapes.append((ring_points(size * 0.16, 10, *glint), grey(0.97)))
    return shapes


def _limb(
    easel: Easel, root: tuple[float, float], turn: float, bend: float, length: float, thick: float
) -> np.ndarray:
    """Signed distance to a limb of two segments and a round end."""
    x, y = easel.x, easel.y
    knee = (root[0] + 0.5 * length * np.cos(turn), root[1] + 0.5 * length * np.sin(turn))
    end = (
        knee[0] + 0.5 * length * np.cos(turn + bend),
        knee[1] + 0.5 * length * np.sin(turn + bend),
    )
    limb = blend(rod(x, y, root, knee, thick), rod(x, y, knee, end, thick * 0.85), thick * 0.6)
    return blend(limb, disc(x, y, thick * 1.25, *end), thick * 0.6)


def vinyl_figure(rng: Rng, shape: Shape) -> Placed:
    """A glossy figure in one colour, head, trunk and curved limbs poured in one piece."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 1.0))
    x, y = easel.x, easel.y
    tint = colour(rng, (0.1, 0.95), (0.25, 0.98))
    wide, head = rng.uniform(0.13, 0.28), rng.uniform(0.18, 0.34)
    body = oval(x, y, wide, rng.uniform(0.28, 0.4), 0, 0.02)
    arm, thick = rng.uniform(-0.9, 1.3), rng.uniform(0.06, 0.1)
    bend, stance, leg = rng.uniform(-1.0, 0.6), rng.uniform(0.05, 0.45), rng.uniform(0.45, 0.6)
    for side in (-1, 1):
        lift = arm + rng.normal(0, 0.1)
        turn = lift if side > 0 else np.pi - lift
        body = blend(
            body, _limb(easel, (side * wide * 0.7, -0.14), turn, bend * side, 0.5, thick), 0.08
        )
        down = np.pi / 2 - side * stance
        limb = _limb(easel, (side * wide * 0.5, 0.25), down, 0.2 * side, leg, thick * 1.25)
        body = blend(body, limb, 0.07)
    top = oval(x, y, head, head * rng.uniform(0.8, 1.2), 0, -0.32 - head * 0.8)
    body = blend(body, top, rng.uniform(0.02, 0.1))
    if rng.random() < 0.5:
        for side in (-1, 1):
            tip = (side * rng.uniform(0.8, 1.1) * head, -0.4 - 1.8 * head)
            horn = rod(x, y, (side * 0.4 * head, -0.4 - 1.3 * head), tip, 0.05)
            body = blend(body, horn, 0.04)
    easel.paint(body, tint, bevel=rng.uniform(0.08, 0.2), depth=0.55, gloss=rng.uniform(0, 0.4))
    easel.sheen(body, int(rng.integers(0, 6)), rng.uniform(0.4, 0.95))
    face = -0.34 - head * 0.85
    shapes = _eyes(rng, head * rng.uniform(0.12, 0.3), head * rng.uniform(0.3, 0.5), face)
    mouth = bar_points(0, face + head * 0.5, head * rng.uniform(0.1, 0.35), 0.012)
    easel.sketch([*shapes, (mouth, tint * 0.35)])
    return easel.finish()


def plush_animal(rng: Rng, shape: Shape) -> Placed:
    """A stuffed animal, seated: fuzzy parts with seams, pale belly and snout, round ears."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 0.98))
    x, y = easel.x, easel.y
    u = easel.unit
    fur = colour(rng, (0, 0.7), (0.3, 0.95))
    pale = np.clip(fur * rng.uniform(1.1, 1.5) + 0.1, 0, 1)
    fuzz = 1 + rng.uniform(0.05, 0.16) * fractal(rng, easel.shape, rng.uniform(3, 8) * u, 2, 0.8)
    coat = fur * fuzz[..., None]
    edge = rng.uniform(0.01, 0.03) * noise(rng, easel.shape, 4 * u)
    head = rng.uniform(0.32, 0.42)
    ear_far, ear = rng.uniform(0.6, 1.0), rng.uniform(0.1, 0.2)
    lean = rng.uniform(0.1, 0.5)
    for side in (-1, 1):
        at = (side * head * ear_far, -0.45 - head * rng.uniform(0.7, 0.75))
        easel.paint(disc(x, y, ear, *at) + edge, coat, bevel=0.1)
        easel.paint(disc(x, y, ear * 0.55, *at), pale, bevel=0.05)
        arm = rod(x, y, (side * 0.3, -0.05), (side * (0.42 + lean * 0.4), 0.3 - lean), 0.14)
        easel.paint(arm + edge, coat, bevel=0.14, depth=0.4)
    easel.paint(oval(x, y, 0.42, 0.48, 0, 0.3) + edge, coat, bevel=0.3, depth=0.4)
    if rng.random() < 0.7:
        easel.paint(oval(x, y, 0.24, 0.3, 0, 0.32), pale * fuzz[..., None], bevel=0.15)
    for side in (-1, 1):
        at = (side * 0.42, 0.68)
        easel.paint(oval(x, y, 0.22, 0.2, *at) + edge, coat, bevel=0.16, depth=0.45)
        easel.paint(oval(x, y, 0.12, 0.1, *at), pale, bevel=0.04)
    easel.paint(oval(x, y, head * 1.1, head, 0, -0.42) + edge, coat, bevel=0.25, depth=0.4)
    easel.paint(oval(x, y, head * 0.5, head * 0.35, 0, -0.28), pale, bevel=0.12)
    nose = (ring_points(1, 20) * (0.08, 0.055) + (0, -0.36), grey(0.08))
    easel.sketch([*_eyes(rng, 0.05, head * 0.42, -0.5), nose])
    if rng.random() < 0.5:
        easel.tone(-0.3 * np.exp(-((x / 0.008) ** 2)), oval(x, y, 0.42, 0.48, 0, 0.3))
    return easel.finish()


def toy_animal(rng: Rng, shape: Shape) -> Placed:
    """A moulded animal from the side: four legs, tail, head with muzzle, spots or stripes."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 0.98), turn=rng.choice([0.2, np.pi]))
    x, y = easel.x, easel.y
    tint = colour(rng, (0, 0.8), (0.2, 0.95))
    high, long = rng.uniform(0.2, 0.34), rng.uniform(0.45, 0.6)
    body = oval(x, y, long, high)
    leg, thick = rng.uniform(0.35, 0.6), rng.uniform(0.06, 0.12)
    for px in (-0.8, -0.45, 0.45, 0.8):
        root = (px * long, high * 0.4)
        foot = (px * long + rng.normal(0, 0.04), high * 0.4 + leg)
        body = blend(body, rod(x, y, root, foot, thick), 0.06)
    neck = (-long - rng.uniform(0, 0.15), -high - rng.uniform(0.05, 0.4))
    body = blend(body, rod(x, y, (-long * 0.7, -high * 0.3), neck, thick * 1.2), 0.1)
    size = rng.uniform(0.13, 0.2)
    body = blend(body, oval(x, y, size * 1.4, size, neck[0] - size * 0.5, neck[1]), 0.06)
    ear = (neck[0] + size * 0.4, neck[1] - size * 1.3)
    body = blend(body, rod(x, y, neck, ear, 0.05), 0.03)
    tail = (long + rng.uniform(0.1, 0.3), rng.uniform(-0.4, 0.3))
    body = blend(body, rod(x, y, (long * 0.9, -0.05), tail, 0.04), 0.05)
    coat = np.broadcast_to(tint, (*easel.shape, 3))
    if rng.random() < 0.6:
        marks = fractal(rng, easel.shape, rng.uniform(20, 60) * easel.unit, 2) > rng.uniform(0.5, 1)
        coat = np.where(marks[..., None], colour(rng, (0, 0.6), (0.05, 0.6)), coat)
    easel.paint(body, coat, bevel=rng.uniform(0.1, 0.2), depth=0.55, gloss=rng.uniform(0, 0.5))
    eye = ring_points(0.03, 14, neck[0] - size * 0.6, neck[1] - size * 0.3)
    easel.sketch([(eye, grey(0.04))])
    return easel.finish()


def block_robot(rng: Rng, shape: Shape) -> Placed:
    """A figure of boxes: square head, chest with dials and lights, jointed arms and legs."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 0.98))
    x, y = easel.x, easel.y
    first, second = colour(rng, (0, 0.9), (0.2, 0.95)), colour(rng, (0, 0.9), (0.2, 0.95))
    wide, corner = rng.uniform(0.26, 0.4), rng.uniform(0.01, 0.08)
    gloss = rng.uniform(0, 0.5)
    for side in (-1, 1):
        arm = box(x, y, 0.07, rng.uniform(0.26, 0.28), corner, side * (wide + 0.1), 0.1)
        easel.paint(arm, second, bevel=0.06, gloss=gloss)
        easel.paint(disc(x, y, 0.09, side * (wide + 0.1), 0.38), first, bevel=0.06, gloss=gloss)
        easel.paint(box(x, y, 0.1, 0.22, corner, side * wide * 0.55, 0.62), second, bevel=0.06)
        easel.paint(box(x, y, 0.15, 0.07, corner, side * wide * 0.6, 0.88), first, bevel=0.05)
    easel.paint(box(x, y, wide, 0.32, corner, 0, 0.1), first, bevel=0.08, gloss=gloss)
    easel.paint(box(x, y, wide * 0.72, 0.24, corner, 0, -0.52), first, bevel=0.08, gloss=gloss)
    easel.paint(rod(x, y, (0, -0.75), (0, -0.92), 0.025), second)
    easel.paint(disc(x, y, 0.05, 0, -0.93), second, bevel=0.05, gloss=0.5)
    shapes = _eyes(rng, 0.07, wide * 0.33, -0.56)
    shapes.append((bar_points(0, -0.37, wide * 0.4, 0.025), grey(0.1)))
    for i in range(int(rng.integers(2, 5))):
        ink = colour(rng, (0.3, 1), (0.4, 1))
        shapes.append((ring_points(0.045, 18, (i - 1.5) * 0.13, -0.08), ink))
    shapes.append((bar_points(0, 0.18, wide * 0.7, 0.1), second * 0.7))
    easel.sketch(shapes)
    return easel.finish()


def bath_duck(rng: Rng, shape: Shape) -> Placed:
    """A floating duck or chick from the side: round body, head, beak, wing, wet highlights."""
    easel = Easel(rng, ground(rng, shape), fill=(0.7, 0.95), turn=rng.choice([0.25, np.pi]))
    x, y = easel.x, easel.y
    tint = colour(rng, (0.3, 0.95), (0.5, 0.98))
    body = blend(oval(x, y, 0.66, 0.42, 0.1, 0.3), disc(x, y, 0.34, -0.3, -0.38), 0.15)
    body = blend(body, rod(x, y, (0.55, 0.15), (0.85, -0.12), 0.09), 0.15)
    easel.paint(body, tint, bevel=0.35, depth=0.55, gloss=rng.uniform(0, 0.6))
    easel.sheen(body, int(rng.integers(1, 5)), rng.uniform(0.4, 0.95))
    beak = colour(rng, (0.6, 1), (0.6, 1), (0.0, 0.12))
    easel.paint(oval(x, y, 0.18, 0.09, -0.66, -0.34), beak, bevel=0.08, gloss=0.3)
    easel.paint(oval(x, y, 0.3, 0.18, 0.2, 0.22), tint * 0.92, bevel=0.12, depth=0.5)
    eye = [(ring_points(0.07, 18, -0.4, -0.48), grey(0.95))]
    easel.sketch([*eye, (ring_points(0.04, 14, -0.42, -0.48), grey(0.05))])
    return easel.finish()


def toy_car(rng: Rng, shape: Shape) -> Placed:
    """A small car from the side: cabin, windows, wheels with hubs, stripe and lamps."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 0.98), turn=rng.choice([0.15, np.pi]))
    x, y = easel.x, easel.y
    paint = colour(rng, (0, 0.95), (0.15, 0.95))
    cabin = box(x, y, rng.uniform(0.36, 0.5), 0.26, 0.14, rng.uniform(-0.1, 0.15), -0.2)
    body = blend(box(x, y, 0.92, 0.2, 0.1, 0, 0.12), cabin, 0.06)
    easel.paint(body, paint, bevel=0.1, depth=0.5, gloss=rng.uniform(0.1, 0.6))
    easel.sheen(body, int(rng.integers(0, 4)), rng.uniform(0.4, 0.9))
    pane = colour(rng, (0, 0.4), (0.1, 0.6), (0.5, 0.65))
    for px in (-0.16, 0.2):
        easel.paint(box(x, y, 0.15, 0.13, 0.04, px, -0.24), pane, bevel=0.03)
    if rng.random() < 0.5:
        stripe = np.maximum(np.abs(y - 0.1) - 0.035, body)
        easel.paint(stripe.astype(np.float32), colour(rng, (0, 0.9), (0.1, 0.98)))
    for px in (-0.55, 0.55):
        easel.paint(disc(x, y, 0.22, px, 0.32), grey(0.09), bevel=0.06)
        easel.paint(disc(x, y, 0.12, px, 0.32), colour(rng, (0, 0.2), (0.5, 0.9)), bevel=0.04)
        spokes = np.abs(np.sin(np.arctan2(y - 0.32, x - px) * 2.5))
        easel.tone((-0.4 * (spokes < 0.3)).astype(np.float32), disc(x, y, 0.1, px, 0.32))
    lamps = ((-0.88, colour(rng, (0, 0.4), (0.9, 1))), (0.88, colour(rng, (0.7, 1), (0.5, 1))))
    easel.sketch([(bar_points(px, 0.06, 0.03, 0.05), ink) for px, ink in lamps])
    return easel.finish()
