"""Makes the material on which the network for filling holes is trained: clean patches, the same with an overlay burned in
and compressed, and the overlay's exact mask.

    python -m vidprod.weights.tools.inpaint_pairs MEDIA CACHE

Clean clips are made as for super-resolution (`video_pairs`): real footage shrunk until its own compression is gone, or a
camera gliding over a photograph. Text or shapes are laid over them and they go through a video codec, so that what the
network sees around a hole carries the codec's errors and the overlay's ringing; what it should give is the clean picture.
CACHE receives `train_clean.npy`, `train_seen.npy` (P, 128, 128, 3), `train_mask.npy` (P, 128, 128) bool, `held_*.npy` of the
same form from clips and photographs that are trained on nowhere, and `pairs.json`. About four minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from . import video_pairs
from .overlays import Overlay, random_overlay
from .video_pairs import Encoding, Source, crop_clip, encode_decode, pan_clip, random_encoding, rgb, video_windows

PATCH = 128
SIDE = 384
COVERAGE = (0.03, 0.6)
"""Least and greatest share of a patch that is hidden."""

# Kept for looking at results and for the benchmark of erasing, or drawn and lettered themselves.
NOT_TRAINED_ON = (
    "videos/bottles_640x360_40s.mp4",
    "videos/coffee_pour_720p.mp4",
    "videos/dog_training_720p.mp4",
    "videos/flower_field_540p_17s.mp4",
    "videos/man_and_dog_bed_720p.mp4",
    "videos/phone_roof_pan_360p_17s.mp4",
    "videos/promo_cn_text_600x400_14s.mp4",
    "videos/promo_vertical_12s.mov",
    "videos/promo_vertical_cn_logo_15s.mp4",
    "videos/psd_testvideo_720p_24s.mp4",
)
SOURCES = (
    *(source for source in video_pairs.SOURCES if source.name not in NOT_TRAINED_ON),
    Source("videos/flower_540p.mp4", "CC0-1.0 (mdn/shared-assets)", video_pairs.SD),
    Source("videos/woman_coffee_portrait_720x1364.mp4", "MIT (KwaiVGI/LivePortrait)", video_pairs.SD),
)
HELD = (
    Source("videos/cat_vfr_568x320.mp4", "MIT (gaomingqi/Track-Anything)", (1,)),
    Source("videos/marathon_720x400.mp4", "LGPL-3.0 (OpenShot/libopenshot)", (1,)),
    Source("videos/cockatoo_720p_yuv444.mp4", "public domain (imageio)", (1.5,)),
    Source("videos/seattle_handheld_640x360.avi", "LGPL-3.0 (OpenShot/libopenshot)", (1,)),
    *(Source(f"sr/Kodak24/kodim{i:02}.png", "Kodak test picture", (1,)) for i in (1, 3, 5, 8, 12, 15, 19, 23)),
)
HELD_ENCODING = Encoding("libx264", 23, "medium")


class Pairs:
    """Patches gathered so far."""

    def __init__(self) -> None:
        self.clean: list[NDArray[np.uint8]] = []
        self.seen: list[NDArray[np.uint8]] = []
        self.mask: list[NDArray[np.bool_]] = []
        self.kinds: list[str] = []

    def add(self, clip: list[av.VideoFrame], how: Encoding, frames: int, each: int, rng: np.random.Generator) -> None:
        """Burns one overlay into the clip, compresses it, takes `each` patches out of `frames` of its frames."""
        clean = [rgb(frame) for frame in clip]
        overlay = random_overlay(rng, clean[0].shape[1], clean[0].shape[0])
        exact = bool(rng.random() < 0.5)
        seen = burned(clean, overlay, how, exact=exact)
        mask = overlay.mask
        for i in sorted(rng.choice(len(clip), min(frames, len(clip)), replace=False)):
            for y, x in self._spots(mask, clean[i], each, rng):
                area = (slice(y, y + PATCH), slice(x, x + PATCH))
                self.clean.append(clean[i][area].copy())
                self.seen.append(seen[i][area].copy())
                self.mask.append(mask[area].copy())
                self.kinds.append(how.codec)

    @staticmethod
    def _spots(
        mask: NDArray[np.bool_], picture: NDArray[np.uint8], count: int, rng: np.random.Generator
    ) -> Iterator[tuple[int, int]]:
        """Corners of patches that are hidden by a fair share; of two, the more textured one."""
        found = []
        for _ in range(12 * count):
            y, x = (int(rng.integers(n - PATCH + 1)) for n in mask.shape)
            if COVERAGE[0] < mask[y : y + PATCH, x : x + PATCH].mean() < COVERAGE[1]:
                found.append((y, x))
        for first, second in zip(found[0 : 2 * count : 2], found[1 : 2 * count : 2], strict=False):
            yield max(first, second, key=lambda at: float(picture[at[0] :, at[1] :][:PATCH, :PATCH].std()))

    def save(self, stem: Path) -> None:
        """Writes `stem`_clean.npy, `stem`_seen.npy and `stem`_mask.npy."""
        for name, rows in (("clean", self.clean), ("seen", self.seen), ("mask", self.mask)):
            np.save(f"{stem}_{name}.npy", np.stack(rows))


def burned(clean: list[NDArray[np.uint8]], overlay: Overlay, how: Encoding, *, exact: bool) -> list[NDArray[np.uint8]]:
    """The frames with the overlay, after compression."""
    frames = [av.VideoFrame.from_ndarray(overlay.over(picture), "rgb24") for picture in clean]
    small = [frame.reformat(format="yuv420p", interpolation=video_pairs.EXACT) for frame in frames]
    decoded = encode_decode(small, how)
    if len(decoded) != len(clean):
        raise ValueError(f"{how}: {len(clean)} frames in, {len(decoded)} out")
    return [rgb(frame, exact=exact) for frame in decoded]


def clips(source: Source, path: Path, count: int, rng: np.random.Generator) -> Iterator[list[av.VideoFrame]]:
    """About `count` clean clips of 6 to 12 frames, spread over the source."""
    if path.suffix in video_pairs.SUFFIXES:
        photo = video_pairs.load_photo(path)
        for _ in range(count):
            yield pan_clip(photo, float(rng.choice(source.shrink)), rng, int(rng.integers(3, 9)), SIDE)
        return
    with av.open(str(path)) as container:
        total = sum(1 for _ in container.demux(video=0)) - 1
    windows = max(1, total // 9)
    variants, keep = -(-count // windows), min(1.0, count / windows)
    for window in video_windows(path, lambda: int(rng.integers(8, 11))):
        if rng.random() < keep:
            for _ in range(variants):
                yield crop_clip(window, float(rng.choice(source.shrink)), rng, SIDE)


def make_training(media: Path, cache: Path, clips_each: int, seed: int) -> Pairs:
    """Patches of about `clips_each` clips from every video and photograph."""
    pairs = Pairs()
    for number, source in enumerate(SOURCES):
        rng = np.random.default_rng([seed, number])
        path = video_pairs.locate(source.name, media, cache)
        for clip in clips(source, path, clips_each, rng):
            pairs.add(clip, random_encoding(rng), 3, 5, rng)
        print(f"{source.name}: {len(pairs.clean)} patches so far", flush=True)
    return pairs


def make_held(media: Path, cache: Path, seed: int) -> Pairs:
    """From every held-back source the same number of patches: first those of videos, then those of photographs."""
    pairs = Pairs()
    for number, source in enumerate(HELD):
        rng = np.random.default_rng([seed, 1000 + number])
        path = video_pairs.locate(source.name, media, cache)
        photo = path.suffix in video_pairs.SUFFIXES
        want = len(pairs.clean) + (8 if photo else 16)
        while len(pairs.clean) < want:
            for clip in clips(source, path, 4, rng):
                pairs.add(clip, HELD_ENCODING, 1, 4, rng)
                if len(pairs.clean) >= want:
                    break
        for rows in (pairs.clean, pairs.seen, pairs.mask, pairs.kinds):
            del rows[want:]
    return pairs


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="make training material for the network that fills holes")
    parser.add_argument("media", type=Path, help="folder with videos/ and photos/")
    parser.add_argument("cache", type=Path, help="folder for the patches")
    parser.add_argument("--clips", type=int, default=18, help="clips per video and photograph")
    parser.add_argument("--seed", type=int, default=20261122)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    args.cache.mkdir(parents=True, exist_ok=True)
    make_held(args.media, args.cache, args.seed).save(args.cache / "held")
    train = make_training(args.media, args.cache, args.clips, args.seed)
    train.save(args.cache / "train")
    summary = {"seed": args.seed, "clips": args.clips, "patches": len(train.clean), "codecs": Counter(train.kinds)}
    (args.cache / "pairs.json").write_text(json.dumps(summary, indent=1))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
