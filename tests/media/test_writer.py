"""`VideoWriter`: whole files or none, exact times, tags, rates; the corpus checks what comes through from awkward sources."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
import torch

from tests.helpers import noise
from vidprod.errors import InternalError, InvalidParameter
from vidprod.media.color import ColorTags
from vidprod.media.frames import Frames
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter


@pytest.fixture(scope="module")
def like(clip: Path) -> VideoInfo:
    return probe(clip)


def _frames(count: int = 5, height: int = 36, width: int = 64, *, first: int = 0, deep: bool = False) -> Frames:
    data = noise(count, height, width)
    if deep:
        data = (data.to(torch.int32) * 257).to(torch.uint16)
    return Frames(data, tuple(range(first, first + count)), Fraction(1, 25), first)


def _write(path: Path, like: VideoInfo, frames: Frames | None = None, **options: Any) -> Path:
    frames = _frames() if frames is None else frames
    size = {"width": frames.width, "height": frames.height}
    settings = {"time_base": Fraction(1, 25), "frame_rate": Fraction(25), "preset": "ultrafast", **size, **options}
    with VideoWriter(path, like=like, **settings) as writer:
        writer.write(frames)
    return path


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_hevc(count: int, like: VideoInfo, tmp_path: Path) -> None:
    """x265 leaves decoding times of one or two pictures to chance, so a single try proves nothing."""
    for i in range(6):
        assert probe(_write(tmp_path / f"{i}.mp4", like, _frames(count), codec="hevc")).frame_count == count


def test_a_file_appears_whole(like: VideoInfo, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    writer = VideoWriter(out, like=like, width=64, height=36, time_base=Fraction(1, 25))
    writer.write(_frames())
    assert not out.exists()
    writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    writer.close()
    writer.abort()
    assert out.exists()
    assert probe(out).frame_count == 5


def test_an_old_file_is_kept_until_the_new_one_is_whole(like: VideoInfo, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("old")
    with pytest.raises(ZeroDivisionError), VideoWriter(out, like=like, width=64, height=36) as writer:  # noqa: PT012
        writer.write(_frames())
        raise ZeroDivisionError
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]
    _write(out, like)
    assert probe(out).width == 64


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_exception_leaves_nothing(like: VideoInfo, tmp_path: Path, when: str) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt), VideoWriter(out, like=like, width=64, height=36) as writer:  # noqa: PT012
        if when == "after":
            for i in range(0, 60, 5):
                writer.write(_frames(first=i))
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_nothing_written_is_an_error(like: VideoInfo, tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="no picture"), VideoWriter(tmp_path / "out.mp4", like=like):
        pass
    assert not list(tmp_path.iterdir())


def test_missing_and_unwritable_folders(like: VideoInfo, tmp_path: Path) -> None:
    for folder in (tmp_path / "none", Path("/proc")):
        with pytest.raises(InternalError, match=r"cannot write .*out\.mp4: ") as caught:
            VideoWriter(folder / "out.mp4", like=like)
        assert "\n" not in caught.value.message


FULL_DISK = """
import resource, sys
from pathlib import Path
from vidprod.errors import InternalError
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter

source, out = sys.argv[1:]

def write():
    with VideoReader(source, stop=40) as reader, VideoWriter(out, like=reader.info, preset="ultrafast", crf=1) as writer:
        for frame in reader.native():
            writer.write_native(frame)

write()
size = Path(out).stat().st_size
Path(out).unlink()
for limit in (0, size // 2, size - 100):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write()
    except InternalError as error:
        print(error.message)
"""


def test_a_full_disk(clip: Path, tmp_path: Path) -> None:
    """The kernel refuses to let the file grow, as on a full disk: at once, in the middle, and when it is finished."""
    code = [sys.executable, "-c", FULL_DISK, str(clip), str(tmp_path / "out.mp4")]
    found = subprocess.run(code, capture_output=True, text=True, check=True)
    lines = found.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"cannot write {tmp_path / 'out.mp4'}: ") for line in lines)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("a.avi", {}, "suffix must be one of .mp4, .mov"),
        ("a", {}, "suffix"),
        ("a.mp4", {"codec": "prores"}, "'prores' does not fit in .mp4; possible: h264, hevc"),
        ("a.mp4", {"codec": "vp9"}, "'vp9'"),
        ("a.mp4", {"bit_rate": 10**6, "crf": 20.0}, "exclude"),
    ],
)
def test_what_no_file_can_hold(like: VideoInfo, tmp_path: Path, name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        VideoWriter(tmp_path / name, like=like, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "base", [Fraction(1, 1000), Fraction(1, 600), Fraction(1, 30), Fraction(1001, 30000), Fraction(1, 90000)]
)
@pytest.mark.parametrize("start", [0, 7])
def test_times_are_exact(like: VideoInfo, tmp_path: Path, base: Fraction, start: int) -> None:
    pts = tuple(start + t for t in (0, 1, 5, 6, 40, 41, 99))
    frames = Frames(noise(7, 36, 64), pts, base)
    out = _write(tmp_path / "out.mp4", like, frames, time_base=base)
    with av.open(str(out)) as file:
        found = [(f.pts, f.time_base) for f in file.decode(video=0)]
    assert [a * b for a, b in found if a is not None and b is not None] == [t * base for t in pts]


def test_a_coarser_clock_keeps_pictures_apart(like: VideoInfo, tmp_path: Path) -> None:
    frames = Frames(noise(4, 36, 64), (0, 1, 2, 100), Fraction(1, 1000))
    out = _write(tmp_path / "out.mp4", like, frames, time_base=Fraction(1, 25))
    with VideoReader(out) as reader:
        assert [float(t) for f in reader for t in f.seconds] == [0, 0.04, 0.08, 0.12]


def test_pictures_out_of_order(like: VideoInfo, tmp_path: Path) -> None:
    with (  # noqa: PT012
        pytest.raises(ValueError, match="in order"),
        VideoWriter(tmp_path / "out.mp4", like=like, width=64, height=36, time_base=Fraction(1, 25)) as writer,
    ):
        writer.write(_frames(first=5))
        writer.write(_frames())


@pytest.mark.parametrize("size", [(35, 63), (36, 63), (35, 64), (17, 33)])
@pytest.mark.parametrize("deep", [False, True])
def test_odd_sizes_are_padded(like: VideoInfo, tmp_path: Path, size: tuple[int, int], deep: bool) -> None:
    out = _write(tmp_path / "out.mp4", like, _frames(2, *size, deep=deep), crf=1)
    info = probe(out)
    assert (info.height, info.width) == tuple(s + s % 2 for s in size)


@pytest.mark.parametrize(
    ("name", "options", "codec", "pix_fmt"),
    [
        ("a.mp4", {}, "h264", "yuv420p"),
        ("a.mov", {"codec": "hevc"}, "hevc", "yuv420p"),
        ("a.mov", {"codec": "prores"}, "prores", "yuv422p10le"),
        ("a.mp4", {"pix_fmt": "yuv444p"}, "h264", "yuv444p"),
        ("a.mp4", {"pix_fmt": "yuv420p10le"}, "h264", "yuv420p10le"),
        ("a.mp4", {"codec": "hevc", "pix_fmt": "yuv420p10le"}, "hevc", "yuv420p10le"),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_codecs(
    like: VideoInfo, tmp_path: Path, name: str, options: dict[str, Any], codec: str, pix_fmt: str, deep: bool
) -> None:
    tags = ColorTags(1, 9, 9, 18)
    out = _write(tmp_path / name, like, _frames(deep=deep), color=tags, **options)
    info = probe(out)
    assert (info.codec, info.pix_fmt, info.color) == (codec, pix_fmt, tags)


def test_metadata_and_rotation(like: VideoInfo, tmp_path: Path) -> None:
    out = _write(tmp_path / "out.mp4", like, metadata={"title": "A title"}, rotation=90)
    info = probe(out)
    assert info.rotation == 90
    assert info.sample_aspect_ratio == like.sample_aspect_ratio
    with av.open(str(out)) as file:
        assert file.metadata["title"] == "A title"


@pytest.mark.parametrize("rate", [300_000, 1_000_000])
def test_the_average_bit_rate_is_kept(bikes: Path, tmp_path: Path, rate: int) -> None:
    out = tmp_path / "out.mp4"
    with VideoReader(bikes) as reader, VideoWriter(out, like=reader.info, bit_rate=rate, preset="veryfast") as writer:
        for frame in reader.native():
            writer.write_native(frame)
    found = probe(out).bit_rate
    assert found is not None
    assert abs(found / rate - 1) < 0.1


def test_native_pictures_are_passed_on_untouched(clip: Path, tmp_path: Path) -> None:
    """Losslessly encoded, they come out bit for bit."""
    out = tmp_path / "out.mp4"
    with VideoReader(clip, stop=10) as reader:
        wanted = [f.to_ndarray().tobytes() for f in reader.native()]
        with VideoWriter(out, like=reader.info, crf=0, preset="ultrafast") as writer:
            for frame in reader.native():
                writer.write_native(frame)
    with VideoReader(out) as reader:
        assert [f.to_ndarray().tobytes() for f in reader.native()] == wanted


def test_sound_is_copied_in_sync(bunny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    with (
        VideoReader(bunny) as reader,
        VideoWriter(out, like=reader.info, preset="ultrafast", crf=30, audio_from=bunny) as writer,
    ):
        for frame in reader.native():
            writer.write_native(frame)
    assert writer.notes() == ()
    assert _sound(out) == _sound(bunny)


def _sound(path: Path) -> list[tuple[Fraction | None, bytes]]:
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        assert stream.time_base is not None
        return [(None if p.pts is None else p.pts * stream.time_base, bytes(p)) for p in file.demux(stream) if p.size]
