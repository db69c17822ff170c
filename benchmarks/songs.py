"""Songs with known beats, and how well beats that were found agree with them. The tests use them too."""

from __future__ import annotations

import math

import torch
from torch import Tensor

RATE = 22050
"""Samples a second."""

KNOWN = (
    (76, "rock", 0.0, 0.33, 0.1),
    (92, "rock", 0.0, 0.3, 0.1),
    (100, "house", 0.04, 0.0, 0.15),
    (110, "ballad", 0.0, 0.0, 0.05),
    (120, "rock", 0.02, 0.0, 0.2),
    (128, "house", 0.0, 0.0, 0.2),
    (140, "breaks", 0.03, 0.0, 0.1),
    (155, "rock", 0.02, 0.0, 0.15),
    (165, "breaks", 0.0, 0.0, 0.1),
    (174, "rock", 0.02, 0.0, 0.1),
    (174, "breaks", 0.01, 0.0, 0.1),
    (84, "breaks", 0.04, 0.0, 0.1),
    (70, "ballad", 0.02, 0.0, 0.05),
)
"""Beats per minute, pattern, drift, swing and noise; seen while the tracker was written. Their seeds count from 0."""


def song(
    bpm: float,
    seconds: float = 30.0,
    *,
    drift: float = 0.0,
    swing: float = 0.0,
    noise: float = 0.0,
    pattern: str = "rock",
    first: float = 0.35,
    rate: int = RATE,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Samples (n,) and the seconds of the beats (k,); every fourth from the first on begins a bar.

    Args:
        bpm: beats per minute at the start.
        seconds: of all of it.
        drift: share by which the tempo sways, slowly.
        swing: 0 even quavers .. 0.33 triplets.
        noise: spread of white noise; the drums peak at about 1.
        pattern: "rock", "house", "ballad", "breaks" or "clicks".
        first: seconds of the first beat.
        rate: samples a second.
        seed: of what is random.
    """
    generator = torch.Generator().manual_seed(seed)
    out = torch.randn(round(seconds * rate), generator=generator) * noise
    times: list[float] = []
    at = first
    while at < seconds - 0.3:
        times.append(at)
        at += 60 / (bpm * (1 + drift * math.sin(2 * math.pi * at / 20)))

    def hit(when: float, kind: str, level: float) -> None:
        length = int({"kick": 0.18, "snare": 0.16, "hat": 0.05, "bass": 0.25, "chord": 0.5}[kind] * rate)
        t = torch.arange(length) / rate
        if kind == "kick":
            wave = torch.sin(2 * math.pi * (50 * t + 6 * (1 - torch.exp(-t * 40)))) * torch.exp(-t * 18)
        elif kind == "bass":
            wave = torch.sin(2 * math.pi * 70 * t) * torch.exp(-t * 8) * (t * 200).clamp_max(1)
        elif kind == "chord":
            wave = sum(torch.sin(2 * math.pi * hz * t) for hz in (262.0, 330.0, 392.0)) / 3  # type: ignore[assignment]
            wave = wave * torch.exp(-t * 4) * (t * 60).clamp_max(1)
        else:
            wave = torch.randn(length, generator=generator) * torch.exp(-t * (25 if kind == "snare" else 90))
            if kind == "hat":
                wave = torch.cat([wave[:1], wave[1:] - wave[:-1]])
        begin = round(when * rate)
        part = out[begin : begin + length]
        part += level * wave[: len(part)]

    for number, when in enumerate(times):
        gap = times[number + 1] - when if number + 1 < len(times) else 60 / bpm
        off = when + gap * (0.5 + swing / 2)
        bar = number % 4
        if pattern == "clicks":
            hit(when, "hat", 1.0)
        elif pattern == "house":
            hit(when, "kick", 1.0)
            hit(off, "hat", 0.35)
            if bar in (1, 3):
                hit(when, "snare", 0.35)
        elif pattern == "ballad":
            if bar == 0:
                hit(when, "bass", 0.6)
            hit(when, "chord", 0.5 if bar == 0 else 0.3)
            hit(off, "chord", 0.12)
        else:
            if bar == 0 or (bar == 2 and pattern == "rock"):
                hit(when, "kick", 1.0)
            if pattern == "breaks" and bar == 2:
                hit(off, "kick", 0.8)
            if bar in (1, 3):
                hit(when, "snare", 0.7)
            hit(when, "hat", 0.25)
            hit(off, "hat", 0.2)
        if bar == 0 and pattern != "clicks":
            hit(when, "bass", 0.5)
    return out, torch.tensor(times, dtype=torch.float64)


def f_measure(found: Tensor, true: Tensor, tolerance: float = 0.07) -> float:
    """Of beats that lie within `tolerance` seconds of each other, each used once."""
    hits, at = 0, 0
    for when in true.tolist():
        while at < len(found) and float(found[at]) < when - tolerance:
            at += 1
        if at < len(found) and float(found[at]) <= when + tolerance:
            hits += 1
            at += 1
    return 2 * hits / max(len(found) + len(true), 1)
