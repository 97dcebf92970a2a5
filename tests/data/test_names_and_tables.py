"""Folder names for normal, tables of any dialect, links that lead out."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from adaclip.data.checks import check
from adaclip.data.normal_names import is_normal_name
from adaclip.data.samples import load_dataset, load_samples
from adaclip.data.tables import truth
from adaclip.errors import DatasetError
from tests.data import trees


@pytest.mark.parametrize(
    "name",
    ["Good ", "no_defect", "OK_parts", "good_parts", "defect_free", "0_good", "IO", "i.O.", "good",
     "GoodParts", "Normal images", "fehlerfrei", "undamaged", "without scratches", "良品"],
)  # fmt: skip
def test_names_that_mean_normal(tmp_path: Path, name: str):
    assert is_normal_name(name) is True
    root = trees.mvtec_like(tmp_path / "own", good=name)
    assert sum(not sample.anomalous for sample in load_samples(root)) == 2
    assert check(root).fine


@pytest.mark.parametrize(
    "name",
    ["n.i.O.", "NOK", "not_good", "not ok", "nicht in Ordnung", "abnormal", "crack", "un defecto",
     "los defectos", "Ausschuss", "hole", "token", "notebook"],
)  # fmt: skip
def test_names_that_do_not(name: str):
    assert is_normal_name(name) is False


@pytest.mark.parametrize("name", ["good_but_scratched", "almost_ok", "clean", "0 defects"])
def test_an_unclear_name_is_a_finding_that_can_be_answered(tmp_path: Path, name: str):
    root = trees.mvtec_like(tmp_path / "own", good=name)
    report = check(root)
    assert [(f.kind, f.path) for f in report.findings if f.kind == "unclear name"] == [
        ("unclear name", f"tile/test/{name}")
    ]
    assert "--normal NAME" in report.findings[0].detail
    assert "unclear name" in load_dataset(root).notes[0]
    answered = check(root, normal=(name.upper(),))
    assert answered.fine
    assert (answered.normal, answered.anomalous) == (2, 2)
    other = load_dataset(root, normal=("crack",))
    assert not other.notes
    assert {s.defect_type for s in other.samples} == {None, name}


def test_a_class_without_normals_is_a_finding_that_can_be_answered(tmp_path: Path):
    root = trees.mvtec_like(tmp_path / "own", good="class_a")
    [finding] = [f for f in check(root).findings if f.kind == "no normal images"]
    assert finding.path == "tile/test"
    assert "class_a, crack are read as defects" in finding.detail
    assert check(root, normal=("class_a",)).fine
    with pytest.raises(DatasetError, match="no folder is called 'klasse'; there are class_a, cr"):
        load_dataset(root, normal=("klasse",))


ROWS = [("a/ok.png", "gear", "0"), ("a/bad.png", "gear", "1")]


def manifest(root: Path, text: str, encoding: str = "utf-8") -> Path:
    trees.picture(root / "a/ok.png")
    trees.picture(root / "a/bad.png")
    (root / "manifest.csv").write_bytes(text.encode(encoding))
    return root


def table(separator: str = ",", header: str = "image,class_name,anomalous", false="0", true="1"):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator)
    writer.writerow(header.split(","))
    writer.writerows([("a/ok.png", "gear", false), ("a/bad.png", "gear", true)])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (table(";"), "utf-8"),
        (table("\t"), "utf-8"),
        (table("|"), "utf-8"),
        ("sep=;\r\n" + table(";"), "utf-8-sig"),
        ("SEP=,\n" + table(), "utf-8"),
        (table(header="IMAGE,Class Name,Anomalous"), "utf-8"),
        (table(header="Image,class-name,ANOMALOUS"), "cp1252"),
        (table("\t"), "utf-16"),
        (table(";"), "utf-16-le"),
        (table(";"), "utf-16-be"),
        (table() + ",,,\n\n , , \n", "utf-8"),
        ("\n,,\n" + table(), "utf-8"),
        (table(";", false="FALSCH", true="WAHR"), "cp1252"),
        (table(";", false="0,0", true="1,0"), "utf-8"),
        (table(false="0.0", true="1.0"), "utf-8"),
        (table(false="i.O.", true="n.i.O."), "utf-8"),
        (table(false="OK", true="NOK"), "utf-8"),
    ],
)
def test_a_manifest_of_any_dialect(tmp_path: Path, text: str, encoding: str):
    samples = load_samples(manifest(tmp_path / "own", text, encoding))
    assert [(s.rel_path, s.anomalous) for s in samples] == [
        ("a/bad.png", True),
        ("a/ok.png", False),
    ]


def test_umlauts_of_windows_code_page_name_their_files(tmp_path: Path):
    root = manifest(
        tmp_path / "own", "image;class_name;anomalous\r\na/Prüfling.png;Träger;nein\r\n", "cp1252"
    )
    trees.picture(root / "a/Prüfling.png")
    [sample] = load_samples(root)
    assert (sample.rel_path, sample.class_name) == ("a/Prüfling.png", "Träger")


@pytest.mark.parametrize(
    ("yes", "no"),
    [("wahr", "falsch"), ("Ja", "Nein"), ("VRAI", "FAUX"), ("oui", "non"), ("Verdadero", "Falso"),
     ("sí", "no"), ("vero", "falso"), ("sim", "não"), ("waar", "onwaar"), ("TAK", "NIE"),
     ("ano", "ne"), ("igen", "nem"), ("evet", "HAYIR"), ("ИСТИНА", "ЛОЖЬ"), ("да", "нет"),
     ("sann", "falsk"), ("kyllä", "ei"), ("是", "否"), ("はい", "いいえ"), ("예", "아니요")],
)  # fmt: skip
def test_yes_and_no_in_many_languages(yes: str, no: str):
    assert truth(yes, "line 2") is True
    assert truth(no, "line 2") is False


def test_a_word_that_says_neither_is_named_with_its_line(tmp_path: Path):
    root = manifest(tmp_path / "own", "sep=;\n\n" + table(";", true="perhaps"))
    with pytest.raises(DatasetError, match=r"line 5: 'perhaps' says neither normal nor anomalous"):
        load_samples(root)


def test_what_a_header_names_is_said_when_a_column_is_missing(tmp_path: Path):
    root = manifest(tmp_path / "own", "Bild;Klasse;Fehler\n")
    with pytest.raises(DatasetError, match="names bild, klasse, fehler"):
        load_samples(root)


def test_a_name_that_holds_the_separator_is_not_read_as_two_cells(tmp_path: Path):
    root = manifest(tmp_path / "own", table() + "a, b.png,gear,1\n")
    with pytest.raises(DatasetError, match="line 4: has more cells than the first line names"):
        load_samples(root)


def test_a_manifest_beside_a_tree_is_named_and_can_be_read_by_name(tmp_path: Path):
    root = trees.mvtec_like(tmp_path / "own")
    manifest(root, table())
    assert [(f.kind, f.path) for f in check(root).findings] == [("unused table", "manifest.csv")]
    assert "unused table" in load_dataset(root).notes[0]
    assert len(load_samples(root)) == 4
    assert len(load_samples(root / "manifest.csv")) == 2
    with pytest.raises(DatasetError, match="its table says what is normal"):
        load_dataset(root / "manifest.csv", normal=("good",))


# --- links ------------------------------------------------------------------------------------


def test_links_that_lead_out_of_a_data_folder_are_followed_only_when_asked(tmp_path: Path):
    root = trees.mvtec_like(tmp_path / "own")
    secret = trees.picture(tmp_path / "elsewhere/secret.png")
    (root / "tile/test/crack/zz.png").symlink_to(secret)
    (root / "tile/test/dent").symlink_to(tmp_path / "elsewhere")
    (root / "tile/test/good/again.png").symlink_to(root / "tile/test/good/000.png")
    loaded = load_dataset(root)
    assert len(loaded.samples) == 5
    assert "--follow-links" in loaded.notes[0]
    assert [f.path for f in check(root).findings if f.kind == "link outside"] == [
        "tile/test/crack/zz.png",
        "tile/test/dent",
    ]
    assert len(load_dataset(root, follow_links=True).samples) == 7


@pytest.mark.parametrize("column", ["image", "mask"])
def test_a_table_cannot_name_what_a_link_leads_to(tmp_path: Path, column: str):
    root = trees.manifest(tmp_path / "own")
    secret = trees.picture(tmp_path / "elsewhere/secret.png")
    (root / "a/link.png").symlink_to(secret)
    cells = {"image": "a/bad.png", "mask": "m/one.png"} | {column: "a/link.png"}
    row = f"{cells['image']},{cells['mask']},gear,1"
    trees.table(root / "manifest.csv", "image,mask,class_name,anomalous", row)
    with pytest.raises(DatasetError, match=r"line 2: 'a/link.png' is a link that leads out"):
        load_samples(root)
    assert len(load_dataset(root, follow_links=True).samples) == 1


def test_a_data_folder_that_is_a_link_itself_is_read(tmp_path: Path):
    trees.mvtec_like(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert len(load_samples(tmp_path / "link")) == 4
