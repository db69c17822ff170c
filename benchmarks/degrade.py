"""Compressed half-size copies of real clips, for measuring super-resolution against what was there before."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation
from torch import Tensor

from vidprod.media.color import ToRGB
from vidprod.media.frames import Frames
from vidprod.media.reader import VideoReader

BICUBIC = int(Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND)
RATE = 25


@dataclass(frozen=True)
class Pair:
    """Pictures of a clip after compression at half the size, and the same as they were.

    Attributes:
        low: the decoded pictures with their quantisers.
        high: (N, 3, 2H, 2W) uint8.
        bits_per_pixel: of the whole compressed run.
    """

    low: Frames
    high: Tensor
    bits_per_pixel: float

    @property
    def qp(self) -> float | None:
        """Mean quantiser of the pictures."""
        known = [q for q in self.low.qp if q is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class Clip:
    """A run of real frames: `file` below the media folder, from frame `start` on."""

    file: str
    start: int = 0

    @property
    def name(self) -> str:
        """Short name for tables."""
        return Path(self.file).stem.split("_")[0]


def cut(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """The middle of a frame as 4:2:0, at most so large, sides multiples of four."""
    planes = np.asarray(frame.reformat(format="yuv420p").to_ndarray(), np.uint8)
    full_w, full_h = frame.width // 2 * 2, frame.height // 2 * 2
    if (full_w, full_h) != (frame.width, frame.height):
        raise ValueError(f"odd size {frame.width}x{frame.height}")
    w, h = min(full_w, width) // 4 * 4, min(full_h, height) // 4 * 4
    x, y = (full_w - w) // 4 * 2, (full_h - h) // 4 * 2
    luma = planes[:full_h]
    chroma = planes[full_h:].reshape(2, full_h // 2, full_w // 2)
    small = chroma[:, y // 2 : (y + h) // 2, x // 2 : (x + w) // 2]
    out = np.concatenate([luma[y : y + h, x : x + w].ravel(), small.ravel()]).reshape(h * 3 // 2, w)
    result = av.VideoFrame.from_ndarray(out, "yuv420p")
    result.colorspace, result.color_range = frame.colorspace, frame.color_range
    return result


def originals(path: Path, start: int, count: int, *, width: int = 640, height: int = 480) -> list[av.VideoFrame]:
    """Frames `start` to `start + count` of a clip, the middle of each."""
    with VideoReader(path, start=start, stop=start + count) as reader:
        return [cut(frame, width, height) for frame in reader.native()]


def compress(frames: list[av.VideoFrame], *, crf: int, first: int, count: int, codec: str = "libx264") -> Pair:
    """Halves the frames (swscale, bicubic), encodes all of them, and gives `count` from number `first` on."""
    options = (
        {"crf": str(crf), "preset": "medium", "b": "0"}
        if codec == "libvpx-vp9"
        else {"crf": str(crf), "preset": "medium"}
    )
    small = [frame.reformat(frame.width // 2, frame.height // 2, "yuv420p", interpolation=BICUBIC) for frame in frames]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "low.mkv"
        with av.open(str(path), "w") as out:
            stream = out.add_stream(codec, rate=RATE, options=options)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = small[0].width, small[0].height, "yuv420p"
            context = stream.codec_context
            context.colorspace, context.color_range = frames[0].colorspace, frames[0].color_range
            size = 0
            for i, frame in enumerate([*small, None]):
                if frame is not None:
                    frame.pts, frame.time_base, frame.pict_type = i, Fraction(1, RATE), 0
                for packet in stream.encode(frame):
                    size += packet.size
                    out.mux(packet)
        with VideoReader(path, qp=True, start=first, stop=first + count, batch=count) as reader:
            low = Frames.cat(list(reader))
            tags = reader.info.color.resolved(2 * small[0].height)
    convert = ToRGB(frames[0].width, frames[0].height, 8, tags)
    high = torch.from_numpy(np.stack([convert(frame) for frame in frames[first : first + count]])).permute(0, 3, 1, 2)
    return Pair(low, high, 8 * size / (len(frames) * small[0].width * small[0].height))
