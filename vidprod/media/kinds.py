"""Whether a file holds a video, sound or a picture, told from its content."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import Literal

from vidprod.errors import FileDecode, FileDownload, FileType, VidprodError
from vidprod.media import _kind
from vidprod.media.probe import Limits, inspect

Kind = Literal["video", "audio", "image"]

STILLS = ("JPEG", "PNG", "BMP", "WebP", "TIFF", "GIF")
"""Formats of pictures that are read."""

ALLOWED = f"MP4, MOV, MKV, WebM, AVI, MP3, WAV, M4A, OGG, FLAC, {', '.join(STILLS)}"
"""For messages."""

_HEAD = 4096  # bytes that are looked at
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes of the second header
# Kinds that people do hand in, so that the message can name them. Found at the beginning.
_KNOWN = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"8BPS": "a Photoshop document",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "a JPEG 2000 picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": "a JPEG XL picture",
    b"II+\x00": "a BigTIFF picture",
    b"MM\x00+": "a BigTIFF picture",
    b"II\xbc\x01": "a JPEG XR picture",
    b"\x00\x00\x01\x00": "an icon",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance HDR picture",
    b"%!PS": "a PostScript document",
    b"MThd": "MIDI notes",
    b"#EXTM3U": "a playlist",
}
_STILL_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"mif1": "HEIC", b"avif": "AVIF"}
# How sound and videos begin that are accepted: if one such cannot be opened, it is damaged rather than unknown.
_MEDIA = (
    b"RIFF",
    b"RF64",
    b"ID3",
    b"OggS",
    b"fLaC",
    b"FLV\x01",
    b"\x1aE\xdf\xa3",
    b"\x00\x00\x01\xba",
    b"\x30\x26\xb2\x75",
    b".RMF",
)


def kind_of(path: str | os.PathLike[str], *, limits: Limits | None = None, timeout: float = 30.0) -> Kind:
    """What a file holds. Its name does not count; one with moving pictures is a video, with or without sound.

    A cover picture does not make sound a video. Stills are told by how they begin; all else is opened in a child process limited
    in memory and time, which decodes the first picture or the first sound.

    Raises:
        FileDownload: missing or unreadable.
        FileType: none of what is accepted, such as a text or a document.
        FileDecode: empty, or damaged beyond use.
        FileContent: neither pictures nor sound in it, or of unknown codec.
        FileResolution: a video whose picture exceeds `limits`.
    """
    path = Path(path).absolute()
    head = head_of(path)
    if still_format(head):
        return "image"
    if (refusal := unknown(path, head)) is not None:
        raise refusal
    try:
        found: Kind = inspect(_kind.__file__, path, limits or Limits(), timeout)["kind"]
    except (FileDecode, FileType) as error:
        if isinstance(error, FileDecode) and (
            head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip") or head.startswith(_MEDIA)
        ):
            raise
        raise FileType(f"{path.name} is no kind of file that is known here; allowed: {ALLOWED}") from error
    return found


def head_of(path: Path) -> bytes:
    """The first bytes of a file.

    Raises:
        FileDownload: missing or unreadable.
        FileDecode: empty.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileDownload(f"{path} is not a file")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FileDownload(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise FileDecode(f"{path.name} is empty")
    return head


def still_format(head: bytes) -> str | None:
    """The one of `STILLS` that a file with this beginning is; None if it is none of them."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:  # many a text begins with BM
        return "BMP"
    return None


def unknown(path: Path, head: bytes) -> VidprodError | None:
    """What to say of a file that is known to be of no use, such as a text; None for all others."""
    kind = next((name for magic, name in _KNOWN.items() if head.startswith(magic)), None)
    if kind is None and head[4:8] == b"ftyp" and (brand := _STILL_BRANDS.get(head[8:12])):
        kind = f"a picture in {brand} format"
    if kind is None and (text := _text(head)) is not None:
        start = text.lstrip().lower()
        if "<svg" in start:
            kind = "a vector drawing (SVG)"
        elif start.startswith(("<!doctype html", "<html")) or "<body" in start:
            kind = "a web page"
        else:
            kind = "a text"
    return None if kind is None else FileType(f"{path.name} is {kind}; allowed: {ALLOWED}")


def _text(head: bytes) -> str | None:
    """A file's beginning if it is text."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)  # the last letter may be cut
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c.isspace() or c in "\ufeff\x1b" for c in text) else None
