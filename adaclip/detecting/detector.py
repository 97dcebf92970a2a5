"""Images in, frozen detections out.

A `Detector` owns pre-processing, batching and numeric safety; it keeps no state between calls.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adaclip.checkpoints.catalogue import find
from adaclip.comparing.features import Features, unit_half
from adaclip.comparing.references import References
from adaclip.config import MAX_CLASS_NAME_LENGTH, DetectConfig, Precision, PreprocessingConfig
from adaclip.data.images import as_pixels, pixel_sha256
from adaclip.data.preprocessing import preprocess
from adaclip.detecting.comparing import Comparing
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
from adaclip.model.adaclip import FrozenTokens
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
    patch_margins: Tensor  # (B, L)
    tokens: Tensor  # (B, stages, L, Dv) frozen ones of the first model
    class_tokens: Tensor  # (B, D)


@dataclass(frozen=True, kw_only=True)
class _Result:
    """One image's detection, and the row of its batch that holds all else."""

    detection: Detection
    image: np.ndarray
    grid: tuple[int, int]
    maps: _Maps
    row: int


class Detector(Comparing):
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
        self,
        images: Sequence[np.ndarray],
        class_name: str,
        *,
        references: References | None = None,
        batch_size: int | None = None,
    ) -> list[Detection]:
        """Detect anomalies in images of one class; see `stream`."""
        return list(self.stream(images, class_name, references=references, batch_size=batch_size))

    def stream(
        self,
        images: Iterable[np.ndarray],
        class_name: str,
        *,
        references: References | None = None,
        batch_size: int | None = None,
    ) -> Iterator[Detection]:
        """Yield one detection per image, in order, taking images only as they are needed.

        Args:
            images: (H, W, 3) uint8 RGB; grey, RGBA and 16-bit arrays are converted.
            class_name: what is in the images, in words; it may be empty.
            references: good examples to compare with, as `references` makes them; the detections
                then carry thresholds of their own. None: each image is judged by itself.
            batch_size: images computed at once; by default what suits the device. A batch that
                does not fit into memory is halved.

        Raises:
            InputError: a class name, batch size or references that cannot be used.
            ImageError: an array that is no image.
        """
        if references is None:
            results = self._results(images, class_name, batch_size, native=False)
            return (result.detection for result in results)
        references.check(self.features_id)  # before an image is read
        each = self.stream_features(images, class_name, batch_size=batch_size)
        return (self.score([features], references)[0] for features in each)

    def describe_device(self) -> str:
        """For people: "CPU, 2 threads, bf16"."""
        return f"{self._owner.describe()}, {self.precision}"

    @functools.cached_property
    def features_id(self) -> str:
        """What features are of: those of two detectors compare where this is the same."""
        config, pre = self._first.config, self._models[0].preprocessing
        facts = (config.backbone, config.stage_layers, config.image_size, config.least_image_size)
        prompted = self._first.visual_prompts is not None and not self._first.needs_first_pass
        learned = self.info.id if prompted else ""
        return "/".join(map(str, (*facts, pre.mean, pre.std, learned)))

    def stream_features(
        self, images: Iterable[np.ndarray], class_name: str, *, batch_size: int | None = None
    ) -> Iterator[Features]:
        """Yield what each image is compared by, its zero-shot detection included.

        The same forward pass gives both. Where the checkpoint does not bring every image to one
        square, an image keeps its own aspect here. Arguments and errors as of `stream`.
        """
        results = self._results(images, class_name, batch_size, native=True)
        return (
            Features(
                detection=result.detection,
                grid=result.grid,
                tokens=unit_half(result.maps.tokens[result.row]),
                class_token=unit_half(result.maps.class_tokens[result.row]),
                patch_margins=_frozen(result.maps.patch_margins[result.row].cpu()),
                anomaly_margin=result.detection.anomaly_margin,
                picture=pixel_sha256(result.image),
                model=self.features_id,
            )
            for result in results
        )

    def _results(
        self, images: Iterable[np.ndarray], class_name: str, batch_size: int | None, *, native: bool
    ) -> Iterator[_Result]:
        name = _checked_name(class_name)
        size = self._owner.default_batch_size if batch_size is None else batch_size
        if not 1 <= size <= MAX_BATCH_SIZE:
            raise InputError(f"batch size {size} is not within 1 and {MAX_BATCH_SIZE}")
        return self._stream(iter(images), name, size, native)

    def _stream(
        self, images: Iterator[np.ndarray], name: str, count: int, native: bool
    ) -> Iterator[_Result]:
        while batch := [as_pixels(image) for image in islice(images, count)]:
            sizes = [self._size(image, native) for image in batch]
            found: dict[int, _Result] = {}
            for size in dict.fromkeys(sizes):
                rows = [row for row, own in enumerate(sizes) if own == size]
                alike = self._detect_batch([batch[row] for row in rows], name, size)
                found |= zip(rows, alike, strict=True)
            yield from (found[row] for row in range(len(batch)))

    def _size(self, image: np.ndarray, native: bool) -> tuple[int, int]:
        """(H, W) at which an image is computed."""
        height, width = image.shape[:2]
        side = self._first.input_size(height, width)
        return self._first.native_size(height, width) if native else (side, side)

    def _detect_batch(
        self, batch: list[np.ndarray], name: str, size: tuple[int, int]
    ) -> list[_Result]:
        """Images of one input size; halved on lack of memory, until a single one does not fit."""
        try:
            return self._detect_at_once(batch, name, size)
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
        return [
            *self._detect_batch(batch[:middle], name, size),
            *self._detect_batch(batch[middle:], name, size),
        ]

    def _detect_at_once(
        self, batch: list[np.ndarray], name: str, size: tuple[int, int]
    ) -> list[_Result]:
        started = time.perf_counter()
        inputs = {
            loaded.preprocessing: _inputs(batch, size, loaded.preprocessing)
            for loaded in self._models
        }
        token_ids = text_prompts.tokenize(name)
        prepared = time.perf_counter() - started
        maps, notes, computed = self._owner.run(self._timed, inputs, token_ids)
        seconds = (prepared + computed) / len(batch)
        detections = [
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
        grid = self._grid(next(iter(inputs.values())))
        return [
            _Result(detection=detection, image=image, grid=grid, maps=maps, row=row)
            for row, (detection, image) in enumerate(zip(detections, batch, strict=True))
        ]

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
        for field in dataclasses.fields(maps):
            getattr(maps, field.name)[rows] = getattr(repaired, field.name)
        note = (RECOMPUTED.format(self.precision),)
        return maps, [() if ok else note for ok in finite.tolist()]

    def _forward(self, inputs: dict[PreprocessingConfig, Tensor], token_ids: Tensor) -> _Maps:
        """Average the models' margins, not probabilities: those may saturate."""
        device, config = self._owner.torch_device, self._first.config
        token_ids = token_ids.to(device)
        first_passes: dict[tuple[int, PreprocessingConfig], FrozenTokens] = {}
        outputs, margins = [], []
        for loaded in self._models:
            model, images = loaded.model, inputs[loaded.preprocessing].to(device)
            key = (id(model.clip), loaded.preprocessing)
            if model.needs_first_pass and key not in first_passes:
                first_passes[key] = model.unprompted_pass(images)
            output = model(images, token_ids, first_passes.get(key))
            outputs.append(output)
            margins.append(
                scoring.margin_map(
                    output.patch_margins,
                    images,
                    config.image_size,
                    refinement_radius=config.refinement_radius,
                    grid=self._grid(images),
                )
            )
        margin = torch.stack(margins).mean(dim=0)
        sigma = config.smoothing_sigma
        return _Maps(
            margins=scoring.smooth(margin, sigma).cpu(),
            probabilities=scoring.smooth(margin.sigmoid(), sigma).cpu(),
            image_margins=torch.stack([each.image_margin for each in outputs]).mean(dim=0).cpu(),
            patch_margins=torch.stack([each.patch_margins for each in outputs]).mean(dim=0),
            tokens=self._first.compared_tokens(outputs[0].frozen),
            class_tokens=outputs[0].frozen.class_token,
        )

    def _grid(self, images: Tensor) -> tuple[int, int]:
        """(rows, columns) of patches."""
        patch = self._first.clip.visual.patch_size[0]
        return images.shape[-2] // patch, images.shape[-1] // patch

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


def _inputs(batch: list[np.ndarray], size: tuple[int, int], config: PreprocessingConfig) -> Tensor:
    return torch.from_numpy(np.stack([preprocess(image, size, config) for image in batch]))


def _frozen(values: Tensor) -> np.ndarray:
    array = values.float().numpy().copy()
    array.flags.writeable = False
    return array
