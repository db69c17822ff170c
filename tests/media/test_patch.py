"""Regions of decoded pictures: what is written appears there, and nothing else changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidprod.media.patch import FORMATS, Region, owned, planes_of
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader

TURNS = [(turn, mirrored) for turn in (0, 90, 180, 270) for mirrored in (False, True)]


@pytest.fixture(scope="module")
def info(clip: Path) -> VideoInfo:
    return probe(clip)


def turned(info: VideoInfo, rotation: int, mirrored: bool, **more: Any) -> VideoInfo:
    return dataclasses.replace(info, rotation=rotation, mirrored=mirrored, **more)


@given(st.data())
def test_region_holds_its_box_and_little_more(info: VideoInfo, data: st.DataObject) -> None:
    rotation, mirrored = data.draw(st.sampled_from(TURNS))
    size = st.integers(2, 40)
    source = turned(info, rotation, mirrored, width=data.draw(size), height=data.draw(size))
    left = data.draw(st.integers(0, source.display_width - 1))
    top = data.draw(st.integers(0, source.display_height - 1))
    right = data.draw(st.integers(left + 1, source.display_width))
    bottom = data.draw(st.integers(top + 1, source.display_height))
    region = Region.of(source, (left, top, right, bottom))
    assert all(edge % 2 == 0 for edge in region.coded)
    assert 0 <= region.coded[0] < region.coded[2] <= source.width + source.width % 2
    assert 0 <= region.coded[1] < region.coded[3] <= source.height + source.height % 2
    x0, y0, x1, y1 = region.box
    assert left - 1 <= x0 <= left
    assert right <= x1 <= right + 1
    assert top - 1 <= y0 <= top
    assert bottom <= y1 <= bottom + 1


@pytest.mark.parametrize("box", [(0, 0, 0, 4), (4, 4, 2, 8), (-1, 0, 4, 4), (0, 0, 177, 4), (0, 0, 4, 145)])
def test_box_outside_is_refused(info: VideoInfo, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="does not lie in a picture of 176x144"):
        Region.of(info, box)


@pytest.mark.parametrize(("rotation", "mirrored"), TURNS)
def test_read_agrees_with_the_reader(info: VideoInfo, rotation: int, mirrored: bool) -> None:
    source = turned(info, rotation, mirrored)
    with VideoReader(info.path, info=source, batch=1, stop=1, bits=8) as reader:
        whole = next(iter(reader)).data[0]
        region = Region.of(source, (20, 30, 77, 100))
        picture = next(iter(reader.native()))
        part = region.read(picture, source.color.resolved(source.height))
    x0, y0, x1, y1 = region.box
    expected = whole[:, y0:y1, x0:x1]
    assert part.shape == expected.shape == (3, region.height, region.width)
    inner = (part.int() - expected.int()).abs()[:, 4:-4, 4:-4]
    assert inner.max() <= 3  # swscale rounds otherwise
    assert inner.float().mean() < 0.7


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("rotation", "mirrored"), TURNS)
def test_write_changes_what_is_masked_and_nothing_else(
    info: VideoInfo, rotation: int, mirrored: bool, format: str
) -> None:
    source = turned(info, rotation, mirrored)
    tags = source.color.resolved(source.height)
    with VideoReader(info.path, stop=1) as reader:
        decoded = next(iter(reader.native())).reformat(format=format)
    region = Region.of(source, (20, 30, 77, 100))
    before = [plane.copy() for plane in planes_of(decoded)]
    frame = owned(decoded)
    mask = torch.zeros(region.height, region.width, dtype=torch.bool)
    mask[11:30, 7:36] = True
    red = torch.zeros(3, region.height, region.width, dtype=torch.uint8)
    red[0] = 200
    region.write(frame, red, mask, tags)
    for old, kept in zip(before, planes_of(decoded), strict=True):
        assert np.array_equal(old, kept)  # the decoder's own picture stays
    after = region.read(frame, tags)
    inside = after[:, 14:27, 10:33].float().mean((1, 2))
    assert torch.allclose(inside, torch.tensor([200.0, 0.0, 0.0]), atol=2)
    changed = [a != b for a, b in zip(before, planes_of(frame), strict=True)]
    assert changed[0].sum() <= mask.sum()
    assert changed[1].sum() <= (mask.sum() + 2 * (19 + 29) * 2) / 4 + 1
    empty = owned(decoded)
    region.write(empty, red, torch.zeros_like(mask), tags)
    for old, kept in zip(before, planes_of(empty), strict=True):
        assert np.array_equal(old, kept)


def test_writing_back_what_was_read_keeps_the_picture(info: VideoInfo) -> None:
    tags = info.color.resolved(info.height)
    with VideoReader(info.path, stop=1) as reader:
        decoded = next(iter(reader.native()))
        region = Region.of(info, (0, 0, 176, 144))
        frame = owned(decoded)
        region.write(frame, region.read(frame, tags), torch.ones(144, 176, dtype=torch.bool), tags)
        pairs = list(zip(planes_of(decoded), planes_of(frame), strict=True))
        luma = np.abs(pairs[0][0].astype(int) - pairs[0][1]).mean()
    assert luma < 0.5


def test_copy_keeps_time_and_tags(info: VideoInfo) -> None:
    with VideoReader(info.path, start=3, stop=4) as reader:
        decoded = next(iter(reader.native()))
        copy = owned(decoded)
        assert (copy.pts, copy.time_base, copy.colorspace) == (decoded.pts, decoded.time_base, decoded.colorspace)


def test_other_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="rgb24 cannot be patched; possible: yuv420p, yuv420p10le"):
        owned(av.VideoFrame(16, 16, "rgb24"))
