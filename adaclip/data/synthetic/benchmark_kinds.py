"""Kinds held out of training: only a benchmark draws them, no model here has seen them."""

from __future__ import annotations

from adaclip.data.synthetic import hardware, materials, patterns, things
from adaclip.data.synthetic.catalogue import Entry

MATERIALS: dict[str, Entry] = {
    "woven_basket": (patterns.woven_fabric, "fibre", ("woven basket",)),
    "stitched_seam": (patterns.knit, "fibre", ("stitched seam",)),
    "cork": (materials.rubber, "fibre", ("cork",)),
    "speckled_tile": (materials.granite, "mineral", ("speckled tile",)),
}
OBJECTS: dict[str, Entry] = {
    "gasket": (hardware.washer, "object", ("gasket",)),
    "key": (hardware.bracket, "object", ("key",)),
    "dial": (things.button, "object", ("dial",)),
    "knob": (things.button, "object", ("knob",)),
}
