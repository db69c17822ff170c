"""Sound is exact to the sample, wherever it is taken from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import noise, stream
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.sound import Sound, SoundFormat, SoundReader, joined, sound_format
from vidprod.media.writer import VideoWriter

RATE = 44100
SECONDS = 8


def ramp(count: int = SECONDS * RATE) -> np.ndarray:
    """Every sample tells its own number: the left channel counts thousands, the right one the rest."""
    numbers = np.arange(count)
    return np.stack([numbers // 1000 / 1024, numbers % 1000 / 1024]).astype(np.float32)


def number(samples: np.ndarray) -> np.ndarray:
    thousands, rest = np.rint(samples * 1024).astype(np.int64)
    return np.asarray(thousands * 1000 + rest)


@pytest.fixture(scope="module", params=["wav", "mkv"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lossless, so that samples can be told from each other."""
    path = tmp_path_factory.mktemp("sound") / f"ramp.{request.param}"
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_f32le", rate=RATE, layout="stereo")
        data = ramp()
        for first in range(0, data.shape[1], 1000):
            part = np.ascontiguousarray(data[:, first : first + 1000].T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return path


@pytest.mark.parametrize("count", [1000, 30_000, RATE, SECONDS * RATE, SECONDS * RATE + 1])
def test_blocks_are_all_there_is(source: Path, count: int) -> None:
    with SoundReader(source, SoundFormat(RATE, 2)) as reader:
        blocks = list(reader.blocks(count))
    assert all(block.shape[1] == count for block in blocks[:-1])
    assert (np.concatenate(blocks, 1) == ramp()).all()


def test_blocks_of_a_silent_file(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        track = container.add_stream("mpeg4", rate=25)
        track.width, track.height = 32, 32
        container.mux(track.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(track.encode(None))
    with SoundReader(path, SoundFormat(RATE, 1)) as reader:
        assert not list(reader.blocks(1000))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, SECONDS * RATE), st.integers(1, 30_000)), min_size=1, max_size=6))
def test_any_stretch_in_any_order(source: Path, stretches: list[tuple[int, int]]) -> None:
    format = sound_format(source)
    assert format == SoundFormat(RATE, 2)
    with SoundReader(source, format) as reader:
        for first, count in stretches:
            found = reader.read(first, count)
            assert found.shape == (2, count)
            inside = max(0, min(count, SECONDS * RATE - first))
            # after a jump Matroska's clock tells the place to a millisecond; from there on every sample counts
            slack = RATE // 1000 + 1 if source.suffix == ".mkv" else 0
            heard = number(found[:, : max(inside - slack, 0)])
            if len(heard):
                assert abs(heard[0] - first) <= slack
                np.testing.assert_array_equal(np.diff(heard), 1)
            assert not found[:, inside + slack :].any()


def test_the_clock_of_the_video_counts(source: Path) -> None:
    with SoundReader(source, SoundFormat(RATE, 2), start=Fraction(1)) as reader:
        assert number(reader.read(0, 10))[0] == RATE


def test_joints_keep_the_length_and_the_middle() -> None:
    class Tone:
        def read(self, first: int, count: int) -> np.ndarray:
            return np.full((1, count), 0.5 if first < 500 else 0.25, np.float32)

    format = SoundFormat(1000, 1)
    blocks = list(joined(Tone(), format, [(0, 100), (500, 80), (900, 3)], fade=0.01))  # type: ignore[arg-type]
    assert [block.shape[1] for block in blocks] == [100, 80, 3]
    assert (blocks[0] == 0.5).all()
    assert (blocks[1][:, 10:] == 0.25).all()
    assert 0.5 <= blocks[1][0, 4] <= 0.6  # two tones of equal power together


@pytest.mark.parametrize("count", [1, 7, 50])
def test_new_sound_is_as_long_as_the_pictures(clip: Path, tmp_path: Path, count: int) -> None:
    like: VideoInfo = probe(clip)
    format = SoundFormat(48000, 2)
    total = round(Fraction(count, 25) * format.rate)
    tone = (0.5 * np.sin(np.arange(total) * 2 * np.pi * 440 / 48000)).astype(np.float32)
    blocks = (np.stack([tone[a : a + 5000]] * 2) for a in range(0, total, 5000))
    out = tmp_path / "out.mp4"
    options = {"like": like, "width": 32, "height": 24, "time_base": Fraction(1, 25), "frame_rate": Fraction(25)}
    with VideoWriter(out, sound=Sound(format, blocks), **options) as writer:  # type: ignore[arg-type]
        for frames in stream(noise(count), [4]):
            writer.write(frames)
    with av.open(str(out)) as container:
        audio = container.streams.audio[0]
        assert audio.duration is not None
        assert audio.time_base is not None
        assert abs(audio.duration * audio.time_base - Fraction(count, 25)) < Fraction(20, 1000)
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio)], 1)
    if count == 50:
        middle = heard[0, 20000:60000]
        assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(440 * len(middle) / 48000, abs=1)


def test_a_silent_file_has_no_format(clip: Path) -> None:
    assert sound_format(clip) is None
    with SoundReader(clip, SoundFormat(48000, 1)) as reader:
        assert not reader.read(0, 100).any()


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, SECONDS * RATE), st.integers(1, 3 * RATE)), min_size=1, max_size=4))
def test_joined_stretches_are_exact_and_never_large(source: Path, stretches: list[tuple[int, int]]) -> None:
    format = SoundFormat(RATE, 2)
    with SoundReader(source, format) as reader:
        blocks = list(joined(reader, format, stretches))
    assert max(block.shape[1] for block in blocks) <= RATE  # an hour does not lie in memory
    assert sum(block.shape[1] for block in blocks) == sum(count for _, count in stretches)


def gapped(path: Path, parts: list[tuple[float, float]], channels: str = "5.1") -> Path:
    """Sound only from one second to another, of several channels, beside four seconds of pictures."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        track = container.add_stream("pcm_s16le", rate=RATE, layout=channels)
        for _ in range(100):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(video.encode(None))
        count = len(av.AudioLayout(channels).channels)
        for start, end in parts:
            for first in range(round(start * RATE), round(end * RATE), 1000):
                size = min(1000, round(end * RATE) - first)
                data = np.full((1, size * count), 8000, np.int16)
                frame = av.AudioFrame.from_ndarray(data, format="s16", layout=channels)
                frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
                container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return path


@pytest.mark.parametrize("parts", [[(0.0, 1.5)], [(1.2, 4.0)], [(0.5, 1.0), (2.0, 3.0)]])
def test_sound_in_part_is_silent_elsewhere(parts: list[tuple[float, float]], tmp_path: Path) -> None:
    path = gapped(tmp_path / "in.mkv", parts)
    format = sound_format(path)
    assert format == SoundFormat(RATE, 2)  # six channels are mixed down to two
    with SoundReader(path, format) as reader:
        found = np.abs(reader.read(0, 4 * RATE)).max(0) > 0.05
        times = np.arange(4 * RATE) / RATE
        inside = np.any([(times >= a) & (times < b) for a, b in parts], axis=0)
        assert (found != inside).mean() < 0.01
        for first in (RATE // 2, 2 * RATE):  # after jumps too
            again = np.abs(reader.read(first, RATE)).max(0) > 0.05
            assert (again != inside[first : first + RATE]).mean() < 0.01
