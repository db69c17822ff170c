"""Loudness and true peak by EBU R 128 (ITU-R BS.1770), and a limiter for true peaks: FFmpeg's filters `ebur128` and `alimiter`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import av.filter
import numpy as np

from vidprod.media.sound import Samples, SoundFormat

GATE = -70.0
"""LUFS below which nothing counts: the absolute gate of BS.1770."""

_BLOCK = 0.4  # seconds over which BS.1770 measures at a time; shorter sound is taken to be followed by silence
_REPORT = 0.1  # seconds between two reports of the filter; what comes after the last one is lost
_OVERSAMPLED = 192_000  # samples a second at which the peaks between samples show


@dataclass(frozen=True)
class Level:
    """How loud a sound is.

    Attributes:
        loudness: LUFS, integrated over all of it, gated; -inf where nothing is as loud as `GATE`.
        peak: true peak in dBTP; -inf for silence.
    """

    loudness: float
    peak: float


class Meter:
    """Measures a sound block by block.

    Args:
        format: of the samples. One channel counts as one loudspeaker: 3 LU less than the same sound in two.
    """

    def __init__(self, format: SoundFormat) -> None:
        self._chain = _Chain(format, ("ebur128", "metadata=1:peak=true"))
        self._format = format
        self._loudness = -math.inf
        self._peak = 0.0

    def update(self, samples: Samples) -> None:
        """Takes the next (channels, n) samples."""
        # what the filter's oversampling does not see at its first and last samples, the samples themselves tell
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0)))
        for frame in self._chain.put(samples):
            self._read(frame)

    def finish(self) -> Level:
        """The level of all there was."""
        short = max(_BLOCK - self._chain.taken / self._format.rate, 0.0)
        silence = np.zeros((self._format.channels, math.ceil((short + _REPORT) * self._format.rate)), np.float32)
        for frame in (*self._chain.put(silence), *self._chain.rest()):
            self._read(frame)
        loudness = self._loudness if self._loudness > GATE else -math.inf
        return Level(loudness, decibels(self._peak))

    def _read(self, frame: av.AudioFrame) -> None:
        told = frame.metadata
        self._loudness = float(told.get("lavfi.r128.I", self._loudness))  # the last, shorter frame tells nothing
        for channel in range(self._format.channels):
            self._peak = max(self._peak, float(told.get(f"lavfi.r128.true_peaks_ch{channel}", 0)))


def limited(blocks: Iterable[Samples], format: SoundFormat, ceiling: float) -> Iterator[Samples]:
    """The same sound, its true peaks lowered to a ceiling; as many samples as came in, none of them later.

    Args:
        blocks: (channels, n) float32, one after the other.
        format: of the samples.
        ceiling: dBTP, -24..0; up to 0.2 dB more may come out, 1 dB of noise far above it.
    """
    limit = 10 ** (ceiling / 20)
    chain = _Chain(
        format,
        ("aresample", str(_OVERSAMPLED)),
        # It looks ahead by `attack` milliseconds, and `latency` takes away the delay that this costs. The `asc` release keeps
        # dense peaks from making the sound pump.
        ("alimiter", f"limit={limit:.6f}:level=0:attack=5:release=80:asc=1:latency=1"),
        ("aresample", str(format.rate)),
        ("aformat", "sample_fmts=fltp"),
    )
    given = 0

    def kept(frames: Iterable[av.AudioFrame]) -> Iterator[Samples]:
        nonlocal given
        for frame in frames:
            samples = np.asarray(frame.to_ndarray(), np.float32)[:, : chain.taken - given]
            given += samples.shape[1]
            yield samples

    for block in blocks:
        yield from kept(chain.put(block))
    yield from kept(chain.rest())
    if given < chain.taken:
        yield np.zeros((format.channels, chain.taken - given), np.float32)


def decibels(ratio: float) -> float:
    """Of an amplitude; -inf for nought."""
    return 20 * math.log10(ratio) if ratio > 0 else -math.inf


class _Chain:
    """FFmpeg audio filters, one after the other."""

    def __init__(self, format: SoundFormat, *filters: tuple[str, str]) -> None:
        self._format = format
        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(
            format="fltp", sample_rate=format.rate, layout=format.layout, time_base=Fraction(1, format.rate)
        )
        nodes = [self._graph.add(name, options) for name, options in filters]
        self._graph.link_nodes(source, *nodes, self._graph.add("abuffersink")).configure()
        self.taken = 0
        """Samples put in so far."""

    def put(self, samples: Samples) -> Iterator[av.AudioFrame]:
        """What comes out when (channels, n) samples go in."""
        if not samples.shape[1]:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._format.layout)
        frame.sample_rate, frame.time_base, frame.pts = self._format.rate, Fraction(1, self._format.rate), self.taken
        self.taken += samples.shape[1]
        self._graph.push(frame)
        yield from self._pulled()

    def rest(self) -> Iterator[av.AudioFrame]:
        """What was still inside. Nothing can be put in afterwards."""
        self._graph.push(None)
        yield from self._pulled()

    def _pulled(self) -> Iterator[av.AudioFrame]:
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                frame = self._graph.pull()
                assert isinstance(frame, av.AudioFrame)
                yield frame
