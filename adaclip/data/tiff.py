"""What Pillow does not read of TIFF: more than 8 bits in any byte order, sign and arrangement.

Strips and tiles, chunky and planar, 9 to 64 bits, packed or not, signed or floating point,
uncompressed or deflated, with or without predictor, in files of either kind of offset.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import IO, Literal

import numpy as np

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIPS, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES, PLANAR = 273, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES = 317, 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, SUBFILE, FILL_ORDER = 338, 339, 254, 266
GDAL_NO_DATA, DNG_VERSION, ORIENTATION = 42113, 50706, 274
_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}
_DEFLATE = (8, 32946)
# Values of one tag: an offset for every tile of 16 x 16 of the largest picture's four planes.
_MOST_VALUES = 1 << 20
_READ = frozenset(
    {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES}
    | {PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES, EXTRA_SAMPLES}
    | {SAMPLE_FORMAT, SUBFILE, FILL_ORDER, GDAL_NO_DATA, DNG_VERSION, ORIENTATION}
)


@dataclass(frozen=True)
class Directory:
    """The tags of a TIFF's first picture; `order` is "<" or ">"."""

    order: Literal["<", ">"]
    tags: dict[int, tuple]

    def first(self, tag: int, default: int) -> int:
        """A tag's first value as an integer."""
        value = self.tags.get(tag, (default,))
        return int(value[0]) if value else default

    @property
    def bits(self) -> tuple[int, ...]:
        """Bits of every sample of a pixel."""
        bits = tuple(int(b) for b in self.tags.get(BITS, (1,)))
        samples = self.first(SAMPLES, 1)
        return bits * samples if len(bits) == 1 else bits

    @property
    def sample_format(self) -> int:
        """1 unsigned, 2 signed, 3 floating point."""
        return self.first(SAMPLE_FORMAT, 1)

    @property
    def is_deep(self) -> bool:
        """Whether a sample holds other than unsigned values of up to 8 bits."""
        return max(self.bits, default=1) > 8 or self.sample_format in (2, 3)

    @property
    def no_data(self) -> float | None:
        """The value that the file itself calls none."""
        try:
            return float(bytes(self.tags[GDAL_NO_DATA]).split(b"\0")[0])
        except (KeyError, ValueError, TypeError):
            return None


def directory(file: IO[bytes]) -> Directory | None:
    """The first directory of a TIFF; None for another file or one that is damaged."""
    try:
        file.seek(0)
        head = file.read(16)
        orders: dict[bytes, Literal["<", ">"]] = {b"II": "<", b"MM": ">"}
        order = orders[head[:2]]
        version = struct.unpack_from(order + "H", head, 2)[0]
        big = version == 43
        if version not in (42, 43):
            return None
        start = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0]
        return Directory(order, dict(_entries(file, order, big, start)))
    except (KeyError, struct.error, ValueError, OverflowError):
        return None


def _entries(file: IO[bytes], order: str, big: bool, start: int):
    count_code, inline = ("Q", 8) if big else ("H", 4)
    file.seek(start)
    size = struct.calcsize(order + count_code)
    number = struct.unpack(order + count_code, file.read(size))[0]
    entry = order + ("HHQ8s" if big else "HHI4s")
    length = struct.calcsize(entry)
    table = file.read(length * min(number, 4096))
    seen: set[int] = set()
    for place in range(len(table) // length):
        tag, kind, count, value = struct.unpack_from(entry, table, place * length)
        code = "B" if kind in (2, 7) else _TYPES.get(kind)
        if tag not in _READ or tag in seen or code is None or count > _MOST_VALUES:
            continue
        seen.add(tag)
        needed = struct.calcsize(order + code) * count
        if needed > inline:
            file.seek(struct.unpack(order + ("Q" if big else "I"), value)[0])
            value = file.read(needed)
        yield tag, struct.unpack_from(f"{order}{count}{code}", value)


def decode(file: IO[bytes], found: Directory) -> np.ndarray | None:
    """(H, W) or (H, W, S) in the machine's byte order; None for what is not read here.

    Signs and values are kept as stored, white-is-zero too. Raises ValueError, struct.error or
    zlib.error for damaged data.
    """
    bits, samples = set(found.bits), len(found.bits)
    compression = found.first(COMPRESSION, 1)
    predictor = found.first(PREDICTOR, 1) if compression != 1 else 1
    kind = {1: "u", 2: "i", 3: "f"}.get(found.sample_format)
    depth = bits.pop()
    packed = depth not in (8, 16, 32, 64)
    if (
        bits
        or kind is None
        or samples > 4
        or compression not in (1, *_DEFLATE)
        or predictor not in (1, 2, 3)
        or found.first(FILL_ORDER, 1) != 1
        or (packed and (kind != "u" or depth > 16 or predictor != 1))
        or (kind == "f") != (predictor == 3 or (kind == "f" and predictor == 1))
        or (kind == "f" and depth == 8)
    ):
        return None
    width, height = found.first(WIDTH, 0), found.first(HEIGHT, 0)
    tiled = TILES in found.tags
    block_width = found.first(TILE_WIDTH, width) if tiled else width
    block_height = found.first(TILE_HEIGHT, 0) if tiled else found.first(ROWS_PER_STRIP, height)
    block_height = min(block_height, height) if not tiled else block_height
    if min(width, height, block_width, block_height) < 1:
        raise ValueError("a size of 0")
    planes = samples if found.first(PLANAR, 1) == 2 else 1
    within = samples // planes
    dtype = np.dtype(f"{kind}2" if packed else f"{kind}{depth // 8}")
    out = np.zeros((height, width, samples), dtype)
    offsets = found.tags[TILES if tiled else STRIPS]
    sizes = found.tags[TILE_SIZES if tiled else STRIP_SIZES]
    across, down = -(-width // block_width), -(-height // block_height)
    if len(offsets) < across * down * planes or len(sizes) < len(offsets):
        raise ValueError("blocks are missing")
    for index in range(across * down * planes):
        plane, place = divmod(index, across * down)
        top, left = (place // across) * block_height, (place % across) * block_width
        rows = block_height if tiled else min(block_height, height - top)
        file.seek(offsets[index])
        data = file.read(sizes[index])
        shape = (rows, block_width, within)
        if compression != 1:
            data = zlib.decompressobj().decompress(data, _bytes_of(shape, depth))
        block = _block(data, shape, depth, dtype.newbyteorder(found.order), predictor)
        bottom, right = min(top + rows, height), min(left + block_width, width)
        out[top:bottom, left:right, plane * within : (plane + 1) * within] = block[
            : bottom - top, : right - left
        ]
    return out[..., 0] if samples == 1 else out


def _bytes_of(shape: tuple[int, int, int], depth: int) -> int:
    return shape[0] * (-(-shape[1] * shape[2] * depth // 8))


def _block(
    data: bytes, shape: tuple[int, int, int], depth: int, dtype: np.dtype, predictor: int
) -> np.ndarray:
    """One strip or tile as (rows, columns, samples)."""
    needed = _bytes_of(shape, depth)
    if len(data) < needed:
        raise ValueError("the picture's data end too early")
    raw = np.frombuffer(data, np.uint8, needed).reshape(shape[0], -1)
    if depth % 8:
        ones = np.unpackbits(raw, axis=1)[:, : shape[1] * shape[2] * depth]
        weights = 1 << np.arange(depth - 1, -1, -1, dtype=np.uint16)
        return (ones.reshape(*shape, depth) * weights).sum(-1, dtype=np.uint16)
    if predictor == 3:  # differences of bytes, the highest bytes of a row first
        steps = raw.reshape(shape[0], -1, shape[2])
        whole = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(shape[0], depth // 8, -1)
        ordered = np.ascontiguousarray(whole.swapaxes(1, 2))
        return ordered.view(np.dtype(f">f{depth // 8}")).reshape(shape).astype(f"f{depth // 8}")
    block = raw.view(dtype).reshape(shape)
    if predictor == 2:
        block = np.cumsum(block, axis=1, dtype=dtype.newbyteorder("="))
    return block.astype(dtype.newbyteorder("="))
