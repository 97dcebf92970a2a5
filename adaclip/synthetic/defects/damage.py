"""Defects that move, remove, add or replace material: same contract as `defects`."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from adaclip.synthetic.canvas.fields import (
    Rng,
    blur,
    choose,
    colour,
    grid,
    log_uniform,
    mix,
    noise,
    step,
)
from adaclip.synthetic.canvas.shapes import (
    blob,
    fill_polygons,
    fill_strokes,
    patch,
    pick_point,
    pick_rim,
    walk,
)
from adaclip.synthetic.defects.marks import extent, faint_to_strong, lay, shade
from adaclip.synthetic.kinds import materials
from adaclip.synthetic.scene import Scene


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([blur(image[..., c], sigma) for c in range(3)], -1)


def fray(rng: Rng, scene: Scene) -> np.ndarray:
    """A roughened, torn or worn patch: displaced texture with loose ends."""
    u, size = scene.unit, extent(scene)
    radius = max(8 * u, size * log_uniform(rng, 0.12, 0.5))
    centre = pick_point(rng, scene.foreground)
    radii = (radius, radius * rng.uniform(0.2, 0.8))
    cover = blob(rng, scene.foreground.shape, centre, radii, rough=1.2, soft=4 * u)
    rough = noise(rng, cover.shape, rng.uniform(1.2, 5) * u)
    target = scene.image * (1 + rng.uniform(0.15, 0.5) * rough)[..., None]
    target = target + rng.uniform(0.03, 0.15) * rough[..., None]
    strokes = []
    for _ in range(int(rng.integers(0, 25))):
        begin = (centre[0] + rng.normal(0, radius * 0.5), centre[1] + rng.normal(0, radius * 0.5))
        length, width = rng.uniform(0.2, 1) * radius, rng.uniform(0.8, 2) * u
        turn = rng.uniform(0, 6.3)
        strokes.append(walk(rng, begin, turn, length, width, jag=0.15, bend=0.15, pace=4 * u))
    changed = lay(scene, np.clip(target, 0, 1), cover * rng.uniform(0.5, 1))
    if strokes:
        ends = fill_strokes(cover.shape, strokes) * step(scene.foreground, 0.5, 0.5)
        changed = mix(changed, np.clip(changed + rng.choice([-0.3, 0.3]), 0, 1), ends)
    return changed


def _gap(scene: Scene, cover: np.ndarray) -> np.ndarray:
    """Show the ground where `cover` takes a piece of the scene away."""
    # The whole anti-aliased contour goes too, or a ghost line would be left of it.
    return mix(scene.image, scene.ground, cover * step(scene.foreground, 0.04, 0.04))


def missing_part(rng: Rng, scene: Scene) -> np.ndarray:
    """A piece of an object gone, down to the ground; on a material, its structure gone."""
    shape, size = scene.foreground.shape, extent(scene)
    if not scene.is_object:
        radius = max(8 * scene.unit, size * log_uniform(rng, 0.1, 0.5))
        cover = patch(rng, shape, pick_point(rng, scene.foreground), radius)
        smooth = _blurred(scene.image, 14 * scene.unit) * rng.uniform(0.75, 1.2)
        return lay(scene, np.clip(smooth, 0, 1), cover)
    if rng.random() < 0.5:
        # A straight or wavy cut takes an end off.
        rows, columns = grid(shape)
        at, angle = pick_rim(rng, scene.foreground), rng.uniform(0, 2 * np.pi)
        inwards = size * rng.uniform(0.1, 0.7)
        along = (rows - at[0]) * np.float32(np.sin(angle)) + (columns - at[1]) * np.float32(
            np.cos(angle)
        )
        wave = noise(rng, shape, 25 * scene.unit) * rng.uniform(0, 7) * scene.unit
        reach = np.hypot(rows - at[0], columns - at[1]) - size * rng.uniform(0.5, 1.2)
        cover = step(-np.maximum(np.abs(along + wave) - inwards * 0.6, reach), 0, 1.5)
    else:
        radius = max(8 * scene.unit, size * log_uniform(rng, 0.12, 0.8))
        centre = (
            pick_rim(rng, scene.foreground)
            if rng.random() < 0.7
            else pick_point(rng, scene.foreground)
        )
        cover = blob(
            rng, shape, centre, (radius, radius * rng.uniform(0.5, 1)), rough=rng.uniform(0, 0.8)
        )
    return _gap(scene, cover)


def break_edge(rng: Rng, scene: Scene) -> np.ndarray:
    """A chipped edge or broken corner, with a pale rough fracture beside the gap."""
    shape, size, u = scene.foreground.shape, extent(scene), scene.unit
    centre = pick_rim(rng, scene.foreground)
    radius = max(7 * u, size * log_uniform(rng, 0.1, 0.65))
    if not scene.is_object and rng.random() < 0.6:
        centre = (float(rng.choice([0, shape[0]])), float(rng.choice([0, shape[1]])))
    radii = (radius, radius * rng.uniform(0.4, 1))
    seed_turn, rough = rng.uniform(0, np.pi), rng.uniform(0.2, 0.9)
    chip = blob(rng, shape, centre, radii, rough=rough, soft=1.2, turn=seed_turn)
    if rng.random() < 0.5:
        changed = _gap(scene, chip)
        rim = np.clip(blur(chip, 3 * u) * 2, 0, 1) * (1 - chip) * step(scene.foreground, 0.5, 0.5)
        return mix(changed, np.clip(changed * rng.uniform(0.5, 1.6), 0, 1), rim)
    # A shallow chip shows the inside of the material, not the ground.
    face = scene.image[chip > 0.3].mean(0) if (chip > 0.3).any() else scene.image.mean((0, 1))
    shift = rng.choice([-1, 1]) * rng.uniform(0.1, 0.4)
    grain = 0.06 * noise(rng, shape, 3 * u) + 0.08 * noise(rng, shape, 14 * u)
    return lay(scene, np.clip(face + shift + grain[..., None], 0, 1), chip)


def extra_part(rng: Rng, scene: Scene) -> np.ndarray:
    """Something that does not belong: a shaded shape or a second copy of a part."""
    shape, size, u = scene.foreground.shape, extent(scene), scene.unit
    radius = max(6 * u, size * log_uniform(rng, 0.12, 0.45))
    centre = (
        pick_rim(rng, scene.foreground) if rng.random() < 0.4 else pick_point(rng, scene.foreground)
    )
    cover = patch(rng, shape, centre, radius)
    if scene.structured and rng.random() < 0.4:
        down, right = (int(v) for v in rng.uniform(-0.6, 0.6, 2) * size)
        return mix(scene.image, np.roll(scene.image, (down, right), (0, 1)), cover)
    tint = colour(rng, (0, 0.9), (0.1, 0.95))
    angle = rng.uniform(0, 2 * np.pi)
    slope_y, slope_x = np.gradient(blur(cover, radius * 0.25))
    lit = (slope_x * np.cos(angle) + slope_y * np.sin(angle)) * radius * 0.5
    body = tint * (1 + lit + 0.03 * noise(rng, shape, 4 * u))[..., None]
    return mix(scene.image, np.clip(body, 0, 1), cover)


def _warped(image: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """`image` read at positions moved by (`down`, `right`) pixels, computed where they move."""
    rows, columns = np.nonzero(np.abs(down) + np.abs(right) > 0.05)
    if not len(rows):
        return image
    area = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    at = np.mgrid[area].astype(np.float32)
    where = (at[0] + down[area], at[1] + right[area])
    warped = image.copy()
    for channel in range(3):
        source = image[..., channel]
        warped[(*area, channel)] = ndimage.map_coordinates(source, where, order=1, mode="nearest")
    return warped


def bend(rng: Rng, scene: Scene) -> np.ndarray:
    """A region pushed aside or twisted."""
    shape, size = scene.foreground.shape, extent(scene)
    radius = max(14 * scene.unit, size * rng.uniform(0.2, 0.8))
    row, column = (
        pick_rim(rng, scene.foreground) if scene.is_object else pick_point(rng, scene.foreground)
    )
    rows, columns = grid(shape)
    down, right = rows - np.float32(row), columns - np.float32(column)
    falloff = np.clip(1 - (down**2 + right**2) / np.float32(radius**2), 0, 1) ** 2
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        push = radius * rng.uniform(0.15, 0.45)
        return _warped(
            scene.image,
            falloff * float(np.sin(angle)) * push,
            falloff * float(np.cos(angle)) * push,
        )
    twist = falloff * rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.6)
    cos, sin = np.cos(twist), np.sin(twist)
    return _warped(scene.image, right * sin + down * (cos - 1), right * (cos - 1) - down * sin)


def misprint(rng: Rng, scene: Scene) -> np.ndarray:
    """Stray print: invented glyphs, or a doubled, shifted image of what is there."""
    shape, size, u = scene.foreground.shape, extent(scene), scene.unit
    centre = pick_point(rng, scene.foreground)
    if scene.structured and rng.random() < 0.35:
        cover = patch(rng, shape, centre, size * rng.uniform(0.2, 0.6))
        moved = np.roll(scene.image, tuple(int(v) for v in rng.uniform(4, 16, 2) * u), (0, 1))
        return lay(scene, moved, cover * rng.uniform(0.4, 1))
    height = max(10 * u, size * log_uniform(rng, 0.1, 0.45))
    turn, width = rng.uniform(0, 2 * np.pi), height * rng.uniform(0.06, 0.16)
    along = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    strokes = []
    for glyph in range(int(rng.integers(1, 6))):
        origin = np.array([centre[1], centre[0]]) + along * glyph * height * 0.8
        for _ in range(int(rng.integers(2, 5))):
            ends = rng.choice([0.0, 0.5, 1.0], (2, 2)) * height * (0.6, 1.0)
            points = origin + ends[:, :1] * along + ends[:, 1:] * across
            strokes.append((points, np.full(2, max(width, 1.5 * u))))
    cover = fill_strokes(shape, strokes)
    ink = colour(rng, (0, 0.9), (0.05, 0.95))
    if float(np.abs(scene.image.mean((0, 1)) - ink).max()) < 0.25:
        ink = 1 - ink
    return lay(scene, np.broadcast_to(ink, scene.image.shape), cover * rng.uniform(0.5, 1))


def colour_change(rng: Rng, scene: Scene) -> np.ndarray:
    """A region, up to half of the object, in another colour or brightness."""
    shape, size = scene.foreground.shape, extent(scene)
    centre = pick_point(rng, scene.foreground)
    cover = patch(rng, shape, centre, max(8 * scene.unit, size * log_uniform(rng, 0.15, 0.9)))
    tone = scene.image.mean(-1, keepdims=True)
    tint = colour(rng, (0.2, 1), (0.6, 1.2))
    target = np.clip(tone * tint / tint.mean() * rng.uniform(0.7, 1.3), 0, 1)
    if rng.random() < 0.3:
        target = 1 - scene.image
    return lay(scene, target, cover * rng.uniform(0.4, 1))


def contamination(rng: Rng, scene: Scene) -> np.ndarray:
    """Foreign particles: chips, crumbs, dust or drops, with a small shadow."""
    shape, size, u = scene.foreground.shape, extent(scene), scene.unit
    centre, spread = pick_point(rng, scene.foreground), size * rng.uniform(0.02, 0.6)
    polygons = []
    for _ in range(int(log_uniform(rng, 1, 25))):
        row, column = centre[0] + rng.normal(0, spread), centre[1] + rng.normal(0, spread)
        count = int(rng.integers(4, 9))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        far = log_uniform(rng, 2.5, 16) * u * rng.uniform(0.5, 1.2, count)
        polygons.append(np.stack([column + far * np.cos(angles), row + far * np.sin(angles)], 1))
    cover = fill_polygons(shape, polygons)
    under = np.roll(cover, (round(2 * u), round(2 * u)), (0, 1)) * (1 - cover)
    tint = colour(rng, (0, 0.9), (0.05, 0.95))
    if float(np.abs(scene.image.mean((0, 1)) - tint).max()) < 0.2:
        tint = np.clip(1 - tint, 0, 1)
    speck = np.clip(tint + 0.08 * noise(rng, shape, 3 * u)[..., None], 0, 1)
    changed = lay(scene, speck, cover * rng.uniform(0.6, 1))
    dark = under * step(scene.foreground, 0.5, 0.5) * rng.uniform(0, 0.5)
    return changed * (1 - dark)[..., None]


def thread(rng: Rng, scene: Scene) -> np.ndarray:
    """A hair, fibre or thread lying on the surface in a loose curve."""
    shape, size, u = scene.foreground.shape, extent(scene), scene.unit
    strokes = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        start = pick_point(rng, scene.foreground)
        length, width = size * rng.uniform(0.3, 2), log_uniform(rng, 0.9, 4.5) * u
        bend_by, turn = rng.uniform(0.02, 0.14), rng.uniform(0, 6.3)
        points, widths = walk(rng, start, turn, length, width, jag=0.0, bend=bend_by, pace=5 * u)
        strokes.append((points, np.full_like(widths, width)))
    cover = fill_strokes(shape, strokes)
    under = np.roll(cover, (round(2 * u), round(u)), (0, 1)) * (1 - cover)
    changed = shade(rng, scene, cover, faint_to_strong(rng, 0.12, 0.8), dark=0.5)
    if rng.random() < 0.3:
        changed = lay(scene, np.broadcast_to(colour(rng, (0.3, 1)), changed.shape), cover)
    dark = under * step(scene.foreground, 0.5, 0.5) * rng.uniform(0, 0.35)
    return changed * (1 - dark)[..., None]


def swap(rng: Rng, scene: Scene) -> np.ndarray:
    """A patch shows another place of the same picture."""
    shape, size = scene.foreground.shape, extent(scene)
    centre, source = pick_point(rng, scene.foreground), pick_point(rng, scene.foreground)
    cover = patch(rng, shape, centre, max(9 * scene.unit, size * log_uniform(rng, 0.16, 0.65)))
    move = (int(centre[0] - source[0]), int(centre[1] - source[1]))
    moved = np.roll(scene.image, move, (0, 1))
    if rng.random() < 0.4:
        moved = moved[:, ::-1]
    return lay(scene, moved, cover)


def rotation(rng: Rng, scene: Scene) -> np.ndarray:
    """A round or square patch turned on the spot."""
    shape, size = scene.foreground.shape, extent(scene)
    half = int(max(9 * scene.unit, size * log_uniform(rng, 0.16, 0.65)))
    row, column = (int(v) for v in pick_point(rng, scene.foreground))
    top, left = max(0, row - half), max(0, column - half)
    area = np.s_[top : min(shape[0], row + half), left : min(shape[1], column + half)]
    piece = Image.fromarray((scene.image[area] * 255).astype(np.uint8))
    turned = piece.rotate(rng.uniform(20, 340), Image.Resampling.BILINEAR)
    changed = scene.image.copy()
    changed[area] = np.asarray(turned, dtype=np.float32) / 255
    cover = blob(rng, shape, (row, column), (half * 0.9, half * 0.9), rough=0, soft=1.5)
    return lay(scene, changed, cover)


def texture(rng: Rng, scene: Scene) -> np.ndarray:
    """Another material within a noise-shaped region, opaque or see-through."""
    shape, size = scene.foreground.shape, extent(scene)
    other = materials.GROUNDS[int(rng.integers(len(materials.GROUNDS)))](rng, shape)
    if choose(rng, ("blob", "noise")) == "noise":
        field = noise(rng, shape, size * rng.uniform(0.15, 0.5))
        cover = step(field, float(np.quantile(field[::8, ::8], rng.uniform(0.75, 0.97))), 0.08)
    else:
        cover = patch(
            rng,
            shape,
            pick_point(rng, scene.foreground),
            max(9 * scene.unit, size * log_uniform(rng, 0.15, 0.7)),
        )
    return lay(scene, np.clip(other, 0, 1), cover * rng.uniform(0.35, 1))
