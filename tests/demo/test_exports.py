"""Files that leave the page: exact where they must be, harmless everywhere."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from adaclip.errors import InputError
from demo.batch import Item
from demo.look import Look
from demo.visitor import exports
from tests.demo.stub import stub_detection, tile

LOOK = Look()


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_16_bit_map_is_the_map(batch):
    item = batch.current
    with Image.open(io.BytesIO(exports.one_file(item, "map16", LOOK, batch.folder))) as file:
        stored = np.asarray(file).astype(np.float64) / 65535
    assert stored.shape == (120, 160)
    assert np.abs(stored - item.detection.anomaly_map).max() < 1e-5


def test_the_margin_is_the_margin_bit_for_bit(batch):
    content = exports.one_file(batch.current, "margin", LOOK, batch.folder)
    stored = np.load(io.BytesIO(content), allow_pickle=False)
    assert stored.dtype == np.float32
    assert np.array_equal(stored, batch.current.detection.margin_map)


def test_the_mask_is_0_or_255_at_the_pictures_size(batch):
    content = exports.one_file(batch.current, "mask", LOOK, batch.folder)
    with Image.open(io.BytesIO(content)) as file:
        mask = np.asarray(file)
    assert mask.shape == (120, 160)
    assert set(np.unique(mask)) == {0, 255}
    assert mask[50, 60] == 255


def test_the_overlay_is_a_png_of_the_pictures_size(batch):
    content = exports.one_file(batch.current, "overlay", LOOK, batch.folder)
    with Image.open(io.BytesIO(content)) as file:
        assert (file.format, file.size) == ("PNG", (160, 120))


def test_a_picture_without_result_has_no_files(batch):
    batch.current.detection = None
    with pytest.raises(InputError, match="press Detect"):
        exports.one_file(batch.current, "mask", LOOK, batch.folder)
    with pytest.raises(InputError, match="press Detect"):
        exports.batch_csv(batch, batch.threshold, LOOK)


def test_an_unknown_kind_is_refused(batch):
    with pytest.raises(InputError, match="not on offer"):
        exports.one_file(batch.current, "../../etc", LOOK, batch.folder)


def test_the_csv_holds_numbers_as_numbers_and_errors_as_rows(batch):
    batch.items.append(Item(name="broken.png", path=batch.current.path, error="is empty"))
    first, second = rows_of(exports.batch_csv(batch, batch.threshold, LOOK))
    detection = batch.current.detection
    assert float(first["anomaly_score"]) == detection.anomaly_score
    assert float(first["anomaly_margin"]) == detection.anomaly_margin
    assert first["verdict"] == "anomalous"
    assert (first["threshold"], first["threshold_source"]) == ("0.5", "F1-max")
    assert (first["width"], first["height"]) == ("160", "120")
    assert int(first["anomalous_px"]) > 1000
    assert (second["image"], second["error"], second["anomaly_score"]) == (
        "broken.png",
        "is empty",
        "",
    )


@pytest.mark.parametrize(
    "name",
    [
        "=1+1.png",
        "+x",
        "-x",
        "@x",
        "|x",
        "%x",
        " =x",
        "\t=x",
        "\r=x",
        "\x00=x",
        "\uff1d1",
        ";=x",
        "'x",
    ],
)
def test_no_name_becomes_a_formula(batch, name):
    batch.current.name = name
    [row] = rows_of(exports.batch_csv(batch, batch.threshold, LOOK))
    assert row["image"].startswith("'")


@pytest.mark.parametrize("name", ['a,"b"\n.png', "ünï.png", "plain.png", "a\u202egnp.exe"])
def test_names_survive_quoting_on_one_line(batch, name):
    batch.current.name = name
    text = exports.batch_csv(batch, batch.threshold, LOOK)
    [row] = rows_of(text)
    assert "\u202e" not in row["image"]
    assert "\n" not in row["image"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\x.png", "a/b.png", "", ".hidden", "x" * 300, "😀.png"]
)
def test_names_in_a_zip_stay_inside_it(name):
    stem = exports.short_stem(name)
    assert stem
    assert not set("/\\:") & set(stem)
    assert not stem.startswith(".")
    assert len(stem) <= 60


def test_a_zip_holds_every_result_and_the_table(batch):
    batch.items.append(Item(name="../evil.png", path=batch.current.path, error="is empty"))
    twin = Item(name="tile.png", path=batch.current.path, size=(120, 160))
    twin.detection = stub_detection(tile([(1, 1, 30, 30)]))
    batch.items.append(twin)
    path = batch.folder / "all.zip"
    assert list(exports.write_zip(batch, batch.threshold, LOOK, path)) == [1, 2, 3]
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
        table = archive.read("results.csv").decode()
    expected = {
        f"{stem}/{s}" for stem in ("001_tile", "003_tile") for s in exports.SUFFIXES.values()
    }
    assert names == expected | {"results.csv"}
    assert len(rows_of(table)) == 3


def test_a_zip_too_large_for_margins_says_so(batch, monkeypatch):
    monkeypatch.setattr(exports, "MAX_MARGIN_PIXELS", 10)
    path = batch.folder / "all.zip"
    list(exports.write_zip(batch, batch.threshold, LOOK, path))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert "MARGINS.txt" in names
    assert not any(name.endswith(".npy") for name in names)
