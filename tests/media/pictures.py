"""Still pictures as files, byte by byte where no library writes that kind."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # PNG's colour types

Array = NDArray[np.generic]


def ramp(height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """(H, W, 3): another colour everywhere, no two sides alike."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), np.full_like(x, 128)], axis=-1).astype(np.uint8)


def encoded(picture: Array | Image.Image, format: str, **options: object) -> bytes:
    """What Pillow writes."""
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """Of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(size: tuple[int, int], bits: int, kind: int, data: bytes, *chunks: bytes) -> bytes:
    """A PNG file of width x height; `data` are its rows, each one after a zero, `chunks` what goes before them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(data, 1))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + rows + chunk(b"IEND", b"")


def rows(values: Array) -> bytes:
    """Of a PNG: (H, W) or (H, W, C) of one or two bytes a value."""
    big = values.astype(">u2") if values.dtype.itemsize == 2 else values
    return b"".join(b"\0" + row.tobytes() for row in big)


def packed(values: NDArray[np.uint8], bits: int) -> bytes:
    """Of a PNG: (H, W), 1, 2 or 4 bits a value."""
    places = np.arange(bits - 1, -1, -1, dtype=np.uint8)
    digits = (values[..., None] >> places & 1).reshape(len(values), -1)
    return rows(np.packbits(digits, axis=1))


def bmp32(values: NDArray[np.uint8]) -> bytes:
    """(H, W, 4) RGBA as a BMP that says which of its bytes is alpha (BITMAPV4HEADER)."""
    height, width = values.shape[:2]
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 108, width, -height, 1, 32, 3, height * width * 4, 2835, 2835, 0, 0) + masks
    head += b"BGRs" + bytes(48)
    body = values[..., [2, 1, 0, 3]].tobytes()
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 14 + len(head)) + head + body


def profile(space: bytes, *tags: tuple[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile (version 2.4) of a colour space "RGB ", "GRAY" or "CMYK"."""
    white = _fixed(0.9642, 1.0, 0.8249)
    table, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags:
        padded = content + b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", at + len(data), len(content))
        data += padded
    head = struct.pack(
        ">I4xI4s4s4s12x4s", at + len(data), 0x02400000, b"prtr" if space == b"CMYK" else b"mntr", space, pcs, b"acsp"
    )
    return head + b"\0" * (68 - len(head)) + white + b"\0" * 48 + struct.pack(">I", len(tags)) + table + data


def rgb_profile(red: Sequence[float], green: Sequence[float], blue: Sequence[float], gamma: float) -> bytes:
    """Of primaries as XYZ adapted to D50, and one exponent for all."""
    curve = _curve(gamma)
    corners = zip((b"rXYZ", b"gXYZ", b"bXYZ"), (red, green, blue), strict=True)
    primaries = [(name, b"XYZ \0\0\0\0" + _fixed(*xyz)) for name, xyz in corners]
    return profile(b"RGB ", *primaries, (b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve))


def grey_profile(gamma: float) -> bytes:
    """Of one exponent."""
    return profile(b"GRAY", (b"wtpt", b"XYZ \0\0\0\0" + _fixed(0.9642, 1.0, 0.8249)), (b"kTRC", _curve(gamma)))


def ink_profile(corners: Sequence[tuple[float, float, float]]) -> bytes:
    """Of CMYK by the Lab of its 16 corners, black changing fastest."""
    lab = np.array(corners) * [2.55, 1, 1] + [0, 128, 128]
    straight = bytes(range(256))
    table = struct.pack(">4s4xBBBx9i", b"mft1", 4, 3, 2, *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table += straight * 4 + lab.round().clip(0, 255).astype(np.uint8).tobytes() + straight * 3
    return profile(b"CMYK", (b"A2B0", table), (b"A2B1", table), pcs=b"Lab ")


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))
