"""What a file holds is told from its content."""

from __future__ import annotations

import os
import struct
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import write_clip
from tests.media.pictures import encoded, png, ramp
from vidprod.errors import FileContent, FileDecode, FileDownload, FileResolution, FileType, InvalidFile
from vidprod.media.kinds import kind_of, still_format, unknown
from vidprod.media.probe import Limits

RATE = 44100


def _sound(path: Path, codec: str, *, pictures: int = 0, cover: bytes = b"") -> Path:
    """A tone, with a few pictures or a cover if wanted."""
    with av.open(str(path), "w") as output:
        audio: Any = output.add_stream(codec, rate=48000 if codec == "libopus" else RATE)
        audio.codec_context.layout = "stereo"
        video: Any = None
        if pictures:
            video = output.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        art: Any = None
        if cover:
            art = output.add_stream("mjpeg")
            art.width, art.height, art.pix_fmt = 56, 40, "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic
            output.start_encoding()
            packet = av.Packet(cover)
            packet.stream, packet.time_base, packet.pts, packet.dts = art, Fraction(1, 90000), 0, 0
            packet.is_keyframe = True
            output.mux(packet)
        for number in range(10):
            tone = 0.3 * np.sin(np.arange(number * 1152, (number + 1) * 1152) * 0.06)
            frame = av.AudioFrame.from_ndarray(np.stack([tone] * 2).astype(np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, number * 1152
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
        for number in range(pictures):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 20, np.uint8), "rgb24")
            picture.pts = number
            output.mux(video.encode(picture))
        if video is not None:
            output.mux(video.encode(None))
    return path


def _refused(path: Path, kind: type[InvalidFile], text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        kind_of(path)
    assert type(caught.value) is kind
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("format", ["jpeg", "png", "bmp", "gif", "webp", "tiff"])
def test_stills(tmp_path: Path, format: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(encoded(ramp(), format))
    assert kind_of(path) == "image"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp3", "mp3"),
        ("a.wav", "pcm_s16le"),
        ("a.m4a", "aac"),
        ("a.ogg", "libopus"),
        ("a.flac", "flac"),
        ("a.mp4", "aac"),
    ],
)
def test_sound(tmp_path: Path, name: str, codec: str) -> None:
    path = _sound(tmp_path / name, codec)
    assert kind_of(path.rename(tmp_path / "photo.jpg")) == "audio"


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.avi"])
def test_pictures_with_sound_are_a_video(tmp_path: Path, name: str) -> None:
    assert kind_of(_sound(tmp_path / name, "mp3" if name == "v.avi" else "aac", pictures=5)) == "video"


def test_one_picture_in_a_container_is_a_video(tmp_path: Path) -> None:
    assert kind_of(write_clip(tmp_path / "one.mp4", [ramp(48, 64)])) == "video"


@pytest.mark.parametrize(("name", "codec"), [("c.mp3", "mp3"), ("c.mp4", "aac")])
def test_a_cover_does_not_make_a_video(tmp_path: Path, name: str, codec: str) -> None:
    path = _sound(tmp_path / name, codec, cover=encoded(ramp(), "jpeg"))
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    assert kind_of(path) == "audio"


def _id3(frames: bytes) -> bytes:
    size = len(frames)
    return b"ID3\x03\x00\x00" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + frames


@pytest.mark.parametrize("cover", [bytes(5 << 20), png((60000, 60000), 8, 2, b"\0" * 1000)], ids=["long", "bomb"])
def test_an_mp3_with_an_unreasonable_cover(tmp_path: Path, cover: bytes) -> None:
    bare = _sound(tmp_path / "bare.mp3", "mp3").read_bytes()
    bare = bare[bare.index(b"\xff\xfb") :]  # without a tag of its own
    picture = b"\0image/png\0\3\0" + cover
    path = tmp_path / "huge.mp3"
    path.write_bytes(_id3(b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture) + bare)
    assert kind_of(path) == "audio"
    path.write_bytes(bare)
    assert kind_of(path) == "audio"


def test_odd_wav_headers(tmp_path: Path) -> None:
    path = tmp_path / "odd.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"\1\2" * 8000)
    plain = path.read_bytes()
    path.write_bytes(
        plain[:4] + b"\xff\xff\xff\xff" + plain[8:40] + b"\xff\xff\xff\xff" + plain[44:]
    )  # as written to a pipe
    assert kind_of(path) == "audio"
    path.write_bytes(plain[:12] + b"LIST\x06\0\0\0INFOxx" + b"junk\x03\0\0\0abc\0" + plain[12:])  # other chunks first
    assert kind_of(path) == "audio"
    path.write_bytes(plain[:44])
    _refused(path, FileContent, "holds no sound")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"just words\n" * 30, "is a text"),
        ("日本語の文章".encode() * 900, "is a text"),
        ("Zwölf Sätze".encode("utf-16"), "is a text"),
        (b"\xef\xbb\xbf\n <html><body>404</body></html>", "is a web page"),
        (b'<?xml version="1.0"?><svg/>', "vector drawing"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\nfile:///etc/passwd\n", "is a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is a text"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "a picture in AVIF format"),
        (b"PK\3\4" + bytes(60), "ZIP"),
        ("中文文本".encode("gbk") * 100, "no kind of file that is known"),
        (bytes(5000), "no kind of file that is known"),
        (np.random.default_rng(0).bytes(5000), "no kind of file that is known"),
    ],
)
def test_what_is_none_of_these(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    _refused(path, FileType, rf"clip\.mp4.*{text}.*allowed: MP4, ")


def test_damaged(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip.read_bytes()[:5000])
    _refused(path, FileDecode, r"cut\.mp4")
    whole = _sound(tmp_path / "whole.m4a", "aac").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    _refused(path, FileDecode, r"cut\.mp4")


def test_a_video_beyond_the_limits(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "v.mp4", [ramp(48, 64)])
    with pytest.raises(FileResolution, match="64x48"):
        kind_of(path, limits=Limits(max_pixels=1000))


def test_missing_empty_and_folders(tmp_path: Path) -> None:
    _refused(tmp_path / "none.mp4", FileDownload, "No such file")
    _refused(tmp_path, FileDownload, "is not a file")
    os.mkfifo(tmp_path / "pipe")
    _refused(tmp_path / "pipe", FileDownload, "is not a file")
    (tmp_path / "empty").write_bytes(b"")
    _refused(tmp_path / "empty", FileDecode, "is empty")


@given(content=st.binary(min_size=1, max_size=300))
def test_any_beginning_has_an_answer(content: bytes) -> None:
    format = still_format(content)
    assert format is None or unknown(Path("x"), content) is None


@given(text=st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=6000))
def test_any_text_is_text(text: str) -> None:
    head = text.encode()[:4096]
    assert still_format(head) is None
    refusal = unknown(Path("x"), head)
    assert refusal is not None
    assert refusal.code == "InvalidFile.Type"


@pytest.mark.needs_media
def test_real_files(media: Path) -> None:
    for folder, kind in (("photos", "image"), ("music", "audio")):
        for path in sorted((media / folder).iterdir()):
            assert kind_of(path) == kind
    assert kind_of(min((media / "videos").iterdir(), key=lambda path: path.stat().st_size)) == "video"
