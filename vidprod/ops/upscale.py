"""Super-resolution: twice the size, with the network's weights matched to how hard each shot was compressed.

Weights trained on clean pictures sharpen the coding errors of real uploads along with the detail, and fall below plain bicubic
interpolation on them; weights trained on compressed pictures lose detail on clean ones. The two sets are fine-tuned from one
another, so anything on the straight line between them is a good network too (Wang et al., "Deep Network Interpolation for
Continuous Imagery Effect Transition", CVPR 2019). The decoder tells the quantiser of every block: that sets the place on
the line, per shot, at no cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from vidprod.errors import InvalidParameter
from vidprod.media.frames import Frames
from vidprod.media.probe import VideoInfo
from vidprod.models.interpolate import Interpolation
from vidprod.models.registry import ModelSpec, load
from vidprod.ops.cores import CorePool, Inline
from vidprod.ops.guard import guard
from vidprod.ops.pixels import to_unit
from vidprod.ops.reuse import Box, boxes_to_compute, changed_tiles
from vidprod.ops.shots import Shot, ShotDetection
from vidprod.ops.tiles import tiled

SCALE = 2

ADAPTIVE = "span-x2-adaptive"
"""The default: `CLEAN` and `COMPRESSED` blended per shot."""

CLEAN = "span-x2"
COMPRESSED = "span-x2-video"

_SMALLEST_TILE = 64

_WORTH = {"hevc": 1.8, "vp9": 1.6, "av1": 1.8}
"""What a bit of these codecs is worth in bits of x264, by the blends that suit their pictures best (AV1 is taken for HEVC)."""


def compression_blend(qp: float | None, bits_per_pixel: float | None = None) -> float:
    """Share of the weights for compressed video, 0 (clean) to 1.

    Args:
        qp: mean quantiser of a shot on the H.264 scale 0..51, None where the codec tells none.
        bits_per_pixel: what to go by then, see the function of that name.

    The curve was fitted on validation clips at six rates; table and method in docs/models.md.
    """
    if qp is not None:
        return float(np.interp(qp, (0.0, 30.0), (0.0, 1.0)))
    if bits_per_pixel is not None and bits_per_pixel > 0:
        return float(np.interp(np.log2(bits_per_pixel), (-2.75, 2.0), (1.0, 0.0)))
    return 0.5


@dataclass(frozen=True)
class UpscaleShot:
    """A stretch with one blend; times in seconds."""

    start: float
    end: float
    compression_blend: float


@dataclass(frozen=True)
class UpscalePlan:
    """What super-resolution will do."""

    scale: int
    model: str
    shots: tuple[UpscaleShot, ...]

    def __post_init__(self) -> None:
        if self.scale != SCALE:
            raise InvalidParameter(f"plan: scale is {self.scale!r}, must be {SCALE}")
        if not self.shots:
            raise InvalidParameter("plan: shots is empty, must hold at least one shot")
        for shot in self.shots:
            if not 0.0 <= shot.compression_blend <= 1.0:
                raise InvalidParameter(f"plan: compression_blend is {shot.compression_blend!r}, must be within 0..1")
            if not shot.start < shot.end:
                raise InvalidParameter(
                    f"plan: a shot runs from {shot.start!r} to {shot.end!r}, must end after its start"
                )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The plan that JSON holds; raises InvalidParameter naming what is wrong."""
        try:
            shots = tuple(
                UpscaleShot(float(s["start"]), float(s["end"]), float(s["compression_blend"])) for s in data["shots"]
            )
            return cls(scale=int(data["scale"]), model=str(data["model"]), shots=shots)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidParameter(f"plan: not a super-resolution plan ({type(error).__name__}: {error})") from None

    def blend_at(self, seconds: float) -> float:
        """The blend for a picture shown at this time."""
        blend = self.shots[0].compression_blend
        for shot in self.shots:
            if shot.start > seconds + 5e-4:  # times in a plan are rounded
                break
            blend = shot.compression_blend
        return blend


class UpscaleAnalysis:
    """Analysis: finds the shots, and how hard each was compressed."""

    def __init__(self, model: str, info: VideoInfo) -> None:
        self._model = model
        self._info = info
        self._detection = ShotDetection()
        self._qp: list[float | None] = []

    def update(self, frames: Frames) -> None:
        """Takes small pictures with `qp`."""
        self._detection.update(frames)
        self._qp.extend(frames.qp or (None,) * len(frames))

    def finish(self) -> UpscalePlan:
        """The plan."""
        shots = self._detection.finish()
        return UpscalePlan(SCALE, self._model, tuple(self._shot(shot) for shot in shots))

    def _shot(self, shot: Shot) -> UpscaleShot:
        known = [q for q in self._qp[shot.first : shot.stop] if q is not None]
        blend = 0.0
        if self._model == ADAPTIVE:
            qp = sum(known) / len(known) if known else None
            blend = compression_blend(qp, bits_per_pixel(self._info))
        return UpscaleShot(round(shot.start, 6), round(shot.end, 6), round(blend, 3))


def bits_per_pixel(info: VideoInfo) -> float | None:
    """Coded bits per picture element of a video, in what x264 would need; None where the file does not tell."""
    if not info.bit_rate or not info.frame_rate:
        return None
    return _WORTH.get(info.codec, 1.0) * float(info.bit_rate / (info.frame_rate * info.width * info.height))


class Upscale:
    """Op: pictures twice as wide and high.

    Exact repetitions cost nothing, and where only a small part of the picture is new only that part is computed.

    Args:
        plan: shots and their blends.
        device: where the network runs.
        dtype: of its arithmetic; None: fp16 on CUDA, fp32 on the CPU.
        reuse: whether to look for unchanged parts.
    """

    halo = 0

    def __init__(
        self, plan: UpscalePlan, *, device: torch.device, dtype: torch.dtype | None = None, reuse: bool = True
    ) -> None:
        self._plan = plan
        self._reuse = reuse
        self._net: nn.Module
        self._spec: ModelSpec
        self._blend: Interpolation | None = None
        if plan.model == ADAPTIVE:
            self._net, self._spec = load(CLEAN, device=device, dtype=dtype)
            self._blend = Interpolation(self._net, load(COMPRESSED, device=device, dtype=dtype)[0])
        else:
            self._net, self._spec = load(plan.model, device=device, dtype=dtype)
        self._dtype = next(self._net.parameters()).dtype
        self._device = device
        self._pool = CorePool() if device.type == "cpu" else Inline()
        self._tile: int | None = None  # side of a tile, once one picture at a time proved too much
        self._at: float | None = None  # blend in force
        self._seen: Tensor | None = None  # (3, H, W) last picture in, and
        self._made: Tensor | None = None  # (3, 2H, 2W) what became of it

    def __call__(self, frames: Frames, core: slice) -> Tensor:
        """See `Op`; (N, 3, H, W) -> (N, 3, 2H, 2W), uint8 or uint16 as given."""
        frames = frames[core]
        out: list[Tensor] = []
        position = 0
        for blend, group in groupby(self._plan.blend_at(float(t)) for t in frames.seconds):
            count = len(list(group))
            self._set_blend(blend)
            out += self._upscale(frames.data[position : position + count])
            position += count
        return out[0] if len(out) == 1 else torch.cat(out)

    def shrink(self) -> bool:
        """Goes from whole pictures to tiles, then to smaller ones."""
        self._tile = 512 if self._tile is None else self._tile // 2
        return self._tile >= _SMALLEST_TILE

    def _set_blend(self, blend: float) -> None:
        if blend == self._at:
            return
        self._at = blend
        self._seen = self._made = None
        if self._blend is not None:
            self._blend.set(blend)

    def _upscale(self, x: Tensor) -> list[Tensor]:
        # A core is as busy with one picture as with eight, and its cache holds one: batches are for GPUs.
        parts = x.split(1) if self._device.type == "cpu" else (x,)
        boxes = [self._changed(part, part_before) for part, part_before in zip(parts, self._before(parts), strict=True)]
        pieces = [self._pieces(part, found) for part, found in zip(parts, boxes, strict=True)]
        made = self._pool.map(self._run, [piece for some in pieces for piece in some])
        out: list[Tensor] = []
        for part, found in zip(parts, boxes, strict=True):
            if found is None:
                out.append(next(made))
            else:
                out.append(self._patched(part, found, made))
            if self._reuse:
                self._made = out[-1][-1]
        if self._reuse:
            self._seen = x[-1]
        return out

    def _before(self, parts: Sequence[Tensor]) -> Iterator[Tensor | None]:
        """The picture that comes before each part, None where it is of no use."""
        before = self._seen
        for part in parts:
            yield before if self._reuse else None
            before = part[-1]

    def _changed(self, x: Tensor, before: Tensor | None) -> list[Box] | None:
        """Boxes of output to compute, None for all of it."""
        if before is None or before.shape != x.shape[1:]:
            return None
        # The only wait for the device in this op: once per batch, for a map of a few hundred tiles.
        tiles = changed_tiles(x, before).cpu().numpy()
        boxes = boxes_to_compute(tiles, x.shape[2], x.shape[3], self._spec.radius)
        # A GPU tunes its convolutions for each size of picture: pieces of ever new sizes would cost more than they save.
        return None if boxes and self._device.type != "cpu" else boxes

    def _pieces(self, x: Tensor, boxes: list[Box] | None) -> Iterator[Tensor]:
        """What has to go through the network."""
        if boxes is None:
            yield x
            return
        for box in boxes:
            around = box.grown(self._spec.radius, x.shape[2], x.shape[3])
            yield x[:, :, around.top : around.bottom, around.left : around.right]

    def _patched(self, x: Tensor, boxes: list[Box], made: Iterator[Tensor]) -> Tensor:
        """The output of last time with new boxes in it, taken from `made`."""
        assert self._made is not None
        out = self._made.expand(len(x), -1, -1, -1)
        if boxes:
            out = out.clone(memory_format=torch.channels_last)
        for box in boxes:
            around = box.grown(self._spec.radius, x.shape[2], x.shape[3])
            top, left = SCALE * (box.top - around.top), SCALE * (box.left - around.left)
            out[:, :, SCALE * box.top : SCALE * box.bottom, SCALE * box.left : SCALE * box.right] = next(made)[
                :, :, top : top + SCALE * (box.bottom - box.top), left : left + SCALE * (box.right - box.left)
            ]
        return out

    @torch.inference_mode()
    def _run(self, x: Tensor) -> Tensor:
        if self._tile is None:
            return self._enhance(x)
        return tiled(self._enhance, x, tile=self._tile, radius=self._spec.radius, scale=SCALE)

    def _enhance(self, x: Tensor) -> Tensor:
        x = x.to(self._device)
        unit = to_unit(x, self._dtype)
        height, width = unit.shape[2:]
        y = self._net(padded(unit, self._spec))[:, :, : self._spec.scale * height, : self._spec.scale * width]
        return guard(resized(y, height, width), x, SCALE)


def padded(x: Tensor, spec: ModelSpec) -> Tensor:
    """(..., H, W) with its last row and column repeated until the network takes the size."""
    height, width = (max(-n % spec.size_multiple, spec.min_size - n, 0) for n in x.shape[-2:])
    if not (height or width):
        return x
    pictures = x.reshape(-1, *x.shape[-3:])  # replicate wants exactly one dimension of pictures
    wide: Tensor = nn.functional.pad(pictures, (0, width, 0, height), mode="replicate")
    return wide.reshape(*x.shape[:-2], *wide.shape[-2:])


def resized(y: Tensor, height: int, width: int) -> Tensor:
    """The output of a network of another scale, brought to `SCALE` times height x width."""
    size = (SCALE * height, SCALE * width)
    if y.shape[2:] == size:
        return y
    return nn.functional.interpolate(y, size, mode="bicubic", antialias=True, align_corners=False)
