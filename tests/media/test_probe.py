"""What `probe` refuses and how; the corpus has the rest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from tests.helpers import noise, png, write_clip
from vidprod.errors import FileCategory, FileDecode, FileDownload, FileResolution, FileType, InvalidFile
from vidprod.media.color import ColorTags
from vidprod.media.probe import Limits, VideoInfo, probe


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [p.permute(1, 2, 0).numpy() for p in noise(3)]
    return write_clip(tmp_path_factory.mktemp("probe") / "small.mp4", pictures)


def test_a_real_clip(clip: Path) -> None:
    info = probe(clip)
    assert info == VideoInfo(
        path=clip,
        container="mov,mp4,m4a,3gp,3g2,mj2",
        codec="h264",
        width=176,
        height=144,
        pix_fmt="yuv420p",
        bits=8,
        frame_rate=Fraction(30000, 1001),
        time_base=info.time_base,
        duration=info.duration,
        frame_count=120,
        bit_rate=info.bit_rate,
        sample_aspect_ratio=Fraction(128, 117),
        rotation=0,
        mirrored=False,
        color=ColorTags(0, 2, 2, 2),
        interlaced=False,
        audio=(),
        subtitles=0,
        chapters=0,
        start=Fraction(0),
        stream=0,
    )
    assert info.duration == pytest.approx(4.004, abs=1e-3)
    assert info.bit_rate is not None
    assert (info.display_width, info.display_height, info.start_pts) == (176, 144, 0)


def _refused(path: Path, kind: type[InvalidFile], text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        probe(path)
    assert type(caught.value) is kind
    assert "\n" not in caught.value.message


def test_missing_unreadable_and_folders(tmp_path: Path, small: Path) -> None:
    _refused(tmp_path / "none.mp4", FileDownload, "No such file")
    _refused(tmp_path, FileDownload, "is not a file")
    os.mkfifo(tmp_path / "pipe")  # would wait for ever
    _refused(tmp_path / "pipe", FileDownload, "is not a file")
    if os.geteuid():  # root may read everything
        locked = tmp_path / "locked.mp4"
        locked.write_bytes(small.read_bytes())
        locked.chmod(0)
        _refused(locked, FileDownload, "Permission denied")


def test_pictures_and_text(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(png(noise(1)[0].permute(1, 2, 0).numpy()))
    _refused(tmp_path / "a.mp4", FileCategory, "still picture")
    (tmp_path / "b.mp4").write_text("hello, not a video\n" * 100)
    _refused(tmp_path / "b.mp4", FileDecode, "b.mp4")
    (tmp_path / "c.mp4").touch()
    _refused(tmp_path / "c.mp4", FileDecode, "empty")


def test_references_to_other_files(tmp_path: Path, small: Path) -> None:
    (tmp_path / "other.mp4").write_bytes(small.read_bytes())
    (tmp_path / "concat.mp4").write_text("ffconcat version 1.0\nfile other.mp4\n")
    _refused(tmp_path / "concat.mp4", FileType, "not accepted")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises((FileType, FileDecode)):
        probe(tmp_path / "list.m3u8")


@pytest.mark.parametrize(
    "name", ["concat:a|b.mp4", "%03d.mp4", "-i.mp4", "a b é.mp4", "http:x.mp4", "subfile,,start,0.mp4"]
)
def test_names_mean_nothing(tmp_path: Path, small: Path, name: str) -> None:
    (tmp_path / name).write_bytes(small.read_bytes())
    assert probe(tmp_path / name).width == 32


def test_limits(small: Path) -> None:
    with pytest.raises(FileResolution, match="32x24"):
        probe(small, limits=Limits(max_pixels=32 * 24 - 1))
    with pytest.raises(FileResolution, match="at most 31 a side"):
        probe(small, limits=Limits(max_side=31))
    assert probe(small, limits=Limits(max_pixels=32 * 24, max_side=32)).width == 32


def test_memory_and_time_are_limited(small: Path) -> None:
    with pytest.raises(FileDecode, match="memory"):
        probe(small, limits=Limits(memory=64 << 20))
    with pytest.raises(FileDecode, match=r"more than 0\.001 s"):
        probe(small, timeout=0.001)


def test_it_is_quick_and_the_child_imports_nothing_heavy(small: Path) -> None:
    best = min(_seconds(small) for _ in range(3))
    assert best < 0.5
    code = "import sys, vidprod.media._opening; print([m for m in ('torch', 'numpy', 'cv2') if m in sys.modules])"
    folder = Path(__file__).parents[2] / "vidprod" / "media"
    alone = code.replace("vidprod.media._opening", "_opening")
    found = subprocess.run([sys.executable, "-c", alone], cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def _seconds(path: Path) -> float:
    started = time.perf_counter()
    probe(path)
    return time.perf_counter() - started


@pytest.mark.needs_media
def test_turned_and_deep_clips(media: Path) -> None:
    turned = probe(media / "videos" / "rot90_10bit_hevc_1080p.mp4")
    assert (turned.rotation, turned.display_width, turned.display_height, turned.bits) == (90, 1080, 1920, 10)
    assert turned.color == ColorTags(1, 9, 9, 18)
    selfie = probe(media / "videos" / "selfie_rot90_hevc.mp4")
    assert (selfie.rotation, selfie.color.range) == (270, 2)
    # its header claims 1000 pictures a second
    flash = probe(media / "videos" / "talking_head_1s.flv").frame_rate
    assert flash is not None
    assert 29 < flash < 31
