"""How coarsely a picture was quantised, from the decoder."""

from __future__ import annotations

import math
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type

# struct AVVideoEncParams (libavutil/video_enc_params.h): nb_blocks at 0, blocks_offset at 8, block_size at 16, type at 24,
# base qp at 28. struct AVVideoBlockParams: five int32, the last one the block's difference from the base.
_H264, _MPEG2 = 1, 2
_DELTA = 4


def mean_qp(frame: av.VideoFrame, codec: str) -> float | None:
    """Mean quantiser of a picture on H.264's scale 0..51; None if the decoder told none.

    MPEG-1, -2 and -4 quantisers q are mapped by the step size they stand for: qp = 12 + 6 log2(q / 0.85), FFmpeg's own rule.
    """
    side_data: Any = frame.side_data
    data = side_data.get(Type.VIDEO_ENC_PARAMS)
    if data is None:
        return None
    words = np.frombuffer(data, np.int32)
    count, offset, size, kind, base = (int(words[i]) for i in (0, 2, 4, 6, 7))
    if not count:
        return float(base) if kind == _H264 else None
    blocks = words[offset // 4 : offset // 4 + count * size // 4].reshape(count, size // 4)
    mean = base + float(blocks[:, _DELTA].mean())
    if kind == _H264:
        return mean
    if kind == _MPEG2 and mean > 0:
        quantiser = mean / 2 if codec in ("mpeg1video", "mpeg2video") else mean
        return 12 + 6 * math.log2(quantiser / 0.85)
    return None
