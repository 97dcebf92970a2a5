"""More surfaces that fill the picture: roads, slabs, cells, castings, mats and prints.

A function takes (rng, shape) and gives a surface (H, W, 3), or a surface with the foreground
(H, W) in which defects may lie. All float32, about 0-1.
"""

from __future__ import annotations

import numpy as np

from adaclip.synthetic.canvas.easel import box
from adaclip.synthetic.canvas.fields import (
    Rng,
    blur,
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
from adaclip.synthetic.canvas.grounds import cast_shadow
from adaclip.synthetic.canvas.shapes import Stroke, fill_polygons, fill_strokes, walk
from adaclip.synthetic.kinds import materials
from adaclip.synthetic.kinds.materials import Shape

Framed = tuple[np.ndarray, np.ndarray]


def _unit(shape: Shape) -> float:
    """Pixels per pixel of a 518 px picture."""
    return min(shape) / 518


def _line(rng: Rng, shape: Shape) -> np.ndarray:
    """(H, W) distance, in pixels, from a straight line somewhere in the picture."""
    rows, columns = grid(shape)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)], p=[0.3, 0.3, 0.4])
    at_row, at_column = rng.uniform(0.1, 0.9, 2) * shape
    across = (rows - at_row) * np.cos(angle) + (columns - at_column) * np.sin(angle)
    return across.astype(np.float32)


def marked_road(rng: Rng, shape: Shape) -> np.ndarray:
    """Asphalt or concrete road with paint lines, tyre tracks, sealed joints and shadows."""
    u = _unit(shape)
    base = materials.asphalt if rng.random() < 0.7 else materials.concrete
    road = base(rng, shape)
    if rng.random() < 0.5:
        track = step(-np.abs(_line(rng, shape)), -rng.uniform(40, 120) * u, 70 * u)
        road = road * (1 - rng.uniform(0.05, 0.2) * track)[..., None]
    for _ in range(int(rng.integers(0, 3))):
        half = rng.uniform(6, 45) * u
        line = step(-np.abs(_line(rng, shape)), -half, 1.5)
        worn = step(fractal(rng, shape, 12 * u, 3, 0.8), -rng.uniform(0.3, 2.2), 0.5)
        paint = colour(rng, (0, 0.15), (0.75, 0.98))
        if rng.random() < 0.3:
            paint = colour(rng, (0.6, 0.95), (0.7, 0.95), (0.1, 0.15))
        road = mix(road, paint * (0.4 + 0.6 * road), line * worn * rng.uniform(0.6, 1))
    if rng.random() < 0.25:
        joint = step(-np.abs(_line(rng, shape)), -rng.uniform(1.5, 5) * u, 1.5)
        road = road * (1 - rng.uniform(0.3, 0.8) * joint)[..., None]
    return road * cast_shadow(rng, shape, outdoors=True)[..., None] if rng.random() < 0.5 else road


def paving(rng: Rng, shape: Shape) -> np.ndarray:
    """Slabs of concrete or stone parted by straight joints, each of its own tone."""
    u = _unit(shape)
    rows, columns = grid(shape)
    high, wide = rng.uniform(130, 400, 2) * u
    down, right = rows / high + rng.random(), columns / wide + rng.random()
    near_y = np.minimum(down % 1, 1 - down % 1) * high
    near_x = np.minimum(right % 1, 1 - right % 1) * wide
    wobble = rng.uniform(0, 1.2) * u * noise(rng, shape, 7 * u)
    joint = step(-(np.minimum(near_x, near_y) + wobble), -rng.uniform(1.5, 6) * u, 1.5 * u)
    tones = 1 + rng.uniform(0, 0.12) * rng.standard_normal((32, 32)).astype(np.float32)
    tone = tones[down.astype(int) % 32, right.astype(int) % 32]
    base = (materials.concrete, materials.granite, materials.asphalt)[int(rng.integers(3))]
    slab = base(rng, shape) * tone[..., None]
    filling = grey(rng.uniform(0.08, 0.4)) * (1 + 0.2 * noise(rng, shape, 1.5 * u))[..., None]
    return mix(slab, filling, joint * rng.uniform(0.6, 1))


def mottled_steel(rng: Rng, shape: Shape) -> np.ndarray:
    """Pickled or oxidised steel: cloudy grey, grainy, sometimes strongly mottled."""
    u = _unit(shape)
    tone = rng.uniform(0.3, 0.75) + rng.uniform(0.02, 0.09) * fractal(rng, shape, 120 * u, 5, 0.7)
    tone += rng.uniform(0.01, 0.07) * noise(rng, shape, rng.uniform(1, 3.5) * u)
    if rng.random() < 0.5:
        tone += rng.uniform(0.01, 0.05) * noise(rng, shape, (rng.uniform(60, 400) * u, 4 * u))
    if rng.random() < 0.3:
        grain = cells(rng, shape, rng.uniform(8, 30) * u)[1]
        tone += rng.uniform(0.02, 0.08) * (grain - 0.5)
    return tone[..., None] * colour(rng, (0, 0.06), (0.9, 1), (0.5, 0.65))


def machined_face(rng: Rng, shape: Shape) -> Framed:
    """A rounded, finely ground part filling the picture: bright ridges, dark sides beyond it."""
    u = _unit(shape)
    columns = grid(shape)[1] / shape[1]
    left, right = rng.uniform(-0.05, 0.12), 1 - rng.uniform(-0.05, 0.12)
    tilt = rng.uniform(-0.04, 0.04) * (grid(shape)[0] / shape[0] - 0.5)
    across = (columns + tilt - left) / (right - left)
    body = np.clip(1 - np.abs(across * 2 - 1) ** rng.uniform(2, 8), 0, 1) ** 0.5
    lines = noise(rng, shape, (rng.uniform(60, 900) * u, 1.4 * u))
    lines = lines + 0.8 * noise(rng, shape, (rng.uniform(300, 1500) * u, rng.uniform(3, 14) * u))
    tone = rng.uniform(0.18, 0.6) * (0.35 + 0.65 * body)
    tone = tone * (1 + rng.uniform(0.05, 0.3) * lines)
    for _ in range(int(rng.integers(0, 4))):
        glare = np.exp(-(((across - rng.uniform(0, 1)) / rng.uniform(0.02, 0.15)) ** 2))
        patchy = step(noise(rng, shape, (170 * u, 40 * u)), 0, 2)
        tone = tone + rng.uniform(0.05, 0.3) * glare * patchy
    tone = tone + rng.uniform(0.004, 0.02) * noise(rng, shape, 1)
    inside = step(np.minimum(across, 1 - across), 0, 0.012).astype(np.float32)
    tone = tone * inside + rng.uniform(0.01, 0.08) * (1 - inside)
    return np.repeat(tone[..., None], 3, 2).astype(np.float32), inside


def _cell_frame(rng: Rng, shape: Shape, corner: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates -1 to 1 and the soft-edged outline of a wafer."""
    rows, columns = grid(shape)
    y, x = np.broadcast_arrays(rows / shape[0] * 2 - 1, columns / shape[1] * 2 - 1)
    half = rng.uniform(0.93, 1.02)
    edge = box(x, y, half, half, corner)
    return x, y, step(-edge, 0, rng.uniform(0.02, 0.1))


def _busbars(rng: Rng, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(H, W) gain of the dark bars, whole or dashed, and of the fine fingers across them."""
    bars = int(rng.integers(2, 6))
    where = (np.arange(bars) + 0.5) / bars * 2 - 1
    distance = np.abs(y[..., None] - where.astype(np.float32)).min(-1)
    line = step(-distance, -rng.uniform(0.004, 0.014), 0.015)
    if rng.random() < 0.5:
        dash = step(
            np.sin(x * rng.uniform(12, 30) + rng.uniform(0, 6)), rng.uniform(-0.3, 0.4), 0.3
        )
        thick = step(-distance, -rng.uniform(0.015, 0.03), 0.015)
        line = np.maximum(line * 0.7, thick * dash)
    line = line * step(-np.abs(x), -rng.uniform(0.88, 1.1), 0.02)
    fingers = np.sin(x * np.float32(rng.uniform(90, 260)))
    return (1 - rng.uniform(0.45, 0.9) * line) * (1 + rng.uniform(0, 0.03) * fingers)


def mono_cell(rng: Rng, shape: Shape) -> Framed:
    """Luminescence picture of a monocrystalline cell: even, cut corners, faint rings and specks."""
    u = _unit(shape)
    x, y, inside = _cell_frame(rng, shape, rng.uniform(0.1, 0.35))
    far = np.hypot(x, y)
    tone = rng.uniform(0.35, 0.85) * (1 - rng.uniform(0, 0.3) * far**2)
    tone = tone * (1 + rng.uniform(0, 0.05) * np.sin(far * rng.uniform(8, 40)))
    tone = tone * (1 + rng.uniform(0.005, 0.03) * noise(rng, shape, 120 * u))
    tone = tone * (1 + rng.uniform(0, 0.03) * noise(rng, shape, (rng.uniform(40, 150) * u, 3 * u)))
    if rng.random() < 0.4:
        specks = step(noise(rng, shape, rng.uniform(4, 9) * u), rng.uniform(2.0, 2.8), 0.8)
        tone = tone * (1 - rng.uniform(0.05, 0.2) * specks)
    tone = tone * _busbars(rng, x, y)
    tone = tone * inside + rng.uniform(0.05, 0.2) * (1 - inside)
    return np.repeat(tone[..., None], 3, 2).astype(np.float32), inside


def poly_cell(rng: Rng, shape: Shape) -> Framed:
    """Luminescence picture of a polycrystalline cell: sharp grains and dark clouds, all normal."""
    u = _unit(shape)
    x, y, inside = _cell_frame(rng, shape, 0.02)
    grain = cells(rng, shape, rng.uniform(16, 80) * u)[1]
    tone = rng.uniform(0.35, 0.8) * (1 - rng.uniform(0, 0.25) * np.hypot(x, y) ** 2)
    tone = tone * (1 + rng.uniform(0.03, 0.2) * (grain - 0.5))
    for _ in range(int(rng.integers(1, 4))):
        cloud = fractal(rng, shape, rng.uniform(20, 90) * u, 4, 0.65)
        dark = step(cloud, rng.uniform(0.3, 1.6), rng.uniform(0.3, 1))
        tone = tone * (1 - rng.uniform(0.1, 0.45) * dark)
    veins = np.exp(-np.abs(fractal(rng, shape, 50 * u, 3)) * rng.uniform(10, 25))
    tone = tone * (1 - rng.uniform(0, 0.25) * veins) * _busbars(rng, x, y)
    tone = tone * inside + rng.uniform(0.03, 0.15) * (1 - inside)
    return np.repeat(tone[..., None], 3, 2).astype(np.float32), inside


def x_ray_casting(rng: Rng, shape: Shape) -> np.ndarray:
    """Radiograph of a casting or weld: smooth thickness steps, ribs, bores and film grain."""
    u = _unit(shape)
    tone = np.full(shape, rng.uniform(0.3, 0.7), np.float32)
    tone += rng.uniform(0.02, 0.12) * noise(rng, shape, rng.uniform(150, 400) * u)
    for _ in range(int(rng.integers(1, 5))):
        edge = step(_line(rng, shape), 0, rng.uniform(3, 40) * u)
        tone += rng.choice([-1, 1]) * rng.uniform(0.04, 0.22) * edge
    if rng.random() < 0.5:
        weld = np.exp(-((_line(rng, shape) / (rng.uniform(20, 70) * u)) ** 2))
        tone += rng.uniform(0.05, 0.25) * weld * (1 + 0.1 * noise(rng, shape, 9 * u))
    rows, columns = grid(shape)
    for _ in range(int(rng.integers(0, 3))):
        at, radius = rng.uniform(0, 1, 2) * shape, rng.uniform(20, 90) * u
        bore = np.hypot(rows - at[0], columns - at[1])
        tone += rng.choice([-1, 1]) * rng.uniform(0.1, 0.3) * step(-bore, -radius, 4 * u)
    tone += rng.uniform(0.01, 0.04) * noise(rng, shape, rng.uniform(1, 2.2))
    return np.repeat(np.clip(tone, 0.02, 0.98)[..., None], 3, 2)


def fibre_mat(rng: Rng, shape: Shape) -> np.ndarray:
    """Nonwoven or fibrous mat: many fine fibres crossing at random."""
    u = _unit(shape)
    layers = []
    for _ in range(2):
        strokes: list[Stroke] = []
        width, lean = rng.uniform(1, 3.5) * u, rng.uniform(0, 6.3)
        spread = rng.uniform(0.3, 3)
        for _ in range(45):
            start, turn = rng.uniform(-0.1, 1.1, 2) * shape, lean + rng.normal(0, spread)
            at = (float(start[0]), float(start[1]))
            strokes.append(
                walk(rng, at, turn, 400 * u, width, jag=0, bend=rng.uniform(0, 0.1), pace=20 * u)
            )
        layers.append(fill_strokes(shape, strokes))
    fuzz = fractal(rng, shape, 4 * u, 2) * 0.06 + relief(noise(rng, shape, 2.5 * u), 1.0, 0.05)
    base = colour(rng, (0, 0.5), (0.25, 0.8))
    tone = 1 + fuzz - rng.uniform(0, 0.2) * layers[0] + rng.uniform(0.05, 0.25) * layers[1]
    return tone[..., None] * base


def chipboard(rng: Rng, shape: Shape) -> np.ndarray:
    """Pressed flakes of wood, each with its own tone and direction."""
    u = _unit(shape)
    base = colour(rng, (0.25, 0.55), (0.5, 0.9), (0.06, 0.11))
    tone = 1 + 0.06 * fractal(rng, shape, 10 * u, 3)
    size = log_uniform(rng, 10, 50) * u
    for _ in range(3):
        polygons = []
        for _ in range(min(260, int(0.25 * shape[0] * shape[1] / size**2))):
            at, turn = rng.uniform(0, 1, 2) * (shape[1], shape[0]), rng.uniform(0, np.pi)
            long, broad = size * rng.uniform(0.6, 1.8), size * rng.uniform(0.15, 0.5)
            corners = np.array([(-long, -broad), (long, -broad), (long, broad), (-long, broad)]) / 2
            cos, sin = np.cos(turn), np.sin(turn)
            polygons.append(corners @ np.array([[cos, sin], [-sin, cos]]) + at)
        tone = tone * (1 + rng.uniform(-0.2, 0.2) * fill_polygons(shape, polygons))
    return tone[..., None].astype(np.float32) * base


def text_print(rng: Rng, shape: Shape) -> np.ndarray:
    """Lines of invented print on paper, film or metal, with now and then a box or bar code."""
    u = _unit(shape)
    base = (materials.paper, materials.plastic, materials.brushed_metal)[int(rng.integers(3))]
    sheet = base(rng, shape)
    polygons: list[np.ndarray] = []
    height = log_uniform(rng, 9, 42) * u
    row = rng.uniform(0, 2) * height
    while row < shape[0] - height:
        column, end = rng.uniform(0.02, 0.1) * shape[1], rng.uniform(0.5, 0.98) * shape[1]
        while column < end and len(polygons) < 900:
            wide = height * rng.uniform(0.25, 0.65)
            thick = max(1.0, height * 0.14)
            upright = rng.random() < 0.7
            left = column if upright else column + wide / 2
            for x0, y0, x1, y1 in (
                (left, row, left + thick, row + height),
                (column, row + height * rng.uniform(0, 0.85), column + wide, 0.0),
            ):
                bottom = y1 or y0 + thick
                polygons.append(np.array([(x0, y0), (x1, y0), (x1, bottom), (x0, bottom)]))
            column += wide + height * (0.25 if rng.random() < 0.85 else 0.7)
        row += height * rng.uniform(1.4, 2.4)
    ink = colour(rng, (0, 0.9), (0.03, 0.4))
    if sheet.mean() < 0.45:
        ink = 1 - ink
    return mix(sheet, ink, fill_polygons(shape, polygons) * rng.uniform(0.7, 1))


def grain_bed(rng: Rng, shape: Shape) -> np.ndarray:
    """A bed of rice, beans, pellets or gravel: rounded bodies, dark gaps between them."""
    u = _unit(shape)
    gap, label = cells(rng, shape, log_uniform(rng, 14, 60) * u)
    dome = np.sqrt(np.clip(gap * 2, 0, 1))
    smooth = blur(dome, 1.2 * u)
    lit = relief(smooth, rng.uniform(0, 6.3), rng.uniform(1, 3))
    tone = (0.35 + 0.65 * smooth) * (1 + rng.uniform(0.02, 0.25) * (label - 0.5)) + lit
    tone += 0.03 * noise(rng, shape, 2 * u)
    return tone[..., None] * colour(rng, (0, 0.7), (0.4, 0.95), (0.0, 0.2))


def rubber_tread(rng: Rng, shape: Shape) -> np.ndarray:
    """Raised studs, ribs or diamonds in even rows, as on mats, soles and tyres."""
    u = _unit(shape)
    rows, columns = grid(shape)
    period = log_uniform(rng, 24, 100) * u
    skew = rng.choice([0.0, 1.0])
    y = rows / period
    x = columns / (period * rng.uniform(0.6, 1.8)) + 0.5 * skew * (np.floor(y) % 2)
    dx, dy = np.abs(x % 1 - 0.5), np.abs(y % 1 - 0.5)
    form = int(rng.integers(4))
    body = (np.hypot(dx, dy), np.maximum(dx, dy), dx + dy, dy + 0 * dx)[form]
    height = blur(step(-body, -rng.uniform(0.25, 0.4), 0.06), 1.5 * u)
    shade = relief(height, rng.uniform(0, 6.3), rng.uniform(0.3, 1.2)) + 0.2 * height
    tone = 0.8 + shade + 0.03 * noise(rng, shape, 1.5 * u)
    return tone[..., None] * colour(rng, (0, 0.5), (0.12, 0.7))
