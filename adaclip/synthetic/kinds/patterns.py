"""Surfaces with regular structure, and pictures with a frame of their own (cells, scans).

A function takes (rng, shape) and gives a surface (H, W, 3), or a surface with the foreground
(H, W) in which defects may lie. All float32, about 0-1.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from adaclip.synthetic.canvas.easel import box, disc, oval
from adaclip.synthetic.canvas.fields import (
    Rng,
    blur,
    cells,
    choose,
    colour,
    fractal,
    grey,
    grid,
    log_uniform,
    mix,
    noise,
    resize,
    step,
)
from adaclip.synthetic.kinds.materials import Shape

Framed = tuple[np.ndarray, np.ndarray]


def _turned(
    rng: Rng, shape: Shape, unit: float, wave: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in 518 px units, turned by a random angle and slightly wavy."""
    rows, columns = grid(shape)
    angle = rng.choice([0.0, np.pi / 4, rng.uniform(0, np.pi)], p=[0.5, 0.15, 0.35])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = (columns * cos + rows * sin) / unit, (rows * cos - columns * sin) / unit
    x = x + wave * noise(rng, shape, 60 * unit) + 2000
    return x.astype(np.float32), (y + wave * noise(rng, shape, 60 * unit) + 2000).astype(np.float32)


def woven_fabric(rng: Rng, shape: Shape) -> np.ndarray:
    """Plain, basket or twill weave of two yarns."""
    u = min(shape) / 518
    period = log_uniform(rng, 6, 32)
    x, y = _turned(rng, shape, u, rng.uniform(0, 2))
    columns, rows = x / period, y / period
    style = choose(rng, ("plain", "twill", "basket"))
    turn = columns.astype(np.int32) + rows.astype(np.int32)
    if style == "basket":
        turn = (columns / 2).astype(np.int32) + (rows / 2).astype(np.int32)
    over = (turn % (4 if style == "twill" else 2)) < (2 if style == "twill" else 1)
    across = np.where(over, columns % 1, rows % 1) * 2 - 1
    along = np.where(over, rows % 1, columns % 1) * 2 - 1
    shade = (1 - rng.uniform(0.3, 0.7) * across**2) * (1 - rng.uniform(0, 0.4) * along**2)
    shade += rng.uniform(0.02, 0.1) * noise(rng, shape, 1.5 * u)
    warp = colour(rng, (0, 0.6), (0.35, 0.95))
    weft = warp * rng.uniform(0.7, 1.1) if rng.random() < 0.7 else colour(rng, (0, 0.6), (0.3, 0.9))
    return mix(weft, warp, over.astype(np.float32)) * shade[..., None].astype(np.float32)


def knit(rng: Rng, shape: Shape) -> np.ndarray:
    """Rows of V-shaped stitches."""
    u = min(shape) / 518
    period = log_uniform(rng, 10, 36)
    x, y = _turned(rng, shape, u, 2)
    side = np.abs((x / period) % 1 - 0.5) * 2
    stitch = ((y / period) + side * 0.7) % 1
    shade = 0.55 + 0.45 * np.sin(stitch * np.pi) * (1 - 0.4 * np.abs(side - 0.5) * 2)
    shade += 0.07 * noise(rng, shape, 1.5 * u)
    return shade[..., None].astype(np.float32) * colour(rng, (0, 0.7), (0.4, 0.95))


def wire_grid(rng: Rng, shape: Shape) -> np.ndarray:
    """A metal mesh or honeycomb-like lattice over a plain ground."""
    u = min(shape) / 518
    period = log_uniform(rng, 16, 75)
    x, y = _turned(rng, shape, u, rng.uniform(0, 0.8))
    wire = rng.uniform(0.12, 0.3)
    lines = [np.abs((a / period) % 1 - 0.5) * 2 for a in (x, y)]
    profile = np.minimum(lines[0], lines[1]) / wire
    cover = step(-profile, -1, 4 / period)
    metal = grey(rng.uniform(0.35, 0.9)) * colour(rng, (0, 0.2), (1, 1))
    shade = 1 - 0.5 * np.clip(profile, 0, 1) ** 2 + 0.04 * noise(rng, shape, 2 * u)
    back = colour(rng, (0, 0.3), (0.02, 0.95))
    if abs(float(back.mean() - metal.mean())) < 0.25:
        back = metal * 0.2
    return mix(back, metal * shade[..., None].astype(np.float32), cover)


def perforated_sheet(rng: Rng, shape: Shape) -> np.ndarray:
    """Sheet metal with a lattice of round or square holes."""
    u = min(shape) / 518
    period = log_uniform(rng, 20, 90)
    x, y = _turned(rng, shape, u, 0)
    row = np.floor(y / period)
    shift = 0.5 * (row % 2) if rng.random() < 0.6 else 0 * row
    dx, dy = (x / period + shift) % 1 - 0.5, (y / period) % 1 - 0.5
    radius = rng.uniform(0.2, 0.38)
    far = np.hypot(dx, dy) if rng.random() < 0.75 else np.maximum(np.abs(dx), np.abs(dy))
    hole = step(-far, -radius, 1.6 / period)
    rim = np.exp(-(((far - radius) * 14) ** 2)) * np.sign(dx + dy) * rng.uniform(0, 0.25)
    sheet = grey(rng.uniform(0.4, 0.9)) * colour(rng, (0, 0.25), (1, 1))
    shade = 1 + rim + 0.03 * noise(rng, shape, (1.0, 80 * u))
    return mix(sheet * shade[..., None].astype(np.float32), grey(rng.uniform(0.02, 0.15)), hole)


def printed_pattern(rng: Rng, shape: Shape) -> np.ndarray:
    """A small motif printed again and again, as on packaging or wallpaper."""
    u = min(shape) / 518
    side = int(max(24, rng.uniform(50, 170) * u))
    paper, ink = colour(rng, (0, 0.5), (0.6, 1)), colour(rng, (0, 0.9), (0.05, 0.6))
    motif = Image.new("L", (side * 2, side * 2), 0)
    draw = ImageDraw.Draw(motif)
    for _ in range(rng.integers(2, 6)):
        cx, cy = rng.uniform(0.25, 1.75, 2) * side
        r = rng.uniform(0.08, 0.4) * side
        area = (cx - r, cy - r, cx + r, cy + r)
        shade = int(rng.uniform(90, 255))
        form = choose(rng, ("disc", "ring", "bar", "star"))
        if form == "disc":
            draw.ellipse(area, fill=shade)
        elif form == "ring":
            draw.ellipse(area, outline=shade, width=max(2, int(side * 0.06)))
        elif form == "bar":
            draw.rectangle((cx - r, cy - r / 3, cx + r, cy + r / 3), fill=shade)
        else:
            draw.regular_polygon((cx, cy, r), int(rng.integers(3, 7)), fill=shade)
    tile = np.asarray(motif.reduce(2), dtype=np.float32) / 255
    counts = (shape[0] // side + 2, shape[1] // side + 2)
    tiled = np.tile(tile, counts)[: shape[0], : shape[1]]
    surface = mix(paper, ink, tiled)
    return surface * (1 + 0.025 * noise(rng, shape, 2 * u))[..., None]


def stripes(rng: Rng, shape: Shape) -> np.ndarray:
    """Stripes, checks or corrugation."""
    u = min(shape) / 518
    x, y = _turned(rng, shape, u, rng.uniform(0, 1.5))
    period = log_uniform(rng, 14, 130)
    wave = np.sin(x * np.float32(2 * np.pi / period))
    if rng.random() < 0.4:
        wave = (wave + np.sin(y * np.float32(2 * np.pi / period))) * 0.7
    share = step(wave, rng.uniform(-0.4, 0.4), rng.choice([0.25, 2.0]))
    first, second = colour(rng, (0, 0.6), (0.3, 0.95)), colour(rng, (0, 0.6), (0.2, 0.9))
    return mix(first, second, share) * (1 + 0.03 * fractal(rng, shape, 8 * u, 3))[..., None]


def brick_wall(rng: Rng, shape: Shape) -> np.ndarray:
    """Bricks or floor tiles in rows with joints."""
    u = min(shape) / 518
    rows, columns = grid(shape)
    high = rng.uniform(45, 150) * u
    wide = high * rng.uniform(1, 3)
    row = np.floor(rows / high)
    shift = (row % 2) * 0.5 * rng.choice([0, 1]) + rng.random()
    column = columns / wide + shift
    joint = rng.uniform(2, 6) * u
    near_y = np.minimum(rows % high, high - rows % high)
    near_x = np.minimum(column % 1, 1 - column % 1) * wide
    gap = step(np.minimum(near_x, near_y), joint, 2 * u)
    tones = rng.random((64, 64), dtype=np.float32)
    tone = tones[row.astype(int) % 64, np.floor(column).astype(int) % 64]
    base = colour(rng, (0, 0.6), (0.35, 0.9), (0.95, 1.15))
    rough = rng.uniform(0.01, 0.09) * fractal(rng, shape, 9 * u, 3, 0.7)
    body = base * (0.85 + 0.25 * rng.random() * tone + rough)[..., None].astype(np.float32)
    mortar = grey(rng.uniform(0.3, 0.85)) * (1 + rough)[..., None]
    return mix(mortar, body, gap)


def solar_cell(rng: Rng, shape: Shape) -> Framed:
    """Electroluminescence-like cell: busbars, fine fingers, grain when polycrystalline."""
    u = min(shape) / 518
    rows, columns = grid(shape)
    y, x = rows / shape[0] * 2 - 1, columns / shape[1] * 2 - 1
    poly = rng.random() < 0.5
    half, corner = rng.uniform(0.93, 1.02), rng.uniform(0.04, 0.22) if not poly else 0.01
    edge = box(x + 0 * y, y + 0 * x, half, half, corner)
    tone = rng.uniform(0.45, 0.8) * (1 - rng.uniform(0, 0.35) * (x**2 + y**2) / 2)
    if poly:
        blotch = fractal(rng, shape, rng.uniform(25, 70) * u, 4, 0.6)
        tone = tone * (1 + rng.uniform(0.02, 0.12) * noise(rng, shape, 40 * u))
        tone = tone * (1 - rng.uniform(0.1, 0.5) * step(blotch, rng.uniform(0.3, 1.4), 0.9))
        if rng.random() < 0.4:
            tone = tone * (0.9 + 0.2 * cells(rng, shape, rng.uniform(30, 90) * u)[1])
    tone = tone * (1 + rng.uniform(0, 0.04) * noise(rng, shape, (200 * u, 6 * u)))
    if rng.random() < 0.5:
        fingers = np.sin(columns * np.float32(2 * np.pi / (rng.uniform(4, 12) * u)))
        tone = tone * (1 + rng.uniform(0.01, 0.05) * fingers)
    bars = int(rng.integers(2, 6))
    where = (np.arange(bars) + 0.5) / bars * 2 - 1
    distance = np.abs(y[..., None] - where).min(-1)
    dashes = step(np.sin(x * rng.uniform(15, 40) + rng.uniform(0, 6)), rng.choice([-2, 0]), 0.4)
    bar = step(-distance, -rng.uniform(0.008, 0.025), 0.012) * (0.4 + 0.6 * dashes)
    bar = bar * step(-np.abs(x), -rng.uniform(0.85, 1.1), 0.02)
    tone = tone * (1 - rng.uniform(0.5, 0.9) * bar)
    inside = step(-edge, 0, rng.uniform(0.01, 0.06))
    picture = (tone * inside + rng.uniform(0.02, 0.2) * (1 - inside))[..., None]
    tint = colour(rng, (0.3, 0.7), (0.8, 1), (0.55, 0.68)) if rng.random() < 0.2 else grey(1)
    return (picture * tint).astype(np.float32), inside.astype(np.float32)


def wafer(rng: Rng, shape: Shape) -> np.ndarray:
    """Dies or pads in a regular array, each with the same inner lines."""
    u = min(shape) / 518
    wide, high = int(rng.uniform(50, 150) * u) + 8, int(rng.uniform(50, 150) * u) + 8
    base, metal = colour(rng, (0, 0.6), (0.15, 0.6)), colour(rng, (0, 0.5), (0.5, 0.95))
    die = np.zeros((high, wide), np.float32)
    for _ in range(rng.integers(5, 14)):
        top, left = int(rng.uniform(0.1, 0.8) * high), int(rng.uniform(0.1, 0.8) * wide)
        tall, broad = (
            int(rng.uniform(0.03, 0.35) * high) + 1,
            int(rng.uniform(0.03, 0.35) * wide) + 1,
        )
        die[top : min(top + tall, high - 3), left : min(left + broad, wide - 3)] = rng.uniform(
            0.2, 1
        )
    die[:2], die[:, :2] = 0.6, 0.6
    counts = (shape[0] // high + 2, shape[1] // wide + 2)
    tiled = np.tile(die, counts)[: shape[0], : shape[1]]
    return mix(base, metal, tiled) * (1 + 0.03 * noise(rng, shape, 3 * u))[..., None]


def tissue_slide(rng: Rng, shape: Shape) -> np.ndarray:
    """Stained tissue: fibrous ground, many dark round nuclei, pale openings."""
    u = min(shape) / 518
    pale = colour(rng, (0.1, 0.35), (0.8, 0.95), (0.8, 0.97))
    stain = colour(rng, (0.35, 0.6), (0.6, 0.8), (0.76, 0.93))
    tissue = mix(pale, stain, step(fractal(rng, shape, 60 * u, 4, 0.7), 0, 3))
    gap, label = cells(rng, shape, rng.uniform(12, 26) * u)
    nuclei = step(gap, rng.uniform(0.35, 0.5), 0.2) * (label > rng.uniform(0.1, 0.6))
    dark = colour(rng, (0.4, 0.65), (0.3, 0.5), (0.68, 0.78))
    tissue = mix(tissue, dark, nuclei * rng.uniform(0.5, 0.9))
    if rng.random() < 0.5:
        openings = step(fractal(rng, shape, 80 * u, 2), rng.uniform(1, 1.6), 0.1)
        tissue = mix(tissue, grey(0.93), openings)
    return tissue


def brain_scan(rng: Rng, shape: Shape) -> Framed:
    """Head slice: bright rim, folded grey inside, two dark ventricles, mirrored left to right."""
    rows, columns = grid(shape)
    y, x = rows / shape[0] * 2 - 1, columns / shape[1] * 2 - 1
    turn = rng.uniform(-0.15, 0.15)
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    x = (x + rng.uniform(-0.06, 0.06)).astype(np.float32)
    y = y.astype(np.float32)
    rx, ry = rng.uniform(0.62, 0.8), rng.uniform(0.75, 0.93)
    half = fractal(rng, (shape[0], shape[1] // 2 + 1), shape[0] * 0.05, 4, 0.65)
    folds = np.concatenate([half[:, ::-1], half], 1)[:, : shape[1]]
    wobble = 0.012 * noise(rng, shape, shape[0] * 0.12)
    head = oval(x, y, rx, ry) + wobble
    bone = rng.uniform(0.04, 0.1)
    matter = rng.uniform(0.25, 0.5) + rng.uniform(0.01, 0.08) * folds
    matter = matter + rng.uniform(-0.1, 0.12) * step(head, -0.22, 0.12)
    matter = matter - rng.uniform(0.03, 0.15) * np.exp(-((x / 0.012) ** 2))
    size = rng.uniform(0.08, 0.2)
    side = oval(
        np.abs(x) - rng.uniform(0.05, 0.12), y + rng.uniform(-0.05, 0.1), size * 0.45, size * 1.5
    )
    matter = matter - rng.uniform(0.12, 0.3) * step(-side, 0, 0.04)
    inner = step(-head, bone, 0.02)
    rim_tone = rng.uniform(0.75, 1) if rng.random() < 0.65 else rng.uniform(0.05, 0.3)
    tone = matter * inner + rim_tone * step(-head, 0, 0.015) * (1 - inner)
    tone = tone + rng.uniform(0, 0.03)
    picture = np.repeat(np.clip(tone, 0, 1)[..., None], 3, 2).astype(np.float32)
    return picture, inner.astype(np.float32)


def eye_fundus(rng: Rng, shape: Shape) -> Framed:
    """Retina: reddish disc, bright nerve head, dark vessels that fork out of it."""
    rows, columns = grid(shape)
    y, x = rows / shape[0] * 2 - 1, columns / shape[1] * 2 - 1
    x, y = (x + 0 * y).astype(np.float32), (y + 0 * x).astype(np.float32)
    edge = disc(x, y, rng.uniform(0.85, 1.3))
    base = colour(rng, (0.55, 0.85), (0.55, 0.9), (0.02, 0.08))
    tone = 1 - 0.25 * (x**2 + y**2) + 0.05 * fractal(rng, shape, shape[0] * 0.1, 4)
    nerve_x, nerve_y = rng.choice([-1, 1]) * rng.uniform(0.3, 0.5), rng.uniform(-0.1, 0.1)
    canvas = Image.new("L", (shape[1], shape[0]), 0)
    draw = ImageDraw.Draw(canvas)
    for angle in np.arange(10) * 0.63 + rng.uniform(-0.25, 0.25, 10):
        bend = np.cumsum(rng.normal(0, 0.12, 30))
        steps = np.stack([np.cos(angle + bend), np.sin(angle + bend)], 1) * 0.05
        path = np.cumsum(steps, 0) + np.array((nerve_x, nerve_y))
        points = [((px + 1) / 2 * shape[1], (py + 1) / 2 * shape[0]) for px, py in path]
        width = rng.uniform(0.003, 0.012) * shape[0]
        for start, end, thin in zip(points, points[1:], np.linspace(1, 0.2, 29), strict=False):
            draw.line((*start, *end), fill=255, width=max(1, int(width * thin + 0.5)))
    vessels = blur(np.asarray(canvas, dtype=np.float32) / 255, 0.002 * shape[0])
    eye = base * (tone * (1 - rng.uniform(0.25, 0.5) * vessels))[..., None]
    glow = np.exp(-((np.hypot(x - nerve_x, y - nerve_y) / 0.12) ** 4)).astype(np.float32)
    eye = mix(eye, colour(rng, (0.2, 0.5), (0.9, 1), (0.1, 0.15)), glow * 0.8)
    inside = step(-edge, 0, 0.02)
    return eye * inside[..., None], inside


def body_scan(rng: Rng, shape: Shape) -> Framed:
    """Slice of a trunk or limb: smooth organs of several greys within an oval outline."""
    rows, columns = grid(shape)
    y, x = rows / shape[0] * 2 - 1, columns / shape[1] * 2 - 1
    x, y = (x + 0 * y).astype(np.float32), (y + 0 * x).astype(np.float32)
    x = x + 0.03 * noise(rng, shape, shape[0] * 0.2)
    body = oval(x, y, rng.uniform(0.75, 0.95), rng.uniform(0.55, 0.9))
    tone = rng.uniform(0.3, 0.5) + 0.02 * fractal(rng, shape, shape[0] * 0.06, 4, 0.7)
    for _ in range(rng.integers(3, 8)):
        cx, cy = rng.uniform(-0.5, 0.5), rng.uniform(-0.4, 0.4)
        organ = oval(x, y, rng.uniform(0.08, 0.32), rng.uniform(0.08, 0.28), cx, cy)
        tone = tone + rng.uniform(-0.2, 0.25) * step(-organ, 0, 0.02)
        if rng.random() < 0.6:
            organ = oval(-x, y, rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.25), cx, cy)
            tone = tone + rng.uniform(-0.15, 0.2) * step(-organ, 0, 0.02)
    tone = tone + rng.uniform(0, 0.4) * step(body, -rng.uniform(0.02, 0.06), 0.02)
    speckle = resize(rng.standard_normal((shape[0] // 2, shape[1] // 2), dtype=np.float32), shape)
    tone = tone * (1 + rng.uniform(0, 0.12) * speckle)
    inside = step(-body, 0, 0.02)
    picture = np.repeat(np.clip(tone * inside, 0, 1)[..., None], 3, 2)
    return picture.astype(np.float32), inside.astype(np.float32)
