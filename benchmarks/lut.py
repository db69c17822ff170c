"""Look-up tables: how fast they are applied, and how close to exact maths, against FFmpeg's lut3d and OpenColorIO.

Everything in one run, on one thread, on the same picture, alternating; the figure is the least CPU time of the repeats. FFmpeg and
OpenColorIO get memory as they like it best and are not charged for conversions to it; ours takes the tensors that `VideoReader`
gives and returns such. Ours dithers what has 8 bits, the others round.
"""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from av.filter import Graph
from torch import Tensor

from benchmarks.color_truth import delta_e
from benchmarks.machine import version
from benchmarks.peers import ensure, package_clip
from benchmarks.tables import table as markdown
from vidprod.media.reader import VideoReader
from vidprod.ops.cube import write_cube
from vidprod.ops.log_curves import LOG_CURVES
from vidprod.ops.log_look import log_lut, log_to_rec709
from vidprod.ops.lut import Lut3D, LutChain
from vidprod.ops.lut_apply import LutFilter

SIZES = (33, 65)
PICTURE = 60  # of the clip
COLORS = 60_000

FORMATS = {
    "8 bits": (torch.uint8, "rgb24"),
    "16 bits": (torch.uint16, "rgb48le"),
    "float": (torch.float32, "gbrpf32le"),
}
PEAKS = {torch.uint8: 255.0, torch.uint16: 65535.0, torch.float32: 1.0}


def run(media: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Measures; see the module."""
    ensure(PyOpenColorIO="opencolorio==2.6.0")
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        picture = _picture()
        with tempfile.TemporaryDirectory() as name:
            speed = [row for size in SIZES for row in _speed(size, picture, Path(name), 3 if quick else 25)]
            accuracy = _accuracy(Path(name), COLORS // 10 if quick else COLORS)
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    peers = {"opencolorio": version("opencolorio"), "ffmpeg": ".".join(map(str, av.library_versions["libavfilter"]))}
    return {"picture": list(picture.shape), "speed": speed, "accuracy": accuracy, "peers": peers}


def _picture() -> Tensor:
    """(3, H, W) float64 LogC3 signal of a real picture."""
    with VideoReader(package_clip("bigbuckbunny.mp4"), start=PICTURE, stop=PICTURE + 1, bits=16) as reader:
        return next(iter(reader)).data[0].to(torch.int32).double() / 65535 * 0.6 + 0.1


def _speed(size: int, picture: Tensor, folder: Path, repeats: int) -> list[dict[str, Any]]:
    lut = Lut3D.of(lambda signal: log_to_rec709(signal, LOG_CURVES["logc3"]), size)
    path = folder / f"{size}.cube"
    write_cube(path, lut)
    filter = LutFilter(lut)
    rows = []
    for name, (dtype, format) in FORMATS.items():
        codes = picture * PEAKS[dtype]
        planar = codes.float() if dtype == torch.float32 else codes.round().to(torch.int32).to(dtype)
        packed = planar.movedim(0, -1).contiguous()
        # uint8 and uint16 as VideoReader gives them; floats as networks do
        data = planar[None].contiguous() if dtype == torch.float32 else packed.movedim(-1, 0)[None]
        contestants: dict[str, Callable[[], Any]] = {
            "ours": partial(filter, data),
            "ffmpeg": _ffmpeg(path, packed.numpy(), format),
            "ocio": _ocio(path, packed.numpy()),
        }
        best = dict.fromkeys(contestants, float("inf"))
        for turn in range(repeats + 1):  # the first one only warms up
            for contestant, work in contestants.items():
                begun = time.process_time()
                work()
                if turn:
                    best[contestant] = min(best[contestant], time.process_time() - begun)
        row: dict[str, Any] = {"size": size, "depth": name, **{k: 1000 * v for k, v in best.items()}}
        rows.append(row | {f"times_{peer}": best[peer] / best["ours"] for peer in ("ffmpeg", "ocio")})
    return rows


def _ffmpeg(
    path: Path, packed: np.ndarray, format: str, interpolation: str = "tetrahedral"
) -> Callable[[], av.VideoFrame]:
    height, width = packed.shape[:2]
    graph = Graph()
    graph.threads = 1
    nodes = [
        graph.add_buffer(width=width, height=height, format=av.VideoFormat(format), time_base=Fraction(1, 25)),
        graph.add("lut3d", file=str(path), interp=interpolation),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes)
    graph.configure()
    if format.startswith("gbrpf32"):
        frame = av.VideoFrame(width, height, format)
        for plane, channel in zip(frame.planes, (1, 2, 0), strict=True):
            rows = np.frombuffer(memoryview(plane), np.float32).reshape(-1, plane.line_size // 4)
            rows[:] = 0  # also right of the picture, where the filter looks too
            rows[:height, :width] = packed[..., channel]
    else:
        frame = av.VideoFrame.from_ndarray(packed, format=format)

    def work() -> av.VideoFrame:
        graph.vpush(frame)
        return graph.vpull()

    return work


def _ocio(path: Path, packed: np.ndarray, interpolation: str = "TETRAHEDRAL") -> Callable[[], np.ndarray]:
    ocio: Any = importlib.import_module("PyOpenColorIO")

    depths = {"uint8": ocio.BIT_DEPTH_UINT8, "uint16": ocio.BIT_DEPTH_UINT16, "float32": ocio.BIT_DEPTH_F32}
    depth = depths[packed.dtype.name]
    transform = ocio.FileTransform(str(path), interpolation=getattr(ocio, f"INTERP_{interpolation}"))
    processor = ocio.Config.CreateRaw().getProcessor(transform)
    cpu = processor.getOptimizedCPUProcessor(depth, depth, ocio.OPTIMIZATION_DEFAULT)
    height, width = packed.shape[:2]
    item = packed.itemsize
    shape = (width, height, 3, depth, item, 3 * item, 3 * item * width)
    source = ocio.PackedImageDesc(packed, *shape)

    def work() -> np.ndarray:
        out = np.empty_like(packed)
        cpu.apply(source, ocio.PackedImageDesc(out, *shape))
        return out

    return work


def _accuracy(folder: Path, count: int) -> list[dict[str, Any]]:
    """CIEDE2000 to exact maths, of LogC3 scene colours: log-normal around a grey card, spread 1.9 stops, moderately coloured."""
    generator = torch.Generator().manual_seed(5)
    light = 0.18 * torch.exp(1.3 * torch.randn(count, 1, dtype=torch.float64, generator=generator))
    colors = light * torch.exp(0.25 * torch.randn(count, 3, dtype=torch.float64, generator=generator))
    curve = LOG_CURVES["logc3"]
    signal = curve.encode(colors).clamp(0, 1)
    exact = log_to_rec709(signal, curve).numpy()
    packed = signal.float().reshape(-1, 80, 3).numpy()  # whole vectors, or FFmpeg would look beyond
    rows = []
    for size in SIZES:
        lut = log_lut(curve, size=size)
        path = folder / f"accuracy-{size}.cube"
        # FFmpeg knows no lower end of a domain, so that its table begins at 0
        plain = Lut3D.of(lambda c: log_to_rec709(c, curve), size)
        write_cube(path, plain)
        results = {
            "ours": _ours(lut, packed),
            "ffmpeg": _planes(_ffmpeg(path, packed, "gbrpf32le")()),
            "ffmpeg trilinear": _planes(_ffmpeg(path, packed, "gbrpf32le", "trilinear")()),
            "OpenColorIO": _ocio(path, packed)(),
            "OpenColorIO linear (its default)": _ocio(path, packed, "LINEAR")(),
        }
        for name, found in results.items():
            error = delta_e(found.reshape(-1, 3).astype(np.float64), exact)
            rows.append(
                {
                    "size": size,
                    "engine": name,
                    "mean": error.mean(),
                    "p99": np.percentile(error, 99),
                    "max": error.max(),
                }
            )
    return rows


def _ours(lut: LutChain, packed: np.ndarray) -> np.ndarray:
    found: np.ndarray = LutFilter(lut)(torch.from_numpy(packed).movedim(-1, 0)[None])[0].movedim(0, -1).numpy()
    return found


def _planes(frame: av.VideoFrame) -> np.ndarray:
    """(H, W, 3) of a float frame."""
    planes = [
        np.frombuffer(memoryview(plane), np.float32).reshape(-1, plane.line_size // 4)[: frame.height, : frame.width]
        for plane in (frame.planes[number] for number in (2, 0, 1))
    ]
    return np.stack(planes, -1)


def table(result: dict[str, Any]) -> str:
    """Two tables as Markdown."""
    speed = markdown(
        [
            "table",
            "picture",
            "ours, ms",
            "ffmpeg lut3d, ms",
            "OpenColorIO, ms",
            "ffmpeg / ours",
            "OpenColorIO / ours",
        ],
        [
            [
                f"{row['size']}³",
                row["depth"],
                *(row[name] for name in ("ours", "ffmpeg", "ocio")),
                *(row[f"times_{peer}"] for peer in ("ffmpeg", "ocio")),
            ]
            for row in result["speed"]
        ],
    )
    accuracy = markdown(
        ["table", "engine", "mean", "p99", "largest"],
        [
            [f"{row['size']}³", row["engine"], *(f"{row[name]:.3f}" for name in ("mean", "p99", "max"))]
            for row in result["accuracy"]
        ],
    )
    _, height, width = result["picture"]
    head = f"CPU time of one picture of {width}x{height}, one thread; FFmpeg and OpenColorIO with tetrahedral interpolation too:"
    return f"{head}\n\n{speed}\n\nColour difference (CIEDE2000) to exact LogC3 maths:\n\n{accuracy}"
