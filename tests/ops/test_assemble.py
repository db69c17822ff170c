"""Stretches of a video on an even grid: the right pictures, whatever the source's times are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import decode
from vidprod.actions.steps.summary import samples_of
from vidprod.errors import InvalidParameter
from vidprod.media.cut import Cut
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter
from vidprod.ops.assemble import assemble, grid_size, on_grid
from vidprod.ops.erase import like_decoded


def numbered(path: Path, times: list[int], time_base: Fraction) -> Path:
    """A clip whose pictures tell their number by their grey level, with any times."""
    with av.open(str(path), "w", options={"movie_timescale": str(time_base.denominator)}) as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = time_base
        for number, time in enumerate(times):
            grey = np.full((48, 64, 3), 20 + 4 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, "rgb24")
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbers(pictures: list[np.ndarray]) -> list[int]:
    return [round((float(picture.mean()) - 20) / 4) for picture in pictures]


def shown_at(times: list[float], second: float) -> int:
    """The picture that is seen at a time."""
    return max(index for index, time in enumerate(times) if time <= second + 1e-9)


@settings(max_examples=15)
@given(
    st.lists(st.integers(20, 80), min_size=20, max_size=20),
    st.lists(st.integers(0, 19), min_size=2, max_size=6, unique=True),
)
def test_each_point_of_the_grid_shows_what_is_seen_there(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], edges: list[int]
) -> None:
    times = [0, *np.cumsum(steps).tolist()][:20]
    path = numbered(tmp_path_factory.mktemp("vfr") / "in.mp4", times, Fraction(1, 1000))
    edges = sorted(edges)[: len(edges) // 2 * 2]
    stretches = list(zip(edges[::2], edges[1::2], strict=True))
    rate = Fraction(20)
    with VideoReader(path) as reader:
        seconds = [float(f.pts * reader.info.time_base) for f in reader.native() if f.pts is not None]
        found = [
            (point, shown_at(seconds, float(f.pts * reader.info.time_base)))
            for point, f in on_grid(reader, stretches, rate)
            if f.pts is not None
        ]
    points = [point for first, stop in stretches for point in range(first, stop)]
    assert [point for point, _ in found] == points
    for point, number in found:
        assert number == shown_at(seconds, seconds[0] + (point + 0.5) / 20 - 1e-6)


def test_an_even_source_gives_its_own_pictures(tmp_path: Path) -> None:
    path = numbered(tmp_path / "in.mp4", list(range(30)), Fraction(1, 25))
    info = probe(path)
    rate = Fraction(25)
    options = like_decoded(info, str(path), "ultrafast") | {"audio_from": None}
    shown: list[av.VideoFrame] = []
    writer = VideoWriter(tmp_path / "out.mp4", time_base=1 / rate, frame_rate=rate, **options)
    with writer, VideoReader(path, info=info) as reader:
        count = assemble(reader, [(3, 7), (20, 22)], rate, writer, show=(20, shown.append))
    assert count == 6
    assert numbers(decode(tmp_path / "out.mp4")) == [3, 4, 5, 6, 20, 21]
    assert len(shown) == 1
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([i / 25 for i in range(6)], abs=1e-6)


def test_stretches_are_shown_in_the_order_given(tmp_path: Path) -> None:
    path = numbered(tmp_path / "in.mp4", list(range(30)), Fraction(1, 25))
    with VideoReader(path) as reader:
        points = [point for point, _ in on_grid(reader, [(20, 22), (3, 5), (4, 6), (3, 5)], Fraction(25))]
    assert points == [20, 21, 3, 4, 4, 5, 3, 4]


def test_a_stretch_far_behind_the_end_is_refused(tmp_path: Path) -> None:
    path = numbered(tmp_path / "in.mp4", list(range(10)), Fraction(1, 25))
    with (
        VideoReader(path) as reader,
        pytest.raises(InvalidParameter, match=r"reaches to .* the last picture is at 0\.36 s"),
    ):
        list(on_grid(reader, [(5, 2**60)], Fraction(25)))


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 300)), min_size=1, max_size=8),
    st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60000, 1001)]),
    st.sampled_from([16000, 44100, 48000]),
)
def test_sound_is_as_long_as_the_pictures(parts: list[tuple[int, int]], rate: Fraction, samples: int) -> None:
    stretches = [(first, first + count) for first, count in parts]
    made = samples_of(stretches, rate, samples)
    total = sum(count for _, count in parts)
    assert sum(count for _, count in made) == round(total / rate * samples)
    for (first, stop), (at, count) in zip(stretches, made, strict=True):
        assert abs(at - first / rate * samples) <= 0.5
        assert abs(count - (stop - first) / rate * samples) <= 1


@given(st.integers(2, 500), st.integers(2, 500), st.fractions(Fraction(1, 5), Fraction(5)))
def test_a_cut_keeps_the_middle(width: int, height: int, shape: Fraction) -> None:
    cut = Cut.to_shape(width, height, shape, deep=False)
    if cut is None:
        assert width / height == pytest.approx(float(shape), rel=0.5 if min(width, height) > 20 else 10)
        return
    left, top, right, bottom = cut.box
    assert all(edge % 2 == 0 for edge in cut.box)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert abs(left + right - width) <= 4
    assert abs(top + bottom - height) <= 4


def test_a_grid_covers_the_last_picture() -> None:
    assert grid_size([0.0, 0.04, 0.08], 0.04, Fraction(25)) == 3
    assert grid_size([0.5], 0.04, Fraction(25)) == 1
    assert grid_size([], 0.04, Fraction(25)) == 0
