"""Colours of stills as sRGB: embedded ICC profiles, and printing ink with and without one."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms
from PIL.Image import Image, fromarray, merge

_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of ICC profiles, as Pillow's modes
_BAND = 1 << 18  # pixels that are worked on at once
# sRGB of full inks on coated paper by cyan, magenta and yellow, as commonly given for the European standard inks (ISO 2846-1); of
# these with black on top only a trace remains. How far light spreads in paper makes dots look larger: an exponent in place of
# Yule and Nielsen's, which fits that sRGB is no measure of light. Chosen for the least difference to a profile of SWOP.
_OVERPRINTS = (
    np.array(
        [255, 255, 255, 255, 237, 0, 230, 0, 126, 227, 6, 19, 0, 158, 224, 0, 150, 64, 49, 39, 131, 57, 46, 44],
        np.float32,
    ).reshape(2, 2, 2, 3)
    / 255
)
_BLACK, _SPREAD = 0.115, 1.25
# Adobe RGB (1998) Color Image Encoding, 4.3; its primaries in those of sRGB, white point D65 of both
_ADOBE_GAMMA = 2.19921875
_ADOBE_TO_SRGB = np.array([[1.398356, -0.398356, 0], [0, 1, 0], [0, -0.042929, 1.042929]], np.float32)
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.HIGHRESPRECALC


def to_srgb(image: Image, profile: bytes | None, *, adobe_rgb: bool = False) -> Image:
    """A picture of mode L, LA, RGB, RGBA or CMYK as RGB or RGBA in sRGB.

    Args:
        image: the picture.
        profile: the ICC profile it came with. One that is damaged or for another kind of picture is left out, as browsers do.
        adobe_rgb: whether a camera says, by other means than a profile, that the colours are Adobe RGB.
    """
    alpha = image.getchannel("A") if image.mode.endswith("A") else None
    plain = image.convert(image.mode[:-1]) if alpha is not None else image
    converted = (_through(plain, profile) if profile else None) or _assumed(plain, adobe_rgb)
    return converted if alpha is None else merge("RGBA", (*converted.split(), alpha))


def _through(image: Image, profile: bytes) -> Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _SPACES.get(source.profile.xcolor_space)
        if mode is None or (mode != image.mode and (image.mode, mode) != ("L", "RGB")):
            return None
        image = image if image.mode == mode else image.convert(mode)
        transform = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, _FLAGS
        )
        if mode == "RGB" and _changes_nothing(transform):
            return image
        return ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours all over the cube stay what they are: most profiles say sRGB."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(27, 27, 3)
    after = ImageCms.applyTransform(fromarray(cube), transform)
    return after is not None and int(np.abs(np.asarray(after).astype(int) - cube).max()) <= 1


def _assumed(image: Image, adobe_rgb: bool) -> Image:
    """What a picture without a profile most likely means."""
    if image.mode == "CMYK":
        return _by_rows(image, _printed)
    if adobe_rgb and image.mode == "RGB":
        return _by_rows(image, _from_adobe_rgb)
    return image.convert("RGB")


def _by_rows(image: Image, convert: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Image:
    values = np.asarray(image)
    rows = max(1, _BAND // image.width)
    out = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, rows):
        out[top : top + rows] = convert(values[top : top + rows])
    return fromarray(out)


def _printed(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Neugebauer's equations: every overprint of full inks counts by the paper it covers if the dots lie at random.

    The usual formula, (1 - C)(1 - K), gives colours of neon that no ink has.
    """
    share = ink.astype(np.float32) / 255
    mixed = np.broadcast_to(_OVERPRINTS**_SPREAD, (*ink.shape[:2], 2, 2, 2, 3))
    for at in range(3):
        part = share[:, :, at].reshape(*ink.shape[:2], *(1,) * (mixed.ndim - 3))
        mixed = mixed[:, :, 0] * (1 - part) + mixed[:, :, 1] * part
    black = share[:, :, 3:]
    mixed = mixed * (1 - black * (1 - np.float32(_BLACK) ** _SPREAD))
    return np.asarray((mixed ** (1 / _SPREAD) * 255 + 0.5).astype(np.uint8))


def _from_adobe_rgb(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    light = (np.linspace(0, 1, 256, dtype=np.float32) ** _ADOBE_GAMMA)[values] @ _ADOBE_TO_SRGB.T
    return _SRGB[(light.clip(0, 1) * (len(_SRGB) - 1) + 0.5).astype(np.int32)]


def _srgb_table(size: int) -> NDArray[np.uint8]:
    light = np.linspace(0, 1, size)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    return np.asarray((curve * 255).round().astype(np.uint8))


_SRGB = _srgb_table(1 << 13)
