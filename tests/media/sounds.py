"""Small sound files for tests."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_sound(
    path: Path,
    samples: np.ndarray,
    rate: int = 48000,
    *,
    codec: str = "pcm_f32le",
    layout: str | None = None,
    first: int = 0,
    bit_rate: int = 192_000,
) -> Path:
    """(channels, n) or (n,) float32, -1..1, as the first audio stream of a file whose suffix tells the container.

    Args:
        path: of the file.
        samples: one row a channel.
        rate: samples a second.
        codec: FFmpeg's name of the encoder.
        layout: of the channels; mono or stereo by default.
        first: number of the first sample: the stream begins so much later.
        bit_rate: of codecs with losses.
    """
    samples = np.atleast_2d(samples).astype(np.float32)
    layout = layout or {1: "mono", 2: "stereo"}[len(samples)]
    with av.open(str(path), "w") as container:
        track = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(track, av.AudioStream)
        if not codec.startswith("pcm"):
            track.bit_rate = bit_rate
        for at in range(0, samples.shape[1], rate):
            part = np.ascontiguousarray(samples[:, at : at + rate])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, first + at, Fraction(1, rate)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return path


def tone(hz: float, seconds: float, db: float = -20.0, rate: int = 48000) -> np.ndarray:
    """(n,) float32, a sine whose peaks are `db` below full scale."""
    at = np.arange(round(seconds * rate)) / rate
    return (10 ** (db / 20) * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def level_at(samples: np.ndarray, hz: float, rate: int = 48000) -> float:
    """Decibels of the sine of one frequency in (n,) samples, in which other sounds may be."""
    window = np.hanning(len(samples))
    turned = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate)
    return float(20 * np.log10(2 * abs((samples * window * turned).sum()) / window.sum() + 1e-9))


def open_files(folder: Path) -> list[str]:
    """Those of a folder that this process holds open."""
    held = []
    for number in os.listdir("/proc/self/fd"):
        try:
            held.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # the listing itself
            continue
    return [name for name in held if name.startswith(str(folder))]
