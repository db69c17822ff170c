"""What the erasing actions are compared with, and their own parts, each given the true mask.

ffmpeg's filters are those of the ffmpeg program: of the two, PyAV's wheel has only removelogo. They work on the decoded 4:2:0
pictures, as for their users. Everything else gets RGB.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.erase_scores import Cover, Material, box_of
from benchmarks.erase_truth import Pictures
from benchmarks.inpaint_network import Fill, Mask
from benchmarks.machine import measured
from vidprod.media.color import ToRGB
from vidprod.media.reader import VideoReader
from vidprod.ops.temporal_fill import SpatialFill, TemporalFill
from vidprod.ops.text_boxes import Box


@dataclass(frozen=True, eq=False)
class Done:
    """All pictures, erased where something was, and the seconds of CPU time that took."""

    pictures: Pictures
    seconds: float


Method = Callable[[Material], Done]

MARGIN = 64
"""Pixels around all masks that the networks and the temporal fill are given."""

BATCH = 8


def nothing(material: Material) -> Done:
    """Leaves all as it is."""
    return Done(material.burned, 0.0)


def by_picture(fill: Fill, margin: int = 16) -> Method:
    """A fill that sees one picture at a time."""

    def method(material: Material) -> Done:
        out = material.burned.copy()
        with measured() as cost:
            for cover in material.covers:
                area = box_of(cover.mask).grown(margin, margin, material.whole).slices
                mask = np.ascontiguousarray(cover.mask[area])
                for picture in out[cover.first : cover.stop]:
                    picture[area] = fill(np.ascontiguousarray(picture[area]), mask)
        return Done(out, cost.cpu)

    return method


def in_boxes(material: Material) -> Material:
    """The same with whole boxes for masks: what a user has who marks a rectangle."""
    covers = []
    for cover in material.covers:
        mask = np.zeros_like(cover.mask)
        mask[box_of(cover.mask).slices] = True
        covers.append(Cover(cover.first, cover.stop, mask))
    return replace(material, covers=tuple(covers))


def batched(fill: SpatialFill) -> Method:
    """A fill that takes several pictures at once, but looks at each alone."""

    def method(material: Material) -> Done:
        area = material.area(MARGIN)
        out, masks = material.burned.copy(), material.masks(area)
        with measured() as cost:
            for cover in material.covers:
                for first in range(cover.first, cover.stop, BATCH):
                    part = slice(first, min(first + BATCH, cover.stop))
                    filled = fill(tensor(out[part], area), torch.from_numpy(masks[part])[:, None])
                    out[(part, *area.slices)] = filled.permute(0, 2, 3, 1).numpy()
        return Done(out, cost.cpu)

    return method


def temporal(spatial: SpatialFill, cuts: Callable[[Material], Sequence[int]]) -> Method:
    """The fill from other pictures, with `spatial` where they show nothing."""

    def method(material: Material) -> Done:
        area = material.area(MARGIN)
        masks, known = material.masks(area), cuts(material)
        with measured() as cost:
            out = filled_in_time(material.burned, masks, area, spatial, known)
        return Done(out, cost.cpu)

    return method


def filled_in_time(burned: Pictures, masks: Mask, area: Box, spatial: SpatialFill, cuts: Sequence[int]) -> Pictures:
    """All pictures, with the temporal fill in `area` where `masks` (N, h, w) say."""
    out, fill, done = burned.copy(), TemporalFill(spatial, cuts=cuts), []
    for first in range(0, len(out), BATCH):
        part = slice(first, first + BATCH)
        done += fill.push(tensor(burned[part], area), torch.from_numpy(masks[part]))
    for one in (*done, *fill.finish()):
        out[(one.index, *area.slices)] = one.picture.permute(1, 2, 0).numpy()
    return out


class OpenCVFill:
    """One of OpenCV's fills as a `SpatialFill`."""

    def __init__(self, fill: Fill) -> None:
        self._fill = fill

    def __call__(self, pictures: Tensor, masks: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 with holes (N, 1, H, W) bool -> the same, filled."""
        planes = pictures.permute(0, 2, 3, 1).contiguous().numpy()
        holes = masks[:, 0].expand(len(planes), -1, -1).numpy()
        filled = [self._fill(picture, hole) for picture, hole in zip(planes, holes, strict=True)]
        return torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2)


def delogo(material: Material) -> Done:
    """ffmpeg's delogo: each subtitle's box, filled from the pixels of its border."""
    inner = Box(1, 1, material.whole.right - 1, material.whole.bottom - 1)
    chain = []
    for cover in material.covers:
        box = box_of(cover.mask).grown(1, 1, inner)
        place = f"x={box.left}:y={box.top}:w={box.width}:h={box.height}"
        chain.append(f"delogo={place}:enable='between(n,{cover.first},{cover.stop - 1})'")
    return _filtered(material, chain)


def removelogo(material: Material) -> Done:
    """ffmpeg's removelogo: a bitmap of each subtitle, which the filter smears over from around it."""
    with tempfile.TemporaryDirectory() as folder:
        chain = []
        for number, cover in enumerate(material.covers):
            path = Path(folder) / f"{number}.pgm"
            cv2.imwrite(str(path), cover.mask.astype(np.uint8) * 255)
            chain.append(f"removelogo=f='{path}':enable='between(n,{cover.first},{cover.stop - 1})'")
        return _filtered(material, chain)


def _filtered(material: Material, chain: Sequence[str]) -> Done:
    reader = VideoReader(material.path, bits=8)
    planes = [frame.to_ndarray() for frame in reader.native()]
    height, width = material.burned.shape[1:3]
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-filter_threads", "1"]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", "25", "-i", "pipe:"]
    # Said where the chroma lies, swscale makes the same RGB of what is unchanged as it did of the decoded pictures.
    command += ["-vf", ",".join(chain), "-pix_fmt", "yuv420p", "-chroma_sample_location", "left"]
    command += ["-f", "yuv4mpegpipe", "-strict", "-1", "pipe:"]
    data = np.stack(planes).tobytes()
    with measured() as cost:
        data = subprocess.run(command, input=data, capture_output=True, check=True).stdout
    convert = ToRGB(width, height, 8, reader.info.color.resolved(height))
    with av.open(io.BytesIO(data), "r") as container:
        out = np.stack([convert(frame) for frame in container.decode(video=0)])
    if len(out) != len(material.burned):
        raise RuntimeError(f"ffmpeg gave {len(out)} pictures instead of {len(material.burned)}")
    return Done(out, cost.cpu)


def tensor(pictures: Pictures, area: Box) -> Tensor:
    """The part of (N, H, W, 3) pictures that lies in `area`, (N, 3, h, w)."""
    return torch.from_numpy(np.ascontiguousarray(pictures[(slice(None), *area.slices)])).permute(0, 3, 1, 2)
