"""Sounds whose timing can be checked: silence with short beeps, one pitch per channel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

BEEP = 0.06  # s
BEEPS = (0.12, 0.44)  # s after the start of the sound


def beeps(rate: int, duration: float, tones: tuple[float, ...], at: tuple[float, ...] = BEEPS) -> Samples:
    """(channels, samples): each channel beeps at its own pitch (Hz) at the same times (s)."""
    t = np.arange(round(rate * duration)) / rate
    gate = np.zeros(len(t), dtype=bool)
    for start in at:
        gate |= (t >= start) & (t < start + BEEP)
    return np.stack([np.where(gate, 0.5 * np.sin(2 * np.pi * tone * t), 0) for tone in tones]).astype(np.float32)


def onsets(mono: Samples, rate: int) -> tuple[float, ...]:
    """Times in s at which beeps begin: where loudness over 5 ms passes a quarter of its peak after 50 ms of less."""
    window = max(1, round(rate * 0.005))
    loud = np.convolve(np.abs(mono), np.ones(window) / window)[: len(mono)]
    if not len(loud) or loud.max() < 0.02:
        return ()
    above = loud > loud.max() / 4
    starts: list[float] = []
    quiet = rate
    for i in np.flatnonzero(np.diff(above.astype(np.int8), prepend=0)):
        if above[i]:
            if i - quiet > rate * 0.03 or not starts:
                starts.append(i / rate)
        else:
            quiet = int(i)
    return tuple(starts)


def pitch(mono: Samples, rate: int) -> float:
    """The strongest frequency in Hz, to within 2 Hz."""
    spectrum = np.abs(np.fft.rfft(mono, n=max(len(mono), rate // 2)))
    return float(np.argmax(spectrum)) * rate / max(len(mono), rate // 2)
