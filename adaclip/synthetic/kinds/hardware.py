"""Made things on a ground: fasteners, boards, cables, packaging.

Every function takes (rng, shape) and gives the picture (H, W, 3), the foreground (H, W) and the
bare ground (H, W, 3).
"""

from __future__ import annotations

import numpy as np

from adaclip.synthetic.canvas.easel import (
    Easel,
    bar_points,
    box,
    disc,
    oval,
    polygon,
    ring_points,
    rod,
    stroke_points,
)
from adaclip.synthetic.canvas.fields import Rng, cells, colour, fractal, grey, mix, noise, step
from adaclip.synthetic.canvas.grounds import ground
from adaclip.synthetic.kinds.materials import Shape

Placed = tuple[np.ndarray, np.ndarray, np.ndarray]


def metal_colour(rng: Rng) -> np.ndarray:
    """Steel, zinc, brass, copper or blackened steel; (3,)."""
    if rng.random() < 0.25:
        return colour(rng, (0.3, 0.6), (0.5, 0.85), (0.04, 0.13))
    return colour(rng, (0, 0.12), (0.18, 0.8), (0.55, 0.65))


def _grain(easel: Easel, strength: float = 0.05) -> None:
    """Fine tone variation over the object, as of machined or moulded faces."""
    rng, u = easel.rng, easel.unit
    field = strength * rng.uniform(0.2, 1) * fractal(rng, easel.shape, rng.uniform(2, 12) * u, 2)
    easel.tone(field)


def screw(rng: Rng, shape: Shape) -> Placed:
    """A screw from the side: head, threaded shaft, point."""
    easel = Easel(rng, ground(rng, shape), fill=(0.7, 1.0))
    x, y = easel.x, easel.y
    metal = metal_colour(rng)
    r, head = rng.uniform(0.09, 0.16), rng.uniform(0.2, 0.32)
    pitch = rng.uniform(0.05, 0.11)
    start, tip = rng.uniform(-0.55, -0.2), rng.uniform(0.55, 0.75)
    phase = (x + np.sign(y) * pitch / 4) % pitch / pitch
    teeth = np.abs(phase * 2 - 1) * r * 0.3 * ((x > start) & (x < 0.95))
    taper = np.clip((0.97 - x) / (0.97 - tip), 0, 1)
    shaft = np.maximum(np.abs(y) - (r + teeth) * taper, np.maximum(-0.8 - x, x - 0.97))
    body = 1 - 0.8 * np.clip(np.abs(y) / (r * 1.25), 0, 1) ** 2
    slant = np.sin((x + y * 0.35 * pitch / r) * np.float32(2 * np.pi / pitch)) * (x > start)
    tone = body + rng.uniform(0.15, 0.35) * slant
    easel.paint(shaft, metal * tone[..., None].astype(np.float32))
    if rng.random() < 0.5:
        cone = np.maximum(
            np.abs(y) - head * np.clip((-0.55 - x) / 0.3, 0.3, 1), np.abs(x + 0.8) - 0.15
        )
    else:
        cone = box(x, y, 0.13, head, 0.05, -0.83, 0)
    easel.paint(cone, metal, bevel=0.15, depth=0.6, gloss=rng.uniform(0, 0.6))
    _grain(easel)
    return easel.finish()


def hex_nut(rng: Rng, shape: Shape) -> Placed:
    """A hexagon nut from above, with chamfer and thread."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    metal = metal_colour(rng)
    outer = np.maximum(polygon(x, y, 6, 0.86), disc(x, y, rng.uniform(0.92, 1.0)))
    easel.paint(outer, metal, bevel=rng.uniform(0.08, 0.2), depth=0.5, gloss=rng.uniform(0, 0.4))
    bore = rng.uniform(0.38, 0.55)
    easel.paint(disc(x, y, bore + 0.07), metal * 0.75, bevel=0.1, depth=0.6)
    easel.carve(disc(x, y, bore))
    far = np.hypot(x, y)
    thread = np.sin(far * rng.uniform(80, 160)) * 0.3
    easel.tone(thread, np.maximum(disc(x, y, bore + 0.06), -disc(x, y, bore)))
    _grain(easel)
    return easel.finish()


def washer(rng: Rng, shape: Shape) -> Placed:
    """A flat ring of metal, rubber or plastic, turned or with a flange."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    metal = metal_colour(rng) if rng.random() < 0.7 else colour(rng, (0, 0.8), (0.1, 0.9))
    easel.paint(disc(x, y, 0.95), metal, bevel=rng.uniform(0.03, 0.3), depth=0.5, gloss=0.2)
    far = np.hypot(x, y)
    easel.tone(rng.uniform(0, 0.08) * np.sin(far * rng.uniform(40, 220)))
    if rng.random() < 0.4:
        ring = np.abs(far - rng.uniform(0.65, 0.8)) - 0.03
        easel.paint(ring, metal * rng.uniform(0.5, 1.2), bevel=0.03)
    if rng.random() < 0.35:
        turn, count = np.arctan2(y, x), int(rng.integers(3, 9))
        around = (turn / (2 * np.pi) * count) % 1 - 0.5
        hole = np.hypot(far - 0.74, around * 2 * np.pi / count * 0.74) - 0.08
        easel.carve(hole.astype(np.float32))
    easel.carve(disc(x, y, rng.uniform(0.25, 0.55)))
    _grain(easel)
    return easel.finish()


def gear(rng: Rng, shape: Shape) -> Placed:
    """A toothed wheel with hub and sometimes spokes."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    metal = metal_colour(rng) if rng.random() < 0.7 else colour(rng, (0, 0.7), (0.2, 0.9))
    far, turn = np.hypot(x, y), np.arctan2(y, x)
    teeth = int(rng.integers(10, 36))
    wave = np.clip(np.sin(turn * teeth) * rng.uniform(1.2, 3), -1, 1)
    depth = rng.uniform(0.05, 0.11)
    easel.paint(
        far - (0.87 + depth * wave), metal, bevel=0.06, depth=0.5, gloss=rng.uniform(0, 0.4)
    )
    easel.paint(disc(x, y, 0.7), metal * rng.uniform(0.7, 0.95), bevel=0.04)
    if rng.random() < 0.5:
        count = int(rng.integers(3, 7))
        around = np.abs((turn / (2 * np.pi) * count) % 1 - 0.5) * 2 * np.pi / count * far
        easel.carve(np.maximum(np.abs(far - 0.47) - 0.13, around - 0.2))
    easel.paint(disc(x, y, 0.3), metal, bevel=0.05, gloss=0.2)
    bore = disc(x, y, rng.uniform(0.12, 0.2))
    easel.carve(np.minimum(bore, box(x, y, 0.04, 0.06, 0, 0, rng.uniform(0.15, 0.22))))
    _grain(easel)
    return easel.finish()


def bottle_top(rng: Rng, shape: Shape) -> Placed:
    """A bottle or glass seen into from above: concentric reflecting rings."""
    easel = Easel(rng, ground(rng, shape), squeeze=0.02)
    x, y = easel.x, easel.y
    glass = colour(rng, (0, 0.6), (0.05, 0.75))
    easel.paint(disc(x, y, 0.97), glass, bevel=0.12, depth=0.5, gloss=rng.uniform(0.2, 0.8))
    radius = 0.9
    while radius > 0.25:
        tone = glass * rng.uniform(0.2, 1.7) + rng.uniform(0, 0.15)
        easel.paint(disc(x, y, radius), tone, bevel=rng.uniform(0.02, 0.25), depth=0.5)
        radius *= rng.uniform(0.62, 0.92)
    turn = np.arctan2(y, x)
    arcs = np.clip(np.cos(turn * rng.integers(1, 4) + rng.uniform(0, 6)), 0, 1) ** 6
    easel.tone((rng.uniform(0.1, 0.8) * arcs * step(np.hypot(x, y), 0.6, 0.1)).astype(np.float32))
    return easel.finish()


def bottle_side(rng: Rng, shape: Shape) -> Placed:
    """A bottle, jar or tube upright, with a cap and a printed label."""
    easel = Easel(rng, ground(rng, shape), fill=(0.8, 0.98), turn=0.15)
    x, y = easel.x, easel.y
    wide, neck = rng.uniform(0.25, 0.5), rng.uniform(0.1, 0.2)
    slope = np.clip((y + 0.75) / rng.uniform(0.15, 0.4), 0, 1)
    profile = neck + (wide - neck) * slope * slope * (3 - 2 * slope)
    body = np.maximum(np.abs(x) - profile, np.maximum(-0.8 - y, y - 0.95))
    round_tone = 1 - 0.6 * np.clip(np.abs(x) / wide, 0, 1) ** 3
    stripe = np.exp(-(((x + wide * rng.uniform(0.3, 0.6)) / 0.03) ** 2)) * rng.uniform(0.1, 0.5)
    tint = colour(rng, (0, 0.8), (0.2, 0.95))
    easel.paint(body, tint * round_tone[..., None] + stripe[..., None])
    easel.paint(box(x, y, neck * 1.15, 0.1, 0.02, 0, -0.87), colour(rng, (0, 0.8)), bevel=0.08)
    top, low = rng.uniform(-0.1, 0.1), rng.uniform(0.4, 0.8)
    label = box(x, y, wide * 0.96, (low - top) / 2, 0.01, 0, (low + top) / 2)
    easel.paint(label, colour(rng, (0, 0.5), (0.7, 1)) * round_tone[..., None])
    ink = colour(rng, (0, 0.9), (0.05, 0.5))
    lines = np.arange(top + 0.08, low - 0.05, rng.uniform(0.06, 0.12))
    easel.sketch([(bar_points(0, yy, wide * rng.uniform(0.3, 0.8), 0.015), ink) for yy in lines])
    return easel.finish()


def circuit_board(rng: Rng, shape: Shape) -> Placed:
    """A populated board: traces, pads, chips, small parts, mounting holes."""
    easel = Easel(rng, ground(rng, shape), fill=(0.85, 1.05), turn=rng.choice([0.1, np.pi]))
    x, y = easel.x, easel.y
    hue = rng.choice([0.33, 0.6, 0.0, 0.1])
    board = colour(rng, (0.4, 0.9), (0.15, 0.5), (hue, hue + 0.06))
    high = rng.uniform(0.45, 0.8)
    easel.paint(box(x, y, 0.9, high, 0.03), board, bevel=0.02)
    shapes = []
    trace = np.clip(board * rng.uniform(1.2, 1.6), 0, 1)
    for _ in range(rng.integers(8, 30)):
        px, py = rng.uniform(-0.85, 0.85), rng.uniform(-high + 0.05, high - 0.05)
        for _ in range(3):
            angle = rng.integers(0, 8) * np.pi / 4
            end = (px + 0.25 * np.cos(angle), py + 0.25 * np.sin(angle))
            if abs(end[0]) < 0.87 and abs(end[1]) < high - 0.03:
                shapes.append((stroke_points((px, py), end, 0.014), trace))
                px, py = end
    solder = colour(rng, (0, 0.15), (0.7, 0.9))
    for _ in range(rng.integers(10, 40)):
        px, py = rng.uniform(-0.82, 0.82), rng.uniform(-high + 0.08, high - 0.08)
        shapes.append((ring_points(0.025, 12, px, py), solder))
    for _ in range(rng.integers(6, 22)):
        px, py = rng.uniform(-0.8, 0.8), rng.uniform(-high + 0.08, high - 0.08)
        turn = rng.integers(0, 2) * np.pi / 2
        shapes.append((bar_points(px, py, 0.05, 0.024, turn), solder))
        shapes.append((bar_points(px, py, 0.03, 0.024, turn), colour(rng, (0, 0.6), (0.05, 0.7))))
    for _ in range(rng.integers(1, 5)):
        shapes += _chip(rng, rng.uniform(-0.6, 0.6), rng.uniform(-high + 0.22, high - 0.22), solder)
    easel.sketch(shapes)
    for sx in (-0.82, 0.82):
        easel.carve(disc(x, y, 0.04, sx, high - 0.08))
    return easel.finish()


def _chip(
    rng: Rng, cx: float, cy: float, solder: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """A dark package with two rows of legs and a mark."""
    rx, ry = rng.uniform(0.08, 0.22), rng.uniform(0.07, 0.15)
    legs = np.arange(-rx + 0.03, rx, 0.05)
    shapes = [(bar_points(cx + leg, cy, 0.012, ry + 0.045), solder) for leg in legs]
    shapes.append((bar_points(cx, cy, rx, ry), colour(rng, (0, 0.1), (0.06, 0.2))))
    shapes.append((ring_points(0.018, 10, cx - rx + 0.035, cy - ry + 0.035), grey(0.45)))
    return [*shapes, (bar_points(cx, cy, rx * 0.6, 0.012), grey(0.55))]


def cable_section(rng: Rng, shape: Shape) -> Placed:
    """A cut cable: sheath, a few insulated cores, copper strands in each."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    easel.paint(disc(x, y, 0.96), colour(rng, (0, 0.4), (0.1, 0.85)), bevel=0.08)
    easel.paint(disc(x, y, 0.84), colour(rng, (0, 0.3), (0.3, 0.9)))
    count = int(rng.integers(2, 6))
    reach = 0.84 / (1 + 1 / np.sin(np.pi / max(count, 2)))
    offset = 0.84 - reach
    copper = colour(rng, (0.4, 0.7), (0.6, 0.9), (0.03, 0.09))
    shapes = []
    for turn in np.arange(count) * 2 * np.pi / count:
        cx, cy = offset * np.cos(turn), offset * np.sin(turn)
        easel.paint(
            disc(x, y, reach * 0.97, cx, cy), colour(rng, (0.3, 0.9), (0.3, 0.95)), bevel=0.06
        )
        size = reach * rng.uniform(0.12, 0.16)
        for ring in range(4):
            for spin in np.arange(max(1, 6 * ring)) * 2 * np.pi / max(1, 6 * ring):
                px, py = cx + 2 * ring * size * np.cos(spin), cy + 2 * ring * size * np.sin(spin)
                if np.hypot(px - cx, py - cy) < reach * 0.72:
                    ink = np.clip(copper * rng.uniform(0.7, 1.15), 0, 1)
                    shapes.append((ring_points(size * 0.95, 14, px, py), ink))
    easel.sketch(shapes)
    return easel.finish()


def toothbrush(rng: Rng, shape: Shape) -> Placed:
    """A brush head from above: tufts of bristles in rows on a rounded body."""
    easel = Easel(rng, ground(rng, shape), fill=(0.8, 1.0))
    x, y = easel.x, easel.y
    body = colour(rng, (0, 0.8), (0.4, 0.98))
    easel.paint(rod(x, y, (0.4, 0), (1.6, 0), 0.13), body, bevel=0.13, gloss=0.4)
    easel.paint(box(x, y, 0.72, 0.38, 0.3, -0.2, 0), body, bevel=0.2, gloss=0.3)
    inks = [colour(rng, (0, 0.8), (0.4, 1.0)) for _ in range(rng.integers(1, 4))]
    rows = int(rng.integers(3, 5))
    shapes = []
    for i, px in enumerate(np.linspace(-0.78, 0.38, int(rng.integers(7, 11)))):
        for j, py in enumerate(np.linspace(-0.26, 0.26, rows)):
            ink = inks[(i if rows == 3 else i + j) % len(inks)]
            for _ in range(9):
                jx, jy = rng.normal(0, 0.02, 2)
                shade = np.clip(ink * rng.uniform(0.65, 1.15), 0, 1)
                shapes.append((ring_points(0.028, 8, px + jx, py + jy), shade))
    easel.sketch(shapes)
    return easel.finish()


def transistor(rng: Rng, shape: Shape) -> Placed:
    """A three- or more-legged electronic part on a board or ground."""
    easel = Easel(rng, ground(rng, shape), turn=rng.choice([0.1, np.pi]))
    x, y = easel.x, easel.y
    lead = metal_colour(rng) * 1.1
    legs = int(rng.integers(2, 5))
    for px in np.linspace(-0.3, 0.3, legs):
        easel.paint(rod(x, y, (px, 0.1), (px * 1.3, 0.95), 0.045), lead, bevel=0.05, gloss=0.4)
    case = colour(rng, (0, 0.15), (0.07, 0.25)) if rng.random() < 0.7 else colour(rng, (0, 0.8))
    easel.paint(box(x, y, 0.5, 0.5, rng.uniform(0.03, 0.3), 0, -0.4), case, bevel=0.12, gloss=0.15)
    if rng.random() < 0.5:
        easel.paint(box(x, y, 0.5, 0.12, 0.03, 0, -0.82), lead, bevel=0.05)
        easel.carve(disc(x, y, 0.06, 0, -0.82))
    marks = [
        (bar_points(0, -0.45 + 0.12 * i, rng.uniform(0.1, 0.3), 0.025), grey(0.7)) for i in range(3)
    ]
    easel.sketch(marks[: rng.integers(1, 4)])
    _grain(easel, 0.08)
    return easel.finish()


def bracket(rng: Rng, shape: Shape) -> Placed:
    """A flat metal or plastic plate with corners, slots and drilled holes."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    metal = metal_colour(rng) if rng.random() < 0.7 else colour(rng, (0, 0.8), (0.2, 0.9))
    plate = box(x, y, 0.9, rng.uniform(0.25, 0.65), rng.uniform(0.02, 0.2))
    if rng.random() < 0.5:
        plate = np.minimum(
            box(x, y, 0.9, 0.25, 0.06, 0, 0.6), box(x, y, 0.25, 0.85, 0.06, -0.65, 0)
        )
    brushed = 1 + 0.05 * noise(rng, easel.shape, (1.0, 90 * easel.unit))
    easel.paint(plate, metal * brushed[..., None], bevel=rng.uniform(0.03, 0.1), depth=0.5)
    radius = rng.uniform(0.05, 0.12)
    for px, py in ((-0.65, 0.0), (0.6, 0.6), (0.65, 0.0), (-0.65, 0.6)):
        if plate[np.unravel_index(np.argmin(np.hypot(x - px, y - py)), x.shape)] < -radius:
            easel.carve(disc(x, y, radius, px, py))
    _grain(easel)
    return easel.finish()


def ceramic_tile(rng: Rng, shape: Shape) -> Placed:
    """One square or hexagonal tile with a glazed, speckled or veined face."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 1.0))
    x, y = easel.x, easel.y
    body = box(x, y, 0.9, 0.9, 0.06) if rng.random() < 0.7 else polygon(x, y, 6, 0.9)
    glaze = colour(rng, (0, 0.5), (0.4, 0.95))
    second = glaze * rng.uniform(0.6, 0.95)
    veins = step(fractal(rng, easel.shape, rng.uniform(6, 120) * easel.unit, 4), 0.3, 1)
    if rng.random() < 0.3:
        veins = (cells(rng, easel.shape, 30 * easel.unit)[1] > 0.6).astype(np.float32)
    easel.paint(body, mix(glaze, second, veins), bevel=0.08, gloss=rng.uniform(0, 0.5))
    if rng.random() < 0.4:
        rim = np.abs(oval(x, y, 0.6, 0.6)) - 0.02
        easel.paint(rim, colour(rng, (0.2, 0.9), (0.1, 0.7)))
    return easel.finish()
