"""Which pictures are looked at, and what comes back of them."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.ops.text import scenery, subtitle
from vidprod.media.probe import VideoInfo, probe
from vidprod.ops.bitmask import BitMask
from vidprod.ops.erase import Patched
from vidprod.ops.subtitle_erase import Part, SubtitleEraser, affordable_reach, parts
from vidprod.ops.subtitle_plan import Area, Subtitle, SubtitlesPlan
from vidprod.ops.text_boxes import Box

RATE = 25
SIZE = 320, 180


@pytest.fixture(scope="module")
def info(clip: Path) -> VideoInfo:
    found = probe(clip)
    return dataclasses.replace(found, width=SIZE[0], height=SIZE[1], frame_rate=Fraction(RATE))


def event(first: int, stop: int, box: Box, mask: BitMask | None = None) -> Subtitle:
    return Subtitle(first / RATE, stop / RATE, (Area.of(box, *SIZE),), mask)


def plan(*events: Subtitle, cuts: tuple[int, ...] = ()) -> SubtitlesPlan:
    return SubtitlesPlan(*SIZE, Area(0, 0, 1, 1), events, cuts=cuts)


class Telea:
    """Any spatial fill will do here."""

    def __call__(self, pictures: Tensor, masks: Tensor) -> Tensor:
        import cv2

        out = [
            cv2.inpaint(
                np.ascontiguousarray(p.permute(1, 2, 0).numpy()), m[0].numpy().astype(np.uint8), 3, cv2.INPAINT_TELEA
            )
            for p, m in zip(pictures, masks.expand(len(pictures), -1, -1, -1), strict=True)
        ]
        return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2)


def feed(eraser: SubtitleEraser, pictures: np.ndarray) -> tuple[list[Patched], list[int]]:
    """All pictures through an eraser; what came back in the order of numbers, and which pictures were read."""
    done: list[Patched] = []
    read: list[int] = []
    box = eraser.box
    for index, picture in enumerate(pictures):

        def get(index: int = index, picture: np.ndarray = picture) -> Tensor:
            read.append(index)
            return torch.from_numpy(picture).permute(2, 0, 1)[:, box.top : box.bottom, box.left : box.right]

        done += eraser.push(index, Fraction(index, RATE), get)
    done += eraser.finish()
    assert sorted(one.index for one in done) == list(range(len(pictures)))
    return sorted(done, key=lambda one: one.index), read


def burned(count: int, first: int, stop: int, *, speed: float = 1.0) -> tuple[np.ndarray, np.ndarray, Subtitle]:
    clean = scenery(count, speed=speed)
    shown = clean.copy()
    alpha = subtitle(shown[first:stop], "subtitle")
    mask = BitMask.pack(np.asarray(alpha) > 0)
    return clean, shown, event(first, stop, mask.box, mask)


def test_pictures_far_from_a_subtitle_are_not_even_read(info: VideoInfo) -> None:
    clean, shown, text = burned(120, 40, 60)
    video = plan(text)
    (part,) = parts(video, info)
    done, read = feed(SubtitleEraser(part, video, Telea(), rate=info.frame_rate, reach=10), shown)
    assert [one.index for one in done if one.picture is not None] == list(range(40, 60))
    assert read[0] in range(26, 30)
    assert read[-1] in range(70, 74)
    errors = []
    for one in done[40:60]:
        assert one.picture is not None
        assert one.mask is not None
        truth = torch.from_numpy(clean[one.index]).permute(2, 0, 1)[:, *part.box.slices]
        assert torch.equal(
            one.picture[:, ~one.mask],
            torch.from_numpy(shown[one.index]).permute(2, 0, 1)[:, *part.box.slices][:, ~one.mask],
        )
        errors.append(float((one.picture.float() - truth.float())[:, one.mask].square().mean()))
    assert np.mean(errors) < 60  # 30 dB; the text itself makes 15


def test_two_runs_of_subtitles_far_apart(info: VideoInfo) -> None:
    clean = scenery(160, speed=1.0)
    alpha = subtitle(clean[30:40], "one")
    subtitle(clean[110:120], "one")
    mask = BitMask.pack(np.asarray(alpha) > 0)
    video = plan(event(30, 40, mask.box, mask), event(110, 120, mask.box, mask))
    (part,) = parts(video, info)
    done, read = feed(SubtitleEraser(part, video, Telea(), rate=info.frame_rate, reach=8), clean)
    assert [one.index for one in done if one.picture is not None] == [*range(30, 40), *range(110, 120)]
    assert not set(read) & set(range(60, 90))


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_the_batch_size_does_not_show(info: VideoInfo, batch: int) -> None:
    _, shown, text = burned(40, 12, 24)
    video = plan(text)
    (part,) = parts(video, info)
    one, _ = feed(SubtitleEraser(part, video, Telea(), rate=info.frame_rate, reach=8, batch=5), shown)
    other, _ = feed(SubtitleEraser(part, video, Telea(), rate=info.frame_rate, reach=8, batch=batch), shown)
    for a, b in zip(one, other, strict=True):
        assert (a.picture is None) == (b.picture is None)
        if a.picture is not None and b.picture is not None:
            assert (a.picture.int() - b.picture.int()).abs().max() <= 1


def test_a_long_subtitle_gets_the_picture_after_it(info: VideoInfo) -> None:
    """On a camera that stands still the picture after the subtitle shows what is under it; without it there is none."""
    count, first, stop = 60, 0, 50
    clean, shown, text = burned(count, first, stop, speed=0.0)
    video = plan(text)
    (part,) = parts(video, info)
    asked: list[float] = []

    def ahead(box: Box, second: float) -> tuple[int, Tensor] | None:
        asked.append(second)
        number = round(second * RATE)
        return number, torch.from_numpy(clean[number]).permute(2, 0, 1)[:, *box.slices]

    def error(eraser: SubtitleEraser) -> float:
        done, _ = feed(eraser, shown)
        found = done[10]
        assert found.picture is not None
        assert found.mask is not None
        truth = torch.from_numpy(clean[10]).permute(2, 0, 1)[:, *part.box.slices]
        return float((found.picture.float() - truth.float())[:, found.mask].square().mean())

    options = {"rate": info.frame_rate, "reach": 8}
    alone = error(SubtitleEraser(part, video, Telea(), **options))  # type: ignore[arg-type]
    helped = error(SubtitleEraser(part, video, Telea(), ahead=ahead, **options))  # type: ignore[arg-type]
    assert len(asked) == 1
    assert stop / RATE < asked[0] < (stop + 4) / RATE
    assert helped < alone / 4


def test_nothing_is_brought_from_where_another_subtitle_stands(info: VideoInfo) -> None:
    _, shown, text = burned(60, 0, 30)
    video = plan(text, dataclasses.replace(text, start=30 / RATE, end=58 / RATE))
    (part,) = parts(video, info)

    def ahead(box: Box, second: float) -> tuple[int, Tensor] | None:
        assert second > 58 / RATE
        return None

    feed(SubtitleEraser(part, video, Telea(), rate=info.frame_rate, reach=8, ahead=ahead), shown)


def test_events_at_one_place_are_one_part_and_far_ones_several(info: VideoInfo) -> None:
    low, lower, high = Box(60, 150, 200, 164), Box(40, 160, 260, 176), Box(20, 4, 60, 14)
    large = dataclasses.replace(info, width=1920, height=1080)
    scaled = [Box(*(6 * v for v in dataclasses.astuple(box))) for box in (low, lower, high)]
    events = [Subtitle(i, i + 1, (Area.of(box, 1920, 1080),)) for i, box in enumerate(scaled)]
    video = SubtitlesPlan(1920, 1080, Area(0, 0, 1, 1), tuple(events))
    found = sorted(parts(video, large), key=lambda part: part.box.top)
    assert [part.events for part in found] == [(events[2],), (events[0], events[1])]
    for part in found:
        for one in part.events:
            assert video.mask(one).box.covered_by(part.box) == 1


def test_large_pictures_are_held_less_long(info: VideoInfo) -> None:
    part = Part(Box(0, 0, 320, 48), ())
    assert affordable_reach(info, [part]) == 48
    huge = dataclasses.replace(info, width=8192, height=4320)
    assert affordable_reach(huge, [Part(Box(0, 0, 8192, 1080), ())]) == 8
