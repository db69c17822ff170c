"""What storyboards are drawn with: colours, letters of any script, rows of cards, a scale of seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vidprod.media.pending import PendingFile

WIDTH = 1400
"""Pixels."""

EDGE, GAP = 40, 14
PAPER, INK, SOFT, PICK = (250, 250, 248), (28, 30, 34), (132, 134, 140), (226, 92, 30)
LINE, BAR = (222, 222, 218), (190, 192, 196)

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

_ROUND = 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600  # seconds between ticks
_NOWHERE = "\U0010ffff"  # a sign that no font has
# Fonts with Chinese, Japanese and Korean signs, then one with most others.
_FONTS = (
    "NotoSansCJK-Regular*",
    "NotoSansCJKsc-Regular*",
    "NotoSansSC*",
    "SourceHanSans*Regular*",
    "wqy-*",
    "DroidSansFallback*",
    "PingFang*",
    "Hiragino Sans GB*",
    "STHeiti*",
    "Arial Unicode*",
    "msyh.tt*",
    "simhei*",
    "DejaVuSans.ttf",
)


@dataclass(frozen=True)
class Card:
    """A picture with lines below.

    Attributes:
        second: of the video, at which the picture is taken.
        head: in its upper left corner; empty for none.
        lines: below it, the first one dark, the others pale.
        note: in its lower left corner; empty for none.
    """

    second: float
    head: str
    lines: tuple[str, ...]
    note: str = ""


def card_row(
    sheet: Image.Image,
    y: int,
    title: str,
    cards: Sequence[Card],
    pictures: Sequence[Picture],
    columns: int,
    *,
    tallest: float = 1.2,
) -> int:
    """Draws cards in rows; returns where they end. Of pictures higher than `tallest` times their width the middle is shown."""
    draw = ImageDraw.Draw(sheet)
    draw.text((EDGE, y), title, INK, font(20))
    y += 36
    wide = (WIDTH - 2 * EDGE - (columns - 1) * GAP) // columns
    shape = pictures[0].shape[0] / pictures[0].shape[1] if len(pictures) else 1
    high = round(wide * min(max(shape, 0.4), tallest))
    small = 15 if columns <= 5 else 13
    step = high + (max((len(card.lines) for card in cards), default=0) + 1) * small + 16
    for at, (card, picture) in enumerate(zip(cards, pictures, strict=False)):
        left = EDGE + at % columns * (wide + GAP)
        top = y + at // columns * step
        sheet.paste(filled(picture, wide, high), (left, top))
        if card.head:
            box = draw.textbbox((left + 9, top + 5), card.head, font=font(16))
            draw.rectangle((left, top, box[2] + 8, top + 28), fill=PICK)
            draw.text((left + 9, top + 5), card.head, (255, 255, 255), font(16))
        if card.note:
            box = draw.textbbox((left + 8, top + high - small - 6), card.note, font=font(small))
            draw.rectangle((left, top + high - small - 9, box[2] + 7, top + high), fill=PAPER)
            draw.text((left + 8, top + high - small - 6), card.note, PICK, font(small))
        for number, line in enumerate(card.lines):
            write(draw, (left, top + high + 6 + number * (small + 3)), line, SOFT if number else INK, small, wide)
    return y + -(-len(cards) // columns) * step


def across(second: float, end: float) -> int:
    """The column of a time, on a scale from 0 to `end` over the whole width."""
    return EDGE + round(max(second, 0) / max(end, 1e-9) * (WIDTH - 2 * EDGE))


def ruler(draw: ImageDraw.ImageDraw, y: int, end: float) -> int:
    """A scale of seconds; returns where it ends."""
    draw.line((EDGE, y, WIDTH - EDGE, y), fill=SOFT)
    step = next((step for step in _ROUND if end / step <= 14), 7200)
    for second in range(0, int(end) + 1, step):
        draw.line((across(second, end), y, across(second, end), y + 5), fill=SOFT)
        draw.text((across(second, end), y + 8), clock(second, 0), SOFT, font(14), anchor="mt")
    return y + 29


def filled(picture: Picture, width: int, height: int) -> Image.Image:
    """The middle of a picture in another shape."""
    image = Image.fromarray(picture)
    scale = max(width / image.width, height / image.height)
    big = image.resize(
        (max(round(image.width * scale), width), max(round(image.height * scale), height)), Image.Resampling.LANCZOS
    )
    left, top = (big.width - width) // 2, (big.height - height) // 2
    return big.crop((left, top, left + width, top + height))


def clock(second: float, digits: int = 1) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(second, digits), 60)
    return f"{int(minutes)}:{rest:0{3 + digits if digits else 2}.{digits}f}"


def font(size: int) -> Any:
    """The font of all words of a board; it has Latin letters only."""
    return ImageFont.load_default(size)


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    colour: Colour,
    size: int,
    width: float,
) -> None:
    """A line of any script, its upper left corner at a place, cut off where it would be wider than `width`.

    Signs that no font has are left out.
    """
    made, text = _lettered(text, size)
    if made.getlength(text) > width:
        least, most = 0, len(text)
        while least < most:  # as many signs as fit
            middle = (least + most + 1) // 2
            least, most = (middle, most) if made.getlength(f"{text[:middle]}...") <= width else (least, middle - 1)
        text = f"{text[:least].rstrip()}..."
    baseline = place[1] + font(size).getmetrics()[0]  # the same for all fonts
    draw.text((place[0], baseline), text, colour, made, anchor="ls")


def legible(name: str, instead: str) -> str:
    """The name of a file, or another word for it where most of its signs cannot be drawn here."""
    wanted = [sign for sign in PurePath(name).stem if sign.isalnum()]
    drawn = _lettered("".join(wanted), 16)[1]
    return name if wanted and 2 * len(drawn) >= len(wanted) else instead


def saved(sheet: Image.Image, height: int, output: str | os.PathLike[str]) -> None:
    """Writes the upper part of a sheet as a PNG.

    Raises:
        InternalError: the file cannot be written.
    """
    pending = PendingFile(output)
    try:
        with pending.reported(), pending.temporary.open("wb") as file:
            sheet.crop((0, 0, sheet.width, height)).save(file, "png")
        pending.commit()
    finally:
        pending.discard()


def _lettered(text: str, size: int) -> tuple[Any, str]:
    """The first font that has most of the signs, and the signs that it has."""
    text = "".join(
        sign if sign.isprintable() else " " for sign in text
    )  # names may have line breaks, and bytes of no text
    if text.isascii():
        return font(size), text
    best, most = font(size), ""
    for path in (None, *fonts()):
        made = font(size) if path is None else _opened(path, size)
        has = _signs(path)
        kept = "".join(sign for sign in text if has(sign))
        if path is None or len(kept) > len(most):
            best, most = made, kept
        if kept == text:
            break
    return best, most


@cache
def fonts() -> tuple[Path, ...]:
    """Fonts of the system with more than Latin letters, the best first."""
    home = Path.home()
    folders = {
        "darwin": [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"],
        "win32": [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"],
    }.get(sys.platform, [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts"])
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.rglob("*.[to]t[fc]"))]
    return tuple(file for pattern in _FONTS for file in files if file.match(pattern))


@cache
def _opened(path: Path, size: int) -> Any:
    # Of the collection of Noto the third is for simplified Chinese; the first is drawn as Japanese is.
    for index in (2, 0) if path.name.startswith("NotoSansCJK") and path.suffix == ".ttc" else (0,):
        try:
            return ImageFont.truetype(path, size, index=index)
        except OSError:
            continue
    return font(size)


@cache
def _signs(path: Path | None) -> Callable[[str], bool]:
    """Tells whether a font has a sign: one that it has not is drawn as one that none has."""
    made = font(16) if path is None else _opened(path, 16)
    absent = bytes(made.getmask(_NOWHERE))

    @cache
    def has(sign: str) -> bool:
        return sign.isspace() or bytes(made.getmask(sign)) != absent

    return has
