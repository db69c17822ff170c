from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from tests.ops.test_grade import landscape, shot
from vidprod.errors import InvalidParameter
from vidprod.ops.grade import GradedShot, GradePlan
from vidprod.ops.grade_look import describe, look_at, pack, unpack
from vidprod.ops.grade_match import MATCH, after, group, match, scenes, towards


def filmed(seed: int, *, red: float = 1.0, blue: float = 1.0, gain: float = 1.0) -> Tensor:
    """A scene in some light."""
    light = (landscape(seed).float() / 255 * 0.8 + 0.05) ** 2.4 * gain
    light = light * torch.tensor([red, 1.0, blue]).view(3, 1, 1)
    return (light.clamp(0, 1) ** (1 / 2.4) * 255).round().to(torch.uint8)


def looking(pictures: Tensor) -> GradedShot:
    return shot(look=look_at(pictures))


def test_the_descriptor_does_not_see_the_light() -> None:
    plain = describe(filmed(1))
    assert float(plain @ describe(filmed(1, red=1.25, blue=0.8, gain=0.6))) > 0.9
    assert float(plain @ describe(filmed(2))) < 0.6
    assert float(plain.norm()) == pytest.approx(1, abs=1e-5)


def test_scenes_are_told_apart() -> None:
    lights = ({"red": 1.2}, {"gain": 0.6}, {"blue": 1.2})
    looks = [look_at(filmed(seed, **light)) for seed in (1, 2, 3) for light in lights]
    assert scenes([*looks, None]) == ((0, 1, 2), (3, 4, 5), (6, 7, 8))


def test_nothing_to_group() -> None:
    assert scenes([]) == ()
    assert scenes([None, look_at(filmed(1))]) == ()


def test_matching_takes_out_the_measured_share() -> None:
    cold, warm = looking(filmed(1)), looking(filmed(1, red=1.3, blue=0.75, gain=0.7))
    moved = towards(warm, after(warm), after(cold))
    left = [b - a for a, b in zip(after(cold), after(moved), strict=True)]
    whole = [b - a for a, b in zip(after(cold), after(warm), strict=True)]
    assert left[1] == pytest.approx(whole[1] * (1 - MATCH["balance"]), abs=0.01)
    assert left[0] == pytest.approx(whole[0] * (1 - MATCH["light"]), abs=0.05)
    assert moved.white < warm.white  # brighter


def test_the_reference_stays_and_others_come_nearer() -> None:
    shots = tuple(looking(filmed(1, gain=gain)) for gain in (0.4, 0.7, 1.2))
    matched = match(shots)
    assert matched[1] == shots[1]
    before, now = ([after(s)[0] for s in every] for every in (shots, matched))
    assert max(now) - min(now) < 0.6 * (max(before) - min(before))


def test_shots_of_their_own_are_left_alone() -> None:
    shots = tuple(looking(filmed(seed)) for seed in (1, 2, 3))
    assert match(shots) == shots


def test_black_and_white_stays_so() -> None:
    grey = filmed(1).float().mean(1, keepdim=True).expand(-1, 3, -1, -1).to(torch.uint8)
    shots = (looking(filmed(1)), looking(grey), looking(filmed(1, red=1.3)))
    result = match(shots)[1]
    assert (result.temperature, result.tint, result.saturation) == (0, 0, 1)


def test_group_matches_across_videos_and_keeps_their_shots() -> None:
    second = dataclasses.replace(looking(filmed(2)), first=25, stop=50, start=1.0, end=2.0)
    plans = (
        GradePlan((looking(filmed(1)), second)),
        GradePlan((looking(filmed(1, gain=0.5)),)),
        GradePlan(),
    )
    result = group(plans)
    assert [len(plan.shots) for plan in result] == [2, 1, 0]
    assert result[0].shots[1] == second
    assert result != plans
    assert [(s.first, s.stop) for s in result[0].shots] == [(0, 25), (25, 50)]


def test_descriptors_survive_as_text() -> None:
    vector = describe(filmed(1))
    assert float(unpack(pack(vector)) @ vector) > 0.999
    assert len(pack(vector)) < 700


@pytest.mark.parametrize("text", ["", "not base64!", "AAA"])
def test_a_broken_descriptor_is_named(text: str) -> None:
    with pytest.raises(InvalidParameter, match="descriptor"):
        unpack(text)


def test_descriptors_of_different_lengths_are_refused() -> None:
    looks = [look_at(filmed(1)), dataclasses.replace(look_at(filmed(2)), descriptor="AQID")]
    with pytest.raises(InvalidParameter, match="descriptors"):
        scenes(looks)


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (36, 64)])
def test_any_size_can_be_described(size: tuple[int, int]) -> None:
    assert bool(describe(torch.full((2, 3, *size), 90, dtype=torch.uint8)).isfinite().all())


def test_small_differences_are_left() -> None:
    shots = tuple(looking(filmed(1, gain=gain)) for gain in (0.95, 1.0, 1.05))
    assert match(shots) == shots


def test_white_is_not_darkened_far() -> None:
    bright, dark = looking(filmed(1, gain=1.2)), looking(filmed(1, gain=0.2))
    moved = towards(bright, after(bright), after(dark))
    assert moved.exposure < -0.2
    assert 1 < moved.white <= 1.16
