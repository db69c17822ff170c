"""Sizes and shapes: odd, tiny, turned, mirrored, not square, changing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from .clips import clip, expect
from .pictures import field, grey
from .presets import BRIEF, BRIEF_AAC, GOOD, H264, HEVC, JPEGS, VP9
from .spec import BT601, FULL709, Case, Sound, Video
from .write import write

FEW = replace(H264, numbers=range(6))
NEXT = replace(FEW, numbers=range(6, 12))
BOTH = replace(FEW, numbers=range(12))
WOVEN = replace(
    FEW,
    numbers=range(6, 18, 2),
    fields="tff",
    paint=field,
    options={**H264.options, "flags": "+ilme+ildct", "x264-params": "tff=1"},
)


def _joined(*parts: Video) -> Callable[[Path], None]:
    """Streams of different kinds, one after the other in one transport stream with one clock."""

    def make(path: Path) -> None:
        pieces = []
        for i, part in enumerate(parts):
            write(path, replace(part, start=Fraction(6 * i, 25)), format="mpegts", options={"output_ts_offset": "1"})
            pieces.append(path.read_bytes())
        path.write_bytes(b"".join(pieces))

    return make


def _vp9(width: int, height: int) -> Video:
    return replace(VP9, size=(width, height), numbers=range(6))


CASES: tuple[Case, ...] = (
    clip("sar.mp4", replace(FEW, sar=Fraction(16, 15)), BRIEF_AAC),
    clip("sar.mkv", replace(FEW, sar=Fraction(4, 3))),
    clip("sar.ts", replace(FEW, sar=Fraction(16, 11))),
    clip("sar.mpg", Video("mpeg2video", size=(176, 144), sar=Fraction(12, 11), numbers=range(6), options=GOOD)),
    clip("sar_turned.mp4", replace(FEW, sar=Fraction(4, 3), rotation=90)),
    clip("odd_161x121.webm", _vp9(161, 121)),
    clip("odd_17x33.webm", _vp9(17, 33), psnr=34, copied=33),
    clip("odd_161x121_444.mp4", replace(FEW, size=(161, 121), pix_fmt="yuv444p")),
    clip(
        "odd_161x121.avi",
        replace(JPEGS, size=(161, 121), numbers=range(6)),
    ),
    clip("tiny_2x2.webm", replace(_vp9(2, 2), paint=grey)),
    clip("tiny_16x16.mp4", replace(FEW, size=(16, 16), paint=grey)),
    clip("wide_642x50.mp4", replace(FEW, size=(642, 50))),
    clip("hevc_cropped.mp4", replace(HEVC, size=(150, 106), numbers=range(6))),
    clip("turned_90.mp4", replace(H264, rotation=90), Sound()),
    clip("turned_180.mp4", replace(FEW, rotation=180)),
    clip("turned_270.mov", replace(FEW, rotation=270), BRIEF),
    clip("turned_90_odd.mp4", replace(FEW, size=(121, 161), pix_fmt="yuv444p", rotation=90)),
    clip("turned_90.mkv", replace(FEW, rotation=90)),
    clip("mirrored.mp4", replace(FEW, mirror=True)),
    clip("mirrored_turned_90.mp4", replace(FEW, mirror=True, rotation=90)),
    # Resampling blurs the cells of the number, so the second half is less like the picture.
    Case("size_grows.ts", _joined(FEW, replace(NEXT, size=(320, 240))), expect(BOTH, psnr=30, copied=29)),
    Case(
        "size_shrinks.ts",
        _joined(replace(FEW, size=(320, 240)), NEXT),
        expect(replace(BOTH, size=(320, 240)), psnr=26, copied=25),
    ),
    Case("depth_grows.ts", _joined(FEW, replace(NEXT, pix_fmt="yuv420p10le")), expect(BOTH)),
    Case("chroma_grows.ts", _joined(FEW, replace(NEXT, pix_fmt="yuv444p")), expect(BOTH)),
    Case(
        "colour_changes.ts",
        _joined(replace(FEW, tags=BT601), replace(NEXT, tags=FULL709)),
        expect(replace(BOTH, tags=BT601)),
    ),
    Case(
        "fields_begin.ts",
        _joined(FEW, WOVEN),
        expect(replace(BOTH, numbers=(*FEW.numbers, *WOVEN.numbers)), psnr=34, copied=33),
    ),
)
