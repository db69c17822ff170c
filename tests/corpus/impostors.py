"""Files that are no videos, and files made to do harm."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av

from vidprod.errors import FileCategory, FileContent, FileDecode, FileDownload, FileResolution, FileType

from . import surgery
from .clips import clip, expect
from .companions import png
from .presets import H264, JPEGS
from .spec import Case, Expect, Packets, Sound, Video
from .write import write

VICTIM = "victim.mp4"  # a sound video that hostile files point at
REFUSED = (FileDecode, FileType)


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _no_frames(path: Path, movflags: str = "empty_moov") -> None:
    with av.open(str(path), "w", options={"movflags": movflags}) as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        out.start_encoding()


def _jpeg(path: Path) -> None:
    write(path, Video("mjpeg", pix_fmt="yuvj420p", numbers=(1,)), format="mjpeg")


def _points_at(text: str) -> Callable[[Path], object]:
    """A text file that names a real video beside it, with its full path for `{victim}`."""

    def make(path: Path) -> None:
        victim = path.parent / VICTIM
        if not victim.exists():
            write(victim, H264)
        path.write_text(text.format(victim=victim.resolve(), name=VICTIM))

    return make


def _hostile(name: str, text: str) -> Case:
    return Case(name, _points_at(text), Expect(error=REFUSED), guards=(VICTIM,))


def _huge_jpegs(packets: Packets, *, first: int, size: int) -> Packets:
    """From picture `first` on, the JPEGs claim to be size x size; the container knows nothing of it."""
    changed = list(packets[:first])
    for packet in packets[first:]:
        new: av.Packet[Any] = av.Packet(surgery.resize_jpeg(bytes(packet), size, size))
        new.stream, new.time_base, new.pts, new.dts = packet.stream, packet.time_base, packet.pts, packet.dts
        new.is_keyframe = True
        changed.append(new)
    return changed


def _claims_16k(path: Path) -> None:
    write(path, Video("qtrle", pix_fmt="rgb24", numbers=range(3)))
    path.write_bytes(surgery.resize_sample_entry(path.read_bytes(), b"rle ", 16000, 16000))


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{victim}\n#EXT-X-ENDLIST\n"
DASH = """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1"
 bandwidth="1000" width="160" height="120"><BaseURL>file://{victim}</BaseURL></Representation></AdaptationSet></Period></MPD>
"""
SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 49170 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)
IMF = '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"></CompositionPlaylist>'


def _black_8k(path: Path) -> None:
    """Real, and small, because black costs nothing; planes are filled directly, an RGB picture would need gigabytes."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx264", rate=25, options={"preset": "ultrafast", "x264-params": "threads=1:rc-lookahead=0"}
        )
        stream.width, stream.height, stream.pix_fmt = 8192, 8192, "yuv420p"
        frame = av.VideoFrame(8192, 8192, "yuv420p")
        frame.pts = 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


_16K = 16000
BOMBS: tuple[Case, ...] = (
    Case("bomb_8k.mp4", _black_8k, Expect(error=FileResolution)),
    Case("bomb_16k.mov", _claims_16k, Expect(error=FileResolution)),
    clip(
        "bomb_hidden.mkv",
        replace(JPEGS, edit=functools.partial(_huge_jpegs, first=0, size=_16K)),
        error=(FileResolution, FileDecode),
    ),
    # Ten good pictures, then huge ones: those are skipped and counted as damage.
    clip(
        "bomb_late.mkv",
        replace(JPEGS, edit=functools.partial(_huge_jpegs, first=10, size=_16K)),
        damaged=True,
        at_least=10,
        intact=tuple(range(10)),
    ),
)


def _named(name: str) -> Case:
    """A sound video under an awkward name."""
    return Case(name, lambda path: write(path, H264, Sound()), expect(H264, Sound()))


# The last is no valid UTF-8: what is left on disks by old programs.
NAMES = (
    "name with spaces %03d é.mp4",
    "colon: and |pipe|.mp4",
    "http:x.mp4",
    "concat:a.mp4|b.mp4",
    "subfile,,start,9,end,0,,:x.mp4",
    "-i.mp4",
    "line\nbreak.mp4",
    "'quoted' \"twice\".mp4",
    "caf\udce9.mp4",
)

CASES: tuple[Case, ...] = (
    Case("missing.mp4", lambda path: None, Expect(error=FileDownload)),
    Case("directory.mp4", lambda path: path.mkdir(), Expect(error=FileDownload)),
    Case("pipe.mp4", os.mkfifo, Expect(error=FileDownload)),
    Case("dangling.mp4", lambda path: path.symlink_to("nowhere.mp4"), Expect(error=FileDownload)),
    Case("loop.mp4", lambda path: path.symlink_to("loop.mp4"), Expect(error=FileDownload)),
    Case("empty.mp4", _bytes(b""), Expect(error=FileDecode)),
    Case("text.mp4", _bytes(b"hello, not a video\n" * 50), Expect(error=REFUSED)),
    Case("random.mp4", _bytes(random.Random(3).randbytes(20000)), Expect(error=FileDecode)),
    Case("zeros.mp4", _bytes(bytes(20000)), Expect(error=FileDecode)),
    Case("no_frames.mp4", _no_frames, Expect(error=FileContent)),
    Case("no_frames.mkv", _no_frames, Expect(error=(FileContent, FileDecode))),
    # The muxer leaves tracks without samples out, so this one has no stream at all.
    Case(
        "no_tracks.mp4", functools.partial(_no_frames, movflags="faststart"), Expect(error=(FileCategory, FileContent))
    ),
    Case("still.png", lambda path: path.write_bytes(png()), Expect(error=FileCategory)),
    Case("still_png.mp4", lambda path: path.write_bytes(png()), Expect(error=FileCategory)),
    Case("still.jpg", _jpeg, Expect(error=FileCategory)),
    _hostile("hls.mp4", HLS),
    _hostile("hls.m3u8", HLS),
    _hostile("concat.mp4", "ffconcat version 1.0\nfile '{name}'\n"),
    _hostile("concat_absolute.mkv", "ffconcat version 1.0\nfile '{victim}'\n"),
    _hostile("concat.ffconcat", "ffconcat version 1.0\nfile '{name}'\n"),
    _hostile("dash.mp4", DASH),
    _hostile("sdp.mp4", SDP),
    _hostile("imf.mp4", IMF),
    *BOMBS,
    *map(_named, NAMES),
)
