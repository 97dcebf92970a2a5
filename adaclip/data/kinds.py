"""What a file is, found from its first bytes: what is read, with which library, and what is not.

Every kind that people hand over by mistake is called by its own name, with a way out.
"""

from __future__ import annotations

import codecs
import functools
import importlib
import io
import re
import struct
from typing import IO

from PIL import features

_SAVE = "give PNG, JPEG, BMP, TIFF or WebP"
_EXPORT = "export it as 16-bit TIFF or PNG"

# Pattern of the first bytes, what it is, the way out. The first that fits counts.
_NOT_READ: tuple[tuple[bytes, str, str], ...] = (
    (rb"GIF8[79]a", "a GIF", _SAVE),
    (rb"%PDF-", "a PDF", "save its page as PNG"),
    (rb"version https://git-lfs", "a Git LFS pointer", "`git lfs pull` fetches the image"),
    (rb"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (rb"(Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ)", "a packed archive", "unpack it first"),
    (rb"....ftypcrx ", "a Canon CR3 raw photo", "develop it to TIFF or JPEG"),
    (rb"(II\*\0........|II\*\0....)CR", "a Canon CR2 raw photo", "develop it to TIFF or JPEG"),
    (rb"FUJIFILMCCD-RAW", "a Fuji raw photo", "develop it to TIFF or JPEG"),
    (rb"(IIR[OS]|MMOR|IIU\0)", "an Olympus or Panasonic raw photo", "develop it to TIFF or JPEG"),
    (rb"(II\xbc)", "a JPEG XR picture", _SAVE),
    (rb"8BPS", "a Photoshop file", "save a flattened copy as TIFF or PNG"),
    (rb"v/1\x01", "an OpenEXR picture", _EXPORT),
    (rb"#\?(RADIANCE|RGBE)", "a Radiance HDR picture", _EXPORT),
    (rb"SIMPLE  =", "a FITS picture", _EXPORT),
    (rb"\x93NUMPY", "a NumPy array", "give it to the Python library, or save it as TIFF"),
    (rb"\x89HDF", "an HDF5 or MATLAB file", _EXPORT),
    (rb"MATLAB 5", "a MATLAB file", _EXPORT),
    (rb"CDF[\x01\x02\x05]", "a NetCDF file", _EXPORT),
    (rb"ZISRAWFILE", "a Zeiss CZI picture", _EXPORT),
    (rb"\x5c\x01\0\0|\0\0\x01\x5c", "a NIfTI volume", "export the slices as 16-bit PNG"),
    (rb"P[1-7][\s#]", "a PNM picture", _SAVE),
    (rb"P[fF][\s#]", "a PFM picture", _EXPORT),
    (rb"\0\0[\x01\x02]\0[^\0]", "an icon", _SAVE),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript drawing", "save it as PNG"),
    (rb"RIFF....(AVI |WAVE)|\x1aE\xdf\xa3|\0\0\x01[\xb3\xba]", "a video", "save a frame as PNG"),
    (rb"\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>)?\s*<svg", "an SVG drawing",
     "save it as PNG"),
    (rb"\s*<(!DOCTYPE html|html)", "a web page", "download the picture itself"),
)  # fmt: skip
# Containers whose brand says what is inside.
_AVIF = rb"....ftypavi[fs]"
_HEIC = rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)"
_JPEG_2000 = rb"(\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51)"
_JPEG_XL = rb"(\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n)"
_VIDEO = rb"....ftyp"

# Pillow's name of a format, the pattern, the words, what reads it.
_OPTIONAL = (
    ("AVIF", _AVIF, "an AVIF picture", "avif"),
    ("JPEG2000", _JPEG_2000, "a JPEG 2000 picture", "jpg_2000"),
    ("HEIF", _HEIC, "an HEIC photo", "pillow_heif"),
    ("JXL", _JPEG_XL, "a JPEG XL picture", "pillow_jxl"),
)
EXTRA = "pip install 'adaclip-studio[formats]'"
_ALWAYS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


def is_dicom(head: bytes) -> bool:
    """Whether a file begins as DICOM files do."""
    return head[128:132] == b"DICM"


def is_tiff(head: bytes) -> bool:
    """Whether a file begins as a TIFF, with offsets of 32 or 64 bits."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@functools.cache
def formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read here, those of optional libraries included."""
    return _ALWAYS + tuple(name for name, _, _, library in _OPTIONAL if _has(library))


def refusal(head: bytes) -> str:
    """Why a file that no reader takes is none of ours, with the way out; a part of a sentence."""
    for pattern, what, way_out in _NOT_READ:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return f"is {what}, which is not read; {way_out}"
    for _, pattern, what, library in _OPTIONAL:
        if re.match(pattern, head, re.DOTALL):
            if _has(library):
                return f"is {what} that is damaged or of a rare kind; {_SAVE}"
            return f"is {what}, which is read with an optional library: {EXTRA}; or {_SAVE}"
    if re.match(_VIDEO, head, re.DOTALL):
        return f"is a video, which is not read; save a frame as PNG or {_SAVE}"
    if is_tiff(head):
        return (
            "is a TIFF that is damaged or of a rare kind; save it again uncompressed or with LZW, "
            f"or {_SAVE}"
        )
    if _is_text(head):
        return f"is text, not an image; {_SAVE}"
    return f"is damaged or not an image of a known format; {_SAVE}"


def odd_jpeg(data: bytes) -> str:
    """What kind of JPEG this is, where it is one that no usual program reads; else ""."""
    place = 2
    while data[:2] == b"\xff\xd8" and place + 9 < len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], struct.unpack_from(">H", data, place + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if marker in (0xC3, 0xC7, 0xCB, 0xCF):
                return "a lossless JPEG"
            return f"a {data[place + 4]}-bit JPEG" if data[place + 4] != 8 else ""
        if marker == 0xF7:
            return "a JPEG-LS picture"
        place += 2 + length
    return ""


def _has(library: str) -> bool:
    """Whether a format's reader is here: part of Pillow, or a plugin, which is then registered."""
    if library in ("avif", "jpg_2000"):
        return bool(features.check(library))
    try:
        plugin = importlib.import_module(library)
    except ImportError:
        return False
    if library == "pillow_heif":
        plugin.register_heif_opener()
    return True


def _is_text(head: bytes) -> bool:
    for coding in ("utf-16",) if head[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8",):
        try:
            # An incremental decoder forgives a character cut at the end.
            text = codecs.getincrementaldecoder(coding)().decode(head)
        except UnicodeDecodeError:
            return False
        return bool(text) and all(c.isprintable() or c.isspace() for c in text)
    return False


def significant_bits(data: IO[bytes]) -> int | None:
    """How many bits of a PNG's channels are used, where its sBIT chunk says so."""
    data.seek(8)
    for _ in range(32):
        head = data.read(8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            return None
        length = struct.unpack(">I", head[:4])[0]
        if head[4:] == b"sBIT" and 1 <= length <= 4:
            used = max(data.read(length)[:3])
            return used if 1 <= used <= 16 else None
        data.seek(length + 4, io.SEEK_CUR)
    return None
