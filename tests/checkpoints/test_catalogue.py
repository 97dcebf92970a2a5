"""The catalogue: what is known of every checkpoint without loading it."""

from __future__ import annotations

import os
import re
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adaclip.checkpoints import catalogue
from adaclip.errors import CheckpointError
from adaclip.storage import atomic
from tests.checkpoints.samples import METADATA, safetensors

KNOWN = ["lite", "mvtec_colondb", "visa_clinicdb", "all", "mvtec_colondb+visa_clinicdb"]


def torch_file(path: Path) -> None:
    """What `torch.save` makes, as far as the catalogue looks."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder, and no `lite` whatever this checkout holds."""
    folder = tmp_path / "weights home"
    folder.mkdir()
    monkeypatch.setenv("ADACLIP_HOME", str(folder))
    monkeypatch.setattr(catalogue, "_LITE", tmp_path / "package" / "lite.safetensors")
    return folder


def by_id() -> dict[str, Any]:
    return {info.id: info for info in catalogue.catalogue()}


def test_home_is_the_environment_s_or_a_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADACLIP_HOME", "~/somewhere")
    assert catalogue.weights_home() == Path.home() / "somewhere"
    monkeypatch.setenv("ADACLIP_HOME", "")
    assert catalogue.weights_home() == Path.home() / ".cache" / "adaclip"


def test_an_empty_folder_lists_what_could_be_had(home: Path) -> None:
    entries = catalogue.catalogue()
    assert [info.id for info in entries] == KNOWN
    assert not any(info.present for info in entries)
    for info in entries[1:]:
        assert f"Run `python -m adaclip fetch {info.id}`." in info.how_to_get
        assert str(home) in info.how_to_get
        assert "ViT-L-14-336.safetensors (open_clip_model.safetensors" in info.how_to_get
        assert info.size_bytes is None
    assert "ships with the project" in entries[0].how_to_get


@pytest.mark.parametrize("name", ["missing", "a file"])
def test_no_folder_is_as_good_as_an_empty_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (home / "a file").touch()
    monkeypatch.setenv("ADACLIP_HOME", str(home / name))
    assert list(by_id()) == KNOWN


def test_the_published_ones_say_what_they_have_seen(home: Path) -> None:
    entries = by_id()
    assert entries["mvtec_colondb"].title == "AdaCLIP ViT-L/14 · MVTec AD + ColonDB"
    assert entries["mvtec_colondb"].trained_on == ("mvtec", "colondb")
    assert entries["visa_clinicdb"].trained_on == ("visa", "clinicdb")
    assert len(set(entries["all"].trained_on)) == 14
    assert "test split of all 14 datasets" in entries["all"].details["note"]
    ensemble = entries["mvtec_colondb+visa_clinicdb"]
    assert ensemble.members == ("mvtec_colondb", "visa_clinicdb")
    assert ensemble.trained_on == ("mvtec", "colondb", "visa", "clinicdb")
    assert ensemble.title == "AdaCLIP ViT-L/14 · mean of MVTec AD + ColonDB and VisA + ClinicDB"
    for info in list(entries.values())[1:]:
        assert info.backbone == "ViT-L-14-336"
        assert info.threshold.value == info.map_threshold == 0.5
        assert info.threshold.source.startswith("default 0.5")
        assert info.licence.startswith("MIT")


def test_a_published_file_is_present_once_its_backbone_is(home: Path) -> None:
    torch_file(home / "pretrained_all.pth")
    atomic.record_sha256(home / "pretrained_all.pth", "a" * 64)
    info = by_id()["all"]
    assert not info.present
    assert "pretrained_all.pth" not in info.how_to_get
    with pytest.raises(CheckpointError, match=r"'all' is not on this machine\. Run `python -m"):
        catalogue.find("all")

    (home / "ViT-L-14-336px.pt").touch()
    info = catalogue.find("all")
    assert info.path == home / "pretrained_all.pth"
    assert info.sha256 == "a" * 64
    assert info.size_bytes == (home / "pretrained_all.pth").stat().st_size
    assert info.details["backbone_path"] == str(home / "ViT-L-14-336px.pt")
    assert info.how_to_get == ""


def test_an_ensemble_is_present_only_with_all_its_members(home: Path) -> None:
    (home / "ViT-L-14-336.safetensors").touch()
    torch_file(home / "pretrained_mvtec_colondb.pth")
    info = by_id()["mvtec_colondb+visa_clinicdb"]
    assert not info.present
    assert "pretrained_visa_clinicdb.pth" in info.how_to_get
    assert "pretrained_mvtec_colondb.pth" not in info.how_to_get
    torch_file(home / "pretrained_visa_clinicdb.pth")
    torch_file(home / "pretrained_all.pth")
    assert catalogue.find("mvtec_colondb+visa_clinicdb").present
    assert catalogue.find("visa_clinicdb+mvtec_colondb+all").members == (
        "visa_clinicdb",
        "mvtec_colondb",
        "all",
    )
    for text in ("all+all", "all+", "+", "all+nothing"):
        with pytest.raises(CheckpointError, match="there is no checkpoint"):
            catalogue.find(text)


def test_an_ensemble_averages_thresholds_in_logits(home: Path) -> None:
    for name, value in (("low", 0.2), ("high", 0.8)):
        threshold = {"value": value, "source": "s", "review_band": value}
        content = safetensors(METADATA | {"threshold": threshold})
        (home / f"{name}.safetensors").write_bytes(content)
    info = catalogue.find("low+high")
    assert info.threshold.value == pytest.approx(0.5)
    assert info.threshold.review_band == 0.8
    assert "not calibrated" in info.threshold.source
    assert info.map_threshold == 0.4
    same = {"threshold": METADATA["threshold"] | {"value": 0.0}}
    (home / "zero.safetensors").write_bytes(safetensors(METADATA | same))
    assert 0.0 < catalogue.find("low+zero").threshold.value < 0.2


@pytest.mark.parametrize("stem", ["mine", "two words", "fündling 🧪", "a+b", "100%", "q'uote"])
def test_a_checkpoint_of_ours_tells_its_facts(home: Path, stem: str) -> None:
    path = home / f"{stem}.safetensors"
    path.write_bytes(safetensors(METADATA))
    assert list(by_id()) == [*KNOWN, stem]
    info = catalogue.find(stem)
    assert (info.title, info.backbone, info.trained_on) == ("Mine", "ViT-B-16", ("synthetic",))
    assert (info.threshold.value, info.threshold.review_band, info.map_threshold) == (0.3, 0.5, 0.4)
    assert info.details["seed"] == 7
    assert info.details["includes_backbone"] is True
    assert info.path == path


def test_lite_is_found_in_the_package(home: Path) -> None:
    catalogue._LITE.parent.mkdir()
    catalogue._LITE.write_bytes(safetensors(METADATA))
    assert catalogue.find("lite").path == catalogue._LITE
    catalogue._LITE.write_bytes(b"half")
    info = by_id()["lite"]
    assert not info.present
    assert "not a safetensors file" in info.how_to_get


def test_a_checkpoint_without_its_backbone_says_which(home: Path) -> None:
    path = home / "mine.safetensors"
    path.write_bytes(safetensors(METADATA | {"includes_backbone": False}))
    assert "fetch mine" in by_id()["mine"].how_to_get
    assert "ViT-B-16.safetensors" in by_id()["mine"].how_to_get

    model = {"model": {"backbone": "Own-Net"}, "includes_backbone": False}
    path.write_bytes(safetensors(METADATA | model))
    how = by_id()["mine"].how_to_get
    assert "fetch" not in how
    assert "'Own-Net'" in how
    torch_file(home / "Own-Net.pth")
    assert list(by_id()) == [*KNOWN, "mine"]
    assert catalogue.find("mine").present


def test_backbone_weights_given_are_enough(home: Path, tmp_path: Path) -> None:
    path = home / "mine.safetensors"
    path.write_bytes(safetensors(METADATA | {"includes_backbone": False}))
    own = tmp_path / "own backbone.pt"
    with pytest.raises(CheckpointError, match="no backbone weights at"):
        catalogue.find("mine", backbone_weights=own)
    own.touch()
    assert catalogue.find("mine", backbone_weights=own).details["backbone_path"] == str(own)


BAD_FILES = {
    "empty.safetensors": b"",
    "text.safetensors": b"<html>not found</html>",
    "cut.safetensors": safetensors(METADATA)[:-3],
    "header.safetensors": safetensors(METADATA)[:50],
    "huge.safetensors": struct.pack("<Q", 2**60) + b"{",
    "json.safetensors": struct.pack("<Q", 4) + b"{{{{",
    "odd.safetensors": struct.pack("<Q", 21) + b'{"__metadata__": "x"}',
    "foreign.safetensors": safetensors(None),
    "legacy.pth": b"\x80\x02garbage",
    "empty.pth": b"",
}


def test_files_that_cannot_be_used_are_listed_with_the_reason(home: Path) -> None:
    for name, content in BAD_FILES.items():
        (home / name).write_bytes(content)
    (home / "folder.safetensors").mkdir()
    (home / "dangling.pth").symlink_to(home / "nowhere")
    (home / ".hidden.pth").touch()
    others = catalogue.catalogue()[len(KNOWN) :]
    assert len(others) == len(BAD_FILES) + 1
    for info in others:
        assert not info.present
        assert info.details["error"] in info.how_to_get
        with pytest.raises(CheckpointError, match="cannot be used"):
            catalogue.find(info.id)


def test_a_file_without_permission_is_listed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "mine.safetensors").write_bytes(safetensors(METADATA))

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Tests may run as root, whom no mode keeps out.
    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in by_id()["mine"].details["error"]


def test_a_name_that_is_not_utf8_can_be_printed_and_found(home: Path) -> None:
    path = os.fsencode(home) + b"/bad\xff.safetensors"
    try:
        with open(path, "wb") as file:
            file.write(safetensors(METADATA))
    except OSError:
        pytest.skip("this file system knows UTF-8 names only")
    [info] = catalogue.catalogue()[len(KNOWN) :]
    info.id.encode("utf-8")
    assert catalogue.find(info.id).present


def test_backbones_are_no_checkpoints(home: Path) -> None:
    content = safetensors(None, tensor="visual.conv1.weight")
    for name in ("ViT-L-14-336.safetensors", "other-name.safetensors"):
        (home / name).write_bytes(content)
    torch_file(home / "ViT-B-16.pth")
    assert list(by_id()) == KNOWN


def test_equal_stems_get_their_full_names(home: Path) -> None:
    (home / "twin.safetensors").write_bytes(safetensors(METADATA))
    torch_file(home / "twin.pth")
    torch_file(home / "all.pth")
    (home / "ViT-L-14-336.bin").touch()
    assert list(by_id())[len(KNOWN) :] == ["all.pth", "twin", "twin.safetensors"]
    assert catalogue.find("all.pth").path == home / "all.pth"
    assert catalogue.find("twin.safetensors").title == "Mine"


def test_a_path_is_found_and_its_id_finds_it_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "elsewhere.safetensors"
    path.write_bytes(safetensors(METADATA))
    monkeypatch.chdir(tmp_path)
    for text in (str(path), "./elsewhere.safetensors", "elsewhere.safetensors"):
        info = catalogue.find(text)
        assert info.path == path
        assert catalogue.find(info.id) == info
    # A file of the folder keeps its id.
    (home / "mine.safetensors").write_bytes(safetensors(METADATA))
    assert catalogue.find(str(home / "mine.safetensors")).id == "mine"


def test_a_published_file_elsewhere_keeps_its_facts(home: Path, tmp_path: Path) -> None:
    torch_file(tmp_path / "pretrained_all.pth")
    (home / "ViT-L-14-336.pt").touch()
    info = catalogue.find(str(tmp_path / "pretrained_all.pth"))
    assert info.id == str(tmp_path / "pretrained_all.pth")
    assert len(info.trained_on) == 14


@pytest.mark.parametrize(
    "text",
    [
        *("../secret", "../secret.safetensors", "..", "", "/etc/passwd", "secret"),
        *("a/../../secret.pth", "\0/x", "x" * 5000 + "/y", "~nobody-here/x.pth"),
        "lite+../secret.safetensors",
    ],
    ids=lambda text: repr(text[:30]),
)
def test_no_text_leads_out_of_the_folder(home: Path, text: str) -> None:
    (home.parent / "secret.safetensors").write_bytes(safetensors(METADATA))
    with pytest.raises(CheckpointError):
        catalogue.find(text, allow_paths=False)
    with pytest.raises(CheckpointError):
        catalogue.find(text)
    with pytest.raises(CheckpointError):
        catalogue.downloads(text)


def test_a_stranger_cannot_name_a_path(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(safetensors(METADATA))
    assert catalogue.find(str(path)).present
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        catalogue.find(str(path), allow_paths=False)


@pytest.mark.parametrize(
    "ending", [".safetensors", ".bin", ".pt", ".pth", "px.pt"], ids=lambda e: e.strip(".")
)
def test_a_backbone_is_found_under_each_of_its_names(home: Path, ending: str) -> None:
    assert catalogue.find_backbone("ViT-L-14-336") is None
    path = home / f"ViT-L-14-336{ending}"
    path.touch()
    assert catalogue.find_backbone("ViT-L-14-336") == path
    assert catalogue.find_backbone("ViT-L-14") is None


@pytest.mark.parametrize("name", ["", "..", "../weights home/x", "/etc/x"])
def test_a_backbone_s_name_leads_nowhere_else(home: Path, name: str) -> None:
    (home / "x.pt").touch()
    assert catalogue.find_backbone(name) is None


def test_the_messages_name_ids_fit_for_a_shell(home: Path) -> None:
    content = safetensors(METADATA | {"includes_backbone": False})
    (home / "a b; rm.safetensors").write_bytes(content)
    assert re.search(r"fetch 'a b; rm'`", by_id()["a b; rm"].how_to_get)


def test_a_catalogue_is_read_once_until_the_folder_changes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    real = catalogue.read_metadata
    monkeypatch.setattr(catalogue, "read_metadata", lambda path: reads.append(path) or real(path))
    first = catalogue.catalogue()
    reads.clear()
    assert catalogue.catalogue() == first
    assert reads == []
    (home / "mine.safetensors").write_bytes(safetensors(METADATA))
    assert "mine" in {info.id for info in catalogue.catalogue()}
    assert reads
    (home / "mine.safetensors").write_bytes(safetensors(METADATA | {"title": "Yours"}))
    assert "Yours" in {info.title for info in catalogue.catalogue()}
    (home / "mine.safetensors").unlink()
    listed = catalogue.catalogue()
    assert listed == first
    listed.clear()  # a list of the caller's own
    assert catalogue.catalogue() == first


def test_many_threads_get_one_catalogue(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []
    real = catalogue.read_metadata
    monkeypatch.setattr(catalogue, "read_metadata", lambda path: reads.append(path) or real(path))
    for number in range(3):
        (home / f"{number}.safetensors").write_bytes(safetensors(METADATA))
    with ThreadPoolExecutor(8) as pool:
        lists = [done.result() for done in [pool.submit(catalogue.catalogue) for _ in range(24)]]
    assert all(each == lists[0] for each in lists)
    assert len([path for path in reads if path.parent == home]) == 3
