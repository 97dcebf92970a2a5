"""The pictures a model is trained and validated on: found, checked, split, ordered, read ahead.

Nothing here depends on when it runs or in which thread: the order of an epoch follows from the
seed and the epoch's number alone, so there is no state to keep between epochs.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from adaclip.config import PreprocessingConfig, TrainConfig
from adaclip.data.augmentation import fit_mask, mosaic
from adaclip.data.cards import SYNTHETIC_KEY
from adaclip.data.images import read_image
from adaclip.data.mask_doubts import doubts_of
from adaclip.data.preprocessing import preprocess
from adaclip.data.registry import spoken
from adaclip.data.samples import Sample, load_dataset, read_mask
from adaclip.data.series import Series, series_of_classes
from adaclip.errors import AdaClipError, DatasetError
from adaclip.synthetic import generate
from adaclip.text import printable

# From here on something is wrong with the folder, not with a file.
MOST_UNUSABLE = 0.1
# `generate` draws no smaller picture.
_SMALLEST_DRAWN = 64
# Above the benchmark's series and those that `lite` is built and judged on.
_FIRST_SERIES = 1_000_000

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class TrainingImage:
    """One picture to train or validate on, not read yet: a dataset's or a drawn one.

    `masked` is False for an anomalous image that counts at image level only.
    """

    dataset: str
    group: str  # the class as the dataset names it; drawn pictures are one group
    anomalous: bool
    masked: bool
    name: str  # for people and for telling images apart
    sample: Sample | None = None
    alike: Series | None = field(default=None, compare=False, repr=False)  # of its class
    series: tuple[int, int] | None = None  # seed and index of a drawn one

    def read(self, size: int) -> tuple[np.ndarray, np.ndarray | None, str]:
        """Pixels (H, W, 3) uint8, mask (H, W) bool or None, class name in words.

        `size` is what a picture is drawn at. Raises ImageError and DatasetError.
        """
        if self.sample is None:
            assert self.series is not None
            drawn = generate(
                *self.series, size=max(size, _SMALLEST_DRAWN), defective=self.anomalous
            )
            return drawn.image, drawn.mask, drawn.class_name
        pixels = read_image(self.sample.image_path, series=self.alike)
        height, width = pixels.shape[:2]
        mask = read_mask(self.sample, (height, width)) if self.masked else None
        return pixels, mask, spoken(self.sample.class_name)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A picture as the model takes it: image (3, S, S) float32, mask (S, S) bool or None."""

    image: np.ndarray
    mask: np.ndarray | None
    anomalous: bool
    class_name: str
    name: str


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The pictures of a run, and why some were left out."""

    training: tuple[TrainingImage, ...]
    validation: tuple[TrainingImage, ...]
    left_out: tuple[str, ...] = ()  # sentences
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Changes when an image is added, removed, renamed, or gets another label."""
        digest = hashlib.sha256()
        for part in (self.training, self.validation):
            for image in part:
                digest.update(repr((image.name, image.anomalous, image.masked)).encode())
            digest.update(b"|")
        return digest.hexdigest()


def gather(
    config: TrainConfig, *, workers: int, on_read: Callable[[int, int], None] | None = None
) -> TrainingData:
    """Find and check every picture of a run.

    Images and masks are read once. Those that cannot be used are left out and named; an anomalous
    image without a mask, or with an empty one, counts at image level only.

    Args:
        workers: threads that read.
        on_read: told how many of how many images are checked.

    Raises:
        DatasetError: no images, only normal or only anomalous ones, more than a tenth of a
            folder unusable, the synthetic benchmark set, or an image both trained and validated
            on.
    """
    if not config.auxiliary and not config.synthetic:
        raise DatasetError("nothing to train on; name dataset folders or ask for drawn pictures")
    said: list[str] = []
    found = [image for text in config.auxiliary for image in _of_folder(text, config, said)]
    other = config.validation
    held_out = _of_folder(other, config, said) if isinstance(other, str) else []
    _refuse_twice(found, held_out)
    checked = _checked(found + held_out, workers, on_read)
    usable = [image for image, problem in checked if not problem]
    said += _notes(usable)
    said += doubts_of(image.sample for image in usable if image.sample is not None)
    kept = {image.name: image for image in usable}
    training = [kept[image.name] for image in found if image.name in kept]
    validation = [kept[image.name] for image in held_out if image.name in kept]
    training += drawn_images(config.seed, config.synthetic)
    _require_both_kinds(training)
    if not isinstance(config.validation, str):
        training, validation = hold_out(training, config.validation, config.seed)
        _require_both_kinds(training)
    return TrainingData(
        training=tuple(training),
        validation=tuple(validation),
        left_out=tuple(problem for _, problem in checked if problem),
        notes=tuple(said),
    )


def drawn_images(seed: int, count: int) -> list[TrainingImage]:
    """`count` pictures of the synthesiser, every other one defective."""
    series = _FIRST_SERIES + seed
    return [
        TrainingImage(
            dataset=SYNTHETIC_KEY,
            group=SYNTHETIC_KEY,
            anomalous=bool(index % 2),
            masked=True,
            name=f"drawn picture {index} of series {series}",
            series=(series, index),
        )
        for index in range(count)
    ]


def hold_out(
    images: Sequence[TrainingImage], share: float, seed: int
) -> tuple[list[TrainingImage], list[TrainingImage]]:
    """Split into training and validation, normals and anomalies and classes in proportion."""
    if not share:
        return list(images), []
    rng = np.random.default_rng((seed, 0))
    draws = {image.name: rng.random() for image in images}
    chosen: set[str] = set()
    for anomalous in (False, True):
        side = [image for image in images if image.anomalous is anomalous]
        # Every so many-th of the images in order of class, at random within a class.
        side.sort(key=lambda image: (image.dataset, image.group, draws[image.name]))
        count = min(max(1, round(len(side) * share)), len(side) - 1)
        chosen.update(side[int((n + 0.5) * len(side) / count)].name for n in range(count))
    kept = [image for image in images if image.name not in chosen]
    return kept, [image for image in images if image.name in chosen]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One place of an epoch: an image, or four for a mosaic."""

    images: tuple[TrainingImage, ...]

    def example(
        self,
        size: int,
        preprocessing: PreprocessingConfig,
        input_size: Callable[[int, int], int] | None = None,
    ) -> Example:
        """Read it and bring it to the model's size. Raises ImageError and DatasetError.

        `size` is the model's largest; `input_size` says at which an image (height, width) is
        computed, where that depends on it.
        """
        read = [image.read(size) for image in self.images]
        pixels, mask, class_name = read[0]
        if len(read) > 1:
            pixels, mask = mosaic([r[0] for r in read], [r[1] for r in read], size)
        if input_size is not None:
            size = input_size(*pixels.shape[:2])
        return Example(
            image=preprocess(pixels, size, preprocessing),
            mask=None if mask is None else fit_mask(mask, size),
            anomalous=any(image.anomalous for image in self.images),
            class_name=class_name,
            name=" + ".join(image.name for image in self.images),
        )


def epoch_plan(
    images: Sequence[TrainingImage], *, seed: int, epoch: int, mosaic: float
) -> list[Planned]:
    """Every image once, in an order of this epoch's own; with odds `mosaic` as a mosaic.

    A mosaic's other three are drawn from the same class of the same dataset, and the four are
    shuffled. Drawn pictures have no fellows of their class, so they stay as they are.
    """
    rng = np.random.default_rng((seed, epoch))
    groups: dict[tuple[str, str], list[TrainingImage]] = {}
    for image in images:
        groups.setdefault((image.dataset, image.group), []).append(image)
    plan = []
    for place in rng.permutation(len(images)):
        image = images[place]
        fellows = groups[image.dataset, image.group]
        if rng.random() < mosaic and image.sample is not None:
            four = [image, *(fellows[n] for n in rng.integers(len(fellows), size=3))]
            plan.append(Planned(images=tuple(four[n] for n in rng.permutation(4))))
        else:
            plan.append(Planned(images=(image,)))
    return plan


def read_ahead(
    function: Callable[[T], R], arguments: Iterable[T], *, ahead: int, workers: int
) -> Generator[R, None, None]:
    """`map` in threads, in order, at most `ahead` results waiting; stops with its reader."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="training-data") as pool:
        try:
            for argument in arguments:
                waiting.append(pool.submit(function, argument))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def counts(images: Iterable[TrainingImage]) -> dict[str, dict[str, int]]:
    """Dataset -> how many images are normal, anomalous, and anomalous without a mask."""
    table: dict[str, dict[str, int]] = {}
    for image in images:
        row = table.setdefault(image.dataset, {"normal": 0, "anomalous": 0, "without_mask": 0})
        row["anomalous" if image.anomalous else "normal"] += 1
        row["without_mask"] += not image.masked
    return table


def _of_folder(text: str, config: TrainConfig, said: list[str]) -> list[TrainingImage]:
    """The test split: AdaCLIP needs anomalies. `text` is FOLDER or KEY=FOLDER."""
    key, _, folder = text.rpartition("=")
    if not key or Path(text).exists():
        key, folder = "", text
    loaded = load_dataset(
        Path(folder),
        key or None,
        split="test",
        normal=config.normal,
        follow_links=config.follow_links,
    )
    said += loaded.notes
    samples = loaded.samples
    if not samples:
        raise DatasetError(f"{printable(folder)}: no images found; check the folder")
    # Drawn pictures go by the same name, so a checkpoint could not say which of them it has seen.
    if samples[0].dataset == SYNTHETIC_KEY:
        raise DatasetError(
            f"{printable(folder)}: is the synthetic benchmark set, which is to judge on alone; "
            "leave it out, or ask for drawn pictures instead: they are of other kinds"
        )
    alike = series_of_classes(samples)
    return [
        TrainingImage(
            dataset=sample.dataset,
            group=sample.class_name,
            anomalous=sample.anomalous,
            masked=not sample.anomalous or sample.mask_path is not None,
            name=printable(str(sample.image_path)),
            sample=sample,
            alike=alike[sample.class_name],
        )
        for sample in samples
    ]


def _refuse_twice(training: Sequence[TrainingImage], validation: Sequence[TrainingImage]) -> None:
    """An image counted twice would weigh double, or validate what it taught."""
    seen = Counter(image.name for image in (*training, *validation))
    twice = [name for name, number in seen.items() if number > 1]
    if twice:
        raise DatasetError(
            f"{len(twice)} images are named twice among the folders to train and validate on, "
            f"{twice[0]} among them; name each folder once"
        )


def _checked(
    images: Sequence[TrainingImage], workers: int, on_read: Callable[[int, int], None] | None
) -> list[tuple[TrainingImage, str]]:
    """Every image, its `masked` as it really is, with what is wrong with it or ""."""
    checked = []
    for image, problem in read_ahead(_check, images, ahead=2 * workers, workers=workers):
        checked.append((image, problem))
        if on_read is not None:
            on_read(len(checked), len(images))
    problems = [problem for _, problem in checked if problem]
    if len(problems) > MOST_UNUSABLE * len(images):
        raise DatasetError(
            f"{len(problems)} of {len(images)} images cannot be used, the first: {problems[0]}; "
            "check that these are the right folders, with masks that belong to the images"
        )
    return checked


def _check(image: TrainingImage) -> tuple[TrainingImage, str]:
    try:
        _, mask, _ = image.read(_SMALLEST_DRAWN)
    except AdaClipError as error:
        return image, str(error)
    # An empty mask would teach that the defect is none.
    empty = image.anomalous and (mask is None or not mask.any())
    return replace(image, masked=not empty), ""


def _notes(images: Sequence[TrainingImage]) -> tuple[str, ...]:
    bare = sum(not image.masked for image in images)
    if not bare:
        return ()
    return (f"{bare} of {len(images)} images are anomalous without a mask: image level only",)


def _require_both_kinds(images: Sequence[TrainingImage]) -> None:
    """Both are needed: to tell them apart is all that is learned."""
    anomalous = sum(image.anomalous for image in images)
    normal = len(images) - anomalous
    if anomalous and normal:
        return
    kind, lacking = ("normal", "anomalous") if normal else ("anomalous", "normal")
    raise DatasetError(
        f"all {len(images)} images to train on are {kind}; add folders with {lacking} images "
        "(of MVTec-like folders the test split is read), or drawn pictures"
    )
