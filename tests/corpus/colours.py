"""Colour: matrices, ranges, transfer functions, bit depths, samplings; and fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from .clips import clip
from .pictures import field, grey
from .presets import AV1, BRIEF_AAC, GOOD, H264, HEVC, JPEGS
from .spec import BT601, BT709, FULL709, HLG, PQ, Case, Sound, Tags, Video

FEW = replace(H264, numbers=range(6))
HD = replace(FEW, size=(96, 720), numbers=range(3))
TEN = replace(FEW, pix_fmt="yuv420p10le")
HEVC10 = replace(HEVC, pix_fmt="yuv420p10le", numbers=range(6))
PAL = Tags(1, 5, 5, 6)
BT2020 = Tags(1, 9, 9, 14)
P3_601 = Tags(1, 6, 12, 13)

FIELDS: Mapping[str, str] = {**H264.options, "flags": "+ilme+ildct"}
# Each frame holds the first field of picture 2k and the second of picture 2k + 1; the frame is shown as picture 2k.
WOVEN = Video(fields="tff", paint=field, numbers=range(0, 24, 2), options={**FIELDS, "x264-params": "tff=1"})

CASES: tuple[Case, ...] = (
    clip("bt709.mp4", replace(FEW, tags=BT709)),
    clip("bt601.mp4", replace(FEW, tags=BT601)),
    clip("bt470bg.mp4", replace(FEW, tags=PAL)),
    clip("bt601_hd.mp4", replace(HD, tags=BT601)),
    clip("bt709_full.mp4", replace(FEW, tags=FULL709)),
    clip("bt601_full.mkv", replace(FEW, tags=replace(BT601, range=2))),
    clip("bt2020.mp4", replace(TEN, tags=BT2020)),
    clip("p3.mov", replace(FEW, tags=P3_601)),
    clip("only_matrix.mkv", replace(FEW, tags=Tags(0, 1, 2, 2))),
    clip("untagged_sd.mp4", FEW),
    clip("untagged_hd.mp4", replace(HD, matrix=1)),
    clip("hdr10_pq.mp4", replace(HEVC10, tags=PQ)),
    clip("hlg.mp4", replace(HEVC10, tags=HLG)),
    clip("h264_10.mp4", TEN, BRIEF_AAC),
    clip("h264_10_full.mkv", replace(TEN, tags=FULL709)),
    clip("h264_422_10.mov", replace(FEW, pix_fmt="yuv422p10le", tags=BT709)),
    clip("h264_444.mp4", replace(FEW, pix_fmt="yuv444p", tags=BT709)),
    clip("hevc_12.mkv", replace(HEVC10, pix_fmt="yuv420p12le")),
    clip("av1_10.mkv", Video("libsvtav1", pix_fmt="yuv420p10le", numbers=range(6), options=AV1)),
    clip(
        "prores_422.mov",
        Video("prores_ks", pix_fmt="yuv422p10le", numbers=range(6), options={"profile": "3"}, tags=BT709),
        Sound("pcm_s24le"),
    ),
    clip(
        "prores_4444.mov",
        Video("prores_ks", pix_fmt="yuva444p10le", numbers=range(6), options={"profile": "4"}, tags=BT709),
        bits=12,
    ),
    clip(
        "dnxhr.mov",
        Video(
            "dnxhd",
            pix_fmt="yuv422p10le",
            size=(320, 240),
            numbers=range(4),
            options={"profile": "dnxhr_hqx"},
            tags=BT709,
        ),
    ),
    clip("qtrle.mov", Video("qtrle", pix_fmt="rgb24", numbers=range(6)), matrix=0),
    clip(
        "h264_rgb.mkv",
        Video("libx264rgb", pix_fmt="rgb24", numbers=range(6), options=H264.options),
        tags=Tags(2, 0),
        matrix=0,
    ),
    clip("ffv1_rgb_10.mkv", Video("ffv1", pix_fmt="gbrp10le", numbers=range(6)), matrix=0),
    clip("grey.mkv", Video("ffv1", pix_fmt="gray", numbers=range(6), paint=grey), matrix=0),
    clip("yuyv.avi", Video("rawvideo", pix_fmt="yuyv422", numbers=range(6))),
    clip("mjpeg_422.mov", replace(JPEGS, pix_fmt="yuvj422p", numbers=range(6))),
    clip("interlaced_tff.mp4", WOVEN, Sound(duration=0.4, beeps=(0.12,)), psnr=35, copied=34),
    clip(
        "interlaced_bff.mp4",
        replace(WOVEN, fields="bff", options={**FIELDS, "x264-params": "bff=1"}),
        psnr=35,
        copied=34,
    ),
    clip(
        "interlaced_bff.mpg",
        Video("mpeg2video", fields="bff", paint=field, numbers=WOVEN.numbers, options={**GOOD, "flags": "+ilme+ildct"}),
        psnr=35,
        copied=34,
    ),
    clip("interlaced_10.mkv", replace(WOVEN, pix_fmt="yuv422p10le", tags=BT709, rate=Fraction(25)), psnr=35, copied=34),
    clip(
        "interlaced_prores.mov",
        Video(
            "prores_ks",
            pix_fmt="yuv422p10le",
            fields="tff",
            paint=field,
            numbers=WOVEN.numbers,
            options={"profile": "3", "flags": "+ildct"},
        ),
        psnr=35,
        copied=34,
    ),
)
