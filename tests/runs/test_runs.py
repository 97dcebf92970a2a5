"""Runs read back as written; damage is named and costs nothing else."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adaclip
from adaclip.errors import StoreError
from adaclip.runs import (
    COLUMNS,
    RunWriter,
    export_run,
    list_runs,
    read_run,
)
from adaclip.runs.records import ClassResults, LevelResults, RunResults, mean_of
from adaclip.runs.rows import complete_part, decode, encode, header_line, read_table
from tests.runs.samples import change, class_entry, header, row, write_run

ODD_NAMES = ['a,b"c.png', "two\nlines.png", "ü/é 日本.png", "=SUM(A1).png", "caf\udce9.png", "NA"]


NO_METRICS = {"auroc": None, "average_precision": None, "max_f1": None}


def test_a_run_reads_back_as_written(tmp_path: Path) -> None:
    written = write_run(tmp_path / "run", 4)
    made = read_run(tmp_path / "run")
    assert made == written
    assert (made.id, made.results.dataset, made.checkpoint, made.complete) == (
        "run",
        "parts",
        "made-up",
        True,
    )
    assert made.threshold.review_value == pytest.approx(1 / (1 + np.e))
    assert made.data_root == Path("/srv/parts")
    table = made.images()
    assert tuple(table.columns) == COLUMNS
    assert table["anomalous"].tolist() == [False, True, False, True]
    assert table["defect_type"].tolist() == ["", "hole", "", "hole"]
    assert table["anomaly_margin"].tolist() == [-1 / 3 + index for index in range(4)]
    for _, line in table.iterrows():
        stored = made.margin_map(line)
        assert stored is not None
        assert stored.dtype == np.float32
    assert made.margin_map("") is None
    assert made.margin_map("maps/000099.npz") is None
    assert not (tmp_path / "run" / "work").exists()


def test_columns_have_the_same_types_with_and_without_rows(tmp_path: Path) -> None:
    full = write_run(tmp_path / "run").images()
    (tmp_path / "run" / "images.csv").unlink()
    empty = read_run(tmp_path / "run").images()
    assert list(empty.dtypes) == list(full.dtypes)
    assert len(empty) == 0


def test_odd_names_and_failed_rows_survive() -> None:
    rows = [row(0, rel_path=name) for name in ODD_NAMES]
    failed = {"anomaly_score": None, "anomaly_margin": None, "width": None, "height": None}
    rows.append(row(1, error='broken, "really"\nso', seconds=None, map_file=None, **failed))
    assert decode(header_line() + encode(rows), "images.csv") == rows


def test_a_line_cut_anywhere_is_left_out() -> None:
    rows = [row(index, rel_path=name) for index, name in enumerate(ODD_NAMES)]
    whole = header_line() + encode(rows)
    ends = [len(header_line() + encode(rows[:count])) for count in range(len(rows) + 1)]
    for cut in range(ends[0], len(whole) + 1):
        expected = sum(end <= cut for end in ends) - 1
        kept = complete_part(whole[:cut])
        assert len(kept) == ends[expected]
        if cut in ends:
            assert decode(kept, "images.csv") == rows[:expected]
    assert complete_part(whole[:5]) == b""


def test_two_hundred_thousand_rows_are_read_in_seconds() -> None:
    lines = encode([row(index) for index in range(1000)]).decode().splitlines()
    data = [line.replace("test/", f"test/{i}/") for i in range(200) for line in lines]
    table = read_table(header_line() + "\n".join(data).encode() + b"\n", "images.csv")
    assert len(table) == 200_000


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"rel_path": "../../etc/passwd"}, "rel_path leads out"),
        ({"rel_path": "a/.."}, "rel_path leads out"),
        ({"rel_path": "a\0b"}, "rel_path leads out"),
        ({"rel_path": "/etc/passwd"}, "rel_path leads out"),
        ({"rel_path": "a\\..\\b"}, "rel_path leads out"),
        ({"rel_path": "C:/x"}, "rel_path leads out"),
        ({"rel_path": ""}, "rel_path is empty"),
        ({"mask_rel_path": "a/.."}, "mask_rel_path leads out"),
        ({"map_file": "maps/../../x.npz"}, "map_file"),
        ({"anomaly_score": 1.5}, "anomaly_score"),
        ({"anomaly_score": None}, "anomaly_score"),
        ({"anomaly_margin": float("inf")}, "anomaly_margin"),
        ({"width": 0}, "width or height"),
        ({"height": None}, "width or height"),
        ({"rel_path": row(0).rel_path}, "there twice"),
    ],
)
def test_rows_that_cannot_be_are_refused_by_number(changes: dict[str, Any], what: str) -> None:
    data = header_line() + encode([row(0), row(1, **changes)])
    with pytest.raises(StoreError, match=rf"images.csv: row 2: .*{what}"):
        read_table(data, "images.csv")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "first line"),
        (b"a,b\n1,2\n", "first line"),
        (header_line() + b"parts,nut\n", "does not fit"),
        (header_line() + encode([row(0)]).replace(b",60,", b",sixty,"), "does not fit"),
        (header_line() + encode([row(0)]).replace(b",0,60", b",maybe,60"), "does not fit"),
        (header_line() + encode([row(0)]).replace(b",0,60", b",2,60"), "not 0 or 1"),
        (header_line() + b"\x00\xff" * 9 + b"\n", "row 1|does not fit"),
        (header_line() + b'"open', "does not fit|row 1"),
    ],
)
def test_files_that_are_no_rows_are_named(data: bytes, what: str) -> None:
    with pytest.raises(StoreError, match=rf"^here\.csv: .*({what})"):
        read_table(data, "here.csv")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[1]", "JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"schema": "adaclip-run/9"}', "adaclip-run/9"),
        (b'{"schema": "adaclip-run/1"}', "id is missing"),
        (b'{"schema": NaN}', "not JSON"),
    ],
)
def test_damaged_results_are_named_and_the_other_runs_listed(
    content: bytes, what: str, tmp_path: Path
) -> None:
    write_run(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "results.json").write_bytes(content)
    (tmp_path / "no-run").mkdir()
    runs, problems = list_runs([tmp_path, tmp_path / "absent"])
    assert [made.id for made in runs] == ["good"]
    [problem] = problems
    assert str(tmp_path / "bad" / "results.json") in problem
    assert what in problem


@pytest.mark.parametrize(
    "fields",
    [
        {"threshold": None},
        {"threshold": {"value": 2, "source": "x", "review_band": 0}},
        {"threshold": {"value": 0.5, "source": "x", "review_band": 0, "more": 1}},
        {"classes": {}},
        {"classes": [class_entry("a"), class_entry("a")]},
        {"classes": [class_entry("a", 1.5)]},
        {"classes": [class_entry("a") | {"normal": -1}]},
        {"classes": [class_entry("a") | {"normal": True}]},
        {"classes": [class_entry("a") | {"image_level": {}}]},
        {"classes": [{}]},
        {"classes": ["a"]},
        {"mean": None},
        {"classes": [class_entry("a") | {"alternative": {"aupro": 0.5}}]},
        {"classes": [class_entry("a") | {"image_level": {**NO_METRICS, "undefined": ["x"]}}]},
        {"seconds_per_image": "fast"},
        {"size_bytes": -1},
        {"complete": 1},
        {"title": 3},
        {"data_root": 3},
        {"map_threshold": None},
    ],
)
def test_every_field_is_checked(fields: dict[str, Any], tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    change(tmp_path / "run", **fields)
    with pytest.raises(StoreError, match=f"{next(iter(fields))}.* not what a run holds"):
        read_run(tmp_path / "run")


def test_of_two_runs_with_one_name_the_first_counts(tmp_path: Path) -> None:
    write_run(tmp_path / "a" / "run")
    write_run(tmp_path / "b" / "run")
    runs, problems = list_runs([tmp_path / "a", tmp_path / "b"])
    assert [made.folder for made in runs] == [tmp_path / "a" / "run"]
    assert "same name" in problems[0]


def test_a_damaged_map_is_named(tmp_path: Path) -> None:
    made = write_run(tmp_path / "run")
    (tmp_path / "run" / "maps" / "000001.npz").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(StoreError, match=r"000001\.npz: is damaged"):
        made.margin_map("maps/000001.npz")


@pytest.mark.parametrize("array", [np.zeros(4), np.zeros((2, 2), int), np.full((2, 2), np.nan)])
def test_a_file_without_a_map_in_it_is_named(array: np.ndarray, tmp_path: Path) -> None:
    made = write_run(tmp_path / "run")
    np.savez(tmp_path / "run" / "maps" / "000001.npz", margin=array)
    with pytest.raises(StoreError, match=r"000001\.npz: holds no map"):
        made.margin_map("maps/000001.npz")


def test_a_mean_is_over_the_classes_with_a_value_and_says_how_many() -> None:
    levels = [LevelResults(auroc=value, max_f1=value) for value in (0.25, None, 0.75)]
    classes = [
        ClassResults(class_name=name, image_level=level, pixel_level=level, aupro=level.auroc)
        for name, level in zip("abc", levels, strict=True)
    ]
    mean = mean_of(classes)
    assert mean.image_level.auroc == mean.pixel_level.max_f1 == mean.aupro == 0.5
    assert mean.counts["image_level.auroc"] == mean.counts["aupro"] == 2
    assert mean.counts["image_level.average_precision"] == 0
    assert mean_of(classes[1:2]).pixel_level.auroc is None


def test_results_are_written_as_they_were_read(tmp_path: Path) -> None:
    shipped = Path(adaclip.__file__).parents[1] / "datasets_meta" / "runs"
    for folder in shipped.iterdir():
        stored = json.loads((folder / "results.json").read_text())
        assert RunResults.from_json(stored).to_json() == stored
    unknown = header().to_json() | {"of_a_later_version": [1]}
    assert RunResults.from_json(unknown).to_json() == unknown


def test_an_exported_command_names_no_folder(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    for command, shared in (
        (
            "python -m adaclip evaluate --data '/srv/my data/parts' --limit 3",
            "--data parts --limit",
        ),
        ("unclosed 'quote /srv/secret", None),
        (None, None),
    ):
        change(tmp_path / "run", command=command)
        archive = export_run(read_run(tmp_path / "run"), tmp_path / "run.zip")
        results = json.loads(zipfile.ZipFile(archive).read("run/results.json"))
        assert "/srv" not in json.dumps(results)
        assert results["command"] is None if shared is None else shared in results["command"]


def test_a_kill_while_finishing_leaves_a_run_that_can_be_gone_on_with(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", header()) as writer:
        for index in range(2):
            writer.save_map(index, {"margin": np.zeros((4, 4), np.float32)})
        writer.append([row(0), row(1)])
        # Half of the maps have moved when it ends.
        (tmp_path / "run" / "maps").mkdir()
        (tmp_path / "run" / "work" / "000000.npz").rename(tmp_path / "run/maps/000000.npz")
    with RunWriter(tmp_path / "run", header(), resume=True) as writer:
        assert writer.is_done(row(0).rel_path, 0)
        assert writer.is_done(row(1).rel_path, 1)
        writer.keep_only({row(0).rel_path})
        assert not writer.is_done(row(1).rel_path, 1)
        assert len(read_run(tmp_path / "run").images()) == 1
        writer.append([row(1)])
        entry = class_entry("nut")
        finished = {"complete": True, "classes": [entry], "mean": entry}
        results = RunResults.from_json(writer.header.to_json() | finished)
        writer.finish(results, [row(1).rel_path, row(0).rel_path], keep_maps=True)
    made = read_run(tmp_path / "run")
    assert made.images()["rel_path"].tolist() == [row(1).rel_path, row(0).rel_path]
    assert made.margin_map("maps/000001.npz") is not None
    assert RunWriter(tmp_path / "run", header(), resume=True).complete


def test_a_run_on_a_full_or_closed_disk_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        RunWriter(tmp_path / "file" / "run", header())
    with RunWriter(tmp_path / "run", header()) as writer:
        (tmp_path / "run" / "images.csv").unlink()
        (tmp_path / "run" / "images.csv").mkdir()
        with pytest.raises(StoreError, match="cannot write"):
            writer.append([row(0)])
        with pytest.raises(StoreError, match="is gone"):
            writer.load_map(0)
