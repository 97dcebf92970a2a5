"""The example pictures bundled with the demo, redrawn exactly by

    python -m adaclip.synthetic.examples demo/assets/examples

Each is a scene of the generator with a chosen seed, in colour and in gentle light, so that the
first look at the demo is a pleasant one. Nothing in them comes from a photograph.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from adaclip.errors import AdaClipError, InputError, StoreError
from adaclip.synthetic.canvas.fields import grid
from adaclip.synthetic.generator import spoil
from adaclip.synthetic.scene import draw_scene

_QUALITY = 88


@dataclass(frozen=True, kw_only=True)
class Example:
    """One bundled picture: `shape` is (H, W) in pixels; `defect` None draws it flawless."""

    file: str
    kind: str
    class_name: str
    caption: str
    shape: tuple[int, int]
    seed: int
    defect: str | None = None


EXAMPLES: tuple[Example, ...] = (
    Example(
        file="metal_nut_normal.jpg",
        kind="hex_nut",
        class_name="metal nut",
        caption="A flawless metal nut on wood",
        shape=(520, 700),
        seed=3,
    ),
    Example(
        file="toy_figure_missing_part.jpg",
        kind="toy_figure",
        class_name="toy figure",
        caption="A toy figure with a piece of its leg missing",
        shape=(700, 560),
        seed=9,
        defect="missing_part",
    ),
    Example(
        file="concrete_crack.jpg",
        kind="concrete",
        class_name="concrete",
        caption="Cracks run through a concrete wall",
        shape=(520, 700),
        seed=3,
        defect="crack",
    ),
    Example(
        file="woven_fabric_normal.jpg",
        kind="woven_fabric",
        class_name="woven fabric",
        caption="Woven fabric, evenly spaced and flawless",
        shape=(700, 700),
        seed=0,
    ),
    Example(
        file="gear_broken.jpg",
        kind="gear",
        class_name="gear",
        caption="A gear with broken-off teeth",
        shape=(640, 640),
        seed=6,
        defect="break",
    ),
    Example(
        file="capsule_normal.jpg",
        kind="capsule",
        class_name="capsule",
        caption="A flawless printed capsule",
        shape=(480, 700),
        seed=1,
    ),
    Example(
        file="solar_cell_crack.jpg",
        kind="solar_cell",
        class_name="solar cell",
        caption="A branching crack in a solar cell",
        shape=(640, 640),
        seed=5,
        defect="crack",
    ),
    Example(
        file="cookie_broken.jpg",
        kind="cookie",
        class_name="cookie",
        caption="A cookie with a piece broken off its edge",
        shape=(600, 700),
        seed=6,
        defect="break",
    ),
)


def draw(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) uint8 and its defect mask (H, W) bool."""
    scene_rng, defect_rng, camera_rng = np.random.default_rng(example.seed).spawn(3)
    scene = draw_scene(scene_rng, example.kind, example.shape)
    image, mask = scene.image, np.zeros(example.shape, bool)
    if example.defect is not None:
        image, mask, _ = spoil(defect_rng, scene, (example.defect,))
    rows, columns = grid(example.shape)
    far = (rows / example.shape[0] - 0.5) ** 2 + (columns / example.shape[1] - 0.5) ** 2
    light = 1.04 + 0.06 * (0.5 - rows / example.shape[0]) - 0.28 * far
    grain = camera_rng.normal(0, 0.007, (*example.shape, 1))
    lit = np.clip(image * light[..., None] + grain, 0, 1)
    return (lit * 255 + 0.5).astype(np.uint8), mask


def write(folder: Path) -> list[Path]:
    """Draw every example as a JPEG into `folder`, and `examples.json` beside them.

    Raises StoreError when the folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for example in EXAMPLES:
            path = folder / example.file
            path.write_bytes(encode(draw(example)[0]))
            written.append(path)
        listing = folder / "examples.json"
        listing.write_text(json.dumps(describe(), indent=2) + "\n", encoding="utf-8")
    except OSError as problem:
        raise StoreError(
            f"cannot write the examples to {folder}: {problem}; choose a folder you may write to"
        ) from problem
    return [*written, listing]


def encode(picture: np.ndarray) -> bytes:
    """The JPEG file of a picture (H, W, 3) uint8."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


def describe() -> list[dict[str, str | bool]]:
    """What `examples.json` holds: one entry per picture, in the order they are shown."""
    return [
        {
            "file": example.file,
            "class_name": example.class_name,
            "caption": example.caption,
            "defective": example.defect is not None,
        }
        for example in EXAMPLES
    ]


def main(arguments: list[str]) -> int:
    """Write the examples into the one folder given; the exit status."""
    try:
        if len(arguments) != 1:
            raise InputError("usage: python -m adaclip.synthetic.examples FOLDER")
        for path in write(Path(arguments[0])):
            sys.stdout.write(f"{path}\n")
    except AdaClipError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
