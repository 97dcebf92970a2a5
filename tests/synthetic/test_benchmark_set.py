"""The synthetic set: the same for everybody and in every version, and what its card says.

`benchmark_pictures.json` keeps what some of its pictures look like. A change that fails the test
of them makes all earlier results on the set void. If it is meant, write the file again:

    python -m tests.synthetic.test_benchmark_set
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.data.cards import card
from adaclip.data.checks import check
from adaclip.data.samples import load_samples, read_mask
from adaclip.errors import DatasetError, InputError
from adaclip.synthetic import (
    BENCHMARK_DEFECTS,
    BENCHMARK_KINDS,
    DEFECT_TYPES,
    MATERIAL_KINDS,
    OBJECT_KINDS,
    benchmark_set,
)
from adaclip.synthetic.benchmark_set import Entry, draw, entries, write

KEPT = Path(__file__).with_name("benchmark_pictures.json")


def test_the_card_is_of_the_code():
    it = card("synthetic")
    # After a change of kinds, write the new names and words onto datasets_meta/synthetic.json.
    assert it.classes == BENCHMARK_KINDS
    assert it.normal == sum(entry.defect_type is None for entry in entries())
    assert it.anomalous == sum(entry.defect_type is not None for entry in entries())
    for each in it.class_cards:
        mine = [entry for entry in entries() if entry.class_name == each.name]
        assert each.normal == sum(entry.defect_type is None for entry in mine)
        assert each.anomalous == sum(entry.defect_type is not None for entry in mine)


def test_eight_classes_of_ten_and_ten_with_the_defects_spread():
    assert len(entries()) == 160
    assert {entry.class_name for entry in entries()} == set(BENCHMARK_KINDS)
    assert len(BENCHMARK_KINDS) == 8
    defects = Counter(entry.defect_type for entry in entries() if entry.defect_type)
    assert set(defects) == set(BENCHMARK_DEFECTS)
    assert max(defects.values()) - min(defects.values()) <= 1
    for name in BENCHMARK_KINDS:
        mine = {e.defect_type for e in entries() if e.class_name == name and e.defect_type}
        assert len(mine) == min(10, len(BENCHMARK_DEFECTS))


def test_paths_are_unique_numbered_and_sorted():
    paths = [entry.rel_path for entry in entries()]
    assert len(set(paths)) == len(paths)
    assert [(e.class_name, e.rel_path) for e in entries()] == sorted(
        (e.class_name, e.rel_path) for e in entries()
    )
    assert len({entry.index for entry in entries()}) == len(paths)
    first = min(BENCHMARK_KINDS)
    assert f"{first}/test/good/009.png" in paths


def test_kinds_and_defects_are_held_out_of_training():
    assert not set(BENCHMARK_KINDS) & {*MATERIAL_KINDS, *OBJECT_KINDS}
    assert not set(BENCHMARK_DEFECTS) & set(DEFECT_TYPES)


def test_a_picture_is_drawn_by_its_path_and_always_the_same():
    bad = next(entry for entry in entries() if entry.defect_type)
    good = next(entry for entry in entries() if not entry.defect_type)
    one, again = draw(bad.rel_path), draw(bad.rel_path)
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.mask, again.mask)
    assert one.image.shape == (518, 518, 3)
    assert (one.kind, one.defect_type) == (bad.class_name, bad.defect_type)
    assert one.mask.any()
    normal = draw(good.rel_path)
    assert normal.defect_type is None
    assert not normal.mask.any()


def pinned():
    """Of every kind a normal picture and a defective one, every type of defect among them."""
    for place, name in enumerate(BENCHMARK_KINDS):
        for wanted in (None, BENCHMARK_DEFECTS[place % len(BENCHMARK_DEFECTS)]):
            yield next(e for e in entries() if (e.class_name, e.defect_type) == (name, wanted))


def look(entry: Entry):
    """What a picture looks like: grey levels of 6 x 6 fields, its grain, its mask's share.

    Grain is the mean difference of neighbouring pixels in grey levels.
    """
    picture = draw(entry.rel_path)
    grey = Image.fromarray(picture.image).convert("L")
    fields = np.asarray(grey.resize((6, 6), Image.Resampling.BOX))
    grain = np.abs(np.diff(np.asarray(grey, np.float32), axis=1)).mean()
    return {
        "grey": fields.tolist(),
        "grain": round(float(grain), 2),
        "mask": round(float(picture.mask.mean()), 5),
    }


@pytest.mark.parametrize("entry", list(pinned()), ids=lambda entry: entry.rel_path)
def test_pictures_look_as_they_always_did(entry):
    """With a little room for other versions of the libraries."""
    now, before = look(entry), json.loads(KEPT.read_text())[entry.rel_path]
    np.testing.assert_allclose(now["grey"], before["grey"], atol=1.5)
    assert now["grain"] == pytest.approx(before["grain"], rel=0.02, abs=0.02)
    assert now["mask"] == pytest.approx(before["mask"], rel=0.02)


def test_every_kind_and_defect_of_the_set_is_kept():
    kept = json.loads(KEPT.read_text())
    assert set(kept) == {entry.rel_path for entry in pinned()}
    assert {path.split("/")[0] for path in kept} == set(BENCHMARK_KINDS)
    assert {path.split("/")[2] for path in kept} == {"good", *BENCHMARK_DEFECTS}


def test_a_path_outside_of_the_set_is_refused():
    with pytest.raises(InputError, match="the synthetic set has no such picture"):
        draw("gasket/test/good/../000.png")


@pytest.fixture
def few(monkeypatch):
    """The first defective and the first normal picture."""
    chosen = (
        next(entry for entry in entries() if entry.defect_type),
        next(entry for entry in entries() if not entry.defect_type),
    )
    monkeypatch.setattr(benchmark_set, "entries", lambda: chosen)
    return chosen


def test_the_written_tree_loads_as_drawn(tmp_path, few):
    root = tmp_path / "synthetic"
    told = []
    assert write(root, progress=lambda done, total: told.append((done, total))) == 2
    assert told[-1] == (2, 2)
    samples = load_samples(root)
    paths = sorted(entry.rel_path for entry in few)
    assert [(s.dataset, s.rel_path) for s in samples] == [("synthetic", path) for path in paths]
    for sample, entry in zip(samples, sorted(few, key=lambda e: e.rel_path), strict=True):
        drawn = draw(sample.rel_path)
        assert sample.mask_rel_path == entry.mask_rel_path
        assert sample.defect_type == entry.defect_type
        np.testing.assert_array_equal(read_mask(sample, (518, 518)), drawn.mask)
    assert {finding.kind for finding in check(root).findings} == {"count"}
    assert not list(root.rglob("*.partial"))


def test_an_earlier_copy_may_be_written_again_and_no_other_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark_set, "entries", tuple)
    (tmp_path / BENCHMARK_KINDS[0]).mkdir()
    assert write(tmp_path) == 0
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"has other things in it, such as holiday\.jpg"):
        write(tmp_path)
    with pytest.raises(DatasetError, match="cannot be written to"):
        write(tmp_path / "holiday.jpg")


def keep():
    """Write anew what the pictures look like, one of them a line."""
    lines = [f"{json.dumps(e.rel_path)}: {json.dumps(look(e))}" for e in pinned()]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    keep()
