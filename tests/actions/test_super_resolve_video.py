from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import vidprod
from tests.helpers import decode, psnr, write_clip
from vidprod.actions.run import Context
from vidprod.actions.super_resolve_video import SPEC
from vidprod.errors import FileResolution, InvalidParameter
from vidprod.media.probe import probe


@pytest.fixture(scope="module")
def short(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of a real clip of 176x144, sample aspect ratio 128:117."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    return write_clip(path, decode(clip, 10), sar=Fraction(128, 117))


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [f.pts * f.time_base for f in container.decode(video=0) if f.pts is not None and f.time_base is not None]


def test_twice_the_size_everything_else_kept(short: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    result = vidprod.super_resolve_video(video_url=str(short), output=output, device="cpu")
    before, after = probe(short), probe(output)
    assert (after.width, after.height) == (2 * before.width, 2 * before.height)
    assert (after.codec, after.pix_fmt) == ("h264", "yuv420p")
    assert after.sample_aspect_ratio == before.sample_aspect_ratio == Fraction(128, 117)
    assert after.color.resolved(after.height).matrix == before.color.resolved(before.height).matrix
    source, made = times(short), times(output)
    assert len(source) == len(made) == result.timing.frames
    assert max(abs((a - source[0]) - (b - made[0])) for a, b in zip(source, made, strict=True)) <= Fraction(1, 1000)
    assert list(tmp_path.iterdir()) == [output]


def test_the_picture_is_the_same_one_only_larger(short: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    vidprod.super_resolve_video(video_url=str(short), bit_rate=8, output=output, device="cpu")
    for small, large in zip(decode(short), decode(output), strict=True):
        halved = large.reshape(144, 2, 176, 2, 3).mean((1, 3))
        assert psnr(small, halved) > 30


def test_the_plan_can_be_edited_and_rendered_again(short: Path, tmp_path: Path) -> None:
    first = vidprod.super_resolve_video(video_url=str(short), bit_rate=30, output=tmp_path / "a.mp4", device="cpu")
    assert first.plan["scale"] == 2
    assert first.plan["model"] == "span-x2-adaptive"
    (shot,) = first.plan["shots"]
    assert shot["start"] == 0
    assert shot["end"] == pytest.approx(0.4, abs=0.001)
    assert 0 <= shot["compression_blend"] <= 1
    edited = json.loads(json.dumps(first.plan))
    edited["shots"][0]["compression_blend"] = 1.0
    second = vidprod.super_resolve_video(
        video_url=str(short), bit_rate=30, output=tmp_path / "b.mp4", device="cpu", plan=edited
    )
    assert second.plan == edited
    plain = vidprod.super_resolve_video(
        video_url=str(short), bit_rate=30, output=tmp_path / "c.mp4", device="cpu", plan=first.plan
    )
    assert plain.plan == first.plan
    same, other = (psnr(decode(tmp_path / "a.mp4")[5], decode(tmp_path / name)[5]) for name in ("c.mp4", "b.mp4"))
    # x264 with a bit rate and several threads does not give the same bits twice
    assert same > other + 6


def test_the_bit_rate_is_twice_the_inputs_unless_given(bikes: Path) -> None:
    source = probe(bikes)
    assert source.bit_rate is not None
    from vidprod.actions.steps.super_resolve_video import _bit_rate

    assert _bit_rate(SPEC.params(video_url=str(bikes)), source) == 2 * source.bit_rate
    assert _bit_rate(SPEC.params(video_url=str(bikes), bit_rate=8), source) == 8_000_000


@pytest.mark.parametrize(
    ("size", "fine"),
    [
        ((34, 34), True),
        ((34, 32), True),
        ((1080, 1918), True),
        ((1918, 1080), True),
        ((32, 32), False),
        ((30, 200), False),
        ((1920, 1080), False),
        ((1080, 1920), False),
        ((1100, 1100), False),
        ((2000, 500), False),
    ],
)
def test_sizes_within_the_documented_limits_only(size: tuple[int, int], fine: bool, tmp_path: Path) -> None:
    width, height = size
    path = write_clip(tmp_path / "in.mp4", [np.zeros((height, width, 3), np.uint8)] * 2)
    from vidprod.actions.steps.super_resolve_video import _checked

    if fine:
        assert _checked(str(path)).width == width
    else:
        with pytest.raises(FileResolution, match=f"{width}x{height}"):
            _checked(str(path))


def test_an_output_of_another_type_is_refused_before_any_work(short: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"must end in \.mp4"):
        vidprod.super_resolve_video(video_url=str(short), output=tmp_path / "out.avi")


def test_a_part_of_the_work_is_the_same_as_the_whole(short: Path) -> None:
    """What splits a long video over several devices: each renders a range, and nobody can tell."""
    import torch

    from tests.helpers import assert_same_picture
    from tests.ops.test_render import Collect
    from vidprod.media.reader import VideoReader
    from vidprod.ops.render import preroll, render
    from vidprod.ops.upscale import Upscale

    context = Context.make("cpu")
    plan = SPEC.steps.analyse(SPEC.params(video_url=str(short)), context)

    def part(start: int, stop: int) -> Collect:
        ops, sink = [Upscale(plan, device=context.device)], Collect()
        first, last = max(start - preroll(ops), 0), stop + preroll(ops)
        with VideoReader(short, start=first, stop=last, batch=4) as reader:
            render(reader, ops, sink, start=start, stop=stop)
        return sink

    whole = part(0, 10)
    pieces = [part(0, 3), part(3, 8), part(8, 10)]
    assert_same_picture(torch.cat([p.data for p in pieces]), whole.data)
    assert [t for p in pieces for t in p.pts] == whole.pts
