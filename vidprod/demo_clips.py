"""What the demo puts onto its own clip, so that there is something to erase, and what it makes of a clip for a short."""

from __future__ import annotations

import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter

Alpha = NDArray[np.float32]  # (H, W), 0..1
Layer = tuple[Alpha, Alpha]
"""Light that is added, 0..1, and how much of what is beneath goes."""

SUBTITLE = "Where are we going?"
SUBTITLE_SHOWN = range(12, 100)
"""Pictures that show it."""

_FINER = 4  # letters are drawn so many times larger, for soft edges


def with_subtitle(source: Path, target: Path) -> None:
    """A copy of a video with a subtitle on some of its pictures."""
    _overlaid(source, target, _subtitle, SUBTITLE_SHOWN)


def with_logo(source: Path, target: Path) -> None:
    """A copy of a video with a translucent logo in a corner of all of its pictures."""
    _overlaid(source, target, _logo, range(2**31))


OVERLAYS: Mapping[str, Callable[[Path, Path], None]] = {
    "EraseVideoSubtitles": with_subtitle,
    "EraseVideoLogo": with_logo,
}
"""What an action needs on its input, by the action's name."""

PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "EraseVideoLogo": {"Boxes": [{"X": 0.02, "Y": 0.02, "W": 0.2, "H": 0.25}]}
}
"""What it has to be told of that: over a camera that hardly moves, logos are not looked for."""


STILLS = 3
TEMPO = 120
"""Beats per minute of the demo's music."""


def material(video: Path, folder: Path) -> list[Path]:
    """Photographs, which are pictures of a video, and music: a drum, a bass and hats."""
    files = [folder / f"still-{number}.jpg" for number in range(1, STILLS + 1)]
    for number, file in enumerate(files):
        cv2.imwrite(str(file), picture_at(video, (number + 0.5) / STILLS)[:, :, ::-1])
    music = folder / "music.wav"
    write_music(music)
    return [*files, music]


MATERIAL: Mapping[str, Callable[[Path, Path], list[Path]]] = {"GenerateVideo": material}
"""What an action gets besides the clip."""


def write_music(path: Path, bars: int = 4, rate: int = 44100) -> None:
    """A WAV file, 16 bits, one channel, in four-four time."""
    beat = 60 / TEMPO
    seconds = np.arange(round(bars * 4 * beat * rate)) / rate
    sound = np.zeros_like(seconds)
    generator = np.random.default_rng(0)
    for half in range(bars * 8):
        since = np.clip(seconds - half * beat / 2, 0, None)
        noise = generator.standard_normal(len(seconds))
        if half % 2:  # a hat between the beats
            struck = 0.03 * np.exp(-since * 60) * noise
        elif half % 4:  # a snare
            struck = 0.3 * np.exp(-since * 25) * noise
        else:  # a drum, heaviest at the beginning of a bar
            body = np.exp(-since * 14) * np.sin(2 * np.pi * (50 * since - 4 * np.exp(-since * 30)))
            struck = (0.7 if half % 8 else 1.0) * (body + 0.3 * np.exp(-since * 200) * noise)
        sound += (seconds >= half * beat / 2) * struck
    for bar in range(bars):
        tone = 55.0 if bar % 2 == 0 else 41.2
        since = seconds - bar * 4 * beat
        on = (since >= 0) & (since < 4 * beat)
        sound += on * 0.2 * np.sin(2 * np.pi * tone * 2 * since) * np.exp(-np.clip(since, 0, None))
    samples = (np.clip(sound * 0.6, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def picture_at(video: Path, part: float) -> NDArray[np.uint8]:
    """(H, W, 3) RGB, the picture of a video at a part of its length, 0..1."""
    number = int((probe(video).frame_count or 2) * part)
    with VideoReader(video, start=number, stop=number + 1, batch=1, bits=8) as reader:
        frames = next(iter(reader))
    return np.ascontiguousarray(frames.data[0].permute(1, 2, 0).numpy())


def _subtitle(height: int, width: int) -> Layer:
    """White letters with a black outline."""
    letters = _text(SUBTITLE, height, width, at=0.93, size=0.079)
    return letters, np.asarray(cv2.dilate(letters, np.ones((3, 3), np.uint8)), np.float32)


def _logo(height: int, width: int) -> Layer:
    """A disc with a hole, half of the picture shining through."""
    finer = np.zeros((height * _FINER, width * _FINER), np.uint8)
    side = height * _FINER
    centre = side // 7, side // 7
    cv2.circle(finer, centre, side // 12, 255, side // 30, cv2.LINE_AA)
    cv2.circle(finer, centre, side // 36, 255, -1, cv2.LINE_AA)
    shape = np.asarray(cv2.resize(finer, (width, height), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
    return shape * np.float32(0.5), shape * np.float32(0.5)


def _text(text: str, height: int, width: int, *, at: float, size: float) -> Alpha:
    finer = np.zeros((height * _FINER, width * _FINER), np.uint8)
    face, thick = cv2.FONT_HERSHEY_DUPLEX, 6
    (_, tall), _ = cv2.getTextSize(text, face, 1.0, thick)
    scale = size * height * _FINER / tall
    (wide, _), _ = cv2.getTextSize(text, face, scale, thick)
    place = (finer.shape[1] - wide) // 2, round(at * finer.shape[0])
    cv2.putText(finer, text, place, face, scale, 255, thick, cv2.LINE_AA)
    return np.asarray(cv2.resize(finer, (width, height), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def _overlaid(source: Path, target: Path, layer: Callable[[int, int], Layer], shown: range) -> None:
    with VideoReader(source, bits=8) as reader:
        info = reader.info
        light, cover = (torch.from_numpy(part) for part in layer(info.display_height, info.display_width))
        with VideoWriter(target, like=info, crf=14, audio_from=info) as writer:
            for frames in reader:
                there = torch.tensor([index in shown for index in range(frames.index, frames.index + len(frames))])
                over = frames.data * (1 - cover) + 255 * light
                made = torch.where(there[:, None, None, None], over.round().clamp(0, 255).to(torch.uint8), frames.data)
                writer.write(frames.with_data(made))
