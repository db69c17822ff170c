"""Real clips with rendered subtitles, compressed, of which everything is known: alpha, frames, and the picture beneath.

    python -m benchmarks.erase_truth MEDIA FOLDER   # writes every clip of CLIPS in its styles, and a picture of each

Fonts are Debian's fonts-noto-cjk, fonts-wqy-microhei, fonts-liberation and fonts-dejavu.
"""

from __future__ import annotations

import argparse
import functools
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vidprod.media.reader import VideoReader

Pictures = NDArray[np.uint8]  # (N, H, W, 3) RGB
Plane = NDArray[np.float32]  # (H, W)
Colour = tuple[int, int, int]

FONTS = Path("/usr/share/fonts")
SANS, SANS_BOLD, SERIF = (
    ("opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("opentype/noto/NotoSansCJK-Bold.ttc", 2),
    ("opentype/noto/NotoSerifCJK-Bold.ttc", 2),
)
MICROHEI = ("truetype/wqy/wqy-microhei.ttc", 0)
LIBERATION, LIBERATION_BOLD = (
    ("truetype/liberation/LiberationSans-Regular.ttf", 0),
    ("truetype/liberation/LiberationSans-Bold.ttf", 0),
)
DEJAVU = ("truetype/dejavu/DejaVuSans.ttf", 0)
Font = tuple[str, int]

WHITE, BLACK, YELLOW, CYAN = (255, 255, 255), (0, 0, 0), (255, 225, 0), (90, 220, 255)

CHINESE = (
    "我们明天早上八点在车站见面",
    "你到底想说什么？",
    "这件事情没有你想得那么简单",
    "快走，他们马上就要到了！",
    "谢谢你一直陪在我身边",
    "如果时间可以重来该多好",
    "那时候我还不知道真相",
    "请把窗户关上，外面很冷",
    "大家好，欢迎收看今天的节目",
    "他已经离开这座城市很久了",
    "别担心，一切都会好起来的",
    "你看见我的钥匙了吗",
)
ENGLISH = (
    "We'll meet at the station tomorrow",
    "What are you trying to say?",
    "It's not as simple as you think",
    "Hurry, they'll be here any minute!",
    "Thank you for staying with me",
    "If only we could go back in time",
    "I didn't know the truth back then",
    "Close the window, it's freezing outside",
    "Hello and welcome to the show",
    "He left this city a long time ago",
    "Don't worry, it'll be all right",
    "Have you seen my keys?",
)


@dataclass(frozen=True)
class Style:
    """How subtitles look.

    Attributes:
        lines: language and font of each line: "zh" or "en"; a second line in the same language goes on with the next sentence.
        fill, outline_colour: of the signs.
        size: height of the first line's font, as a part of the picture's; a second language is set smaller.
        outline: pixels around the signs, at 360 lines of picture.
        shadow: offset of a soft shadow, in the same pixels.
        box: colour and alpha of a rectangle behind each line.
        fade: pictures that fading in and out take.
        karaoke: colour that runs through the line while it stands.
        position: distance of the last line from the bottom, as a part of the height.
    """

    lines: tuple[tuple[str, Font], ...]
    fill: Colour = WHITE
    size: float = 0.062
    outline: int = 0
    outline_colour: Colour = BLACK
    shadow: int = 0
    box: tuple[Colour, float] | None = None
    fade: int = 0
    karaoke: Colour | None = None
    position: float = 0.045


STYLES = {
    "outline": Style((("zh", SANS_BOLD),), outline=2),
    "shadow": Style((("zh", SANS_BOLD),), shadow=2),
    "thin": Style((("zh", MICROHEI),), outline=1, shadow=1),
    "plain": Style((("en", LIBERATION_BOLD),)),
    "yellow": Style((("en", LIBERATION_BOLD),), fill=YELLOW, outline=2),
    "cyan": Style((("zh", SERIF),), fill=CYAN, outline=1, outline_colour=(0, 20, 90)),
    "bilingual": Style((("zh", SANS_BOLD), ("en", LIBERATION)), outline=2),
    "two-lines": Style((("en", DEJAVU), ("en", DEJAVU)), outline=1, size=0.052),
    "box": Style((("zh", SANS),), box=(BLACK, 0.6)),
    "label": Style((("en", LIBERATION_BOLD),), fill=BLACK, box=(WHITE, 1.0), size=0.055),
    "fade": Style((("zh", SANS_BOLD),), outline=2, fade=8),
    "fade-box": Style((("en", LIBERATION),), box=(BLACK, 0.5), fade=5),
    "karaoke": Style((("zh", SANS_BOLD),), outline=2, karaoke=(60, 120, 255)),
}


@dataclass(frozen=True)
class Clip:
    """A run of a real clip: `count` pictures from `start` on, at most 640 wide."""

    file: str
    start: int
    count: int

    @property
    def name(self) -> str:
        """Short name for tables."""
        return Path(self.file).stem.split("_")[0]


TUNING = (
    Clip("videos/bikes_640x272_10s.mp4", 0, 240),
    Clip("videos/bottles_640x360_40s.mp4", 300, 200),
    Clip("videos/cockatoo_720p_yuv444.mp4", 0, 200),
    Clip("videos/flower_field_540p_17s.mp4", 40, 200),
    Clip("videos/seattle_handheld_640x360.avi", 100, 200),
)
HELD_BACK = (
    Clip("videos/sintel_trailer_848x480_26s.mp4", 150, 240),
    Clip("videos/kohlipe_drone_hevc_37s.mp4", 100, 240),
    Clip("videos/phone_roof_pan_360p_17s.mp4", 60, 240),
    Clip("videos/coffee_pour_720p.mp4", 0, 240),
    Clip("videos/basketball_426x240.mp4", 0, 240),
    Clip("videos/friday_bw_film_480p.mp4", 0, 180),
    Clip("videos/dog_training_720p.mp4", 0, 240),
    Clip("videos/lofoten_drone_1024x750.mp4", 0, 100),
    Clip("videos/man_and_dog_bed_720p.mp4", 0, 145),
    Clip("videos/marathon_720x400.mp4", 0, 145),
)


@dataclass(frozen=True)
class TrueEvent:
    """One subtitle: on pictures `first` to `stop` (half open), where `alpha` (H, W) is not zero, at its fullest."""

    first: int
    stop: int
    alpha: Plane


@dataclass(frozen=True)
class Truth:
    """A burned and compressed clip, and what is beneath."""

    path: Path
    clean: Pictures
    events: tuple[TrueEvent, ...]


@dataclass(frozen=True)
class _Overlay:
    """`colour` (H, W, 3) times alpha already, and `alpha` (H, W)."""

    colour: NDArray[np.float32]
    alpha: Plane


def fonts_missing() -> list[str]:
    """Fonts that a style needs and the machine does not have."""
    needed = {font[0] for style in STYLES.values() for _, font in style.lines}
    return sorted(name for name in needed if not (FONTS / name).exists())


@functools.cache
def _font(font: Font, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / font[0]), size, index=font[1])


def _signs(text: str, font: ImageFont.FreeTypeFont, at: tuple[int, int], size: tuple[int, int], stroke: int) -> Plane:
    layer = Image.new("L", size, 0)
    ImageDraw.Draw(layer).text(at, text, font=font, fill=255, stroke_width=stroke)
    return np.asarray(layer, np.float32) / np.float32(255)


def draw(style: Style, texts: Sequence[str], width: int, height: int, *, fill: Colour | None = None) -> _Overlay:
    """The subtitle on an empty picture, centred at the bottom."""
    colour, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    unit = height / 360
    outline, shadow = (round(v * unit) if v else 0 for v in (style.outline, style.shadow))
    outline, shadow = max(outline, style.outline > 0), max(shadow, style.shadow > 0)

    def over(paint: Colour, cover: Plane) -> None:
        colour[:] = colour * (1 - cover[..., None]) + np.array(paint, np.float32) * cover[..., None]
        alpha[:] = alpha * (1 - cover) + cover

    languages = [language for language, _ in style.lines]
    sizes = [max(10, round(height * style.size * (0.62 if language != languages[0] else 1))) for language in languages]
    top = height - round(height * style.position) - sum(round(1.3 * s) for s in sizes)
    for text, (_, face), size in zip(texts, style.lines, sizes, strict=True):
        font = _font(face, size)
        left, up, right, down = font.getbbox(text, stroke_width=outline)
        x = round((width - (right - left)) / 2 - left)
        y = round(top + (1.3 * size - (down - up)) / 2 - up)
        if style.box is not None:
            pad_x, pad_y = round(8 * unit), round(4 * unit)
            cover = np.zeros((height, width), np.float32)
            cover[
                max(round(y + up - pad_y), 0) : round(y + down + pad_y),
                round(x + left - pad_x) : round(x + right + pad_x),
            ] = 1
            over(style.box[0], cover * style.box[1])
        if shadow:
            cast = _signs(text, font, (x + shadow, y + shadow), (width, height), outline)
            over(BLACK, cv2.GaussianBlur(cast, (0, 0), 0.6 + 0.4 * shadow) * np.float32(0.6))
        if outline:
            over(style.outline_colour, _signs(text, font, (x, y), (width, height), outline))
        over(fill or style.fill, _signs(text, font, (x, y), (width, height), 0))
        top += round(1.3 * size)
    return _Overlay(colour, alpha)


def read_clip(clip: Clip, media: Path, width: int = 640) -> tuple[Pictures, Fraction]:
    """Pictures of a clip with even sides, and its rate."""
    with VideoReader(media / clip.file, start=clip.start, stop=clip.start + clip.count, bits=8) as reader:
        found = [p for frames in reader for p in frames.data.permute(0, 2, 3, 1).numpy()]
        rate = reader.info.frame_rate
    h, w = found[0].shape[:2]
    size = (min(w, width) // 2 * 2, round(h * min(w, width) / w) // 2 * 2)
    small = [
        np.ascontiguousarray(p) if size == (w, h) else cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in found
    ]
    return np.stack(small), Fraction(rate or 25).limit_denominator(1001)


def schedule(count: int, rate: float, rng: random.Random) -> list[tuple[int, int]]:
    """First and stop of subtitles of 0.6 to 3 s; a quarter of them follow without a gap."""
    found: list[tuple[int, int]] = []
    at = rng.uniform(0.2, 0.5)
    while True:
        last = at + rng.choice((rng.uniform(0.6, 1.2), rng.uniform(1.2, 3.0), rng.uniform(1.2, 3.0)))
        first, stop = round(at * rate), round(last * rate)
        if stop > count - 4:
            return found or [(first, count - 4)]
        found.append((first, stop))
        at = last if rng.random() < 0.25 else last + rng.uniform(0.3, 0.8)


def script(count: int, rate: float, style: Style, seed: int) -> list[tuple[int, int, list[str]]]:
    """First, stop and lines of every subtitle."""
    rng = random.Random(seed)
    number = rng.randrange(12)
    found = []
    for first, stop in schedule(count, rate, rng):
        number += rng.randrange(3, 9)  # never the same sentence twice running: nobody could tell the events apart
        languages = [language for language, _ in style.lines]
        texts = [
            (CHINESE if language == "zh" else ENGLISH)[(number + languages[:i].count(language)) % 12]
            for i, language in enumerate(languages)
        ]
        found.append((first, stop, texts))
    return found


def burn(clean: Pictures, rate: float, style: Style, seed: int) -> tuple[Pictures, tuple[TrueEvent, ...]]:
    """Pictures with subtitles on them, and what was done."""
    burned, events = clean.copy(), []
    height, width = clean.shape[1:3]
    for first, stop, texts in script(len(clean), rate, style, seed):
        overlay = draw(style, texts, width, height)
        sung = draw(style, texts, width, height, fill=style.karaoke) if style.karaoke else overlay
        columns = np.flatnonzero(overlay.alpha.any(0))
        for t in range(first, stop):
            opacity = min(1.0, (t - first + 1) / (style.fade + 1), (stop - t) / (style.fade + 1))
            colour = overlay.colour
            if style.karaoke:
                reached = round(columns[0] + (t - first) / max(stop - first - 1, 1) * (columns[-1] + 1 - columns[0]))
                colour = np.concatenate([sung.colour[:, :reached], overlay.colour[:, reached:]], 1)
            mixed = burned[t] * (1 - opacity * overlay.alpha[..., None]) + opacity * colour
            burned[t] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
        events.append(TrueEvent(first, stop, overlay.alpha))
    return burned, tuple(events)


def encode(path: Path, pictures: Pictures, rate: Fraction, *, crf: int = 23) -> None:
    """x264 at preset medium, 4:2:0."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "medium"})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def path_of(clip: Clip, style: str, folder: Path) -> Path:
    """Where a clip burned in one style lies."""
    return folder / f"{clip.name}-{style}.mp4"


def make(clip: Clip, style: str, media: Path, folder: Path) -> Truth:
    """A clip burned in one style; the compressed file is made unless it lies there already."""
    clean, rate = read_clip(clip, media)
    burned, events = burn(clean, float(rate), STYLES[style], _seed(clip, style))
    path = path_of(clip, style, folder)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.mp4")
        encode(part, burned, rate)
        part.rename(path)
    return Truth(path, clean, events)


def _seed(clip: Clip, style: str) -> int:
    return zlib.crc32(f"{clip.name} {style}".encode())


def events_of(clip: Clip, style: str, size: tuple[int, int], count: int, rate: Fraction) -> tuple[TrueEvent, ...]:
    """The events of a clip that was made before, without making it again: of `count` pictures of `size` (width, height)."""
    lines = script(count, float(rate), STYLES[style], _seed(clip, style))
    return tuple(TrueEvent(first, stop, draw(STYLES[style], texts, *size).alpha) for first, stop, texts in lines)


def true_mask(events: Sequence[TrueEvent], index: int, *, least: float = 0.02) -> NDArray[np.bool_] | None:
    """(H, W): where a picture is covered by more than `least` at the fullest of its subtitles; None where there is none."""
    on = [event.alpha > least for event in events if event.first <= index < event.stop]
    return np.any(on, axis=0) if on else None


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="burn subtitles of known alpha into real clips")
    parser.add_argument("media", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    if missing := fonts_missing():
        parser.error(f"fonts are missing: {', '.join(missing)}")
    for number, style in enumerate(STYLES):
        clip = (*TUNING, *HELD_BACK)[number]
        truth = make(clip, style, args.media, args.folder)
        middle = (truth.events[0].first + truth.events[0].stop) // 2
        with VideoReader(truth.path, start=middle, stop=middle + 1) as reader:
            picture = next(iter(reader)).data[0].permute(1, 2, 0).numpy()
        Image.fromarray(picture).save(args.folder / f"{clip.name}-{style}.png")
        print(truth.path.name, len(truth.clean), [(e.first, e.stop) for e in truth.events])


if __name__ == "__main__":
    main()
