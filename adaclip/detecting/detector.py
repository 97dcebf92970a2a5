"""Images in, frozen detections out.

A `Detector` owns pre-processing, batching and numeric safety; it keeps no state between calls.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adaclip.checkpoints.catalogue import find
from adaclip.config import MAX_CLASS_NAME_LENGTH, DetectConfig, Precision, PreprocessingConfig
from adaclip.data.images import as_pixels
from adaclip.data.preprocessing import preprocess
from adaclip.detecting.device import (
    DTYPES,
    Device,
    choose_precision,
    get_device,
    is_out_of_memory,
)
from adaclip.detecting.loading import LoadedModel, load_models, set_block_dtype
from adaclip.errors import AdaClipError, CheckpointError, InputError
from adaclip.model import scoring, text_prompts
from adaclip.types import CheckpointInfo, Detection

RECOMPUTED = "recomputed in fp32: the result was not finite in {}"
MAX_BATCH_SIZE = 256


def load_detector(
    checkpoint: str | Path = DetectConfig.checkpoint,
    *,
    backbone_weights: str | Path | None = None,
    device: str = DetectConfig.device,
    precision: Precision = DetectConfig.precision,
) -> Detector:
    """Load a checkpoint by id or from a file. Nothing is downloaded.

    Args:
        checkpoint: an id such as "lite", or the path of a .safetensors or .pth file.
        backbone_weights: a local file of open_clip weights, for checkpoints that hold only the
            learned parameters; by default the one in the weights folder.
        device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1" or "mps".
        precision: "auto" (bf16 where the device is fast in it), "fp32", "bf16" or "fp16".

    Raises:
        CheckpointError: no such checkpoint, or its files are missing, damaged or do not fit.
        InputError: no such device or precision.
    """
    backbone = Path(backbone_weights) if backbone_weights is not None else None
    info = find(str(checkpoint), backbone_weights=backbone)
    owner = get_device(device)
    chosen = choose_precision(owner, precision)
    models = load_models(info, backbone_weights=backbone, device=owner, precision=chosen)
    return Detector(info, models, owner, chosen)


@dataclass(frozen=True, kw_only=True)
class _Maps:
    """A batch's results on the CPU."""

    margins: Tensor  # (B, S, S) refined, smoothed
    probabilities: Tensor  # (B, S, S)
    image_margins: Tensor  # (B,)


class Detector:
    """A loaded checkpoint, ready for any number of threads.

    Attributes:
        info: what is known of the checkpoint, its threshold and training sets among it.
        device: the device's name, "cpu" or "cuda:0".
        precision: "fp32", "bf16" or "fp16".
    """

    def __init__(
        self, info: CheckpointInfo, models: Sequence[LoadedModel], device: Device, precision: str
    ) -> None:
        self.info = info
        self.device = device.name
        self.precision = precision
        self._models = list(models)
        self._owner = device
        self._first = models[0].model  # all members work at the same sizes

    def detect(
        self, images: Sequence[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> list[Detection]:
        """Detect anomalies in images of one class; see `stream`."""
        return list(self.stream(images, class_name, batch_size=batch_size))

    def stream(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> Iterator[Detection]:
        """Yield one detection per image, in order, taking images only as they are needed.

        Args:
            images: (H, W, 3) uint8 RGB; grey, RGBA and 16-bit arrays are converted.
            class_name: what is in the images, in words; it may be empty.
            batch_size: images computed at once; by default what suits the device. A batch that
                does not fit into memory is halved.

        Raises:
            InputError: a class name or batch size that cannot be used.
            ImageError: an array that is no image.
        """
        name = _checked_name(class_name)
        size = self._owner.default_batch_size if batch_size is None else batch_size
        if not 1 <= size <= MAX_BATCH_SIZE:
            raise InputError(f"batch size {size} is not within 1 and {MAX_BATCH_SIZE}")
        return self._stream(iter(images), name, size)

    def describe_device(self) -> str:
        """For people: "CPU, 2 threads, bf16"."""
        return f"{self._owner.describe()}, {self.precision}"

    def _stream(self, images: Iterator[np.ndarray], name: str, size: int) -> Iterator[Detection]:
        while batch := [as_pixels(image) for image in islice(images, size)]:
            sizes = [self._first.input_size(*image.shape[:2]) for image in batch]
            found: dict[int, Detection] = {}
            for side in dict.fromkeys(sizes):
                rows = [row for row, own in enumerate(sizes) if own == side]
                alike = self._detect_batch([batch[row] for row in rows], name)
                found |= zip(rows, alike, strict=True)
            yield from (found[row] for row in range(len(batch)))

    def _detect_batch(self, batch: list[np.ndarray], name: str) -> list[Detection]:
        """Images of one input size; halved on lack of memory, until a single one does not fit."""
        try:
            return self._detect_at_once(batch, name)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise AdaClipError(
                    f"not enough memory on {self.device} for one image with checkpoint "
                    f"{self.info.id}; close other programs or use --device cpu"
                ) from error
        # Here, not above: the error held on to the failed batch.
        self._owner.free_cache()
        middle = len(batch) // 2
        return self._detect_batch(batch[:middle], name) + self._detect_batch(batch[middle:], name)

    def _detect_at_once(self, batch: list[np.ndarray], name: str) -> list[Detection]:
        started = time.perf_counter()
        inputs = {
            loaded.preprocessing: self._inputs(batch, loaded.preprocessing)
            for loaded in self._models
        }
        token_ids = text_prompts.tokenize(name)
        prepared = time.perf_counter() - started
        maps, notes, computed = self._owner.run(self._timed, inputs, token_ids)
        seconds = (prepared + computed) / len(batch)
        return [
            Detection(
                class_name=name,
                checkpoint=self.info.id,
                image_size=(image.shape[0], image.shape[1]),
                model_margin_map=_frozen(maps.margins[row]),
                model_anomaly_map=_frozen(maps.probabilities[row]),
                anomaly_margin=float(maps.image_margins[row]),
                anomaly_score=float(maps.image_margins[row].double().sigmoid()),
                seconds=seconds,
                device=self.device,
                precision=self.precision,
                notes=notes[row],
            )
            for row, image in enumerate(batch)
        ]

    def _inputs(self, batch: list[np.ndarray], config: PreprocessingConfig) -> Tensor:
        size = self._first.input_size(*batch[0].shape[:2])
        return torch.from_numpy(np.stack([preprocess(image, size, config) for image in batch]))

    def _timed(
        self, inputs: dict[PreprocessingConfig, Tensor], token_ids: Tensor
    ) -> tuple[_Maps, list[tuple[str, ...]], float]:
        """Runs in the device's thread, so that waiting for others does not count."""
        started = time.perf_counter()
        maps, notes = self._compute(inputs, token_ids)
        return maps, notes, time.perf_counter() - started

    @torch.inference_mode()
    def _compute(
        self, inputs: dict[PreprocessingConfig, Tensor], token_ids: Tensor
    ) -> tuple[_Maps, list[tuple[str, ...]]]:
        maps = self._forward(inputs, token_ids)
        finite = maps.margins.isfinite().flatten(1).all(1) & maps.image_margins.isfinite()
        if finite.all():
            return maps, [()] * len(finite)
        rows = (~finite).nonzero().flatten()
        repaired = self._forward_fp32({c: images[rows] for c, images in inputs.items()}, token_ids)
        if not (repaired.margins.isfinite().all() and repaired.image_margins.isfinite().all()):
            raise CheckpointError(
                f"{self.info.id} gives values that are not finite, in fp32 too; "
                "its weights are damaged: fetch the file again"
            )
        for name in ("margins", "probabilities", "image_margins"):
            getattr(maps, name)[rows] = getattr(repaired, name)
        note = (RECOMPUTED.format(self.precision),)
        return maps, [() if ok else note for ok in finite.tolist()]

    def _forward(self, inputs: dict[PreprocessingConfig, Tensor], token_ids: Tensor) -> _Maps:
        """Average the models' margins, not probabilities: those may saturate."""
        device, config = self._owner.torch_device, self._first.config
        token_ids = token_ids.to(device)
        first_passes: dict[tuple[int, PreprocessingConfig], Tensor] = {}
        margins, image_margins = [], []
        for loaded in self._models:
            model, images = loaded.model, inputs[loaded.preprocessing].to(device)
            key = (id(model.clip), loaded.preprocessing)
            if model.needs_first_pass and key not in first_passes:
                first_passes[key] = model.unprompted_class_token(images)
            output = model(images, token_ids, first_passes.get(key))
            margins.append(
                scoring.margin_map(
                    output.patch_margins,
                    images,
                    config.image_size,
                    refinement_radius=config.refinement_radius,
                )
            )
            image_margins.append(output.image_margin)
        margin = torch.stack(margins).mean(dim=0)
        sigma = config.smoothing_sigma
        return _Maps(
            margins=scoring.smooth(margin, sigma).cpu(),
            probabilities=scoring.smooth(margin.sigmoid(), sigma).cpu(),
            image_margins=torch.stack(image_margins).mean(dim=0).cpu(),
        )

    def _forward_fp32(self, inputs: dict[PreprocessingConfig, Tensor], token_ids: Tensor) -> _Maps:
        """The same in fp32 arithmetic; the weights' cast there and back loses nothing."""
        backbones = {id(loaded.model.clip): loaded.model.clip for loaded in self._models}
        try:
            for clip in backbones.values():
                set_block_dtype(clip, torch.float32)
            return self._forward(inputs, token_ids)
        finally:
            for clip in backbones.values():
                set_block_dtype(clip, DTYPES[self.precision])


def _checked_name(class_name: str) -> str:
    if not isinstance(class_name, str):
        raise InputError(f"the class name must be text, not {type(class_name).__name__}")
    name = " ".join(class_name.split())
    if len(name) > MAX_CLASS_NAME_LENGTH:
        raise InputError(
            f"the class name is {len(name)} characters long; name the object in at most "
            f"{MAX_CLASS_NAME_LENGTH}, for example 'metal nut'"
        )
    return name


def _frozen(values: Tensor) -> np.ndarray:
    array = values.float().numpy().copy()
    array.flags.writeable = False
    return array
