"""Kinds held out of training: only a benchmark draws them, no model here has seen them.

A material takes (rng, shape) and gives a surface (H, W, 3); an object gives the picture
(H, W, 3), the foreground (H, W) and the bare ground (H, W, 3). All float32, about 0-1.
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
    stroke_points,
)
from adaclip.synthetic.canvas.fields import (
    Rng,
    cells,
    colour,
    fractal,
    grey,
    grid,
    log_uniform,
    mix,
    noise,
    relief,
    step,
)
from adaclip.synthetic.canvas.grounds import ground
from adaclip.synthetic.catalogue import Entry
from adaclip.synthetic.kinds import materials
from adaclip.synthetic.kinds.hardware import Placed, metal_colour
from adaclip.synthetic.kinds.materials import Shape


def _unit(shape: Shape) -> float:
    """Pixels per pixel of a 518 px picture."""
    return min(shape) / 518


def woven_basket(rng: Rng, shape: Shape) -> np.ndarray:
    """Wicker: round strands run over and under upright stakes, each strand of its own tone."""
    u = _unit(shape)
    rows, columns = grid(shape)
    thick, apart = rng.uniform(12, 30) * u, rng.uniform(40, 100) * u
    row = rows / thick + 0.12 * noise(rng, shape, 70 * u) + 5
    column = columns / apart + 0.06 * noise(rng, shape, 90 * u) + 5
    strand = np.floor(row)
    tones = rng.uniform(0.75, 1.15, 128).astype(np.float32)
    tone = tones[strand.astype(int) % 128]
    # A strand is in front of every other stake and sinks behind the next.
    swing = np.sin(np.pi * (column + strand % 2))
    across = np.abs(row % 1 - 0.5) * 2
    body = (1 - 0.75 * across**2.5) * (0.62 + 0.38 * swing)
    fibre = noise(rng, shape, (1.2 * u, 26 * u))
    body = body * tone * (1 + rng.uniform(0.03, 0.12) * fibre)
    stake = np.abs(column % 1 - 0.5) * apart
    upright = step(-stake, -0.35 * thick, 2 * u) * step(-swing, 0.45, 0.2)
    cane = colour(rng, (0.2, 0.65), (0.55, 0.95), (0.06, 0.13))
    wicker = cane * np.clip(body, 0.05, 2)[..., None]
    shade = 0.75 - 0.4 * (stake / thick) ** 2
    return mix(wicker, cane * rng.uniform(0.6, 1) * shade[..., None], upright).astype(np.float32)


def stitched_seam(rng: Rng, shape: Shape) -> np.ndarray:
    """Cloth or hide with a folded seam and one to three rows of even stitches beside it."""
    u = _unit(shape)
    cloth = (materials.leather, materials.painted, materials.carpet)[int(rng.integers(3))]
    face = cloth(rng, shape)
    rows, columns = grid(shape)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    middle = rng.uniform(0.35, 0.65, 2) * shape
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    across = (rows - middle[0]) * cos - (columns - middle[1]) * sin
    along = (rows - middle[0]) * sin + (columns - middle[1]) * cos
    across = (across + rng.uniform(0, 5) * u * noise(rng, shape, 200 * u)) / u
    along = along / u + 3000
    # The lap is thicker: dark in the fold, light on its shoulder.
    fold = 1 - 0.55 * np.exp(-((across / 4) ** 2)) + 0.12 * np.exp(-(((across - 12) / 10) ** 2))
    face = face * fold[..., None]
    yarn = colour(rng, (0, 0.9), (0.2, 0.98))
    if abs(float(yarn.mean() - face.mean())) < 0.2:
        yarn = np.clip(1 - yarn, 0, 1)
    period, half = rng.uniform(16, 34), rng.uniform(2.2, 4.2)
    for place in range(int(rng.integers(1, 4))):
        offset = 22 + 24 * place
        lean = rng.uniform(-0.25, 0.25)
        step_along = np.abs((along + lean * across) / period % 1 - 0.5) * period
        far = np.hypot(np.maximum(step_along - 0.3 * period, 0), across - offset)
        hole = np.hypot(step_along - 0.42 * period, across - offset)
        face = face * (1 - 0.6 * step(-hole, -half, 2))[..., None]
        twist = 0.85 + 0.3 * np.sin((along + across) * 1.4)
        body = (1 - 0.5 * np.clip((across - offset) / half, -1, 1) ** 2) * twist
        face = mix(face, yarn * body[..., None], step(-far, -half, 1.2))
    return face.astype(np.float32)


def cork(rng: Rng, shape: Shape) -> np.ndarray:
    """Pressed cork: granules of several browns, dark seams and short dark pores."""
    u = _unit(shape)
    size = log_uniform(rng, 12, 48) * u
    gap, label = cells(rng, shape, size)
    fine = cells(rng, shape, size * 0.4)[1]
    base = colour(rng, (0.3, 0.55), (0.55, 0.85), (0.06, 0.1))
    tone = 0.72 + 0.3 * label + 0.12 * fine + 0.05 * noise(rng, shape, 2 * u)
    tone = tone * (0.65 + 0.35 * step(gap, 0.06, 0.1))
    pores = step(noise(rng, shape, (3 * u, rng.uniform(6, 14) * u)), rng.uniform(1.7, 2.3), 0.4)
    tone = tone * (1 - rng.uniform(0.3, 0.6) * pores)
    return tone[..., None].astype(np.float32) * base


def speckled_tile(rng: Rng, shape: Shape) -> np.ndarray:
    """Square glazed tiles with scattered chips of colour, even joints, a soft gleam."""
    u = _unit(shape)
    rows, columns = grid(shape)
    side, joint = rng.uniform(110, 240) * u, rng.uniform(2, 6) * u
    shift = rng.random(2)
    y, x = rows / side + shift[0], columns / side + shift[1]
    near = np.minimum(np.minimum(y % 1, 1 - y % 1), np.minimum(x % 1, 1 - x % 1)) * side
    base = colour(rng, (0, 0.35), (0.55, 0.95))
    tones = 1 + 0.05 * rng.standard_normal((16, 16)).astype(np.float32)
    body = base * tones[y.astype(int) % 16, x.astype(int) % 16][..., None]
    for _ in range(int(rng.integers(2, 5))):
        gap, label = cells(rng, shape, log_uniform(rng, 7, 24) * u)
        chips = step(gap, 0.16, 0.12) * (label > rng.uniform(0.72, 0.93))
        body = mix(body, colour(rng, (0, 0.6), (0.1, 0.9)), chips * rng.uniform(0.5, 1))
    pillow = step(near, joint, 9 * u) - step(near, joint + 5 * u, 9 * u)
    body = body * (1 - 0.25 * pillow)[..., None]
    far = np.hypot(rows / shape[0] - rng.random(), columns / shape[1] - rng.random())
    gleam = rng.uniform(0, 0.3) * np.exp(-((far / rng.uniform(0.15, 0.5)) ** 2))
    grout = grey(rng.uniform(0.25, 0.8)) * (1 + 0.08 * noise(rng, shape, 1.5 * u))[..., None]
    tiled = mix(grout, body + gleam[..., None], step(near, joint, 1.5 * u))
    return tiled.astype(np.float32)


def gasket(rng: Rng, shape: Shape) -> Placed:
    """A flat seal for a flange: lobed outline, one to three bores, a ring of bolt holes."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 1.0))
    x, y = easel.x, easel.y
    bores = int(rng.integers(1, 4))
    places = (np.arange(bores) - (bores - 1) / 2) * (1.4 / bores)
    high = 0.62 if bores == 1 else 0.42
    outline = box(x, y, 0.62 if bores == 1 else 0.78, high, 0.2)
    bolts = []
    for px in np.linspace(-0.75, 0.75, 2 if bores == 1 else bores + 1):
        bolts += [(float(px), -high - 0.02), (float(px), high + 0.02)]
    for at in bolts:
        outline = blend(outline, disc(x, y, 0.17, *at), 0.08)
    sheet = colour(rng, (0, 0.7), (0.08, 0.7))
    grain = 1 + rng.uniform(0.02, 0.12) * fractal(rng, easel.shape, 3 * easel.unit, 2, 0.8)
    easel.paint(outline, sheet * grain[..., None], bevel=rng.uniform(0.02, 0.05), depth=0.4)
    radius = (0.42 if bores == 1 else 0.7 / bores - 0.09) * rng.uniform(0.85, 1.05)
    for px in places:
        ring = np.abs(disc(x, y, radius + 0.05, float(px))) - 0.02
        easel.paint(ring, sheet * rng.uniform(1.1, 1.5), bevel=0.03, depth=0.6)
        easel.carve(disc(x, y, radius, float(px)))
    for at in bolts:
        easel.carve(disc(x, y, 0.075, *at))
    return easel.finish()


def key(rng: Rng, shape: Shape) -> Placed:
    """A door key: bow with a hole, shoulder, grooved blade with cut teeth."""
    easel = Easel(rng, ground(rng, shape), fill=(0.8, 1.0))
    x, y = easel.x, easel.y
    metal = metal_colour(rng)
    bow = (disc(x, y, 0.34, -0.6), oval(x, y, 0.36, 0.28, -0.6), box(x, y, 0.3, 0.3, 0.1, -0.6))
    count = int(rng.integers(5, 9))
    cuts = rng.uniform(0, 0.11, count)
    edge = np.interp(x, np.linspace(-0.1, 0.86, count), cuts).astype(np.float32)
    blade = np.maximum(np.maximum(-0.12 - y, y - 0.13 + edge), np.maximum(-0.3 - x, x - 0.93))
    blade = np.maximum(blade, (x - 0.82 + np.abs(y) * 0.8) * 0.8)
    body = blend(bow[int(rng.integers(3))], blade.astype(np.float32), 0.05)
    easel.paint(body, metal, bevel=0.035, depth=0.6, gloss=rng.uniform(0, 0.4))
    groove = rod(x, y, (-0.2, -0.02), (0.85, -0.02), rng.uniform(0.015, 0.03))
    easel.paint(np.maximum(groove, body + 0.02), metal * 0.6, bevel=0.02, depth=-0.6)
    easel.paint(np.abs(bow[0] + 0.08) - 0.012, metal * 0.75)
    easel.carve(disc(x, y, rng.uniform(0.07, 0.11), -0.76))
    brush = noise(rng, easel.shape, (1.2, 60 * easel.unit))
    easel.tone(rng.uniform(0.01, 0.06) * brush)
    marks = []
    for place in range(int(rng.integers(2, 6))):
        at = np.array((-0.62 + 0.09 * place, 0.02))
        for _ in range(3):
            ends = rng.choice([-0.03, 0.0, 0.03], (2, 2)) * (1, 1.6)
            marks.append((stroke_points(at + ends[0], at + ends[1] + 0.004, 0.014), metal * 0.55))
    easel.sketch(marks)
    return easel.finish()


def dial(rng: Rng, shape: Shape) -> Placed:
    """A gauge: rim, pale or dark face, even ticks with figures, coloured arc, one needle."""
    easel = Easel(rng, ground(rng, shape), squeeze=0.02, turn=rng.choice([0.2, np.pi]))
    x, y = easel.x, easel.y
    rim = metal_colour(rng) if rng.random() < 0.6 else colour(rng, (0, 0.6), (0.05, 0.4))
    easel.paint(disc(x, y, 0.95), rim, bevel=0.1, depth=0.6, gloss=rng.uniform(0.1, 0.7))
    pale = rng.random() < 0.7
    face = colour(rng, (0, 0.12), (0.85, 0.98) if pale else (0.05, 0.15))
    ink = grey(0.08 if pale else 0.92)
    easel.paint(disc(x, y, 0.82), face, bevel=0.04, depth=-0.4)
    major, minor = int(rng.integers(5, 11)), int(rng.choice([2, 4, 5]))
    first, last = np.pi * 0.75, np.pi * 2.25
    turn = (np.arctan2(y, x) - first) % (2 * np.pi)
    start = rng.uniform(0.55, 0.8) * (last - first)
    arc = np.maximum(np.abs(np.hypot(x, y) - 0.74) - 0.03, start - turn)
    arc = np.maximum(arc, turn - (last - first))
    easel.paint(arc.astype(np.float32), colour(rng, (0.6, 1), (0.6, 0.95), (0, 0.4)))
    shapes = []
    for place, angle in enumerate(np.linspace(first, last, major * minor + 1)):
        away = np.array((np.cos(angle), np.sin(angle)))
        large = place % minor == 0
        inner = 0.62 if large else 0.69
        shapes.append((stroke_points(away * inner, away * 0.76, 0.022 if large else 0.01), ink))
        for _ in range(4 if large else 0):
            ends = rng.choice([-0.035, 0.0, 0.035], (2, 2)) * (0.8, 1.3) + away * 0.5
            shapes.append((stroke_points(ends[0], ends[1] + 0.003, 0.013), ink))
    for row in range(int(rng.integers(1, 3))):
        shapes.append((bar_points(0, 0.32 + 0.09 * row, rng.uniform(0.08, 0.2), 0.018), ink))
    angle = rng.uniform(first, last)
    away = np.array((np.cos(angle), np.sin(angle)))
    needle = colour(rng, (0.7, 1), (0.5, 0.9), (0, 0.05)) if rng.random() < 0.5 else ink
    shapes.append((stroke_points(-0.15 * away, 0.66 * away, 0.03), needle))
    easel.sketch([*shapes, (ring_points(0.06, 24), grey(0.3))])
    easel.sheen(disc(x, y, 0.8), int(rng.integers(0, 3)), rng.uniform(0.1, 0.4))
    return easel.finish()


def knob(rng: Rng, shape: Shape) -> Placed:
    """A turned control knob: knurled skirt, brushed cap with a fan of light, pointer, scale."""
    easel = Easel(rng, ground(rng, shape), fill=(0.6, 0.9))
    x, y = easel.x, easel.y
    far, turn = np.hypot(x, y), np.arctan2(y, x)
    metal = metal_colour(rng)
    count = int(rng.integers(24, 70))
    knurl = 0.02 * np.sin(turn * count)
    skirt = metal * rng.uniform(0.4, 0.9)
    easel.paint(far - 0.8 - knurl, skirt, bevel=0.12, depth=0.6, gloss=rng.uniform(0, 0.4))
    easel.tone((0.25 * np.sin(turn * count) * step(far, 0.64, 0.05)).astype(np.float32))
    cap = rng.uniform(0.5, 0.62)
    easel.paint(disc(x, y, cap), metal, bevel=0.06, depth=0.6)
    fan = np.cos(2 * (turn - easel.light)) * rng.uniform(0.1, 0.35)
    rings = noise(rng, (1, 400), 1)[0][np.clip(far * 390, 0, 399).astype(int)]
    easel.tone((fan + rng.uniform(0.02, 0.08) * rings).astype(np.float32), disc(x, y, cap - 0.05))
    mark = colour(rng, (0, 0.9), (0.05, 0.98))
    if abs(float(mark.mean() - metal.mean())) < 0.3:
        mark = grey(0.95 if metal.mean() < 0.5 else 0.05)
    scale = [
        (bar_points(0.93 * np.cos(a), 0.93 * np.sin(a), 0.04, 0.01, a), mark)
        for a in np.linspace(-2.2, 2.2, int(rng.integers(7, 14))) - np.pi / 2
    ]
    if rng.random() < 0.5:
        easel.sketch(scale)
    at = rng.uniform(-2.2, 2.2) - np.pi / 2
    away = np.array((np.cos(at), np.sin(at)))
    easel.sketch([(stroke_points(away * 0.25, away * (cap - 0.04), 0.05), mark)])
    easel.tone(relief(noise(rng, easel.shape, 3 * easel.unit), easel.light, 0.02))
    return easel.finish()


MATERIALS: dict[str, Entry] = {
    "woven_basket": (woven_basket, "fibre", ("woven basket", "wicker", "rattan")),
    "stitched_seam": (stitched_seam, "fibre", ("stitched seam", "seam", "upholstery")),
    "cork": (cork, "fibre", ("cork", "cork board", "cork floor")),
    "speckled_tile": (speckled_tile, "mineral", ("speckled tile", "terrazzo tile", "tiled wall")),
}
OBJECTS: dict[str, Entry] = {
    "gasket": (gasket, "object", ("gasket", "flange seal", "cylinder head gasket")),
    "key": (key, "object", ("key", "door key")),
    "dial": (dial, "object", ("dial", "gauge", "pressure gauge")),
    "knob": (knob, "object", ("knob", "control knob", "rotary knob")),
}
