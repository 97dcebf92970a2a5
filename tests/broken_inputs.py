"""Some two hundred odd files: what people drop on a page, by accident or on purpose.

`broken_inputs()` must each be refused with one clear message, `odd_inputs()` must each be read.
Both map a file name, which may itself be odd, to the file's bytes; both are made in well under a
second, with a fixed seed and nothing outside Pillow.
"""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib

import numpy as np
from PIL import Image

SIZE = (64, 48)  # width, height of all ordinary pictures here


@functools.cache
def photo() -> Image.Image:
    """A picture with smooth parts and noise, so that no format compresses it to nothing."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    planes = np.stack([columns * 3, rows * 5, columns + rows], axis=2)
    noise = generator.integers(0, 40, planes.shape)
    return Image.fromarray(np.clip(planes + noise, 0, 255).astype(np.uint8))


def encode(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that claims to be that large and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body


def bmp_of_size(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 100, 0, 0, 54) + info + b"\0" * 100


def jpeg_of_size(width: int, height: int) -> bytes:
    data = bytearray(encode(photo(), "JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff_of_size(width: int, height: int) -> bytes:
    """Patch the two size entries (LONG or SHORT) of a plain little-endian TIFF."""
    data = bytearray(encode(photo(), "TIFF"))
    directory = struct.unpack_from("<I", data, 4)[0]
    for index in range(struct.unpack_from("<H", data, directory)[0]):
        entry = directory + 2 + 12 * index
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag in (256, 257):
            struct.pack_into("<HHII", data, entry, tag, 4, 1, width if tag == 256 else height)
    return bytes(data)


@functools.cache
def ordinary() -> dict[str, bytes]:
    """One good file of each encoding."""
    image, grey16 = photo(), Image.fromarray(np.arange(3072, dtype=np.uint16).reshape(48, 64))
    return {
        "plain.png": encode(image, "PNG"),
        "grey16.png": encode(grey16, "PNG"),
        "palette.png": encode(image.quantize(32), "PNG"),
        "plain.jpg": encode(image, "JPEG", quality=92),
        "progressive.jpg": encode(image, "JPEG", quality=92, progressive=True),
        "plain.bmp": encode(image, "BMP"),
        "plain.tif": encode(image, "TIFF"),
        "lzw.tif": encode(image, "TIFF", compression="tiff_lzw"),
        "deflate.tif": encode(image, "TIFF", compression="tiff_deflate"),
        "lossy.webp": encode(image, "WEBP"),
        "lossless.webp": encode(image, "WEBP", lossless=True),
    }


def broken_inputs() -> dict[str, bytes]:
    """File name -> bytes of files that are to be refused."""
    return {
        **_truncated(),
        **_corrupted(),
        **_empty(),
        **_other_kinds(),
        **_wrong_sizes(),
        **_broken_with_odd_names(),
    }


def odd_inputs() -> dict[str, bytes]:
    """File name -> bytes of files that look odd and are to be read."""
    return {**_odd_modes(), **_wrong_extensions(), **_several_frames(), **_odd_names()}


def _truncated() -> dict[str, bytes]:
    return {
        f"cut to {share:.0%} {name}": data[: max(1, int(len(data) * share))]
        for name, data in ordinary().items()
        for share in (0.001, 0.02, 0.1, 0.3, 0.5, 0.8)
    }


def _corrupted() -> dict[str, bytes]:
    """The head destroyed, noise behind a good signature, noise in the middle of compressed data."""
    generator = random.Random(1)
    files = {}
    for name, data in ordinary().items():
        files[f"head zeroed {name}"] = b"\0" * 64 + data[64:]
        files[f"signature then noise {name}"] = data[:12] + generator.randbytes(400)
    for name in ("plain.png", "grey16.png", "palette.png"):
        data = ordinary()[name]
        middle = len(data) // 2
        files[f"noise inside {name}"] = (
            data[:middle] + generator.randbytes(60) + data[middle + 60 :]
        )
    for index in range(6):
        files[f"noise {index}.jpg"] = generator.randbytes(50 * 4**index)
    return files


def _empty() -> dict[str, bytes]:
    endings = ("png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "PNG", "gif", "")
    files = {f"empty.{ending}".rstrip("."): b"" for ending in endings}
    return files | {"one byte.png": b"\x89", "zeros.png": b"\0" * 4096, "spaces.jpg": b" " * 4096}


def _other_kinds() -> dict[str, bytes]:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 200
    image = photo()
    kinds = {
        "text": b"this is not an image\n",
        "umlauts": "für Prüfung gedacht\n".encode(),
        "utf16": "text in UTF-16".encode("utf-16"),
        "json": b'{"image": "none"}',
        "csv": b"a,b\n1,2\n",
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "svg": svg,
        "svg with prolog": b'<?xml version="1.0"?>\n<!-- drawn -->\n' + svg,
        "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        "zip": b"PK\x03\x04" + b"\0" * 60,
        "heic": heic,
        "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\0" * 200,
        "mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0" * 200,
        "gif": encode(image.quantize(16), "GIF"),
        "ico": encode(image, "ICO"),
        "ppm": encode(image, "PPM"),
        "tga": encode(image, "TGA"),
        "psd": b"8BPS\0\1" + b"\0" * 100,
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "elf": b"\x7fELF\2\1\1" + b"\0" * 60,
        "npy": b"\x93NUMPY\1\0" + b"\0" * 60,
        "script": b"#!/bin/sh\nrm -rf /\n",
        "lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    }
    return {
        f"{kind} called.{ending}": data for kind, data in kinds.items() for ending in ("png", "jpg")
    }


def _wrong_sizes() -> dict[str, bytes]:
    files = {}
    for image_format in ("PNG", "JPEG", "BMP", "TIFF", "WEBP"):
        for width, height in ((1, 1), (7, 100), (100, 7)):
            tiny = photo().resize((width, height))
            files[f"{width}x{height}.{image_format.lower()}"] = encode(tiny, image_format)
    makers = {"png": png_of_size, "bmp": bmp_of_size, "jpg": jpeg_of_size, "tif": tiff_of_size}
    for ending, make in makers.items():
        for width, height in ((20_000, 20_000), (8_000, 7_000), (60_000, 1_000)):
            files[f"{width}x{height}.{ending}"] = make(width, height)
        files[f"0x0.{ending}"] = make(0, 0)
    files["2147483647x2147483647.png"] = png_of_size(2**31 - 1, 2**31 - 1)
    files["-5x-5.bmp"] = bmp_of_size(-5, -5)
    return files


def _broken_with_odd_names() -> dict[str, bytes]:
    half = ordinary()["plain.png"][:900]
    names = (
        "two words.png",
        "🙂 emoji.png",
        "../up.png",
        "..\\up.png",
        "line\nbreak.png",
        "<b>bold<b>.png",
        "%2e%2e%2fup.png",
        "x" * 200 + ".png",
    )
    return {f"broken {name}" if name[0] != "." else name: half for name in names}


def _odd_modes() -> dict[str, bytes]:
    image = photo()
    grey = image.convert("L")
    ramp = np.linspace(0, 1, 3072).reshape(48, 64)
    transparent = image.convert("RGBA")
    transparent.putalpha(grey)
    files = {
        "one bit.png": encode(image.convert("1"), "PNG"),
        "one bit.bmp": encode(image.convert("1"), "BMP"),
        "one bit g4.tif": encode(image.convert("1"), "TIFF", compression="group4"),
        "grey.png": encode(grey, "PNG"),
        "grey.jpg": encode(grey, "JPEG"),
        "grey with alpha.png": encode(transparent.convert("LA"), "PNG"),
        "rgba.png": encode(transparent, "PNG"),
        "rgba.tif": encode(transparent, "TIFF"),
        "rgba.webp": encode(transparent, "WEBP"),
        "rgba.bmp": encode(transparent, "BMP"),
        "palette.bmp": encode(image.quantize(16), "BMP"),
        "palette, one clear.png": encode(image.quantize(16), "PNG", transparency=3),
        "palette, many clear.png": encode(image.quantize(4), "PNG", transparency=b"\0\x40\x80\xff"),
        "clear colour.png": encode(image, "PNG", transparency=(0, 0, 0)),
        "cmyk.jpg": encode(image.convert("CMYK"), "JPEG"),
        "cmyk.tif": encode(image.convert("CMYK"), "TIFF"),
        "jpeg inside.tif": encode(image, "TIFF", compression="jpeg"),
        "grey16.tif": encode(Image.fromarray((ramp * 4095).astype(np.uint16)), "TIFF"),
        "grey16 black.png": encode(Image.fromarray(np.zeros((48, 64), np.uint16)), "PNG"),
        "signed 32 bit.tif": encode(Image.fromarray((ramp * 9e6 - 4e6).astype(np.int32)), "TIFF"),
        "float.tif": encode(Image.fromarray(ramp.astype(np.float32)), "TIFF"),
        "float wide.tif": encode(Image.fromarray((ramp * 6e38 - 3e38).astype(np.float32)), "TIFF"),
        "float nan.tif": encode(Image.fromarray(np.full((48, 64), np.nan, np.float32)), "TIFF"),
        "smallest.png": encode(image.resize((8, 8)), "PNG"),
        "thin.png": encode(image.resize((4000, 8)), "PNG"),
        "trailing noise.jpg": ordinary()["plain.jpg"] + b"\0noise" * 50,
        "broken exif.jpg": encode(image, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        "noise as exif.jpg": encode(image, "JPEG", exif=b"Exif\0\0" + bytes(range(200))),
        "odd orientation.jpg": encode(image, "JPEG", exif=_exif(77)),
        "noise as profile.png": encode(image, "PNG", icc_profile=bytes(range(200))),
    }
    for value in range(1, 9):
        files[f"orientation {value}.jpg"] = encode(image, "JPEG", exif=_exif(value))
    return files


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _wrong_extensions() -> dict[str, bytes]:
    pairs = {
        "a jpeg.png": "plain.jpg",
        "a png.jpg": "plain.png",
        "a webp.bmp": "lossy.webp",
        "a bmp.tif": "plain.bmp",
        "a tiff.webp": "lzw.tif",
        "a png.txt": "plain.png",
        "no extension": "plain.jpg",
        "a png.heic": "plain.png",
    }
    return {name: ordinary()[source] for name, source in pairs.items()}


def _several_frames() -> dict[str, bytes]:
    image = photo()
    more: dict[str, object] = {
        "save_all": True,
        "append_images": [image.rotate(a) for a in (90, 180)],
    }
    return {
        "animated.png": encode(image, "PNG", duration=50, **more),
        "animated.webp": encode(image, "WEBP", duration=50, lossless=True, **more),
        "pages.tif": encode(image, "TIFF", **more),
        "photo with previews.jpg": encode(image, "MPO", **more),
    }


def _odd_names() -> dict[str, bytes]:
    names = (
        "with some spaces.png",
        "🙂👩‍🔧 emoji.png",
        "../../outside.png",
        "..\\..\\outside.png",
        "-rf.png",
        "quote'\".png",
        "a;b&c|d.png",
        "tab\tand\nline.png",
        "Ünïcödé e\u0301.png",
        "\u202egnp.txt.png",
        "<img src=x onerror=alert(1)>.png",
        "CON.png",
        "z" * 240 + ".png",
    )
    return dict.fromkeys(names, ordinary()["plain.png"])
