"""`clip`: a case whose expectations follow from the streams it is written from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from .planes import WEIGHTS
from .spec import Case, Chapters, Expect, Heard, Sound, Tags, Text, Video
from .write import write

DECODED_AS = {
    "libx264": "h264",
    "libx264rgb": "h264",
    "libx265": "hevc",
    "libvpx-vp9": "vp9",
    "libvpx": "vp8",
    "libsvtav1": "av1",
    "prores_ks": "prores",
    "libmp3lame": "mp3",
    "libopus": "opus",
}


def expect(
    *streams: Video | Sound | Text,
    main: int = 0,
    priming: Fraction = Fraction(0),
    chapters: Chapters = (),
    **changes: Any,
) -> Expect:
    """What a reader must find in a file with these streams.

    Args:
        streams: as written.
        main: which of the video streams counts.
        priming: s of encoder delay that the container does not hide, by which the first sound starts earlier.
        chapters: as written.
        changes: fields of `Expect` that differ from what follows from the streams.
    """
    videos = [s for s in streams if isinstance(s, Video) and not s.attached]
    sounds = [s for s in streams if isinstance(s, Sound)]
    earliest = min([v.seconds[0] for v in videos] + [s.start - priming for s in sounds])
    facts: dict[str, Any] = {
        "audio": tuple(
            Heard(DECODED_AS.get(s.codec, s.codec), s.tones, tuple(float(b + s.start - earliest) for b in s.beeps))
            for s in sounds
        ),
        "subtitles": tuple(
            tuple((a - float(earliest), b - float(earliest), t) for a, b, t in s.lines)
            for s in streams
            if isinstance(s, Text)
        ),
        "chapters": tuple((a - float(earliest), b - float(earliest), title) for a, b, title in chapters),
        "languages": tuple(s.language or "und" for s in streams if isinstance(s, Sound | Text)),
    }
    if videos:
        video = videos[main]
        tags = Tags(2, 5, 2, 2) if "yuvj" in video.pix_fmt else video.tags
        digits = video.pix_fmt.removesuffix("le").rpartition("p")[2]
        facts |= {
            "size": video.size,
            "numbers": tuple(video.numbers),
            "times": tuple(t - earliest for t in video.seconds),
            "paint": video.paint,
            "legible": min(video.size) >= 24,
            "codec": DECODED_AS.get(video.codec, video.codec),
            "bits": int(digits) if digits.isdigit() else 8,
            "sar": (1 / video.sar if video.rotation % 180 else video.sar) if video.sar else Fraction(1),
            "rotation": video.rotation,
            "mirrored": video.mirror,
            "tags": tags,
            "matrix": tags.matrix if tags.matrix in WEIGHTS else (1 if video.size[1] >= 720 else 6),
            "interlaced": bool(video.fields),
        }
    if changes.get("lead"):
        facts["repaired"] = None
    return Expect(**(facts | changes))


def clip(
    name: str,
    *streams: Video | Sound | Text,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    chapters: Chapters = (),
    metadata: Mapping[str, str] | None = None,
    **facts: Any,
) -> Case:
    """A file written from `streams` as they are."""
    make = functools.partial(
        _make, streams=streams, format=format, options=options, chapters=chapters, metadata=metadata
    )
    return Case(name, make, expect(*streams, chapters=chapters, **facts))


def _make(path: Path, streams: tuple[Video | Sound | Text, ...], **rest: Any) -> None:
    write(path, *streams, **rest)
