"""More made and eaten things on a ground: machine parts, electronics, kitchenware, food.

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
)
from adaclip.synthetic.canvas.fields import Rng, colour, fractal, grey, mix, noise, relief, step
from adaclip.synthetic.canvas.grounds import ground
from adaclip.synthetic.kinds.hardware import Placed, metal_colour
from adaclip.synthetic.kinds.materials import Shape


def bearing(rng: Rng, shape: Shape) -> Placed:
    """A ball bearing: two rings, balls in a cage or a dust seal, turned faces."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    metal = metal_colour(rng)
    far, turn = np.hypot(x, y), np.arctan2(y, x)
    easel.paint(disc(x, y, 0.95), metal, bevel=0.07, depth=0.6, gloss=rng.uniform(0, 0.5))
    easel.paint(np.abs(far - 0.62) - 0.17, metal * 0.35, bevel=0.03)
    if rng.random() < 0.7:
        count = int(rng.integers(7, 14))
        around = ((turn / (2 * np.pi) * count + 5) % 1 - 0.5) * 2 * np.pi / count * 0.62
        ball = np.hypot(far - 0.62, around) - min(0.15, 1.7 / count)
        easel.paint(ball.astype(np.float32), metal * 1.2, bevel=0.13, depth=0.6, gloss=0.6)
    else:
        easel.paint(np.abs(far - 0.62) - 0.15, colour(rng, (0, 0.8), (0.05, 0.5)), bevel=0.05)
    easel.paint(np.abs(far - 0.38) - 0.08, metal, bevel=0.05, depth=0.6)
    glints = np.clip(np.cos(turn * 2 + rng.uniform(0, 6)), 0, 1) ** 8 * rng.uniform(0.1, 0.7)
    easel.tone(glints * (np.abs(far - 0.62) > 0.18))
    easel.carve(disc(x, y, 0.31))
    return easel.finish()


def pipe_fitting(rng: Rng, shape: Shape) -> Placed:
    """A bent or straight tube with collars, round and shiny or painted."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    metal = metal_colour(rng) if rng.random() < 0.7 else colour(rng, (0, 0.8), (0.1, 0.9))
    r = rng.uniform(0.17, 0.3)
    if rng.random() < 0.6:
        ring = np.abs(np.hypot(x - 0.55, y - 0.55) - 0.75) - r
        pipe = np.maximum(ring, np.maximum(x - 0.55, y - 0.55))
        collars = (
            box(x, y, 0.09, r * 1.3, 0.03, 0.6, -0.2),
            box(x, y, r * 1.3, 0.09, 0.03, -0.2, 0.6),
        )
    else:
        pipe = np.maximum(np.abs(y) - r, np.abs(x) - 0.8)
        collars = (box(x, y, 0.1, r * 1.3, 0.03, -0.78, 0), box(x, y, 0.1, r * 1.3, 0.03, 0.78, 0))
    easel.paint(pipe.astype(np.float32), metal, bevel=r, depth=0.7, gloss=rng.uniform(0, 0.8))
    for collar in collars:
        easel.paint(collar, metal * rng.uniform(0.8, 1.1), bevel=0.08, depth=0.6, gloss=0.3)
    easel.sheen(pipe, int(rng.integers(0, 4)), rng.uniform(0.3, 0.9))
    grain = rng.uniform(0.01, 0.08) * fractal(rng, easel.shape, rng.uniform(2, 9) * easel.unit, 2)
    easel.tone(grain)
    return easel.finish()


def spring(rng: Rng, shape: Shape) -> Placed:
    """A coil spring from the side: evenly wound shiny wire."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 1.0))
    x, y = easel.x, easel.y
    metal = metal_colour(rng)
    pitch, r = rng.uniform(0.13, 0.24), rng.uniform(0.2, 0.36)
    wire = pitch * rng.uniform(0.18, 0.3)
    for side, tone in ((-1, 0.55), (1, 1.1)):
        lean = side * pitch / 4 * y / r
        turns = np.abs((x + lean) / pitch % 1 - 0.5) * pitch - wire
        coil = np.maximum(turns, np.maximum(np.abs(y) - r, np.abs(x) - 0.85))
        easel.paint(
            coil.astype(np.float32), metal * tone, bevel=wire, depth=0.6, gloss=rng.uniform(0, 0.6)
        )
    round_tone = -0.5 * np.clip(np.abs(y) / r, 0, 1) ** 3
    easel.tone(round_tone.astype(np.float32))
    return easel.finish()


def cutlery(rng: Rng, shape: Shape) -> Placed:
    """A spoon, fork or spatula: bowl and handle in polished metal or plastic."""
    easel = Easel(rng, ground(rng, shape), fill=(0.8, 1.0))
    x, y = easel.x, easel.y
    metal = metal_colour(rng) if rng.random() < 0.7 else colour(rng, (0, 0.9), (0.2, 0.95))
    bowl = oval(x, y, rng.uniform(0.28, 0.36), rng.uniform(0.17, 0.25), -0.58, 0)
    handle = np.maximum(np.abs(y) - 0.045 - 0.05 * step(x, 0.4, 1.2), np.abs(x - 0.3) - 0.65)
    body = blend(bowl, handle, 0.08)
    easel.paint(body, metal, bevel=0.06, depth=0.6, gloss=rng.uniform(0, 0.6))
    if rng.random() < 0.4:
        slots = np.maximum(np.abs((y / 0.09) % 1 - 0.5) * 0.09 - 0.02, x + 0.6)
        easel.carve(np.maximum(slots, np.abs(y) - 0.16).astype(np.float32))
    else:
        easel.paint(oval(x, y, 0.24, 0.14, -0.58, 0), metal * 0.9, bevel=0.12, depth=-0.6)
    easel.sheen(body, int(rng.integers(0, 5)), rng.uniform(0.4, 0.95))
    return easel.finish()


def mug(rng: Rng, shape: Shape) -> Placed:
    """A cup or mug upright: glazed body, handle, rim, printed band or badge."""
    easel = Easel(rng, ground(rng, shape), fill=(0.7, 0.95), turn=0.2)
    x, y = easel.x, easel.y
    glaze = colour(rng, (0, 0.8), (0.2, 0.98))
    wide = rng.uniform(0.45, 0.6)
    handle = np.abs(oval(x, y, 0.26, 0.34, wide + 0.06, 0.05)) - 0.055
    easel.paint(handle, glaze, bevel=0.06, depth=0.5, gloss=0.3)
    taper = wide * (1 - rng.uniform(-0.1, 0.25) * step(y, 0, 1.6))
    body = np.maximum(np.abs(x) - taper, np.abs(y) - 0.7).astype(np.float32)
    shade = 1 - rng.uniform(0.3, 0.6) * np.clip(np.abs(x) / wide, 0, 1) ** 3
    easel.paint(body, glaze * shade[..., None])
    band = colour(rng, (0, 0.9), (0.05, 0.95))
    if rng.random() < 0.5:
        easel.paint(np.maximum(body, np.abs(y - 0.3) - 0.12), band * shade[..., None])
    else:
        easel.sketch([(ring_points(0.2, int(rng.integers(3, 30)), -0.05, 0.1), band)])
    easel.paint(oval(x, y, taper.mean() + 0.04, 0.1, 0, -0.7), glaze * 0.5, bevel=0.04, depth=0.7)
    easel.sheen(body, int(rng.integers(1, 4)), rng.uniform(0.2, 0.9))
    return easel.finish()


def chip_package(rng: Rng, shape: Shape) -> Placed:
    """An integrated circuit: dark case with printed lines, notch, pins on two or four sides."""
    easel = Easel(rng, ground(rng, shape), turn=rng.choice([0.15, np.pi]))
    x, y = easel.x, easel.y
    lead = colour(rng, (0, 0.2), (0.55, 0.95))
    rx, ry = rng.uniform(0.5, 0.78), rng.uniform(0.3, 0.7)
    pitch, long = rng.uniform(0.09, 0.2), rng.uniform(0.1, 0.25)
    shapes = []
    for px in np.arange(-rx + pitch * 0.6, rx - pitch * 0.4, pitch):
        shapes.append((bar_points(px, 0, pitch * 0.22, ry + long), lead))
        shapes.append((bar_points(px, ry + long * 0.8, pitch * 0.22, long * 0.2), lead * 0.6))
    if rng.random() < 0.5:
        for py in np.arange(-ry + pitch * 0.6, ry - pitch * 0.4, pitch):
            shapes.append((bar_points(0, py, rx + long, pitch * 0.22), lead))
    easel.sketch(shapes)
    case = colour(rng, (0, 0.2), (0.06, 0.3))
    easel.paint(box(x, y, rx, ry, 0.03), case, bevel=0.06, depth=0.5, gloss=0.1)
    easel.paint(disc(x, y, 0.045, -rx + 0.1, ry - 0.1), case * 1.5, bevel=0.03)
    ink = grey(rng.uniform(0.5, 0.9))
    text = []
    for row in range(int(rng.integers(1, 4))):
        at = -0.5 * rx
        while at < 0.5 * rx:
            letter = rng.uniform(0.02, 0.06)
            text.append((bar_points(at, (row - 1) * 0.16, letter / 2, 0.045), ink))
            at += letter + 0.03
    easel.sketch(text)
    easel.tone(0.05 * noise(rng, easel.shape, 1.5 * easel.unit))
    return easel.finish()


def battery(rng: Rng, shape: Shape) -> Placed:
    """A cylindrical cell lying down: metal caps, printed sleeve with bands and signs."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 1.0))
    x, y = easel.x, easel.y
    r = rng.uniform(0.22, 0.36)
    metal = colour(rng, (0, 0.1), (0.6, 0.9))
    easel.paint(box(x, y, 0.08, r * 0.4, 0.02, 0.88, 0), metal, bevel=0.05)
    round_tone = (1 - 0.65 * np.clip(np.abs(y + 0.25 * r) / (1.25 * r), 0, 1) ** 2.5)[..., None]
    body = box(x, y, 0.84, r, 0.04)
    easel.paint(body, colour(rng, (0, 0.9), (0.05, 0.9)) * round_tone)
    for _ in range(int(rng.integers(1, 4))):
        band = np.abs(x - rng.uniform(-0.8, 0.8)) - rng.uniform(0.02, 0.25)
        easel.paint(np.maximum(band, body), colour(rng, (0, 0.9), (0.1, 0.95)) * round_tone)
    ink = colour(rng, (0, 0.4), (0.7, 1)) if rng.random() < 0.5 else grey(0.08)
    marks = [(0.6, 0.07, 0.02), (0.6, 0.02, 0.07), (-0.65, 0.07, 0.02)]
    easel.sketch([(bar_points(px, 0, rx, ry), ink) for px, rx, ry in marks])
    stripe = np.exp(-(((y + r * 0.4) / (0.12 * r)) ** 2)) * rng.uniform(0, 0.6)
    easel.tone(stripe.astype(np.float32), body)
    return easel.finish()


def blister_pack(rng: Rng, shape: Shape) -> Placed:
    """A card of foil with clear domes, a tablet in each."""
    easel = Easel(rng, ground(rng, shape), fill=(0.8, 1.0))
    x, y = easel.x, easel.y
    foil = colour(rng, (0, 0.25), (0.6, 0.9))
    high = rng.uniform(0.45, 0.75)
    dots = 1 + rng.uniform(0, 0.08) * np.sin(x * 110) * np.sin(y * 110)
    easel.paint(box(x, y, 0.94, high, 0.08), foil * dots[..., None].astype(np.float32), bevel=0.03)
    across, down = int(rng.integers(3, 6)), int(rng.integers(2, 4))
    px, py = 1.8 / across, 2 * (high - 0.06) / down
    dx, dy = (x + 0.9) % px - px / 2, (y + high - 0.06) % py - py / 2
    inside = box(x, y, 0.9, high - 0.06)
    size = min(px, py) * rng.uniform(0.3, 0.38)
    dome = np.maximum(disc(dx, dy, size * 1.15), inside)
    easel.paint(dome, foil * 1.05, bevel=size * 0.4, depth=0.5, gloss=0.4, opacity=0.8)
    tablet = np.maximum(oval(dx, dy, size * 0.85, size * rng.uniform(0.5, 0.85)), inside)
    easel.paint(tablet, colour(rng, (0, 0.8), (0.5, 0.98)), bevel=size * 0.3, depth=0.4)
    glint = np.maximum(oval(dx, dy, size * 0.3, size * 0.12, -size * 0.3, -size * 0.5), inside)
    easel.paint(glint, grey(1.0), opacity=rng.uniform(0.2, 0.8))
    return easel.finish()


def lamp_bulb(rng: Rng, shape: Shape) -> Placed:
    """A light bulb: glass body, screw base, filament or frosted."""
    easel = Easel(rng, ground(rng, shape), fill=(0.75, 0.98))
    x, y = easel.x, easel.y
    body = blend(disc(x, y, 0.52, 0, -0.38), box(x, y, 0.2, 0.3, 0.08, 0, 0.2), 0.3)
    glass = colour(rng, (0, 0.4), (0.6, 0.98), (0.08, 0.16))
    clear = rng.random() < 0.5
    opacity = rng.uniform(0.25, 0.6) if clear else 1.0
    easel.paint(body, glass, bevel=0.3, depth=0.5, gloss=0.4, opacity=opacity)
    if clear:
        wire = np.abs(y + 0.4 + 0.08 * np.sin(x * 45)) - 0.015
        easel.paint(np.maximum(wire, np.abs(x) - 0.25).astype(np.float32), grey(0.2))
    easel.sheen(body, int(rng.integers(1, 5)), rng.uniform(0.3, 0.9))
    metal = metal_colour(rng)
    thread = 1 + 0.35 * np.sin((y + 0.1 * x) * rng.uniform(60, 90))
    sleeve = box(x, y, 0.2, 0.2, 0.03, 0, 0.66)
    easel.paint(sleeve, metal * thread[..., None].astype(np.float32), bevel=0.12, depth=0.5)
    easel.paint(oval(x, y, 0.1, 0.06, 0, 0.88), grey(0.12), bevel=0.04)
    easel.alpha = np.maximum(easel.alpha, easel.cover(body))
    return easel.finish()


def bread(rng: Rng, shape: Shape) -> Placed:
    """A loaf, roll, doughnut or slice: browned crust, crumb or icing with sprinkles."""
    easel = Easel(rng, ground(rng, shape))
    x, y = easel.x, easel.y
    u = easel.unit
    crust = colour(rng, (0.45, 0.75), (0.45, 0.85), (0.06, 0.1))
    wobble = 0.03 * noise(rng, easel.shape, 70 * u)
    form = int(rng.integers(3))
    body = (oval(x, y, 0.9, 0.55), disc(x, y, 0.85), box(x, y, 0.75, 0.7, 0.3))[form] + wobble
    brown = mix(crust, crust * 0.6, step(fractal(rng, easel.shape, 90 * u, 3), 0, 3))
    easel.paint(body, brown, bevel=0.45, depth=0.5, gloss=rng.uniform(0, 0.2))
    if form == 2:
        crumb = 1 - 0.3 * step(noise(rng, easel.shape, 6 * u), 1.2, 0.8)
        pale = colour(rng, (0.1, 0.35), (0.8, 0.97), (0.08, 0.13))
        easel.paint(body + 0.09, pale * crumb[..., None], bevel=0.03)
    elif form == 1:
        icing = colour(rng, (0.1, 0.8), (0.3, 0.98))
        easel.paint(disc(x, y, 0.68) + 1.5 * wobble, icing, bevel=0.1, gloss=0.4)
        dots = []
        for _ in range(int(rng.integers(0, 45))):
            px, py = rng.normal(0, 0.32, 2)
            ink = colour(rng, (0.2, 1), (0.3, 1))
            dots.append((bar_points(px, py, 0.04, 0.012, rng.uniform(0, 3)), ink))
        easel.sketch(dots)
        if rng.random() < 0.7:
            easel.carve(disc(x, y, 0.22))
    else:
        cuts = np.abs((x + 0.5 * y) / 0.35 % 1 - 0.5) * 0.35 - 0.03
        easel.paint(np.maximum(cuts, body + 0.15).astype(np.float32), crust * 1.3, bevel=0.03)
    easel.tone(relief(fractal(rng, easel.shape, 8 * u, 3, 0.7), easel.light, 0.06))
    return easel.finish()


def loose_parts(rng: Rng, shape: Shape) -> Placed:
    """Many like parts strewn about, each turned its own way: rivets, beans, rings, pegs, nuts."""
    easel = Easel(rng, ground(rng, shape), fill=(0.95, 1.05))
    count = int(rng.integers(2, 6))
    pitch = 2.0 / count
    column, row = np.floor(easel.x / pitch + 8), np.floor(easel.y / pitch + 8)
    index = (row.astype(int) % 16, column.astype(int) % 16)
    turn = rng.uniform(0, 2 * np.pi, (16, 16)).astype(np.float32)[index]
    jitter = rng.uniform(-0.14, 0.14, (2, 16, 16)).astype(np.float32) * pitch
    there = (rng.random((16, 16)) < rng.uniform(0.6, 1))[index]
    dx = (easel.x / pitch + 8 - column - 0.5) * pitch + jitter[0][index]
    dy = (easel.y / pitch + 8 - row - 0.5) * pitch + jitter[1][index]
    cos, sin = np.cos(turn), np.sin(turn)
    dx, dy = dx * cos + dy * sin, dy * cos - dx * sin
    size = pitch * rng.uniform(0.28, 0.36)
    forms = (
        lambda: oval(dx, dy + 0.5 * dx * dx / size, size, size * 0.5),
        lambda: np.minimum(
            rod(dx, dy, (-size * 0.6, 0), (size, 0), size * 0.16),
            box(dx, dy, size * 0.16, size * 0.45, size * 0.05, -size * 0.75),
        ),
        lambda: np.abs(polygon(dx, dy, 6, size * 0.65)) - size * 0.22,
        lambda: box(dx, dy, size, size * rng.uniform(0.25, 0.7), size * 0.2),
        lambda: np.abs(np.hypot(dx, dy) - size * 0.7) - size * 0.15,
    )
    far = np.where(there, forms[int(rng.integers(len(forms)))](), 1.0).astype(np.float32)
    tint = metal_colour(rng) if rng.random() < 0.5 else colour(rng, (0, 0.9), (0.2, 0.95))
    easel.paint(far, tint, bevel=size * 0.3, depth=0.55, gloss=rng.uniform(0, 0.6))
    easel.tone(rng.uniform(0.01, 0.1) * fractal(rng, easel.shape, 6 * easel.unit, 2))
    return easel.finish()
