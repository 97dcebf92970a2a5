"""New rows of the annotation store: labels, retractions, and rows with a region."""

from __future__ import annotations

import dataclasses
import secrets

import numpy as np

from adaclip.annotations.masks import rle_text
from adaclip.annotations.record import (
    MAX_RLE,
    NO_REGION,
    SCHEMA,
    Annotation,
    check,
    mask_name,
    tidy,
)
from adaclip.errors import InputError


def retraction(row: Annotation, annotator: str, *, ts_utc: str) -> Annotation:
    """The row that takes another one back, in the name of who does so. Raises InputError."""
    taken = dataclasses.replace(
        row,
        event_id=new_id(),
        supersedes=row.event_id,
        ts_utc=ts_utc,
        action="retract",
        annotator=annotator,
        lead_time_ms=None,
        comment="",
        **NO_REGION,
    )
    taken = named(tidy(taken))
    check(taken)
    return taken


def labelled(annotation: Annotation) -> Annotation:
    """A fresh label made of what the caller says, without a region. Raises InputError."""
    row = dataclasses.replace(
        annotation,
        schema=SCHEMA,
        event_id=new_id(),
        supersedes="",
        action="label",
        **NO_REGION,
    )
    return named(tidy(row))


def named(row: Annotation) -> Annotation:
    """The row itself. Raises InputError when it does not say whose it is."""
    if not row.annotator:
        raise InputError("an annotation needs a name: say who judges")
    return row


def with_region(row: Annotation, mask: np.ndarray) -> Annotation:
    """The row with its region's file, run lengths and area. Raises InputError."""
    check_mask(row, mask)
    text = rle_text(mask)
    return dataclasses.replace(
        row,
        region_kind="mask",
        region_path=mask_name(row.pixel_sha256, row.event_id),
        # A region of very many runs is in its file alone.
        region_rle=text if len(text) <= MAX_RLE else "",
        region_area_px=int(mask.sum()),
    )


def check_mask(row: Annotation, mask: np.ndarray) -> None:
    """Raise InputError for a region that is no (H, W) bool of the row's picture."""
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        raise InputError("a region has to be a numpy array of True and False")
    if mask.shape != (row.height, row.width):
        given = " x ".join(str(side) for side in reversed(mask.shape))
        raise InputError(
            f"the region is {given} pixels and its picture {row.width} x {row.height}; they do "
            "not belong together, so nothing was stored"
        )


def new_id() -> str:
    """96 random bits behind a letter, so that no spreadsheet takes it for a number."""
    return "e" + secrets.token_hex(12)
