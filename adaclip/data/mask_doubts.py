"""Masks that can be read and yet may mean something else than their readers take them for."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from adaclip.data.decoding import orientation_of
from adaclip.data.masks import read_mask_file
from adaclip.data.sample import Sample
from adaclip.errors import DatasetError
from adaclip.text import printable

_READERS = 4
_NAMED = 3
# What a run says of each kind: one, several, and what may be wrong.
_SENTENCES = {
    "turned picture": (
        "image is turned by EXIF and its mask is not",
        "images are turned by EXIF and their masks are not",
        "The masks were taken as drawn on the picture as it is shown; if they were drawn on the "
        "stored pixels, pixel metrics are wrong: save the pictures upright.",
    ),
    "guessed mask": ("mask was guessed at", "masks were guessed at", ""),
    "large mask": (
        "mask covers more than half of its image",
        "masks cover more than half of their images",
        "Are they inverted? Black is normal, all else a defect.",
    ),
    "empty mask": ("mask marks nothing", "masks mark nothing", ""),
    "guessed pair": (
        "image has a mask that was paired by a number alone",
        "images have masks that were paired by a number alone",
        "",
    ),
}


def mask_doubts(sample: Sample) -> list[tuple[str, str]]:
    """(kind, sentence) for everything doubtful about a sample's masks; none that cannot be read.

    The kinds are "turned picture", "guessed mask", "large mask" and "empty mask".
    """
    doubts = []
    whole: np.ndarray | None = None
    turned = orientation_of(sample.image_path) if sample.mask_paths else 1
    for path in sample.mask_paths:
        try:
            reading = read_mask_file(path, above=sample.mask_rule.above)
        except DatasetError:
            return []
        if reading.guess:
            doubts.append(("guessed mask", reading.guess))
        if turned != 1 and reading.orientation == 1:
            doubts.append(
                (
                    "turned picture",
                    f"its EXIF orientation is {turned} and its mask has none, so the mask was "
                    "taken as drawn on the picture as shown; save the picture upright",
                )
            )
        same = whole is not None and whole.shape == reading.mask.shape
        whole = whole | reading.mask if same and whole is not None else reading.mask
    if whole is None:
        return doubts
    if not whole.any():
        doubts.append(("empty mask", "no pixel is marked"))
    elif (share := float(whole.mean())) > 0.5:
        said = f"{100 * share:.0f} % are marked; is it inverted? Black is normal, all else a defect"
        doubts.append(("large mask", said))
    return doubts


def doubts_of(samples: Iterable[Sample]) -> list[str]:
    """A sentence for every kind of doubt about the masks of a run, naming the first images."""
    masked = [sample for sample in samples if sample.mask_paths]
    found: dict[str, dict[str, str]] = {}
    with ThreadPoolExecutor(_READERS, thread_name_prefix="masks") as pool:
        for sample, doubts in zip(masked, pool.map(mask_doubts, masked), strict=True):
            if sample.mask_rule.guess:
                doubts.append(("guessed pair", sample.mask_rule.guess))
            for kind, detail in doubts:
                found.setdefault(kind, {})[sample.rel_path] = detail
    return [_sentence(kind, found[kind]) for kind in _SENTENCES if kind in found]


def _sentence(kind: str, details: dict[str, str]) -> str:
    one, several, doubt = _SENTENCES[kind]
    named = ", ".join(map(printable, list(details)[:_NAMED]))
    more = ", ..." if len(details) > _NAMED else ""
    if kind.startswith("guessed"):  # the first one's reason
        doubt = f"{printable(next(iter(details.values())))}."
    said = [f"{len(details)} {one if len(details) == 1 else several}: {named}{more}.", doubt]
    return " ".join([*filter(None, said), "`adaclip datasets --root DIR` lists all of them."])
