"""Streams that many cases share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from .spec import Sound, Tags, Video

# Options of encoders: near lossless, so that pictures can be compared, and quick.
ULTRAFAST: Mapping[str, str] = {"preset": "ultrafast", "crf": "6"}
B_FRAMES: Mapping[str, str] = {"preset": "veryfast", "crf": "6", "bf": "3", "x264-params": "b-adapt=0:scenecut=0"}
GOOD: Mapping[str, str] = {"qmin": "1", "qmax": "2", "b": "4000000"}
X265: Mapping[str, str] = {"preset": "ultrafast", "crf": "4", "x265-params": "log-level=none:pools=none"}
AV1: Mapping[str, str] = {"preset": "5", "crf": "4", "svtav1-params": "lp=1"}

H264 = Video(options=ULTRAFAST)
H264_B = replace(H264, options=B_FRAMES)
H264_MS = replace(H264, time_base=Fraction(1, 1000))  # for FLV, which counts milliseconds
HEVC = Video("libx265", options=X265)
MPEG4 = Video("mpeg4", options=GOOD)
MPEG2 = Video("mpeg2video", options=GOOD)
VP9 = Video("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8", "crf": "8", "b": "0"})
JPEGS = Video("mjpeg", pix_fmt="yuvj420p", options={"qmin": "1", "qmax": "2"})
DNXHR = Video(
    "dnxhd", pix_fmt="yuv422p10le", size=(320, 240), numbers=range(6), tags=Tags(0, 1), options={"profile": "dnxhr_hqx"}
)

# Delay of the audio encoders in samples.
AAC_DELAY, MP2_DELAY, MP3_DELAY, WMA_DELAY, AC3_DELAY = 1024, 481, 1105, 2048, 256
AAC = Sound()
PCM = Sound("pcm_s16le")
FLAC = Sound("flac")
# Transport streams and AVI cannot hide the delay: the sound is made to start that much later instead.
MP2 = Sound("mp2", start=Fraction(MP2_DELAY, 48000))
MP3 = Sound("libmp3lame", start=Fraction(MP3_DELAY, 48000))
BRIEF = replace(PCM, duration=0.24, beeps=(0.12,))  # for six pictures
BRIEF_AAC = replace(AAC, duration=0.24, beeps=(0.12,))

# AVI and raw streams have no presentation times, only slots; how long a decoder holds pictures back is not settled.
SLOTS = Fraction(2, 25)
TS_START: Mapping[str, str] = {"output_ts_offset": "1.4"}  # where FFmpeg lets transport streams begin
