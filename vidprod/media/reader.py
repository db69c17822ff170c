"""`VideoReader`: a video file as a stream of `Frames`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal, Self

import av
import numpy as np
import numpy.typing as npt
import torch

from vidprod.media.color import ToRGB
from vidprod.media.decode import Decoder, ReadStats
from vidprod.media.frames import Frames
from vidprod.media.hardware import ToDevice, decoder_for
from vidprod.media.probe import Limits, VideoInfo, probe
from vidprod.media.qp import mean_qp


class VideoReader:
    """Reads a video; every iteration is a new pass over the file.

    `Frames` are upright, progressive, of one size, and RGB; `native` gives decoded pictures as they are, for analyses that want
    small grey ones and for transcoding.

    Attributes:
        info: what `probe` found.
        stats: what the latest pass met with.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        device: torch.device | str = "cpu",
        batch: int = 8,
        start: int | None = None,
        stop: int | None = None,
        info: VideoInfo | None = None,
        limits: Limits | None = None,
        threads: int = 0,
        qp: bool = False,
        bits: Literal[8, 16] | None = None,
    ) -> None:
        """Probes the file unless `info` is given.

        Args:
            path: a local file.
            device: where the pictures are wanted.
            batch: pictures per `Frames`; the last one may have fewer.
            start: number of the first picture wanted.
            stop: number of the first picture no longer wanted.
            info: from an earlier `probe` of the same file.
            limits: what to refuse.
            threads: of the decoder; 0 for as many as there are cores.
            qp: whether to ask the decoder how coarsely each picture was quantised.
            bits: 8 or 16 for uint8 or uint16 pictures; by default 16 if the source has more than 8.

        Raises:
            InvalidFile: as `probe`, and while reading, when the file is too damaged.
        """
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        if (start or 0) < 0 or (stop is not None and stop < (start or 0)):
            raise ValueError(f"0 <= start <= stop is required, got start={start}, stop={stop}")
        self._limits = limits or Limits()
        self.info = info or probe(path, limits=self._limits)
        self.stats = ReadStats()
        self._device = torch.device(device)
        self._batch = batch
        self._range = start, stop
        self._threads = threads
        self._qp = qp
        self._bits: Literal[8, 16] = bits or (16 if self.info.bits > 8 else 8)
        self._open: set[Decoder] = set()

    def __iter__(self) -> Iterator[Frames]:
        convert: _ToHost | ToDevice
        if self._device.type == "cpu":
            convert = _ToHost(self.info, self._bits, self._batch)
        else:
            convert = ToDevice(self.info, self._device, self._bits, self._batch)
        pts: list[int] = []
        qp: list[float | None] = []
        first = 0
        for number, frame in self._pictures(hardware=True):
            if not pts:
                first = number
            assert frame.pts is not None
            convert.add(frame)
            pts.append(frame.pts)
            qp.append(self.qp_of(frame))
            if len(pts) == self._batch:
                yield self._frames(convert.take(), pts, qp, first)
                pts, qp = [], []
        if pts:
            yield self._frames(convert.take(), pts, qp, first)

    def native(self) -> Iterator[av.VideoFrame]:
        """Decoded pictures with sound times, progressive and of one size, but neither turned upright nor converted.

        They alias the decoder's memory: never write into their planes.
        """
        for _, frame in self._pictures(hardware=False):
            yield frame

    def since(self, second: Fraction, *, hardware: bool = False) -> Iterator[av.VideoFrame]:
        """Pictures as from `native`, from one at or before a time on; those before it are decoded from a key picture on only.

        Args:
            second: as the times of the pictures.
            hardware: whether the device's own decoder may be used; its pictures are for `ToDevice`.
        """
        with self._decoder(hardware=hardware) as decoder:
            yield from decoder.since(second)

    def qp_of(self, frame: av.VideoFrame) -> float | None:
        """Mean quantiser of a picture from `native`, 0..51 on H.264's scale; None unless `qp=True` and the codec tells."""
        return mean_qp(frame, self.info.codec) if self._qp else None

    def close(self) -> None:
        """Closes what unfinished iterations have open. Idempotent."""
        for decoder in list(self._open):
            decoder.close()
        self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pictures(self, *, hardware: bool) -> Iterator[tuple[int, av.VideoFrame]]:
        with self._decoder(hardware=hardware) as decoder:
            yield from decoder.pictures(*self._range)

    @contextlib.contextmanager
    def _decoder(self, *, hardware: bool) -> Iterator[Decoder]:
        self.stats = ReadStats()
        accelerator = decoder_for(self.info, self._device) if hardware and not self._qp else None
        decoder = Decoder(
            self.info,
            limits=self._limits,
            threads=self._threads,
            qp=self._qp,
            hwaccel=accelerator,
            stats=self.stats,
        )
        self._open.add(decoder)
        try:
            yield decoder
        finally:
            self._open.discard(decoder)
            decoder.close()

    def _frames(self, data: torch.Tensor, pts: list[int], qp: list[float | None], index: int) -> Frames:
        return Frames(data, tuple(pts), self.info.time_base, index, tuple(qp) if self._qp else ())


class _ToHost:
    """Collects pictures as RGB in one piece of memory per batch."""

    def __init__(self, info: VideoInfo, bits: Literal[8, 16], batch: int) -> None:
        self._convert = ToRGB(info.width, info.height, bits, info.color.resolved(info.height))
        self._shape = batch, info.display_height, info.display_width, 3
        self._dtype: npt.DTypeLike = np.uint8 if bits == 8 else np.uint16
        self._turn = info.rotation
        self._mirrored = info.mirrored
        self._data: npt.NDArray[Any] | None = None
        self._count = 0

    def add(self, frame: av.VideoFrame) -> None:
        if self._data is None:
            self._data = np.empty(self._shape, self._dtype)
        upright(self._convert(frame), self._turn, self._mirrored, self._data[self._count])
        self._count += 1

    def take(self) -> torch.Tensor:
        assert self._data is not None
        data, self._data = self._data[: self._count], None
        self._count = 0
        return torch.from_numpy(data).permute(0, 3, 1, 2)


def upright(picture: npt.NDArray[Any], turn: int, mirrored: bool, out: npt.NDArray[Any]) -> None:
    """Copies an (H, W, 3) picture, mirrored left to right if wanted and then turned clockwise, into `out`."""
    if mirrored:
        picture = picture[:, ::-1]
    if turn % 360 == 0:
        np.copyto(out, picture)
        return
    import cv2  # only needed here, and slow to import

    codes = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
    # three times as fast as copying a turned view
    cv2.rotate(np.ascontiguousarray(picture), codes[turn], dst=out)
