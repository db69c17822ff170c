from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.subjects import Looker, subject
from vidprod.media.frames import Frames
from vidprod.media.previews import Preview
from vidprod.ops.attention import CELLS, Attention, AttentionAnalysis, _with_subjects
from vidprod.ops.attention_overlay import WINDOW, AttentionOverlay
from vidprod.ops.reframe_plan import Fill, PathPoint, ReframePlan, ShotTimes, Windows
from vidprod.ops.saliency import COLUMNS, ROWS, SaliencyDetector
from vidprod.ops.subjects import SubjectSample

RATE = 10
EVERY = 5  # pictures from sample to sample


class OneSubject:
    """In place of the detectors: someone on the right of every picture. Gives samples late, as the real one does."""

    def __init__(self) -> None:
        self.shots: list[list[float]] = [[]]
        self._waiting: list[SubjectSample] = []

    def update(self, frames: torch.Tensor, seconds: Sequence[float]) -> list[SubjectSample]:
        assert len(frames) == len(seconds)
        self.shots[-1] += seconds
        self._waiting += [SubjectSample(second, (subject(0.75, 0.4),)) for second in seconds]
        done, self._waiting = self._waiting[:-1], self._waiting[-1:]
        return done

    def cut(self) -> list[SubjectSample]:
        self.shots.append([])
        return self.finish()

    def finish(self) -> list[SubjectSample]:
        done, self._waiting = self._waiting, []
        return done


class Watching(SaliencyDetector):
    """Looks at what is bright, and notes where its memory begins anew."""

    def __init__(self) -> None:
        super().__init__(net=Looker())
        self.fresh: list[bool] = []

    def __call__(self, pictures: torch.Tensor, state: torch.Tensor | None = None):  # type: ignore[no-untyped-def]
        self.fresh.append(state is None)
        return super().__call__(pictures, state)


def scene(kind: int, count: int) -> torch.Tensor:
    """Pictures (count, 3, 60, 96) of a scene: a bright spot above on the left on noise that tells scenes apart."""
    generator = torch.Generator().manual_seed(kind)
    made = torch.randint(0, 40, (1, 3, 60, 96), dtype=torch.uint8, generator=generator) + 80 * (kind % 2)
    made[:, :, 8:24, 8:24] = 255
    return made.expand(count, -1, -1, -1)


def analysed(pictures: torch.Tensor, batch: int, *, maps: bool = False) -> tuple[Attention, OneSubject, Watching]:
    found, looker = OneSubject(), Watching()
    analysis = AttentionAnalysis(saliency=looker, subjects=found, maps=maps)  # type: ignore[arg-type]
    for first in range(0, len(pictures), batch):
        part = pictures[first : first + batch]
        pts = tuple(range(first, first + len(part)))
        tiny = Frames(part, pts, Fraction(1, RATE), first)
        samples = tuple(tiny[at : at + 1] for at in range(-first % EVERY, len(part), EVERY))
        analysis.update(Preview(tiny, samples))
    return analysis.finish(), found, looker


@pytest.mark.parametrize("batch", [7, 32, 200])
def test_each_sample_has_all_that_was_found_and_nothing_outlives_a_cut(batch: int) -> None:
    pictures = torch.cat([scene(0, 42), scene(1, 60), scene(2, 50)])
    found, subjects, looker = analysed(pictures, batch)
    count = -(-len(pictures) // EVERY)
    assert found.seconds.tolist() == [n * EVERY / RATE for n in range(count)]
    assert found.across.shape == found.down.shape == (count, CELLS)
    np.testing.assert_allclose(found.across.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found.down.sum(1), 1, atol=1e-5)
    assert found.embedding.shape == (count, 256)
    assert len(found.subjects) == len(found.focus) == count
    assert all(len(one) == 1 for one in found.subjects)
    assert [shot.first for shot in found.shots.shots] == [0, 42, 102]
    assert [part[0] for part in subjects.shots if part] == [0.0, 4.5, 10.5]
    assert sum(looker.fresh) == 3
    assert found.maps.shape == (0, ROWS, COLUMNS)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_videos(count: int) -> None:
    found, _, _ = analysed(scene(0, count), 32)
    assert len(found.seconds) == len(found.subjects) == 1
    assert len(found.shots.shots) == 1


def test_no_pictures() -> None:
    found = AttentionAnalysis(saliency=Watching(), subjects=OneSubject()).finish()  # type: ignore[arg-type]
    assert len(found.seconds) == 0
    assert found.across.shape == (0, CELLS)
    assert found.shots.shots == ()


def test_importance_lies_where_it_is_bright_and_where_somebody_is() -> None:
    found, _, _ = analysed(scene(0, 12), 32)
    row, column = found.across[1], found.down[1]
    bright, somebody = row[: CELLS // 3].sum(), row[int(0.72 * CELLS) :].sum()
    assert 0.3 < bright < 0.7
    assert 0.4 < somebody < 0.7
    assert bright + somebody > 0.85
    assert column[: CELLS // 2].sum() > 0.5
    assert (found.focus > 0.3).all()


@given(
    st.lists(
        st.tuples(st.floats(0, 0.9), st.floats(0.02, 0.9), st.sampled_from(["face", "car", "bottle"])), max_size=4
    ),
    st.integers(0, 100),
    st.sampled_from([0, 1]),
)
def test_subjects_move_mass_and_make_none(boxes: list[tuple[float, float, str]], seed: int, axis: int) -> None:
    row = np.random.default_rng(seed).random(CELLS).astype(np.float32)
    row /= row.sum()
    finds = tuple(subject(low, low, min(side, 1 - low), kind=kind) for low, side, kind in boxes)
    mixed = _with_subjects(row, finds, axis)
    assert mixed.sum() == pytest.approx(1, abs=1e-4)
    assert (mixed >= 0).all()
    if not finds:
        assert mixed is row


def test_the_samples_within_a_time() -> None:
    found, _, _ = analysed(scene(0, 40), 32)
    assert found.within(0.5, 2.0) == slice(1, 4)
    assert found.within(10, 20) == slice(8, 8)


def test_the_overlay_shows_saliency_subjects_and_the_window() -> None:
    pictures = scene(0, 12)
    found, _, _ = analysed(pictures, 32, maps=True)
    assert found.maps.shape == (3, ROWS, COLUMNS)
    assert (found.maps.max((1, 2)) == 255).all()
    plan = ReframePlan(32, 32, (ShotTimes(0, 1.2),), (PathPoint(0, 0.0, 0, 0.625, 1),), Fill())
    frames = Frames(pictures, tuple(range(12)), Fraction(1, RATE), 0)
    drawn = AttentionOverlay(found, Windows(plan))(frames, slice(0, 12))
    assert drawn.shape == pictures.shape
    assert drawn.dtype == torch.uint8
    assert torch.equal(drawn[0, :, 0, 10], torch.tensor(WINDOW, dtype=torch.uint8))
    assert drawn[0, 1, 16, 16] < 150  # red over what is bright
    assert drawn[0, 0, 16, 16] > 240
    assert drawn[0, :, 50, 70].float().mean() < 0.6 * pictures[0, :, 50, 70].float().mean()  # outside
    assert not torch.equal(drawn[0, :, 24:36, 72:91], AttentionOverlay(found)(frames, slice(0, 1))[0, :, 24:36, 72:91])


def test_the_overlay_needs_the_maps() -> None:
    found, _, _ = analysed(scene(0, 12), 32)
    with pytest.raises(ValueError, match="0 maps but 3 samples"):
        AttentionOverlay(found)
