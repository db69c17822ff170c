"""Stretches of several files' sound, laid over each other at their places, faded and weighted: one sound, made block by block."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vidprod.media.sound import Samples, Sound, SoundFormat, SoundReader

Gains = NDArray[np.float32]
"""(n,) factors, one for each sample."""

Shape = Callable[[int, int], Gains]
"""(first sample of the mix, samples) -> factors."""

_BLOCK = 0.5  # seconds
_LOUDEST = 4.0  # 12 dB above full scale: files of floating point numbers may hold anything


@dataclass(frozen=True)
class Voice:
    """A stretch of a file's sound in a mix. All numbers are samples, at the rate of the mix.

    Attributes:
        path: the file.
        clock: seconds of the file's clock that count as nought.
        begin: of the file, what is heard first.
        first, stop: of the mix, where it is heard.
        fade_in, fade_out: how long it rises at its begin and falls at its end: a fade_out over a fade_in has equal power.
        gain: factor.
        shapes: more factors.
    """

    path: Path
    clock: Fraction
    begin: int
    first: int
    stop: int
    fade_in: int = 0
    fade_out: int = 0
    gain: float = 1.0
    shapes: tuple[Shape, ...] = ()

    def gains(self, first: int, count: int) -> Gains:
        """Factors for samples of the mix, all of them in `first`..`stop`."""
        at = np.arange(first, first + count)
        # equal power, by angles that are eased: without a kink at either end
        rising = eased(ramp(at, self.first, self.fade_in)) * np.pi / 2
        falling = eased(ramp(at, self.stop - self.fade_out, self.fade_out)) * np.pi / 2
        out: Gains = (self.gain * np.sin(rising) * np.cos(falling)).astype(np.float32)
        for shape in self.shapes:
            out = out * shape(first, count)
        return out


@dataclass(frozen=True)
class Span:
    """Where a stretch is heard, and how long its fades are, in samples."""

    first: int
    stop: int
    fade_in: int
    fade_out: int


@dataclass(frozen=True)
class Ducking:
    """Factors that lower a sound while others are heard; a `Shape`.

    Attributes:
        spans: (first, stop) of those others.
        depth: decibels, below 0.
        attack, release: samples before and after a span in which it goes down, and up again.
    """

    spans: tuple[tuple[int, int], ...]
    depth: float
    attack: int
    release: int

    @classmethod
    def under(cls, spans: Sequence[tuple[int, int]], depth: float, rate: int) -> Ducking:
        """Takes 0.15 s to go down and 0.4 s to come up, and stays down where it would hardly have come up before it goes down."""
        attack, release = round(0.15 * rate), round(0.4 * rate)
        joined: list[tuple[int, int]] = []
        for first, stop in sorted(spans):
            if joined and first - joined[-1][1] < attack + release + rate // 2:
                joined[-1] = joined[-1][0], max(joined[-1][1], stop)
            else:
                joined.append((first, stop))
        return cls(tuple(joined), depth, attack, release)

    def __call__(self, first: int, count: int) -> Gains:
        """Factors for `count` samples of the mix."""
        at = np.arange(first, first + count)
        down = np.zeros(count)
        for begin, stop in self.spans:
            if begin - self.attack < first + count and stop + self.release > first:
                inside = np.minimum(ramp(at, begin - self.attack, self.attack), 1 - ramp(at, stop, self.release))
                np.maximum(down, inside, out=down)
        return _decibels(self.depth * eased(down))


@dataclass(frozen=True)
class Fading:
    """Factors that rise from silence and fall back to it; a `Shape`.

    Attributes:
        first, stop: what is heard, in samples.
        fade_in, fade_out: samples. They are shortened together where there is no room for both.
    """

    first: int
    stop: int
    fade_in: int
    fade_out: int

    def __call__(self, first: int, count: int) -> Gains:
        """Factors for `count` samples of the mix."""
        at = np.arange(first, first + count)
        room = min(1.0, (self.stop - self.first) / max(self.fade_in + self.fade_out, 1))
        fade_in, fade_out = int(self.fade_in * room), int(self.fade_out * room)
        # the last sample is silent
        rising, falling = ramp(at, self.first, fade_in), 1 - ramp(at, self.stop - 1 - fade_out, fade_out)
        out: Gains = eased(np.minimum(rising, falling)).astype(np.float32)
        return out


class MixedSound(Sound):
    """A `Sound` that holds files open: close it, or use it as a context manager."""

    def close(self) -> None:
        """Closes the files; no more blocks come. Idempotent."""
        if isinstance(self.blocks, Generator):
            self.blocks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def mixed(voices: Sequence[Voice], format: SoundFormat, count: int) -> Generator[Samples]:
    """The sum of all voices: (channels, n) float32 blocks, `count` samples in all, silent where there is no voice.

    A file is open only while it is heard; all are closed when the generator is.
    """
    size = round(_BLOCK * format.rate)
    waiting = sorted(voices, key=lambda voice: voice.first)
    heard: list[tuple[Voice, SoundReader]] = []
    try:
        for first in range(0, count, size):
            stop = min(first + size, count)
            while waiting and waiting[0].first < stop:
                voice = waiting.pop(0)
                heard.append((voice, SoundReader(voice.path, format, start=voice.clock)))
            block = np.zeros((format.channels, stop - first), np.float32)
            for voice, reader in heard:
                low, high = max(first, voice.first), min(stop, voice.stop)
                if low < high:
                    samples = _sane(reader.read(voice.begin + low - voice.first, high - low))
                    block[:, low - first : high - first] += samples * voice.gains(low, high - low)
            for voice, reader in [one for one in heard if one[0].stop <= stop]:
                heard.remove((voice, reader))
                reader.close()
            yield block
    finally:
        for _, reader in heard:
            reader.close()


def spans_of(stretches: Sequence[tuple[int, int]], edge: int) -> list[Span]:
    """Fades for stretches: long ones where one overlaps the next, short ones elsewhere.

    Where one ends just where another begins it goes on for a moment, so that the sum does not drop. Those that begin or end
    together are heard together.

    Args:
        stretches: (first, stop) in samples, in any order.
        edge: samples of a short fade.
    """
    found = []
    for first, stop in stretches:
        following = [a for a, b in stretches if first < a <= stop + edge and b > stop]
        before = [b for a, b in stretches if a < first <= b + edge and b < stop]
        end, fade_out = stop, edge
        if following:
            fade_out = max(stop - min(following), edge)
            end = min(following) + fade_out
        fade_in = max(max(before) - first, edge) if before else edge
        found.append(Span(first, end, min(fade_in, end - first), min(fade_out, end - first)))
    return found


def ramp(at: NDArray[np.int64], first: int, length: int) -> NDArray[np.float64]:
    """(n,) sample numbers -> 0 up to `first`, rising to 1 at `first + length`."""
    out: NDArray[np.float64] = ((at - first + (0.5 if length else 1.0)) / max(length, 1)).clip(0, 1)
    return out


def eased(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """0..1 -> 0..1, level at both ends."""
    out: NDArray[np.float64] = 0.5 - 0.5 * np.cos(part * np.pi)
    return out


def _sane(samples: Samples) -> Samples:
    """Without what is not a number or cannot be meant; any of that would stop the encoder."""
    return np.nan_to_num(samples, nan=0, posinf=0, neginf=0).clip(-_LOUDEST, _LOUDEST)


def _decibels(values: NDArray[np.float64]) -> Gains:
    out: Gains = (10 ** (values / 20)).astype(np.float32)
    return out
