"""One step: what learns, what stays, and what happens when numbers leave the finite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from adaclip.config import TrainConfig
from adaclip.detecting.device import get_device
from adaclip.errors import AdaClipError, CheckpointError
from adaclip.model import text_prompts
from adaclip.model.adaclip import ModelOutput
from adaclip.model.checkpoint import read_tensors
from adaclip.training import step as training_step
from adaclip.training.data import Example
from adaclip.training.model import TrainingModel, forward, new_training_model
from adaclip.training.step import Batch, Stepper, reproducible
from tests.tiny import tiny_model, write_published, write_tiny

DEVICE = get_device("cpu")
NAMES = ("metal nut", "candle", "metal nut", "")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.safetensors")


def trained_model(path: Path, precision: str = "fp32", **options: object) -> TrainingModel:
    fields: dict = {"init": str(path)} | options
    return new_training_model(TrainConfig(**fields), DEVICE, precision)


def stepper(path: Path, precision: str = "fp32", **options: object) -> Stepper:
    fields: dict = {"init": str(path)} | options
    config = TrainConfig(**fields)
    return Stepper(new_training_model(config, DEVICE, precision), config, DEVICE, precision)


def examples(count: int = 4) -> list[Example]:
    rng = np.random.default_rng(0)
    masks = rng.random((count, 56, 56)) > 0.8
    return [
        Example(
            image=rng.normal(size=(3, 56, 56)).astype(np.float32),
            mask=masks[index] & (index % 2 == 1),
            anomalous=index % 2 == 1,
            class_name=NAMES[index % 4],
            name=f"image {index}",
        )
        for index in range(count)
    ]


def parameters(model: TrainingModel) -> list[Tensor]:
    return [p.detach().clone() for p in model.learned]


def test_only_learned_parameters_get_gradients(tiny: Path) -> None:
    """All of them but the first static text prompt, which is in the files and never used."""
    step = stepper(tiny)
    before = {k: v.clone() for k, v in step.trained.model.clip.state_dict().items()}
    step._gradients([Batch.of(examples())], scaled=False)
    without = [n for n, p in step.trained.model.named_parameters() if p.grad is None]
    assert without == ["text_prompts.static.blocks.0"]
    gradients = {n: p.grad for n, p in step.trained.model.named_parameters() if n not in without}
    assert all(g is not None and bool(g.any()) for g in gradients.values())
    step.step([Batch.of(examples())])
    clip = step.trained.model.clip
    assert not any(p.requires_grad or p.grad is not None for p in clip.parameters())
    after = clip.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("encoders", ["both", "image", "text", "none"])
@pytest.mark.parametrize("kind", ["hybrid", "static", "dynamic"])
def test_a_mixed_batch_gives_what_each_image_gives_alone(encoders: str, kind: str) -> None:
    model = tiny_model(prompted_encoders=encoders, prompt_kind=kind)
    images = torch.randn(4, 3, 84, 84, generator=torch.Generator().manual_seed(0))
    together = forward(model, images, NAMES)
    for row, name in enumerate(NAMES):
        alone = model(images[row : row + 1], text_prompts.tokenize(name))
        torch.testing.assert_close(
            together.image_logits[row], alone.image_logits[0], atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            together.stage_logits[:, row], alone.stage_logits[:, 0], atol=1e-4, rtol=1e-4
        )


def test_an_unprompted_image_encoder_keeps_nothing_for_gradients() -> None:
    model = tiny_model(prompted_encoders="text")
    saved: list[torch.Size] = []

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        forward(model.train(), torch.randn(1, 3, 84, 84), ["nut"])
    width = model.clip.visual.transformer.width * 4  # inside a block's MLP
    assert saved
    assert not any(width in shape for shape in saved)


def test_batches_of_any_size_and_accumulation_mean_the_same_step(tiny: Path) -> None:
    sets = examples(4)
    moved = []
    for groups in ([sets], [sets[:1], sets[1:]], [[e] for e in sets]):
        step = stepper(tiny)
        loss, repeated = step.step([Batch.of(group) for group in groups])
        assert not repeated
        gradients = [p.grad for p in step.trained.learned if p.grad is not None]
        moved.append((loss, torch.cat([g.flatten() for g in gradients])))
    for loss, gradient in moved[1:]:
        assert loss == pytest.approx(moved[0][0], rel=1e-5)
        torch.testing.assert_close(gradient, moved[0][1], atol=2e-5, rtol=1e-2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_parameters_stay_fp32(tiny: Path, precision: str) -> None:
    step = stepper(tiny, precision)
    block = step.trained.model.clip.visual.transformer.resblocks[0]
    assert block.attn.in_proj_weight.dtype == training_step_dtype(precision)
    before = parameters(step.trained)
    loss, repeated = step.step([Batch.of(examples())])
    assert np.isfinite(loss)
    assert not repeated
    after = parameters(step.trained)
    assert {p.dtype for p in after} == {torch.float32}
    assert sum(not torch.equal(a, b) for a, b in zip(before, after, strict=True)) > 10


def training_step_dtype(precision: str) -> torch.dtype:
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


def break_forward(monkeypatch: pytest.MonkeyPatch, *, fp32_too: bool) -> None:
    """Let the image logits be NaN, as an overflow in a block would make them."""
    whole = forward

    def broken(model: object, images: Tensor, names: object) -> ModelOutput:
        output = whole(model, images, names)  # type: ignore[arg-type]
        block = model.clip.visual.transformer.resblocks[0]  # type: ignore[attr-defined]
        if fp32_too or block.attn.in_proj_weight.dtype != torch.float32:
            output.image_logits.data.fill_(float("nan"))
        return output

    monkeypatch.setattr(training_step, "forward", broken)


def test_a_step_that_is_not_finite_is_taken_again_in_fp32(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_forward(monkeypatch, fp32_too=False)
    step = stepper(tiny, "bf16")
    before = parameters(step.trained)
    loss, repeated = step.step([Batch.of(examples())])
    assert (repeated, step.repeated) == (True, 1)
    assert np.isfinite(loss)
    after = parameters(step.trained)
    assert all(bool(p.isfinite().all()) for p in after)
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    block = step.trained.model.clip.visual.transformer.resblocks[0]
    assert block.attn.in_proj_weight.dtype == torch.bfloat16  # as before


def test_a_step_not_finite_in_fp32_stops_and_names_the_images(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_forward(monkeypatch, fp32_too=True)
    step = stepper(tiny, "bf16")
    before = parameters(step.trained)
    with pytest.raises(AdaClipError, match=r"image 0, image 1, image 2, image 3.*learning rate"):
        step.step([Batch.of(examples())])
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(step.trained), strict=True))


def test_gradients_too_large_for_fp16_lower_the_scale_and_lose_no_step(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounded prompts round their gradients to fp16 as well, whatever the precision."""
    whole = training_step.adaclip_loss
    monkeypatch.setattr(training_step, "adaclip_loss", lambda *a, **k: 3e4 * whole(*a, **k))
    step = stepper(tiny)
    first = step._scaler.get_scale()
    _, repeated = step.step([Batch.of(examples())])
    assert repeated
    assert step._scaler.get_scale() == first / 2
    assert all(bool(p.isfinite().all()) for p in step.trained.learned)


def test_small_gradients_survive_fp16(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss so small that its unscaled gradients would vanish in fp16 still moves prompts."""
    whole = training_step.adaclip_loss
    monkeypatch.setattr(training_step, "adaclip_loss", lambda *a, **k: 1e-6 * whole(*a, **k))
    step = stepper(tiny)
    prompts = step.trained.model.visual_prompts
    assert prompts is not None
    assert prompts.static is not None

    def filled(scaled: bool) -> float:
        step._gradients([Batch.of(examples())], scaled=scaled)
        gradient = prompts.static.blocks[0].grad  # type: ignore[union-attr]
        assert gradient is not None
        return float((gradient != 0).float().mean())

    assert filled(scaled=False) < 0.5 < 0.9 < filled(scaled=True)


def test_lack_of_memory_says_what_to_do(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> ModelOutput:
        raise MemoryError

    monkeypatch.setattr(training_step, "forward", full)
    with pytest.raises(AdaClipError, match="batch size below 4"):
        stepper(tiny).step([Batch.of(examples())])


def test_reproducible_leaves_torch_as_it_was() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with reproducible(DEVICE):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


# --- which model ------------------------------------------------------------------------------


def test_a_fresh_model_has_the_backbone_and_new_parameters(tiny: Path) -> None:
    stored, backbone = read_tensors(tiny)
    fresh = trained_model(tiny, init=None, backbone=str(tiny), seed=1)
    again = trained_model(tiny, init=None, backbone=str(tiny), seed=1)
    learned = fresh.model.state_dict()
    assert learned.keys() == stored.keys()
    assert not torch.equal(learned["class_projection.weight"], stored["class_projection.weight"])
    assert torch.equal(
        learned["class_projection.weight"], again.model.state_dict()["class_projection.weight"]
    )
    clip = fresh.model.clip.state_dict()
    assert torch.equal(clip["visual.conv1.weight"], backbone["visual.conv1.weight"])
    assert fresh.init is None


def test_building_a_model_leaves_the_callers_random_numbers_alone(tiny: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained_model(tiny)
    assert torch.equal(torch.rand(3), expected)


def test_published_weights_and_their_backbone_can_be_gone_on_from(tmp_path: Path) -> None:
    model = tiny_model(image_size=56)
    learned = write_published(tmp_path / "learned.pth", model)
    torch.save(model.clip.state_dict(), tmp_path / "backbone.pt")
    trained = trained_model(learned, backbone_weights=str(tmp_path / "backbone.pt"))
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    assert trained.model.config.image_size == 518
    assert trained.stored_backbone is None


def test_an_open_clip_backbone_gets_the_published_layout(tmp_path: Path) -> None:
    torch.save(tiny_model(image_size=56).clip.state_dict(), tmp_path / "backbone.pt")
    weights = str(tmp_path / "backbone.pt")
    trained = trained_model(
        tmp_path, init=None, backbone="mine", backbone_weights=weights, image_size=70
    )
    config = trained.model.config
    assert (config.backbone, config.image_size, config.stage_layers) == ("mine", 70, (1, 2, 3, 4))
    assert (config.prompt_length, config.prompt_depth) == (5, 4)
    assert (config.logit_scale, config.fusion_weight, config.clusters) == (100.0, 0.2, 20)
    assert trained.stored_backbone is None
    inside = trained_model(
        tmp_path,
        init=None,
        backbone="mine",
        backbone_weights=weights,
        image_size=70,
        include_backbone=True,
    ).stored_backbone
    assert inside is not None
    assert inside["clip.visual.positional_embedding"].shape[0] == 17  # not resized


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"init": "nope"}, "nope"),
        ({"init": "mvtec_colondb+visa_clinicdb"}, "not on this machine|mean of several"),
        ({"backbone": "ViT-B-16"}, "made for the backbone tiny, not for ViT-B-16"),
        ({"image_size": 70}, "works at 56 pixels, not at 70"),
        ({"init": None, "backbone": "ViT-B-16"}, "weights of the backbone ViT-B-16 are not"),
        ({"init": None, "backbone": "nonsense"}, "nonsense"),
    ],
)
def test_what_does_not_fit_is_named(
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    complaint: str,
) -> None:
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match=complaint):
        trained_model(tiny, **options)


def test_init_weights_that_do_not_fit_the_given_backbone_are_named(tmp_path: Path) -> None:
    learned = write_published(tmp_path / "learned.pth", tiny_model(image_size=56))
    state = tiny_model(image_size=56).clip.state_dict()
    state["visual.proj"] = torch.zeros(128, 32)
    torch.save(state, tmp_path / "backbone.pt")
    with pytest.raises(CheckpointError, match="Use the backbone this checkpoint was made for"):
        trained_model(learned, backbone_weights=str(tmp_path / "backbone.pt"))
