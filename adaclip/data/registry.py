"""What the published datasets are called, and the objects in them. Facts only, no images, no torch.

The facts are on the cards (`adaclip.data.cards`). Class names are kept as their dataset writes
them ("metal_nut"); `spoken` turns them into words.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adaclip.data.cards import META_FOLDER, PUBLISHED_KEYS, Domain, cards


@dataclass(frozen=True, kw_only=True)
class DatasetClasses:
    """One dataset: its short name, its field and its object classes."""

    key: str
    name: str
    domain: Domain
    class_names: tuple[str, ...]


@functools.cache
def datasets(folder: Path = META_FOLDER) -> Mapping[str, DatasetClasses]:
    """Dataset key -> what it holds, in published order; ours is left out. Raises DatasetError."""
    known = cards(folder)
    return {
        key: DatasetClasses(
            key=key, name=known[key].name, domain=known[key].domain, class_names=known[key].classes
        )
        for key in PUBLISHED_KEYS
    }


def spoken(class_name: str) -> str:
    """A class name as words: "metal_nut" and "metal-nut" become "metal nut"."""
    return " ".join(class_name.replace("_", " ").replace("-", " ").split())


def dataset_name(key: str) -> str:
    """The short name of a dataset, or the key itself when it has no card."""
    known = cards().get(key)
    return known.name if known else key


def datasets_with_class(class_name: str) -> tuple[str, ...]:
    """Keys of the published datasets that have a class of this name, however it is written."""
    wanted = spoken(class_name).casefold()
    return tuple(
        key
        for key, dataset in datasets().items()
        if wanted in {spoken(name).casefold() for name in dataset.class_names}
    )
