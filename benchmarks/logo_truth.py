"""Real clips with drawn logos, compressed, of which everything is known: alpha, place, and the picture beneath.

    python -m benchmarks.logo_truth MEDIA FOLDER   # writes every case, and a picture of each

Fonts are Debian's fonts-noto-cjk and fonts-dejavu.
"""

from __future__ import annotations

import argparse
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.erase_truth import FONTS, Clip, Pictures, Plane, encode
from vidprod.media.reader import VideoReader

SIZE = 640, 360
"""Width and height of all cases; clips are scaled and cropped to it."""

RATE = Fraction(25)
"""Pictures a second of all cases."""

SANS = "truetype/dejavu/DejaVuSans-Bold.ttf", 0
CJK = "opentype/noto/NotoSansCJK-Bold.ttc", 2

LOGO = 0.17, 0.11
"""Size of a logo, as parts of the picture's width and height."""

PERIOD = 50
"""Pictures in which the mark of an animated logo turns round once."""

_MARGIN = 22, 16  # pixels between a logo and the edges of the picture
_FINE = 4  # logos are drawn this many times larger, and scaled down

Kind = Literal["opaque", "translucent", "animated"]
Background = Literal["montage", "moving", "static"]


def _montage(count: int, *parts: tuple[str, int]) -> tuple[Clip, ...]:
    return tuple(Clip(f"videos/{file}", start, count) for file, start in parts)


SOURCES: dict[str, tuple[Background, tuple[Clip, ...]]] = {
    "ten-shots": (
        "montage",
        _montage(
            50,
            ("basketball_426x240.mp4", 0),
            ("bbb_480p_30s.mp4", 100),
            ("bikes_640x272_10s.mp4", 10),
            ("coffee_pour_720p.mp4", 20),
            ("flower_540p.mp4", 0),
            ("gesture_woman_720p.mp4", 30),
            ("marathon_720x400.mp4", 0),
            ("dog_training_720p.mp4", 40),
            ("seattle_handheld_640x360.avi", 0),
            ("sintel_trailer_848x480_26s.mp4", 300),
        ),
    ),
    "eight-shots": (
        "montage",
        _montage(
            50,
            ("bee_720p.mp4", 0),
            ("lofoten_drone_1024x750.mp4", 30),
            ("crystal_product_480p.mp4", 10),
            ("man_and_dog_bed_720p.mp4", 20),
            ("sintel_trailer_848x480_26s.mp4", 180),
            ("phone_roof_pan_360p_17s.mp4", 60),
            ("flower_field_540p_17s.mp4", 40),
            ("bbb_480p_30s.mp4", 400),
        ),
    ),
    "seattle": ("moving", (Clip("videos/seattle_handheld_640x360.avi", 0, 300),)),
    "bottles": ("static", (Clip("videos/bottles_640x360_40s.mp4", 0, 300),)),
    "dog": ("static", (Clip("videos/dog_training_720p.mp4", 0, 200),)),
    "mixed-shots": (
        "montage",
        _montage(
            26,
            ("cockatoo_720p_yuv444.mp4", 0),
            ("kohlipe_drone_hevc_37s.mp4", 100),
            ("cat_vfr_568x320.mp4", 10),
            ("friday_bw_film_480p.mp4", 20),
            ("stream_of_water.webm", 0),
            ("sign_language_640x480.mkv", 10),
            ("woman_coffee_portrait_720x1364.mp4", 10),
            ("selfie_rot90_hevc.mp4", 10),
        ),
    ),
    "other-shots": (
        "montage",
        _montage(
            40,
            ("selfie_portrait_720x1280.mp4", 60),
            ("kohlipe_drone_hevc_37s.mp4", 600),
            ("rot90_10bit_hevc_1080p.mp4", 10),
            ("sintel_trailer_848x480_26s.mp4", 480),
            ("bbb_480p_30s.mp4", 620),
            ("phone_roof_pan_360p_17s.mp4", 320),
            ("crystal_product_480p.mp4", 240),
            ("flower_field_540p_17s.mp4", 300),
            ("cockatoo_720p_yuv444.mp4", 180),
        ),
    ),
    "drone": ("moving", (Clip("videos/kohlipe_drone_hevc_37s.mp4", 0, 200),)),
    "cat": ("moving", (Clip("videos/cat_vfr_568x320.mp4", 0, 140),)),
    "roofs": ("moving", (Clip("videos/phone_roof_pan_360p_17s.mp4", 200, 200),)),
    "signing": ("static", (Clip("videos/sign_language_640x480.mkv", 0, 85),)),
    "coffee": ("static", (Clip("videos/coffee_pour_720p.mp4", 40, 200),)),
}
"""What is behind the logos."""


@dataclass(frozen=True)
class LogoCase:
    """A logo on a clip.

    Attributes:
        source: of `SOURCES`.
        design: of `DESIGNS`.
        alpha: of the whole logo, 0..1.
        corner: "tl", "tr", "bl" or "br".
        animated: whether its mark turns.
    """

    source: str
    design: str
    alpha: float
    corner: Literal["tl", "tr", "bl", "br"]
    animated: bool = False

    @property
    def name(self) -> str:
        """Name for files and tables."""
        return f"{self.source}-{self.design}-{self.alpha:g}-{self.corner}{'-turning' if self.animated else ''}"

    @property
    def kind(self) -> Kind:
        """Of the logo."""
        return "animated" if self.animated else "opaque" if self.alpha > 0.9 else "translucent"

    @property
    def background(self) -> Background:
        """Of the clip."""
        return SOURCES[self.source][0]


CASES_TUNING = (
    LogoCase("ten-shots", "disc", 0.5, "tl"),
    LogoCase("eight-shots", "name", 0.5, "tr"),
    LogoCase("seattle", "star", 0.5, "bl"),
    LogoCase("dog", "disc", 0.5, "tr"),
    LogoCase("ten-shots", "star", 0.7, "tr"),
    LogoCase("seattle", "star", 0.7, "br"),
    LogoCase("ten-shots", "disc", 1.0, "br"),
    LogoCase("bottles", "disc", 0.95, "tl"),
    LogoCase("eight-shots", "disc", 0.95, "bl", animated=True),
)
"""Rules and thresholds were made with these."""

CASES_HELD_BACK = (
    LogoCase("mixed-shots", "ring", 0.5, "br"),
    LogoCase("other-shots", "chinese", 0.5, "bl"),
    LogoCase("drone", "ring", 0.5, "tl"),
    LogoCase("cat", "shield", 0.5, "bl"),
    LogoCase("roofs", "ring", 0.5, "br"),
    LogoCase("mixed-shots", "shield", 0.7, "tl"),
    LogoCase("other-shots", "shield", 0.7, "tr"),
    LogoCase("drone", "chinese", 0.7, "tr"),
    LogoCase("other-shots", "ring", 1.0, "tl"),
    LogoCase("roofs", "shield", 0.95, "tl"),
    LogoCase("signing", "chinese", 1.0, "tl"),
    LogoCase("coffee", "ring", 0.95, "tr"),
    LogoCase("other-shots", "ring", 0.95, "br", animated=True),
)
"""Other clips, or other parts of them, with other logos. Nothing was chosen by their figures."""


@dataclass(frozen=True)
class LogoTruth:
    """A clip with a logo, compressed, and what is beneath.

    Attributes:
        case: what it was made from.
        path: the clip.
        alpha: (H, W), 0..1; the largest over time where the logo is animated.
        box: left, top, right, bottom in pixels of what `alpha` covers.
        count: pictures.
    """

    case: LogoCase
    path: Path
    alpha: Plane
    box: tuple[int, int, int, int]
    count: int
    media: Path

    def clean(self) -> Pictures:
        """(N, H, W, 3): the pictures without logo, before they were compressed. Read anew unless they were just read."""
        return read_source(self.case.source, self.media)

    def mask(self, least: float = 0.02) -> NDArray[np.bool_]:
        """(H, W): where more than `least` is covered."""
        return self.alpha > least

    @property
    def fractions(self) -> tuple[float, float, float, float]:
        """The box as X, Y, W, H: parts of the picture's width and height."""
        (left, top, right, bottom), (width, height) = self.box, SIZE
        return left / width, top / height, (right - left) / width, (bottom - top) / height


@functools.lru_cache(maxsize=1)
def read_source(name: str, media: Path) -> Pictures:
    """(N, H, W, 3) of `SOURCES`, scaled and cropped to `SIZE`."""
    return np.stack([picture for clip in SOURCES[name][1] for picture in _read(clip, media)])


def _read(clip: Clip, media: Path) -> Iterator[NDArray[np.uint8]]:
    width, height = SIZE
    with VideoReader(media / clip.file, start=clip.start, stop=clip.start + clip.count, bits=8) as reader:
        for frames in reader:
            for picture in frames.data.permute(0, 2, 3, 1).numpy():
                h, w = picture.shape[:2]
                scale = max(width / w, height / h)
                size = max(width, round(w * scale)), max(height, round(h * scale))
                how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
                scaled = picture if size == (w, h) else cv2.resize(picture, size, interpolation=how)
                top, left = (size[1] - height) // 2, (size[0] - width) // 2
                yield np.ascontiguousarray(scaled[top : top + height, left : left + width])


class _Canvas:
    """A logo being drawn: its colours, and what it covers."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.colour = np.zeros((height, width, 3), np.float32)
        self.alpha = np.zeros((height, width), np.float32)

    def paint(self, fill: tuple[int, int, int], draw: Callable[[ImageDraw.ImageDraw], object]) -> None:
        """Lays a shape over what is there."""
        cover = self._cover(draw)[..., None]
        self.colour = self.colour * (1 - cover) + np.array(fill, np.float32) * cover
        self.alpha = np.maximum(self.alpha, cover[..., 0])

    def cut(self, draw: Callable[[ImageDraw.ImageDraw], object]) -> None:
        """Makes a hole."""
        self.alpha = self.alpha * (1 - self._cover(draw))

    def _cover(self, draw: Callable[[ImageDraw.ImageDraw], object]) -> Plane:
        layer = Image.new("L", (self.width * _FINE, self.height * _FINE), 0)
        draw(ImageDraw.Draw(layer))
        small = cv2.resize(np.asarray(layer), (self.width, self.height), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / np.float32(255)


def _scaled(*at: float) -> list[float]:
    return [v * _FINE for v in at]


def _text(at: tuple[float, float], text: str, size: float, font: tuple[str, int] = SANS) -> Callable[..., object]:
    face = ImageFont.truetype(str(FONTS / font[0]), round(size * _FINE), index=font[1])
    return lambda d: d.text((at[0] * _FINE, at[1] * _FINE), text, font=face, fill=255, anchor="lm")


def _circle(x: float, y: float, radius: float) -> Callable[..., object]:
    return lambda d: d.ellipse(_scaled(x - radius, y - radius, x + radius, y + radius), fill=255)


def _polygon(points: list[tuple[float, float]]) -> Callable[..., object]:
    return lambda d: d.polygon(_scaled(*(v for p in points for v in p)), fill=255)


def _panel(left: float, top: float, right: float, bottom: float, radius: float = 0) -> Callable[..., object]:
    return lambda d: d.rounded_rectangle(_scaled(left, top, right, bottom), radius * _FINE, fill=255)


def _disc(c: _Canvas) -> None:
    h = c.height
    c.paint((220, 40, 40), _circle(h / 2, h / 2, h / 2 - 3))
    c.paint((255, 255, 255), _polygon([(h * 0.35, h * 0.25), (h * 0.35, h * 0.75), (h * 0.78, h * 0.5)]))
    c.paint((255, 255, 255), _text((h + 2, h / 2), "CTV8", h * 0.6))


def _name(c: _Canvas) -> None:
    h = c.height
    c.paint((245, 245, 245), _text((2, h * 0.42), "news24", h * 0.66))
    c.paint((245, 245, 245), _panel(3, h * 0.84, c.width * 0.8, h * 0.93))


def _star(c: _Canvas) -> None:
    h = c.height
    radii = (h * (0.46, 0.2)[k % 2] for k in range(10))
    points = [
        (h / 2 + r * math.sin(k * math.pi / 5), h / 2 - r * math.cos(k * math.pi / 5)) for k, r in enumerate(radii)
    ]
    c.paint((250, 200, 30), _polygon(points))
    c.paint((20, 60, 150), _panel(h * 1.1, h * 0.2, c.width - 4, h * 0.8))
    c.paint((255, 255, 255), _text((h * 1.2, h / 2), "SPORT", h * 0.4))


def _ring(c: _Canvas) -> None:
    h = c.height
    c.paint((240, 240, 240), _circle(h / 2, h / 2, h * 0.46))
    c.cut(_circle(h / 2, h / 2, h * 0.36))
    c.paint((30, 120, 220), _circle(h / 2, h / 2, h * 0.26))
    c.paint((240, 240, 240), _text((h * 1.08, h / 2), "one", h * 0.62))


def _chinese(c: _Canvas) -> None:
    h = c.height
    c.paint((255, 255, 255), _text((h * 0.1, h * 0.42), "电视台", h * 0.62, CJK))
    c.paint((255, 255, 255), _panel(h * 0.1, h * 0.84, c.width * 0.7, h * 0.95, 2))


def _shield(c: _Canvas) -> None:
    h, right = c.height, c.width * 0.7
    c.paint((0, 0, 0), _panel(2, h * 0.12, right, h * 0.88, 8))
    across = np.linspace(0, 1, c.width, dtype=np.float32)[None, :, None]
    c.colour[:] = np.array((20, 140, 90), np.float32) + across * np.array((200, -60, 120), np.float32)
    c.paint((255, 245, 200), _text((8, h / 2), "Film4", h * 0.46))


DESIGNS: dict[str, Callable[[_Canvas], None]] = {
    "disc": _disc,
    "name": _name,
    "star": _star,
    "ring": _ring,
    "chinese": _chinese,
    "shield": _shield,
}
"""Marks and letters, solid and thin, one colour and several."""


def fonts_missing() -> list[str]:
    """Fonts that a design needs and the machine does not have."""
    return sorted(name for name, _ in (SANS, CJK) if not (FONTS / name).exists())


def _drawn(design: str) -> tuple[NDArray[np.float32], Plane]:
    width, height = (round(part * size) // 2 * 2 for part, size in zip(LOGO, SIZE, strict=True))
    canvas = _Canvas(width, height)
    DESIGNS[design](canvas)
    return canvas.colour, canvas.alpha


def _turned(colour: NDArray[np.float32], alpha: Plane, index: int) -> tuple[NDArray[np.float32], Plane]:
    """The mark, which is as wide as it is high, as it looks while it turns about its upright axis."""
    side = len(alpha)
    width = max(2, round(side * abs(math.cos(index * 2 * math.pi / PERIOD))))
    left = (side - width) // 2
    colour, alpha = colour.copy(), alpha.copy()
    for plane in (colour, alpha):
        mark = cv2.resize(np.ascontiguousarray(plane[:, :side]), (width, side), interpolation=cv2.INTER_AREA)
        plane[:, :side] = 0
        plane[:, left : left + width] = mark
    return colour, alpha


def make_logo(case: LogoCase, media: Path, folder: Path) -> LogoTruth:
    """A clip with its logo; the compressed file (x264, CRF 23) is made unless it lies there already."""
    colour, alpha = _drawn(case.design)
    height, width = alpha.shape
    left = _MARGIN[0] if case.corner[1] == "l" else SIZE[0] - width - _MARGIN[0]
    top = _MARGIN[1] if case.corner[0] == "t" else SIZE[1] - height - _MARGIN[1]
    where = slice(top, top + height), slice(left, left + width)
    period = [_turned(colour, alpha, i) for i in range(PERIOD)] if case.animated else [(colour, alpha)]
    whole = np.zeros(SIZE[::-1], np.float32)
    whole[where] = case.alpha * np.max([a for _, a in period], 0)
    rows, columns = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    path = folder / f"{case.name}.mp4"
    if not path.exists():
        pictures = read_source(case.source, media).copy()
        for index, picture in enumerate(pictures):
            paint, cover = period[index % len(period)]
            cover = case.alpha * cover[..., None]
            mixed = picture[where] * (1 - cover) + paint * cover
            picture[where] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.mp4")
        encode(part, pictures, RATE)
        part.rename(path)
    count = sum(clip.count for clip in SOURCES[case.source][1])
    return LogoTruth(case, path, whole, box, count, media)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="lay logos of known alpha over real clips")
    parser.add_argument("media", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    if missing := fonts_missing():
        parser.error(f"fonts are missing: {', '.join(missing)}")
    for case in (*CASES_TUNING, *CASES_HELD_BACK):
        truth = make_logo(case, args.media, args.folder)
        with VideoReader(truth.path, start=60, stop=61) as reader:
            picture = next(iter(reader)).data[0].permute(1, 2, 0).numpy()
        Image.fromarray(picture).save(args.folder / f"{case.name}.png")
        clean = truth.clean()
        print(case.name, case.kind, case.background, truth.box, f"{len(clean)} pictures")
        if len(clean) != truth.count:
            raise SystemExit(f"{case.name} has {len(clean)} pictures, must have {truth.count}")


if __name__ == "__main__":
    main()
