"""A part of a picture, converted alone, is what it is in the whole one."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import psnr
from vidprod.media.color import FULL, ColorTags, ToRGB
from vidprod.media.part import PartToRGB, aligned
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import upright


@pytest.fixture(scope="module")
def info(bunny: Path) -> VideoInfo:
    return probe(bunny)


@pytest.fixture(scope="module")
def frame(bunny: Path) -> av.VideoFrame:
    with av.open(str(bunny)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == 60:
                return frame
    raise AssertionError


def whole(info: VideoInfo, frame: av.VideoFrame) -> torch.Tensor:
    picture = np.empty((info.display_height, info.display_width, 3), np.uint8)
    convert = ToRGB(info.width, info.height, 8, info.color.resolved(info.height))
    upright(convert(frame), info.rotation, info.mirrored, picture)
    return torch.from_numpy(picture).permute(2, 0, 1)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_parts_of_turned_pictures(info: VideoInfo, frame: av.VideoFrame, rotation: int, mirrored: bool) -> None:
    info = dataclasses.replace(info, rotation=rotation, mirrored=mirrored)
    box = aligned(info, (101, 55, 420, 301))
    left, top, right, bottom = box
    made = PartToRGB(info, box, (bottom - top, right - left))(frame)
    wanted = whole(info, frame)[:, top:bottom, left:right]
    # at the edges chroma is interpolated from what is cut off
    assert (made.int() - wanted.int())[:, 2:-2, 2:-2].abs().max() <= 1
    smaller = PartToRGB(info, box, ((bottom - top) // 2, (right - left) // 2))(frame)
    assert smaller.shape == (3, (bottom - top) // 2, (right - left) // 2)
    halves = torch.nn.functional.avg_pool2d(wanted.float(), 2)
    assert psnr(smaller, halves) > 30


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("range", [1, FULL])
def test_the_colours_of_a_part_mean_the_same(info: VideoInfo, frame: av.VideoFrame, matrix: int, range: int) -> None:
    """As tagged in the picture, which tells more than the file."""
    again = av.VideoFrame.from_ndarray(frame.to_ndarray(), "yuv420p")
    again.colorspace, again.color_range = matrix, range
    info = dataclasses.replace(info, color=ColorTags())
    made = PartToRGB(info, (100, 50, 300, 250), (200, 200))(again)
    wanted = whole(info, again)[:, 50:250, 100:300]
    assert (made.int() - wanted.int())[:, 2:-2, 2:-2].abs().max() <= 1


@given(st.data())
def test_an_aligned_box_holds_the_one_asked_for(data: st.DataObject) -> None:
    size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    rotation = data.draw(st.sampled_from([0, 90, 180, 270]))
    info = dataclasses.replace(
        VideoInfo.of_new(Path("x.mp4"), *size, Fraction(25)), rotation=rotation, mirrored=data.draw(st.booleans())
    )
    width, height = info.display_width, info.display_height
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = left, top, data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    found = aligned(info, box)
    assert 0 <= found[0] <= box[0]
    assert 0 <= found[1] <= box[1]
    assert box[2] <= found[2] <= width
    assert box[3] <= found[3] <= height
