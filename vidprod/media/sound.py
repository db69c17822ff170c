"""Sound as numbers: any stretch of a file's audio, exact to the sample, and the sound of a new video made of such stretches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

from vidprod.media._opening import open_input
from vidprod.media.probe import Limits

Samples = NDArray[np.float32]
"""(channels, n), -1..1."""

RATE = 48000
"""Samples a second where the source does not say a usable number."""

_RATES = (16000, 22050, 24000, 32000, 44100, 48000)
_LAYOUTS = {1: "mono", 2: "stereo"}
_BITS_PER_CHANNEL = 96_000
_BACK = Fraction(1, 2)  # seconds before a place from which decoding begins, as decoders need to warm up
_NEAR = 5  # seconds ahead that are decoded rather than jumped over


@dataclass(frozen=True)
class SoundFormat:
    """Samples a second, and channels: 1 or 2. More channels are mixed down to two."""

    rate: int
    channels: int

    @property
    def layout(self) -> str:
        """FFmpeg's name."""
        return _LAYOUTS[self.channels]


def sound_format(path: str | os.PathLike[str]) -> SoundFormat | None:
    """The format in which a file's first audio stream is best read; None for a silent file."""
    with open_input(str(path), max_pixels=Limits().max_pixels) as container:
        stream = _stream(container)
        if stream is None:
            return None
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in _RATES else RATE
        return SoundFormat(rate, min(context.layout.nb_channels, 2))


class SoundReader:
    """Reads stretches of a file's first audio stream.

    Args:
        path: the file.
        format: as which to read it.
        start: seconds of the file's clock that count as nought; a video's `VideoInfo.start`.
    """

    def __init__(self, path: str | os.PathLike[str], format: SoundFormat, *, start: Fraction = Fraction(0)) -> None:
        self._container = open_input(str(path), max_pixels=Limits().max_pixels)
        self._stream = _stream(self._container)
        self._format = format
        self._start = start
        self._parts: Iterator[tuple[int, Samples]] = iter(())
        self._held: list[tuple[int, Samples]] = []  # number of the first sample, samples
        self._end = 0  # number after the last sample that was decoded
        self._ended = self._stream is None
        if self._stream is not None:
            self._parts = self._decoded()

    def read(self, first: int, count: int) -> Samples:
        """`count` samples from number `first` on: (channels, count) float32; silence where the file has none."""
        out = np.zeros((self._format.channels, count), np.float32)
        if self._stream is None or count <= 0:
            return out
        oldest = self._held[0][0] if self._held else self._end
        if first < oldest or first > self._end + _NEAR * self._format.rate:
            self._jump(first)
        while self._end < first + count and not self._ended:
            part = next(self._parts, None)
            if part is None:
                self._ended = True
            else:
                self._held.append(part)
                self._end = part[0] + part[1].shape[1]
        for at, samples in self._held:
            low, high = max(at, first), min(at + samples.shape[1], first + count)
            if low < high:
                out[:, low - first : high - first] = samples[:, low - at : high - at]
        # One stretch may overlap the one before a little, but hardly ever more than that.
        keep = first + count - self._format.rate
        self._held = [part for part in self._held if part[0] + part[1].shape[1] > keep]
        return out

    def blocks(self, count: int) -> Iterator[Samples]:
        """All there is from number 0 on, `count` samples at a time; the last block may have fewer."""
        first = 0
        while True:
            block = self.read(first, count)
            if self._ended and first + count >= self._end:
                if (rest := max(self._end - first, 0)) > 0:
                    yield block[:, :rest]
                return
            yield block
            first += count

    def close(self) -> None:
        """Closes the file. Idempotent."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _jump(self, first: int) -> None:
        second = max(Fraction(first, self._format.rate) + self._start - _BACK, Fraction(0))
        self._held, self._ended = [], False
        try:
            self._container.seek(int(second * 1_000_000), backward=True)
        except av.FFmpegError:  # what cannot be reached is silent
            self._ended = True
        self._parts = self._decoded()
        self._end = 0

    def _decoded(self) -> Iterator[tuple[int, Samples]]:
        assert self._stream is not None
        resampler = av.AudioResampler(format="fltp", layout=self._format.layout, rate=self._format.rate)
        following: int | None = None
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = self._stream.codec_context.decode(packet)
                except (av.error.InvalidDataError, ValueError):
                    continue  # what is damaged is silent
                for frame in (*frames, *((None,) if not packet.size else ())):
                    for part in resampler.resample(frame):
                        samples = np.asarray(part.to_ndarray(), np.float32)
                        if part.pts is not None and part.time_base is not None:
                            at = round((part.pts * Fraction(part.time_base) - self._start) * self._format.rate)
                            # clocks of whole milliseconds jitter; samples do not
                            if following is None or abs(at - following) > self._format.rate // 50:
                                following = at
                        following = following or 0
                        yield following, samples
                        following += samples.shape[1]
        except (av.FFmpegError, IndexError):
            return  # the file breaks off


@dataclass(frozen=True, eq=False)
class Sound:
    """New sound for a video: (channels, n) float32 blocks, one after the other, from the first picture on."""

    format: SoundFormat
    blocks: Iterable[Samples]


class Soundtrack:
    """Encodes new sound as AAC beside the pictures of a `VideoWriter`, as they need it.

    Args:
        format: of the samples.
        blocks: (channels, n) float32, one after the other, from the first picture on.
        output: where it goes; nothing may have been muxed yet.
    """

    def __init__(self, format: SoundFormat, blocks: Iterable[Samples], output: av.container.OutputContainer) -> None:
        self._format = format
        self._blocks = iter(blocks)
        self._output = output
        self._stream = output.add_stream("aac", rate=format.rate)
        self._stream.codec_context.layout = format.layout
        self._stream.codec_context.bit_rate = _BITS_PER_CHANNEL * format.channels
        self._done = 0  # samples

    def carry(self, until: Fraction | None) -> None:
        """Encodes up to `until` seconds; all the rest for None."""
        while until is None or self._done < until * self._format.rate:
            block = next(self._blocks, None)
            if block is None:
                break
            if not block.shape[1]:
                continue
            data = np.ascontiguousarray(block.clip(-1, 1))
            frame = av.AudioFrame.from_ndarray(data, format="fltp", layout=self._format.layout)
            frame.sample_rate, frame.time_base, frame.pts = (
                self._format.rate,
                Fraction(1, self._format.rate),
                self._done,
            )
            self._done += block.shape[1]
            self._output.mux(self._stream.encode(frame))
        if until is None:
            self._output.mux(self._stream.encode(None))

    def close(self) -> None:
        """Nothing is open."""

    def notes(self) -> tuple[str, ...]:
        """Nothing to tell."""
        return ()


def joined(
    reader: SoundReader, format: SoundFormat, stretches: Iterable[tuple[int, int]], *, fade: float = 0.015
) -> Iterator[Samples]:
    """Stretches of a file one after the other, each as long as it is, over short equal-power fades at the joints.

    Args:
        reader: of the file.
        format: of its samples.
        stretches: (first sample, samples).
        fade: seconds of a joint: the one stretch goes on below while the next one rises.
    """
    length = round(fade * format.rate)
    angle = (np.arange(length, dtype=np.float32) + 0.5) / max(length, 1) * np.float32(np.pi / 2)
    tail: Samples | None = None
    for first, count in stretches:
        over = min(length, count)
        for done in range(0, count, format.rate):  # a stretch may be an hour long
            samples = reader.read(first + done, min(format.rate, count - done))
            if tail is not None and done == 0 and over:
                fading = min(over, samples.shape[1])
                samples[:, :fading] *= np.sin(angle[:fading])
                samples[:, :fading] += tail[:, :fading] * np.cos(angle[:fading])
            yield samples
        # what comes after the stretch sounds on under the beginning of the next
        tail = reader.read(first + count, length)


def _stream(container: av.container.InputContainer) -> av.AudioStream | None:
    for stream in container.streams.audio:
        context = stream.codec_context
        if context is not None and context.sample_rate and context.layout.nb_channels:
            return stream
    return None
