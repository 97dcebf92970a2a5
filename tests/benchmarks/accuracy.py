"""Image and pixel AUROC on labelled folders, with scikit-learn, and false alarms at the threshold.

    python -m tests.benchmarks.accuracy DATA [--checkpoint lite] [--class-name NAME]

DATA holds `<dataset>/<class>/test/{good,<defect>}/*.png` and, where there are masks,
`<dataset>/<class>/ground_truth/<defect>/*_mask.png`. A value that is not defined (one kind of image
only, or no masks) is "n/a". Class names are the folders' names unless one is given for all.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

from adaclip import load_detector
from adaclip.data.images import collect_image_paths, read_image
from adaclip.engine.detector import Detector


@dataclass
class Tally:
    """What one class's images gave."""

    margins: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    anomalous: list[bool] = field(default_factory=list)
    pixel_margins: list[np.ndarray] = field(default_factory=list)
    pixel_masks: list[np.ndarray] = field(default_factory=list)


def measure(detector: Detector, folder: Path, class_name: str) -> Tally:
    """Run every image of a class folder."""
    tally = Tally()
    paths = collect_image_paths([folder / "test"])
    masked = (folder / "ground_truth").is_dir()
    for path, result in zip(
        paths, detector.stream(map(read_image, paths), class_name), strict=True
    ):
        defect = path.parent.name
        tally.margins.append(result.anomaly_margin)
        tally.scores.append(result.anomaly_score)
        tally.anomalous.append(defect != "good")
        if masked:
            mask = np.zeros(result.image_size, bool)
            if defect != "good":
                mask_path = folder / "ground_truth" / defect / f"{path.stem}_mask.png"
                mask = np.asarray(Image.open(mask_path).convert("L")) > 0
            tally.pixel_margins.append(result.margin_map.ravel())
            tally.pixel_masks.append(mask.ravel())
    return tally


def auroc(positive: np.ndarray, values: np.ndarray) -> float | None:
    """In per cent; None when there is one kind only."""
    if positive.all() or not positive.any():
        return None
    return 100 * float(roc_auc_score(positive, values))


def row(name: str, tally: Tally, detector: Detector) -> str:
    """One line of the table."""
    threshold = detector.info.threshold
    anomalous, scores = np.array(tally.anomalous), np.array(tally.scores)
    image = auroc(anomalous, np.array(tally.margins))
    pixel = None
    if tally.pixel_masks:
        pixel = auroc(np.concatenate(tally.pixel_masks), np.concatenate(tally.pixel_margins))
    normal = scores[~anomalous]
    alarms = 100 * float(np.mean(normal >= threshold.value)) if len(normal) else None
    review = 100 * float(np.mean(normal >= threshold.review_value)) if len(normal) else None
    found = 100 * float(np.mean(scores[anomalous] >= threshold.value)) if anomalous.any() else None
    numbers = " | ".join(
        "n/a" if value is None else f"{value:.1f}"
        for value in (image, pixel, alarms, review, found)
    )
    return f"| {name} | {len(normal)} + {int(anomalous.sum())} | {numbers} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", default="lite")
    parser.add_argument("--class-name")
    arguments = parser.parse_args()
    detector = load_detector(arguments.checkpoint)
    print(f"{detector.info.title}, {detector.describe_device()}, {detector.info.threshold}\n")
    print(
        "| set | normal + anomalous | image AUROC | pixel AUROC | alarms % | + review % | found % |"
    )
    print("|---|---|---|---|---|---|---|")
    for folder in sorted(path.parent for path in arguments.data.glob("*/*/test")):
        name = arguments.class_name
        class_name = folder.name.replace("_", " ") if name is None else name
        tally = measure(detector, folder, class_name)
        print(row(f"{folder.parent.name} / {folder.name}", tally, detector), flush=True)


if __name__ == "__main__":
    main()
