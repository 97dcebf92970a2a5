"""Trees as the datasets' own authors lay them out: one reader for each, all filling a `Pairing`.

A reader takes the pairing, the card, the layout and the split. It returns False, without reading
on, where the folder is not laid out its way. Raises DatasetError for what nobody can repair by
leaving an image out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from adaclip.data.cards import Card, LayoutCard
from adaclip.data.folders import let_in
from adaclip.data.masks import read_mask_file
from adaclip.data.pairing import Pairing, image_files, pair_masks, subfolders
from adaclip.data.tables import read_file, read_rows, truth
from adaclip.errors import DatasetError
from adaclip.text import printable

_DAGM_LABEL = re.compile(r"(\S+)_label\.png", re.IGNORECASE)


def read_visa(pairing: Pairing, card: Card, layout: LayoutCard, split: str) -> bool:
    """VisA: images and masks named by the rows of `split_csv/1cls.csv`."""
    here = {name for name in card.classes if (pairing.root / name / "Data" / "Images").is_dir()}
    if not here:
        return False
    table = pairing.root / "split_csv" / "1cls.csv"
    for line, row in csv_rows(table, ("object", "split", "label", "image", "mask")):
        where = f"{printable(str(table))}, line {line}"
        if row["split"] != split or row["object"] not in here:
            continue
        anomalous = truth(row["label"], where)
        image = inside(pairing.root, row["image"], where)
        mask = inside(pairing.root, row["mask"], where) if anomalous and row["mask"] else None
        if not image.is_file():
            pairing.note("missing image", image, "the split file names it")
            continue
        pairing.add(
            image,
            class_name=row["object"],
            defect_type="anomaly" if anomalous else None,
            masks=[mask] if mask and mask.is_file() else [],
            mask_expected=True,
        )
    return True


def read_dagm(pairing: Pairing, card: Card, layout: LayoutCard, split: str) -> bool:
    """DAGM: defective is what has a file in `Label/`, or is named with one in its `Labels.txt`."""
    found = [name for name in card.classes if (pairing.root / name / "Test").is_dir()]
    for name in found:
        folder = pairing.root / name / split.capitalize()
        images = image_files(folder)
        labels = folder / "Label"
        masks, orphans = pair_masks(images, labels, suffix="_label")
        pairing.note_orphans(orphans)
        listing = labels / "Labels.txt"
        listed = set(_DAGM_LABEL.findall(read_text(listing))) if listing.is_file() else set()
        stems = {image.stem for image in images}
        for stem in sorted(listed - stems):
            pairing.note("missing image", folder / f"{stem}.PNG", "Labels.txt names it")
        for image in images:
            defective = image.stem in masks or image.stem in listed
            pairing.add(
                image,
                class_name=name,
                defect_type="defect" if defective else None,
                masks=masks.get(image.stem, []),
                mask_expected=True,
            )
    return bool(found)


def read_ksdd(pairing: Pairing, card: Card, layout: LayoutCard, split: str) -> bool:
    """KolektorSDD: `PartN.jpg` beside `PartN_label.bmp`; defective where the label is not black."""
    folders = [each for each in subfolders(pairing.root) if re.fullmatch(r"kos\d+", each.name)]
    for folder in folders:
        files = image_files(folder)
        labels = {path.stem.removesuffix("_label"): path for path in files if _is_label(path)}
        images = [path for path in files if not _is_label(path)]
        stems = {image.stem for image in images}
        pairing.note_orphans(path for stem, path in labels.items() if stem not in stems)
        for image in images:
            label = labels.get(image.stem)
            if label is None:
                detail = f"{image.stem}_label.bmp, which says whether it is normal, is missing"
                pairing.note("missing label", image, detail)
                continue
            try:
                defective = bool(read_mask_file(label).mask.any())
            except DatasetError as error:
                pairing.note("unreadable", label, str(error))
                continue
            pairing.add(
                image,
                class_name=card.classes[0],
                defect_type="defect" if defective else None,
                masks=[label],
            )
    return bool(folders)


def read_labels_csv(pairing: Pairing, card: Card, layout: LayoutCard, split: str) -> bool:
    """Numbered images, and a table that says which are anomalous; no masks."""
    table = pairing.root / "labels.csv"
    folders = (pairing.root / name for name in layout.options["images"])
    images = next(filter(None, map(image_files, folders)), None)
    if not table.is_file() or images is None:
        return False
    by_number = {int(path.stem): path for path in images if path.stem.isdecimal()}
    id_column, label_column = layout.options["id_column"], layout.options["label_column"]
    for line, row in csv_rows(table, (id_column, label_column)):
        where = f"{printable(str(table))}, line {line}"
        number = row[id_column]
        if not number.isdecimal():
            raise DatasetError(f"{where}: {printable(number)!r} is no image number; mend the line")
        image = by_number.pop(int(number), None)
        if image is None:
            missing = images[0].with_name(f"{int(number):03}{images[0].suffix}")
            pairing.note("missing image", missing, "labels.csv names it")
            continue
        pairing.add(
            image,
            class_name=card.classes[0],
            defect_type="anomaly" if truth(row[label_column], where) else None,
        )
    for image in by_number.values():
        pairing.note("unlisted image", image, "labels.csv does not say whether it is normal")
    return True


def read_yes_no(pairing: Pairing, card: Card, layout: LayoutCard, split: str) -> bool:
    """Anomalous images in `yes/`, normal ones in `no/`; no masks.

    Two datasets lie like this; they are told apart by how the files in `yes/` begin.
    """
    tops = [pairing.root]
    if "inner" in layout.options:
        tops.append(pairing.root / layout.options["inner"])
    top = next((each for each in tops if (each / "yes").is_dir() and (each / "no").is_dir()), None)
    if top is None:
        return False
    files = image_files(top / "yes")
    if not any(path.name.startswith(layout.options["prefix"]) for path in files):
        return False
    for name, defect_type in (("yes", "tumour"), ("no", None)):
        pairing.add_folder(top / name, class_name=card.classes[0], defect_type=defect_type)
    return True


def read_paired(pairing: Pairing, card: Card, layout: LayoutCard, split: str) -> bool:
    """All images in one folder, all masks in another; every image is anomalous."""
    images, masks = (pairing.root / layout.options[each] for each in ("images", "masks"))
    if not (images.is_dir() and masks.is_dir()):
        return False
    suffix = layout.options["suffix"]
    owned, orphans = pair_masks(image_files(images), masks, suffix=suffix)
    pairing.note_orphans(orphans)
    pairing.add_folder(
        images,
        class_name=card.classes[0],
        defect_type="anomaly",
        masks=owned,
        masks_expected=True,
        above=layout.options.get("above"),
    )
    return True


def csv_rows(table: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of a table on disk (`adaclip.data.tables`). Raises DatasetError."""
    return read_rows(read_file(table), printable(str(table)), columns)


def read_text(path: Path) -> str:
    """A text file in UTF-8. Raises DatasetError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DatasetError(
            f"{printable(str(path))}: cannot be read: {reason}; it comes with the dataset"
        ) from error


def inside(root: Path, name: str, where: str) -> Path:
    """The file a table names, which must lie under `root`. Raises DatasetError."""
    pure = PurePosixPath(name.replace("\\", "/"))
    leads_out = pure.is_absolute() or ".." in pure.parts
    if not pure.parts or "\0" in name or leads_out or ":" in pure.parts[0]:
        raise DatasetError(
            f"{where}: {printable(name)!r} is not a path inside {printable(str(root))}; "
            "name files relative to that folder, without '..'"
        )
    if not let_in(root / pure):
        raise DatasetError(
            f"{where}: {printable(name)!r} is a link that leads out of {printable(str(root))}; "
            "copy the file there, or say --follow-links"
        )
    return root / pure


def _is_label(path: Path) -> bool:
    return path.stem.endswith("_label")
