from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.helpers import stream
from vidprod.errors import InvalidParameter
from vidprod.ops.text_boxes import Box, TextDetector
from vidprod.ops.text_events import SubtitleDetection
from vidprod.ops.text_plan import TextPlan, read_plan

from .text import Pictures, Plane, letters, over, scenery, subtitle

REGION = Box(0, 135, 320, 180)


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector()


def detect(
    detector: TextDetector, pictures: Pictures, *, batches: Sequence[int] = (8,), region: Box = REGION, first: int = 0
) -> TextPlan:
    detection = SubtitleDetection(detector, region)
    for batch in stream(torch.from_numpy(pictures).permute(0, 3, 1, 2), batches, first=first):
        detection.update(batch)
    return detection.finish()


def times(plan: TextPlan) -> list[tuple[int, int]]:
    return [(event.first, event.stop) for event in plan.events]


@pytest.fixture(scope="module")
def film() -> tuple[Pictures, list[Plane]]:
    """Three subtitles: one, and two right after each other; 90 pictures."""
    pictures = scenery(90)
    alphas = [
        subtitle(pictures[7:31], "Have you seen my keys?"),
        subtitle(pictures[40:59], "Hurry, they will be here"),
        subtitle(pictures[59:83], "I did not know the truth"),
    ]
    return pictures, alphas


@pytest.fixture(scope="module")
def plan(detector: TextDetector, film: tuple[Pictures, list[Plane]]) -> TextPlan:
    return detect(detector, film[0])


def test_events_are_exact(plan: TextPlan) -> None:
    assert times(plan) == [(7, 31), (40, 59), (59, 83)]
    assert [event.start for event in plan.events] == pytest.approx([7 / 25, 40 / 25, 59 / 25])
    assert [event.end for event in plan.events] == pytest.approx([31 / 25, 59 / 25, 83 / 25])
    assert plan.kept == ()


def test_masks_cover_the_text_and_little_else(plan: TextPlan, film: tuple[Pictures, list[Plane]]) -> None:
    for event, alpha in zip(plan.events, film[1], strict=True):
        mask = np.zeros(alpha.shape, bool)
        event.mask.paint(mask)
        near = cv2.dilate(alpha, np.ones((5, 5), np.uint8)) > 0.02
        assert (mask & (alpha > 0.1)).sum() > 0.995 * (alpha > 0.1).sum()
        assert (mask & ~near).sum() < 0.15 * mask.sum()


def test_boxes_stand_around_the_text(plan: TextPlan, film: tuple[Pictures, list[Plane]]) -> None:
    for event, alpha in zip(plan.events, film[1], strict=True):
        (box,) = event.boxes
        assert alpha[box.slices].sum() > 0.97 * alpha.sum()
        assert box.height < 40


@pytest.mark.parametrize("batches", [(1,), (5, 13, 2), (90,)])
def test_batches_do_not_matter(
    batches: Sequence[int], detector: TextDetector, plan: TextPlan, film: tuple[Pictures, list[Plane]]
) -> None:
    assert detect(detector, film[0], batches=batches) == plan


def test_numbers_count_from_where_the_part_of_the_video_begins(
    detector: TextDetector, plan: TextPlan, film: tuple[Pictures, list[Plane]]
) -> None:
    part = detect(detector, film[0], first=1000)
    assert times(part) == [(first + 1000, stop + 1000) for first, stop in times(plan)]


def test_sixteen_bits_give_the_same(detector: TextDetector, plan: TextPlan, film: tuple[Pictures, list[Plane]]) -> None:
    detection = SubtitleDetection(detector, REGION)
    deep = (torch.from_numpy(film[0]).permute(0, 3, 1, 2).to(torch.int32) * 257).to(torch.uint16)
    for batch in stream(deep, (8,)):
        detection.update(batch)
    assert detection.finish() == plan


@pytest.mark.parametrize("fade", [3, 8])
def test_fades_are_followed_to_their_last_trace(fade: int, detector: TextDetector) -> None:
    pictures = scenery(70)
    for i in range(10, 55):
        opacity = min(1.0, (i - 9) / (fade + 1), (55 - i) / (fade + 1))
        subtitle(pictures[i : i + 1], "Close the window, please", opacity=opacity)
    assert times(detect(detector, pictures)) == [(10, 55)]


def test_two_lines_that_come_together_are_one_event(detector: TextDetector) -> None:
    pictures = scenery(50)
    subtitle(pictures[10:40], "Have you seen my keys?", baseline=150)
    subtitle(pictures[10:40], "Close the window", baseline=174)
    plan = detect(detector, pictures)
    assert times(plan) == [(10, 40)]
    assert len(plan.events[0].boxes) == 2


def test_a_line_that_joins_another_is_an_event_of_its_own(detector: TextDetector) -> None:
    pictures = scenery(60)
    subtitle(pictures[10:50], "Have you seen my keys?", baseline=150)
    subtitle(pictures[25:50], "Close the window", baseline=174)
    assert times(detect(detector, pictures)) == [(10, 50), (25, 50)]


def test_text_whose_colour_changes_while_it_stands_is_one_event(detector: TextDetector) -> None:
    pictures = scenery(60)
    alpha = subtitle(pictures[8:50], "Hurry, they will be here")
    fill = letters("Hurry, they will be here", 180, 320, x=60, baseline=168)
    columns = np.flatnonzero(alpha.any(0))
    for i in range(8, 50):
        sung = fill.copy()
        sung[:, round(columns[0] + (i - 8) / 41 * np.ptp(columns)) :] = 0
        over(pictures[i : i + 1], sung, (60, 120, 255))
    assert times(detect(detector, pictures)) == [(8, 50)]


def test_subtitles_stay_one_event_across_a_cut(detector: TextDetector) -> None:
    pictures = np.concatenate([scenery(30), scenery(40, seed=7)])
    subtitle(pictures[12:55], "Have you seen my keys?")
    assert times(detect(detector, pictures)) == [(12, 55)]


def test_text_from_the_first_picture_to_the_last_is_found(detector: TextDetector) -> None:
    pictures = scenery(40)
    subtitle(pictures, "Close the window", x=85)
    assert times(detect(detector, pictures)) == [(0, 40)]


@pytest.mark.parametrize("speed", [0.7, 3.0])
def test_text_that_moves_with_the_scene_is_none_of_ours(speed: float, detector: TextDetector) -> None:
    pictures = scenery(60, speed=speed)
    for i in range(60):
        subtitle(pictures[i : i + 1], "Bakery", x=int(190 - speed * i))
    assert times(detect(detector, pictures)) == []


def test_a_sign_in_a_still_shot_is_not_taken_for_a_subtitle(detector: TextDetector) -> None:
    """It comes and goes with its shot, and stands elsewhere than this film's subtitles do."""
    still = np.repeat(scenery(1, seed=3), 60, 0)
    over(still, letters("EXIT", 180, 320, x=250, baseline=156, scale=0.6), (200, 30, 30))
    pictures = np.concatenate([scenery(40), still])
    subtitle(pictures[5:30], "Hurry up now")
    subtitle(pictures[55:85], "My keys!")
    plan = detect(detector, pictures)
    assert times(plan) == [(5, 30), (55, 85)]
    assert all(box.right < 240 for event in plan.events for box in event.boxes)


def test_nothing_outside_the_region_is_looked_at(detector: TextDetector) -> None:
    pictures = scenery(40)
    subtitle(pictures[8:32], "Have you seen my keys?", baseline=60)
    assert detect(detector, pictures).events == ()
    assert times(detect(detector, pictures, region=Box(0, 20, 320, 90))) == [(8, 32)]


def test_a_line_that_the_region_cuts_is_taken_as_a_whole_or_not_at_all(detector: TextDetector) -> None:
    pictures = scenery(40)
    alpha = letters("Have you seen my keys?", 180, 320, x=60, baseline=100, scale=0.55)
    over(pictures[8:32], alpha, (255, 255, 255))
    (event,) = detect(detector, pictures, region=Box(0, 92, 320, 180)).events
    mask = np.zeros(alpha.shape, bool)
    event.mask.paint(mask)
    assert (mask & (alpha > 0.1)).sum() > 0.99 * (alpha > 0.1).sum()
    assert detect(detector, pictures, region=Box(0, 98, 320, 180)).events == ()


def test_a_clock_on_a_box_is_one_event(detector: TextDetector) -> None:
    pictures = scenery(60, speed=4.0)
    rectangle = np.zeros((180, 320), np.float32)
    rectangle[146:174, 88:256] = 0.5
    over(pictures[6:54], rectangle, (0, 0, 0))
    for i in range(6, 54):
        over(
            pictures[i : i + 1],
            letters(f"00:00:0{i // 25}.{40 * i % 1000:03}", 180, 320, x=98, baseline=168),
            (255, 255, 255),
        )
    (event,) = detect(detector, pictures).events
    assert (event.first, event.stop) == (6, 54)
    mask = np.zeros((180, 320), bool)
    event.mask.paint(mask)
    assert mask[rectangle > 0].all()
    assert mask.sum() < 1.25 * (rectangle > 0).sum()


def test_text_before_something_of_its_colour_is_one_event(detector: TextDetector) -> None:
    """White letters without an outline, and a white wall that passes behind them."""
    pictures = scenery(80)
    pictures[34:52, 120:] = 250
    over(pictures[8:70], letters("Close the window, please", 180, 320, x=50, baseline=168), (255, 255, 255))
    assert times(detect(detector, pictures)) == [(8, 70)]


def test_a_slow_fade_is_followed(detector: TextDetector) -> None:
    pictures = scenery(90, speed=0.0)
    for i in range(15, 75):
        opacity = min(1.0, (i - 14) / 19, (75 - i) / 19)
        subtitle(pictures[i : i + 1], "Close the window, please", opacity=opacity)
    assert times(detect(detector, pictures)) == [(15, 75)]


def test_a_flash_of_text_is_too_short(detector: TextDetector) -> None:
    pictures = scenery(40)
    subtitle(pictures[15:19], "Have you seen my keys?")
    assert detect(detector, pictures).events == ()


@pytest.mark.parametrize("count", [1, 3])
def test_short_videos(count: int, detector: TextDetector) -> None:
    assert detect(detector, scenery(count)).events == ()


def test_an_empty_video_has_no_events(detector: TextDetector) -> None:
    assert SubtitleDetection(detector, REGION).finish().events == ()


def test_an_empty_region_is_refused(detector: TextDetector) -> None:
    with pytest.raises(ValueError, match="empty"):
        SubtitleDetection(detector, Box(10, 20, 10, 40))


def test_memory_does_not_grow_with_the_length(detector: TextDetector) -> None:
    """A watermark that stands all the time, and text that comes and goes, for 16 s."""
    detection = SubtitleDetection(detector, REGION)
    most = samples = 0
    base = scenery(120, speed=1.0)
    subtitle(base, "Channel 5", x=10, baseline=150)
    subtitle(base[20:80], "Hurry, they will be here", baseline=176)
    looped = np.concatenate([base, base[::-1]] * 2)[:400]
    for batch in stream(torch.from_numpy(looped).permute(0, 3, 1, 2), (8,)):
        detection.update(batch)
        most = max(most, len(detection._pictures))
        samples = max([samples, *(len(track.samples) for track in detection._tracks)])
    assert most <= 25 * 4
    assert samples <= 13
    assert len(detection.finish().events) >= 3


def test_a_plan_survives_json(plan: TextPlan) -> None:
    assert read_plan(json.loads(json.dumps(asdict(plan)))) == plan


def test_a_plan_tells_what_is_on_a_picture(plan: TextPlan) -> None:
    assert plan.at(6) == []
    assert plan.at(7) == [plan.events[0]] == plan.at(30)
    assert plan.at(31) == []
    assert plan.at(5, guarded=True) == plan.at(32, guarded=True) == [plan.events[0]]
    assert plan.at(33, guarded=True) == []
    assert plan.at(59, guarded=True) == list(plan.events[1:])
    assert plan.mask(0, REGION) is None
    mask = plan.mask(10, Box(0, 0, 320, 180))
    assert mask is not None
    assert np.array_equal(mask[plan.events[0].mask.box.slices], plan.events[0].mask.unpack())
    assert mask.sum() == plan.events[0].mask.unpack().sum()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["colour"], 1, "'colour' is not part"),
        (["guard"], -1, "guard is -1"),
        (["guard"], True, "guard is True"),
        (["region"], None, "region is None"),
        (["region", "right"], 0, "region is empty"),
        (["events"], "all", "events is 'all'"),
        (["events", 0], {"first": 1}, r"events\[0\] is"),
        (["events", 1, "stop"], 40, r"events\[1\]: stop must be greater"),
        (["events", 1, "start"], float("nan"), r"events\[1\]: start and end must be seconds"),
        (["events", 0, "boxes", 0, "left"], 0.5, r"events\[0\].boxes\[0\].left is 0.5"),
        (["events", 0, "mask", "data"], 7, r"events\[0\].mask.data is 7"),
        (["events", 0, "mask", "width"], 7, "must be .* bytes long"),
        (["events", 0, "mask", "data"], "****", "cannot be read"),
    ],
)
def test_plans_that_make_no_sense_are_refused(path: list[Any], value: Any, message: str, plan: TextPlan) -> None:
    data: Any = json.loads(json.dumps(asdict(plan)))
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(InvalidParameter, match=message):
        read_plan(data)
