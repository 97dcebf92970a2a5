"""The catalogue of kinds: how each is drawn, its group and the names it goes by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adaclip.synthetic.canvas.fields import Rng
from adaclip.synthetic.kinds import hardware, materials, patterns, surfaces, things, toys, wares

Draw = Callable[[Rng, tuple[int, int]], np.ndarray | tuple[np.ndarray, ...]]
Entry = tuple[Draw, str, tuple[str, ...]]  # how it is drawn, its group, its class names

MATERIALS: dict[str, Entry] = {
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
    "marked_road": (surfaces.marked_road, "mineral", ("road", "street", "road marking", "asphalt")),
    "paving": (surfaces.paving, "mineral", ("paving", "pavement", "sidewalk", "stone floor")),
    "mottled_steel": (
        surfaces.mottled_steel,
        "metal",
        ("steel surface", "steel plate", "metal sheet", "galvanised steel"),
    ),
    "machined_face": (
        surfaces.machined_face,
        "metal",
        ("ground metal part", "machined part", "commutator", "magnet"),
    ),
    "mono_cell": (surfaces.mono_cell, "cell", ("solar cell", "monocrystalline solar cell")),
    "poly_cell": (surfaces.poly_cell, "cell", ("solar cell", "polycrystalline solar cell")),
    "x_ray_casting": (
        surfaces.x_ray_casting,
        "metal",
        ("x-ray of a casting", "radiograph", "weld"),
    ),
    "fibre_mat": (surfaces.fibre_mat, "fibre", ("fibre mat", "nonwoven fabric", "felt")),
    "chipboard": (surfaces.chipboard, "fibre", ("chipboard", "pressed wood", "particle board")),
    "text_print": (
        surfaces.text_print,
        "sheet",
        ("printed label", "document", "text", "packaging"),
    ),
    "grain_bed": (surfaces.grain_bed, "mineral", ("rice", "beans", "pellets", "grains")),
    "rubber_tread": (
        surfaces.rubber_tread,
        "pattern",
        ("rubber mat", "tyre tread", "studded floor"),
    ),
}

OBJECTS: dict[str, Entry] = {
    "screw": (hardware.screw, "object", ("screw", "bolt", "wood screw")),
    "hex_nut": (hardware.hex_nut, "object", ("hex nut", "metal nut", "nut")),
    "washer": (hardware.washer, "object", ("washer", "seal ring", "flange")),
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
    "vinyl_figure": (
        toys.vinyl_figure,
        "object",
        ("toy figure", "action figure", "plastic toy", "rubber doll"),
    ),
    "plush_animal": (
        toys.plush_animal,
        "object",
        ("plush toy", "teddy bear", "stuffed animal", "soft toy"),
    ),
    "toy_animal": (toys.toy_animal, "object", ("toy animal", "horse figure", "plastic animal")),
    "block_robot": (toys.block_robot, "object", ("robot", "toy robot", "building block figure")),
    "bath_duck": (toys.bath_duck, "object", ("rubber duck", "toy duck", "bird figure")),
    "toy_car": (toys.toy_car, "object", ("toy car", "model car", "vehicle")),
    "bearing": (wares.bearing, "object", ("bearing", "ball bearing", "wheel")),
    "pipe_fitting": (wares.pipe_fitting, "object", ("pipe fitting", "metal tube", "pipe")),
    "spring": (wares.spring, "object", ("spring", "coil spring", "coil")),
    "cutlery": (wares.cutlery, "object", ("spoon", "spatula", "kitchen tool")),
    "mug": (wares.mug, "object", ("mug", "cup", "pot")),
    "chip_package": (
        wares.chip_package,
        "object",
        ("microchip", "integrated circuit", "electronic part"),
    ),
    "battery": (wares.battery, "object", ("battery", "cell", "can")),
    "blister_pack": (wares.blister_pack, "object", ("blister pack", "tablet pack", "packaging")),
    "lamp_bulb": (wares.lamp_bulb, "object", ("light bulb", "lamp")),
    "bread": (wares.bread, "object", ("bread", "doughnut", "bun", "toast")),
    "loose_parts": (
        wares.loose_parts,
        "object",
        ("rivets", "beans", "rings", "small parts", "pasta"),
    ),
}

# One place of these looks like any other: a patch moved within them is no visible defect.
UNSTRUCTURED = frozenset(
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
        "mottled_steel",
        "fibre_mat",
        "chipboard",
        "grain_bed",
        "x_ray_casting",
        "photographed_concrete",
        "photographed_rock",
        "photographed_soil",
    }
)

# Seen in daylight or under lamps, where shadows fall on what is inspected.
SHADED = frozenset(
    kind
    for kind, (_, group, _) in MATERIALS.items()
    if group in ("metal", "mineral", "sheet", "fibre") and kind != "x_ray_casting"
)
