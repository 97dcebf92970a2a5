"""Tiny copies of the datasets' own trees, drawn for the tests."""

from __future__ import annotations

import csv
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 32)  # height, width
# The drawn defect: rows and columns.
DEFECT = np.s_[4:10, 6:20]


def picture(path: Path, seed: int | None = None) -> Path:
    """An image unlike every other one; lossless or not, by its extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = zlib.crc32(str(path).encode()) if seed is None else seed
    pixels = np.random.default_rng(key).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def mask(path: Path, value: int = 255, where: slice | tuple = DEFECT) -> Path:
    """A mask with the drawn defect at one grey level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(SIZE, np.uint8)
    pixels[where] = value
    Image.fromarray(pixels).save(path)
    return path


def expected_mask() -> np.ndarray:
    pixels = np.zeros(SIZE, bool)
    pixels[DEFECT] = True
    return pixels


def table(path: Path, header: str, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def mvtec_like(
    root: Path,
    classes: tuple[str, ...] = ("tile",),
    *,
    good: str = "good",
    defect: str = "crack",
    suffix: str = "_mask",
    normals: int = 2,
    image: str = ".png",
) -> Path:
    """`<class>/test/{good,crack}` with two images each, and masks by name."""
    for name in classes:
        for i in range(normals):
            picture(root / name / "test" / good / f"{i:03}{image}")
        for i in range(2):
            picture(root / name / "test" / defect / f"{i:03}{image}")
            mask(root / name / "ground_truth" / defect / f"{i:03}{suffix}.png")
    return root


def visa(root: Path, classes: tuple[str, ...] = ("candle", "pcb1")) -> Path:
    rows = []
    for name in classes:
        for i, split in enumerate(("train", "test", "test")):
            path = f"{name}/Data/Images/Normal/{i:04}.JPG"
            picture(root / path)
            rows.append(f"{name},{split},normal,{path},")
        for i in range(2):
            path, label = f"{name}/Data/Images/Anomaly/{i:03}.JPG", f"{name}/Data/Masks/Anomaly"
            picture(root / path)
            mask(root / label / f"{i:03}.png", value=1 + i)
            rows.append(f"{name},test,anomaly,{path},{label}/{i:03}.png")
    table(root / "split_csv" / "1cls.csv", "object,split,label,image,mask", *rows)
    return root


def ksdd(root: Path) -> Path:
    for i in range(3):
        picture(root / "kos01" / f"Part{i}.jpg")
        mask(root / "kos01" / f"Part{i}_label.bmp", value=255 if i == 1 else 0)
    return root


def dagm(root: Path, classes: tuple[str, ...] = ("Class1", "Class10")) -> Path:
    for name in classes:
        for split in ("Train", "Test"):
            for i in range(1, 4):
                picture(root / name / split / f"{i:04}.PNG")
            mask(root / name / split / "Label" / "0002_label.PNG")
            lines = ["1", "1\t0\t0001.PNG\t0\t0", "2\t1\t0002.PNG\t1\t0002_label.PNG"]
            (root / name / split / "Label" / "Labels.txt").write_text("\n".join(lines))
    return root


def headct(root: Path) -> Path:
    for i in range(4):
        picture(root / "head_ct" / "head_ct" / f"{i:03}.png")
    table(root / "labels.csv", "id, hemorrhage", *(f"{i},{int(i < 2)}" for i in range(4)))
    return root


def yes_no(root: Path, anomalous: str, normal: str) -> Path:
    for i in range(1, 3):
        picture(root / "yes" / f"{anomalous}{i}.jpg")
        picture(root / "no" / f"{normal}{i}.jpg")
    return root


def brain_mri(root: Path) -> Path:
    yes_no(root, "Y", "N")
    for path in sorted(root.rglob("*.jpg")):
        copy = root / "brain_tumor_dataset" / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return root


def br35h(root: Path) -> Path:
    picture(yes_no(root, "y", "no") / "pred" / "pred0.jpg")
    return root


def paired(root: Path, images: str, masks: str, image: str, label: str) -> Path:
    for i in (1, 2, 10):
        picture(root / images / image.format(i))
        mask(root / masks / label.format(i))
    return root


def isic(root: Path) -> Path:
    part = "ISBI2016_ISIC_Part1_Test"
    return paired(
        root,
        f"{part}_Data",
        f"{part}_GroundTruth",
        "ISIC_{:07}.jpg",
        "ISIC_{:07}_Segmentation.png",
    )


def colondb(root: Path) -> Path:
    return paired(root, "images", "masks", "{}.png", "{}.png")


def clinicdb(root: Path) -> Path:
    return paired(root, "Original", "Ground Truth", "{}.tif", "{}.tif")


def tn3k(root: Path) -> Path:
    return paired(root, "test-image", "test-mask", "{:04}.jpg", "{:04}.jpg")


def manifest(root: Path) -> Path:
    """Two classes; one anomalous image with two masks, one with none."""
    picture(root / "a" / "ok.png")
    picture(root / "a" / "bad.png")
    picture(root / "b" / "bad.png")
    mask(root / "m" / "one.png", where=np.s_[4:10, 6:12])
    mask(root / "m" / "two.png", where=np.s_[4:10, 12:20])
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "mask", "class_name", "anomalous", "defect_type"))
        rows.writerow(("a/ok.png", "", "gear", 0, ""))
        rows.writerow(("a/bad.png", "m/one.png|m/two.png", "gear", "yes", "chip"))
        rows.writerow(("b/bad.png", "", "cap", 1, ""))
    return root
