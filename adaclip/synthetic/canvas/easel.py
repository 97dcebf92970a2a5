"""The easel: a ground, and on it an object painted from signed distances, with light and shadow.

A signed distance is a (H, W) field in the object's own units: negative inside, 0 on the contour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from adaclip.synthetic.canvas.fields import Colour, Rng, blur, grid, mix, step

Point = Sequence[float] | np.ndarray  # (x, y)


class Easel:
    """Collects parts of an object over a ground; `finish` gives picture and foreground.

    `x`, `y` (H, W) are the object's coordinates: the origin is its centre, 1 about its
    half-size, turned by its pose. `pixel` is one picture pixel in these units.
    """

    def __init__(
        self,
        rng: Rng,
        ground: np.ndarray,
        *,
        fill: tuple[float, float] = (0.55, 0.92),
        turn: float = np.pi,
        squeeze: float = 0.06,
    ) -> None:
        height, width = ground.shape[:2]
        self.rng = rng
        self.ground = ground
        self.shape = (height, width)
        self.colours = ground.copy()
        self.alpha = np.zeros(self.shape, np.float32)
        self.unit = min(height, width) / 518
        self.scale = min(height, width) / 2 * rng.uniform(*fill)
        slack = np.maximum(np.array([height, width]) / 2 - self.scale, 0) * 0.6
        self.centre = np.array([height, width]) / 2 + rng.uniform(-1, 1, 2) * slack
        self.angle = rng.uniform(-turn, turn)
        self.stretch = 1 + rng.uniform(-squeeze, squeeze)
        self.light = rng.uniform(0, 2 * np.pi)
        self.pixel = 1 / self.scale
        rows, columns = grid(self.shape)
        down, right = (rows - self.centre[0]) / self.scale, (columns - self.centre[1]) / self.scale
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        self.x = ((right * cos + down * sin) * self.stretch).astype(np.float32)
        self.y = ((down * cos - right * sin) / self.stretch).astype(np.float32)

    def cover(self, distance: np.ndarray, soft: float = 1.0) -> np.ndarray:
        """Share of each pixel inside the contour, 0-1, with an edge of `soft` pixels."""
        return np.clip(0.5 - distance / (self.pixel * soft), 0.0, 1.0).astype(np.float32)

    def paint(
        self,
        distance: np.ndarray,
        paint: np.ndarray,
        *,
        bevel: float = 0.0,
        depth: float = 0.35,
        gloss: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Paint a part: `paint` (3,) or (H, W, 3); `bevel` is the width of its rounded edge."""
        area = self._reach(distance)
        if area is None:
            return
        layer: np.ndarray = paint if paint.ndim == 1 else paint[area]
        near = distance[area]
        if bevel > 0:
            layer = self.round(near, layer, bevel, depth, gloss)
        alpha = self.cover(near) * np.float32(opacity)
        self.colours[area] = mix(self.colours[area], layer, alpha)
        self.alpha[area] = np.maximum(self.alpha[area], alpha)

    def _reach(self, distance: np.ndarray) -> tuple[slice, slice] | None:
        """The rectangle that holds a contour and all inside it; None where it is out of sight."""
        inside = distance < self.pixel
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        if not len(rows):
            return None
        # Slopes at the rim need two pixels on either side.
        top, left = max(0, rows[0] - 2), max(0, columns[0] - 2)
        return (
            slice(top, max(rows[-1] + 3, top + 3)),
            slice(left, max(columns[-1] + 3, left + 3)),
        )

    def round(
        self, distance: np.ndarray, paint: np.ndarray, bevel: float, depth: float, gloss: float
    ) -> np.ndarray:
        """Light a part as a body whose edge rises over `bevel`; gloss adds a highlight, 0-1."""
        inside = np.clip(-distance / bevel, 0.0, 1.0)
        height = np.sqrt(inside * (2 - inside)).astype(np.float32)
        slope_y, slope_x = np.gradient(height, np.float32(self.pixel / bevel))
        facing = np.clip(slope_x, -1, 1) * np.cos(self.light) + np.clip(slope_y, -1, 1) * np.sin(
            self.light
        )
        # The rim is darker than the top, as it turns away from a light above.
        shade = (1 + depth * facing - depth * 0.5 * (1 - height)).astype(np.float32)
        lit = paint * shade[..., None]
        if gloss > 0:
            spot = np.clip(1 - np.abs(facing - 0.55) / 0.3, 0, 1) ** 2 * gloss
            lit = lit + spot[..., None].astype(np.float32)
        return lit

    def carve(self, distance: np.ndarray) -> None:
        """Cut a hole through which the ground is seen."""
        area = self._reach(distance)
        if area is None:
            return
        alpha = self.cover(distance[area])
        self.colours[area] = mix(self.colours[area], self.ground[area], alpha)
        self.alpha[area] *= 1 - alpha

    def tone(self, field: np.ndarray, distance: np.ndarray | None = None) -> None:
        """Multiply the object by 1 + `field`, inside `distance` where one is given."""
        change = field if distance is None else field * self.cover(distance)
        self.colours = self.colours * (1 + change * self.alpha)[..., None]

    def sheen(self, distance: np.ndarray, count: int, strength: float) -> None:
        """Soft bright reflections of lamps and windows on a glossy body, along its lit side."""
        rng = self.rng
        for _ in range(count):
            turn, far = self.light - self.angle + rng.normal(0, 0.7), rng.uniform(0.1, 0.7)
            at = np.array([(far * np.cos(turn), far * np.sin(turn))])
            tilt, long = rng.uniform(0, np.pi), rng.uniform(0.04, 0.3)
            broad, soft = np.float32(long * rng.uniform(0.15, 0.8)), rng.uniform(0.1, 0.9)
            column, row = self.to_pixels(at)[0]
            reach = 1.6 * long * self.scale
            area = np.s_[
                max(0, int(row - reach)) : max(0, int(row + reach)),
                max(0, int(column - reach)) : max(0, int(column + reach)),
            ]
            cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
            dx, dy = self.x[area] - np.float32(at[0, 0]), self.y[area] - np.float32(at[0, 1])
            spot = np.hypot((dx * cos + dy * sin) / np.float32(long), (dy * cos - dx * sin) / broad)
            inside = step(-distance[area], 0.03, 0.05)
            glow = step(-spot, -1, soft) * inside * np.float32(strength)
            self.colours[area] += (1 - self.colours[area]) * glow[..., None]

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) picture (column, row) positions of (n, 2) object (x, y) points."""
        x, y = points[:, 0] / self.stretch, points[:, 1] * self.stretch
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        right, down = x * cos - y * sin, x * sin + y * cos
        return np.stack([right, down], 1) * self.scale + self.centre[::-1]

    def sketch(self, shapes: Sequence[tuple[np.ndarray, Colour]]) -> None:
        """Draw many small filled polygons, given in object (x, y) points, in one pass."""
        height, width = self.shape
        canvas = Image.new("RGBA", (width * 2, height * 2), (0, 0, 0, 0))
        draw = ImageDraw.Draw(canvas)
        for points, ink in shapes:
            corners = [(float(c), float(r)) for c, r in self.to_pixels(points) * 2]
            rgb = tuple(int(v) for v in np.clip(ink * 255, 0, 255))
            draw.polygon(corners, fill=(*rgb, 255))
        layer = np.asarray(canvas.reduce(2), dtype=np.float32) / 255
        alpha = layer[..., 3]
        # `reduce` averages colours with the transparent black around them: undo that.
        inks = layer[..., :3] / np.maximum(alpha, 1 / 255)[..., None]
        self.colours = mix(self.colours, np.minimum(inks, 1.0), alpha)
        self.alpha = np.maximum(self.alpha, alpha)

    def finish(self, *, shadow: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The picture (H, W, 3), the object's foreground (H, W) and the bare ground, all 0-1."""
        depth = self.rng.uniform(0, 0.5) if shadow is None else shadow
        if self.rng.random() < 0.3 and shadow is None:
            depth = 0.0
        picture = self.colours
        if depth > 0.05:
            reach = self.unit * self.rng.uniform(3, 22)
            moved = _shift(self.alpha, -np.sin(self.light) * reach, -np.cos(self.light) * reach)
            dark = blur(moved, reach * self.rng.uniform(0.3, 0.9) + 1) * depth * (1 - self.alpha)
            picture = picture * (1 - dark)[..., None]
        return np.clip(picture, 0, 1).astype(np.float32), self.alpha, self.ground


def _shift(field: np.ndarray, down: float, right: float) -> np.ndarray:
    moved = np.roll(field, (round(down), round(right)), (0, 1))
    return moved


def disc(x: np.ndarray, y: np.ndarray, radius: float, cx: float = 0, cy: float = 0) -> np.ndarray:
    """Signed distance to a disc."""
    return np.hypot(x - np.float32(cx), y - np.float32(cy)) - np.float32(radius)


def oval(
    x: np.ndarray, y: np.ndarray, rx: float, ry: float, cx: float = 0, cy: float = 0
) -> np.ndarray:
    """About the signed distance to an ellipse with half-axes `rx`, `ry`."""
    return (np.hypot((x - np.float32(cx)) / rx, (y - np.float32(cy)) / ry) - 1) * min(rx, ry)


def box(
    x: np.ndarray,
    y: np.ndarray,
    rx: float,
    ry: float,
    corner: float = 0,
    cx: float = 0,
    cy: float = 0,
) -> np.ndarray:
    """Signed distance to a box of half-sizes `rx`, `ry` with rounded corners."""
    dx, dy = np.abs(x - np.float32(cx)) - (rx - corner), np.abs(y - np.float32(cy)) - (ry - corner)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return (outside + np.minimum(np.maximum(dx, dy), 0) - corner).astype(np.float32)


def rod(x: np.ndarray, y: np.ndarray, start: Point, end: Point, radius: float) -> np.ndarray:
    """Signed distance to a line with round ends."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max(dx * dx + dy * dy, 1e-6)
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / length, 0, 1)
    distance = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy) - radius
    return distance.astype(np.float32)


def polygon(x: np.ndarray, y: np.ndarray, sides: int, radius: float, turn: float = 0) -> np.ndarray:
    """Signed distance (exact inside) to a regular polygon of inner radius `radius`."""
    angles = turn + np.arange(sides) * 2 * np.pi / sides
    distance = np.full(x.shape, -9.0, np.float32)
    for angle in angles:
        side = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
        np.maximum(distance, side, out=distance)
    return distance - np.float32(radius)


def blend(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """Union of two bodies that melt into each other over `width`."""
    share = np.clip(0.5 + 0.5 * (second - first) / width, 0, 1)
    return second + (first - second) * share - width * share * (1 - share)


def ring_points(radius: float, count: int = 40, cx: float = 0, cy: float = 0) -> np.ndarray:
    """(count, 2) points on a circle, for `Easel.sketch`."""
    angles = np.arange(count) * 2 * np.pi / count
    return np.stack([cx + radius * np.cos(angles), cy + radius * np.sin(angles)], 1)


def bar_points(cx: float, cy: float, rx: float, ry: float, turn: float = 0) -> np.ndarray:
    """(4, 2) corners of a box, turned by `turn` radians, for `Easel.sketch`."""
    corners = np.array([(-rx, -ry), (rx, -ry), (rx, ry), (-rx, ry)])
    cos, sin = np.cos(turn), np.sin(turn)
    return corners @ np.array([[cos, sin], [-sin, cos]]) + (cx, cy)


def stroke_points(start: Point, end: Point, width: float) -> np.ndarray:
    """(4, 2) corners of a straight stroke, for `Easel.sketch`."""
    middle = (np.asarray(start) + np.asarray(end)) / 2
    run = np.asarray(end) - np.asarray(start)
    length = float(np.hypot(run[0], run[1]))
    return bar_points(
        middle[0], middle[1], length / 2, width / 2, float(np.arctan2(run[1], run[0]))
    )
