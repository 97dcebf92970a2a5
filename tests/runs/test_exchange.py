"""Runs leave as a file and come in as one; what a stranger sends is checked."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from adaclip.errors import StoreError
from adaclip.runs import (
    Run,
    exchange,
    export_run,
    import_run,
    read_run,
)
from adaclip.runs import results as run_results
from adaclip.runs.rows import header_line
from tests.runs.samples import write_run


def same(one: Run, other: Run) -> None:
    """Equal but for the folder of the data, which does not travel."""
    assert one.results.classes == other.results.classes
    pd.testing.assert_frame_equal(one.images(), other.images())


@pytest.mark.parametrize("maps", [False, True])
def test_an_exported_run_comes_back_beside_the_first(maps: bool, tmp_path: Path) -> None:
    made = write_run(tmp_path / "runs" / "run", maps=maps)
    archive = export_run(made, tmp_path / "out" / "run.zip")
    back = import_run(archive, tmp_path / "runs")
    assert back.id == "run-2"
    same(made, back)
    assert back == read_run(back.folder)
    assert back.data_root is None
    assert (back.margin_map("maps/000001.npz") is None) == (not maps)
    assert b"/srv/parts" not in zipfile.ZipFile(archive).read("run/results.json")
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"run", "run-2"}


def test_results_alone_come_in_without_rows(tmp_path: Path) -> None:
    made = write_run(tmp_path / "run")
    back = import_run(made.folder / "results.json", tmp_path / "runs")
    assert back.results.classes == made.results.classes
    assert len(back.images()) == 0


def test_rows_alone_come_in_with_what_can_be_told_from_them(tmp_path: Path) -> None:
    made = write_run(tmp_path / "run")
    back = import_run(made.folder / "images.csv", tmp_path / "runs")
    [entry] = back.results.classes
    assert (entry.normal, entry.anomalous, entry.failed) == (2, 2, 0)
    table = made.images()
    expected = roc_auc_score(table["anomalous"], table["anomaly_margin"])
    assert entry.image_level.auroc == pytest.approx(expected)
    assert entry.pixel_level.undefined["auroc"] == "only rows were imported"
    assert back.results.mean.image_level.auroc == pytest.approx(expected)
    assert back.results.mean.counts["image_level.auroc"] == 1
    assert read_run(back.folder) == back


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return path


def test_a_strangers_archive_writes_nothing_but_a_run(tmp_path: Path) -> None:
    made = write_run(tmp_path / "run")
    results = (made.folder / "results.json").read_bytes()
    evil = json.dumps(json.loads(results) | {"id": "../../../evil"}).encode()
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("run/results.json", evil)
        file.writestr("run/../../outside.txt", b"x")
        file.writestr("/absolute.txt", b"x")
        file.writestr("run/maps/../../x.npz", b"x")
        file.writestr("run/program.py", b"x")
    back = import_run(archive, tmp_path / "runs")
    assert back.folder.parent == tmp_path / "runs"
    assert [path.name for path in back.folder.iterdir()] == ["results.json"]
    assert not (tmp_path / "outside.txt").exists()


def test_what_is_no_run_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_run(tmp_path / "run")
    results = (made.folder / "results.json").read_bytes()
    rows = (made.folder / "images.csv").read_bytes()
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG" * 100)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(export_run(made, tmp_path / "whole.zip").read_bytes()[:-300])
    only_header = tmp_path / "none.csv"
    only_header.write_bytes(header_line())
    for file in (
        picture,
        cut,
        only_header,
        zipped(tmp_path / "none.zip", readme=b"x"),
        zipped(tmp_path / "bad.zip", **{"results.json": b"{}"}),
        zipped(tmp_path / "two.zip", **{"a__results.json": results, "b__results.json": results}),
        zipped(tmp_path / "rows.zip", **{"results.json": results, "images.csv": rows[:-9] + b"x"}),
        tmp_path / "absent.zip",
    ):
        with pytest.raises(StoreError, match=file.stem):
            import_run(file, tmp_path / "runs")
    monkeypatch.setattr(exchange, "_LARGEST", 100)
    with pytest.raises(StoreError, match="unpacks to more"):
        import_run(tmp_path / "whole.zip", tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())


def test_an_archive_that_unpacks_to_far_more_than_it_is_is_refused_before_it_does(
    tmp_path: Path,
) -> None:
    results = (write_run(tmp_path / "run").folder / "results.json").read_bytes()
    empty = bytes(9 * 1024**2)
    for name, members in (
        ("many maps", {f"maps/{n:06d}.npz": empty for n in range(8)}),
        ("one map", {"maps/000000.npz": bytes(exchange.LARGEST_MAP + 1)}),
    ):
        bomb = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("run/results.json", results)
            for member, data in members.items():
                archive.writestr(f"run/{member}", data)
        assert bomb.stat().st_size < 1024**2
        with pytest.raises(StoreError, match=f"{name}.zip: .*unpacks to more than"):
            import_run(bomb, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_map_that_unpacks_to_more_than_any_map_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "000000.npz", margin=np.zeros((600, 600), np.float32))
    assert run_results.load_arrays(tmp_path / "000000.npz")["margin"].shape == (600, 600)
    monkeypatch.setattr(run_results, "LARGEST_MAP", 1024**2)
    with pytest.raises(StoreError, match="unpacks to more than 1 MB"):
        run_results.load_arrays(tmp_path / "000000.npz")
