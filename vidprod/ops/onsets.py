"""How much begins in a piece of sound at each moment, in all its bands and in the low ones, from samples that come in parts."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

PER_SECOND = 100
"""Frames a second, about."""

BANDS = 64
"""Of the mel scale, 30 Hz to 11 kHz."""

LOW_HZ = 160.0
"""Kick drums and bass lie below."""

LEAST_RATE = 8000
"""Samples a second below which beats are not looked for."""

_WINDOW = 0.046  # seconds, about: short enough for drums, long enough to part the low bands
_COMPRESSION = 1e4
_BLOCK = 1000  # frames analysed at a time
_FLOOR = 1e-9  # of the power of a full-scale sine: what is quieter is silence


class Onsets:
    """Takes samples in parts of any length; its memory grows by 1200 bytes a second.

    Args:
        rate: samples a second, at least 8000.
        device: where the spectra are worked out.

    Raises:
        ValueError: a lower rate.
    """

    def __init__(self, rate: int, device: torch.device | str = "cpu") -> None:
        if rate < LEAST_RATE:
            raise ValueError(f"rate must be at least {LEAST_RATE} samples a second, got {rate}")
        self.hop = max(round(rate / PER_SECOND), 1)
        self.per_second = rate / self.hop
        self._size = 2 ** round(math.log2(rate * _WINDOW))
        self._device = torch.device(device)
        self._window = torch.hann_window(self._size, device=self._device)
        bank, middles = _mel_bank(self._size, rate)
        self._bank = bank.to(self._device)
        self._low = max(int((middles < LOW_HZ).sum()), 1)
        self._waiting = torch.zeros(self._size // 2, device=self._device)
        self._before: Tensor | None = None
        self._peak = 0.0
        # One buffer, as many small tensors would keep the memory between them from being given back.
        self._found = torch.zeros(3, 4096)
        self._count = 0

    def update(self, samples: Tensor) -> None:
        """Takes mono samples (n,) of any float type, -1..1."""
        for part in samples.split(_BLOCK * self.hop):
            part = part.to(self._device, torch.float32).nan_to_num(0.0, 0.0, 0.0)
            self._waiting = torch.cat([self._waiting, part])
            whole = self._size + (_BLOCK - 1) * self.hop
            while len(self._waiting) >= whole:
                self._analyse(self._waiting[:whole])
                self._waiting = self._waiting[_BLOCK * self.hop :]

    def finish(self) -> Tensor:
        """(3, F) float32 on the CPU: onset strength of all bands, of the low ones, and how loud the low ones are.

        Frame k is at k / `per_second` seconds.
        """
        rest = F.pad(self._waiting, (0, self._size // 2))
        if len(rest) >= self._size:
            self._analyse(rest)
        self._waiting = rest[:0]
        return self._found[:, : self._count].clone()

    def _analyse(self, samples: Tensor) -> None:
        spectrum = torch.stft(
            samples, self._size, self.hop, window=self._window, center=False, return_complex=True
        ).abs()
        power = self._bank @ (spectrum * (2 / self._window.sum())).square()
        # Loudness on a scale that starts 40 dB below the loudest so far: quiet music has beats too, hiss has none.
        self._peak = max(self._peak, float(power.amax()))
        loudness = torch.log1p(power * (_COMPRESSION / max(self._peak, _FLOOR)))
        before = loudness[:, :1] if self._before is None else self._before
        rise = (loudness - torch.cat([before, loudness[:, :-1]], 1)).clamp_min(0)
        self._before = loudness[:, -1:]
        low = rise[: self._low].mean(0), loudness[: self._low].mean(0)
        found = torch.stack([rise.mean(0), *low]).cpu()
        end = self._count + found.shape[1]
        if end > self._found.shape[1]:
            self._found = F.pad(self._found, (0, max(end, 2 * self._found.shape[1])))
        self._found[:, self._count : end] = found
        self._count = end


def _mel_bank(size: int, rate: int) -> tuple[Tensor, Tensor]:
    """(BANDS, size // 2 + 1) triangles over the bins of a spectrum, and the middle of each in Hz."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (30.0, min(11000.0, rate / 2)))
    edges = 700 * (10 ** (torch.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = torch.linspace(0, rate / 2, size // 2 + 1)
    # At least one bin each: the lowest bands are narrower than the bins.
    width = rate / size
    left = torch.minimum(edges[:-2], edges[1:-1] - width)
    right = torch.maximum(edges[2:], edges[1:-1] + width)
    up = (bins - left[:, None]) / (edges[1:-1] - left)[:, None]
    down = (right[:, None] - bins) / (right - edges[1:-1])[:, None]
    return torch.minimum(up, down).clamp_min(0), edges[1:-1]
