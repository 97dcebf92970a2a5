"""A normal picture before the camera, and the catalogue of all kinds of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adaclip.data.synthetic import hardware, materials, patterns, things
from adaclip.data.synthetic.fields import Rng, choose


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a camera is pointed at: `image` (H, W, 3) 0-1, and where a defect may lie.

    `foreground` (H, W) 0-1 is all ones for a material; `ground` (H, W, 3) is what is seen where
    a piece is missing. `group` says which defects are likely.
    """

    image: np.ndarray
    foreground: np.ndarray
    ground: np.ndarray
    kind: str
    group: str
    class_name: str
    is_object: bool

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
        return self.kind not in _UNSTRUCTURED


Draw = Callable[[Rng, tuple[int, int]], np.ndarray | tuple[np.ndarray, ...]]
Entry = tuple[Draw, str, tuple[str, ...]]  # how it is drawn, its group, its class names

_MATERIALS: dict[str, Entry] = {
    "brushed_metal": (
        materials.brushed_metal,
        "metal",
        ("brushed metal", "metal plate", "aluminium sheet", "metal surface", "steel panel"),
    ),
    "cast_metal": (materials.cast_metal, "metal", ("cast metal", "iron casting", "metal casting")),
    "steel_strip": (
        materials.steel_strip,
        "metal",
        ("steel strip", "hot-rolled steel", "steel surface", "rolled metal sheet"),
    ),
    "ground_metal": (
        materials.ground_metal,
        "metal",
        ("ground metal", "magnetic tile", "ferrite magnet", "machined surface", "metal part"),
    ),
    "wood": (materials.wood, "fibre", ("wood", "wooden board", "plank", "veneer")),
    "woven_fabric": (
        patterns.woven_fabric,
        "fibre",
        ("woven fabric", "fabric", "cloth", "textile", "canvas"),
    ),
    "knit": (patterns.knit, "fibre", ("knitted fabric", "knitwear", "sweater")),
    "leather": (materials.leather, "fibre", ("leather", "artificial leather", "leather cover")),
    "plastic": (materials.plastic, "sheet", ("plastic", "plastic sheet", "plastic housing")),
    "granite": (materials.granite, "mineral", ("granite", "stone", "stone slab", "countertop")),
    "concrete": (
        materials.concrete,
        "mineral",
        ("concrete", "concrete wall", "mortar", "pavement", "bridge deck"),
    ),
    "asphalt": (materials.asphalt, "mineral", ("asphalt", "road", "road surface", "street")),
    "gravel": (materials.gravel, "mineral", ("exposed aggregate", "terrazzo", "pebble floor")),
    "marble": (materials.marble, "mineral", ("marble", "marble slab", "polished stone")),
    "glass": (materials.glass, "sheet", ("glass", "glass pane", "window", "touch screen")),
    "paper": (materials.paper, "sheet", ("paper", "cardboard", "carton", "sheet of paper")),
    "ceramic": (materials.ceramic, "sheet", ("ceramic", "porcelain", "glazed tile")),
    "rubber": (materials.rubber, "sheet", ("rubber", "foam", "sponge", "rubber mat")),
    "carpet": (materials.carpet, "fibre", ("carpet", "felt", "rug")),
    "painted": (materials.painted, "sheet", ("painted wall", "plaster", "car paint", "wall")),
    "printed_pattern": (
        patterns.printed_pattern,
        "pattern",
        ("printed pattern", "wallpaper", "packaging film", "printed fabric"),
    ),
    "stripes": (
        patterns.stripes,
        "pattern",
        ("striped fabric", "checked cloth", "corrugated sheet"),
    ),
    "wire_grid": (patterns.wire_grid, "pattern", ("grid", "wire mesh", "metal grid", "lattice")),
    "perforated_sheet": (
        patterns.perforated_sheet,
        "pattern",
        ("perforated sheet", "punched metal", "speaker grille"),
    ),
    "brick_wall": (patterns.brick_wall, "mineral", ("brick wall", "tiled floor", "tiles")),
    "solar_cell": (
        patterns.solar_cell,
        "cell",
        ("solar cell", "photovoltaic cell", "solar panel", "solar module"),
    ),
    "wafer": (patterns.wafer, "pattern", ("wafer", "semiconductor wafer", "chip array")),
    "tissue_slide": (
        patterns.tissue_slide,
        "medical",
        ("tissue", "histology slide", "tissue section"),
    ),
    "brain_scan": (patterns.brain_scan, "medical", ("brain", "head CT", "brain MRI", "brain scan")),
    "body_scan": (
        patterns.body_scan,
        "medical",
        ("liver", "CT scan", "ultrasound scan", "abdomen"),
    ),
    "eye_fundus": (patterns.eye_fundus, "medical", ("retina", "eye fundus", "retinal scan")),
}

_OBJECTS: dict[str, Entry] = {
    "screw": (hardware.screw, "object", ("screw", "bolt", "wood screw")),
    "hex_nut": (hardware.hex_nut, "object", ("hex nut", "metal nut", "nut")),
    "washer": (hardware.washer, "object", ("washer", "seal ring", "flange", "gasket")),
    "gear": (hardware.gear, "object", ("gear", "cog wheel", "sprocket")),
    "bottle_top": (hardware.bottle_top, "object", ("bottle", "bottle opening", "glass jar")),
    "bottle_side": (hardware.bottle_side, "object", ("bottle", "flask", "tube", "vial")),
    "circuit_board": (
        hardware.circuit_board,
        "object",
        ("circuit board", "printed circuit board", "PCB"),
    ),
    "cable_section": (hardware.cable_section, "object", ("cable", "cable cross-section", "wire")),
    "toothbrush": (hardware.toothbrush, "object", ("toothbrush", "brush")),
    "transistor": (hardware.transistor, "object", ("transistor", "electronic component")),
    "bracket": (hardware.bracket, "object", ("metal bracket", "bracket", "mounting plate")),
    "ceramic_tile": (hardware.ceramic_tile, "object", ("tile", "ceramic tile", "floor tile")),
    "pill": (things.pill, "object", ("pill", "tablet")),
    "capsule": (things.capsule, "object", ("capsule", "medicine capsule")),
    "toy_figure": (things.toy_figure, "object", ("toy", "toy figure", "doll", "figurine")),
    "cookie": (things.cookie, "object", ("cookie", "biscuit", "cracker")),
    "seed_grain": (things.seed_grain, "object", ("hazelnut", "seed", "grain", "cashew", "almond")),
    "fruit": (things.fruit, "object", ("apple", "fruit", "tomato", "peach")),
    "button": (things.button, "object", ("button", "coin", "token")),
    "zipper": (things.zipper, "object", ("zipper", "zip")),
    "candle_row": (
        things.candle_row,
        "object",
        ("candles", "macaroni", "sweets", "parts", "beads"),
    ),
    "bristle_comb": (things.bristle_comb, "object", ("comb", "connector", "pin header")),
}

# One place of these looks like any other: a patch moved within them is no visible defect.
_UNSTRUCTURED = frozenset(
    {
        "cast_metal",
        "leather",
        "plastic",
        "granite",
        "concrete",
        "asphalt",
        "gravel",
        "glass",
        "paper",
        "ceramic",
        "rubber",
        "carpet",
        "painted",
        "tissue_slide",
        "steel_strip",
    }
)

MATERIAL_KINDS: tuple[str, ...] = tuple(_MATERIALS)
OBJECT_KINDS: tuple[str, ...] = tuple(_OBJECTS)


def draw_scene(rng: Rng, kind: str, shape: tuple[int, int]) -> Scene:
    """Draw a normal picture of `kind`, one of MATERIAL_KINDS or OBJECT_KINDS."""
    is_object = kind in _OBJECTS
    draw, group, names = (_OBJECTS if is_object else _MATERIALS)[kind]
    name = choose(rng, names)
    drawn = draw(rng, shape)
    parts = drawn if isinstance(drawn, tuple) else (drawn, np.ones(shape, np.float32))
    # Behind a material lies an even dark or bright nothing.
    behind = parts[2] if len(parts) == 3 else np.full((*shape, 3), rng.choice([0.03, 0.15, 0.9]))
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
        is_object=is_object,
    )
