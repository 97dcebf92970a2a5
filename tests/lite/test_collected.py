"""Kinds made of other people's pictures, and the licences they are taken under."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from adaclip.errors import InputError
from adaclip.lite.collected import SURFACE_GROUPS, collected_kinds
from adaclip.lite.collecting import SURFACES, collect, licences, main
from adaclip.synthetic import generate
from adaclip.synthetic.catalogue import Entry

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2002, somebody
License: GPL-2+

Files:
 base/textures/tex/wood_free.png
 base/textures/tex/wood_free_nm.png
 base/textures/tex/art_japan.png
Copyright:
 somebody else
License: public-domain

Files: base/textures/tex/wood_gpl.png
Copyright: a third
License: GPL-2

License: public-domain
 These files were granted to the public domain.
"""


def drawing(side: int = 200) -> Image.Image:
    """A red star on nothing."""
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    ImageDraw.Draw(image).regular_polygon((side / 2, side / 2, side / 2 - 4), 5, fill=(200, 30, 30))
    return image


def wooden(side: int = 200) -> Image.Image:
    rows = np.random.default_rng(0).integers(60, 160, side)
    return Image.fromarray(np.repeat(rows[:, None], side, 1).astype(np.uint8)).convert("RGB")


def say(folder: Path, *licences: tuple[str, str]) -> None:
    """A SOURCES.csv with the licence of each file."""
    with (folder / "SOURCES.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "licence"), *licences])


@pytest.fixture
def kinds(tmp_path: Path) -> dict[str, Entry]:
    for folder in ("objects/stars", "surfaces/wood"):
        (tmp_path / folder).mkdir(parents=True)
    drawing().save(tmp_path / "objects/stars/star.png")
    wooden().save(tmp_path / "surfaces/wood/plank.png")
    say(tmp_path, ("objects/stars/star.png", "Expat"), ("surfaces/wood/plank.png", "CC-BY-3.0"))
    return collected_kinds(tmp_path)


def test_a_collection_gives_a_kind_per_group(kinds: dict[str, Entry]) -> None:
    assert {name: entry[1] for name, entry in kinds.items()} == {
        "drawn_stars": "object",
        "photographed_wood": "fibre",
    }


def test_a_folder_that_is_no_collection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"collecting makes such a folder"):
        collected_kinds(tmp_path)


def test_a_picture_that_nobody_says_is_free_is_refused(
    kinds: dict[str, Entry], tmp_path: Path
) -> None:
    say(tmp_path, ("objects/stars/star.png", "GPL-2"), ("surfaces/wood/plank.png", "Expat"))
    with pytest.raises(InputError, match=r"star\.png: SOURCES\.csv names no free licence for it"):
        collected_kinds(tmp_path)
    (tmp_path / "SOURCES.csv").unlink()
    with pytest.raises(InputError, match=r"star\.png: SOURCES\.csv names no free licence for it"):
        collected_kinds(tmp_path)


def test_a_group_of_surfaces_of_which_nothing_is_known_is_refused(
    kinds: dict[str, Entry], tmp_path: Path
) -> None:
    (tmp_path / "surfaces/unheard_of").mkdir()
    with pytest.raises(InputError, match=r"unheard_of: no such group of surfaces; there are brick"):
        collected_kinds(tmp_path)


@pytest.mark.parametrize("kind", ["drawn_stars", "photographed_wood"])
@pytest.mark.parametrize("index", range(4))
def test_a_collected_kind_is_drawn_like_any_other(
    kinds: dict[str, Entry], kind: str, index: int
) -> None:
    bad, again, good = (
        generate(5, index, size=128, defective=d, framed=True, kinds=(kind,), more_kinds=kinds)
        for d in (True, True, False)
    )
    assert np.array_equal(bad.image, again.image)
    assert bad.kind == kind
    change = np.abs(bad.image.astype(int) - good.image.astype(int)).max(-1)
    assert change[bad.mask].mean() > 4 * change[~bad.mask].mean()


def test_it_is_drawn_only_where_it_is_asked_for(kinds: dict[str, Entry]) -> None:
    usual = [generate(5, i, size=96).image for i in range(4)]
    offered = [generate(5, i, size=96, more_kinds=kinds).image for i in range(4)]
    assert all(np.array_equal(a, b) for a, b in zip(usual, offered, strict=True))


def test_licences_are_read_file_by_file() -> None:
    assert licences(COPYRIGHT) == {
        "*": ("GPL-2+", "2002, somebody"),
        "base/textures/tex/wood_free.png": ("public-domain", "somebody else"),
        "base/textures/tex/wood_free_nm.png": ("public-domain", "somebody else"),
        "base/textures/tex/art_japan.png": ("public-domain", "somebody else"),
        "base/textures/tex/wood_gpl.png": ("GPL-2", "a third"),
    }


def test_only_free_pictures_of_things_and_surfaces_are_collected(tmp_path: Path) -> None:
    clip_art = tmp_path / "usr/share/openclipart/png"
    for name in ("tools/star.png", "tools/tiny.png", "signs_and_symbols/star.png"):
        (clip_art / name).parent.mkdir(parents=True, exist_ok=True)
        drawing(40 if "tiny" in name else 900).save(clip_art / name)
    Image.new("RGBA", (300, 300), (0, 0, 0, 0)).save(clip_art / "tools/nothing.png")
    notice = tmp_path / "usr/share/doc/ufoai-textures/copyright"
    notice.parent.mkdir(parents=True)
    notice.write_text(COPYRIGHT)
    archive = tmp_path / "usr/share/games/ufoai/base/0textures.pk3"
    archive.parent.mkdir(parents=True)
    wooden().save(tmp_path / "plank.png")
    with zipfile.ZipFile(archive, "w") as pictures:
        for name in licences(COPYRIGHT):
            pictures.write(tmp_path / "plank.png", name.removeprefix("base/"))
    out = tmp_path / "collection"
    collect(tmp_path, out)
    with (out / "SOURCES.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["file", "from", "licence", "copyright"],
        ["objects/tools/star.png", "openclipart-png: tools/star.png", "public-domain", ""],
        [
            "surfaces/wood/wood_free.png",
            "ufoai-textures: base/textures/tex/wood_free.png",
            "public-domain",
            "",
        ],
    ]
    with Image.open(out / "objects/tools/star.png") as shrunk:
        assert max(shrunk.size) == 512
    assert set(collected_kinds(out)) == {"drawn_tools", "photographed_wood"}


def test_a_missing_package_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), str(tmp_path / "new")]) == 2
    assert "unpack Debian's openclipart-png there" in capsys.readouterr().err


def test_every_group_of_surfaces_has_its_defects() -> None:
    assert set(SURFACES) == set(SURFACE_GROUPS)
