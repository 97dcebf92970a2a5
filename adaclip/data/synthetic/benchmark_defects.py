"""Defects held out of training: same contract as `defects`."""

from __future__ import annotations

from adaclip.data.synthetic import damage, defects
from adaclip.data.synthetic.defects import Defect

DEFECTS: dict[str, Defect] = {
    "tear": damage.break_edge,
    "wrinkle": defects.uneven,
    "smudge": defects.stain,
    "loose_stitch": damage.thread,
    "corrosion": defects.pits,
    "misalignment": damage.swap,
}
