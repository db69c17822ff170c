"""Parts rendered separately and joined are the whole."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import noise
from vidprod.errors import FileDecode
from vidprod.media.concat import concat
from vidprod.media.frames import Frames
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter


def _render(path: Path, source: VideoInfo, out: Path, start: int, stop: int | None, **options: Any) -> Path:
    with (
        VideoReader(path, info=source, start=start, stop=stop) as reader,
        VideoWriter(out, like=source, preset="superfast", **options) as writer,
    ):
        for frames in reader:
            writer.write(frames)
    return out


def _times(path: Path) -> list[Fraction]:
    with VideoReader(path) as reader:
        return [f.pts * reader.info.time_base + reader.info.start for f in reader.native() if f.pts is not None]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_parts_make_the_whole(clip: Path, tmp_path: Path, codec: str) -> None:
    info = probe(clip)
    cuts = [0, 23, 24, 60]
    parts = [_render(clip, info, tmp_path / f"{a}.mp4", a, b, codec=codec) for a, b in itertools.pairwise(cuts)]
    whole = _render(clip, info, tmp_path / "whole.mp4", 0, 60, codec=codec)
    concat(parts, tmp_path / "joined.mp4")
    joined = probe(tmp_path / "joined.mp4")
    assert _times(joined.path) == _times(whole)
    assert joined.frame_count == 60
    assert joined.color == probe(whole).color
    assert joined.sample_aspect_ratio == info.sample_aspect_ratio
    pictures = [p for part in parts for p in _pictures(part)]
    assert _pictures(joined.path) == pictures


def _pictures(path: Path) -> list[bytes]:
    with VideoReader(path) as reader:
        return [f.to_ndarray().tobytes() for f in reader.native()]


def test_sound_comes_along(bunny: Path, tmp_path: Path) -> None:
    info = probe(bunny)
    parts = [_render(bunny, info, tmp_path / f"{a}.mp4", a, a + 10, crf=30) for a in (0, 10)]
    concat(parts, tmp_path / "joined.mp4", audio_from=info)
    joined = probe(tmp_path / "joined.mp4")
    assert [(a.codec, a.channels, a.start) for a in joined.audio] == [
        (a.codec, a.channels, a.start) for a in info.audio
    ]
    assert _times(joined.path) == [Fraction(n, 25) for n in range(20)]


def test_uneven_times(clip: Path, tmp_path: Path) -> None:
    info, base = probe(clip), Fraction(1, 1000)
    times = [0, 33, 34, 35, 500, 501, 700, 701, 702, 703, 2000, 2001]
    parts = []
    for a in range(0, 12, 3):
        with VideoWriter(tmp_path / f"{a}.mp4", like=info, width=64, height=48, time_base=base) as writer:
            writer.write(Frames(noise(3, 48, 64, seed=a), tuple(times[a : a + 3]), base, a))
        parts.append(tmp_path / f"{a}.mp4")
    concat(parts, tmp_path / "joined.mov")
    assert _times(tmp_path / "joined.mov") == [t * base for t in times]


def test_what_does_not_fit(clip: Path, tmp_path: Path) -> None:
    info = probe(clip)
    first = _render(clip, info, tmp_path / "first.mp4", 0, 10)
    other = _render(clip, info, tmp_path / "other.mp4", 10, 20, codec="hevc")
    again = _render(clip, info, tmp_path / "again.mp4", 5, 12)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out.mp4"
    with pytest.raises(ValueError, match="nothing to join"):
        concat([], out)
    with pytest.raises(ValueError, match=r"other\.mp4 differs"):
        concat([first, other], out)
    with pytest.raises(ValueError, match="overlap"):
        concat([first, again], out)
    with pytest.raises(FileDecode, match=r"broken\.mp4"):
        concat([first, broken], out)
    assert sorted(tmp_path.iterdir()) == before
