from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers import stream
from vidprod.errors import InvalidParameter
from vidprod.media.frames import Frames
from vidprod.media.probe import VideoInfo
from vidprod.media.reader import VideoReader
from vidprod.media.thumbnails import thumbnails
from vidprod.ops.grade import GradeAnalysis, GradedShot, GradePlan, Look, grade, grade_lut
from vidprod.ops.grade_estimate import estimate
from vidprod.ops.grade_plan import LIMITS, NEUTRAL, PARAMETERS, add_contrast, apply, expose
from vidprod.ops.grade_samples import MOST, Samples
from vidprod.ops.grade_statistics import measure, without_bars
from vidprod.ops.lab import difference, lab

INFO = cast(VideoInfo, SimpleNamespace())


def shot(**parameters: Any) -> GradedShot:
    return GradedShot(start=0.0, end=1.0, first=0, stop=25, **parameters)


def landscape(seed: int = 0, count: int = 1, *, size: tuple[int, int] = (36, 64)) -> Tensor:
    """Smooth colours from black to white that move a little: (count, 3, h, w) uint8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 9, generator=generator)
    coarse = coarse.mean(1, keepdim=True) * 0.7 + coarse * 0.3
    coarse = (coarse - coarse.min()) / (coarse.max() - coarse.min())
    wide = torch.nn.functional.interpolate(coarse, (size[0], size[1] + count), mode="bilinear", align_corners=True)
    return torch.stack([(wide[0, :, :, i : i + size[1]] * 255).round() for i in range(count)]).to(torch.uint8)


def analyse(data: Tensor, batch: int = 16, **options: Any) -> GradePlan:
    analysis = GradeAnalysis(INFO, **options)
    for frames in stream(data, (batch,)):
        analysis.update(frames)
    return analysis.finish()


shots = st.builds(
    shot,
    exposure=st.floats(-2, 2),
    temperature=st.floats(-1.5, 1.5),
    tint=st.floats(-0.8, 0.8),
    contrast=st.floats(0.6, 1.4),
    saturation=st.floats(0, 2),
    black=st.floats(-0.1, 0.4),
    white=st.floats(0.6, 1.3),
)


class TestGrade:
    def test_defaults_change_nothing(self) -> None:
        colors = torch.rand(100, 3, dtype=torch.float64)
        assert shot().changes_nothing
        assert torch.equal(grade(colors, shot()), colors)
        assert torch.allclose(apply(colors, torch.tensor(NEUTRAL, dtype=torch.float64)), colors, atol=1e-6)

    @given(shots)
    def test_is_monotone_and_within_range(self, graded: GradedShot) -> None:
        greys = torch.linspace(0, 1, 65, dtype=torch.float64)[:, None].expand(-1, 3)
        result = grade(greys, graded)
        assert float(result.min()) >= 0
        assert float(result.max()) <= 1
        luma = result @ torch.tensor([0.2126, 0.7152, 0.0722], dtype=torch.float64)
        assert bool((luma.diff() >= -1e-6).all())

    @given(shots)
    def test_greys_stay_grey_without_balance(self, graded: GradedShot) -> None:
        greys = torch.linspace(0, 1, 33, dtype=torch.float64)[:, None].expand(-1, 3)
        neutral = shot(**{n: getattr(graded, n) for n in PARAMETERS if n not in ("temperature", "tint")})
        result = grade(greys, neutral)
        assert float((result.amax(1) - result.amin(1)).max()) < 1e-9

    @given(st.floats(-3, 3))
    def test_exposure_has_an_inverse(self, stops: float) -> None:
        codes = torch.linspace(0.05, 1, 50, dtype=torch.float64)
        there = expose(codes, torch.tensor(stops, dtype=torch.float64))
        assert torch.allclose(expose(there, torch.tensor(-stops, dtype=torch.float64)), codes, atol=1e-6)

    def test_a_stop_doubles_the_light_of_shadows(self) -> None:
        dark = torch.tensor(0.05, dtype=torch.float64)
        ratio = (float(expose(dark, torch.tensor(1.0))) / 0.05) ** 2.4
        assert ratio == pytest.approx(2, rel=0.01)

    @pytest.mark.parametrize("slope", [0.6, 0.8, 1.2, 1.4])
    def test_contrast_keeps_the_ends_and_has_its_slope(self, slope: float) -> None:
        at = torch.tensor([0.0, 0.48, 1.0], dtype=torch.float64)
        assert torch.allclose(add_contrast(at, torch.tensor(slope)), at)
        near = torch.tensor([0.4799, 0.4801], dtype=torch.float64)
        assert float(add_contrast(near, torch.tensor(slope)).diff() / 0.0002) == pytest.approx(slope, rel=1e-3)

    def test_temperature_is_in_stops_of_red_over_blue(self) -> None:
        grey = torch.full((1, 3), 0.4, dtype=torch.float64)
        light = grade(grey, shot(temperature=0.5, tint=0.3))[0] ** 2.4
        assert float((light[0] / light[2]).log2()) == pytest.approx(0.5, abs=1e-6)
        assert float(((light[0] * light[2]).sqrt() / light[1]).log2()) == pytest.approx(0.3, abs=1e-6)
        assert float(light @ torch.tensor([0.2126, 0.7152, 0.0722], dtype=torch.float64)) == pytest.approx(0.4**2.4)

    @settings(max_examples=20)
    @given(shots)
    def test_table_agrees_with_the_function(self, graded: GradedShot) -> None:
        colors = torch.rand(300, 3, generator=torch.Generator().manual_seed(1))
        error = (grade_lut(graded)(colors) - grade(colors, graded)).abs()
        assert float(error.mean()) < 0.004

    def test_runs_on_every_device(self, device: torch.device) -> None:
        colors = torch.rand(50, 3)
        graded = shot(exposure=0.4, temperature=0.2, contrast=1.1, black=0.05)
        assert torch.allclose(grade(colors.to(device), graded).cpu(), grade(colors, graded), atol=1e-5)

    def test_shapes_on_a_device_that_is_not_there(self, fake_cuda: torch.device) -> None:
        result = grade(torch.rand(2, 5, 3, device=fake_cuda), shot(exposure=0.4, black=0.05))
        assert result.shape == (2, 5, 3)
        assert result.device.type == "cuda"


class TestPlan:
    def test_survives_json(self) -> None:
        look = Look((-3.0, -2.5, -4.0), 1.5, 0.2, "AQID")
        plan = GradePlan((shot(exposure=0.5, look=look), GradedShot(1.0, 2.0, 25, 50, tint=0.1)))
        assert GradePlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_names_the_parameter_that_is_out_of_range(self, name: str) -> None:
        for value in (LIMITS[name][1] + 0.01, LIMITS[name][0] - 0.01, float("nan")):
            with pytest.raises(InvalidParameter, match=name):
                shot(**{name: value})

    def test_white_must_be_above_black(self) -> None:
        with pytest.raises(InvalidParameter, match="above black"):
            shot(black=0.5, white=0.55)

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"shots": [{"start": 0}]},
            {"shots": [{"start": 0, "end": 1, "first": 0, "stop": 3, "gain": 2}]},
            {"shots": [{"start": 0, "end": 1, "first": 0, "stop": 3, "black": "dark"}]},
            {"shots": [{"start": 0, "end": 1, "first": 0, "stop": 3}, {"start": 1, "end": 2, "first": 4, "stop": 6}]},
            {"shots": [{"start": 1, "end": 0, "first": 0, "stop": 3}]},
        ],
    )
    def test_refuses_what_is_no_plan(self, data: dict[str, Any]) -> None:
        with pytest.raises(InvalidParameter, match="plan"):
            GradePlan.from_dict(data)


class TestStatistics:
    def test_bars_do_not_count(self) -> None:
        inner = landscape(1)
        framed = torch.zeros(1, 3, 60, 80, dtype=torch.uint8)
        framed[..., 12:48, 8:72] = inner
        assert torch.allclose(measure(framed).vector, measure(inner).vector, atol=0.02)

    def test_a_dark_picture_is_no_bar(self) -> None:
        dark = torch.full((1, 3, 20, 30), 0.01)
        assert without_bars(dark).shape == dark.shape

    def test_wide_and_narrow_samples_agree(self) -> None:
        eight = landscape(2)
        sixteen = (eight.to(torch.int32) * 257).to(torch.uint16)
        assert torch.allclose(measure(eight).vector, measure(sixteen).vector, atol=1e-4)

    @pytest.mark.parametrize("level", [0, 128, 255])
    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (36, 64)])
    def test_flat_pictures_have_finite_numbers(self, level: int, size: tuple[int, int]) -> None:
        assert bool(measure(torch.full((2, 3, *size), level, dtype=torch.uint8)).vector.isfinite().all())

    def test_the_colour_of_the_light_is_found(self) -> None:
        codes = landscape(3).float() / 255
        warm = (codes**2.4 * torch.tensor([1.3, 1.0, 0.7]).view(3, 1, 1)).clamp(0, 1) ** (1 / 2.4)
        shift = measure((warm * 255).round().to(torch.uint8)).balance - measure(landscape(3)).balance
        assert float(shift[:, 0].median()) == pytest.approx(0.38, abs=0.15)
        assert float(shift[:, 1].median()) == pytest.approx(-0.51, abs=0.15)


class TestEstimate:
    def test_dark_footage_is_brightened(self) -> None:
        picture = landscape(4)
        dark = ((picture.float() / 255) * 2 ** (-2 / 2.4) * 255).round().to(torch.uint8)
        parameters, confidence = estimate(dark)
        assert confidence == 1
        graded = grade(dark.permute(0, 2, 3, 1).float() / 255, shot(**parameters))
        truth = picture.permute(0, 2, 3, 1).float() / 255
        before = difference(lab(dark.permute(0, 2, 3, 1).float() / 255), lab(truth)).mean()
        assert float(difference(lab(graded), lab(truth)).mean()) < 0.4 * float(before)

    def test_black_and_white_stays_so(self) -> None:
        grey = (landscape(5).float().mean(1, keepdim=True) * 0.6 + 40).expand(-1, 3, -1, -1).to(torch.uint8)
        parameters, _ = estimate(grey)
        assert (parameters["temperature"], parameters["tint"], parameters["saturation"]) == (0, 0, 1)

    @pytest.mark.parametrize("level", [0, 7, 128, 255])
    def test_a_flat_picture_is_no_trouble(self, level: int) -> None:
        parameters, _ = estimate(torch.full((3, 3, 36, 64), level, dtype=torch.uint8))
        shot(**parameters)  # within its limits


class TestAnalysis:
    def test_one_grade_per_shot(self) -> None:
        data = torch.cat([landscape(1, 20), landscape(2, 31) // 3])
        plan = analyse(data)
        assert [(s.first, s.stop) for s in plan.shots] == [(0, 20), (20, 51)]
        assert not plan.shots[1].changes_nothing

    def test_batches_do_not_matter(self) -> None:
        data = torch.cat([landscape(1, 20), landscape(2, 31) // 3])
        assert analyse(data, 1) == analyse(data, 7) == analyse(data, 64)

    def test_no_picture_is_no_shot(self) -> None:
        assert GradeAnalysis(INFO).finish() == GradePlan(())

    def test_one_picture_is_one_shot(self) -> None:
        assert len(analyse(landscape(1, 1)).shots) == 1

    def test_real_footage(self, bikes: Path) -> None:
        with VideoReader(bikes) as reader:
            analysis = GradeAnalysis(reader.info)
            for frames in thumbnails(reader):
                analysis.update(frames)
        plan = analysis.finish()
        assert len(plan.shots) == 6
        assert plan.shots[-1].stop == 250
        assert GradePlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


class TestSamples:
    def test_are_bounded_and_have_every_shot(self) -> None:
        samples, length, period = Samples(), 12_000, 400
        base = torch.zeros(100, 3, 4, 6, dtype=torch.uint8)
        for index in range(0, length, 100):
            numbers = torch.arange(index, index + 100) // period % 2 * 200
            data = base + numbers.to(torch.uint8).view(-1, 1, 1, 1)
            samples.update(Frames(data, tuple(range(index, index + 100)), Fraction(1, 25), index))
            assert len(samples) <= MOST
        for first in range(0, length, period):
            kept = samples.between(first, first + period)
            assert 1 <= len(kept) <= 32
            assert bool((kept == first // period % 2 * 200).all())

    def test_a_shot_without_samples_borrows_the_nearest(self) -> None:
        samples = Samples()
        samples.update(Frames(landscape(1, 3), (0, 1, 2), Fraction(1, 25), 0))
        assert torch.equal(samples.between(50, 60)[0], landscape(1, 3)[2])
