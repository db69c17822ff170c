"""The camera over photographs that are made by hand: a map of saliency, and boxes of what must not be cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.still_framing import COVERED, NEVER, Box, Keep, StillView, framing
from vidprod.ops.still_motion import COARSE, MOST_ZOOM, MOTIONS, PAN, ZOOM, path
from vidprod.ops.timeline import Shot

ASPECTS = (1 / 3, 9 / 16, 3 / 4, 1.0, 16 / 9, 3.0)


def view(
    width: int, height: int, at: tuple[float, float] = (0.5, 0.5), *keep: Keep, spread: float = 0.1, plain: bool = False
) -> StillView:
    """A photograph of which viewers look at one place."""
    rows, columns = ((np.arange(n) + 0.5) / n for n in (28, 48))
    mass = np.exp(-(((columns[None] - at[0]) / spread) ** 2) - ((rows[:, None] - at[1]) / spread) ** 2)
    subject = keep[0].box if keep else None
    return StillView(width, height, mass, keep, subject, plain)


def covered(photo: StillView, point: PathPoint, aspect: float) -> float:
    """The part of the frame beside the bars."""
    shape = photo.aspect * point.w / point.h
    return min(shape / aspect, aspect / shape)


def windows(points: tuple[PathPoint, ...], count: int = 9) -> np.ndarray:
    shot = Shot(0, points[0].t, points[-1].t + 1e-9, 0, 1, path=points)
    return shot.windows(np.linspace(points[0].t, points[-1].t, count))


def holds(window: np.ndarray, box: Box) -> bool:
    x, y, w, h = window
    return bool(x <= box[0] + 1e-4 and y <= box[1] + 1e-4 and x + w >= box[2] - 1e-4 and y + h >= box[3] - 1e-4)


boxes = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.03, 0.6), st.floats(0.03, 0.6)).map(
    lambda b: (b[0], b[1], min(b[0] + b[2], 1.0), min(b[1] + b[3], 1.0))
)
photos = st.builds(
    lambda width, height, x, y, found, weights, plain: view(
        width, height, (x, y), *(Keep(box, w) for box, w in zip(found, weights, strict=False)), plain=plain
    ),
    st.integers(40, 4000),
    st.integers(40, 4000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(boxes, max_size=3),
    st.lists(st.sampled_from([0.3, 0.6, 1.0]), min_size=3, max_size=3),
    st.booleans(),
)


@settings(max_examples=25)
@given(photos, st.floats(0.25, 4), st.floats(0.3, 8), st.integers(-1, 9))
def test_windows_lie_in_the_picture_keep_their_shape_and_are_slow(
    photo: StillView, aspect: float, seconds: float, motion: int
) -> None:
    points = path(photo, 0.0, seconds, aspect, motion=motion)
    assert points[0].t == 0
    assert len(points) == 1 or points[1].t == pytest.approx(seconds, abs=1e-5)
    for point in points:
        assert min(point.x, point.y) >= 0
        assert min(point.w, point.h) > 0
        assert max(point.x + point.w, point.y + point.h) <= 1 + 1e-9
    first, last = points[0], points[-1]
    shape = photo.aspect * first.w / first.h
    assert photo.aspect * last.w / last.h == pytest.approx(shape, rel=2e-3)  # of the rounding of small windows
    assert abs(math.log(first.h / last.h)) <= min(ZOOM * seconds, MOST_ZOOM) + 1e-3
    if first.w == last.w:  # along: by the frame's longer side
        way = math.hypot((last.x - first.x) * photo.aspect, last.y - first.y)
        assert way <= PAN * seconds * max(first.w * photo.aspect, first.h) + 1e-4
    # monotone, and the fastest moment half as fast again as the average
    found = windows(points, 41)
    steps = np.diff(found, axis=0)
    assert (np.abs(steps).sum(0) <= np.abs(found[-1] - found[0]) + 1e-9).all()
    assert (np.abs(steps).max(0) * 40 <= 1.5 * np.abs(found[-1] - found[0]) + 1e-6).all()


@settings(max_examples=25)
@given(photos, st.sampled_from(ASPECTS), st.floats(0.5, 6), st.integers(0, 7))
def test_heads_and_products_are_whole_all_the_time_or_never_were(
    photo: StillView, aspect: float, seconds: float, motion: int
) -> None:
    """What is seen whole at first must not be cut later, nor the other way round."""
    points = path(photo, 0.0, seconds, aspect, motion=motion)
    start, _ = framing(photo, aspect)
    still = np.array([start.x, start.y, start.w, start.h])
    for one in photo.keep:
        if one.weight >= NEVER and min(one.box) > 0.05 and max(one.box) < 0.95 and holds(still, one.box):
            seen = [holds(window, one.box) for window in windows(points)]
            assert len(set(seen)) == 1
            if not seen[0]:  # a closer view of something else does not show any of it
                for x, y, w, h in windows(points):
                    apart = x >= one.box[2] - 1e-3 or x + w <= one.box[0] + 1e-3
                    assert apart or y >= one.box[3] - 1e-3 or y + h <= one.box[1] + 1e-3


@settings(max_examples=20)
@given(photos, st.floats(0.25, 4))
def test_there_is_no_strip_between_bars(photo: StillView, aspect: float) -> None:
    (point,) = path(photo, 0.0, 2.0, aspect, motion=-1)
    assert covered(photo, point, aspect) >= (0.2 if photo.plain else COVERED) - 0.03
    assert max(point.w, point.h) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_a_landscape_fills_any_frame(aspect: float) -> None:
    photo = view(4000, 3000, spread=2.0)
    for motion in range(-1, MOTIONS):
        assert covered(photo, path(photo, 0.0, 3.0, aspect, motion=motion)[0], aspect) == pytest.approx(1, abs=1e-3)


def test_near_and_far_take_turns_and_a_second_time_is_another_way() -> None:
    photo = view(3000, 2000, (0.4, 0.5), spread=0.05)
    near, far, along, close = (path(photo, 0.0, 3.0, 1.0, motion=motion) for motion in range(MOTIONS))
    assert near[1].w < near[0].w
    assert far[1].w > far[0].w
    assert (near[0].w, near[1].w) == (far[1].w, far[0].w)
    assert along[0].w == along[1].w
    assert along[0].x != along[1].x
    assert close[0].w < 0.7 * near[0].w
    again = path(photo, 0.0, 3.0, 1.0, motion=MOTIONS)
    assert again == far
    assert len({near, far, along, close}) == 4


def test_a_panorama_is_panned_first_and_slowly() -> None:
    photo = view(4000, 1000, (0.5, 0.5), spread=0.5)
    there, back = (path(photo, 0.0, 4.0, 1.0, motion=motion) for motion in (0, 1))
    assert there[0].h == there[1].h == 1
    assert there[1].x - there[0].x == pytest.approx(
        PAN * 4 / 4, abs=1e-3
    )  # of the frame, which is a quarter of the photograph
    assert (there[0].x, there[1].x) == (back[1].x, back[0].x)


def test_a_standing_person_in_a_wide_frame_is_shown_upwards_with_the_head() -> None:
    head = Keep((0.42, 0.05, 0.58, 0.2), 1.0)
    photo = view(1200, 1600, (0.5, 0.15), head, spread=0.15)
    points = path(photo, 0.0, 3.0, 16 / 9)
    assert points[0].y > points[1].y
    assert all(holds(window, head.box) for window in windows(points))


def test_a_product_that_has_no_room_is_shown_whole_with_bars() -> None:
    product = Keep((0.1, 0.1, 0.9, 0.9), 0.8)
    photo = view(1000, 1000, (0.5, 0.5), product, plain=True)
    for aspect in (9 / 16, 16 / 9):
        (point,) = path(photo, 0.0, 3.0, aspect, motion=-1)
        assert covered(photo, point, aspect) < 0.7
        assert holds(windows((point,))[0], product.box)


def test_narrow_bars_are_not_left_to_spare_the_rim() -> None:
    head = Keep((0.05, 0.1, 0.75, 0.9), 1.0)
    photo = view(1500, 1000, (0.4, 0.5), head)
    (point,) = path(photo, 0.0, 3.0, 1.0, motion=-1)
    assert covered(photo, point, 1.0) == pytest.approx(1, abs=1e-3)


def test_of_two_things_without_room_beside_each_other_one_is_whole() -> None:
    photo = view(1500, 1000, (0.5, 0.5), Keep((0.02, 0.2, 0.4, 0.8), 0.6), Keep((0.5, 0.1, 0.98, 0.9), 0.6))
    (point,) = path(photo, 0.0, 3.0, 1.0, motion=-1)
    assert covered(photo, point, 1.0) == pytest.approx(1, abs=1e-3)
    assert holds(windows((point,))[0], (0.5, 0.1, 0.98, 0.9))


def test_what_cannot_be_whole_is_not_left_out() -> None:
    """A row of products in a narrow strip: some of them, not the wall beside them."""
    photo = view(3500, 1000, (0.5, 0.7), Keep((0.3, 0.5, 0.7, 0.9), 0.8), spread=0.05)
    (point,) = path(photo, 0.0, 2.0, 1 / 3, motion=-1)
    assert 0.3 < point.x + point.w / 2 < 0.7


def test_small_photographs_are_not_looked_at_closely() -> None:
    small, large = (view(side, side * 3 // 4, spread=0.05) for side in (400, 2000))
    sizes = [[path(one, 0.0, 2.0, 1.0, motion=motion)[0] for motion in (0, 3)] for one in (small, large)]
    assert sizes[0][1].h >= COARSE / 300 - 0.01 or sizes[0][1].h == sizes[0][0].h
    assert sizes[1][1].h < 0.7 * sizes[1][0].h


def test_times_are_those_asked_for() -> None:
    points = path(view(1000, 1000), 2.0, 5.0, 1.0)
    assert [point.t for point in points] == [2.0, 5.0]
    assert len(path(view(1000, 1000), 2.0, 5.0, 1.0, motion=-1)) == 1


@pytest.mark.parametrize("seconds", [2.0, 6.0])
def test_a_subject_does_not_end_up_at_the_border(seconds: float) -> None:
    face = Keep((0.36, 0.1, 0.54, 0.35), 1.0)
    photo = view(1000, 1000, (0.45, 0.3), face)
    points = path(photo, 0.0, seconds, 9 / 16, motion=0)
    assert points[0].x != points[1].x
    for point in points:
        assert 0.29 < (0.45 - point.x) / point.w < 0.71
