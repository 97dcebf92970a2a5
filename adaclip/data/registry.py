"""What the published datasets are called, and the objects in them. Facts only, no images, no torch.

The facts are in `datasets_meta/classes.json`. Class names are kept as their dataset writes them
("metal_nut"); `spoken` turns them into words.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from adaclip.errors import DatasetError

CLASSES_FILE = Path(__file__).resolve().parents[2] / "datasets_meta" / "classes.json"


@dataclass(frozen=True, kw_only=True)
class DatasetClasses:
    """One dataset: its short name, its field and its object classes."""

    key: str
    name: str
    domain: Literal["industrial", "medical"]
    class_names: tuple[str, ...]


@functools.cache
def datasets(path: Path = CLASSES_FILE) -> Mapping[str, DatasetClasses]:
    """Dataset key -> what it holds, in published order. Raises DatasetError."""
    try:
        cards = json.loads(path.read_text(encoding="utf-8"))
        return {
            key: DatasetClasses(
                key=key,
                name=card["name"],
                domain=card["domain"],
                class_names=tuple(card["class_names"]),
            )
            for key, card in cards.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{path}: the list of dataset classes cannot be read ({error!r}); "
            "restore the file from the project's repository"
        ) from error


def spoken(class_name: str) -> str:
    """A class name as words: "metal_nut" and "metal-nut" become "metal nut"."""
    return " ".join(class_name.replace("_", " ").replace("-", " ").split())


def dataset_name(key: str) -> str:
    """The short name of a dataset, or the key itself when it is not a published one."""
    known = datasets().get(key)
    return known.name if known else key


def datasets_with_class(class_name: str) -> tuple[str, ...]:
    """Keys of the datasets that have a class of this name, however it is written."""
    wanted = spoken(class_name).casefold()
    return tuple(
        key
        for key, dataset in datasets().items()
        if wanted in {spoken(name).casefold() for name in dataset.class_names}
    )
