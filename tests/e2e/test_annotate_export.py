"""What the page exports is what the trainer takes, as it is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from adaclip.annotations.masks import rle_text
from adaclip.annotations.store import AnnotationStore
from adaclip.config import TrainConfig
from adaclip.training.trainer import train
from demo.annotate.actions import ReviewActions
from demo.annotate.judging import Judging
from demo.annotate.pictures import AnnotationPictures
from demo.annotate.review import Settings
from demo.annotate.sources import sources
from demo.annotate.summary_actions import SummaryActions
from tests.demo.stub import stub_services, tile
from tests.tiny import write_tiny

# Of a picture with a dark box: what the person says of it.
PICTURES = 6


def test_flags_become_a_folder_that_is_trained_on_for_an_epoch(tmp_path: Path) -> None:
    folder = tmp_path / "allowed" / "plates"
    folder.mkdir(parents=True)
    for n in range(PICTURES):
        box = (20 + n, 20, 60 + n, 60)
        Image.fromarray(tile([box], size=(96, 96))).save(folder / f"{n}.png")
    services = stub_services(
        tmp_path / "served",
        annotations=AnnotationStore(tmp_path / "annotations"),
        data_roots=(folder.parent,),
    )
    do = ReviewActions(services)
    source = next(s.id for s in sources(services, None) if "plates" in s.label)
    key = list(do.start("", source, None, Settings(), "ann", Judging(class_name="plate")))[-1][
        "key"
    ]
    for n in range(PICTURES):
        subject = do.subject(key)
        assert subject is not None
        sent = {"annotator": "ann", "subject": subject.id, "seen": "", "keep": True}
        if n % 2:
            do.judge(key, sent | {"choice": "FP", "reason": "print"})
        else:
            mask = np.zeros((96, 96), bool)
            mask[20:60, 22:62] = True
            region = {"height": 96, "width": 96, "counts": rle_text(mask)}
            do.judge(key, sent | {"choice": "TP", "region": region})

    screen = SummaryActions(services, AnnotationPictures(services)).export("tree")
    with zipfile.ZipFile(screen["carrier"]) as archive:
        archive.extractall(tmp_path / "tree")
    masks = list((tmp_path / "tree").rglob("*_mask.png"))
    assert len(masks) == PICTURES // 2
    assert {int(np.asarray(Image.open(m)).astype(bool).sum()) for m in masks} == {1600}

    write_tiny(tmp_path / "tiny.safetensors", logit_scale=30.0)
    result = train(
        TrainConfig(
            auxiliary=(str(tmp_path / "tree"),),
            backbone=str(tmp_path / "tiny.safetensors"),
            out=str(tmp_path / "trained.safetensors"),
            epochs=1,
            batch_size=2,
            validation=0.0,
            precision="fp32",
            device="cpu",
        )
    )
    assert (tmp_path / "trained.safetensors").is_file()
    assert result is not None
