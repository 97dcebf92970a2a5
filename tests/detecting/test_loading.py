"""Published checkpoints: learned parameters in one file, open_clip's weights in another."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from adaclip import load_detector
from adaclip.config import CLIP_MEAN, ModelConfig, PreprocessingConfig
from adaclip.data.preprocessing import preprocess
from adaclip.detecting.loading import _backbones
from adaclip.errors import CheckpointError
from adaclip.model import scoring, text_prompts
from adaclip.model.adaclip import AdaCLIP
from adaclip.model.backbone import (
    backbone_config,
    build_clip,
    fit_to_image_size,
    open_clip,
    read_clip_weights,
)
from adaclip.model.checkpoint import published_config, published_state, read_published
from tests.tiny import TINY_CLIP, tiny_model, write_published, write_tiny

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, AdaCLIP]:
    """A tiny model as the authors would have released it, and its backbone."""
    folder = tmp_path_factory.mktemp("published")
    model = tiny_model(image_size=56)
    torch.save(model.clip.state_dict(), folder / "backbone.pt")
    return write_published(folder / "learned.pth", model), folder / "backbone.pt", model


def test_config_is_read_off_the_tensors(published: tuple[Path, Path, AdaCLIP]) -> None:
    state = read_published(published[0])
    config = published_config(state, backbone="tiny", backbone_config=TINY_CLIP)
    assert (config.stage_layers, config.prompt_depth, config.prompt_length) == ((1, 2, 3, 4), 3, 2)
    assert (config.prompted_encoders, config.prompt_kind) == ("both", "hybrid")
    assert (config.clusters, config.fusion_weight, config.logit_scale) == (20, 0.2, 100.0)
    assert config.round_prompts_to_half
    assert config.image_size == 518


def test_names_are_the_authors(published: tuple[Path, Path, AdaCLIP]) -> None:
    names = set(torch.load(published[0], weights_only=True))
    assert "clip_model.text_prompter.static_prompts.0" in names
    assert "clip_model.dynamic_visual_prompt_generator.head.1.bias" in names
    assert "clip_model.cls_token_layer.head.0.weight" in names


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_backbone_weights_may_come_in_either_format(
    published: tuple[Path, Path, AdaCLIP], tmp_path: Path, suffix: str
) -> None:
    learned, backbone, model = published
    state = torch.load(backbone, weights_only=True)
    path = tmp_path / f"backbone{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    else:
        from safetensors.torch import save_file

        save_file(state, path)
    detector = load_detector(learned, backbone_weights=path, device="cpu", precision="fp32")
    for name, value in detector._models[0].model.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=0, atol=0)


def test_openais_archive_is_read(published: tuple[Path, Path, AdaCLIP], tmp_path: Path) -> None:
    """OpenAI released TorchScript archives, which hold more than weights."""
    clip = published[2].clip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remarks on TorchScript
        archive = torch.jit.trace_module(clip, {"encode_image": torch.zeros(1, 3, 56, 56)})
        torch.jit.save(archive, tmp_path / "ViT-L-14-336px.pt")
    state = read_clip_weights(tmp_path / "ViT-L-14-336px.pt")
    assert state.keys() == clip.state_dict().keys()
    torch.testing.assert_close(state["visual.proj"], clip.state_dict()["visual.proj"])


def test_missing_foreign_and_misshapen_keys_are_named(
    published: tuple[Path, Path, AdaCLIP], tmp_path: Path
) -> None:
    learned, backbone, _ = published
    good = torch.load(learned, weights_only=True)

    def error_for(state: object) -> str:
        torch.save(state, tmp_path / "bad.pth")
        with pytest.raises(CheckpointError) as caught:
            load_detector(tmp_path / "bad.pth", backbone_weights=backbone, device="cpu")
        return str(caught.value)

    gone = "clip_model.cls_token_layer.head.0.bias"
    assert "class_projection.bias" in error_for({k: v for k, v in good.items() if k != gone})
    assert "clip_model.surprise" in error_for(good | {"clip_model.surprise": torch.zeros(1)})
    assert "shape (3,)" in error_for(good | {gone: torch.zeros(3)})
    assert "not named tensors" in error_for([1, 2])
    assert "foreign keys: epoch" in error_for({"epoch": 3})


def test_code_in_a_checkpoint_is_not_run(
    published: tuple[Path, Path, AdaCLIP], tmp_path: Path
) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"clip_model.cls_token_layer.head.0.bias": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(CheckpointError, match="read safely"):
        load_detector(tmp_path / "trap.pth", backbone_weights=published[1])
    assert not (tmp_path / "ran").exists()


def test_wrong_backbone_is_named(published: tuple[Path, Path, AdaCLIP], tmp_path: Path) -> None:
    torch.save({"something": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"visual\.conv1\.weight"):
        load_detector(published[0], backbone_weights=tmp_path / "other.pt")
    (tmp_path / "cut.pt").write_bytes(published[1].read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"cut\.pt"):
        load_detector(published[0], backbone_weights=tmp_path / "cut.pt")


def test_ensemble_is_the_mean_of_margins_and_shares_the_backbone(
    published: tuple[Path, Path, AdaCLIP], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    model = tiny_model(image_size=56)
    torch.save(published[2].clip.state_dict(), tmp_path / "ViT-L-14-336.pt")
    write_published(tmp_path / "pretrained_mvtec_colondb.pth", model)
    write_published(tmp_path / "pretrained_visa_clinicdb.pth", tiny_model(seed=3, image_size=56))
    one, two, both = (
        load_detector(name, device="cpu", precision="fp32")
        for name in ("mvtec_colondb", "visa_clinicdb", "mvtec_colondb+visa_clinicdb")
    )
    a, b, mean = (d.detect([IMAGE], "pill")[0] for d in (one, two, both))
    assert a.anomaly_margin != b.anomaly_margin
    assert mean.anomaly_margin == pytest.approx((a.anomaly_margin + b.anomaly_margin) / 2, abs=1e-4)
    np.testing.assert_allclose(
        mean.model_margin_map, (a.model_margin_map + b.model_margin_map) / 2, atol=1e-3
    )
    clips = {id(m.model.clip) for d in (one, two, both) for m in d._models}
    assert len(clips) == 1
    del one, two, both
    assert not [key for key in _backbones if key[0].parent == tmp_path]


def test_int8_file_gives_nearly_the_same_result(tmp_path: Path) -> None:
    full = load_detector(write_tiny(tmp_path / "full.safetensors"), device="cpu", precision="fp32")
    path = write_tiny(tmp_path / "small.safetensors", int8=True)
    small = load_detector(path, device="cpu", precision="fp32")
    assert path.stat().st_size < 0.4 * (tmp_path / "full.safetensors").stat().st_size
    a, b = full.detect([IMAGE], "pill")[0], small.detect([IMAGE], "pill")[0]
    assert np.abs(a.margin_map - b.margin_map).max() < 0.3


@pytest.mark.slow
def test_vit_b_16_in_the_authors_format_end_to_end(tmp_path: Path) -> None:
    """Random weights of a real architecture, through the public path, against the bare method."""
    torch.manual_seed(0)
    clip = build_clip(backbone_config("ViT-B-16"))
    config = ModelConfig(backbone="ViT-B-16", image_size=512, stage_layers=(3, 6, 9, 12))
    # Halved on purpose: both sides then start from the same numbers in a smaller file.
    state = {name: value.half() for name, value in clip.state_dict().items()}
    torch.save(state, tmp_path / "backbone.pt")
    clip.load_state_dict({name: value.float() for name, value in state.items()})
    fit_to_image_size(clip, 512)
    model = AdaCLIP(clip, config).eval()
    write_published(tmp_path / "pretrained.pth", model)
    detector = load_detector(
        tmp_path / "pretrained.pth",
        backbone_weights=tmp_path / "backbone.pt",
        device="cpu",
        precision="fp32",
    )
    [result] = detector.detect([IMAGE], "metal nut")
    with torch.inference_mode():
        pixels = torch.from_numpy(preprocess(IMAGE, 512, PreprocessingConfig(mean=CLIP_MEAN)))
        output = model(pixels.unsqueeze(0), text_prompts.tokenize("metal nut"))
        margins = scoring.to_map(output.patch_margins.unsqueeze(-1), 512)[:, 0]
        expected = scoring.smooth(margins.sigmoid(), 4.0)[0].numpy()
    assert result.anomaly_margin == pytest.approx(output.image_margin.item(), abs=1e-3)
    np.testing.assert_allclose(result.model_anomaly_map, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336"])
def test_named_backbones_of_open_clip_fit(name: str) -> None:
    config = backbone_config(name)
    clip = build_clip(config, empty=True)
    patch, layers = config["vision_cfg"]["patch_size"], config["vision_cfg"]["layers"]
    stages = tuple(layers * i // 4 for i in (1, 2, 3, 4))
    model = AdaCLIP(clip, ModelConfig(backbone=name, image_size=patch * 9, stage_layers=stages))
    assert len(published_state(model.state_dict())) == len(model.state_dict())
    assert open_clip().list_models()


def test_image_size_must_be_a_multiple_of_the_patch() -> None:
    with pytest.raises(CheckpointError, match="not a multiple"):
        fit_to_image_size(build_clip(TINY_CLIP), 60)


def test_members_that_treat_maps_differently_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    write_tiny(tmp_path / "plain.safetensors")
    write_tiny(tmp_path / "refined.safetensors", refinement_radius=1.0)
    with pytest.raises(CheckpointError, match="treat maps differently"):
        load_detector("plain+refined", device="cpu")
