"""A part of decoded pictures as RGB, at another size: only what is shown is converted."""

from __future__ import annotations

from typing import Any, Literal

import av
import numpy as np
import torch
from av.filter import Graph
from torch import Tensor

from vidprod.media.color import ToRGB
from vidprod.media.patch import Box, Region
from vidprod.media.probe import VideoInfo
from vidprod.media.reader import upright


def aligned(info: VideoInfo, box: Box) -> Box:
    """The smallest part of a video's upright pictures that holds a box and lies on the grid of their chroma."""
    if info.width % 2 or info.height % 2:  # the last column has half a sample of chroma
        return 0, 0, info.display_width, info.display_height
    return Region.of(info, box).box


class PartToRGB:
    """Cuts a part out of decoded pictures, scales it and turns it upright. Keeps its contexts: use one per stream and thread.

    Args:
        info: of the video.
        box: the part, of the upright picture; as `aligned` gives it.
        size: height and width of the result.
        bits: 8 or 16, of the result.
    """

    def __init__(self, info: VideoInfo, box: Box, size: tuple[int, int], bits: Literal[8, 16] = 8) -> None:
        self._info = info
        self._size = size
        whole = box == (0, 0, info.display_width, info.display_height)
        self._coded = (0, 0, info.width, info.height) if whole else Region.of(info, box).coded
        turned = info.rotation % 180
        width, height = (size[0], size[1]) if turned else (size[1], size[0])
        self._convert = ToRGB(width, height, bits, info.color.resolved(info.height))
        self._dtype = np.uint8 if bits == 8 else np.uint16
        self._crop = None if whole else _Crop(self._coded)

    def __call__(self, frame: av.VideoFrame) -> Tensor:
        """(3, *size) uint8 or uint16 over 0..65535, upright; its memory is (H, W, 3) and its own."""
        part = frame if self._crop is None else self._crop(frame)
        out: np.ndarray[Any, Any] = np.empty((*self._size, 3), self._dtype)
        upright(self._convert(part), self._info.rotation, self._info.mirrored, out)
        return torch.from_numpy(out).permute(2, 0, 1)


class _Crop:
    """FFmpeg's crop filter, which copies nothing."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        key = frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range
        if self._graph is None or key != self._key:
            self._graph, self._key = self._build(frame), key
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: av.VideoFrame) -> Graph:
        left, top, right, bottom = self._box
        graph = Graph()
        graph.threads = 1
        nodes = (
            graph.add(
                "buffer",
                video_size=f"{frame.width}x{frame.height}",
                pix_fmt=frame.format.name,
                time_base="1/1000",
                pixel_aspect="1/1",
                colorspace=str(int(frame.colorspace)),
                range=str(int(frame.color_range)),
            ),
            graph.add("crop", w=str(right - left), h=str(bottom - top), x=str(left), y=str(top)),
            graph.add("buffersink"),
        )
        graph.link_nodes(*nodes)
        graph.configure()
        return graph
