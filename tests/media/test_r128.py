"""Loudness and true peak are those of EBU Tech 3341, and the limiter keeps its ceiling and the time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter, resample_poly

from vidprod.media.r128 import Level, Meter, limited
from vidprod.media.sound import Samples, SoundFormat

RATE = 48000
STEREO = SoundFormat(RATE, 2)


def sine(db: float, seconds: float, *, hz: float = 1000, rate: int = RATE, phase: float = 0) -> np.ndarray:
    """(n,) float32; `db` below full scale at its peaks."""
    at = np.arange(round(seconds * rate)) / rate
    return (10 ** (db / 20) * np.sin(2 * np.pi * hz * at + phase)).astype(np.float32)


def measure(sound: np.ndarray, format: SoundFormat = STEREO, *, block: int = RATE) -> Level:
    """The same (n,) in all channels, or (channels, n)."""
    samples = np.stack([sound] * format.channels) if sound.ndim == 1 else sound
    meter = Meter(format)
    for at in range(0, samples.shape[1], block):
        meter.update(samples[:, at : at + block])
    return meter.finish()


def true_peak(samples: np.ndarray) -> float:
    """In dB, by another way: band-limited interpolation to eight times the rate; without the ends, where that rings."""
    return float(20 * np.log10(max(np.abs(resample_poly(channel, 8, 1)[4000:-4000]).max() for channel in samples)))


def by_definition(samples: np.ndarray) -> float:
    """Integrated loudness of (channels, n) at 48000 samples a second, written straight from ITU-R BS.1770-4."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585]
    high = [1.0, -2.0, 1.0], [1, -1.99004745483398, 0.99007225036621]
    weighted = lfilter(*high, lfilter(*shelf, samples.astype(np.float64)))
    starts = range(0, samples.shape[1] - 19200 + 1, 4800)
    power = np.array([(weighted[:, at : at + 19200] ** 2).mean(1).sum() for at in starts])
    power = power[-0.691 + 10 * np.log10(power + 1e-20) > -70]
    gate = -0.691 + 10 * math.log10(power.mean()) - 10
    return float(-0.691 + 10 * np.log10(power[-0.691 + 10 * np.log10(power) > gate].mean()))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23),
        ([(-33, 5)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 4), (-36, 4), (-23, 20), (-36, 4), (-72, 4)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_tech_3341_loudness(parts: list[tuple[float, float]], expected: float) -> None:
    """Its minimum requirements 1 to 5; 2 and 4 shortened."""
    sound = np.concatenate([sine(*part) for part in parts])
    assert measure(sound).loudness == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("amplitude", "divisor", "degrees", "expected"),
    [(0.5, 4, 0, -6), (0.5, 4, 45, -6), (0.5, 6, 60, -6), (0.5, 8, 67.5, -6), (1.41, 4, 45, 3)],
)
def test_tech_3341_true_peak(amplitude: float, divisor: int, degrees: float, expected: float) -> None:
    sound = sine(20 * math.log10(amplitude), 1, hz=RATE / divisor, phase=math.radians(degrees))
    ramp = np.minimum(np.arange(len(sound)) / 1000, 1)  # the signals of Tech 3341 fade in, too
    assert expected - 0.4 <= measure((sound * ramp * ramp[::-1]).astype(np.float32)).peak <= expected + 0.2


def test_loudness_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    steps = np.repeat(10 ** (rng.uniform(-50, -12, 12) / 20), RATE)
    samples = (rng.standard_normal((2, len(steps))) * steps * [[1], [0.6]]).astype(np.float32)
    assert measure(samples).loudness == pytest.approx(by_definition(samples), abs=0.05)


def test_one_channel_counts_once() -> None:
    assert measure(sine(-23, 5), SoundFormat(RATE, 1)).loudness == pytest.approx(-26, abs=0.1)


def test_other_rates() -> None:
    assert measure(sine(-23, 5, rate=44100), SoundFormat(44100, 2)).loudness == pytest.approx(-23, abs=0.1)


def test_silence_and_what_is_too_quiet_or_short() -> None:
    assert measure(np.zeros(RATE, np.float32)) == Level(-math.inf, -math.inf)
    assert measure(np.zeros(0, np.float32)) == Level(-math.inf, -math.inf)
    assert measure(sine(-80, 3)).loudness == -math.inf
    short = measure(sine(-10, 0.05))
    assert short.loudness == pytest.approx(-10 - 9.03, abs=0.2)  # an eighth of one block
    assert short.peak == pytest.approx(-10, abs=0.2)


def test_a_peak_at_the_very_end_counts() -> None:
    sound = sine(-40, 1.033)
    sound[-1] = 0.9
    assert measure(sound).peak > -1.2


@settings(max_examples=10)
@given(st.integers(100, 2 * RATE))
def test_the_size_of_blocks_does_not_matter(block: int) -> None:
    sound = np.random.default_rng(1).standard_normal(2 * RATE).astype(np.float32) / 8
    once, again = measure(sound, block=2 * RATE), measure(sound, block=block)
    assert again.loudness == pytest.approx(once.loudness, abs=0.02)
    assert again.peak == pytest.approx(once.peak, abs=0.02)


def blocks_of(samples: np.ndarray, sizes: list[int]) -> list[Samples]:
    """Cut into blocks; the last size is repeated."""
    blocks, at = [], 0
    while at < samples.shape[1]:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        blocks.append(samples[:, at : at + size])
        at += size
    return blocks


@settings(max_examples=15)
@given(st.integers(0, 20_000), st.lists(st.integers(1, 9000), min_size=1, max_size=4), st.sampled_from([44100, 48000]))
def test_limiting_keeps_the_number_of_samples(count: int, sizes: list[int], rate: int) -> None:
    samples = np.random.default_rng(2).standard_normal((2, count)).astype(np.float32)
    out = list(limited(blocks_of(samples, [*sizes, 500]), SoundFormat(rate, 2), -2))
    assert sum(block.shape[1] for block in out) == count
    assert all(block.dtype == np.float32 and block.shape[0] == 2 for block in out)


@pytest.mark.parametrize("hz", [60, 997, 7001, 11025])
@pytest.mark.parametrize("ceiling", [-1.8, -6.0])
def test_true_peaks_stay_below_the_ceiling(hz: float, ceiling: float) -> None:
    sound = np.stack([sine(6, 1, hz=hz, phase=0.5), sine(-12, 1, hz=hz)])
    out = np.concatenate(list(limited(blocks_of(sound, [4096]), STEREO, ceiling)), 1)
    assert ceiling - 0.3 < true_peak(out) < ceiling + 0.2
    assert measure(out).peak < ceiling + 0.5


def test_what_is_below_the_ceiling_is_left_alone_and_not_delayed() -> None:
    sound = np.stack([sine(-3, 1, hz=440), sine(-20, 1, hz=5000)])
    sound[0, 20000:20100] *= 3
    out = np.concatenate(list(limited(blocks_of(sound, [10000]), STEREO, -1.5)), 1)
    np.testing.assert_allclose(out[:, 2000:19000], sound[:, 2000:19000], atol=1e-3)
    np.testing.assert_allclose(out[:, 36000:46000], sound[:, 36000:46000], atol=2e-3)
    assert np.abs(out[0, 20000:20100]).max() < 0.85
