"""Seconds per image: ours against the straightforward way, in one run.

    python -m benchmarks.speed                              # ViT-L-14-336, random weights
    python -m benchmarks.speed --lite                       # the shipped checkpoint

The straightforward way computes the same values in fp32, with sentences of all 77 tokens, one
image at a time, and with attention weights kept, as the published code does. Random weights are
fine for speed and say nothing about detection.
"""

from __future__ import annotations

import argparse
import copy
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adaclip import load_detector
from adaclip.config import ModelConfig
from adaclip.detecting.detector import Detector
from adaclip.detecting.loading import set_block_dtype
from adaclip.model import adaclip as method
from adaclip.model import text_prompts
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.adapters import MATRICES, BlockAdapter, LowRankChange
from adaclip.model.backbone import backbone_config, build_clip
from adaclip.model.checkpoint import published_state

IMAGE = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
CLASS_NAME = "metal nut"


def random_published(folder: Path, backbone: str) -> tuple[Path, Path]:
    """Random weights in the authors' format and in open_clip's, in files."""
    torch.manual_seed(0)
    clip = build_clip(backbone_config(backbone))
    model = AdaCLIP(clip, ModelConfig(backbone=backbone))
    torch.save(published_state(model.state_dict()), folder / "learned.pth")
    torch.save({k: v.half() for k, v in clip.state_dict().items()}, folder / "backbone.pt")
    return folder / "learned.pth", folder / "backbone.pt"


def adapted(block: Any, adapter: BlockAdapter) -> Any:
    """A copy of the block with its adapter's changes in its matrices."""
    block = copy.deepcopy(block)
    for name, change in zip(MATRICES, adapter.matrices.values(), strict=True):
        assert isinstance(change, LowRankChange)
        block.get_parameter(name).add_(change.matrix)
    return block


def block_with_weights_kept(
    block: Any, x: torch.Tensor, *, causal: bool = False, adapter: BlockAdapter | None = None
) -> torch.Tensor:
    """open_clip's block with its own attention module returning every head's weights."""
    if adapter is not None:
        block = adapted(block, adapter)
    mask = None
    if causal:
        mask = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu(1)
    h = block.ln_1(x)
    h, _ = block.attn(h, h, h, need_weights=True, average_attn_weights=False, attn_mask=mask)
    x = x + block.ls_1(h)
    return x + block.ls_2(block.mlp(block.ln_2(x)))


@torch.inference_mode()
def straightforward(detector: Detector) -> Callable[[], object]:
    """One image the plain way, on the same (fp32) weights."""
    loaded = detector._models[0]
    set_block_dtype(loaded.model.clip, torch.float32)
    ids = text_prompts.tokenize(CLASS_NAME)
    ids = torch.nn.functional.pad(ids, (0, 77 - ids.shape[1]))

    def run() -> object:
        with torch.inference_mode():
            return loaded.model(detector._inputs([IMAGE], loaded.preprocessing), ids)

    return run


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    run()  # warm-up
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--lite", action="store_true")
    parser.add_argument("--backbone", default="ViT-L-14-336")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if arguments.lite:
        detector = load_detector("lite", device="cpu", precision=arguments.precision)
        name = "lite"
    else:
        with tempfile.TemporaryDirectory() as folder:
            learned, backbone = random_published(Path(folder), arguments.backbone)
            written = peak_gb()
            detector = load_detector(
                learned, backbone_weights=backbone, device="cpu", precision=arguments.precision
            )
        name = (
            f"{arguments.backbone}, random weights (writing them took a peak of {written:.1f} GB)"
        )
    ours = median_seconds(lambda: detector.detect([IMAGE], CLASS_NAME), arguments.repeats)
    print(name)
    print(f"ours            {ours:6.2f} s per image ({detector.precision})")
    print(f"peak memory     {peak_gb():6.1f} GB")
    plain = straightforward(detector)
    original, method.run_block = method.run_block, block_with_weights_kept
    try:
        slow = median_seconds(plain, max(1, arguments.repeats // 2))
    finally:
        method.run_block = original
    print(f"straightforward {slow:6.2f} s per image (fp32)\nratio           {slow / ours:6.2f}")


if __name__ == "__main__":
    main()
