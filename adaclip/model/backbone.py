"""CLIP from open_clip: import it, build it, load local weights, fit it to an image size.

Nothing here downloads anything. The blocks, the tokenizer and the weight formats are open_clip's.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adaclip.errors import CheckpointError

Adapter = Callable[[str, Tensor], Tensor]


@functools.cache
def open_clip() -> ModuleType:
    """The open_clip package, importable beside a CPU-only torch too.

    PyPI's torchvision is built for CUDA. Beside a CPU-only torch its import stops because two
    operators, which nothing here calls, were never declared; declaring them is the cure.
    """
    import importlib

    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "does not exist" not in str(error):
            raise
        _declare_torchvision_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside open_clip's own imports
        return importlib.import_module("open_clip")


_operators: list[torch.library.Library] = []  # a declaration lives as long as its Library


def _declare_torchvision_operators() -> None:
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _operators.append(library)


def backbone_config(name: str) -> dict[str, Any]:
    """open_clip's model config for `name`; raises CheckpointError for a name it does not know."""
    # A name with a scheme would make open_clip ask the hub.
    config = None if ":" in name else open_clip().get_model_config(name)
    if config is None:
        raise CheckpointError(
            f"open_clip knows no model named {name!r}; use for example ViT-B-16 or ViT-L-14-336"
        )
    return config


def build_clip(config: Mapping[str, Any], *, empty: bool = False) -> nn.Module:
    """An open_clip CLIP in eval mode, without gradients; weights random, or none if `empty`.

    An empty one, to be filled by `load_state_dict(assign=True)`, costs neither time nor memory.

    GELU is plain even where OpenAI's weights were trained with QuickGELU: kept for checkpoint
    compatibility, the published AdaCLIP weights were trained that way.

    Raises:
        CheckpointError: the model has no plain ViT with a class token.
    """
    try:
        return _build(config, empty)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise CheckpointError(
            f"the backbone's config cannot be built ({type(error).__name__}: {error}); "
            "the file is damaged or made for another version"
        ) from error


def _build(config: Mapping[str, Any], empty: bool) -> nn.Module:
    fields = {k: copy.deepcopy(config[k]) for k in ("embed_dim", "vision_cfg", "text_cfg")}
    vision = fields["vision_cfg"]
    unsuitable = vision.get("timm_model_name") or not isinstance(vision.get("layers", 12), int)
    if unsuitable or fields["text_cfg"].get("hf_model_name"):
        raise CheckpointError(
            "this backbone is not a ViT of open_clip's own; use for example ViT-B-16"
        )
    with torch.device("meta" if empty else "cpu"):
        clip = open_clip().CLIP(**fields).eval().requires_grad_(False)
    if clip.visual.attn_pool is not None or clip.visual.pool_type != "tok":
        raise CheckpointError("this backbone has no class token; use for example ViT-B-16")
    return clip


def read_clip_weights(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of CLIP weights: open_clip's formats or OpenAI's archive, in fp32.

    Raises:
        CheckpointError: the file cannot be read as one of them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.load's remarks on TorchScript archives
            state = _load_any(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file of backbone weights") from error
    except Exception as error:
        raise CheckpointError(f"{path}: not a readable file of CLIP weights ({error})") from error
    if not isinstance(state, Mapping) or "visual.conv1.weight" not in state:
        raise CheckpointError(
            f"{path}: no 'visual.conv1.weight' inside, so these are not open_clip weights of a ViT"
        )
    extra = {"input_resolution", "context_length", "vocab_size", "attn_mask"}
    return {k: v.float() for k, v in state.items() if k not in extra and isinstance(v, Tensor)}


def _load_any(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(path)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # OpenAI's own files are TorchScript archives, which weights_only refuses.
        return torch.jit.load(str(path), map_location="cpu").state_dict()
    while isinstance(state, Mapping) and "state_dict" in state:
        state = state["state_dict"]
    return {k.removeprefix("module."): v for k, v in state.items()}


def config_of_weights(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The open_clip config that fits a CLIP ViT state dict, read off its shapes.

    Heads are 64 wide, as in every CLIP ViT up to L.
    """
    width, _, patch, _ = state["visual.conv1.weight"].shape
    positions = state["visual.positional_embedding"].shape[0] - 1
    context, text_width = state["positional_embedding"].shape
    return {
        "embed_dim": state["visual.proj"].shape[1],
        "vision_cfg": {
            "image_size": round(positions**0.5) * patch,
            "layers": _count_blocks(state, "visual.transformer.resblocks."),
            "width": width,
            "patch_size": patch,
        },
        "text_cfg": {
            "context_length": context,
            "vocab_size": state["token_embedding.weight"].shape[0],
            "width": text_width,
            "heads": text_width // 64,
            "layers": _count_blocks(state, "transformer.resblocks."),
        },
    }


def _count_blocks(state: Mapping[str, Tensor], prefix: str) -> int:
    return 1 + max(int(k[len(prefix) :].split(".")[0]) for k in state if k.startswith(prefix))


def fit_to_image_size(clip: Any, image_size: int) -> None:
    """Resize the position embedding to `image_size` pixels, in place.

    Bicubic *without* antialiasing, where open_clip's default is with: kept for checkpoint
    compatibility.

    Raises:
        CheckpointError: `image_size` is not a multiple of the patch size.
    """
    visual: Any = clip.visual
    patch = visual.patch_size[0]
    if image_size % patch:
        raise CheckpointError(
            f"image size {image_size} is not a multiple of the backbone's patch size {patch}"
        )
    new = image_size // patch
    if new == visual.grid_size[0]:
        return
    positions = visual.positional_embedding.data
    visual.positional_embedding = nn.Parameter(
        resized_positions(positions, new), requires_grad=positions.requires_grad
    )
    visual.image_size = (image_size, image_size)
    visual.grid_size = (new, new)


def resized_positions(positions: Tensor, rows: int, columns: int | None = None) -> Tensor:
    """A position embedding (1 + G * G, D) for a grid of `rows` x `columns` patches.

    `columns` is by default `rows`. Returns (1 + rows * columns, D).
    """
    columns = rows if columns is None else columns
    old = round((len(positions) - 1) ** 0.5)
    if (rows, columns) == (old, old):
        return positions
    grid = positions[1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(
        grid, size=(rows, columns), mode="bicubic", align_corners=False, antialias=False
    )
    return torch.cat([positions[:1], grid.permute(0, 2, 3, 1).reshape(rows * columns, -1)])


def embed_image(visual: Any, images: Tensor) -> Tensor:
    """(B, 3, H, W) -> the first block's input (B, 1 + L, D), class token first.

    open_clip's own takes one square only; H and W may be any multiples of the patch size here.
    """
    patches = visual.conv1(images)
    positions = resized_positions(visual.positional_embedding, *patches.shape[-2:])
    patches = patches.flatten(2).transpose(1, 2)
    first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    return visual.ln_pre(torch.cat([first, patches], dim=1) + positions.to(patches.dtype))


def set_compute_dtype(tower: nn.Module, dtype: torch.dtype) -> None:
    """Cast the matrices of a tower's blocks in place; everything else stays in fp32.

    The residual stream and the norms stay in fp32, so bf16 costs little accuracy.

    Args:
        tower: `clip.visual`, or `clip` itself for the text tower.
    """
    for block in tower.transformer.resblocks:  # type: ignore[union-attr]
        block.attn.to(dtype)
        block.mlp.to(dtype)


def run_block(
    block: Any, x: Tensor, *, causal: bool = False, adapter: Adapter | None = None
) -> Tensor:
    """One residual block of open_clip's. x: (B, N, W) fp32, out the same.

    `adapter` gives what is added to the output of a matrix, from its name and input.
    """
    dtype = block.attn.in_proj_weight.dtype
    x = x + block.ls_1(_attention(block.attn, block.ln_1(x).to(dtype), causal, adapter))
    return x + block.ls_2(_mlp(block.mlp, block.ln_2(x).to(dtype), adapter))


def _attention(attn: Any, x: Tensor, causal: bool, adapter: Adapter | None) -> Tensor:
    """open_clip's attention weights through torch's fused attention: nothing of N x N is kept."""
    batch, length, width = x.shape
    qkv = F.linear(x, attn.in_proj_weight, attn.in_proj_bias)
    if adapter is not None:
        qkv = qkv + adapter("attn.in_proj_weight", x)
    q, k, v = qkv.view(batch, length, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    mixed = mixed.transpose(1, 2).reshape(batch, length, width)
    out = attn.out_proj(mixed)
    return out if adapter is None else out + adapter("attn.out_proj.weight", mixed)


def _mlp(mlp: Any, x: Tensor, adapter: Adapter | None) -> Tensor:
    if adapter is None:
        return mlp(x)
    hidden = mlp.gelu(mlp.c_fc(x) + adapter("mlp.c_fc.weight", x))
    return mlp.c_proj(hidden) + adapter("mlp.c_proj.weight", hidden)
