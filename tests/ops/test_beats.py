"""Beats of songs whose beats are known, and of what has none."""

from __future__ import annotations

import pytest
import torch

from benchmarks.songs import KNOWN, RATE, f_measure, song
from vidprod.ops.beats import Beats, beats, beats_of_parts

EASY = 11
"""Of those songs; the others are found at double their tempo, which does no harm when cutting."""


def found(case: tuple[int, str, float, float, float], seed: int) -> tuple[Beats, float]:
    bpm, pattern, drift, swing, noise = case
    samples, true = song(bpm, pattern=pattern, drift=drift, swing=swing, noise=noise, seed=seed)
    got = beats(samples, RATE)
    return got, f_measure(got.seconds, true)


def test_songs_of_all_tempi() -> None:
    scores = [found(case, seed)[1] for seed, case in enumerate(KNOWN)]
    assert min(scores[:EASY]) > 0.9
    assert min(scores) > 0.6
    assert sum(scores) / len(scores) > 0.93


@pytest.mark.parametrize("bpm", [92, 100, 120, 140])
def test_beats_are_where_the_drums_are(bpm: int) -> None:
    samples, true = song(bpm, noise=0.05, seed=1)
    got = beats(samples, RATE)
    assert got.tempo == pytest.approx(bpm, rel=0.01)
    off = (got.seconds[:, None] - true[None]).abs().amin(1)
    assert float(off.max()) < 0.02
    assert got.confidence > 0.5
    assert f_measure(got.seconds[got.downbeats], true[::4]) > 0.95


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_any_rate(rate: int) -> None:
    samples, true = song(110, 12.0, rate=rate, noise=0.02)
    assert f_measure(beats(samples, rate).seconds, true) > 0.95


@pytest.mark.parametrize("level", [1e-3, 0.05, 1.0])
def test_any_loudness(level: float) -> None:
    samples, true = song(110, 12.0, noise=0.02)
    assert f_measure(beats(samples * level, RATE).seconds, true) > 0.95


def test_parts_do_not_matter() -> None:
    samples, _ = song(120, 25.0, noise=0.1)
    whole = beats(samples, RATE)
    for lengths in ([1, 999, 50_000], [300_000], [7777]):
        parts: list[torch.Tensor] = []
        at = 0
        while at < len(samples):
            step = lengths[len(parts) % len(lengths)]
            parts.append(samples[at : at + step])
            at += step
        got = beats_of_parts(parts, RATE)
        assert torch.equal(got.seconds, whole.seconds)
        assert torch.equal(got.downbeats, whole.downbeats)


@pytest.mark.parametrize(
    "samples",
    [
        torch.zeros(0),
        torch.zeros(1),
        torch.zeros(10 * RATE),
        torch.full((10 * RATE,), 0.5),
        torch.full((10 * RATE,), float("nan")),
        song(120, 1.0)[0],
    ],
    ids=["nothing", "one sample", "silence", "constant", "not a number", "one second"],
)
def test_nothing_to_find(samples: torch.Tensor) -> None:
    got = beats(samples, RATE)
    assert len(got.seconds) == len(got.downbeats)
    assert got.confidence == 0.0 or len(got.seconds) <= 3


def test_noise_is_no_music() -> None:
    noise = torch.randn(20 * RATE, generator=torch.Generator().manual_seed(1)) * 0.1
    assert beats(noise, RATE).confidence < 0.12


def test_what_is_no_sound_is_refused() -> None:
    with pytest.raises(ValueError, match=r"samples must be \(n,\) of a float type, got \(2, 9\)"):
        beats(torch.zeros(2, 9), RATE)
    with pytest.raises(ValueError, match=r"got .* torch\.int16"):
        beats(torch.zeros(9, dtype=torch.int16), RATE)
    with pytest.raises(ValueError, match="rate must be at least 8000 samples a second, got 4000"):
        beats(torch.zeros(9), 4000)
