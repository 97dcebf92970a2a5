"""Pictures of a run: maps, masks, what may be shown, and files that leave and come in."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.errors import InputError, StoreError
from demo.runs import files as benchmark_files
from demo.runs.library import Library
from demo.runs.pictures import BenchmarkPictures
from tests.demo import benches
from tests.demo.stub import stub_services


@pytest.fixture
def pictured(tmp_path: Path):
    """A run of pictures in an allow-listed folder: a light tile, and one with a dark box."""
    root = tmp_path / "data" / "box"
    pixels = np.full((40, 60, 3), 200, np.uint8)
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 20:40] = 255
    for kind, picture in (("good", pixels), ("dent", pixels - (mask[..., None] // 2))):
        path = root / "tile" / "test" / kind / "0.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(picture).save(path)
    truth = root / "tile" / "ground_truth" / "dent" / "0_mask.png"
    truth.parent.mkdir(parents=True)
    Image.fromarray(mask).save(truth)
    table = benches.image_rows("box", "tile", np.zeros(1), np.ones(1))
    table["rel_path"] = ["tile/test/good/0.png", "tile/test/dent/0.png"]
    table["width"], table["height"] = 60, 40
    runs = tmp_path / "runs"
    benches.written(benches.run_of(table, "box", "lite", data_root=str(root)), runs)
    return stub_services(
        tmp_path / "served",
        run_roots=(runs,),
        data_roots=(tmp_path / "data",),
        cards=benches.cards,
        published=benches.published,
    )


def decoded(answer) -> np.ndarray:
    encoded = answer["src"].split(",", 1)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def test_a_pictures_map_is_computed_once_and_its_mask_is_the_datasets(pictured):
    pictures = BenchmarkPictures(pictured, Library(pictured))
    asked = {"run": "box", "image": "tile/test/dent/0.png"}
    mask = pictures.look({**asked, "kind": "mask"})
    assert (decoded(mask)[..., 0] > 0).sum() == 200
    assert mask["caption"].startswith("8.3 %")
    assert decoded(pictures.look({**asked, "kind": "exact"})).shape == (40, 60, 3)
    for _ in range(2):
        assert pictures.look({**asked, "kind": "map"})["caption"] == "computed now"
    assert pictured.pool.calls == 1
    thumbs = pictures.thumbs({"run": "box", "paths": ["tile/test/good/0.png"]})
    assert decoded(thumbs["tile/test/good/0.png"]).shape == (40, 60, 3)


def test_what_is_no_picture_of_a_listed_run_is_not_read(pictured, tmp_path):
    pictures = BenchmarkPictures(pictured, Library(pictured))
    for path in ("../../secret.png", "/etc/passwd", 7, None):
        assert set(pictures.look({"run": "box", "image": path, "kind": "image"})) == {"error"}
    assert set(pictures.look({"run": "..", "image": "x", "kind": "image"})) == {"error"}
    assert pictures.look("nonsense").keys() == {"error"}
    assert pictures.thumbs({"run": "box", "paths": ["x"] * 999}) == {}
    normal = {"run": "box", "image": "tile/test/good/0.png", "kind": "mask"}
    assert "nothing to mark" in pictures.look(normal)["error"]


def test_pictures_outside_of_the_allowed_folders_are_not_shown(pictured):
    import dataclasses

    closed = dataclasses.replace(pictured, data_roots=())
    pictures = BenchmarkPictures(closed, Library(closed))
    answer = pictures.look({"run": "box", "image": "tile/test/good/0.png", "kind": "image"})
    assert "--data-root" in answer["error"]


def test_runs_leave_without_their_folder_and_come_back(pictured, tmp_path):
    run = Library(pictured).holdings().runs["box"]
    for kind in ("zip", "json", "csv"):
        path = benchmark_files.exported(run, kind, pictured.store.folder)
        if kind == "zip":
            text = zipfile.ZipFile(path).read("box/results.json").decode()
        else:
            text = path.read_text()
        assert str(tmp_path) not in text
        again = benchmark_files.imported(pictured, path)
        assert again.results.dataset == "box"
        assert again.results.classes[0].image_level.auroc == 1.0
    assert len(Library(pictured).holdings().runs) == 4


def test_a_broken_upload_is_refused_and_nothing_is_lost(pictured, tmp_path):
    before = set(Library(pictured).holdings().runs)
    bad = pictured.store.folder / "hash" / "bad.json"
    bad.parent.mkdir(parents=True)
    bad.write_text(json.dumps({"schema": "other"}))
    with pytest.raises(StoreError, match="schema"):
        benchmark_files.imported(pictured, bad)
    with pytest.raises(InputError):
        benchmark_files.imported(pictured, tmp_path / "runs" / "box" / "results.json")
    assert set(Library(pictured).holdings().runs) == before
