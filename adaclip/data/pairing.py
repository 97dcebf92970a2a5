"""Images and masks brought together by name, never by order.

A layout fills a `Pairing` with what it finds; the pairing knows which masks belong to which
image and remembers whatever does not fit, so that loading can refuse and checking can list it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from adaclip.data.folders import let_in
from adaclip.data.sample import MaskRule, Sample, is_image_name
from adaclip.errors import DatasetError
from adaclip.text import printable

# What follows an image's name in a mask's: "000_mask", "000-Segmentation", "000_mask_2".
_SUFFIX = re.compile(
    r"[_-](?:mask|label|segmentation|seg|gt|ground_?truth)(?:[_-]?\d+)?$", re.IGNORECASE
)
_NUMBER = re.compile(r"[_-]\d+$")

ProblemKind = Literal[
    "missing image",
    "missing label",
    "missing mask",
    "mask without image",
    "duplicate name",
    "unlisted image",
    "unreadable",
    "guessed pair",
    "unclear name",
    "no normal images",
    "link outside",
    "unused table",
]
# These make results wrong without a word, so nothing is loaded while there are any. An anomalous
# image whose mask is missing is loaded: it counts at image level, and a run says how many did.
GRAVE: frozenset[ProblemKind] = frozenset(
    {"missing image", "missing label", "duplicate name", "unreadable"}
)
# What was decided without being told, or passed over; a run says so.
GUESSES: tuple[ProblemKind, ...] = (
    "unclear name",
    "no normal images",
    "guessed pair",
    "link outside",
    "unused table",
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that does not fit: its kind, the file (POSIX, relative to the root), and why."""

    kind: ProblemKind
    path: str
    detail: str


@dataclass(kw_only=True)
class Pairing:
    """The samples and problems of one dataset, as a layout finds them."""

    root: Path
    dataset: str
    normal: tuple[str, ...] = ()  # folders of normal images, as a person named them
    samples: list[Sample] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add_folder(
        self,
        images: Path,
        *,
        class_name: str,
        defect_type: str | None,
        masks: Mapping[str, list[Path]] | None = None,
        masks_expected: bool = False,
        above: int | None = None,
    ) -> None:
        """Every image of one folder; `masks` are its mask files by image stem.

        `defect_type` None makes them normal. With `masks_expected` an anomalous image without a
        mask is a problem.
        """
        found = image_files(images)
        for stem, count in Counter(path.stem for path in found).items():
            if count > 1 and masks_expected and defect_type is not None:
                first, second = [path for path in found if path.stem == stem][:2]
                self.note("duplicate name", first, f"{second.name} would get the same mask")
        for path in found:
            own = (masks or {}).get(path.stem, [])
            guess = _guess(path.stem, own) if defect_type is not None else ""
            if guess:
                self.note("guessed pair", path, guess)
            self.add(
                path,
                class_name=class_name,
                defect_type=defect_type,
                masks=own,
                mask_expected=masks_expected,
                above=above,
                guess=guess,
            )

    def add(
        self,
        image: Path,
        *,
        class_name: str,
        defect_type: str | None,
        masks: Iterable[Path] = (),
        mask_expected: bool = False,
        above: int | None = None,
        guess: str = "",
    ) -> None:
        """One image with its mask files; `defect_type` None makes it normal."""
        files = sorted(masks)
        anomalous = defect_type is not None
        if anomalous and mask_expected and not files:
            self.note("missing mask", image, "no mask file bears its name")
        first = files[0] if files and anomalous else None
        self.samples.append(
            Sample(
                dataset=self.dataset,
                class_name=class_name,
                defect_type=defect_type,
                anomalous=anomalous,
                image_path=image,
                mask_path=first,
                rel_path=self.relative(image),
                mask_rel_path=None if first is None else self.relative(first),
                mask_rule=MaskRule(
                    above=above, more=tuple(files[1:]) if first else (), guess=guess
                ),
            )
        )

    def note(self, kind: ProblemKind, path: Path, detail: str) -> None:
        """Remember a problem of a file under the root."""
        self.problems.append(Problem(kind=kind, path=self.relative(path), detail=detail))

    def note_orphans(self, orphans: Iterable[Path]) -> None:
        """Remember masks that no image answers to."""
        for path in orphans:
            self.note("mask without image", path, "no image bears its name")

    def relative(self, path: Path) -> str:
        """POSIX path relative to the root."""
        return path.relative_to(self.root).as_posix()

    def sorted_samples(self) -> list[Sample]:
        """By class, then path. Raises DatasetError where there are none."""
        if not self.samples:
            raise DatasetError(
                f"{printable(str(self.root))}: the folders of {self.dataset} are here, but no "
                "images in them; unpack the dataset again or name another folder"
            )
        return sorted(self.samples, key=lambda sample: (sample.class_name, sample.rel_path))


def image_files(folder: Path) -> list[Path]:
    """The pictures directly in a folder, by name; none where there is no such folder.

    Links that lead out of the folder being read are passed over (`adaclip.data.folders.fenced`).
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_inside(entry) and entry.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _cannot_open(folder, error) from error
    return [folder / name for name in sorted(names) if is_image_name(name)]


def subfolders(folder: Path) -> list[Path]:
    """The folders directly in a folder, by name, hidden ones passed over. Raises DatasetError."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir() and _is_inside(entry)]
    except OSError as error:
        raise _cannot_open(folder, error) from error
    return [folder / name for name in sorted(names) if not name.startswith((".", "__MACOSX"))]


def pair_masks(
    images: Iterable[Path], folder: Path, *, suffix: str | None = None
) -> tuple[dict[str, list[Path]], list[Path]]:
    """The masks of a folder by image stem, and those that belong to none of `images`.

    A mask has its image's name, or that and `suffix`; without one, any of the usual suffixes
    ("_mask", "_label", "_Segmentation" ...), or a number where an image has several. Masks may
    also lie in a folder with the image's name.
    """
    stems = {path.stem for path in images}
    owned: dict[str, list[Path]] = {}
    orphans: list[Path] = []
    for mask in image_files(folder):
        owner = _owner(mask.stem, stems, suffix)
        (orphans if owner is None else owned.setdefault(owner, [])).append(mask)
    for inner in subfolders(folder) if folder.is_dir() else ():
        masks = image_files(inner)
        if inner.name in stems:
            owned.setdefault(inner.name, []).extend(masks)
        else:
            orphans.extend(masks)
    return owned, orphans


def _owner(stem: str, stems: set[str], suffix: str | None) -> str | None:
    """The image stem that a mask's stem answers to."""
    if suffix is not None:
        named = stem.removesuffix(suffix) if suffix else stem
        return named if named in stems and (not suffix or named != stem) else None
    if stem in stems:
        return stem
    for pattern in (_SUFFIX, _NUMBER):
        named = pattern.sub("", stem)
        if named in stems:
            return named
    return None


def _guess(stem: str, masks: list[Path]) -> str:
    """Why masks of an image may be others', "" where their names leave no doubt.

    A number after the name is none of the usual endings: several masks count from 0 or 1, with
    none that bears the name alone; a single one may be the mask of a picture that is missing.
    """
    numbered = [path for path in masks if path.stem != stem and _NUMBER.sub("", path.stem) == stem]
    numbered = [path for path in numbered if path.parent.name != stem]
    numbers = sorted(int(path.stem[len(stem) + 1 :]) for path in numbered)
    whole = len(numbered) == len(masks) and len(numbers) > 1
    if not numbered or (
        whole and numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))
    ):
        return ""
    named = ", ".join(path.name for path in numbered[:3])
    return (
        f"{named} was taken for its mask by the number alone; is it another picture's? Name a mask "
        "as its image, with _mask after it if you like"
    )


def _is_inside(entry: os.DirEntry[str]) -> bool:
    return not entry.is_symlink() or let_in(entry.path)


def _cannot_open(folder: Path, error: OSError) -> DatasetError:
    reason = error.strerror or str(error)
    return DatasetError(f"{printable(str(folder))}: the folder cannot be opened: {reason}")
