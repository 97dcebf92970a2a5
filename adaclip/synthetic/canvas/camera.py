"""The camera: everything that varies in pictures of flawless things, applied to the whole picture.

Pose and resolution move picture and mask alike; light, colour, blur, noise and compression leave
the mask alone. All of it is normal variation, which a detector must learn to ignore.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from adaclip.synthetic.canvas.fields import Rng, grid, resize

_LUMA = np.array([0.3, 0.59, 0.11], np.float32)
_NEUTRAL = np.ones(3, np.float32)


def render_shape(rng: Rng, size: int) -> tuple[int, int]:
    """(H, W) at which a picture is drawn before it is brought to `size`.

    A third are drawn coarse, as small photographs are enlarged for the model; a third are not
    square, as the model sees every picture squashed into a square.
    """
    side = size if rng.random() < 0.65 else round(size * rng.uniform(0.38, 0.7))
    ratio = 1.0 if rng.random() < 0.65 else rng.uniform(0.62, 0.95)
    short = max(48, round(side * ratio))
    return (short, max(48, side)) if rng.random() < 0.65 else (max(48, side), short)


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Light and colour of one photograph, decided before the picture is known.

    `gain` (H, W) is the uneven light over the scene, None where it is even. `saturation` 0 gives
    a grey picture.
    """

    gain: np.ndarray | None
    saturation: float
    contrast: float
    offset: float
    gamma: float
    balance: np.ndarray

    def develop(self, pixels: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
        """The photograph, 0-1, of scene `pixels` (..., 3), all of them or those at `where`."""
        if self.gain is not None:
            pixels = pixels * (self.gain if where is None else self.gain[where])[..., None]
        if self.saturation < 1:
            tone = (pixels @ _LUMA)[..., None]
            pixels = (
                np.repeat(tone, 3, -1)
                if self.saturation == 0
                else tone + (pixels - tone) * np.float32(self.saturation)
            )
        pixels = (pixels - 0.5) * np.float32(self.contrast) + np.float32(0.5 + self.offset)
        pixels = np.clip(pixels, 0, 1)
        if self.gamma != 1:
            pixels = pixels ** np.float32(self.gamma)
        return np.clip(pixels * self.balance, 0, 1)


def draw_exposure(rng: Rng, shape: tuple[int, int], grey: float = 0.45) -> Exposure:
    """Exposure, contrast, gamma, white balance; a share `grey` of all pictures has no colour."""
    style = rng.random()
    saturation = 1.0
    if style < grey:
        saturation = 0.0
    elif style < grey + 0.15:
        saturation = float(rng.uniform(0.05, 0.4))
    tinted = style >= grey and rng.random() < 0.5
    return Exposure(
        gain=_light(rng, shape),
        saturation=saturation,
        contrast=float(rng.uniform(0.6, 1.15)),
        offset=float(rng.uniform(-0.08, 0.12)),
        gamma=float(rng.uniform(0.75, 1.4)) if rng.random() < 0.4 else 1.0,
        balance=rng.uniform(0.9, 1.08, 3).astype(np.float32) if tinted else _NEUTRAL,
    )


def photograph(
    rng: Rng, image: np.ndarray, mask: np.ndarray, size: int, exposure: Exposure
) -> tuple[np.ndarray, np.ndarray]:
    """Take the picture: (`size`, `size`, 3) uint8, and its mask (`size`, `size`) bool."""
    exposed = exposure.develop(image)
    if rng.random() < 0.5:
        exposed, mask = exposed[:, ::-1], mask[:, ::-1]
    turns = int(rng.choice([0, 0, 0, 1, 2, 3]))
    exposed, mask = np.rot90(exposed, turns), np.rot90(mask, turns)
    picture = Image.fromarray(_to_bytes(np.ascontiguousarray(exposed)))
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3)))
    picture = Image.fromarray(_sensor_noise(rng, np.asarray(picture)))
    coarse = min(picture.size) < size * 0.8
    if rng.random() < 0.5:
        picture = _compress(rng, picture)
    if picture.size != (size, size):
        method = Image.Resampling.BICUBIC if rng.random() < 0.7 else Image.Resampling.BILINEAR
        picture = picture.resize((size, size), method)
    if not coarse and rng.random() < 0.15:
        picture = picture.filter(ImageFilter.UnsharpMask(1.5, 80, 2))
    # A copy, as Pillow's own array is read-only and torch would warn about it.
    return np.array(picture), _resize_mask(mask, size)


def _resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """The mask at (`size`, `size`), cut at half cover so that it neither grows nor shrinks."""
    if mask.shape == (size, size):
        return np.ascontiguousarray(mask)
    cover = Image.fromarray(mask.astype(np.uint8) * 255).resize(
        (size, size), Image.Resampling.BILINEAR
    )
    return np.asarray(cover) >= 128


def _light(rng: Rng, shape: tuple[int, int]) -> np.ndarray | None:
    """Uneven light: a gradient, vignetting and soft patches, drawn coarse and enlarged."""
    if rng.random() < 0.25:
        return None
    rows, columns = (axis / 31 - 0.5 for axis in grid((32, 32)))
    angle = rng.uniform(0, 2 * np.pi)
    ramp = rows * float(np.sin(angle)) + columns * float(np.cos(angle))
    field = 1 + rng.uniform(0, 0.45) * ramp
    if rng.random() < 0.5:
        field = field - rng.uniform(0.1, 0.9) * (rows**2 + columns**2)
    if rng.random() < 0.35:
        patchy = resize(rng.standard_normal((3, 3)).astype(np.float32), (32, 32))
        field = field + rng.uniform(0.02, 0.15) * patchy
    return resize(np.clip(field, 0.35, 1.6), shape)


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _sensor_noise(rng: Rng, picture: np.ndarray) -> np.ndarray:
    """Shot noise, the same in all channels or different, up to about 3 % of full scale."""
    if rng.random() < 0.35:
        return picture
    strength = rng.uniform(0.5, 7)
    if rng.random() < 0.15:
        strength *= 1.6
    shape = picture.shape if rng.random() < 0.3 else (*picture.shape[:2], 1)
    grain = rng.standard_normal(shape, dtype=np.float32) * np.float32(strength)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _compress(rng: Rng, picture: Image.Image) -> Image.Image:
    """Through JPEG and back at a quality of 45 to 95."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.integers(45, 96)))
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")
