"""What files store of a picture (bits, palettes, keys of transparency) as plain 8-bit channels, in as many pixels as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import ImageChops, ImageCms
from PIL.Image import Image, Resampling, fromarray, merge, new
from PIL.ImageFile import ImageFile

_BAND = 1 << 22  # pixels that are worked on at once
_GAP = (
    2  # how many times larger than wanted the picture stays until the last step, so that it is as sharp as in one step
)


@dataclass(frozen=True)
class Samples:
    """How a file's samples are to be read, beyond what Pillow does.

    Attributes:
        key: the one colour, as Pillow's pixels have it, that is transparent; None without one.
        inverted: whether Pillow has turned ink into its opposite by mistake.
    """

    key: int | tuple[int, ...] | None
    inverted: bool

    @classmethod
    def of(cls, image: ImageFile) -> Self:
        """Of a picture whose header has been read, but not its data."""
        key = image.info.get("transparency")
        raw = image.tile[0].args if image.tile else ""
        raw = raw[0] if isinstance(raw, tuple) else raw
        if image.mode == "P" or isinstance(key, bytes):
            key = None  # Pillow's own way
        elif isinstance(key, int):  # Pillow spreads few bits over 0..255, but not the key
            key *= {"L;2": 85, "L;4": 17}.get(str(raw), 1)
        elif isinstance(key, tuple) and str(raw).endswith("16B"):
            key = tuple(value >> 8 for value in key)
        # Ink counts from white in every program's JPEG, but by the book only where Adobe's marker says so.
        return cls(key, image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info)


def shrunk(image: Image, samples: Samples, box: tuple[float, float, float, float], size: tuple[int, int]) -> Image:
    """What is in `box`, in `size` pixels: L, LA, RGB, RGBA or CMYK, 8 bits a channel.

    Averaged over whole numbers of pixels, then with a smooth filter for what remains. Colours are weighted by alpha: what is hidden
    does not bleed into the edges.
    """
    width, height = image.size
    factor = max(1, int(min(box[2] / size[0], box[3] / size[1]) / _GAP))
    rows = max(1, _BAND // (width * factor)) * factor
    if factor == 1:
        rows = height
    small: Image | None = None
    for top in range(0, height, rows):
        band = flattened(image.crop((0, top, width, min(top + rows, height))), samples)
        band = band.reduce(factor) if factor > 1 else band
        if small is None:
            small = new(band.mode, (band.width, -(-height // factor)))
        small.paste(band, (0, top // factor))
    assert small is not None
    if small.size == size:
        return small
    # Lanczos swings beyond an edge: of colour weighted by alpha, which cannot, that would be a bright rim
    filter = Resampling.HAMMING if small.mode.endswith("A") else Resampling.LANCZOS
    return small.resize(size, filter, (0, 0, min(box[2] / factor, small.width), min(box[3] / factor, small.height)))


def flattened(image: Image, samples: Samples) -> Image:
    """A picture of any mode as L, LA, RGB, RGBA or CMYK, 8 bits a channel.

    Raises:
        ValueError: the samples have no known range.
    """
    mode = image.mode
    if mode in ("LA", "RGBA"):
        return image
    if mode in ("P", "PA", "La", "RGBa"):
        return image.convert("RGBA" if image.has_transparency_data or mode != "P" else "RGB")
    if mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        plain = fromarray(((values * 255 + 32895) >> 16).astype(np.uint8))
        return plain if samples.key is None else _keyed(plain, values != samples.key)
    if mode == "1":
        image = image.convert("L")
    elif mode == "LAB":  # its averages are none, as two of its channels have a sign
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        return ImageCms.applyTransform(image, transform) or image
    elif mode in ("YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    elif mode == "CMYK":
        return ImageChops.invert(image) if samples.inverted else image
    elif mode not in ("L", "RGB"):
        raise ValueError(f"samples of the kind {mode} are not accepted")
    if samples.key is None:
        return image
    return _keyed(image, (np.asarray(image).reshape(image.height, image.width, -1) != samples.key).any(axis=2))


def _keyed(image: Image, opaque: NDArray[np.bool_]) -> Image:
    alpha = fromarray(opaque.astype(np.uint8) * 255)
    return merge(f"{image.mode}A", (*image.split(), alpha))
