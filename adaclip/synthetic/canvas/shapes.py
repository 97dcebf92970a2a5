"""Where a defect lies: points, noise-shaped blobs, strokes and random walks in a foreground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from adaclip.synthetic.canvas.fields import Rng, choose, noise, smooth_walk, step

Shape = tuple[int, int]
# A polyline: (n, 2) points as (column, row), and (n,) widths, in pixels.
Stroke = tuple[np.ndarray, np.ndarray]


def pick_point(rng: Rng, foreground: np.ndarray) -> tuple[float, float]:
    """A random (row, column) inside the foreground; the middle where there is none."""
    coarse = foreground[::6, ::6] > 0.6
    rows, columns = np.nonzero(coarse)
    if not len(rows):
        return foreground.shape[0] / 2, foreground.shape[1] / 2
    at = int(rng.integers(len(rows)))
    row, column = rows[at] * 6 + rng.uniform(0, 6), columns[at] * 6 + rng.uniform(0, 6)
    return float(row), float(column)


def pick_rim(rng: Rng, foreground: np.ndarray) -> tuple[float, float]:
    """A random (row, column) on the contour of the foreground, or on the picture's border."""
    coarse = foreground[::4, ::4] > 0.5
    padded = np.pad(coarse, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rows, columns = np.nonzero(coarse & ~core)
    if not len(rows):
        return pick_point(rng, foreground)
    at = int(rng.integers(len(rows)))
    return float(rows[at] * 4), float(columns[at] * 4)


def blob(
    rng: Rng,
    shape: Shape,
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    rough: float = 0.5,
    soft: float = 1.5,
    turn: float | None = None,
) -> np.ndarray:
    """(H, W) cover, 0-1, of a noise-shaped ellipse; `soft` is the width of its edge in pixels."""
    angle = rng.uniform(0, np.pi) if turn is None else turn
    reach = max(radii) * (1 + rough) + soft + 2
    top, left = max(0, int(centre[0] - reach)), max(0, int(centre[1] - reach))
    bottom = min(shape[0], int(centre[0] + reach) + 1)
    right = min(shape[1], int(centre[1] + reach) + 1)
    out = np.zeros(shape, np.float32)
    if bottom - top < 2 or right - left < 2:
        return out
    rows = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(centre[0])
    columns = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(centre[1])
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    along = (columns * cos + rows * sin) / max(radii[0], 0.5)
    across = (rows * cos - columns * sin) / max(radii[1], 0.5)
    far = np.hypot(along, across)
    if rough > 0:
        window = far.shape
        far = far + rough * 0.35 * noise(rng, window, max(min(radii) * 0.6, 1.5))
        far = far + rough * 0.2 * noise(rng, window, max(min(radii) * 0.22, 1.2))
    ramp = max(soft / max(min(radii), 0.5), 0.02)
    out[top:bottom, left:right] = step(-far, -1, ramp)
    return out


def patch(rng: Rng, shape: Shape, centre: tuple[float, float], size: float) -> np.ndarray:
    """(H, W) cover of a blob, ellipse, box or torn polygon about `size` pixels in radius."""
    form = choose(rng, ("blob", "blob", "ellipse", "polygon", "box"))
    radii = (size * rng.uniform(0.7, 1.4), size * rng.uniform(0.4, 1.0))
    if form == "blob":
        return blob(rng, shape, centre, radii, rough=rng.uniform(0.5, 1.3), soft=rng.uniform(1, 4))
    if form == "ellipse":
        return blob(rng, shape, centre, radii, rough=0, soft=1.5)
    if form == "polygon":
        count = int(rng.integers(3, 9))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        far = size * rng.uniform(0.5, 1.3, count)
    else:
        angles = rng.uniform(0, np.pi) + np.array([0.0, 1.0, 3.14, 4.14])
        far = np.full(4, size)
    points = np.stack([centre[1] + far * np.cos(angles), centre[0] + far * np.sin(angles)], 1)
    return fill_polygons(shape, [points])


def fill_polygons(shape: Shape, polygons: Sequence[np.ndarray]) -> np.ndarray:
    """(H, W) anti-aliased cover of polygons given as (column, row) pixel points."""
    canvas = Image.new("L", (shape[1] * 2, shape[0] * 2), 0)
    draw = ImageDraw.Draw(canvas)
    for points in polygons:
        draw.polygon([(float(c), float(r)) for c, r in points * 2], fill=255)
    return np.asarray(canvas.reduce(2), dtype=np.float32) / 255


def fill_strokes(shape: Shape, strokes: Sequence[Stroke]) -> np.ndarray:
    """(H, W) anti-aliased cover of polylines of varying width; thin ones come out faint."""
    canvas = Image.new("L", (shape[1] * 2, shape[0] * 2), 0)
    draw = ImageDraw.Draw(canvas)
    for points, widths in strokes:
        doubled = points * 2
        for start, end, width in zip(doubled[:-1], doubled[1:], widths * 2, strict=False):
            ink = int(255 * min(1.0, width))
            draw.line((*start.tolist(), *end.tolist()), fill=ink, width=max(1, round(width)))
            if width > 3:
                r = width / 2
                draw.ellipse((end[0] - r, end[1] - r, end[0] + r, end[1] + r), fill=ink)
    return np.asarray(canvas.reduce(2), dtype=np.float32) / 255


def walk(
    rng: Rng,
    start: tuple[float, float],
    heading: float,
    length: float,
    width: float,
    *,
    jag: float,
    bend: float,
    pace: float,
) -> Stroke:
    """A wandering line from (row, column) `start`; `jag` and `bend` are radians per step."""
    count = max(4, int(length / pace))
    turns = heading + smooth_walk(rng, count, bend) + rng.normal(0, jag, count)
    steps = np.stack([np.cos(turns), np.sin(turns)], 1) * pace
    points = np.cumsum(steps, 0) + np.array((start[1], start[0]))
    knots = rng.uniform(0.45, 1.5, max(3, count // 6))
    swell = np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots)
    return points, width * swell


def crack_strokes(
    rng: Rng,
    start: tuple[float, float],
    unit: float,
    span: float,
    *,
    width: float,
    heading: float | None = None,
) -> list[Stroke]:
    """A branching crack: trunk of `span` pixels and thinner branches off it."""
    jag, bend = rng.uniform(0.15, 0.75), rng.uniform(0.03, 0.2)
    pace = rng.uniform(3, 8) * unit
    onwards = heading is not None
    heading = rng.uniform(0, 2 * np.pi) if heading is None else heading
    strokes = [walk(rng, start, heading, span, width, jag=jag, bend=bend, pace=pace)]
    if not onwards and rng.random() < 0.5:
        # Growing both ways makes one long line through the start.
        back = walk(
            rng, start, heading + np.pi, span * rng.random(), width, jag=jag, bend=bend, pace=pace
        )
        strokes.append(back)
    branches = int(rng.choice([0, 0, 1, 2, 4, 8]))
    for _ in range(branches):
        points, widths = strokes[int(rng.integers(len(strokes)))]
        at = int(rng.integers(len(points)))
        before = points[max(0, at - 3)]
        along = float(np.arctan2(*(points[at] - before)[::-1]))
        side = along + rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.3)
        root = (float(points[at][1]), float(points[at][0]))
        reach, thin = span * rng.uniform(0.1, 0.6), float(widths[at]) * rng.uniform(0.35, 0.85)
        strokes.append(walk(rng, root, side, reach, thin, jag=jag, bend=bend, pace=pace))
    for points, widths in strokes:
        widths *= np.minimum(1, np.linspace(1, 0, len(points)) * rng.uniform(2, 8) + 0.25)
    return strokes
