"""Is a local copy of a dataset whole? Every file is opened and every count compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from adaclip.data.cards import Card, Counts
from adaclip.data.images import load_image, pixel_sha256
from adaclip.data.layouts import Tree, read_tree
from adaclip.data.mask_doubts import mask_doubts
from adaclip.data.sample import Sample, read_mask
from adaclip.errors import DatasetError, ImageError

# In the order of the report.
FINDING_KINDS = (
    "unclear name",
    "no normal images",
    "missing image",
    "missing label",
    "missing mask",
    "mask without image",
    "guessed pair",
    "duplicate name",
    "unlisted image",
    "link outside",
    "unused table",
    "unreadable",
    "wrong mask",
    "turned picture",
    "guessed mask",
    "large mask",
    "empty mask",
    "duplicate image",
    "count",
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing wrong: `kind` of FINDING_KINDS, the file or class, and what about it."""

    kind: str
    path: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """Test images of one class, and what the card says (None where it does not)."""

    class_name: str
    normal: int
    anomalous: int
    expected_normal: int | None
    expected_anomalous: int | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check found; `fine` when nothing did. `tree` is the layout in words."""

    root: str
    dataset: str
    tree: str | None
    classes: tuple[ClassCount, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether the copy is whole."""
        return not self.findings

    @property
    def normal(self) -> int:
        """Normal images found."""
        return sum(each.normal for each in self.classes)

    @property
    def anomalous(self) -> int:
        """Anomalous images found."""
        return sum(each.anomalous for each in self.classes)


@dataclass(kw_only=True)
class _Found:
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, path: str, detail: str) -> None:
        self.findings.append(Finding(kind=kind, path=path, detail=detail))


def check(
    root: Path,
    dataset: str | None = None,
    *,
    normal: tuple[str, ...] = (),
    follow_links: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Open every test image and mask under `root`; compare the counts with the dataset's card.

    `normal` and `follow_links` are as for `load_dataset`. `progress`
    is told (done, total). Raises DatasetError where the folder is no dataset or holds
    no image, and InputError for an unknown dataset.
    """
    tree = read_tree(Path(root), dataset, normal=normal, follow_links=follow_links)
    samples = tree.pairing.sorted_samples()
    found = _Found()
    for problem in tree.pairing.problems:
        found.add(problem.kind, problem.path, problem.detail)
    first_with: dict[str, Sample] = {}
    for done, sample in enumerate(samples, 1):
        _look_at(sample, first_with, found)
        if progress is not None:
            progress(done, len(samples))
    classes = _class_counts(samples, tree.card)
    if tree.card is not None:
        _compare_counts(classes, tree, tree.card, found)
    order = {kind: place for place, kind in enumerate(FINDING_KINDS)}
    return Report(
        root=str(root),
        dataset=tree.pairing.dataset,
        tree=tree.layout.tree if tree.layout else None,
        classes=tuple(classes),
        findings=tuple(sorted(found.findings, key=lambda each: (order[each.kind], each.path))),
        notes=tuple(found.notes),
    )


def _look_at(sample: Sample, first_with: dict[str, Sample], found: _Found) -> None:
    """Open one image and its masks."""
    try:
        pixels = load_image(sample.image_path, name=sample.rel_path).pixels
    except ImageError as error:
        found.add("unreadable", sample.rel_path, str(error))
        return
    twin = first_with.setdefault(pixel_sha256(pixels), sample)
    if twin is not sample:
        labels = "" if twin.anomalous == sample.anomalous else ", with the other label"
        found.add("duplicate image", sample.rel_path, f"the same pixels as {twin.rel_path}{labels}")
    if not sample.anomalous:
        return
    try:
        mask = read_mask(sample, pixels.shape[:2])
    except DatasetError as error:
        found.add("wrong mask", sample.mask_rel_path or sample.rel_path, str(error))
        return
    if mask is not None:
        for kind, detail in mask_doubts(sample):
            about_image = kind == "turned picture"
            path = sample.rel_path if about_image else sample.mask_rel_path or sample.rel_path
            found.add(kind, path, detail)


def _class_counts(samples: list[Sample], card: Card | None) -> list[ClassCount]:
    """Counts of every class here or on the card."""
    here = Counter((sample.class_name, sample.anomalous) for sample in samples)
    expected = {each.name: each for each in card.class_cards} if card else {}
    names = dict.fromkeys([*expected, *(name for name, _ in here)])
    return [
        ClassCount(
            class_name=name,
            normal=here[name, False],
            anomalous=here[name, True],
            expected_normal=expected[name].normal if name in expected else None,
            expected_anomalous=expected[name].anomalous if name in expected else None,
        )
        for name in names
    ]


def _compare_counts(classes: list[ClassCount], tree: Tree, card: Card, found: _Found) -> None:
    normal = sum(each.normal for each in classes)
    anomalous = sum(each.anomalous for each in classes)
    own = tree.layout.counts if tree.layout else None
    if own is not None and own.total is not None:
        if normal + anomalous != own.total:
            found.add("count", card.key, f"{normal + anomalous} images, the card says {own.total}")
        return
    usual = Counts(normal=card.normal, anomalous=card.anomalous)
    for counts in (usual, *card.alternatives):
        if (counts.normal, counts.anomalous) == (normal, anomalous):
            if counts.why:
                found.notes.append(f"The counts are a known other set: {counts.why}")
            if counts.why or all(_as_expected(each) for each in classes):
                return
    per_class = [each for each in classes if not _as_expected(each)]
    for each in per_class:
        says = (
            "the class is missing"
            if each.normal + each.anomalous == 0
            else f"{each.normal} normal and {each.anomalous} anomalous"
        )
        wanted = (
            ""
            if each.expected_normal is None
            else f", the card says {each.expected_normal} and {each.expected_anomalous}"
        )
        found.add("count", each.class_name, says + wanted)
    if not per_class:
        found.add(
            "count",
            card.key,
            f"{normal} normal and {anomalous} anomalous, the card says {card.normal} and "
            f"{card.anomalous}",
        )


def _as_expected(each: ClassCount) -> bool:
    if each.expected_normal is None:
        return each.normal + each.anomalous > 0
    return (each.normal, each.anomalous) == (each.expected_normal, each.expected_anomalous)
