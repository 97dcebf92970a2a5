"""Load a dataset's labelled images from a folder, whatever its layout; see `load_samples`."""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts import read_tree
from adaclip.data.pairing import GRAVE
from adaclip.data.sample import MaskRule, Sample, read_mask
from adaclip.errors import DatasetError
from adaclip.text import printable

__all__ = ["MaskRule", "Sample", "load_samples", "read_mask"]


def load_samples(root: Path, dataset: str | None = None, *, split: str = "test") -> list[Sample]:
    """The labelled images under `root`, sorted by class and then by path.

    `dataset` is a card's key, whose layouts are tried; None recognises the dataset by its tree:
    a published one, else a tree of the MVTec kind (one class, or a folder of classes), else a
    CSV manifest (`manifest.csv` in the folder, or `root` itself). `split` is "test" or "train".
    An anomalous image whose mask is missing has none (`checks` reports it). Raises DatasetError
    for a folder that is none of these, for images or labels that are missing, for names that stand
    twice, and for a dataset without images.
    """
    pairing = read_tree(Path(root), dataset, split=split).pairing
    grave = [problem for problem in pairing.problems if problem.kind in GRAVE]
    if grave:
        named = "; ".join(f"{each.path}: {each.kind}, {each.detail}" for each in grave[:3])
        more = f" and {len(grave) - 3} more" if len(grave) > 3 else ""
        name = f"{dataset} " if dataset else ""
        raise DatasetError(
            f"{printable(str(root))}: {printable(named)}{more}; "
            f"`adaclip datasets {name}--root {printable(str(root))}` lists all that is wrong here"
        )
    return pairing.sorted_samples()
