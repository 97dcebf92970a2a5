"""Trees of the MVTec kind: `<class>/test/<good or defect>/` and `<class>/ground_truth/<defect>/`.

The commonest layout of all, and what any folder of the user's own is expected to look like.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from adaclip.data.pairing import Pairing, image_files, pair_masks, subfolders
from adaclip.errors import DatasetError
from adaclip.text import printable

# Names of the folder of normal images, compared without case.
NORMAL_FOLDERS = ("good", "ok", "normal")
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
    normal: Collection[str] = NORMAL_FOLDERS,
    above: int | None = None,
) -> None:
    """Fill `pairing` with the images of class folders. Raises DatasetError for a wrong tree."""
    for folder in folders:
        kinds = subfolders(folder / split) if (folder / split).is_dir() else []
        loose = image_files(folder / split)
        if loose:
            raise DatasetError(
                f"{printable(str(folder / split))}: has images outside of any subfolder, such as "
                f"{printable(loose[0].name)}; put them into good/ or into a folder named after "
                "their defect"
            )
        masked = (folder / MASKS_FOLDER).is_dir()
        seen = set()
        for kind in kinds:
            is_normal = kind.name.casefold() in normal
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
        if masked and split == "test":
            for lonely in subfolders(folder / MASKS_FOLDER):
                if lonely.name not in seen:
                    pairing.note_orphans(image_files(lonely))


def _is_class(folder: Path) -> bool:
    # By listing, as some file systems would take DAGM's "Test" for "test".
    return any(inner.name in SPLITS and subfolders(inner) for inner in subfolders(folder))


def _class_name(folder: Path) -> str:
    return folder.resolve().name
