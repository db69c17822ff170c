"""Small upright-or-not RGB pictures of a whole video, for analyses that need no detail."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch
from av.video.reformatter import Interpolation, VideoReformatter

from vidprod.media.frames import Frames
from vidprod.media.reader import VideoReader


def thumbnails(reader: VideoReader, *, side: int = 64, batch: int = 32) -> Iterator[Frames]:
    """Every picture of a video with its longer side scaled down to `side` pixels.

    Rotation is not applied: what is asked of such pictures does not depend on it. Scaling averages over areas, so that nothing
    flickers which did not flicker before.

    Yields:
        `Frames` of (up to batch, 3, h, w) uint8 on the CPU, with `qp` where the reader was asked for it.
    """
    scale = min(1.0, side / max(reader.info.width, reader.info.height))
    width, height = (max(2, round(scale * n)) for n in (reader.info.width, reader.info.height))
    pictures: list[np.ndarray] = []
    pts: list[int] = []
    qp: list[float | None] = []
    index, time_base = 0, reader.info.time_base
    scaler = VideoReformatter()  # keeps its swscale context; a thread per such small picture would only cost
    for frame in reader.native():
        small = scaler.reformat(frame, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1)
        pictures.append(small.to_ndarray())
        assert frame.pts is not None, "the reader repairs absent pts"
        pts.append(frame.pts)
        qp.append(reader.qp_of(frame))
        if len(pictures) == batch:
            yield _frames(pictures, pts, qp, time_base, index)
            index += batch
            pictures, pts, qp = [], [], []
    if pictures:
        yield _frames(pictures, pts, qp, time_base, index)


def shrunk(frames: Frames, *, side: int = 64) -> Frames:
    """Pictures that are at hand anyway with their longer side scaled down to `side` pixels: (N, 3, h, w) uint8 on the CPU."""
    import cv2  # only needed here, and slow to import

    scale = min(1.0, side / max(frames.width, frames.height))
    size = max(2, round(scale * frames.width)), max(2, round(scale * frames.height))
    pictures = frames.data.permute(0, 2, 3, 1).cpu().numpy()
    small = np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures])
    if small.dtype == np.uint16:
        small = (small >> 8).astype(np.uint8)
    return frames.with_data(torch.from_numpy(small).permute(0, 3, 1, 2))


def _frames(
    pictures: list[np.ndarray], pts: list[int], qp: list[float | None], time_base: Fraction, index: int
) -> Frames:
    data = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return Frames(data, tuple(pts), time_base, index, tuple(qp))
