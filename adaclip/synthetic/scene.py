"""A normal picture before the camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adaclip.synthetic.canvas.fields import Rng, choose
from adaclip.synthetic.canvas.grounds import cast_shadow
from adaclip.synthetic.catalogue import MATERIALS, OBJECTS, SHADED, UNSTRUCTURED, Entry
from adaclip.synthetic.kinds import held_out


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a camera is pointed at: `image` (H, W, 3) 0-1, and where a defect may lie.

    `foreground` (H, W) 0-1 is all ones for a material; `ground` (H, W, 3) is what is seen where
    a piece is missing. `group` says which defects are likely, `tolerated` the contrast, 0-1, of
    faint marks that are none.
    """

    image: np.ndarray
    foreground: np.ndarray
    ground: np.ndarray
    kind: str
    group: str
    class_name: str
    is_object: bool
    tolerated: float = 0.0

    @property
    def unit(self) -> float:
        """Pixels of this picture per pixel of a 518 px one."""
        return min(self.foreground.shape) / 518

    @cached_property
    def roughness(self) -> float:
        """Mean deviation within 16x16 pixels, 0-1: the texture that hides a faint defect."""
        rows, columns = (side // 16 for side in self.foreground.shape)
        tone = self.image[: rows * 16, : columns * 16, 1].reshape(rows, 16, columns, 16)
        inside = self.foreground[: rows * 16 : 16, : columns * 16 : 16] > 0.5
        return float(tone.std((1, 3))[inside].mean()) if inside.any() else 0.0

    @property
    def structured(self) -> bool:
        """True where a piece that is moved or turned is seen to be out of place."""
        return self.kind not in UNSTRUCTURED


MATERIAL_KINDS: tuple[str, ...] = tuple(MATERIALS)
OBJECT_KINDS: tuple[str, ...] = tuple(OBJECTS)
# Held out of training: half of them materials, half objects.
BENCHMARK_KINDS: tuple[str, ...] = (*held_out.MATERIALS, *held_out.OBJECTS)
_ENTRIES = MATERIALS | OBJECTS | held_out.MATERIALS | held_out.OBJECTS


def draw_scene(
    rng: Rng, kind: str, shape: tuple[int, int], more_kinds: Mapping[str, Entry] | None = None
) -> Scene:
    """Draw a normal picture of `kind`: one of MATERIAL_KINDS, OBJECT_KINDS, BENCHMARK_KINDS or
    `more_kinds`.
    """
    draw, group, names = (_ENTRIES | dict(more_kinds or {}))[kind]
    name = choose(rng, names)
    drawn = draw(rng, shape)
    parts = drawn if isinstance(drawn, tuple) else (drawn, np.ones(shape, np.float32))
    # Behind a material lies an even dark or bright nothing.
    behind = parts[2] if len(parts) == 3 else np.full((*shape, 3), rng.choice([0.03, 0.15, 0.9]))
    if kind in SHADED and rng.random() < 0.25:
        shadow = cast_shadow(rng, shape, outdoors=group == "mineral")
        parts = (parts[0] * shadow[..., None], *parts[1:])
    image, foreground, bare = (
        np.clip(part, 0, 1).astype(np.float32, copy=False) for part in (*parts[:2], behind)
    )
    return Scene(
        image=image,
        foreground=foreground,
        ground=bare,
        kind=kind,
        group=group,
        class_name=name,
        is_object=group == "object",
    )
