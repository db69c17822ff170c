"""Where the beats of a piece of music are, and which of them begin a bar.

Onset strength, one tempo for the piece from autocorrelation and spectrum together (Peeters, "Template-based estimation of
time-varying tempo", 2007), beats by dynamic programming (Ellis, "Beat Tracking by Dynamic Programming", 2007). Bars are taken to
have four beats, and to begin with the one that is strongest in the bass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vidprod.ops.onsets import Onsets

SLOWEST, FASTEST = 60.0, 200.0
"""Beats per minute."""

BAR = 4
"""Beats."""

TIGHTNESS = 100.0
"""How dear it is to leave the tempo."""

# Which tempo is likely, all else equal: about this one, give or take so many octaves.
_CENTRE, _WIDTH = 125.0, 0.6
_LEAST_SECONDS = 2.0
_EARLY = 0.004  # seconds by which a window sees an attack before its middle does; measured on songs with known beats


@dataclass(frozen=True, eq=False)
class Beats:
    """The beats of a piece.

    Attributes:
        seconds: (k,) float64, rising; empty where nothing has a beat.
        downbeats: (k,) bool, those that begin a bar.
        tempo: beats per minute, 0 without beats.
        confidence: 0..1: how regular the onsets are. Drums have 0.2 and more, noise and sound without a beat less than 0.1.
    """

    seconds: Tensor
    downbeats: Tensor
    tempo: float
    confidence: float


NONE = Beats(torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.bool), 0.0, 0.0)
"""Of what has no beats."""


def beats(samples: Tensor, rate: int, *, device: torch.device | str = "cpu") -> Beats:
    """Finds the beats of mono samples.

    Args:
        samples: (n,) float, -1..1, of any length.
        rate: samples a second, at least 8000.
        device: where the spectra are worked out.

    Raises:
        ValueError: samples that are not (n,) or a lower rate.
    """
    if samples.dim() != 1 or not samples.is_floating_point():
        raise ValueError(f"samples must be (n,) of a float type, got {tuple(samples.shape)} {samples.dtype}")
    return beats_of_parts([samples], rate, device=device)


def beats_of_parts(parts: Iterable[Tensor], rate: int, *, device: torch.device | str = "cpu") -> Beats:
    """Like `beats`, of samples that are read part by part; the same however they are parted."""
    onsets = Onsets(rate, device)
    for part in parts:
        onsets.update(part)
    return beats_of_onsets(onsets.finish(), onsets.per_second)


def beats_of_onsets(strength: Tensor, per_second: float) -> Beats:
    """Finds beats in what `Onsets` gave: (3, F) float32 at `per_second` frames a second."""
    if strength.shape[1] < _LEAST_SECONDS * per_second:
        return NONE
    flux = _standing_out(strength[0], per_second)
    if float(flux.amax()) <= 1e-3:
        return NONE
    flux = flux / flux.std().clamp_min(1e-6)
    period, confidence = _period(flux, per_second)
    frames = _track(flux, period)
    if len(frames) < 2:
        return NONE
    return Beats(
        seconds=_between_frames(flux, frames) / per_second + _EARLY,
        downbeats=_downbeats(strength, frames, period),
        tempo=60 * per_second / float((frames[1:] - frames[:-1]).double().median())
        if len(frames) < 8
        else 60 * per_second * (len(frames) - 1) / float(frames[-1] - frames[0]),
        confidence=confidence,
    )


def _standing_out(x: Tensor, per_second: float) -> Tensor:
    """What is above the mean of the second around it."""
    side = round(per_second / 2)
    sums = F.pad(x.double(), (1, 0)).cumsum(0)
    at = torch.arange(len(x))
    low, high = (at - side).clamp_min(0), (at + side + 1).clamp_max(len(x))
    mean = (sums[high] - sums[low]) / (high - low)
    return (x - mean.to(x.dtype)).clamp_min(0)


def _period(flux: Tensor, per_second: float) -> tuple[float, float]:
    """Frames per beat, and how regular the onsets are, 0..1."""
    count = len(flux)
    centred = (flux - flux.mean()).double()
    size = 2 ** math.ceil(math.log2(2 * count))
    again = torch.fft.irfft(torch.fft.rfft(centred, size).abs().square(), size)[:count]
    again = again / again[0].clamp_min(1e-12) * (count / torch.arange(count, 0, -1).double())
    tempos = torch.exp2(torch.linspace(math.log2(SLOWEST), math.log2(FASTEST), 700, dtype=torch.float64))
    lags = 60 * per_second / tempos
    # A beat comes again after one, two, three and four beats. So does every second beat, only slower ...
    comb = torch.stack([_interpolated(again, lags * times) * times**-0.5 for times in (1, 2, 3, 4)]).sum(0) / 2.785
    # ... but then a spectrum has its peak at the faster of the two. Half of it in time, so that drift does not wash it out.
    spectrum = _spectrum(centred, per_second, tempos / 60)
    prior = torch.exp(-0.5 * (torch.log2(tempos / _CENTRE) / _WIDTH) ** 2)
    best = int((comb.clamp_min(0) * (spectrum / spectrum.amax().clamp_min(1e-12)).sqrt() * prior).argmax())
    return float(lags[best]), float(comb[best].clamp(0, 1))


def _spectrum(x: Tensor, per_second: float, hz: Tensor) -> Tensor:
    """How strong those frequencies are, on average over stretches of eight seconds."""
    size = round(8 * per_second)
    x = F.pad(x, (0, max(size - len(x), 0)))
    stretches = x.unfold(0, size, size // 2)
    window = torch.hann_window(size, dtype=x.dtype)
    parts = [torch.fft.rfft(part * window, 8 * size).abs().sum(0) for part in stretches.split(16)]
    fine = torch.stack(parts).sum(0) / len(stretches)
    return _interpolated(fine, hz * (8 * size / per_second))


def _interpolated(x: Tensor, at: Tensor) -> Tensor:
    at = at.clamp(0, len(x) - 1.001)
    low = at.floor().long()
    return torch.lerp(x[low], x[low + 1], at - low)


def _track(flux: Tensor, period: float) -> Tensor:
    """Frames of the beats, rising int64: on onsets, and about `period` apart."""
    side = int(period)
    shape = torch.exp(-0.5 * (torch.arange(-side, side + 1) * 32 / period) ** 2)
    score = F.conv1d(flux[None, None], shape[None, None], padding=side)[0, 0].double()
    count = len(score)
    nearest, furthest = round(period / 2), round(2 * period)
    lags = torch.arange(furthest, nearest - 1, -1)
    price = -TIGHTNESS * torch.log(lags / period).square()
    # Before the first beat there is nothing, and that costs nothing.
    total = torch.cat([torch.zeros(furthest, dtype=torch.float64), score])
    before = torch.full((count,), -1)
    # What comes before lies at least half a beat back: so many frames can be worked out at once.
    for first in range(0, count, nearest):
        last = min(first + nearest, count)
        # Row t holds totals of the frames t - furthest .. t - nearest.
        earlier = total[first : last + furthest - nearest].unfold(0, len(lags), 1)
        best, place = (earlier + price).max(1)
        total[first + furthest : last + furthest] += best
        at = torch.arange(first, last)
        before[first:last] = at - furthest + place
    tail = max(count - round(period), 0)
    frame = tail + int(total[furthest + tail :].argmax())
    links = before.tolist()
    found = []
    while frame >= 0:
        found.append(frame)
        frame = links[frame]
    frames = torch.tensor(found[::-1])
    # Beats before the music and after it are no beats.
    loud = torch.nonzero(score[frames] > 0.3 * score[frames].square().mean().sqrt())[:, 0]
    return frames[int(loud[0]) : int(loud[-1]) + 1] if len(loud) else frames[:0]


def _between_frames(flux: Tensor, frames: Tensor) -> Tensor:
    """(k,) float64: beats to parts of a frame, where three neighbouring values have their centre of mass."""
    padded = F.pad(flux.double(), (1, 1))
    near = torch.stack([padded[frames + step] for step in range(3)])
    return (frames + (near[2] - near[0]) / near.sum(0).clamp_min(1e-6) * 0.5).clamp_min(0)


def _downbeats(strength: Tensor, frames: Tensor, period: float) -> Tensor:
    """(k,) bool: each fourth, in the phase in which the bass is strongest as it begins and as it goes on."""
    rise = F.pad(strength[1], (2, 2)).unfold(0, 5, 1).amax(1)[frames]
    length = max(round(0.6 * period), 1)
    level = F.pad(strength[2], (0, length)).unfold(0, length, 1).mean(1)[frames]
    score = sum((x - x.mean()) / x.std().clamp_min(1e-6) for x in (rise, level))
    assert isinstance(score, Tensor)
    number = torch.arange(len(frames))
    best = max(range(min(BAR, len(frames))), key=lambda phase: float(score[number % BAR == phase].mean()))
    return number % BAR == best
