"""One owner for each device: every model runs in that device's single worker thread.

Requests of several users and several checkpoints queue up in order of arrival. A model never
runs beside another on the same device, so a result cannot depend on what else is going on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from adaclip.config import Precision
from adaclip.errors import InputError

T = TypeVar("T")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Device:
    """A torch device and the one thread that uses it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.torch_device = torch.device(name)
        if self.torch_device.type == "cuda":  # fp32 is to mean fp32
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"device-{name}")

    def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run `function` in the device's thread, after all that came before; wait for it."""
        return self._worker.submit(function, *arguments).result()

    @property
    def default_batch_size(self) -> int:
        """On a CPU one image already fills the cores, and one at a time can be cancelled."""
        return 1 if self.torch_device.type == "cpu" else 8

    def free_cache(self) -> None:
        """Give back the memory that torch keeps for later."""
        if self.torch_device.type == "cuda":
            torch.cuda.empty_cache()

    def describe(self) -> str:
        """For people: "CPU, 2 threads" or the GPU's name."""
        if self.torch_device.type == "cuda":
            return torch.cuda.get_device_name(self.torch_device)
        if self.torch_device.type == "cpu":
            return f"CPU, {torch.get_num_threads()} threads"
        return self.name


def get_device(name: str) -> Device:
    """The owner of a device: "auto", "cpu", "cuda", "cuda:1" or "mps".

    Raises:
        InputError: there is no such device on this machine.
    """
    wanted = name.strip().lower()
    if wanted == "auto":
        wanted = "cuda:0" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda":
        wanted = "cuda:0"
    if not _exists(wanted):
        raise InputError(f"no device {name!r} on this machine; use 'auto' or 'cpu'")
    return _owner(wanted)


@functools.cache
def _owner(name: str) -> Device:
    return Device(name)


def _exists(name: str) -> bool:
    if name.startswith("cuda:") and name[5:].isdigit():
        return int(name[5:]) < torch.cuda.device_count()
    return name == "cpu" or (name == "mps" and torch.backends.mps.is_available())


def choose_precision(device: Device, precision: Precision) -> str:
    """ "fp32", "bf16" or "fp16" for a request that may say "auto".

    Raises:
        InputError: not a precision, or fp16 on a CPU, which has no fast arithmetic for it.
    """
    if precision not in ("auto", *DTYPES):
        raise InputError(f"unknown precision {precision!r}; use auto, fp32, bf16 or fp16")
    if precision == "fp16" and device.torch_device.type == "cpu":
        raise InputError("fp16 needs a GPU; on a CPU use bf16, fp32 or auto")
    if precision != "auto":
        return precision
    if device.torch_device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.torch_device.type == "cpu" and cpu_has_bf16():
        return "bf16"
    return "fp32"


def cpu_has_bf16() -> bool:
    """True where the CPU multiplies bf16 itself; elsewhere it is twenty times slower than fp32."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def is_out_of_memory(error: BaseException) -> bool:
    """True for every way in which torch says that memory has run out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(s in text for s in ("can't allocate memory", "out of memory", "alloc_failed"))
