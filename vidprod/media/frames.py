"""`Frames`: the batch of pictures that travels from reader to ops to writer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Frames:
    """Consecutive pictures of one video.

    Attributes:
        data: (N, 3, H, W) non-linear R'G'B' at full range; uint8, or uint16 over 0..65535 when the source has more than
            eight bits. Upright (rotation applied), progressive, square or not as `VideoInfo.sample_aspect_ratio` says.
            On the CPU the memory behind it is (N, H, W, 3), that is, channels_last.
        pts: N strictly increasing presentation times in units of `time_base`, counted from the earliest start of the
            file's audio and video. Always on the CPU.
        time_base: seconds per unit of `pts`.
        index: number of the first picture in the decoded video, from 0, whatever range is read.
        qp: N mean quantiser steps of the decoder (0..51 on the H.264 scale), None where the codec tells none.
    """

    data: Tensor
    pts: tuple[int, ...]
    time_base: Fraction
    index: int = 0
    qp: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        if self.data.ndim != 4 or self.data.shape[1] != 3:
            raise ValueError(f"data must be (N, 3, H, W), got {tuple(self.data.shape)}")
        if self.data.dtype not in (torch.uint8, torch.uint16):
            raise ValueError(f"data must be uint8 or uint16, got {self.data.dtype}")
        if len(self.pts) != len(self.data):
            raise ValueError(f"{len(self.data)} pictures but {len(self.pts)} pts")
        if any(b <= a for a, b in zip(self.pts, self.pts[1:], strict=False)):
            raise ValueError(f"pts must increase strictly, got {self.pts}")
        if self.qp and len(self.qp) != len(self.pts):
            raise ValueError(f"{len(self.pts)} pictures but {len(self.qp)} qp")

    def __len__(self) -> int:
        return len(self.pts)

    def __repr__(self) -> str:
        n, _, h, w = self.data.shape
        kind = f"{str(self.data.dtype).removeprefix('torch.')} on {self.data.device}"
        return (
            f"Frames({n} x {w}x{h} {kind}, index={self.index}, pts={self.pts[:1]}..{self.pts[-1:]} x {self.time_base}s)"
        )

    @property
    def height(self) -> int:
        """Pixels of the upright picture."""
        return self.data.shape[2]

    @property
    def width(self) -> int:
        """Pixels of the upright picture."""
        return self.data.shape[3]

    @property
    def seconds(self) -> tuple[Fraction, ...]:
        """Presentation times in exact seconds."""
        return tuple(p * self.time_base for p in self.pts)

    def __getitem__(self, part: slice) -> Frames:
        """A contiguous part, sharing memory."""
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise ValueError("only contiguous slices of Frames make sense")
        return dataclasses.replace(
            self, data=self.data[start:stop], pts=self.pts[start:stop], index=self.index + start, qp=self.qp[start:stop]
        )

    def with_data(self, data: Tensor) -> Frames:
        """The same moments with other pictures, of any size."""
        return dataclasses.replace(self, data=data)

    @staticmethod
    def cat(parts: list[Frames]) -> Frames:
        """Joins consecutive batches of one video."""
        first = parts[0]
        if len(parts) == 1:
            return first
        at = first.index
        for part in parts:
            if part.index != at or part.time_base != first.time_base:
                raise ValueError(f"batches do not follow each other: {parts}")
            at += len(part)
        return dataclasses.replace(
            first,
            data=torch.cat([p.data for p in parts]),
            pts=tuple(t for p in parts for t in p.pts),
            qp=tuple(q for p in parts for q in p.qp),
        )
