"""Synthetic pictures for training and trying: procedural, ours alone, no licence needed.

`collected` adds kinds made of other people's free pictures, where a caller brings them.
"""

from adaclip.synthetic.generator import (
    BENCHMARK_DEFECTS,
    DEFECT_TYPES,
    SyntheticSample,
    generate,
)
from adaclip.synthetic.scene import BENCHMARK_KINDS, MATERIAL_KINDS, OBJECT_KINDS

__all__ = [
    "BENCHMARK_DEFECTS",
    "BENCHMARK_KINDS",
    "DEFECT_TYPES",
    "MATERIAL_KINDS",
    "OBJECT_KINDS",
    "SyntheticSample",
    "generate",
]
