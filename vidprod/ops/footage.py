"""The pictures of one shot, as they stand in a frame: of a photograph, or of a stretch of a video."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from torch import Tensor

from vidprod.errors import FileContent
from vidprod.media.color import FULL
from vidprod.media.hardware import ToDevice
from vidprod.media.moments import seen
from vidprod.media.part import PartToRGB, aligned
from vidprod.media.probe import VideoInfo
from vidprod.media.reader import VideoReader
from vidprod.media.still import over, read_still
from vidprod.ops.log_curves import HDR_CURVES
from vidprod.ops.log_look import log_lut
from vidprod.ops.lut import LutChain
from vidprod.ops.lut_apply import LutFilter
from vidprod.ops.reframe import scaled
from vidprod.ops.timeline import Floats, Shot
from vidprod.ops.view import FINER, Box, View, largest, plain_sides

STILL_SIDE = 4096
"""Pixels of the longer side at which photographs are read."""

_SMALLEST_SIDE = 512  # at which a photograph is read
_WHITE = (255, 255, 255)
_SMALLER = 0.7  # of the pixels of a part, below which it is scaled while it is converted
_SNAP = 0.6  # of a step: more than half of one, which is how far off a shot of a video of the same rate may begin


@dataclass(frozen=True, eq=False)
class Showing:
    """When and where a shot is seen.

    Attributes:
        shot: the shot.
        seconds: (n,) of the source, for each picture of the result.
        swell: (n,) by what each is enlarged; see `vidprod.ops.pulse`.
        frame: height and width of the pictures wanted.
        step: seconds from one picture of the result to the next.
        device: where they are wanted.
    """

    shot: Shot
    seconds: Floats
    swell: Floats
    frame: tuple[int, int]
    step: float
    device: torch.device

    @property
    def speed(self) -> float:
        """Seconds of the source for each second of the result."""
        return (self.shot.end - self.shot.start) / (self.shot.out_end - self.shot.out_start)

    def view(
        self, picture: tuple[int, int], pixel: float = 1.0, aligned: Callable[[Box], Box] = lambda box: box
    ) -> View:
        """For pictures of a height and width, with pixels that are `pixel` as wide as high; `aligned` as in `View.of`."""
        if self.shot.path:
            windows = self.shot.windows(self.seconds)
        else:
            windows = np.tile(np.array(largest(picture, self.frame, pixel)), (len(self.seconds), 1))
        return View.of(windows, picture, self.frame, swell=self.swell, pixel=pixel, aligned=aligned)


def still_footage(
    showing: Showing,
    path: Path,
    background: tuple[int, int, int] | None,
    lengths: Sequence[int],
    *,
    side: int = STILL_SIDE,
) -> Iterator[Tensor]:
    """(n, 3, H, W) uint8 for each n of `lengths`, of a photograph; it is decoded and scaled once.

    Args:
        showing: how it is seen.
        path: the file.
        background: red, green and blue of what is behind it where it is transparent; white by default.
        lengths: how many pictures are wanted at a time.
        side: pixels of the longer side at which it is read at most.
    """
    still = read_still(path, side=_side(showing, side))
    whole = still.picture if still.alpha is None else over(still, _WHITE if background is None else background)
    view = replace(showing.view((whole.shape[1], whole.shape[2])), plain=plain_sides(whole))
    left, top, right, bottom = view.box
    part = whole[None, :, top:bottom, left:right].contiguous(memory_format=torch.channels_last)
    plate = _graded(scaled(part, view.size)[0].to(showing.device), _levels(showing.shot.gamma))
    del still, whole, part
    same = view.frames([plate], [0], 0) if view.still else None
    first = 0
    for length in lengths:
        if same is not None:
            yield same.expand(length, -1, -1, -1)
        else:
            yield view.frames([plate], [0] * length, first)
        first += length


def video_footage(showing: Showing, info: VideoInfo, lengths: Sequence[int]) -> Iterator[Tensor]:
    """(n, 3, H, W) uint8 for each n of `lengths`, of a video; it is open from the first until the last.

    Of the video each picture is shown that is seen at its time; after its end the last one. Pictures of HDR are brought to Rec.709.

    Raises:
        FileContent: no picture can be read.
    """
    # half of the shorter of two distances: of the times, and of the video's pictures
    steps = [] if info.frame_rate is None else [float(1 / info.frame_rate)]
    steps += [showing.step * showing.speed] if showing.speed else []
    tolerance = min(steps, default=showing.step) / 2
    start = Fraction(max(float(showing.seconds[0]), 0.0)).limit_denominator(1_000_000)
    with ExitStack() as stack:
        plates = _plates(showing, info, max(lengths))
        reader = stack.enter_context(VideoReader(info.path, info=info, device=showing.device))
        pictures = reader.since(start, hardware=True)
        stack.callback(pictures.close)  # type: ignore[attr-defined]
        shown = seen(
            pictures, showing.seconds, time_base=info.time_base, tolerance=tolerance, snap=showing.step * _SNAP
        )
        yield from _batches(shown, plates, lengths, info.path.name)


def _batches(
    shown: Iterator[tuple[av.VideoFrame, int]], plates: _Plates, lengths: Sequence[int], name: str
) -> Iterator[Tensor]:
    latest: Tensor | None = None
    left = first = 0  # times that the latest picture is still to be shown; pictures done
    for length in lengths:
        which: list[int] = []
        ready = [] if latest is None or not left else [latest]
        fresh = len(ready)
        while len(which) < length:
            if not left:
                one = next(shown, None)
                if one is None:
                    raise FileContent(f"{name}: no picture can be read")
                frame, left = one
                plates.add(frame)
                fresh += 1
            now = min(left, length - len(which))
            which += [fresh - 1] * now
            left -= now
        ready += plates.take()
        latest = ready[-1]
        yield plates.view.frames(ready, which, first)
        first += length


class _Plates:
    """Decoded pictures -> what the view needs of them, as RGB on the device."""

    def __init__(self, view: View, gamma: tuple[float, float, float]) -> None:
        self.view = view
        self._gamma = _levels(gamma)

    def add(self, frame: av.VideoFrame) -> None:
        """Takes a picture, whose memory may be used again afterwards."""
        raise NotImplementedError

    def take(self) -> list[Tensor]:
        """(3, *view.size) uint8 for each picture taken since the last time."""
        raise NotImplementedError


class _HostPlates(_Plates):
    """On the CPU: cut, scaled and converted in one go."""

    def __init__(self, view: View, info: VideoInfo, gamma: tuple[float, float, float]) -> None:
        super().__init__(view, gamma)
        chain = _rec709(info)
        self._filter = None if chain is None else LutFilter(chain)
        left, top, right, bottom = view.box
        own = bottom - top, right - left
        # enlarging, and shrinking by little, takes swscale twice as long as torch
        size = view.size if view.size[0] * view.size[1] < _SMALLER * own[0] * own[1] else own
        self._convert = PartToRGB(info, view.box, size, 8 if chain is None else 16)
        self._done: list[Tensor] = []

    def add(self, frame: av.VideoFrame) -> None:
        plate = self._convert(frame)
        if self._filter is not None:
            plate = self._filter(plate[None], torch.uint8)[0]
        self._done.append(scaled(_graded(plate, self._gamma)[None], self.view.size)[0])

    def take(self) -> list[Tensor]:
        done, self._done = self._done, []
        return done


class _DevicePlates(_Plates):
    """On a GPU: whole pictures go there, a batch at a time."""

    def __init__(
        self, view: View, info: VideoInfo, gamma: tuple[float, float, float], device: torch.device, batch: int
    ) -> None:
        super().__init__(view, gamma)
        chain = _rec709(info)
        self._filter = None if chain is None else LutFilter(chain, device)
        self._upload = ToDevice(info, device, 8 if chain is None else 16, batch)
        self._count = 0

    def add(self, frame: av.VideoFrame) -> None:
        self._upload.add(frame)
        self._count += 1

    def take(self) -> list[Tensor]:
        if not self._count:
            return []
        self._count = 0
        left, top, right, bottom = self.view.box
        data = self._upload.take()[:, :, top:bottom, left:right]
        if self._filter is not None:
            data = self._filter(data, torch.uint8)
        return list(_graded(scaled(data, self.view.size), self._gamma))


def _plates(showing: Showing, info: VideoInfo, batch: int) -> _Plates:
    picture = info.display_height, info.display_width
    pixel = float(info.sample_aspect_ratio)
    gamma = showing.shot.gamma
    if showing.device.type == "cpu":
        return _HostPlates(showing.view(picture, pixel, functools.partial(aligned, info)), info, gamma)
    return _DevicePlates(showing.view(picture, pixel), info, gamma, showing.device, batch)


def _rec709(info: VideoInfo) -> LutChain | None:
    """What brings a video to Rec.709; None where it is so, or nearly."""
    if not info.color.is_hdr:
        return None
    return _hdr_table(info.color.transfer, info.color.range != FULL)


@functools.cache
def _hdr_table(transfer: int, limited: bool) -> LutChain:
    return log_lut(HDR_CURVES[transfer], limited=limited)


def _side(showing: Showing, most: int) -> int:
    """Pixels of the longer side that a photograph must have for its closest window to be as fine as the frame."""
    if not showing.shot.path:
        return most
    closest = showing.shot.windows(showing.seconds)[:, 2:].min(0)
    height, width = showing.frame
    # of a frame that is not filled one of the two is more than enough
    wanted = FINER * max(width / closest[0], height / closest[1])
    return int(min(max(wanted, _SMALLEST_SIDE), most))


def _levels(gamma: tuple[float, float, float]) -> Tensor | None:
    """(3, 256) uint8: what each level becomes; None where nothing changes."""
    if gamma == (1.0, 1.0, 1.0):
        return None
    levels = torch.linspace(0, 1, 256, dtype=torch.float64)
    table = torch.stack([levels**exponent for exponent in gamma])
    return (table * 255).round().to(torch.uint8)


def _graded(pictures: Tensor, levels: Tensor | None) -> Tensor:
    """(..., 3, H, W) uint8 through a table of `_levels`."""
    if levels is None:
        return pictures
    if pictures.device.type == "cpu" and pictures.dim() == 3:
        packed = pictures.permute(1, 2, 0).contiguous().numpy()
        table = levels.T.contiguous().numpy().reshape(1, 256, 3)
        return torch.from_numpy(np.asarray(cv2.LUT(packed, table))).permute(2, 0, 1)
    offsets = torch.arange(3, device=pictures.device, dtype=torch.int32).view(3, 1, 1) * 256
    return levels.to(pictures.device).flatten()[pictures.to(torch.int32) + offsets]
