"""Small things that several tests need."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from vidprod.media.frames import Frames


def noise(count: int, height: int = 24, width: int = 32, *, seed: int = 0) -> Tensor:
    """(count, 3, height, width) uint8, every picture different."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator)


def stream(data: Tensor, batches: Sequence[int], *, first: int = 0) -> Iterator[Frames]:
    """Cuts pictures into batches of the given lengths, the last one repeated as often as it takes."""
    at = 0
    lengths = iter(batches)
    length = batches[-1]
    while at < len(data):
        length = next(lengths, length)
        part = data[at : at + length]
        pts = tuple(range(first + at, first + at + len(part)))
        yield Frames(part, pts, Fraction(1, 25), first + at)
        at += len(part)


def psnr(a: Tensor | np.ndarray, b: Tensor | np.ndarray, peak: float = 255.0) -> float:
    """In dB, infinite for equal pictures."""
    left, right = (np.asarray(x, dtype=np.float64) for x in (a, b))
    error = float(((left - right) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def assert_same_picture(a: Tensor, b: Tensor, *, levels: int = 1) -> None:
    """Equal up to `levels`; a failure prints how many samples differ by how much."""
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    difference = (a.to(torch.int32) - b.to(torch.int32)).abs()
    if int(difference.max()) > levels:
        values, counts = difference.unique(return_counts=True)
        histogram = {int(v): int(c) for v, c in zip(values, counts, strict=True)}
        raise AssertionError(f"pictures differ by more than {levels}: {{levels: samples}} = {histogram}")


def decode(path: Path, count: int | None = None) -> list[np.ndarray]:
    """Pictures of a file as (H, W, 3) uint8, straight from PyAV."""
    found: list[np.ndarray] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if count is not None and len(found) == count:
                break
            found.append(frame.to_ndarray(format="rgb24"))
    return found


def write_clip(
    path: Path, pictures: Sequence[np.ndarray], *, rate: int = 25, sar: Fraction = Fraction(1), **options: str
) -> Path:
    """A small H.264 file of (H, W, 3) uint8 pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "12", **options})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = sar
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")))
        container.mux(stream.encode(None))
    return path


def vidprod(*arguments: str | Path, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line as a user runs it, in a process of its own."""
    import os

    return subprocess.run(
        [sys.executable, "-m", "vidprod", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "COLUMNS": "120", **environment},
        check=False,
    )


def png(picture: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    return buffer.getvalue()
