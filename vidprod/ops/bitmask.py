"""Masks as plain values: one bit a pixel, compressed, as text that JSON can hold."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidprod.errors import InvalidParameter
from vidprod.ops.text_boxes import Box

Mask = NDArray[np.bool_]  # (H, W)


@dataclass(frozen=True)
class BitMask:
    """Which pixels of a rectangle of the picture are meant.

    Attributes:
        left, top, width, height: the rectangle, in pixels.
        data: base64 of zlib of the rows, eight pixels a byte, the whole rectangle without gaps.
    """

    left: int
    top: int
    width: int
    height: int
    data: str

    @classmethod
    def pack(cls, mask: Mask, left: int = 0, top: int = 0) -> BitMask:
        """From (H, W), whose corner is at (`left`, `top`) of the picture; only the part that holds pixels is kept."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return cls(left, top, 0, 0, "")
        part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        data = base64.b64encode(zlib.compress(np.packbits(part).tobytes(), 9)).decode()
        return cls(left + int(columns[0]), top + int(rows[0]), part.shape[1], part.shape[0], data)

    @property
    def box(self) -> Box:
        """The rectangle."""
        return Box(self.left, self.top, self.left + self.width, self.top + self.height)

    def unpack(self) -> Mask:
        """(height, width) of the rectangle. Raises InvalidParameter where `data` does not fit it."""
        count = self.width * self.height
        if self.width < 0 or self.height < 0:
            raise InvalidParameter(f"a mask of {self.width}x{self.height} pixels makes no sense")
        if count == 0:
            return np.zeros((self.height, self.width), bool)
        size = (count + 7) // 8
        try:
            # One byte more than is needed, so that too much shows, but never the gigabytes a few bytes can unfold into.
            raw = zlib.decompressobj().decompress(base64.b64decode(self.data, validate=True), size + 1)
        except (binascii.Error, ValueError, zlib.error) as error:
            raise InvalidParameter(f"the data of a mask cannot be read: {error}") from None
        if len(raw) != size:
            raise InvalidParameter(f"the data of a mask of {self.width}x{self.height} pixels must be {size} bytes long")
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=count)
        return bits.astype(bool).reshape(self.height, self.width)

    def paint(self, onto: Mask, origin: tuple[int, int] = (0, 0)) -> None:
        """Sets its pixels in (H, W), whose corner is at `origin` (x, y) of the picture; what lies outside is left out."""
        whole = Box(0, 0, onto.shape[1], onto.shape[0])
        there = self.box.moved(-origin[0], -origin[1])
        seen = there & whole
        if seen.area:
            onto[seen.slices] |= self.unpack()[seen.moved(-there.left, -there.top).slices]
