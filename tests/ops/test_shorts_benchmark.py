"""What the benchmark of shorts says depends on these: its shots, its measures, and that peers are left out where they must be."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.shorts import File, Material, _jumps, _middles, shots
from benchmarks.shorts_beats import any_tempo
from benchmarks.shorts_peers import VARIABLE, ask, environment, target
from benchmarks.shorts_render import square_window, timeline_of_job
from benchmarks.songs import f_measure
from vidprod.media.frames import Frames
from vidprod.media.probe import VideoInfo
from vidprod.media.writer import VideoWriter

FILES = (
    File(Path("a.mp4"), "video", (1280, 720), 9.0),
    File(Path("b.jpg"), "image", (600, 800), float("inf")),
    File(Path("c.mp4"), "video", (426, 240), 5.0),
)


@given(
    gaps=st.lists(st.floats(0.6, 3.0), min_size=1, max_size=12),
    fade=st.sampled_from([0.0, 0.2, 0.5]),
    every=st.integers(1, 5),
    moves=st.booleans(),
)
def test_shots_end_where_they_should(gaps: list[float], fade: float, every: int, moves: bool) -> None:
    ends = np.cumsum(gaps).tolist()
    job = shots(Material(FILES, Path("song.wav")), ends, fade, moves=moves, cut_every=every)
    assert job.seconds == pytest.approx(ends[-1])
    assert len(job.takes) == len(ends)
    for end, (one, other) in zip(ends, pairwise(job.takes), strict=False):
        # both are seen for the crossfade, and the beat is its middle
        assert one.at + one.seconds - other.at == pytest.approx(other.fade)
        assert other.at + other.fade / 2 == pytest.approx(end)
    timeline = timeline_of_job(job)
    assert timeline.shots[0].out_start == 0
    assert len(timeline.transitions) == sum(take.fade > 0 for take in job.takes)
    for shot in timeline.shots:
        assert shot.start >= 0
        assert shot.end - shot.start == pytest.approx(shot.out_end - shot.out_start)


@given(width=st.integers(16, 4000), height=st.integers(16, 4000), part=st.floats(0.2, 1.0))
def test_windows_are_square_and_in_the_middle(width: int, height: int, part: float) -> None:
    x, y, w, h = square_window((width, height), part)
    assert w * width == pytest.approx(h * height)
    assert max(w, h) == pytest.approx(part)
    assert 2 * x + w == pytest.approx(1)
    assert 2 * y + h == pytest.approx(1)


def test_half_and_double_the_tempo_are_told_from_wrong_ones() -> None:
    true = torch.arange(0.3, 30, 0.5, dtype=torch.float64)
    for found in (true[::2], true[1::2], torch.arange(0.3, 30, 0.25, dtype=torch.float64)):
        assert f_measure(found, true) < 0.7
        assert any_tempo(found, true) > 0.98
    assert any_tempo(true + 0.25, true) == 0
    assert any_tempo(torch.arange(0.3, 30, 0.37, dtype=torch.float64), true) < 0.6


def written(path: Path, pictures: torch.Tensor) -> Path:
    like = VideoInfo.of_new(path, pictures.shape[3], pictures.shape[2], Fraction(30))
    with VideoWriter(path, like=like, crf=10) as writer:
        writer.write(Frames(pictures, tuple(range(len(pictures))), like.time_base))
    return path


def test_cuts_and_middles_of_crossfades_are_found(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(3, 3, 6, 6, generator=generator) * 255
    stills = torch.nn.functional.interpolate(coarse, (64, 64), mode="bicubic").clamp(0, 255)
    parts = [stills[0].expand(20, -1, -1, -1), stills[1].expand(25, -1, -1, -1), stills[2].expand(15, -1, -1, -1)]
    cut = written(tmp_path / "cut.mp4", torch.cat(parts).to(torch.uint8))
    assert _jumps(cut) == [20 / 30, 45 / 30]
    # six pictures of a dissolve whose middle is the beginning of picture 20
    share = ((torch.arange(6) + 0.5) / 6).view(-1, 1, 1, 1)
    dissolve = torch.lerp(stills[0].expand(6, -1, -1, -1), stills[1].expand(6, -1, -1, -1), share)
    crossed = torch.cat([stills[0].expand(17, -1, -1, -1), dissolve, stills[1].expand(20, -1, -1, -1)])
    found = _middles(written(tmp_path / "crossed.mp4", crossed.to(torch.uint8)), [20 / 30], 0.2)
    assert found == [pytest.approx(20 / 30, abs=0.003)]


def test_peers_that_are_not_wanted_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "none")
    assert environment("moviepy==2.2.1") is None
    assert target("beat-this==1.1.0") is None
    assert "without moviepy" in capsys.readouterr().err


def test_a_peer_is_asked_in_json() -> None:
    script = "import json, os, sys; print(json.dumps([os.environ['OMP_NUM_THREADS'], json.load(sys.stdin)]))"
    assert ask(sys.executable, script, {"a": [1]}) == ["1", {"a": [1]}]
