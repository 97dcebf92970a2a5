"""Gather a collection for `collected` out of two of Debian's packages.

    apt-get download openclipart-png ufoai-textures
    for package in *.deb; do dpkg-deb -x $package unpacked; done
    python -m adaclip.lite.collecting unpacked collection

Drawings are the Open Clip Art Library's, all dedicated to the public domain. Of UFO: Alien
Invasion's textures only those are taken that its copyright file says are in the public domain or
under the Expat (MIT) or CC-BY 3.0 licence; `SOURCES.csv` names each with its licence.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from adaclip.errors import AdaClipError, InputError
from adaclip.lite.collected import FREE_LICENCES

# Folders of drawings of things; the rest are signs, flags, buttons and frames.
DRAWN = (
    *("animals", "buildings", "containers", "decorations", "education", "electronics", "food"),
    *("office", "people", "plants", "recreation", "science", "tools", "transportation"),
)
LEAST_SIDE, LARGEST_SIDE = 160, 512
LARGEST_FILE = 4_000_000  # bytes; a few drawings are posters of half a billion pixels
# Playing cards are 60 near copies of each other.
SKIPPED = re.compile(r"/cards/|flag|logo")
# Group of a surface by the name of its file; pictures that hang on walls match none.
SURFACES = {
    "brick": r"brick",
    "carpet": r"carpet",
    "concrete": r"concrete|plaster|wall02[345]",
    "fitting": r"pipe|grate|trim|barrel|door",
    "metal": r"metal|roof|solar",
    "panel": r"crate|panel|trisec|tile5|wall\d[a-e]|floor2",
    "pavement": r"paving|tile0|floor0(05|21)|railway",
    "rock": r"rock|stone|ice",
    "soil": r"desert|dirt|jungle",
    "wood": r"wood",
}
Row = tuple[str, str, str, str]  # file, where it comes from, licence, whose it is


def collect(unpacked: Path, out: Path) -> list[Row]:
    """Write the collection to `out`; what it holds, as in its SOURCES.csv."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [*_drawings(unpacked, out), *_surfaces(unpacked, out)]
    with (out / "SOURCES.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "from", "licence", "copyright"))
        writer.writerows(rows)
    return rows


def _drawings(unpacked: Path, out: Path) -> list[Row]:
    root = _found(unpacked, "usr/share/openclipart/png", "openclipart-png")
    rows = []
    for group in DRAWN:
        for file in sorted((root / group).rglob("*.png")):
            name = file.relative_to(root).as_posix()
            if SKIPPED.search(name) or file.stat().st_size > LARGEST_FILE:
                continue
            drawing = _drawing(file)
            if drawing is None or min(drawing.size) < LEAST_SIDE:
                continue
            to = out / "objects" / group / name.removeprefix(f"{group}/").replace("/", "_")
            to.parent.mkdir(parents=True, exist_ok=True)
            drawing.save(to)
            source = f"openclipart-png: {name}"
            rows.append((to.relative_to(out).as_posix(), source, "public-domain", ""))
    return rows


def _drawing(file: Path) -> Image.Image | None:
    """The drawing, or None where it is empty, has no transparency or is too large to be read."""
    try:
        with Image.open(file) as image:
            if image.mode not in ("RGBA", "LA", "P") or max(image.size) > 8 * LARGEST_SIDE:
                return None
            drawing = image.convert("RGBA")
    except Image.DecompressionBombError:
        return None
    box = drawing.getchannel("A").point(lambda a: 255 * (a > 127)).getbbox()
    if box is None:
        return None
    drawing = drawing.crop(box)
    if max(drawing.size) <= LARGEST_SIDE:
        return drawing
    return ImageOps.contain(drawing, (LARGEST_SIDE, LARGEST_SIDE))


def _surfaces(unpacked: Path, out: Path) -> list[Row]:
    archive = _found(unpacked, "usr/share/games/ufoai/base/0textures.pk3", "ufoai-textures")
    notice = _found(unpacked, "usr/share/doc/ufoai-textures/copyright", "ufoai-textures")
    rows = []
    with zipfile.ZipFile(archive) as pictures:
        listed = sorted(licences(notice.read_text(encoding="utf-8")).items())
        for name, (licence, holders) in listed:
            stem = Path(name).stem
            groups = [group for group, names in SURFACES.items() if re.search(names, stem)]
            # Maps of height and gloss are no photographs.
            if licence not in FREE_LICENCES or not groups or re.search(r"_(nm|sm|gm|rm)$", stem):
                continue
            with Image.open(io.BytesIO(pictures.read(name.removeprefix("base/")))) as image:
                if min(image.size) < LEAST_SIDE:
                    continue
                to = out / "surfaces" / groups[0] / f"{stem}.png"
                to.parent.mkdir(parents=True, exist_ok=True)
                image.convert("RGB").save(to)
            source = f"ufoai-textures: {name}"
            owned = holders if licence != "public-domain" else ""
            rows.append((to.relative_to(out).as_posix(), source, licence, owned))
    return rows


def licences(copyright_file: str) -> dict[str, tuple[str, str]]:
    """Licence and copyright of each file that Debian's machine-readable copyright file lists."""
    found: dict[str, tuple[str, str]] = {}
    for paragraph in re.split(r"\n\s*\n", copyright_file):
        fields = {
            name: " ".join(text.split())
            for name, text in re.findall(r"^(\w+):(.*(?:\n[ \t].*)*)", paragraph, re.M)
        }
        licence = fields.get("License", "").split(" ")[0]
        if licence and "Files" in fields:
            both = (licence, fields.get("Copyright", ""))
            found |= dict.fromkeys(fields["Files"].split(), both)
    return found


def _found(unpacked: Path, inside: str, package: str) -> Path:
    if not (unpacked / inside).exists():
        raise InputError(f"{unpacked} has no {inside}: unpack Debian's {package} there")
    return unpacked / inside


def main(given: Sequence[str] | None = None) -> int:
    """Collect, and say how much; the exit status: 0, or 2 when a package is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("unpacked", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args(given)
    try:
        rows = collect(arguments.unpacked, arguments.out)
    except AdaClipError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    sys.stdout.write(f"{len(rows)} pictures in {arguments.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
