"""Single pictures of a video, for analyses that need few of them at full size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from vidprod.media.color import ToRGB
from vidprod.media.frames import Frames
from vidprod.media.reader import VideoReader, upright


def samples(reader: VideoReader, seconds: Sequence[float] | None = None) -> Iterator[Frames]:
    """The pictures at some moments: of each the first one from then on. Only these are converted.

    Args:
        reader: of the whole video.
        seconds: ascending; None for all pictures.

    Yields:
        `Frames` of one upright picture, (1, 3, H, W) uint8 on the CPU; no picture twice.
    """
    info = reader.info
    convert = ToRGB(info.width, info.height, 8, info.color.resolved(info.height))
    at = 0
    for number, frame in enumerate(reader.native()):
        assert frame.pts is not None, "the reader repairs absent pts"
        if seconds is not None:
            second = frame.pts * info.time_base
            if at == len(seconds):
                return
            if second < seconds[at]:
                continue
            while at < len(seconds) and seconds[at] <= second:
                at += 1
        picture = np.empty((1, info.display_height, info.display_width, 3), np.uint8)
        upright(convert(frame), info.rotation, info.mirrored, picture[0])
        yield Frames(torch.from_numpy(picture).permute(0, 3, 1, 2), (frame.pts,), info.time_base, number)
