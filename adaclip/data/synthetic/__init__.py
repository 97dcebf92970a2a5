"""Synthetic pictures for training and trying: procedural, ours alone, no licence needed."""

from adaclip.data.synthetic.generator import DEFECT_TYPES, SyntheticSample, generate
from adaclip.data.synthetic.scene import MATERIAL_KINDS, OBJECT_KINDS

__all__ = ["DEFECT_TYPES", "MATERIAL_KINDS", "OBJECT_KINDS", "SyntheticSample", "generate"]
