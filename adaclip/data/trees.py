"""Trees of the MVTec kind: `<class>/test/<good or defect>/` and `<class>/ground_truth/<defect>/`.

The commonest layout of all, and what any folder of the user's own is expected to look like.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from adaclip.data.folders import let_in
from adaclip.data.normal_names import is_normal_name, same_name
from adaclip.data.pairing import Pairing, image_files, pair_masks, subfolders
from adaclip.errors import DatasetError
from adaclip.text import printable

MASKS_FOLDER = "ground_truth"
SPLITS = ("test", "train")
EXPECTED = "<class>/test/good/*.png, <class>/test/<defect>/*.png, <class>/ground_truth/<defect>/"


def class_folders(root: Path) -> list[Path]:
    """The class folders of a tree: `root` itself where it is one, else those directly in it.

    Empty where the folder is nothing of the kind. Raises DatasetError for a folder of
    datasets, naming them.
    """
    if _is_class(root):
        return [root]
    inner = subfolders(root)
    classes = [folder for folder in inner if _is_class(folder)]
    if classes:
        return classes
    datasets = [
        folder.name for folder in inner if any(_is_class(each) for each in subfolders(folder))
    ]
    if datasets:
        raise DatasetError(
            f"{printable(str(root))}: holds datasets; name one of them: "
            f"{', '.join(map(printable, datasets))}"
        )
    return []


def read_classes(
    pairing: Pairing,
    folders: Collection[Path],
    *,
    split: str,
    normal: Collection[str] = (),
    above: int | None = None,
) -> None:
    """Fill `pairing` with the images of class folders. Raises DatasetError for a wrong tree.

    Normal are the folders named by a person (`pairing.normal`), else by a published layout
    (`normal`), else those whose names say so (`adaclip.data.normal_names`).
    """
    _refuse_unknown(pairing, folders, split)
    for folder in folders:
        kinds = subfolders(folder / split) if (folder / split).is_dir() else []
        loose = image_files(folder / split)
        if loose:
            raise DatasetError(
                f"{printable(str(folder / split))}: has images outside of any subfolder, such as "
                f"{printable(loose[0].name)}; put them into good/ or into a folder named after "
                "their defect"
            )
        masked = (folder / MASKS_FOLDER).is_dir() and let_in(folder / MASKS_FOLDER)
        seen = set()
        for kind in kinds:
            is_normal = _is_normal(kind, pairing, normal)
            masks, orphans = pair_masks(image_files(kind), folder / MASKS_FOLDER / kind.name)
            seen.add(kind.name)
            # A folder of black masks for the normal images does no harm and is not used.
            if split == "test" and not is_normal:
                pairing.note_orphans(orphans)
            pairing.add_folder(
                kind,
                class_name=_class_name(folder),
                defect_type=None if is_normal else kind.name,
                masks=masks,
                masks_expected=masked,
                above=above,
            )
        if split == "test" and not normal and not pairing.normal:
            _ask_for_normal(pairing, folder / split, kinds)
        if masked and split == "test":
            for lonely in subfolders(folder / MASKS_FOLDER):
                if lonely.name not in seen:
                    pairing.note_orphans(image_files(lonely))


def _is_normal(kind: Path, pairing: Pairing, normal: Collection[str]) -> bool:
    if pairing.normal:
        return any(same_name(kind.name, name) for name in pairing.normal)
    if normal:
        return kind.name.casefold() in normal
    return is_normal_name(kind.name) is True


def _ask_for_normal(pairing: Pairing, folder: Path, kinds: Sequence[Path]) -> None:
    """Note what `--normal NAME` is to answer."""
    unclear = [kind for kind in kinds if is_normal_name(kind.name) is None]
    for kind in unclear:
        pairing.note(
            "unclear name",
            kind,
            "was read as a kind of defect; name the folders of normal images with --normal NAME",
        )
    if kinds and not unclear and not any(is_normal_name(kind.name) for kind in kinds):
        names = ", ".join(printable(kind.name) for kind in kinds[:5])
        pairing.note(
            "no normal images",
            folder,
            f"{names} {'is' if len(kinds) == 1 else 'are'} read as defects; if one holds normal "
            "images, name it with --normal NAME",
        )


def _refuse_unknown(pairing: Pairing, folders: Collection[Path], split: str) -> None:
    """Raise DatasetError where a person named folders that are nowhere."""
    if not pairing.normal:
        return
    here = [
        kind.name
        for folder in folders
        if (folder / split).is_dir()
        for kind in subfolders(folder / split)
    ]
    for name in pairing.normal:
        if not any(same_name(name, kind) for kind in here):
            raise DatasetError(
                f"{printable(str(pairing.root))}: no folder is called {printable(name)!r}; there "
                f"are {', '.join(map(printable, dict.fromkeys(here)))}"
            )


def _is_class(folder: Path) -> bool:
    # By listing, as some file systems would take DAGM's "Test" for "test".
    return any(inner.name in SPLITS and subfolders(inner) for inner in subfolders(folder))


def _class_name(folder: Path) -> str:
    return folder.resolve().name
