"""What the class name is worth: the same images under right, wrong, foreign and empty names.

    python -m benchmarks.class_names mvtec/ visa/ --limit 20

Every image is encoded once and compared with each name's sentences. Image / pixel AUROC in %.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from adaclip import load_detector
from adaclip.data.images import read_image
from adaclip.data.sample import Sample, read_mask
from adaclip.data.samples import load_samples
from adaclip.detecting.detector import Detector
from adaclip.evaluating.evaluator import limit_samples
from adaclip.metrics.pixels import PixelMetrics
from adaclip.metrics.ranking import ranking

OTHERS = {"empty": "", "wrong": "banana", "foreign": "磁性瓷砖", "letters": "xqzv wkj"}


def encode_once(detector: Detector) -> None:
    """Let the models remember the image they saw last; names change only the text."""
    for loaded in detector._models:
        model: Any = loaded.model
        encode, last = model.encode_image, {}

        def remembering(images: torch.Tensor, first_pass: Any, encode=encode, last=last) -> Any:
            if "images" not in last or not torch.equal(last["images"], images):
                last.update(images=images, answer=encode(images, first_pass))
            return last["answer"]

        model.encode_image = remembering


def measure(detector: Detector, samples: list[Sample]) -> dict[str, tuple[float | None, ...]]:
    """Image and pixel AUROC of one class under every name."""
    names = {"own": samples[0].class_name.replace("_", " "), **OTHERS}
    margins: dict[str, list[float]] = defaultdict(list)
    masked = any(s.mask_path for s in samples)
    with ExitStack() as stack:
        pixels = {name: stack.enter_context(PixelMetrics()) for name in names}
        for sample in tqdm(samples, desc=names["own"], leave=False):
            image = read_image(sample.image_path)
            mask = read_mask(sample, image.shape[:2])
            for label, name in names.items():
                [detection] = detector.detect([image], name)
                margins[label].append(detection.anomaly_margin)
                if masked and mask is not None:
                    pixels[label].add(detection.margin_map, mask)
        anomalous = np.array([s.anomalous for s in samples])
        return {
            name: (
                ranking(np.array(values)[~anomalous], np.array(values)[anomalous]).auroc,
                pixels[name].result().ranking.auroc if masked else None,
            )
            for name, values in margins.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--checkpoint", default="lite")
    parser.add_argument("--limit", type=int, help="images of each class, as `evaluate` takes them")
    arguments = parser.parse_args()
    detector = load_detector(arguments.checkpoint)
    encode_once(detector)
    for root in arguments.roots:
        samples = limit_samples(load_samples(root), arguments.limit)
        for name in sorted({s.class_name for s in samples}):
            chosen = [s for s in samples if s.class_name == name]
            found = measure(detector, chosen)
            shown = ", ".join(
                f"{label} {' / '.join('n/a' if v is None else f'{100 * v:.1f}' for v in values)}"
                for label, values in found.items()
            )
            print(f"{root.name} {name} ({len(chosen)}): {shown}", flush=True)


if __name__ == "__main__":
    main()
