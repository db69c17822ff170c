from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers import noise, stream
from vidprod.errors import InvalidParameter
from vidprod.media.frames import Frames
from vidprod.ops.color_op import ColorOp, Shrink
from vidprod.ops.color_plan import ColorPlan, shot_lut
from vidprod.ops.cube import read_cube, write_cube
from vidprod.ops.grade_plan import GradedShot, grade
from vidprod.ops.log_curves import LOG_CURVES
from vidprod.ops.log_look import log_to_rec709
from vidprod.ops.lut import Lut1D, Lut3D, LutChain
from vidprod.ops.op import windowed

SHOTS = (
    GradedShot(0.0, 0.2, 0, 5, exposure=0.5),
    GradedShot(0.2, 0.4, 5, 10),
    GradedShot(0.4, 0.5, 10, 12, saturation=0.0),
)


def done(plan: ColorPlan, data: torch.Tensor, lengths: list[int], *, limited: bool = True) -> torch.Tensor:
    op = ColorOp(plan, limited=limited)
    parts = [op(window, core) for window, core in windowed(stream(data, lengths), op.halo)]
    assert all(part.dtype == torch.uint16 for part in parts)
    return torch.cat([part.to(torch.int32) for part in parts])


def test_every_shot_has_its_own_grade_however_the_stream_is_cut() -> None:
    data = noise(14)
    whole = done(ColorPlan(shots=SHOTS), data, [14])
    for lengths in ([1], [4, 3, 7], [6]):
        assert torch.equal(done(ColorPlan(shots=SHOTS), data, lengths), whole)
    colors = data.movedim(1, -1).double() / 255
    for first, stop, shot in ((0, 5, SHOTS[0]), (10, 14, SHOTS[2])):  # the last one lasts to the end
        want = grade(colors[first:stop], shot).movedim(-1, 1) * 65535
        error = (whole[first:stop] - want).abs() / 257
        assert float(error.mean()) < 0.35  # in levels of eight bits; noise holds colours where 33 nodes are few
        assert float(error.max()) < 8
    assert torch.equal(whole[5:10], data[5:10].to(torch.int32) * 257)
    grey = whole[10:]
    assert int((grey.amax(1) - grey.amin(1)).max()) <= 2


def test_sixteen_bits_that_nothing_happens_to_stay_as_they_are() -> None:
    data = torch.randint(0, 65536, (3, 3, 8, 8)).to(torch.uint16)
    assert torch.equal(done(ColorPlan(), data, [2]), data.to(torch.int32))


def test_a_camera_s_curve_and_a_grade_after_it() -> None:
    data = (torch.rand(2, 3, 6, 8) * 40000 + 10000).to(torch.int32).to(torch.uint16)
    colors = data.to(torch.int32).movedim(1, -1).double() / 65535
    for name, limited in (("logc3", True), ("slog3", True), ("slog3", False)):
        shown = log_to_rec709(colors, LOG_CURVES[name], limited=limited).movedim(-1, 1) * 65535
        got = done(ColorPlan(name), data, [2], limited=limited)
        assert float((got - shown).abs().median()) < 30  # of 65535; wildly saturated colours are less exact
        assert float((got - shown).abs().max()) < 2500
    graded = done(ColorPlan("logc3", (SHOTS[2],)), data, [2])
    assert int((graded.amax(1) - graded.amin(1)).max()) <= 40


def test_pictures_on_a_fake_gpu(fake_cuda: torch.device) -> None:
    plan = ColorPlan(shots=SHOTS)
    for kind in (torch.uint8, torch.uint16):
        data = torch.empty(12, 3, 16, 24, dtype=kind, device=fake_cuda)
        frames = next(iter(stream(data, [12])))
        got = ColorOp(plan, device=fake_cuda)(frames, slice(2, 11))
        assert (got.shape, got.dtype, got.device.type) == ((9, 3, 16, 24), torch.uint16, "cuda")
        small = Shrink(12, 8)(frames, slice(0, 3))
        assert (small.shape, small.dtype, small.device.type) == ((3, 3, 8, 12), kind, "cuda")


@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16])
def test_shrinking_averages(device: torch.device, kind: torch.dtype) -> None:
    step = 1 if kind == torch.uint8 else 257
    data = torch.zeros(2, 3, 40, 60, dtype=torch.int32)
    data[:, 0, :, ::2] = 200 * step  # stripes one pixel wide become flat
    data[:, 1] = 77 * step
    frames = Frames(data.to(kind).to(device), (0, 1), next(iter(stream(noise(1), [1]))).time_base)
    small = Shrink(20, 20)(frames, slice(0, 2))
    assert (small.shape, small.dtype) == ((2, 3, 20, 20), kind)
    values = small.cpu().to(torch.int32) / step
    assert float((values[:, 1] - 77).abs().max()) <= 0.51
    assert 90 <= float(values[:, 0, 5:-5, 5:-5].mean()) <= 110


def test_plans_are_data() -> None:
    plan = ColorPlan("logc3", SHOTS, ("a note",))
    again = ColorPlan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan
    assert ColorPlan.from_dict({}) == ColorPlan()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"lut": "kodak"}, "must be one of logc3"),
        ({"lut": 5}, "must be a name or a path"),
        ({"lut": "a.txt"}, r"the path of a \.cube file"),
        ({"luts": ""}, "'luts' is not one of"),
        ({"notes": "one"}, "notes must be a list"),
        ({"shots": 3}, "not a plan of grades"),
        ({"shots": [{"start": 0, "end": 1, "first": 0, "stop": 5, "exposure": 9}]}, "exposure must be within"),
        ({"shots": [{"start": 0, "end": 1, "first": 0}]}, "stop"),
    ],
)
def test_wrong_plans_are_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        ColorPlan.from_dict(data)


def test_a_shot_s_table_can_be_exported(tmp_path: Path) -> None:
    shot = SHOTS[0]
    for table in (None, LutChain(Lut1D(torch.rand(5, 3).sort(0).values)), ColorPlan("logc3").table()):
        lut = shot_lut(table, shot)
        assert lut is not None
        write_cube(tmp_path / "shot.cube", lut)
        colors = torch.rand(300, 3)
        want = grade(colors if table is None else table(colors), shot)
        assert float((read_cube(tmp_path / "shot.cube")(colors) - want).abs().mean()) < 0.004
    assert shot_lut(None, SHOTS[1]) is None
    assert shot_lut(None, None) is None


def test_a_cube_file_of_one_s_own(tmp_path: Path) -> None:
    write_cube(tmp_path / "mine.cube", Lut3D.of(lambda c: c.flip(-1), 2))
    data = noise(2)
    assert torch.equal(done(ColorPlan(str(tmp_path / "mine.cube")), data, [2]), data.flip(1).to(torch.int32) * 257)
    with pytest.raises(InvalidParameter, match=r"gone\.cube.*cannot be read"):
        ColorOp(ColorPlan(str(tmp_path / "gone.cube")))
