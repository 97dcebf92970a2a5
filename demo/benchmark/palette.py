"""A look for each method, the same in every table and chart, whatever else is shown beside it."""

from __future__ import annotations

import functools
from typing import NamedTuple
from zlib import crc32

# Distinct from each other, readable on white and on black.
COLOURS = (
    "#3f7ee8",
    "#e69f00",
    "#12a07f",
    "#cc6fa3",
    "#d55e00",
    "#7d5cf0",
    "#4bb4da",
    "#a9762f",
    "#8fa823",
    "#d9475f",
    "#8a8f98",
    "#2f8080",
)
# A colour serves several methods; hatching, dashes and symbols tell those apart.
PATTERNS, DASHES = ("", "x", "."), ("solid", "dash", "dot")
SYMBOLS = ("circle", "square", "triangle-up")
RE_EVALUATED_PATTERN = "/"
MEASURED_SYMBOL = "diamond"
# Those that are most looked at have a colour of their own; new names go to the end.
METHODS = (
    "AdaCLIP",
    "WinCLIP",
    "APRIL-GAN/VAND",
    "SAM-adapted",
    "SAA",
    "DINOv2-adapted",
    "AnomalyCLIP",
    "AF-CLIP",
    "Bayes-PFL",
    "Lite",
    "CLIP",
    "AnomalyVFM",
    "AA-CLIP",
    "PSMP-CLIP",
    "MRAD-CLIP",
    "CLIP-AC",
    "CoOp",
    "MoECLIP",
    "ACD-CLIP",
    "CoEvoAD",
    "PatchCore",
    "CDO",
    "MuSc",
    "EDMPrompt",
    "FAPrompt",
    "UniADet",
    "RareCLIP",
    "VCP-CLIP",
    "AdaptCLIP-Zero",
    "CLIP-AD",
    "ACR",
    "PromptAD",
    "FiLo",
)


class MethodLook(NamedTuple):
    """How a method is drawn: "#rrggbb", a bar's pattern, a line's dash, a point's symbol."""

    colour: str
    pattern: str
    dash: str
    symbol: str


@functools.lru_cache(maxsize=1024)
def look_of(method: str) -> MethodLook:
    """The look of a method or checkpoint by its name; "Lite · DINOv2" looks as "Lite" does."""
    name = method.split(" \u00b7 ")[0]
    known = name in METHODS and (name == method or name == "Lite")
    number = METHODS.index(name) if known else crc32(method.encode())
    kind = number // len(COLOURS) % len(PATTERNS)
    return MethodLook(COLOURS[number % len(COLOURS)], PATTERNS[kind], DASHES[kind], SYMBOLS[kind])
