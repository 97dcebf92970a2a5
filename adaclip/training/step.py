"""One optimiser step in mixed precision that cannot silently go wrong.

The frozen blocks compute in the chosen precision; everything that learns, the residual stream
and the losses stay in fp32. Gradients are scaled while anything on their way is fp16. A step whose
loss or gradients are not finite changes nothing: it is counted, taken again in fp32, and if that
fails too, training stops and names the images.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from adaclip.config import DicePer, TrainConfig
from adaclip.detecting.device import Device, is_out_of_memory
from adaclip.errors import AdaClipError
from adaclip.training.data import Example
from adaclip.training.losses import adaclip_loss
from adaclip.training.model import TrainingModel, forward, fp32_blocks, out_of_memory

# Far from both ends of fp16 for gradients of everyday size. It falls when one is too large and
# comes back, but no higher: to try would only make steps to repeat.
_FIRST_SCALE = 2.0**10
_GROWTH_INTERVAL = 500
_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Examples stacked: images (B, 3, S, S) float32, masks (B, S, S) float32."""

    images: Tensor
    masks: Tensor
    has_mask: Tensor
    anomalous: Tensor
    class_names: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Batch:
        """Stack examples; a missing mask becomes an empty one that `has_mask` tells apart."""
        empty = np.zeros(examples[0].image.shape[1:], bool)
        masks = [empty if e.mask is None else e.mask for e in examples]
        return cls(
            images=torch.from_numpy(np.stack([e.image for e in examples])),
            masks=torch.from_numpy(np.stack(masks)).float(),
            has_mask=torch.tensor([e.mask is not None for e in examples]),
            anomalous=torch.tensor([float(e.anomalous) for e in examples]),
            class_names=tuple(e.class_name for e in examples),
            names=tuple(e.name for e in examples),
        )

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("images", "masks", "has_mask", "anomalous")
        }
        return Batch(class_names=self.class_names, names=self.names, **moved)


class Stepper:
    """The optimiser of a model; `step` is to run in the device's thread.

    Attributes:
        repeated: steps taken again in fp32 so far.
    """

    def __init__(
        self, trained: TrainingModel, config: TrainConfig, device: Device, precision: str
    ) -> None:
        self.trained = trained
        self.repeated = 0
        self._device = device
        self._precision = precision
        self._dice: DicePer = config.dice
        self._parameters = trained.learned
        self._optimizer = torch.optim.AdamW(
            self._parameters,
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
        )
        # Prompts rounded to fp16 round their gradients too.
        halves = precision == "fp16" or trained.model.config.round_prompts_to_half
        self._scaler = torch.amp.GradScaler(
            device.torch_device.type,
            init_scale=_FIRST_SCALE,
            growth_interval=_GROWTH_INTERVAL,
            enabled=halves,
        )

    def step(self, batches: Sequence[Batch]) -> tuple[float, bool]:
        """One step on the mean loss of all images; the loss, and whether fp32 had to help.

        Raises:
            AdaClipError: not finite in fp32 either, or not enough memory.
        """
        try:
            return self._step(batches)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            size = max(len(batch.names) for batch in batches)
            raise out_of_memory(error, self._device, size) from error

    def state(self) -> dict[str, Any]:
        """What `restore` takes."""
        return {
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "repeated": self.repeated,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self.repeated = state["repeated"]

    def _step(self, batches: Sequence[Batch]) -> tuple[float, bool]:
        loss = self._gradients(batches, scaled=True)
        self._scaler.unscale_(self._optimizer)
        if np.isfinite(loss) and self._finite_gradients():
            self._scaler.step(self._optimizer)
            self._scaler.update()
            if self._scaler.get_scale() > _FIRST_SCALE:
                self._scaler.update(_FIRST_SCALE)
            return loss, False
        self._scaler.update()
        self.repeated += 1
        with fp32_blocks(self.trained.model, self._precision):
            loss = self._gradients(batches, scaled=False)
        if not (np.isfinite(loss) and self._finite_gradients()):
            self._optimizer.zero_grad()
            raise _not_finite(batches, loss)
        self._optimizer.step()
        return loss, True

    def _gradients(self, batches: Sequence[Batch], *, scaled: bool) -> float:
        """Put the gradients of the mean loss in place; the loss."""
        self._optimizer.zero_grad()
        images = sum(len(batch.names) for batch in batches)
        total = 0.0
        for batch in batches:
            batch = batch.to(self._device.torch_device)
            output = forward(self.trained.model, batch.images, batch.class_names)
            loss = adaclip_loss(
                output, batch.anomalous, batch.masks, batch.has_mask, dice=self._dice
            )
            loss = loss * (len(batch.names) / images)
            (self._scaler.scale(loss) if scaled else loss).backward()
            total += loss.item()
        return total

    def _finite_gradients(self) -> bool:
        found = [p.grad for p in self._parameters if p.grad is not None]
        return all(bool(gradient.isfinite().all()) for gradient in found)


def _not_finite(batches: Sequence[Batch], loss: float) -> AdaClipError:
    names = [name for batch in batches for name in batch.names]
    shown = ", ".join(names[:_NAMED])
    shown += f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    what = "its gradients are" if np.isfinite(loss) else f"the loss is {loss}, which is"
    return AdaClipError(
        f"training cannot go on: {what} not finite, in fp32 too, for {shown}; use a lower "
        "learning rate, or take these images out if they look wrong"
    )


@contextlib.contextmanager
def reproducible(device: Device) -> Iterator[None]:
    """Let torch choose only ways of computing that give the same bits each time."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    on_gpu = device.torch_device.type == "cuda"
    if on_gpu:  # cuBLAS reads this when it starts
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # The memory-saving attention of GPUs adds up its gradients in any order.
    kernels = sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH])
    with kernels if on_gpu else contextlib.nullcontext():
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)
