"""Load a dataset's labelled images from a folder, whatever its layout; see `load_samples`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adaclip.data.layouts import read_tree
from adaclip.data.pairing import GRAVE, GUESSES, Problem
from adaclip.data.sample import MaskRule, Sample, read_mask
from adaclip.errors import DatasetError
from adaclip.text import printable

__all__ = ["LoadedSet", "MaskRule", "Sample", "load_dataset", "load_samples", "read_mask"]


@dataclass(frozen=True, kw_only=True)
class LoadedSet:
    """The images of a dataset, and sentences on what was guessed or passed over."""

    samples: list[Sample]
    notes: tuple[str, ...] = ()


def load_samples(root: Path, dataset: str | None = None, *, split: str = "test") -> list[Sample]:
    """`load_dataset` without its notes."""
    return load_dataset(root, dataset, split=split).samples


def load_dataset(
    root: Path,
    dataset: str | None = None,
    *,
    split: str = "test",
    normal: tuple[str, ...] = (),
    follow_links: bool = False,
) -> LoadedSet:
    """The labelled images under `root`, sorted by class and then by path.

    `dataset` is a card's key, whose layouts are tried; None recognises the dataset by its tree:
    a published one, else a tree of the MVTec kind (one class, or a folder of classes), else a
    CSV manifest (`manifest.csv` in the folder, or `root` itself). `split` is "test" or "train".
    `normal` names the folders of normal images where their names do not say it; links that lead
    out of `root` are passed over unless `follow_links`.
    An anomalous image whose mask is missing has none (`checks` reports it). Raises DatasetError
    for a folder that is none of these, for images or labels that are missing, for names that stand
    twice, and for a dataset without images.
    """
    pairing = read_tree(
        Path(root), dataset, split=split, normal=normal, follow_links=follow_links
    ).pairing
    grave = [problem for problem in pairing.problems if problem.kind in GRAVE]
    if grave:
        named = "; ".join(f"{each.path}: {each.kind}, {each.detail}" for each in grave[:3])
        more = f" and {len(grave) - 3} more" if len(grave) > 3 else ""
        name = f"{dataset} " if dataset else ""
        raise DatasetError(
            f"{printable(str(root))}: {printable(named)}{more}; "
            f"`adaclip datasets {name}--root {printable(str(root))}` lists all that is wrong here"
        )
    return LoadedSet(samples=pairing.sorted_samples(), notes=_notes(pairing.problems))


def _notes(problems: Sequence[Problem]) -> tuple[str, ...]:
    """A sentence for every kind of guess, naming the first few."""
    sentences = []
    for kind in GUESSES:
        found = [problem for problem in problems if problem.kind == kind]
        if found:
            more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
            sentences.append(printable(f"{kind}: {found[0].path}: {found[0].detail}{more}"))
    return tuple(sentences)
