"""A checkpoint's fingerprint changes exactly when its files do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adaclip.checkpoints.catalogue import catalogue, fingerprint


def marks(home: Path) -> dict[str, tuple[object, ...]]:
    return {info.id: fingerprint(info) for info in catalogue()}


def test_a_changed_file_changes_its_own_checkpoints_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADACLIP_HOME", str(tmp_path))
    for name in ("pretrained_mvtec_colondb.pth", "pretrained_visa_clinicdb.pth"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 made up")
    before = marks(tmp_path)
    assert marks(tmp_path) == before
    os.utime(tmp_path / "pretrained_visa_clinicdb.pth", ns=(1, 1))
    after = marks(tmp_path)
    changed = {identity for identity in before if before[identity] != after[identity]}
    assert changed == {"visa_clinicdb", "mvtec_colondb+visa_clinicdb"}
    (tmp_path / "ViT-L-14-336.pt").write_bytes(b"PK\x03\x04 made up")
    assert marks(tmp_path)["mvtec_colondb"] != after["mvtec_colondb"]
