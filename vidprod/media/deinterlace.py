"""Fields woven into whole pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph


class Deinterlacer:
    """bwdif at the frame rate: one picture for each frame; those that are not interlaced pass unchanged."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()

    def __call__(self, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Takes one picture and gives what is ready, one behind; None flushes."""
        if frame is None:
            yield from self._flush()
            return
        if frame.format.name == "cuda":
            assert frame.sw_format is not None
            frame = frame.reformat(format=frame.sw_format.name)
        key = (frame.width, frame.height, frame.format.name, frame.time_base)
        if key != self._key:
            yield from self._flush()
            self._graph, self._key = self._build(frame), key
        assert self._graph is not None
        self._graph.vpush(frame)
        yield from self._ready()

    def _flush(self) -> Iterator[av.VideoFrame]:
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
            self._graph = None

    def _ready(self) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        time_base = self._key[-1]
        assert isinstance(time_base, Fraction)
        while True:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert frame.pts is not None
            assert frame.time_base is not None
            # bwdif halves the time base to have room for fields
            frame.pts = round(frame.pts * frame.time_base / time_base)
            frame.time_base = time_base
            yield frame

    @staticmethod
    def _build(frame: av.VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        nodes = (
            graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base),
            graph.add("bwdif", mode="send_frame", parity="auto", deint="interlaced"),
            graph.add("buffersink"),
        )
        graph.link_nodes(*nodes)
        graph.configure()
        return graph
