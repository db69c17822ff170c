"""Every container on the list, with the codecs that are usual in it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from .clips import clip, expect
from .divx import pack
from .pictures import poster
from .presets import (
    AAC,
    AAC_DELAY,
    AC3_DELAY,
    AV1,
    B_FRAMES,
    BRIEF,
    DNXHR,
    FLAC,
    GOOD,
    H264,
    H264_B,
    H264_MS,
    HEVC,
    JPEGS,
    MP2,
    MP2_DELAY,
    MP3,
    MPEG2,
    MPEG4,
    PCM,
    SLOTS,
    TS_START,
    VP9,
    WMA_DELAY,
)
from .spec import Case, Sound, Tags, Video
from .write import write

MP4, MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
STEREO = (440.0, 880.0)

PACKED = replace(MPEG4, numbers=range(19), options={**GOOD, "bf": "1", "b_strategy": "0"}, edit=pack)
# Several groups of pictures, so that there is something to seek; the open ones refer to the group before.
LONG = replace(H264, numbers=range(100), options={**B_FRAMES, "g": "25"})
OPEN = replace(LONG, options={**LONG.options, "x264-params": "open-gop=1:b-adapt=0:scenecut=0"})
GROUPS = {**GOOD, "g": "25", "bf": "2"}
SPOKEN = Sound(duration=4, beeps=(0.12, 3.44))


def _before(junk: bytes) -> Callable[[Path], None]:
    """An MP4 with `junk` behind it."""

    def make(path: Path) -> None:
        write(path, H264, Sound())
        path.write_bytes(path.read_bytes() + junk)

    return make


def _after(junk: bytes) -> Callable[[Path], None]:
    """A transport stream that begins with `junk`."""

    def make(path: Path) -> None:
        write(path, H264)
        path.write_bytes(junk + path.read_bytes())

    return make


CASES: tuple[Case, ...] = (
    clip("plain.mp4", H264, AAC, container=MP4),
    clip("faststart.mp4", H264, AAC, options={"movflags": "faststart"}),
    clip("fragmented.mp4", H264, FLAC, options=FRAGMENTED),
    clip("plain.mov", H264, PCM, container=MP4),
    clip("plain.mkv", H264, FLAC, container=MATROSKA),
    clip("primed.mkv", H264, AAC),
    clip("packed.avi", PACKED, MP3, container="avi", lead=SLOTS),
    clip("b_frames_mpeg4.avi", replace(MPEG4, options={**GOOD, "bf": "2"}), MP3, lead=SLOTS),
    clip("b_frames_h264.avi", H264_B, Sound("pcm_u8", rate=11025), lead=SLOTS),
    clip("plain.flv", H264_MS, Sound(rate=44100), container="flv", priming=Fraction(AAC_DELAY, 44100)),
    clip("plain.ts", H264, AAC, options=TS_START, container="mpegts", priming=Fraction(AAC_DELAY, 48000)),
    clip("b_frames.ts", H264_B, MP2, options=TS_START),
    clip("plain.mpg", MPEG2, Sound("mp2"), container="mpeg", priming=Fraction(MP2_DELAY, 48000)),
    clip("b_frames.mpg", replace(MPEG2, options={**GOOD, "bf": "2"}), MP2),
    clip(
        "plain.wmv",
        Video("wmv2", options=GOOD),
        Sound("wmav2"),
        container="asf",
        priming=Fraction(WMA_DELAY, 48000),
        shed=Fraction(WMA_DELAY, 48000),
    ),
    clip("plain.webm", VP9, Sound("libopus"), container=MATROSKA),
    clip(
        "vp8.webm",
        Video("libvpx", options=VP9.options),
        Sound("vorbis", layout="stereo", tones=STEREO, options={"strict": "-2"}),
        tags=Tags(1, 5),
        matrix=5,
    ),
    clip("plain.3gp", Video("h263", size=(176, 144), sar=Fraction(12, 11), options=GOOD), Sound(rate=8000)),
    clip("av1.mkv", Video("libsvtav1", options=AV1), Sound("libopus")),
    clip("hevc.mp4", HEVC, AAC),
    clip("hevc.ts", HEVC, MP2),
    clip("mjpeg.avi", JPEGS, PCM),
    clip(
        "animated.gif",
        Video("gif", pix_fmt="pal8", rate=Fraction(10), numbers=range(10), paint=poster),
        psnr=60,
        copied=33,
    ),
    # Less usual, but on the list.
    clip("plain.mxf", DNXHR, BRIEF, container="mxf", bits=10),
    clip("plain.y4m", Video("wrapped_avframe", numbers=range(6)), container="yuv4mpegpipe", codec="rawvideo"),
    clip("plain.ivf", VP9, container="ivf"),
    clip("plain.nut", MPEG4, PCM, container="nut"),
    clip("raw.h264", H264, lead=SLOTS),
    clip("raw_b_frames.h264", H264_B, lead=SLOTS),
    clip("raw.hevc", HEVC, lead=SLOTS),
    clip("bluray.m2ts", H264, Sound("ac3"), options={"mpegts_m2ts_mode": "1"}, priming=Fraction(AC3_DELAY, 48000)),
    clip("live.mkv", H264, PCM, options={"live": "1"}),
    clip("live.flv", H264_MS, options={"flvflags": "no_metadata"}),
    # Names do not make formats.
    clip("matroska_inside.mp4", H264, PCM, format="matroska", container=MATROSKA),
    clip("flv_inside.avi", H264_MS, format="flv", container="flv"),
    Case("junk_before.ts", _after(random.Random(1).randbytes(1000)), expect(H264)),
    Case("junk_after.mp4", _before(b"<html>404 Not Found</html>" * 2000), expect(H264, AAC)),
    # Something to seek in.
    clip("long.mp4", LONG, SPOKEN),
    clip("long_open.mp4", OPEN, SPOKEN),
    clip("long_open.mkv", OPEN, replace(SPOKEN, codec="flac")),
    clip("long_open.ts", OPEN, replace(SPOKEN, codec="mp2", start=MP2.start), options=TS_START),
    clip("long.avi", replace(MPEG4, numbers=range(100), options=GROUPS), lead=SLOTS),
    clip("long.mpg", replace(MPEG2, numbers=range(100), options=GROUPS)),
    clip("long.webm", replace(VP9, numbers=range(100), options={**VP9.options, "g": "25"})),
)
