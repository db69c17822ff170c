"""How the pictures of one shot come to stand in a frame: the part that is needed, its size, and the moving window on it.

A picture is brought to its size in two steps. First the part of it that all windows of the shot need is scaled with antialiasing,
to a little more than the pixels that the closest window shows. Then each window is taken from that at fractions of pixels, so that
slow movements neither judder nor shimmer. A window that stands still needs the first step only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidprod.ops.pulse import tightened
from vidprod.ops.reframe import Layout, scaled, shifted

Floats = NDArray[np.float64]
Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels, right and bottom exclusive."""

Sides = tuple[bool, bool, bool, bool]
"""top, bottom, left, right."""

FINER = 1.25
"""Pixels of the scaled part for each pixel of the closest window. At 1, a slow movement would be sharp and soft in turns: where a
window lies between pixels, interpolation blurs it. Measured on a photograph with much detail, the sharpness of consecutive pictures
differs by 2 % at 1 and by 0.05 % from 1.03 on, which is as little as with Lanczos' filter; at 1.25 they are as sharp as with that.
"""

_LEAST = 1.06  # of that, where windows differ much in size
_ROUGH = 1.45  # pixels for each one of the result above which details would flicker: several samples are averaged then
_STILL = 1e-6  # fractions of the picture
_EXACT = 0.005  # part of a window's size by which rounding it to whole pixels may change it
_BLUR = 0.05  # sigma of the background, against the frame's shorter side
_DIM = 0.84  # what is left of its brightness, so that the picture stands out from it, white ones on white too
_EDGE = 0.01  # of a picture's shorter side
_ALIKE, _MOST, _WHOLLY = (
    24,
    0.75,
    0.98,
)  # levels by which a plain border's colours differ; part of it, and of a side, that is so
_COARSE = 3  # sigma of that blur where it is done, in pixels


@dataclass(frozen=True, eq=False)
class View:
    """What is needed of each picture, and what is done with it.

    Attributes:
        box: the part of the upright picture.
        size: height and width to which it is scaled.
        windows: (n, 4) left, top, width, height of the window of each moment, in pixels of the scaled part; None where that is
            what is seen all the time.
        places: (n, 4) left, top, width, height of where each window lands in the frame: whole pixels, unless that moves.
        frame: height and width.
        samples: along each side, for each pixel of the result.
        plain: which sides go on in the bars, where the background is of one colour; None where bars show a blurred picture.
    """

    box: Box
    size: tuple[int, int]
    windows: Floats | None
    places: Floats
    frame: tuple[int, int]
    samples: int = 1
    plain: Sides | None = None

    @classmethod
    def of(
        cls,
        windows: Floats,
        picture: tuple[int, int],
        frame: tuple[int, int],
        *,
        swell: Floats | None = None,
        pixel: float = 1.0,
        aligned: Callable[[Box], Box] = lambda box: box,
    ) -> Self:
        """For windows of a picture in a frame.

        Args:
            windows: (n, 4) x, y, w, h as parts of the picture.
            picture: height and width of the upright picture.
            frame: height and width.
            swell: (n,) by what the picture is enlarged for a moment; see `vidprod.ops.pulse`.
            pixel: width / height of the picture's pixels.
            aligned: the smallest part that can be had and holds a box.
        """
        height, width = picture
        calm = windows * np.array([width, height, width, height])
        boxes = calm if swell is None or swell.max() <= 1 else tightened(calm, swell)
        places = _places(boxes[:, 2] * pixel / boxes[:, 3], frame)
        if np.ptp(boxes, axis=0).max() <= _STILL * max(width, height):
            whole = _rounded(boxes[0], picture, aligned)
            if whole is not None:
                return cls(whole, (round(places[0, 3]), round(places[0, 2])), None, places, frame)
        box = aligned(_around(boxes, picture))
        left, top, right, bottom = box
        shown = calm[:, 2:] / places[:, 2:]  # pixels for each one of the result
        closest, widest = shown.min(0), shown.max(0)
        finer = float(np.clip(_ROUGH / (widest / closest).max(), _LEAST, FINER))
        scale = np.minimum(finer / closest, 1.0)
        wide, high = (max(round(length), 1) for length in (right - left, bottom - top) * scale)
        scale = np.array([wide / (right - left), high / (bottom - top)])
        moved = (boxes - np.array([left, top, 0, 0])) * np.tile(scale, 2)
        rough = float((widest * scale).max()) - 1e-9
        return cls(box, (high, wide), moved, places, frame, 1 if rough <= _ROUGH else math.ceil(rough))

    @property
    def still(self) -> bool:
        """Whether the same is seen of a picture at all times."""
        return self.windows is None or bool(np.ptp(self.windows, axis=0).max() == 0)

    def frames(self, plates: Sequence[Tensor], which: Sequence[int], first: int) -> Tensor:
        """Pictures of the shot, in the frame.

        Args:
            plates: scaled parts, (3, *size) each.
            which: number of the plate that each picture shows.
            first: number of the first picture in the shot.

        Returns:
            (len(which), 3, *frame) uint8 on the device of the plates.
        """
        parts = []
        at = 0
        while at < len(which):  # runs of windows that land in the same place; usually there is but one
            stop = at + 1
            while stop < len(which) and (self.places[first + stop] == self.places[first + at]).all():
                stop += 1
            here = [plates[number] for number in which[at:stop]]
            parts.append(self._placed(here, slice(first + at, first + stop)))
            at = stop
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _placed(self, plates: Sequence[Tensor], part: slice) -> Tensor:
        """Pictures that all land in the same place."""
        data = _together(plates)
        left, top, width, height = self.places[part.start]
        x, y = math.floor(left), math.floor(top)
        across, down = math.ceil(left + width) - x, math.ceil(top + height) - y
        if self.windows is None:
            seen = data.expand(len(plates), -1, -1, -1)
        else:
            # where the place ends within pixels of the frame, the whole of those
            scale = self.windows[part, 2:] / np.array([width, height])
            corners = self.windows[part, :2] - scale * np.array([left - x, top - y])
            seen = _windowed(
                data, np.concatenate([corners, scale * np.array([across, down])], 1), (down, across), self.samples
            )
        if (down, across) == self.frame and (width, height) == (across, down):
            return seen
        if self.plain is not None:
            rows, columns = self.frame
            y, x = (
                _beside(y, rows - down, self.plain[0], self.plain[1]),
                _beside(x, columns - across, self.plain[2], self.plain[3]),
            )
            return continued(seen, y, x, self.frame)
        out = backdrop(data, *self.frame)
        if len(out) < len(plates):
            out = out.expand(len(plates), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        inner = out[:, :, y : y + down, x : x + across]
        if (width, height) != (across, down):
            weight = _covered(top - y, height, down)[:, None] * _covered(left - x, width, across)
            seen = torch.lerp(inner.float(), seen.float(), weight.to(seen.device)).round_().to(torch.uint8)
        inner.copy_(seen)
        return out


def largest(picture: tuple[int, int], frame: tuple[int, int], pixel: float = 1.0) -> tuple[float, float, float, float]:
    """x, y, w, h of the largest part in the middle of a picture (height, width) that has a frame's shape."""
    aspect = picture[1] * pixel / picture[0] * frame[0] / frame[1]
    w, h = min(1 / aspect, 1.0), min(aspect, 1.0)
    return (1 - w) / 2, (1 - h) / 2, w, h


def backdrop(pictures: Tensor, height: int, width: int) -> Tensor:
    """(N, 3, H, W) uint8 -> (N, 3, height, width): the pictures enlarged until they cover a frame, blurred and a little darker."""
    rows, columns = pictures.shape[2:]
    _, _, w, h = largest((rows, columns), (height, width))
    wide, high = max(round(columns * w), 1), max(round(rows * h), 1)
    left, top = (columns - wide) // 2, (rows - high) // 2
    sigma = _BLUR * min(height, width)
    coarse = max(sigma / _COARSE, 1.0)
    small = scaled(
        pictures[:, :, top : top + high, left : left + wide],
        (max(round(height / coarse), 1), max(round(width / coarse), 1)),
    )
    soft = _blurred(small.float() * _DIM, sigma / coarse).round_().clamp_(0, 255).to(torch.uint8)
    return scaled(soft.contiguous(memory_format=torch.channels_last), (height, width))


def plain_sides(picture: Tensor) -> Sides | None:
    """Which sides of a picture (3, H, W) uint8 are of one colour; None unless the border is, for the most part, as in a studio."""
    count = max(round(_EDGE * min(picture.shape[1:])), 1)
    sides = [picture[:, :count], picture[:, -count:], picture[:, :, :count], picture[:, :, -count:]]
    flat = [side.flatten(1).to(torch.int16) for side in sides]
    colour = torch.cat(flat, 1).median(1, keepdim=True).values
    alike = [((side - colour).abs().amax(0) <= _ALIKE).float() for side in flat]
    if float(torch.cat(alike).mean()) < _MOST:
        return None
    top, bottom, left, right = (float(side.mean()) >= _WHOLLY for side in alike)
    return top, bottom, left, right


def _beside(place: int, room: int, before: bool, after: bool) -> int:
    """Where a picture stands: at the side of the frame at which it is cut, if it goes on at the other."""
    return place if before == after else (room if before else 0)


def continued(pictures: Tensor, top: int, left: int, frame: tuple[int, int]) -> Tensor:
    """(N, 3, h, w) uint8 -> (N, 3, *frame): the pictures at a place in a frame, what is at their edges going on beyond them.

    Of the edges a smooth course is taken: noise would become stripes.
    """
    height, width = frame
    if pictures.shape[2] == height:  # bars on the left and the right
        turned = continued(pictures.transpose(2, 3), left, top, (width, height))
        return turned.transpose(2, 3).contiguous(memory_format=torch.channels_last)
    high = pictures.shape[2]
    out = torch.empty((len(pictures), 3, height, width), dtype=torch.uint8, device=pictures.device)
    out = out.contiguous(memory_format=torch.channels_last)
    out[:, :, top : top + high] = pictures
    band = max(round(_EDGE * high), 1)
    reach = max(width // 64, 1)
    for bar, edge in ((out[:, :, :top], pictures[:, :, :band]), (out[:, :, top + high :], pictures[:, :, -band:])):
        course = F.pad(edge.float().mean(2), (reach, reach), mode="replicate")
        bar.copy_(F.avg_pool1d(course, 2 * reach + 1, 1)[:, :, None].round().to(torch.uint8).expand_as(bar))
    return out


def _blurred(values: Tensor, sigma: float) -> Tensor:
    """(N, C, H, W) floats through a Gaussian; beyond the edges their values go on."""
    reach = math.ceil(3 * sigma)
    places = torch.arange(-reach, reach + 1, device=values.device, dtype=values.dtype)
    weights = torch.exp(-((places / sigma) ** 2) / 2)
    weights = weights / weights.sum()
    count, channels, height, width = values.shape
    flat = values.reshape(count * channels, 1, height, width)
    flat = F.conv2d(F.pad(flat, (reach, reach, 0, 0), mode="replicate"), weights.view(1, 1, 1, -1))
    flat = F.conv2d(F.pad(flat, (0, 0, reach, reach), mode="replicate"), weights.view(1, 1, -1, 1))
    return flat.view(count, channels, height, width)


def _together(plates: Sequence[Tensor]) -> Tensor:
    """(N, 3, H, W), laid out as the plates are: channels last on the CPU. One picture where all of them are the same."""
    if all(plate is plates[0] for plate in plates):
        return plates[0][None]
    return torch.stack([plate.permute(1, 2, 0) for plate in plates]).permute(0, 3, 1, 2)


def _windowed(plates: Tensor, windows: Floats, size: tuple[int, int], samples: int) -> Tensor:
    high, wide = size
    return scaled(shifted(plates, windows, (high * samples, wide * samples)), size)


def _covered(start: float, length: float, count: int) -> Tensor:
    """(count,) what part of each pixel lies between two places."""
    edges = np.arange(count)
    return torch.from_numpy(
        (np.minimum(edges + 1, start + length) - np.maximum(edges, start)).clip(0, 1).astype(np.float32)
    )


def _places(aspects: Floats, frame: tuple[int, int]) -> Floats:
    """Of windows that are so much wider than high, in the middle of a frame."""
    height, width = frame
    if np.ptp(aspects) <= _STILL * aspects.max():
        one = Layout.of(float(aspects[0]), width, height, "image")
        return np.tile(np.array([one.left, one.top, one.width, one.height], np.float64), (len(aspects), 1))
    wide, high = np.minimum(width, height * aspects), np.minimum(height, width / aspects)
    return np.stack([(width - wide) / 2, (height - high) / 2, wide, high], 1)


def _around(boxes: Floats, picture: tuple[int, int]) -> Box:
    """The smallest part that holds all windows and what is interpolated beside them."""
    height, width = picture
    left, top = np.floor(boxes[:, :2].min(0)).astype(int) - 2
    right, bottom = np.ceil((boxes[:, :2] + boxes[:, 2:]).max(0)).astype(int) + 2
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return int(left), int(top), int(min(max(right, left + 1), width)), int(min(max(bottom, top + 1), height))


def _rounded(box: Floats, picture: tuple[int, int], aligned: Callable[[Box], Box]) -> Box | None:
    """A window in whole pixels; None where that would change it much."""
    height, width = picture
    left, top = min(max(round(box[0]), 0), width - 1), min(max(round(box[1]), 0), height - 1)
    right = min(max(round(box[0] + box[2]), left + 1), width)
    bottom = min(max(round(box[1] + box[3]), top + 1), height)
    found = aligned((left, top, right, bottom))
    wrong = np.abs(np.array(found) - np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]]))
    return found if wrong.max() <= _EXACT * min(box[2], box[3]) or wrong.max() < 1e-3 else None
