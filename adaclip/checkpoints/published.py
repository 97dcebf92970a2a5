"""What others have published that we can use: the authors' weights and CLIP's, and where they are.

Facts only. The hub's address is not here: it is the environment's to choose (`HF_ENDPOINT`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file on the Hugging Face hub and the name it gets in our weights folder."""

    repo: str
    path: str
    local_name: str
    repo_type: str = "model"
    # Another file that serves as well, for who puts it there by hand.
    equivalent: str = ""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One of the authors' weight files: learned parameters only, CLIP's own come separately."""

    id: str
    title: str
    trained_on: tuple[str, ...]
    note: str

    @property
    def file_name(self) -> str:
        """The authors' name for it, which we keep."""
        return f"pretrained_{self.id}.pth"

    @property
    def sources(self) -> tuple[HubFile, ...]:
        """Where the file is, the first choice first."""
        name = self.file_name
        model = HubFile(repo="cubert-gmbh/adaclip", path=name, local_name=name)
        space = HubFile(
            repo="Caoyunkang/AdaCLIP", path=f"weights/{name}", local_name=name, repo_type="space"
        )
        return model, space


PUBLISHED_LICENCE = "MIT (the AdaCLIP authors' weights; backbone: OpenAI CLIP, MIT)"
PUBLISHED = (
    Published(
        id="mvtec_colondb",
        title="AdaCLIP ViT-L/14 · MVTec AD + ColonDB",
        trained_on=("mvtec", "colondb"),
        note="Trained on the test splits of MVTec AD and ColonDB: "
        "its scores on those two are not zero-shot.",
    ),
    Published(
        id="visa_clinicdb",
        title="AdaCLIP ViT-L/14 · VisA + ClinicDB",
        trained_on=("visa", "clinicdb"),
        note="Trained on the test splits of VisA and ClinicDB: "
        "its scores on those two are not zero-shot.",
    ),
    Published(
        id="all",
        title="AdaCLIP ViT-L/14 · all 14 datasets",
        trained_on=(
            *("mvtec", "visa", "mpdd", "btad", "sdd", "dagm", "dtd"),
            *("headct", "brain_mri", "br35h", "isic", "colondb", "clinicdb", "tn3k"),
        ),
        note="Has seen the test split of all 14 datasets: its scores on them are not zero-shot.",
    ),
)

# open_clip's name -> the repository open_clip 3.3.0 takes for the tag "openai" (its
# `pretrained.py`), and OpenAI's own archive of the same weights.
BACKBONES = {
    "ViT-B-32": ("timm/vit_base_patch32_clip_224.openai", "ViT-B-32.pt"),
    "ViT-B-16": ("timm/vit_base_patch16_clip_224.openai", "ViT-B-16.pt"),
    "ViT-L-14": ("timm/vit_large_patch14_clip_224.openai", "ViT-L-14.pt"),
    "ViT-L-14-336": ("timm/vit_large_patch14_clip_336.openai", "ViT-L-14-336px.pt"),
}


def backbone_sources(name: str) -> tuple[HubFile, ...]:
    """Where a backbone's weights are: safetensors, else pickled, which is open_clip's order too.

    Empty for a backbone the hub is not known to have.
    """
    if name not in BACKBONES:
        return ()
    repo, archive = BACKBONES[name]
    return (
        HubFile(
            repo=repo,
            path="open_clip_model.safetensors",
            local_name=f"{name}.safetensors",
            equivalent=f"OpenAI's {archive}",
        ),
        HubFile(repo=repo, path="open_clip_pytorch_model.bin", local_name=f"{name}.bin"),
    )
