"""Sounds are laid over each other at their samples, their fades meet, and nothing stays open."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media.sounds import open_files, write_sound
from vidprod.media.mixing import Ducking, Fading, MixedSound, Span, Voice, mixed, spans_of
from vidprod.media.sound import SoundFormat

RATE = 8000
MONO = SoundFormat(RATE, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixing")


@pytest.fixture(scope="module")
def ramp(folder: Path) -> Path:
    """4 s; every sample tells its own number."""
    return write_sound(folder / "ramp.wav", np.arange(4 * RATE) / (4 * RATE), RATE)


@pytest.fixture(scope="module")
def ones(folder: Path) -> Path:
    """4 s."""
    return write_sound(folder / "ones.wav", np.full(4 * RATE, 0.5), RATE)


def whole(voices: list[Voice], count: int) -> np.ndarray:
    blocks = list(mixed(voices, MONO, count))
    assert all(block.dtype == np.float32 for block in blocks)
    assert max((block.shape[1] for block in blocks), default=0) <= RATE // 2
    out: np.ndarray = np.concatenate([np.zeros((1, 0), np.float32), *blocks], 1)[0]
    return out


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(-500, 20_000), st.integers(1, 12_000)), max_size=4),
    st.integers(0, 20_000),
)
def test_every_sample_is_where_it_belongs(ramp: Path, parts: list[tuple[int, int, int]], count: int) -> None:
    voices = [Voice(ramp, Fraction(0), begin, first, first + length) for begin, first, length in parts]
    expected = np.zeros(count)
    for begin, first, length in parts:
        for_file, places = np.arange(begin, begin + length), np.arange(first, first + length)
        inside = (places >= 0) & (places < count) & (for_file < 4 * RATE)
        expected[places[inside]] += for_file[inside] / (4 * RATE)
    np.testing.assert_allclose(whole(voices, count), expected, atol=1e-6)


def test_gain_clock_and_shapes(ramp: Path) -> None:
    def late(first: int, count: int) -> np.ndarray:
        return (np.arange(first, first + count) >= 5000).astype(np.float32)

    out = whole([Voice(ramp, Fraction(1), 100, 2000, 9000, gain=2.0, shapes=(late,))], 10_000)
    assert not out[:5000].any()
    np.testing.assert_allclose(out[5000:9000], 2 * (RATE + 100 + np.arange(3000, 7000)) / (4 * RATE), atol=1e-6)
    assert not out[9000:].any()


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 2000)), min_size=1, max_size=5), st.integers(1, 50))
def test_fades_fit_into_what_is_heard(stretches: list[tuple[int, int]], edge: int) -> None:
    places = [(first, first + length) for first, length in stretches]
    for (first, stop), span in zip(places, spans_of(places, edge), strict=True):
        assert span.first == first
        assert stop <= span.stop <= stop + 2 * edge  # it may sound on below what follows
        assert 0 < span.fade_in <= span.stop - first
        assert 0 < span.fade_out <= span.stop - first


@given(st.integers(1, 40), st.lists(st.tuples(st.integers(100, 900), st.integers(-99, 10)), min_size=1, max_size=6))
def test_a_chain_has_equal_power_everywhere(edge: int, chain: list[tuple[int, int]]) -> None:
    places: list[tuple[int, int]] = []
    at = 0
    for length, gap in chain:  # each 100..900 samples after the one before; overlaps that do not meet each other
        first = max(at + min(gap, edge), 0) if places else 0
        places.append((first, first + length + 100))
        at = first + length + 100
    spans = spans_of(places, edge)
    power = np.zeros(spans[-1].stop)
    for span in spans:
        voice = Voice(Path(), Fraction(0), 0, span.first, span.stop, span.fade_in, span.fade_out)
        power[span.first : span.stop] += voice.gains(span.first, span.stop - span.first) ** 2
    np.testing.assert_allclose(power[edge : len(power) - edge], 1, atol=1e-3)


def test_transitions_fade_long_and_hard_cuts_short() -> None:
    assert spans_of([(0, 1000), (800, 2000), (2000, 3000)], 10) == [
        Span(0, 1000, 10, 200),
        Span(800, 2010, 200, 10),
        Span(2000, 3000, 10, 10),
    ]


def test_what_is_seen_together_is_heard_together() -> None:
    spans = spans_of([(0, 1000), (0, 1000), (900, 2000)], 10)
    assert spans == [Span(0, 1000, 10, 100), Span(0, 1000, 10, 100), Span(900, 2000, 100, 10)]


def test_ducking_goes_down_before_and_comes_up_after() -> None:
    rate = 1000
    duck = Ducking.under([(2000, 3000), (3200, 4000), (8000, 9000)], -12, rate)
    gain = 20 * np.log10(np.concatenate([duck(first, 250) for first in range(0, 11_000, 250)]))
    assert abs(gain[:1850]).max() < 1e-3
    np.testing.assert_allclose(gain[2000:4000], -12, atol=0.01)  # the pause is too short to come up in
    assert abs(gain[4400:7850]).max() < 0.01
    np.testing.assert_allclose(gain[8000:9000], -12, atol=0.01)
    assert abs(gain[9400:]).max() < 0.01
    assert gain[1925] == pytest.approx(-6, abs=0.3)
    assert gain[4200] == pytest.approx(-6, abs=0.3)
    assert abs(np.diff(gain)).max() < 0.2  # of 12 dB, in a thousandth of a second


@given(st.integers(1, 4000), st.integers(0, 1000), st.integers(0, 3000), st.integers(1, 700))
def test_fading_begins_and_ends_in_silence(length: int, fade_in: int, fade_out: int, block: int) -> None:
    fading = Fading(100, 100 + length, fade_in, fade_out)
    gain = np.concatenate([fading(first, block) for first in range(0, length + 300, block)])
    assert not gain[100 + length :].any()
    assert not gain[:100].any()
    assert gain.min() >= 0
    assert gain.max() <= 1
    if fade_out:
        assert gain[100 + length - 1] == 0
    if fade_in + fade_out + 2 < length:
        np.testing.assert_allclose(gain[100 + fade_in : 100 + length - fade_out - 1], 1, atol=1e-5)


def test_only_what_is_heard_is_open(folder: Path, ones: Path, ramp: Path) -> None:
    voices = [Voice(ones, Fraction(0), 0, n * RATE, n * RATE + RATE) for n in range(6)]
    blocks = mixed([*voices, Voice(ramp, Fraction(0), 0, 3 * RATE, 4 * RATE)], MONO, 8 * RATE)
    most = 0
    for _ in blocks:
        most = max(most, len(open_files(folder)))
    assert most == 2
    assert not open_files(folder)


def test_closing_closes_the_files(folder: Path, ones: Path) -> None:
    with MixedSound(MONO, mixed([Voice(ones, Fraction(0), 0, 0, 4 * RATE)], MONO, 4 * RATE)) as sound:
        next(iter(sound.blocks))
        assert open_files(folder)
    assert not open_files(folder)
    assert list(sound.blocks) == []
    sound.close()
