"""Synthetic inspection pictures with exact defect masks, drawn entirely by this package.

`generate` is a pure function of its arguments. It draws from five independent streams (choices,
scene, framing, defect, camera), so the normal twin of a defective picture is the same call with
`defective=False`: the same thing in the same light, without the defect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from adaclip.errors import InputError
from adaclip.synthetic.canvas.camera import Exposure, draw_exposure, photograph, render_shape
from adaclip.synthetic.canvas.fields import Rng
from adaclip.synthetic.catalogue import Entry
from adaclip.synthetic.defects import cracks, damage, marks, parts, wear
from adaclip.synthetic.defects import held_out as held_out_defects
from adaclip.synthetic.defects.marks import Defect
from adaclip.synthetic.framing import draw_framed_scene
from adaclip.synthetic.kinds import held_out as held_out_kinds
from adaclip.synthetic.scene import (
    BENCHMARK_KINDS,
    MATERIAL_KINDS,
    OBJECT_KINDS,
    Scene,
    draw_scene,
)

_DEFECTS: dict[str, Defect] = {
    "scratch": marks.scratch,
    "crack": cracks.crack,
    "hairline": cracks.hairline,
    "crack_network": cracks.crack_network,
    "hole": marks.hole,
    "pits": marks.pits,
    "dent": marks.dent,
    "blister": marks.blister,
    "stain": marks.stain,
    "uneven": marks.uneven,
    "lesion": marks.lesion,
    "inclusion": marks.inclusion,
    "rolled_scale": marks.rolled_scale,
    "dead_cell": marks.dead_cell,
    "fray": damage.fray,
    "missing_part": damage.missing_part,
    "break": damage.break_edge,
    "extra_part": damage.extra_part,
    "bend": damage.bend,
    "misprint": damage.misprint,
    "colour": damage.colour_change,
    "contamination": damage.contamination,
    "thread": damage.thread,
    "swap": damage.swap,
    "rotation": damage.rotation,
    "texture": damage.texture,
    "worn": wear.worn,
    "band": wear.band,
    "spots": wear.spots,
    "blotches": wear.blotches,
    "broken_off": parts.broken_off,
    "misfit": parts.misfit,
    "extra_limb": parts.extra_limb,
    "wrong_colour": parts.wrong_colour,
}
DEFECT_TYPES: tuple[str, ...] = tuple(_DEFECTS)
# Held out of training, as BENCHMARK_KINDS are.
BENCHMARK_DEFECTS: tuple[str, ...] = tuple(held_out_defects.DEFECTS)
_ALL_DEFECTS = _DEFECTS | held_out_defects.DEFECTS
_ALL_OBJECTS = frozenset({*OBJECT_KINDS, *held_out_kinds.OBJECTS})

# How likely each defect is on each group, relative to 1 for those not named.
_LIKELY: dict[str, dict[str, float]] = {
    "metal": {
        "crack": 2.5,
        "hairline": 3,
        "scratch": 2.5,
        "hole": 2.5,
        "inclusion": 2,
        "rolled_scale": 1.5,
        "uneven": 4,
        "stain": 2.5,
        "texture": 2,
        "worn": 4,
        "fray": 2.5,
        "spots": 3,
        "blotches": 4,
        "band": 1,
    },
    "mineral": {
        "crack": 9,
        "hairline": 10,
        "crack_network": 3,
        "hole": 1.5,
        "stain": 1.5,
        "misprint": 0.5,
        "bend": 0.5,
        "band": 0.1,
    },
    "fibre": {"fray": 2.5, "hole": 2, "stain": 2, "thread": 2, "bend": 1.5, "colour": 1.5},
    "sheet": {"scratch": 2, "stain": 2, "crack": 2, "hairline": 2, "dent": 2},
    "pattern": {
        "missing_part": 2.5,
        "bend": 2,
        "misprint": 2,
        "swap": 2,
        "rotation": 2,
        "thread": 1.5,
    },
    "cell": {
        "crack": 6,
        "hairline": 5,
        "dead_cell": 9,
        "uneven": 2,
        "lesion": 1.5,
        "misprint": 0.3,
        "bend": 0.3,
    },
    "medical": {
        "lesion": 16,
        "stain": 2,
        "uneven": 2,
        "misprint": 0.3,
        "thread": 0.4,
        "scratch": 0.4,
    },
    "object": {
        "missing_part": 4,
        "break": 4,
        "broken_off": 6,
        "misfit": 4,
        "extra_limb": 2,
        "wrong_colour": 3,
        "extra_part": 2,
        "bend": 2,
        "colour": 2,
        "scratch": 2,
        "crack": 2,
        "stain": 1.5,
    },
}
# The rest are as likely as any, but for these.
_ONLY_SOMEWHERE = {
    "dead_cell": 0.0,
    "rolled_scale": 0.25,
    "inclusion": 0.4,
    "lesion": 0.5,
    "hairline": 0.6,
    "crack_network": 0.3,
    "band": 0.4,
    "blotches": 0.8,
    "broken_off": 0.05,
    "misfit": 0.05,
    "extra_limb": 0.05,
    "wrong_colour": 0.4,
}

# Share of pictures without colour, of materials and of objects.
_GREY = {False: 0.45, True: 0.32}
# A pixel counts as changed from here on (0-1): three grey levels of 255.
_VISIBLE = 0.012
# Mean change over the mask, 0-1, below which a defect is drawn anew.
_FAINTEST = 0.04
# Smaller defects than this are drawn anew; pixels of a 518 px picture.
_SMALLEST = 45
# Among tolerated marks a defect has at least this many times their contrast.
_STANDS_OUT = 1.8
_ATTEMPTS = 8
# A moved piece that changes less than this, in the same pixels, left only a stray edge.
_SMALLEST_OF = {"bend": 400, "swap": 300, "rotation": 300, "uneven": 1500, "missing_part": 120}
_SMALLEST_OF |= {
    "worn": 1500,
    "blotches": 1500,
    "broken_off": 300,
    "misfit": 300,
    "extra_limb": 150,
}
_MOVED = frozenset({"bend", "swap", "rotation"})


@dataclass(frozen=True, kw_only=True)
class SyntheticSample:
    """One picture: `image` (H, W, 3) uint8 RGB, `mask` (H, W) bool, True on defect pixels.

    `defect_type` is None and the mask empty for a normal picture.
    """

    image: np.ndarray
    mask: np.ndarray
    class_name: str
    defect_type: str | None
    kind: str


def generate(
    seed: int,
    index: int,
    *,
    size: int = 518,
    defective: bool | None = None,
    kinds: Collection[str] | None = None,
    defect_types: Collection[str] | None = None,
    framed: bool = False,
    more_kinds: Mapping[str, Entry] | None = None,
) -> SyntheticSample:
    """Draw picture `index` of the endless series `seed`, `size` x `size` pixels.

    `defective` None leaves it to the seed, half and half. `kinds` and `defect_types` restrict
    what is drawn (None: everything but the held-out BENCHMARK_KINDS and BENCHMARK_DEFECTS).
    `framed` also draws close-ups, parts that end inside the picture, tolerated specks and marks.
    `more_kinds` are kinds of the caller's own, drawn when `kinds` names them.
    Raises InputError for values that cannot be drawn.
    """
    if seed < 0 or index < 0:
        raise InputError(f"seed and index must be 0 or more, not {seed} and {index}")
    if not 64 <= size <= 2048:
        raise InputError(f"size must be 64 to 2048 pixels, not {size}")
    more_kinds = more_kinds or {}
    unusual = (*BENCHMARK_KINDS, *more_kinds)
    chosen_kinds = _known("kind", kinds, MATERIAL_KINDS + OBJECT_KINDS, unusual)
    chosen_types = _known("defect type", defect_types, DEFECT_TYPES, BENCHMARK_DEFECTS)
    streams = np.random.default_rng((seed, index)).spawn(5)
    choices, scene_rng, defect_rng, camera_rng, framing_rng = streams
    objects = _ALL_OBJECTS | {name for name, entry in more_kinds.items() if entry[1] == "object"}
    kind = _pick_kind(choices, chosen_kinds, objects)
    drawn = bool(choices.random() < 0.5)
    shape = render_shape(choices, size)
    if framed:
        scene = draw_framed_scene(scene_rng, framing_rng, kind, shape, more_kinds)
    else:
        scene = draw_scene(scene_rng, kind, shape, more_kinds)
    image, mask, defect_type = scene.image, np.zeros(shape, bool), None
    exposure = draw_exposure(camera_rng, shape, _GREY[scene.is_object])
    if drawn if defective is None else defective:
        image, mask, defect_type = spoil(defect_rng, scene, chosen_types, exposure)
    picture, final_mask = photograph(camera_rng, image, mask, size, exposure)
    return SyntheticSample(
        image=picture,
        mask=final_mask,
        class_name=scene.class_name,
        defect_type=defect_type,
        kind=kind,
    )


def _known(
    what: str, given: Collection[str] | None, usual: tuple[str, ...], held_out: tuple[str, ...]
) -> tuple[str, ...]:
    """`given` in a fixed order, or the usual ones; InputError for a foreign or empty list."""
    if given is None:
        return usual
    known = usual + held_out
    wanted = {given} if isinstance(given, str) else set(given)
    foreign = sorted(wanted - set(known))
    if foreign or not wanted:
        named = ", ".join(map(repr, foreign)) or "an empty list"
        raise InputError(f"unknown {what}: {named}; choose from {', '.join(known)}")
    return tuple(name for name in known if name in wanted)


def _pick_kind(rng: Rng, kinds: tuple[str, ...], objects: Collection[str]) -> str:
    """A kind, with materials and objects equally likely where both are allowed."""
    groups = [
        [kind for kind in kinds if kind not in objects],
        [kind for kind in kinds if kind in objects],
    ]
    usable = [group for group in groups if group]
    group = usable[int(rng.integers(len(usable)))]
    return group[int(rng.integers(len(group)))]


def spoil(
    rng: Rng,
    scene: Scene,
    types: tuple[str, ...] = DEFECT_TYPES,
    exposure: Exposure | None = None,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Draw one or two defects into a scene: (picture, mask (H, W) bool, type of the first).

    With an `exposure`, the defect is drawn so that it is seen in that photograph.
    """
    weights = _weights(scene, types)
    faintest = max(_FAINTEST, _STANDS_OUT * scene.tolerated)
    name = ""
    for attempt in range(_ATTEMPTS):
        if attempt % 3 == 0:
            name = types[int(rng.choice(len(types), p=weights))]
        image = _ALL_DEFECTS[name](rng, scene)
        if rng.random() < 0.2 and attempt == 0:
            again = dataclasses.replace(scene, image=np.clip(image, 0, 1))
            image = _ALL_DEFECTS[name](rng, again)
        image = np.clip(image, 0, 1).astype(np.float32, copy=False)
        mask = changed_pixels(scene.image, image)
        least = _SMALLEST_OF.get(name, _SMALLEST) * scene.unit**2
        if not least <= mask.sum() <= 0.6 * mask.size:
            continue
        seen = _contrast(scene.image, image, mask, exposure)
        if seen >= faintest:
            return image, mask, name
        if seen >= faintest / 2.5:
            image = _strengthened(scene.image, image, 1.2 * faintest / seen)
            mask = changed_pixels(scene.image, image)
            if _contrast(scene.image, image, mask, exposure) >= faintest:
                return image, mask, name
    return *_plain_hole(scene), "hole" if "hole" in types else name


def _strengthened(normal: np.ndarray, image: np.ndarray, gain: float) -> np.ndarray:
    """The same defect with `gain` times the contrast."""
    return np.clip(normal + (image - normal) * np.float32(gain), 0, 1)


def _weights(scene: Scene, types: tuple[str, ...]) -> np.ndarray:
    """How likely each of `types` is on the scene; never quite 0, as the caller may insist."""
    likely = _LIKELY[scene.group]
    weights = np.array([likely.get(name, _ONLY_SOMEWHERE.get(name, 1.0)) for name in types])
    if not scene.structured:
        weights[[name in _MOVED for name in types]] = 0
    weights = np.maximum(weights, 1e-6)
    return weights / weights.sum()


def _plain_hole(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """A clear dark or light spot in the middle of the foreground, when all else was too faint."""
    rows, columns = np.nonzero(scene.foreground > 0.9)
    middle = len(rows) // 2
    row, column = (rows[middle], columns[middle]) if len(rows) else (9, 9)
    reach = max(4, round(8 * scene.unit))
    area = np.s_[max(0, row - reach) : row + reach, max(0, column - reach) : column + reach]
    image = scene.image.copy()
    image[area] = np.where(image[area] > 0.5, image[area] - 0.4, image[area] + 0.4)
    return image, changed_pixels(scene.image, image)


def _contrast(
    normal: np.ndarray, image: np.ndarray, mask: np.ndarray, exposure: Exposure | None
) -> float:
    """Mean change of the strongest channel over the mask, 0-1: of the scene or its photograph."""
    if not mask.any():
        return 0.0
    before, after = normal[mask], image[mask]
    if exposure is not None:
        before, after = exposure.develop(before, mask), exposure.develop(after, mask)
    return float(np.abs(after - before).max(-1).mean())


def changed_pixels(normal: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(H, W) bool: where the defect visibly changes the picture (both (H, W, 3), 0-1).

    Averaged over 3x3 pixels, so that a coincidence of texture leaves no hole in the mask, and
    cut at a quarter of the defect's own contrast, so that a soft edge does not swell it.
    """
    difference = np.abs(image - normal).max(-1)
    rows = np.flatnonzero(difference.max(1) > _VISIBLE)
    columns = np.flatnonzero(difference.max(0) > _VISIBLE)
    mask = np.zeros(difference.shape, bool)
    if not len(rows):
        return mask
    area = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    local = difference[area]
    strong = local[local > _VISIBLE]
    cut = max(_VISIBLE, 0.25 * float(np.quantile(strong[:: max(1, len(strong) // 2000)], 0.9)))
    even = ndimage.uniform_filter(local, 3, mode="constant")
    mask[area] = (local > cut) | ((even > cut) & (local > _VISIBLE / 2))
    return mask
