"""A card for each dataset: what it holds, how it lies on disk, what can be measured on it.

The facts are JSON files in `datasets_meta/`, one per dataset, named after its key. Counts are of
the test split. A fact that nobody could check is None, never a guess.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from adaclip.errors import DatasetError, InputError
from adaclip.text import printable

META_FOLDER = Path(__file__).resolve().parents[2] / "datasets_meta"
# In the order of the published tables; the synthetic set is ours and comes last.
PUBLISHED_KEYS = (
    "mvtec",
    "visa",
    "mpdd",
    "btad",
    "sdd",
    "dagm",
    "dtd",
    "headct",
    "brain_mri",
    "br35h",
    "isic",
    "colondb",
    "clinicdb",
    "tn3k",
)
SYNTHETIC_KEY = "synthetic"

Domain = Literal["industrial", "medical", "synthetic"]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something said about a dataset: None where nobody could check it; and who says it."""

    value: str | None
    source: str
    confidence: str


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many test images there are. `total` stands alone where the split is unknown."""

    normal: int | None = None
    anomalous: int | None = None
    total: int | None = None
    why: str = ""
    max_f1_floor: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClassCard:
    """One class: its name in the dataset, the words for it, and its test images where known.

    `max_f1_floor` (0-1) is what calling every image anomalous gives; None without normal images.
    """

    name: str
    words: str
    type: str | None
    normal: int | None
    anomalous: int | None
    max_f1_floor: float | None


@dataclass(frozen=True, kw_only=True)
class LayoutCard:
    """One way a dataset lies on disk: who reads it, with which options, in words too.

    `folders` are names that the root folder usually bears. `counts` is None where the card's own
    hold.
    """

    reader: str
    folders: tuple[str, ...]
    tree: str
    mask_rule: str
    source: str
    options: Mapping[str, Any]
    counts: Counts | None


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything known about one dataset. Floors are 0-1; counts are of the test split."""

    key: str
    name: str
    full_name: str
    domain: Domain
    class_cards: tuple[ClassCard, ...]
    prompt_words: str
    normal: int
    anomalous: int
    train_normal: int | None
    all_images: int | None
    counts_source: str
    counts_confidence: str
    alternatives: tuple[Counts, ...]
    has_masks: bool
    has_normals: bool
    image_metrics: bool
    pixel_metrics: bool
    undefined_because: str | None
    max_f1_floor: float | None
    resolution: Fact
    licence: Fact
    homepage: str
    downloads: tuple[tuple[str, str], ...]
    citation: str
    layouts: tuple[LayoutCard, ...]
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, as the dataset writes them."""
        return tuple(each.name for each in self.class_cards)

    @property
    def class_floors(self) -> dict[str, float]:
        """Class name -> max-F1 floor (0-1), where it is known."""
        floors = ((each.name, each.max_f1_floor) for each in self.class_cards)
        return {name: floor for name, floor in floors if floor is not None}


@functools.cache
def cards(folder: Path = META_FOLDER) -> Mapping[str, Card]:
    """Dataset key -> card: the published ones in their order, then ours. Raises DatasetError."""
    return {key: read_card(folder / f"{key}.json") for key in (*PUBLISHED_KEYS, SYNTHETIC_KEY)}


def card(key: str) -> Card:
    """The card of one dataset. Raises InputError for an unknown key, naming the known ones."""
    known = cards()
    if key not in known:
        raise InputError(
            f"there is no dataset {printable(key)!r}; choose from {', '.join(known)}, "
            "or leave the name out for a folder of your own"
        )
    return known[key]


def read_card(path: Path) -> Card:
    """One card from its file. Raises DatasetError for a file that is missing or damaged."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        found = _card(raw)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{path}: the dataset's card cannot be read ({error!r}); "
            "restore the file from the project's repository"
        ) from error
    if found.key != path.stem:
        raise DatasetError(f"{path}: the card says it is of {found.key!r}; rename one of them")
    return found


def _card(raw: Mapping[str, Any]) -> Card:
    counts, metrics = raw["counts"], raw["metrics"]
    return Card(
        key=raw["key"],
        name=raw["name"],
        full_name=raw["full_name"],
        domain=raw["domain"],
        class_cards=tuple(_class(each) for each in raw["classes"]),
        prompt_words=raw["prompt_words"],
        normal=counts["normal"],
        anomalous=counts["anomalous"],
        train_normal=counts["train_normal"],
        all_images=counts["all_images"],
        counts_source=counts["source"],
        counts_confidence=counts["confidence"],
        alternatives=tuple(Counts(**each) for each in counts["alternatives"]),
        has_masks=raw["has_masks"],
        has_normals=raw["has_normals"],
        image_metrics=metrics["image_level"],
        pixel_metrics=metrics["pixel_level"],
        undefined_because=metrics["why_not"],
        max_f1_floor=raw["max_f1_floor"],
        resolution=Fact(**raw["resolution"]),
        licence=Fact(**raw["licence"]),
        homepage=raw["homepage"],
        downloads=tuple((each["what"], each["url"]) for each in raw["downloads"]),
        citation=raw["citation"],
        layouts=tuple(_layout(each) for each in raw["layouts"]),
        notes=tuple(raw["notes"]),
    )


def _class(raw: Mapping[str, Any]) -> ClassCard:
    return ClassCard(
        name=raw["name"],
        words=raw["words"],
        type=raw.get("type"),
        normal=raw["normal"],
        anomalous=raw["anomalous"],
        max_f1_floor=raw["max_f1_floor"],
    )


def _layout(raw: Mapping[str, Any]) -> LayoutCard:
    common = ("reader", "folders", "tree", "mask_rule", "source", "counts")
    return LayoutCard(
        reader=raw["reader"],
        folders=tuple(raw["folders"]),
        tree=raw["tree"],
        mask_rule=raw["mask_rule"],
        source=raw["source"],
        options={key: value for key, value in raw.items() if key not in common},
        counts=Counts(**raw["counts"]) if "counts" in raw else None,
    )
