"""The op that grades: every picture through the table of its shot."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.media.frames import Frames
from vidprod.ops.color_plan import ColorPlan, shot_lut
from vidprod.ops.lut_apply import LutFilter
from vidprod.ops.pixels import from_unit, to_unit


class ColorOp:
    """Carries out a `ColorPlan`. The result has 16 bits, so that whoever writes fewer can dither."""

    halo = 0

    def __init__(self, plan: ColorPlan, *, device: torch.device | str = "cpu", limited: bool = True) -> None:
        """Raises InvalidParameter where the plan names a .cube file that cannot be used."""
        self._device = torch.device(device)
        self._shots = plan.shots
        self._starts = [shot.first for shot in plan.shots]
        self._table = plan.table(limited=limited)
        self._current: tuple[int, LutFilter | None] | None = None

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        """(N, 3, H, W) uint16; uint8 pictures of shots that nothing happens to come as (code * 257)."""
        first, stop = frames.index + core.start, frames.index + core.stop
        edges = [first, *(start for start in self._starts if first < start < stop), stop]
        data = frames.data[core]
        parts = [
            self._done(data[a - first : b - first], max(bisect_right(self._starts, a) - 1, 0))
            for a, b in pairwise(edges)
        ]
        # uint16 has no `cat` on every device; int16 has the same bytes
        return parts[0] if len(parts) == 1 else torch.cat([part.view(torch.int16) for part in parts]).view(torch.uint16)

    def _done(self, data: Tensor, number: int) -> Tensor:
        filter = self._filter(number)
        if filter is not None:
            return filter(data, torch.uint16)
        return data if data.dtype == torch.uint16 else (data.to(torch.int32) * 257).to(torch.uint16)

    def _filter(self, number: int) -> LutFilter | None:
        """The table of a shot; the latest one is kept, since shots come in order."""
        if self._current is None or self._current[0] != number:
            shot = self._shots[number] if self._shots else None
            lut = shot_lut(self._table, shot)
            self._current = number, None if lut is None else LutFilter(lut, self._device)
        return self._current[1]


class Shrink:
    """Scales pictures down, averaging over areas; for pictures larger than the result may be."""

    halo = 0

    def __init__(self, width: int, height: int) -> None:
        """The size of the result."""
        self._size = width, height

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        """(N, 3, height, width) of the same dtype."""
        return torch.stack([_movable(self._one(picture)) for picture in frames.data[core]]).view(frames.data.dtype)

    def _one(self, picture: Tensor) -> Tensor:
        width, height = self._size
        if picture.device.type == "cpu":
            packed = picture.movedim(0, -1).contiguous().numpy()
            small = cv2.resize(packed, (width, height), interpolation=cv2.INTER_AREA)
            return torch.from_numpy(small).movedim(-1, 0)
        unit = to_unit(picture[None], torch.float32)
        scaled = F.interpolate(unit, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
        return from_unit(scaled, picture.dtype)[0]


def _movable(data: Tensor) -> Tensor:
    """The same bytes in a type that every operation which only moves them knows, unlike uint16."""
    return data.view(torch.int16) if data.dtype == torch.uint16 else data
