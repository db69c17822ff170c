"""Pictures to and from a GPU: what the device can do, asked once, and the ways in (upload, NVDEC) and out (NVENC, download)."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import av
import numpy as np
import torch
from av.codec.hwaccel import HWAccel
from av.video.frame import CudaContext
from torch import Tensor

from vidprod.media.color import ColorTags, ToRGB, nv12_to_rgb, rgb_to_yuv420, tag, tags_of, yuv_to_rgb
from vidprod.media.probe import VideoInfo

# Decoded formats that go to the device as they are: name -> (bits, horizontal, vertical subsampling)
_PLANAR = {
    f"yuv{letter}{chroma}p{suffix}": (bits, x, y)
    for chroma, x, y in (("420", 2, 2), ("422", 2, 1), ("444", 1, 1))
    for letter, suffix, bits in (("", "", 8), ("j", "", 8), ("", "10le", 10), ("", "12le", 12))
}
_NVDEC = {"h264", "hevc", "av1", "vp9", "mpeg2video", "mjpeg"}


@dataclass(frozen=True)
class Abilities:
    """What a device's video engines can do: `decode` (NVDEC), and the FFmpeg names of its encoders (NVENC)."""

    decode: bool = False
    encoders: frozenset[str] = frozenset()


@functools.cache
def abilities(device: torch.device) -> Abilities:
    """Tries the engines once per device. Data-centre GPUs such as the A100 and H100 decode but have no encoder."""
    if device.type != "cuda" or not torch.cuda.is_available():
        return Abilities()
    encoders = frozenset(name for name in ("h264_nvenc", "hevc_nvenc") if _can_encode(name, device))
    return Abilities(_can_decode(device), encoders)


def decoder_for(info: VideoInfo, device: torch.device) -> HWAccel | None:
    """NVDEC for a file that it can decode and whose pictures need no other treatment; else None."""
    plain = _PLANAR.get(info.pix_fmt, (0, 0, 0))
    if (
        info.codec not in _NVDEC
        or plain[1:] != (2, 2)
        or plain[0] > 10
        or info.interlaced
        or info.width % 2
        or info.height % 2
    ):
        return None
    return _accelerator(device) if abilities(device).decode else None


def _accelerator(device: torch.device) -> HWAccel:
    # Each flag is explicit since av's stub and code disagree on the defaults. A stream that NVDEC refuses falls back to software,
    # so every picture's format must be looked at.
    return HWAccel("cuda", device=device.index or 0, allow_software_fallback=True, is_hw_owned=True)


def _can_decode(device: torch.device) -> bool:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, width=256, height=256)
        assert isinstance(stream, av.VideoStream)
        frame = av.VideoFrame(256, 256, "yuv420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    try:
        with av.open(file, "r", hwaccel=_accelerator(device)) as source:
            return next(source.decode(video=0)).format.name == "cuda"
    except (av.FFmpegError, OSError, RuntimeError):
        return False


def _can_encode(name: str, device: torch.device) -> bool:
    try:
        with av.open(io.BytesIO(), "w", format="mp4") as container:
            stream = container.add_stream(name, rate=25, width=256, height=256, pix_fmt="cuda")
            assert isinstance(stream, av.VideoStream)
            black = torch.zeros(1, 3, 256, 256, dtype=torch.uint8, device=device)
            frame = ToEncoder(device).frames(black, ColorTags(1, 1, 1, 1), bits=8)[0]
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.FFmpegError, OSError, RuntimeError, ValueError):
        return False
    return True


class ToDevice:
    """Collects decoded pictures and converts them to RGB on the device, a batch at a time.

    Pictures go over as the decoder's planar YUV, half the size of RGB, and are converted there; NVDEC's never leave the device.
    """

    def __init__(self, info: VideoInfo, device: torch.device, bits: Literal[8, 16], batch: int) -> None:
        self._device = device
        self._tags = info.color.resolved(info.height)
        self._bits: Literal[8, 16] = bits
        self._size = info.width, info.height
        self._turn = info.rotation // 90
        self._mirrored = info.mirrored
        self._layout = _Layout(info.pix_fmt, info.width, info.height) if info.pix_fmt in _PLANAR else None
        self._batch = batch
        self._to_rgb = ToRGB(info.width, info.height, bits, self._tags)
        # per picture: converted already (NVDEC, unusual formats), or None for one that waits in its row of the staging memory
        self._done: list[Tensor | None] = []
        self._staging: Tensor | None = None

    def add(self, frame: av.VideoFrame) -> None:
        """Takes the next picture; its memory may be reused afterwards."""
        if frame.format.name == "cuda":
            self._done.append(self._from_nvdec(frame))
        elif self._layout is not None and self._usual(frame):
            if self._staging is None:
                self._staging = host_memory((self._batch, self._layout.size), torch.uint8, self._device)
            self._layout.pack(frame, self._staging[len(self._done)].numpy())
            self._done.append(None)
        else:
            rgb = torch.from_numpy(self._to_rgb(frame).copy()).to(self._device)
            self._done.append(rgb.permute(2, 0, 1)[None])

    def _usual(self, frame: av.VideoFrame) -> bool:
        """Whether a picture is like the others, so that it can be converted together with them."""
        same_tags = tags_of(frame, self._tags) == self._tags
        return same_tags and self._layout is not None and frame.format.name == self._layout.name

    def take(self) -> Tensor:
        """(N, 3, H, W) upright on the device."""
        rows = self._staging
        if rows is not None and all(part is None for part in self._done):
            data = _movable(self._upload(rows[: len(self._done)]))
        else:  # not all were staged, as when NVDEC gives up in the middle
            parts = [
                self._upload(rows[i : i + 1]) if part is None and rows is not None else part
                for i, part in enumerate(self._done)
            ]
            data = torch.cat([_movable(part) for part in parts if part is not None])
        self._done, self._staging = [], None
        if self._mirrored:
            data = data.flip(3)
        if self._turn:
            data = data.rot90(-self._turn, (2, 3)).contiguous()
        return data if self._bits == 8 else data.view(torch.uint16)

    def _upload(self, rows: Tensor) -> Tensor:
        assert self._layout is not None
        y, u, v = self._layout.planes(rows.to(self._device, non_blocking=True))
        return yuv_to_rgb(y, u, v, self._tags, bits=self._layout.bits, out_bits=self._bits)

    def _from_nvdec(self, frame: av.VideoFrame) -> Tensor:
        # torch's from_dlpack(plane) would pass a stream, which av refuses; so it gets the capsule. FFmpeg works on the default
        # stream of the device's primary context, which is also torch's.
        y, uv = (torch.utils.dlpack.from_dlpack(plane.__dlpack__())[None] for plane in frame.planes)
        assert frame.sw_format is not None
        bits = 8 if frame.sw_format.name == "nv12" else 10 if frame.sw_format.name == "p010le" else 16
        width, height = self._size
        y, uv = y[:, :height, :width], uv[:, : height // 2].reshape(1, height // 2, -1)[..., :width]
        return nv12_to_rgb(y, uv, self._tags, bits=bits, out_bits=self._bits)


def _movable(data: Tensor) -> Tensor:
    """The same bytes in a type that every operation which only moves them knows, unlike uint16."""
    return data.view(torch.int16) if data.dtype == torch.uint16 else data


class _Layout:
    """Where the three planes of a picture lie in one row of bytes."""

    def __init__(self, name: str, width: int, height: int) -> None:
        self.name = name
        self.bits, x, y = _PLANAR[name]
        self._item = 1 if self.bits == 8 else 2
        chroma = (height + y - 1) // y, (width + x - 1) // x
        self._shapes = (height, width), chroma, chroma
        self._sizes = [h * w * self._item for h, w in self._shapes]
        self.size = sum(self._sizes)

    def pack(self, frame: av.VideoFrame, row: Any) -> None:
        at = 0
        for plane, (height, width), size in zip(frame.planes, self._shapes, self._sizes, strict=True):
            source = np.frombuffer(memoryview(plane), np.uint8, count=plane.line_size * height).reshape(height, -1)
            np.copyto(row[at : at + size].reshape(height, -1), source[:, : width * self._item])
            at += size

    def planes(self, rows: Tensor) -> list[Tensor]:
        """(N, size) bytes -> three (N, h, w) planes, uint8 or uint16."""
        dtype = torch.uint8 if self._item == 1 else torch.uint16
        parts = torch.split(rows, self._sizes, dim=1)
        # a part's rows lie apart in memory, so a wider type needs a copy of each
        views = [p.contiguous().view(dtype) if self._item == 2 else p for p in parts]
        return [p.reshape(-1, h, w) for p, (h, w) in zip(views, self._shapes, strict=True)]


class ToEncoder:
    """RGB on the device -> pictures for an encoder: CUDA frames for NVENC, or YUV in host memory for x264 and its like."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._context: CudaContext | None = None

    def frames(self, rgb: Tensor, tags: ColorTags, *, bits: int) -> list[av.VideoFrame]:
        """(N, 3, H, W) -> N frames in nv12 or p010le on the device, without a copy over the bus."""
        y, u, v = rgb_to_yuv420(rgb, tags, bits=bits)
        if bits == 8:
            uv = torch.stack([u, v], 3).flatten(2)
        else:  # P010 has its bits on top; and few operations know uint16
            y, u, v = (p.to(torch.int32) << (16 - bits) for p in (y, u, v))
            y, uv = y.to(torch.uint16), torch.stack([u, v], 3).flatten(2).to(torch.uint16)
        if self._context is None:
            self._context = CudaContext(device_id=self._device.index or 0, primary_ctx=True, current_ctx=False)
        frames = []
        # FFmpeg does not wait for torch's kernels
        torch.cuda.current_stream(self._device).synchronize()
        for planes in zip(y.contiguous(), uv.contiguous(), strict=True):
            frame = av.VideoFrame.from_dlpack(
                tuple(planes), format="nv12" if bits == 8 else "p010le", primary_ctx=True, cuda_context=self._context
            )
            tag(frame, tags)
            frames.append(frame)
        return frames

    def host_frames(self, rgb: Tensor, tags: ColorTags, *, bits: int) -> list[av.VideoFrame]:
        """(N, 3, H, W) -> N frames in yuv420p or yuv420p10le in host memory; half of RGB's bytes cross the bus."""
        planes = [to_host(plane) for plane in rgb_to_yuv420(rgb, tags, bits=bits)]
        frames = []
        for picture in zip(*planes, strict=True):
            frame = av.VideoFrame.from_dlpack(
                tuple(p.numpy() for p in picture), format="yuv420p" if bits == 8 else f"yuv420p{bits}le"
            )
            tag(frame, tags)
            frames.append(frame)
        return frames


def host_memory(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Host memory for transfers with `device`: pinned when that is a real GPU. torch reuses it once copies from it are done."""
    pinned = device.type == "cuda" and torch.cuda.is_available()
    return torch.empty(tuple(shape), dtype=dtype, pin_memory=pinned)


def to_host(tensor: Tensor) -> Tensor:
    """A contiguous copy in host memory, complete on return."""
    if tensor.device.type == "cpu":
        return tensor.contiguous()
    out = host_memory(tensor.shape, tensor.dtype, tensor.device)
    out.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return out
