from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers import stream
from vidprod.errors import InvalidParameter
from vidprod.ops.shots import Kind, Shot, ShotDetection, ShotPlan, Transition


def detect(data: Tensor, batches: Sequence[int] = (7,)) -> list[int]:
    detection = ShotDetection()
    for batch in stream(data, batches):
        detection.update(batch)
    shots = detection.finish()
    assert shots[0].first == 0
    assert shots[-1].stop == len(data)
    assert all(a.stop == b.first and a.end == b.start for a, b in itertools.pairwise(shots))
    return [shot.first for shot in shots[1:]]


def scene(seed: int, count: int, *, drift: int = 1) -> Tensor:
    """A smooth random landscape that moves by `drift` pixels a picture."""
    generator = torch.Generator().manual_seed(seed)
    wide = torch.nn.functional.interpolate(
        torch.rand(1, 3, 5, 12, generator=generator) * 255, (36, 64 + drift * count), mode="bilinear"
    )
    return torch.stack([wide[0, :, :, i * drift : i * drift + 64] for i in range(count)]).to(torch.uint8)


def test_hard_cuts_are_found_exactly() -> None:
    data = torch.cat([scene(1, 20), scene(2, 31), scene(3, 12)])
    assert detect(data) == [20, 51]


@pytest.mark.parametrize("batches", [(1,), (5, 3), (64,)])
def test_batches_do_not_matter(batches: Sequence[int]) -> None:
    assert detect(torch.cat([scene(1, 20), scene(2, 20)]), batches) == [20]


def test_fast_pans_do_not_cut() -> None:
    assert detect(scene(4, 40, drift=9)) == []


def test_a_flash_does_not_cut() -> None:
    data = scene(5, 30)
    data[14] = 255
    assert detect(data) == []


def test_one_picture_is_one_shot() -> None:
    assert detect(scene(6, 1)) == []


def test_no_picture_is_no_shot() -> None:
    assert ShotDetection().finish() == ()


def plan(*transitions: Transition, count: int = 100) -> ShotPlan:
    return ShotPlan.joined(transitions, [i / 25 for i in range(count)])


def test_a_boundary_is_in_the_middle_of_its_transition() -> None:
    made = plan(Transition(0, 10, "fade"), Transition(30, 30, "cut"), Transition(50, 61, "dissolve"))
    assert [(s.first, s.stop) for s in made.shots] == [(0, 30), (30, 55), (55, 100)]
    assert made.cuts == (30, 55)
    assert made.shots[1].start == 30 / 25
    assert made.shots[-1].end == pytest.approx(100 / 25)
    assert [made.pure(s) for s in made.shots] == [(10, 30), (30, 50), (61, 100)]


def test_a_shot_that_is_all_transition_has_no_pure_part() -> None:
    made = plan(Transition(0, 60, "fade"), Transition(60, 100, "fade"))
    first, stop = made.pure(made.shots[0])
    assert first == stop


def test_a_fade_at_either_end_makes_no_shot() -> None:
    assert len(plan(Transition(0, 20, "fade"), Transition(90, 100, "fade")).shots) == 1


def test_a_plan_of_nothing() -> None:
    assert plan(count=0) == ShotPlan((), ())
    assert plan(count=1).shots == (Shot(0.0, 0.04, 0, 1),)


@st.composite
def plans(draw: st.DrawFn) -> ShotPlan:
    """Any plan of 300 pictures."""
    edges = sorted(draw(st.lists(st.integers(1, 299), max_size=12, unique=True)))
    found, at = [], 0
    for edge in edges:
        length = draw(st.sampled_from([0, 0, 1, 8, 24]))
        if edge < at or edge + length > 300:
            continue
        kind: Kind = "cut" if length == 0 else draw(st.sampled_from(["dissolve", "fade"]))
        found.append(Transition(edge, edge + length, kind))
        at = edge + max(length, 1)
    return plan(*found, count=300)


@given(plans())
def test_shots_tile_the_video_and_plans_survive_json(made: ShotPlan) -> None:
    assert made.shots[0].first == 0
    assert made.shots[-1].stop == 300
    assert all(a.stop == b.first and a.end == b.start for a, b in itertools.pairwise(made.shots))
    assert ShotPlan.from_dict(json.loads(json.dumps(asdict(made)))) == made
    mixed = {i for t in made.transitions for i in range(t.first, t.stop)}
    for shot in made.shots:
        first, stop = made.pure(shot)
        assert shot.first <= first <= stop <= shot.stop
        assert not mixed & set(range(first, stop))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shots": [{"start": 0, "end": 4}]}, "first"),
        ({"shots": [{"start": 0, "end": 4, "first": 1, "stop": 100}]}, "must begin with 0"),
        ({"shots": [{"start": 0, "end": 0, "first": 0, "stop": 100}]}, "must end after"),
        ({"transitions": [{"first": 5, "stop": 5, "kind": "wipe"}]}, "'wipe', must be one of cut, dissolve, fade"),
        ({"transitions": [{"first": 5, "stop": 9, "kind": "cut"}]}, "only cuts are empty"),
        ({"transitions": [{"first": 5, "stop": 101, "kind": "fade"}]}, "within the video"),
        (
            {"transitions": [{"first": 9, "stop": 12, "kind": "fade"}, {"first": 11, "stop": 13, "kind": "fade"}]},
            "after",
        ),
    ],
)
def test_bad_plans_are_refused(change: dict[str, object], words: str) -> None:
    good = {"shots": [{"start": 0, "end": 4, "first": 0, "stop": 100}], "transitions": []}
    assert ShotPlan.from_dict(good).count == 100
    with pytest.raises(InvalidParameter, match=words):
        ShotPlan.from_dict({**good, **change})
