"""Random fields and small image helpers that every drawing is made of.

All arrays are float32. A `shape` is (H, W); a `cell` is the size of a noise feature in pixels.
Fields are drawn coarse and enlarged by Pillow, which is what makes the generator fast.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

Rng = np.random.Generator
Colour = np.ndarray  # (3,) float32, 0-1


def resize(array: np.ndarray, shape: tuple[int, int], *, smooth: bool = True) -> np.ndarray:
    """Enlarge or shrink a (h, w) float field to `shape`."""
    method = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    image = Image.fromarray(np.ascontiguousarray(array, dtype=np.float32))
    return np.array(image.resize((shape[1], shape[0]), method))  # writable, still float32


def noise(rng: Rng, shape: tuple[int, int], cell: float | tuple[float, float]) -> np.ndarray:
    """Smooth noise, mean 0 and deviation near 1; `cell` is (vertical, horizontal) if a pair."""
    tall, wide = cell if isinstance(cell, tuple) else (cell, cell)
    rows = shape[0] if tall <= 1 else int(shape[0] / tall) + 2
    columns = shape[1] if wide <= 1 else int(shape[1] / wide) + 2
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    return grid if grid.shape == shape else resize(grid, shape)


def fractal(
    rng: Rng, shape: tuple[int, int], cell: float, octaves: int = 4, gain: float = 0.55
) -> np.ndarray:
    """Noise with detail at several scales, from `cell` pixels downwards; deviation near 1."""
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        if octave and cell / 2**octave < 0.8:
            break
        total += gain**octave * noise(rng, shape, cell / 2**octave)
        power += gain ** (2 * octave)
    return total / np.float32(np.sqrt(power))


def cells(rng: Rng, shape: tuple[int, int], cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Irregular cells of about `cell` pixels: (gap to the border, value of each cell 0-1).

    The gap is 0 on the border between two cells and about 0.5 inside, in cell sizes.
    """
    step = 2 if cell > 8 else 1
    low = (max(2, shape[0] // step), max(2, shape[1] // step))
    size = max(cell / step, 2.0)
    rows, columns = int(low[0] / size) + 4, int(low[1] / size) + 4
    jitter = rng.random((2, rows, columns), dtype=np.float32)
    values = rng.random((rows, columns), dtype=np.float32)
    y = (np.arange(low[0], dtype=np.float32) / np.float32(size) + 1)[:, None]
    x = (np.arange(low[1], dtype=np.float32) / np.float32(size) + 1)[None, :]
    row, column = y.astype(int), x.astype(int)
    first = np.full(low, 9.0, np.float32)
    second = first.copy()
    label = np.zeros(low, np.float32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            r, c = row + down, column + right
            distance = (jitter[0, r, c] + r - y) ** 2 + (jitter[1, r, c] + c - x) ** 2
            distance = distance.astype(np.float32)
            closer = distance < first
            second = np.where(closer, first, np.minimum(second, distance))
            label = np.where(closer, values[r, c], label)
            first = np.minimum(first, distance)
    gap = np.sqrt(second) - np.sqrt(first)
    return resize(gap, shape), resize(label, shape, smooth=False)


def grid(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates as a column (H, 1) and a row (1, W)."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    return rows, np.arange(shape[1], dtype=np.float32)[None, :]


def blur(array: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a (H, W) field; wide ones are computed on a coarser grid."""
    if sigma < 0.3:
        return array
    factor = int(sigma // 3)
    if factor < 2:
        return ndimage.gaussian_filter(array, sigma, mode="nearest", truncate=3.0)
    shape = array.shape
    low = (max(2, shape[0] // factor), max(2, shape[1] // factor))
    image = Image.fromarray(np.ascontiguousarray(array, dtype=np.float32))
    small = np.asarray(image.resize((low[1], low[0]), Image.Resampling.BOX), dtype=np.float32)
    small = ndimage.gaussian_filter(small, sigma / factor, mode="nearest", truncate=3.0)
    return resize(small, (shape[0], shape[1]))


def relief(height: np.ndarray, angle: float, strength: float) -> np.ndarray:
    """Shading, mean about 0, of a height field (H, W) lit from `angle` in radians."""
    slope = np.zeros_like(height)
    slope[:, 1:] += (height[:, 1:] - height[:, :-1]) * np.float32(np.cos(angle))
    slope[1:, :] += (height[1:, :] - height[:-1, :]) * np.float32(np.sin(angle))
    return slope * np.float32(strength)


def step(field: np.ndarray, edge: float = 0.0, width: float = 0.1) -> np.ndarray:
    """0 below `edge`, 1 above it, with a straight ramp of `width` between."""
    return np.clip((field - edge) / width + 0.5, 0.0, 1.0).astype(np.float32, copy=False)


def mix(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(H, W, 3) blend of two colours or pictures by `share` (H, W), unclipped."""
    return low + (high - low) * share[..., None]


def colour(
    rng: Rng,
    saturation: tuple[float, float] = (0.0, 0.6),
    value: tuple[float, float] = (0.3, 0.9),
    hue: tuple[float, float] = (0.0, 1.0),
) -> Colour:
    """A random colour out of ranges of hue, saturation and value, each 0-1."""
    h, s, v = rng.uniform(*hue), rng.uniform(*saturation), rng.uniform(*value)
    k = (np.array([5.0, 3.0, 1.0]) + h * 6) % 6
    return (v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1)).astype(np.float32)


def grey(value: float) -> Colour:
    """The grey of `value`, 0-1."""
    return np.full(3, value, np.float32)


def choose(rng: Rng, options: Sequence[str]) -> str:
    """One of `options`, all equally likely."""
    return options[int(rng.integers(len(options)))]


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number between `low` and `high` whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def smooth_walk(rng: Rng, count: int, step_size: float) -> np.ndarray:
    """(count,) running sum of random steps, starting at 0."""
    steps = rng.standard_normal(count) * step_size
    return np.concatenate([[0.0], np.cumsum(steps)[:-1]])
