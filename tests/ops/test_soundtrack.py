"""The sound of a short is as long as its pictures, as loud as it should be, and in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.media.sounds import level_at, open_files, tone, write_sound
from vidprod.control import Control
from vidprod.errors import Cancelled
from vidprod.media.frames import Frames
from vidprod.media.mixing import MixedSound
from vidprod.media.probe import VideoInfo
from vidprod.media.r128 import Level, Meter
from vidprod.media.sound import SoundFormat, SoundReader
from vidprod.media.writer import VideoWriter
from vidprod.ops.soundtrack import soundtrack_of
from vidprod.ops.timeline import ClipSound, MusicPiece, Shot, Soundtrack, Source, Timeline, TransitionSpan

RATE = 48000
MUSIC, SPEECH = 440.0, 3000.0  # Hz: sines that can be told from each other


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("soundtrack")


@pytest.fixture(scope="module")
def music(folder: Path) -> Path:
    return write_sound(folder / "music.wav", np.stack([tone(MUSIC, 12, -20)] * 2))


@pytest.fixture(scope="module")
def speech(folder: Path) -> Path:
    """Mono, and quiet."""
    return write_sound(folder / "speech.mkv", tone(SPEECH, 8, -35))


@pytest.fixture(scope="module")
def silence(folder: Path) -> Path:
    return write_sound(folder / "silence.wav", np.zeros(2 * RATE))


def short(seconds: float, sound: Soundtrack | None, sources: int, *, rate: str = "30") -> Timeline:
    shot = Shot(0, 0, seconds, 0, seconds)
    return Timeline(32, 24, rate, tuple(Source(f"{n}", "audio") for n in range(sources)), (shot,), sound=sound)


def heard(sound: MixedSound | None) -> np.ndarray:
    """(2, n)."""
    assert sound is not None
    with sound:
        return np.concatenate(list(sound.blocks), 1)


def made(seconds: float, plan: Soundtrack, paths: Sequence[Path], *, rate: str = "30") -> np.ndarray:
    timeline = short(seconds, plan, len(paths), rate=rate)
    return heard(soundtrack_of(timeline, paths, [Fraction(0)] * len(paths)))


def level_of(samples: np.ndarray, rate: int = RATE) -> Level:
    meter = Meter(SoundFormat(rate, 2))
    meter.update(samples)
    return meter.finish()


def between(samples: np.ndarray, first: float, stop: float) -> np.ndarray:
    """(n,) of the left channel, by seconds."""
    part: np.ndarray = samples[0, round(first * RATE) : round(stop * RATE)]
    return part


@pytest.mark.parametrize(
    ("pictures", "rate"), [(1, "24000/1001"), (37, "30000/1001"), (101, "25"), (59, "24"), (90, "30")]
)
def test_as_long_as_the_pictures(music: Path, pictures: int, rate: str) -> None:
    plan = Soundtrack(music=0, pieces=(MusicPiece(1, 9, 0),))
    out = made(float(pictures / Fraction(rate)), plan, [music], rate=rate)
    assert out.shape == (2, round(pictures / Fraction(rate) * RATE))


@pytest.mark.parametrize("loudness", [-23.0, -16.0, -14.0])
def test_loudness_is_what_was_asked_for(music: Path, speech: Path, loudness: float) -> None:
    plan = Soundtrack(0, (MusicPiece(0, 10, 0),), (ClipSound(1, 0, 3, 6),), loudness=loudness)
    level = level_of(made(10, plan, [music, speech]))
    assert level.loudness == pytest.approx(loudness, abs=0.15)
    assert level.peak <= -1


def test_peaks_are_limited_and_the_loudness_is_still_right(folder: Path) -> None:
    rng = np.random.default_rng(0)
    beats = tone(300, 8, -22)
    for at in range(0, 8 * RATE, RATE // 4):
        beats[at : at + 4000] += 0.4 * rng.standard_normal(4000).clip(-1, 1) * np.exp(-np.arange(4000) / 300)
    path = write_sound(folder / "beats.wav", beats)
    out = made(8, Soundtrack(0, (MusicPiece(0, 8, 0),), loudness=-16), [path])
    before = level_of(np.stack([beats] * 2).astype(np.float32))
    assert before.peak - before.loudness - 16 > 2  # dBTP, had it only been raised
    level = level_of(out)
    assert -2.2 < level.peak <= -1.3
    assert level.loudness == pytest.approx(-16, abs=0.2)


def test_a_limiter_does_not_crush(folder: Path) -> None:
    """One loud clap in quiet sound: it is lowered by 10 dB and no more, whatever the loudness would be then."""
    sound = np.stack([tone(300, 6, -45)] * 2)
    sound[:, 3 * RATE : 3 * RATE + 48] = tone(2000, 0.001, -1)
    path = write_sound(folder / "clap.wav", sound)
    out = made(6, Soundtrack(clips=(ClipSound(0, 0, 0, 6),)), [path])
    assert level_at(between(out, 1, 2), 300) == pytest.approx(-45 + 10, abs=1)
    assert level_of(out).peak <= -1.1


def test_without_a_loudness_nothing_changes(music: Path) -> None:
    out = made(6, Soundtrack(0, (MusicPiece(0, 6, 0),), loudness=None), [music])
    assert level_at(between(out, 1, 4), MUSIC) == pytest.approx(-20, abs=0.05)


def test_music_steps_back_under_speech(music: Path, speech: Path) -> None:
    plan = Soundtrack(0, (MusicPiece(0, 12, 0),), (ClipSound(1, 0, 4, 7),), duck=-12, fade_out=1)
    out = made(12, plan, [music, speech])
    full = level_at(between(out, 1, 3.8), MUSIC)
    assert level_at(between(out, 4, 7), MUSIC) - full == pytest.approx(-12, abs=0.1)
    assert level_at(between(out, 7.4, 10.9), MUSIC) - full == pytest.approx(0, abs=0.1)
    steps = [level_at(between(out, at, at + 0.05), MUSIC) - full for at in np.arange(3.8, 4.0, 0.025)]
    assert all(a >= b - 0.01 for a, b in pairwise(steps))
    # Speech is about as loud as the music where it is alone; the ear is more sensitive to 3000 Hz than to 440.
    assert -4.5 < level_at(between(out, 4, 7), SPEECH) - full < -2
    assert level_at(between(out, 1, 3.9), SPEECH) < -100
    assert level_at(between(out, 7.1, 10), SPEECH) < -100


def test_silent_clips_do_not_lower_the_music(music: Path, silence: Path) -> None:
    plan = Soundtrack(0, (MusicPiece(0, 8, 0),), (ClipSound(1, 0, 2, 4), ClipSound(1, 0, 5, 6)))
    out = made(8, plan, [music, silence])
    assert level_at(between(out, 2, 4), MUSIC) == pytest.approx(level_at(between(out, 0.5, 2), MUSIC), abs=0.01)


def test_own_sound_without_music_is_evened_gently(folder: Path) -> None:
    quiet = write_sound(folder / "quiet.wav", tone(1000, 4, -38))
    loud = write_sound(folder / "loud.wav", tone(1000, 4, -18))
    out = made(8, Soundtrack(clips=(ClipSound(0, 0, 0, 4), ClipSound(1, 0, 4, 8))), [quiet, loud])
    difference = level_at(between(out, 4.5, 7.5), 1000) - level_at(between(out, 0.5, 3.5), 1000)
    assert 4 < difference < 10  # of 20 dB
    assert level_of(out).loudness == pytest.approx(-16, abs=0.2)


def test_own_sound_goes_with_its_picture_in_a_transition(speech: Path) -> None:
    """To and from photographs, which are silent."""
    shots = tuple(Shot(0, 0, 3, at, at + 3) for at in (0, 2, 4))
    spans = (TransitionSpan("normal", 2, 3), TransitionSpan("normal", 4, 5))
    plan = Soundtrack(clips=(ClipSound(0, 1, 2, 5),))
    timeline = replace(short(7, plan, 1), shots=shots, transitions=spans)
    out = heard(soundtrack_of(timeline, [speech], [Fraction(0)]))
    levels = [level_at(between(out, at, at + 0.02), SPEECH) for at in np.arange(2, 4.98, 0.05)]
    full = max(levels)
    assert levels[10] - full == pytest.approx(-3, abs=0.5)
    assert all(a < b for a, b in pairwise(levels[:15]))
    assert all(b < a for a, b in pairwise(levels[45:]))
    assert min(levels[20:40]) > full - 0.1


def test_own_sound_does_not_break_off_at_the_end(speech: Path) -> None:
    out = made(3, Soundtrack(clips=(ClipSound(0, 1, 0, 3),)), [speech])
    levels = [level_at(between(out, at, at + 0.02), SPEECH) for at in np.arange(2.6, 2.98, 0.02)]
    assert levels[4] == pytest.approx(levels[0], abs=0.1)
    assert all(b < a for a, b in pairwise(levels[6:]))
    assert np.abs(out[:, -20:]).max() < 1e-3


def test_one_gain_for_one_speaker(folder: Path) -> None:
    """Who speaks up in one shot and low in another still does."""
    path = write_sound(folder / "speaker.wav", np.concatenate([tone(1000, 4, -20), tone(1000, 4, -30)]))
    out = made(4, Soundtrack(clips=(ClipSound(0, 1, 0, 2), ClipSound(0, 5, 2, 4))), [path])
    step = level_at(between(out, 0.1, 1.9), 1000) - level_at(between(out, 2.1, 3.9), 1000)
    assert step == pytest.approx(10, abs=0.1)


def test_silence_stays_silence(silence: Path) -> None:
    plan = Soundtrack(0, (MusicPiece(0, 2, 0),), (ClipSound(0, 0, 0, 1),))
    assert soundtrack_of(short(2, plan, 1), [silence], [Fraction(0)]) is None


def test_what_is_nearly_silent_is_not_blown_up(folder: Path) -> None:
    path = write_sound(folder / "hum.wav", np.stack([tone(1000, 4, -60)] * 2))
    for plan in (Soundtrack(0, (MusicPiece(0, 4, 0),)), Soundtrack(clips=(ClipSound(0, 0, 0, 4),))):
        assert level_at(between(made(4, plan, [path]), 1, 2), 1000) == pytest.approx(-40, abs=0.2)


def test_nothing_to_hear(clip: Path, music: Path) -> None:
    assert soundtrack_of(short(2, None, 1), [music], [Fraction(0)]) is None
    assert soundtrack_of(short(2, Soundtrack(), 1), [music], [Fraction(0)]) is None
    only_video = short(2, Soundtrack(clips=(ClipSound(0, 0, 0, 2),)), 1)
    assert soundtrack_of(only_video, [clip], [Fraction(0)]) is None
    late = short(2, Soundtrack(0, (MusicPiece(0, 2, 5),)), 1)
    assert soundtrack_of(late, [music], [Fraction(0)]) is None


def test_photographs_are_silent(tmp_path: Path, music: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"not opened")
    plan = Soundtrack(1, (MusicPiece(0, 3, 0),), (ClipSound(0, 0, 0, 1),))
    timeline = replace(short(3, plan, 2), sources=(Source("photo", "image"), Source("music", "audio")))
    assert heard(soundtrack_of(timeline, [photo, music], [Fraction(0)] * 2)).shape == (2, 3 * RATE)


def test_pieces_fade_into_each_other_without_a_click_or_a_hole(music: Path) -> None:
    # 440 Hz: 1.5 s later the sine is at the same phase again
    plan = Soundtrack(0, (MusicPiece(1, 4, 0), MusicPiece(1, 6, 2.5), MusicPiece(2, 5, 7.5)), loudness=None)
    out = made(10, plan, [music])
    smooth = np.abs(np.diff(between(out, 0.2, 8.4), 3)).max()
    alone = np.abs(np.diff(tone(MUSIC, 1, -20), 3)).max()
    assert smooth < 1.6 * alone
    levels = [level_at(between(out, at, at + 0.02), MUSIC) for at in np.arange(0.2, 8.2, 0.01)]
    assert min(levels) > -20.2
    assert max(levels) < -16.9  # equal parts in phase: 3 dB more in the middle of the fade


def test_fades_begin_and_end_in_silence(music: Path) -> None:
    out = made(5, Soundtrack(0, (MusicPiece(1, 9, 0),), fade_in=0.1, fade_out=1.5, loudness=None), [music])[0]
    assert out[-1] == 0
    assert np.abs(out[-480:]).max() < 1e-4
    assert np.abs(out[:100]).max() < 1e-3
    envelope = [np.abs(out[at : at + 480]).max() for at in range(round(3.5 * RATE), 5 * RATE, 480)]
    assert all(b < a + 1e-3 for a, b in pairwise(envelope))
    assert envelope[0] == pytest.approx(0.1, abs=2e-3)


def test_files_are_closed(folder: Path, music: Path, speech: Path) -> None:
    plan = Soundtrack(0, (MusicPiece(0, 8, 0),), (ClipSound(1, 0, 1, 5),))
    sound = soundtrack_of(short(8, plan, 2), [music, speech], [Fraction(0)] * 2)
    assert sound is not None
    assert not open_files(folder)
    with sound:
        blocks = iter(sound.blocks)
        for _ in range(4):
            next(blocks)
        assert open_files(folder)
    assert not open_files(folder)


def test_measuring_can_be_stopped(music: Path, folder: Path) -> None:
    plan = Soundtrack(0, (MusicPiece(0, 8, 0),))
    with pytest.raises(Cancelled):
        soundtrack_of(short(8, plan, 1), [music], [Fraction(0)], control=Control(cancelled=lambda: True))
    assert not open_files(folder)


@pytest.mark.parametrize(
    ("name", "codec", "layout", "rate"),
    [
        ("a.wav", "pcm_f32le", "mono", 8000),
        ("b.wav", "pcm_s16le", "stereo", 192000),
        ("c.m4a", "aac", "5.1", 48000),
        ("d.mp3", "libmp3lame", "stereo", 44100),
        ("e.flac", "flac", "mono", 96000),
        ("f.ogg", "libopus", "stereo", 48000),
        ("g.mp3", "libmp3lame", "mono", 22050),
    ],
)
def test_every_format_is_in_time(tmp_path: Path, name: str, codec: str, layout: str, rate: int) -> None:
    """A burst of a tone in the second second of a file is heard where it was laid, however the file is coded."""
    burst = np.concatenate([np.zeros(2 * rate), tone(1000, 0.25, -20, rate), np.zeros(rate * 2)])
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    path = write_sound(tmp_path / name, np.stack([burst] * channels), rate, codec=codec, layout=layout)
    timeline = short(3, Soundtrack(0, (MusicPiece(1.5, 4, 0.5),), fade_in=0, fade_out=0), 1)
    sound = soundtrack_of(timeline, [path], [Fraction(0)])
    assert sound is not None
    assert sound.format == SoundFormat(44100 if rate == 44100 else RATE, 2)
    out = heard(sound)
    loud = np.abs(out[0]) > 0.2 * np.abs(out[0]).max()
    first, last = np.flatnonzero(loud)[[0, -1]] / sound.format.rate
    # FFmpeg's clock of an MP3 file begins with the samples that its encoder adds, which are never heard
    delay = 1105 / rate if codec == "libmp3lame" else 0
    assert first == pytest.approx(1 + delay, abs=0.003)
    assert last == pytest.approx(1.25 + delay, abs=0.003)


def test_sound_that_starts_late_or_ends_early(folder: Path, music: Path) -> None:
    late = write_sound(folder / "late.mkv", tone(SPEECH, 2), first=RATE)
    plan = Soundtrack(clips=(ClipSound(0, 0, 0, 6),))
    out = made(6, plan, [late])
    assert not between(out, 0, 0.95).any()
    assert level_at(between(out, 1.1, 2.9), SPEECH) > -20
    assert not between(out, 3.1, 6).any()
    clock = heard(soundtrack_of(short(6, plan, 1), [late], [Fraction(1, 2)]))
    assert not between(clock, 0, 0.45).any()
    assert level_at(between(clock, 0.6, 2.4), SPEECH) > -20


def test_damaged_sound_is_silent_where_it_is_damaged(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "music.mp3", tone(MUSIC, 6), codec="libmp3lame")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle - 8000 : middle + 8000] = bytes(np.random.default_rng(0).integers(0, 255, 16_000, dtype=np.uint8))
    path.write_bytes(data[: len(data) * 9 // 10])
    out = made(6, Soundtrack(0, (MusicPiece(0, 6, 0),)), [path])
    assert out.shape == (2, 6 * RATE)
    assert np.isfinite(out).all()
    assert level_at(between(out, 0.5, 2), MUSIC) > -20
    assert not between(out, 5.7, 6).any()


def in_a_file(path: Path, timeline: Timeline, sound: MixedSound | None) -> np.ndarray:
    """(2, n) as decoded again from an MP4 file with black pictures."""
    rate, count = Fraction(timeline.rate), timeline.pictures
    like = VideoInfo.of_new(path, timeline.width, timeline.height, rate)
    assert sound is not None
    with sound, VideoWriter(path, like=like, sound=sound) as writer:
        black = torch.zeros(count, 3, timeline.height, timeline.width, dtype=torch.uint8)
        writer.write(Frames(black, tuple(range(count)), 1 / rate, 0))
    with SoundReader(path, SoundFormat(RATE, 2)) as reader:
        return reader.read(0, round(count / rate * RATE))


def test_loudness_and_peaks_in_the_file(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = np.apply_along_axis(np.convolve, 1, rng.standard_normal((2, 5 * RATE)), np.hanning(24) / 4, mode="same")
    noise *= 0.05 * (1 + 6 * (np.arange(5 * RATE) % 9600 < 1000))
    path = write_sound(folder / "noise.wav", noise)
    timeline = short(5, Soundtrack(0, (MusicPiece(0, 5, 0),), fade_out=0.5), 1)
    level = level_of(in_a_file(tmp_path / "out.mp4", timeline, soundtrack_of(timeline, [path], [Fraction(0)])))
    assert level.loudness == pytest.approx(-16, abs=0.4)
    assert -2 < level.peak <= -1


def test_what_is_not_a_number_is_silent(folder: Path) -> None:
    sound = tone(MUSIC, 6)
    sound[RATE : RATE + 100], sound[2 * RATE], sound[3 * RATE : 3 * RATE + 5] = np.nan, np.inf, -1e30
    path = write_sound(folder / "numbers.wav", sound)
    out = made(6, Soundtrack(0, (MusicPiece(0, 6, 0),)), [path])
    assert np.isfinite(out).all()
    assert level_of(out).peak <= -1
    assert level_at(between(out, 4, 4.4), MUSIC) > -30


def test_beats_are_where_they_were_planned_in_the_file(folder: Path, tmp_path: Path) -> None:
    """Clicks of two loops of music, in the finished file, at most 5 ms off."""
    every = 0.5
    clicks = np.zeros(6 * RATE)
    for at in np.arange(0.1, 6, every):
        first = round(at * RATE)
        clicks[first : first + 480] = tone(2000, 0.01, -6) * np.exp(-np.arange(480) / 120)
    path = write_sound(folder / "clicks.wav", clicks)
    rate = Fraction(30000, 1001)
    plan = Soundtrack(0, (MusicPiece(1.1 - 0.05, 4.6, 0), MusicPiece(2.1 - 0.05, 5.9, 3.0)), fade_in=0.01, fade_out=0.2)
    timeline = short(6.5, plan, 1, rate=str(rate))
    sound = soundtrack_of(timeline, [path], [Fraction(0)])
    assert sound is not None
    samples = np.abs(in_a_file(tmp_path / "out.mp4", timeline, sound)[0])
    for beat in np.arange(0.05, 6.0, every):
        around = samples[round((beat - 0.03) * RATE) if beat > 0.03 else 0 : round((beat + 0.1) * RATE)]
        found = max(beat - 0.03, 0) + np.argmax(around > 0.3 * around.max()) / RATE
        assert around.max() > 0.05
        assert found == pytest.approx(beat, abs=0.005)
