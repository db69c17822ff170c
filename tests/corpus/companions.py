"""What travels beside the pictures: sounds, subtitles, chapters, covers, data, a second video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from vidprod.errors import FileCategory

from . import surgery
from .clips import clip, expect
from .pictures import picture
from .planes import to_frame
from .presets import AAC, FLAC, H264, MP2, PCM
from .spec import Case, Packets, Sound, Text, Video
from .write import write

LARGER = replace(H264, size=(320, 240), numbers=range(500, 520))
CHAPTERS = ((0.0, 0.4, "one"), (0.4, 0.8, "zwöi"))
GERMAN = Text(lines=((0.1, 0.4, "hallo"), (0.44, 0.7, "welt\nzwei Zeilen")), language="ger")
TONES = (300.0, 400.0, 500.0, 100.0, 700.0, 800.0)  # the fourth of 5.1 is for low frequencies alone
LONGER = replace(H264, numbers=range(40))


def _without_middle(packets: Packets) -> Packets:
    """The sound between 0.4 and 1 s was lost before it was recorded."""
    return [p for p in packets if not 0.4 < float((p.pts or 0) * p.time_base) < 1]


def _as_mov_text(text: Text) -> Text:
    return replace(text, codec="mov_text")


def png() -> bytes:
    """A still picture."""
    encoder = av.CodecContext.create("png", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width = encoder.height = 64
    encoder.pix_fmt, encoder.time_base = "rgb24", Fraction(1, 25)
    frame = to_frame(picture(0, 64, 64), "rgb24")
    frame.pts = 0
    return b"".join(bytes(p) for p in encoder.encode(frame))


COVER = Video("png", pix_fmt="rgb24", size=(64, 64), numbers=(0,), attached=True)


def _cover_first(path: Path) -> None:
    """A cover that the demuxer meets before the tracks, so it becomes stream 0."""
    write(path, H264, AAC, COVER)
    path.write_bytes(surgery.lead_with_udta(path.read_bytes()))


def _cover_attachment(path: Path) -> None:
    with av.open(str(path), "w") as out:
        out.add_attachment("cover.png", "image/png", png())
        stream = out.add_stream("libx264", rate=25, options=dict(H264.options))
        stream.width, stream.height, stream.pix_fmt = *H264.size, "yuv420p"
        for number in H264.numbers:
            frame = to_frame(picture(number, *H264.size), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _with_data(path: Path) -> None:
    """A stream of private data (KLV-like) beside picture and sound."""
    write(path, H264, MP2, data=[(Fraction(i, 5), bytes([i]) * 40) for i in range(4)])


CASES: tuple[Case, ...] = (
    clip("subtitles.mkv", H264, FLAC, Text()),
    clip("subtitles_two.mkv", H264, FLAC, Text(), GERMAN),
    clip("subtitles.mp4", H264, AAC, _as_mov_text(Text())),
    clip("subtitles_two.mov", H264, AAC, _as_mov_text(Text()), _as_mov_text(GERMAN)),
    clip("chapters.mp4", H264, AAC, chapters=CHAPTERS),
    clip("chapters.mkv", H264, FLAC, chapters=CHAPTERS),
    clip("timecode.mov", H264, PCM, metadata={"timecode": "01:00:00:00"}),
    Case("data.ts", _with_data, expect(H264, MP2)),
    clip("two_video.mp4", H264, LARGER, AAC),
    clip("two_video.mkv", replace(H264, default=False), replace(LARGER, default=True), main=1),
    clip("two_audio.mp4", H264, replace(AAC, language="eng"), replace(AAC, tones=(880.0,), language="ger")),
    clip(
        "two_audio_late.mkv",
        H264,
        PCM,
        Sound("flac", tones=(880.0,), start=Fraction(1, 4), duration=0.55),
    ),
    clip("surround.mp4", H264, Sound("ac3", layout="5.1", tones=TONES)),
    clip("surround_pcm.mov", H264, Sound("pcm_s24le", layout="5.1", tones=TONES)),
    clip("quad.mkv", H264, Sound("flac", layout="quad", tones=TONES[:4])),
    clip("stereo_96k.mkv", H264, Sound("flac", rate=96000, layout="stereo", tones=(440.0, 880.0))),
    clip("telephone.mov", H264, Sound("pcm_alaw", rate=8000)),
    clip("opus.mp4", H264, Sound("libopus", layout="stereo", tones=(440.0, 880.0))),
    clip("vorbis.mkv", H264, Sound("vorbis", layout="stereo", tones=(440.0, 880.0), options={"strict": "-2"})),
    clip("adpcm.mov", H264, Sound("adpcm_ima_qt", rate=22050)),
    clip("no_audio.mp4", H264),
    clip("hole_in_sound.mkv", LONGER, Sound("flac", duration=1.6, beeps=(0.12, 1.24), edit=_without_middle)),
    clip("hole_in_sound.mov", LONGER, Sound("pcm_s16le", duration=1.6, beeps=(0.12, 1.24), edit=_without_middle)),
    clip("hole_in_sound.mp4", LONGER, Sound(duration=1.6, beeps=(0.12, 1.24), edit=_without_middle)),
    clip(
        "offset_everything.mkv",
        replace(H264, start=Fraction(10)),
        Sound("pcm_s16le", start=Fraction(10)),
        Text(lines=((10.1, 10.4, "late"), (10.44, 10.7, "later"))),
        chapters=((10.0, 10.4, "one"), (10.4, 10.8, "two")),
    ),
    Case("cover_first.mp4", _cover_first, expect(H264, AAC)),
    clip("cover_last.mp4", H264, AAC, COVER),
    Case("cover.mkv", _cover_attachment, expect(H264)),
    clip("cover_only.mp3", Sound("libmp3lame"), COVER, error=FileCategory),
    clip("audio_only.mp4", Sound(), error=FileCategory),
    clip("audio_only.wav", PCM, error=FileCategory),
)
