"""Defects of whole parts of an object: lost, out of place, wrong or one too many.

Same contract as `defects`. A part is an end of the object: what lies beyond a cut across it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from adaclip.synthetic.canvas.fields import Rng, blur, colour, grid, log_uniform, mix, noise, step
from adaclip.synthetic.canvas.shapes import pick_point, pick_rim
from adaclip.synthetic.defects.marks import extent, lay
from adaclip.synthetic.scene import Scene


@dataclass(frozen=True, kw_only=True)
class Part:
    """An end of the object: its `cover` (H, W), its `joint` and its `tip`, both (row, column)."""

    cover: np.ndarray
    joint: np.ndarray
    tip: np.ndarray


def _find_part(rng: Rng, scene: Scene) -> Part:
    """An end that sticks out: from the contour some way inwards, cut straight or wavy."""
    shape = scene.foreground.shape
    tips = np.array([pick_rim(rng, scene.foreground) for _ in range(6)])
    rows, columns = np.nonzero(scene.foreground[::8, ::8] > 0.5)
    middle = np.array([rows.mean(), columns.mean()]) * 8 if len(rows) else np.array(shape) / 2.0
    far = np.hypot(*(tips - middle).T)
    # Mostly the farthest, which is a limb or corner more often than a side.
    tip = tips[int(far.argmax())] if rng.random() < 0.7 else tips[0]
    share = rng.uniform(0.2, 0.75)
    joint = tip + (middle - tip) * share
    run = tip - joint
    length = float(np.hypot(*run)) + 1e-3
    turn = rng.normal(0, 0.3)
    ahead = np.array(
        [
            run[0] * np.cos(turn) + run[1] * np.sin(turn),
            run[1] * np.cos(turn) - run[0] * np.sin(turn),
        ]
    )
    ahead /= length
    ys, xs = grid(shape)
    along = (ys - joint[0]) * np.float32(ahead[0]) + (xs - joint[1]) * np.float32(ahead[1])
    aside = (xs - joint[1]) * np.float32(ahead[0]) - (ys - joint[0]) * np.float32(ahead[1])
    if rng.random() < 0.5:
        along = along + rng.uniform(1, 6) * scene.unit * noise(rng, shape, 18 * scene.unit)
    wide = max(0.8 * length, 0.3 * extent(scene)) * rng.uniform(0.6, 1.6)
    cover = step(along, 0, 1.5) * step(-np.abs(aside), -wide, 1.5)
    return Part(cover=cover, joint=joint, tip=tip)


def _without(scene: Scene, cover: np.ndarray) -> np.ndarray:
    """The ground is seen where `cover` takes a part away, soft contour and all."""
    return mix(scene.image, scene.ground, cover * step(scene.foreground, 0.04, 0.04))


def _pasted(
    scene: Scene,
    under: np.ndarray,
    cover: np.ndarray,
    joint: np.ndarray,
    *,
    turn: float,
    scale: float = 1.0,
    move: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """The covered part put over `under`: turned (radians) about `joint`, scaled and moved."""
    piece = np.empty((*scene.foreground.shape, 4), np.uint8)
    piece[..., :3] = scene.image * 255
    piece[..., 3] = cover * scene.foreground * 255
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    row, column = joint
    to_row, to_column = row + move[0], column + move[1]
    matrix = (
        cos,
        sin,
        column - cos * to_column - sin * to_row,
        -sin,
        cos,
        row + sin * to_column - cos * to_row,
    )
    size = (scene.foreground.shape[1], scene.foreground.shape[0])
    moved = np.asarray(
        Image.fromarray(piece).transform(
            size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        ),
        dtype=np.float32,
    )
    return mix(under, moved[..., :3] / 255, moved[..., 3] / 255)


def broken_off(rng: Rng, scene: Scene) -> np.ndarray:
    """An end is gone, with a raw fracture; now and then the piece lies beside it."""
    part = _find_part(rng, scene)
    changed = _without(scene, part.cover)
    if rng.random() < 0.5:
        width = rng.uniform(2, 9) * scene.unit
        edge = np.clip(2 * blur(part.cover, width), 0, 1) * (1 - part.cover)
        edge = edge * step(scene.foreground, 0.5, 0.5)
        raw = rng.choice([-1, 1]) * rng.uniform(0.1, 0.35)
        grain = 0.1 * noise(rng, edge.shape, 3 * scene.unit)
        changed = mix(changed, np.clip(changed + raw + grain[..., None], 0, 1), edge)
    if rng.random() < 0.25:
        away = (part.tip - part.joint) * rng.uniform(0.15, 0.7)
        move = (float(away[0]), float(away[1]))
        turn = rng.uniform(-0.6, 0.6)
        changed = _pasted(scene, changed, part.cover, part.joint, turn=turn, move=move)
    return changed


def misfit(rng: Rng, scene: Scene) -> np.ndarray:
    """An end is bent aside, put on askew, or of the wrong size."""
    part = _find_part(rng, scene)
    under = _without(scene, part.cover)
    style, turn, scale = rng.random(), 0.0, 1.0
    move = (0.0, 0.0)
    if style < 0.5:
        turn = rng.choice([-1, 1]) * rng.uniform(0.15, 1.1)
    elif style < 0.8:
        scale = rng.uniform(0.5, 0.8) if rng.random() < 0.6 else rng.uniform(1.2, 1.5)
    else:
        slip = rng.normal(0, 0.12, 2) * extent(scene)
        move = (float(slip[0]), float(slip[1]))
    return _pasted(scene, under, part.cover, part.joint, turn=turn, scale=scale, move=move)


def extra_limb(rng: Rng, scene: Scene) -> np.ndarray:
    """A second copy of an end grows where there should be none."""
    part = _find_part(rng, scene)
    where = np.array(
        pick_rim(rng, scene.foreground) if rng.random() < 0.7 else pick_point(rng, scene.foreground)
    )
    shift = where - part.joint
    move = (float(shift[0]), float(shift[1]))
    turn, scale = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.95)
    return _pasted(scene, scene.image, part.cover, part.joint, turn=turn, scale=scale, move=move)


def wrong_colour(rng: Rng, scene: Scene) -> np.ndarray:
    """A whole part, up to its natural edges, has another colour or tone."""
    seed = pick_point(rng, scene.foreground)
    row = min(int(seed[0]), scene.image.shape[0] - 1)
    column = min(int(seed[1]), scene.image.shape[1] - 1)
    window = scene.image[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
    likeness = np.abs(scene.image - window.mean((0, 1))).max(-1)
    cover = step(-blur(likeness, 2 * scene.unit), -rng.uniform(0.12, 0.3), 0.08)
    cover = cover * _find_part(rng, scene).cover if rng.random() < 0.6 else cover
    rows, columns = grid(cover.shape)
    reach = extent(scene) * log_uniform(rng, 0.3, 1.5)
    cover = cover * step(-np.hypot(rows - row, columns - column), -reach, 3)
    tone = scene.image.mean(-1, keepdims=True)
    tint = colour(rng, (0.1, 1), (0.5, 1.0))
    target = tone * tint / tint.mean() * rng.uniform(0.5, 1.0)
    if rng.random() < 0.4:
        target = 1 - (1 - tone) * rng.uniform(0.3, 0.7) * (1 - 0.4 * tint)
    return lay(scene, np.clip(target, 0, 1), cover * rng.uniform(0.6, 1))
