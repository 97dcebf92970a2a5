"""How each dataset lies on disk, and which one a folder is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adaclip.data import originals
from adaclip.data.cards import Card, LayoutCard, card, cards
from adaclip.data.folders import fenced
from adaclip.data.manifest import MANIFEST_NAME, manifest_name, manifest_of, read_manifest
from adaclip.data.pairing import Pairing, subfolders
from adaclip.data.trees import EXPECTED, SPLITS, class_folders, read_classes
from adaclip.errors import DatasetError
from adaclip.text import printable

# What the published trees of this kind call their normal images, unless their card says.
_USUAL_NORMAL = ("good", "ok", "normal")

Reader = Callable[[Pairing, Card, LayoutCard, str], bool]


def _read_mvtec(pairing: Pairing, known: Card, layout: LayoutCard, split: str) -> bool:
    folders = class_folders(pairing.root)
    if not folders or not {folder.resolve().name for folder in folders} <= set(known.classes):
        return False
    read_classes(
        pairing,
        folders,
        split=split,
        normal=layout.options.get("normal", _USUAL_NORMAL),
        above=layout.options.get("above"),
    )
    return True


READERS: dict[str, Reader] = {
    "mvtec": _read_mvtec,
    "visa": originals.read_visa,
    "dagm": originals.read_dagm,
    "ksdd": originals.read_ksdd,
    "labels_csv": originals.read_labels_csv,
    "yes_no": originals.read_yes_no,
    "paired": originals.read_paired,
}


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What was found under a folder, and by which layout; no card or layout for an own folder.

    `is_tree`: the names of folders say what is normal; `from_table`: a manifest does.
    """

    pairing: Pairing
    card: Card | None = None
    layout: LayoutCard | None = None
    is_tree: bool = False
    from_table: bool = False


def read_tree(
    root: Path,
    dataset: str | None = None,
    *,
    split: str = "test",
    normal: tuple[str, ...] = (),
    follow_links: bool = False,
) -> Tree:
    """All samples and problems of a folder, in whatever layout it is.

    `dataset` None recognises it. `normal` names the folders of normal images of a tree. Links
    that lead out of the folder are problems unless `follow_links`. Raises DatasetError for a
    folder nothing can be made of, and InputError for an unknown dataset.
    """
    if split not in SPLITS:
        raise DatasetError(f"there is no split {split!r}; choose {' or '.join(SPLITS)}")
    if not root.exists():
        raise DatasetError(f"{printable(str(root))}: there is no such folder; check the path")
    folder = root if root.is_dir() else root.parent
    with fenced(folder, follow_links) as fence:
        found = (
            _read_as(root, card(dataset), split, normal)
            if dataset
            else _read_own(root, split, normal)
        )
        pairing, table = found.pairing, manifest_of(root)
        if normal and not found.is_tree:
            raise DatasetError(
                f"{printable(str(root))}: is no tree of folders, so no folder of it is named by "
                "--normal; its table says what is normal"
            )
        if root.is_dir() and table is not None and not found.from_table:
            pairing.note(
                "unused table",
                table,
                "lies beside folders that are a dataset already, so it was not read; name the "
                "file itself to read it instead",
            )
        for link in fence.outside:
            if link.is_relative_to(pairing.root):
                pairing.note("link outside", link, "is not followed; --follow-links reads it")
    return found


def _read_own(root: Path, split: str, normal: tuple[str, ...]) -> Tree:
    """A folder by its tree alone."""
    if root.is_dir():
        known = _recognised(root, split, normal)
        if known is not None:
            return known
        folders = class_folders(root)
        if folders:
            pairing = Pairing(root=root, dataset=_own_name(root.resolve().name), normal=normal)
            read_classes(pairing, folders, split=split)
            return Tree(pairing=pairing, is_tree=True)
    table = manifest_of(root)
    if table is not None:
        pairing = read_manifest(table, _own_name(manifest_name(table)))
        return Tree(pairing=pairing, from_table=True)
    raise DatasetError(
        f"{printable(str(root))}: is laid out like no dataset known here. Expected {EXPECTED}, or "
        f"a {MANIFEST_NAME}, or a published dataset's own tree (`adaclip datasets NAME` shows it)"
    )


def _read_as(root: Path, known: Card, split: str, normal: tuple[str, ...]) -> Tree:
    """The folder as a copy of one dataset, by the first of its layouts that fits."""
    for layout in known.layouts:
        tree = _try(root, known, layout, split, normal)
        if tree is not None:
            return tree
    table = manifest_of(root)
    if table is not None:
        return Tree(pairing=read_manifest(table, known.key), card=known, from_table=True)
    ways = "; or ".join(layout.tree for layout in known.layouts)
    inner = [each.name for each in subfolders(root)][:8] if root.is_dir() else []
    found = ", ".join(map(printable, inner)) or "no folders"
    raise DatasetError(
        f"{printable(str(root))}: is no copy of {known.name}. Expected {ways}. Found: {found}. "
        "Name the folder that holds these, or leave the dataset's name out for your own images"
    )


def _recognised(root: Path, split: str, normal: tuple[str, ...]) -> Tree | None:
    """The published dataset that a folder is, if it is one. Raises DatasetError if it is two.

    The folder bears the usual name, or its tree is that of one dataset alone: a tree of the
    MVTec kind must hold all of its classes, as others have a class "tile" too.
    """
    named = {_plain(root.resolve().name)}
    if class_folders(root) == [root]:  # one class: its dataset's folder is the one above
        named.add(_plain(root.resolve().parent.name))
    fitting = []
    for known, layout in _all_layouts():
        bears_name = any(_plain(folder) in named for folder in layout.folders)
        if layout.reader == "mvtec" and not bears_name and not _holds_all(root, known, layout):
            continue
        tree = _try(root, known, layout, split, normal)
        if tree is not None:
            fitting.append((bears_name, tree))
    best = [tree for bears_name, tree in fitting if bears_name] or [tree for _, tree in fitting]
    keys = sorted({tree.pairing.dataset for tree in best})
    if len(keys) > 1:
        raise DatasetError(
            f"{printable(str(root))}: may be {' or '.join(keys)}, which lie alike; say which one "
            f"it is, or lay your own images out as {EXPECTED} or with a {MANIFEST_NAME}"
        )
    return best[0] if best else None


def _try(
    root: Path, known: Card, layout: LayoutCard, split: str, normal: tuple[str, ...]
) -> Tree | None:
    pairing = Pairing(root=root, dataset=known.key, normal=normal)
    if not root.is_dir() or not READERS[layout.reader](pairing, known, layout, split):
        return None
    is_tree = layout.reader == "mvtec"
    return Tree(pairing=pairing, card=known, layout=layout, is_tree=is_tree)


def _all_layouts() -> Iterator[tuple[Card, LayoutCard]]:
    for known in cards().values():
        for layout in known.layouts:
            yield known, layout


def _holds_all(root: Path, known: Card, layout: LayoutCard) -> bool:
    folders = class_folders(root)
    if {folder.resolve().name for folder in folders} != set(known.classes):
        return False
    normal = layout.options.get("normal")
    places = [folder / split for folder in folders for split in SPLITS]
    return normal is None or any((place / name).is_dir() for place in places for name in normal)


def _own_name(name: str) -> str:
    """A name for an own folder that no published dataset bears."""
    return f"{name}-own" if name in cards() else name


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
