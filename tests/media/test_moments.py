"""Which picture is seen when, and getting there without decoding all that comes before."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import noise, write_clip
from vidprod.media.moments import seen
from vidprod.media.reader import VideoReader

MS = Fraction(1, 1000)


def pictures(*pts: int) -> Any:
    return [SimpleNamespace(pts=one) for one in pts]


def shown(times: list[int], seconds: list[float], *, tolerance: float, snap: float = 0.0) -> list[int]:
    found = seen(pictures(*times), np.array(seconds), time_base=MS, tolerance=tolerance, snap=snap)
    return [frame.pts or 0 for frame, count in found for _ in range(count)]


def test_each_time_shows_the_picture_before_it() -> None:
    times = [100, 140, 180, 300, 340]  # one of them stands for long
    assert shown(times, [0.0, 0.1, 0.135, 0.19, 0.27, 0.31, 0.34, 2.0], tolerance=0.01) == [
        100, 100, 140, 180, 180, 300, 340, 340,
    ]  # fmt: skip
    assert shown([], [0.0, 1.0], tolerance=0.01) == []


@given(st.lists(st.integers(1, 90), min_size=1, max_size=40), st.floats(0, 3), st.integers(1, 60), st.floats(0.1, 90))
def test_all_times_are_served(steps: list[int], start: float, count: int, each: float) -> None:
    times = np.cumsum(steps).tolist()
    seconds = [start + i * each / 1000 for i in range(count)]
    found = shown(times, seconds, tolerance=0.0)
    assert found == [max((t for t in times if t / 1000 <= s), default=times[0]) for s in seconds]


@given(st.integers(0, 100), st.floats(0, 1))
def test_a_video_of_the_same_rate_shows_every_picture_once(first: int, phase: float) -> None:
    """Wherever between two pictures the shot begins, and though times are rounded to milliseconds."""
    times = [round(i * 1000 / 30) for i in range(200)]
    seconds = [(first + phase + i) / 30 for i in range(60)]
    found = shown(times, seconds, tolerance=1 / 60, snap=0.6 / 30)
    assert (np.diff([times.index(one) for one in found]) == 1).all()
    assert abs(found[0] / 1000 - seconds[0]) <= 0.5 / 30 + 0.001


@given(st.integers(0, 100), st.floats(0, 1))
def test_a_video_of_the_double_rate_shows_every_second_picture(first: int, phase: float) -> None:
    times = [round(i * 1000 / 60) for i in range(400)]
    seconds = [(first + phase + i) / 30 for i in range(60)]
    found = shown(times, seconds, tolerance=1 / 120, snap=0.6 / 30)
    assert (np.diff([times.index(one) for one in found]) == 2).all()


def checksums(frames: Any, count: int | None = None) -> list[tuple[int, int]]:
    found = []
    for frame in frames:
        found.append((frame.pts, int(frame.to_ndarray()[::4, ::4].sum(dtype=np.int64))))
        if len(found) == count:
            break
    return found


@pytest.fixture(scope="module")
def whole_bikes(bikes: Path) -> list[tuple[int, int]]:
    with VideoReader(bikes) as reader:
        return checksums(reader.native())


@pytest.mark.parametrize("second", [0, Fraction(1, 7), 2, Fraction(25, 8), Fraction(97, 10), 30])
def test_reading_from_a_time_on_gives_the_same_pictures(
    bikes: Path, whole_bikes: list[tuple[int, int]], second: Fraction
) -> None:
    with VideoReader(bikes) as reader:
        part = checksums(reader.since(Fraction(second)), 80)
        at = whole_bikes.index(part[0])
        assert part == whole_bikes[at : at + 80]
        assert part[0][0] * reader.info.time_base <= second
        # key pictures are at most 2.4 seconds apart here
        assert at == 0 or part[0][0] * reader.info.time_base > min(second, Fraction(10)) - 3


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mov"])
def test_containers(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for picture in noise(100):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.permute(1, 2, 0).numpy(), "rgb24")))
        container.mux(stream.encode(None))
    with VideoReader(path) as reader:
        whole = checksums(reader.native())
        for number in (30, 61, 99):
            pts = whole[number][0]
            part = checksums(reader.since(pts * reader.info.time_base), 60)
            assert (pts, whole[number][1]) in part
            assert reader.stats.pictures <= 60


def test_a_file_that_cannot_be_searched_is_read_from_its_beginning(tmp_path: Path) -> None:
    """A raw stream has no index, and no times."""
    source = write_clip(tmp_path / "clip.mp4", [p.permute(1, 2, 0).numpy() for p in noise(50)], g="10")
    path = tmp_path / "clip.h264"
    with av.open(str(source)) as container, path.open("wb") as file:
        filter = av.BitStreamFilterContext("h264_mp4toannexb", container.streams.video[0])
        for packet in container.demux(video=0):
            for part in filter.filter(packet):
                file.write(bytes(part))
    with VideoReader(path) as reader:
        whole = checksums(reader.native())
        assert len(whole) == 50
        second = whole[40][0] * reader.info.time_base
        assert whole[40] in checksums(reader.since(second))


@pytest.mark.needs_media
def test_a_workaround_for_old_encoders_needs_the_first_packet(media: Path) -> None:
    """x264 once coded 4:4:4 in a way that only its name, in the first packet, tells of."""
    with VideoReader(media / "videos" / "cockatoo_720p_yuv444.mp4") as reader:
        whole = [frame for _, frame in zip(range(96), reader.native(), strict=False)]
        wanted = whole[-1]
        assert wanted.pts is not None
        for frame in reader.since(wanted.pts * reader.info.time_base):
            if frame.pts == wanted.pts:
                assert np.array_equal(frame.to_ndarray(), wanted.to_ndarray())
                return
    pytest.fail("the picture did not come")
