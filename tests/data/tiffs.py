"""A small TIFF writer for the tests: any byte order, type, photometric, planes, compression."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def tiff(
    values: np.ndarray,
    *,
    order: str = "<",
    photometric: int | None = None,
    compression: int = 1,
    predictor: int = 1,
    planar: bool = False,
    big: bool = False,
    bits: int | None = None,
    orientation: int | None = None,
    rows_per_strip: int | None = None,
    tile: int | None = None,
    more: dict[int, tuple] | None = None,
) -> bytes:
    """The bytes of a TIFF; `bits` packs unsigned values, `more` adds tags of SHORTs or ASCII."""
    cube = values[..., None] if values.ndim == 2 else values
    height, width, samples = cube.shape
    depth = bits or 8 * cube.dtype.itemsize
    parts = [cube[..., i : i + 1] for i in range(samples)] if planar else [cube]
    rows = rows_per_strip or height
    blocks = []
    for part in parts:
        if tile:
            part = np.pad(part, ((0, -height % tile), (0, -width % tile), (0, 0)))
            for top in range(0, height, tile):
                for left in range(0, width, tile):
                    blocks.append(part[top : top + tile, left : left + tile])
        else:
            blocks += [part[top : top + rows] for top in range(0, height, rows)]
    data = [_encoded(b, order, bits, predictor) for b in blocks]
    if compression != 1:
        data = [zlib.compress(each) for each in data]
    kind = {"u": 1, "i": 2, "f": 3}[cube.dtype.kind]
    tags: dict[int, tuple[str, tuple]] = {
        256: ("H", (width,)),
        257: ("H", (height,)),
        258: ("H", (depth,) * samples),
        259: ("H", (compression,)),
        262: ("H", ((2 if samples > 2 else 1) if photometric is None else photometric,)),
        277: ("H", (samples,)),
        284: ("H", (2 if planar else 1,)),
        317: ("H", (predictor,)),
        339: ("H", (kind,) * samples),
    }
    if samples in (2, 4) and photometric != 5:
        tags[338] = ("H", (2,))
    if orientation:
        tags[274] = ("H", (orientation,))
    for tag, value in (more or {}).items():
        tags[tag] = ("s", value) if isinstance(value, bytes) else ("H", value)
    if tile:
        tags |= {322: ("H", (tile,)), 323: ("H", (tile,))}
        places, sizes = 324, 325
    else:
        tags[278] = ("H", (rows,))
        places, sizes = 273, 279
    tags[places] = ("I", (0,) * len(data))
    tags[sizes] = ("I", tuple(map(len, data)))
    return _file(tags, data, places, order, big)


def _encoded(block: np.ndarray, order: str, bits: int | None, predictor: int) -> bytes:
    if bits and bits % 8:
        ones = (block[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        return np.packbits(ones.reshape(block.shape[0], -1).astype(np.uint8), axis=1).tobytes()
    if predictor == 2:
        block = np.diff(block, axis=1, prepend=block.dtype.type(0))
    if predictor == 3:
        size = block.dtype.itemsize
        raw = block.astype(block.dtype.newbyteorder(">")).view(np.uint8)
        raw = raw.reshape(block.shape[0], -1, size).swapaxes(1, 2).reshape(block.shape[0], -1)
        steps = raw.reshape(block.shape[0], -1, block.shape[2])
        return np.diff(steps, axis=1, prepend=np.uint8(0)).tobytes()
    return block.astype(block.dtype.newbyteorder(order)).tobytes()


def _file(
    tags: dict[int, tuple[str, tuple]], data: list[bytes], places: int, order: str, big: bool
) -> bytes:
    codes = {"H": 3, "I": 4, "s": 2}
    head, count, entry, inline = (16, "Q", "HHQ", 8) if big else (8, "H", "HHI", 4)
    offset = "Q" if big else "I"
    directory = struct.calcsize("=" + count) + len(tags) * (struct.calcsize("=" + entry) + inline)
    directory += struct.calcsize("=" + offset)
    extra, body = b"", b""
    starts = {}
    for tag, (code, value) in tags.items():
        size = len(value) if code == "s" else struct.calcsize(code) * len(value)
        if size > inline:
            starts[tag] = head + directory + len(extra)
            extra += b"\0" * (size + size % 2)
    first = head + directory + len(extra)
    offsets = []
    for each in data:
        offsets.append(first + len(body))
        body += each + b"\0" * (len(each) % 2)
    tags[places] = ("I", tuple(offsets))
    entries, filled = b"", bytearray(extra)
    for tag in sorted(tags):
        code, value = tags[tag]
        raw = value if code == "s" else struct.pack(f"{order}{len(value)}{code}", *value)
        entries += struct.pack(order + entry, tag, codes[code], len(value))
        if tag in starts:
            place = starts[tag] - head - directory
            filled[place : place + len(raw)] = raw
            entries += struct.pack(order + offset, starts[tag])
        else:
            entries += raw.ljust(inline, b"\0")
    mark = b"II" if order == "<" else b"MM"
    if big:
        header = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
    else:
        header = mark + struct.pack(order + "HI", 42, 8)
    return (
        header
        + struct.pack(order + count, len(tags))
        + entries
        + struct.pack(order + offset, 0)
        + bytes(filled)
        + body
    )
