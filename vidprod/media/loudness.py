"""How loud a file is over time, and how much of it sounds like speech."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vidprod.media.sound import SoundFormat, SoundReader, sound_format

Floats = NDArray[np.float32]

STEP = 0.02
"""Seconds between two values."""

_RATE = 16000
_BLOCK = 512  # steps at a time
_SPEECH = 300.0, 3400.0  # Hz
_FLOOR = 1e-4  # of full scale: -80 dB is silence


@dataclass(frozen=True, eq=False)
class Loudness:
    """At every `STEP` seconds from the start of the video.

    Attributes:
        level: (n,) decibels below full scale, -80 (silence)..0.
        speech: (n,) part of the energy in the band of speech, 0..1.
    """

    level: Floats
    speech: Floats

    def talk_at(self, seconds: NDArray[np.float64]) -> Floats:
        """How little one may cut at some times, 0..1: loud, and in the band of speech."""
        if not len(self.level):
            return np.zeros(len(seconds), np.float32)
        times = (np.arange(len(self.level)) + 0.5) * STEP
        talk = ((self.level + 60) / 60).clip(0, 1) * (0.25 + 0.75 * self.speech)
        found: Floats = np.interp(seconds, times, talk, left=0, right=0).astype(np.float32)
        return found

    def at(self, seconds: NDArray[np.float64]) -> Floats:
        """Levels at some times; silence before and after."""
        if not len(self.level):
            return np.full(len(seconds), -80, np.float32)
        times = (np.arange(len(self.level)) + 0.5) * STEP
        return np.interp(seconds, times, self.level, left=-80, right=-80).astype(np.float32)


def loudness(path: str | os.PathLike[str], duration: float, *, start: Fraction = Fraction(0)) -> Loudness | None:
    """Of a file's first audio stream over `duration` seconds from `start`; None for a silent file."""
    if sound_format(path) is None:
        return None
    size = round(STEP * _RATE)
    steps = int(duration / STEP) + 1
    levels, speech = np.full(steps, -80, np.float32), np.zeros(steps, np.float32)
    bins = np.fft.rfftfreq(size, 1 / _RATE)
    band = (bins >= _SPEECH[0]) & (bins <= _SPEECH[1])
    with SoundReader(path, SoundFormat(_RATE, 1), start=start) as reader:
        for first in range(0, steps, _BLOCK):
            count = min(_BLOCK, steps - first)
            samples = reader.read(first * size, count * size).reshape(count, size)
            root = np.sqrt((samples * samples).mean(1))
            levels[first : first + count] = 20 * np.log10(np.maximum(root, _FLOOR))
            power = np.abs(np.fft.rfft(samples, axis=1)) ** 2
            speech[first : first + count] = power[:, band].sum(1) / np.maximum(power.sum(1), 1e-9)
    return Loudness(levels, speech)
