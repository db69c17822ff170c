"""The pictures of a timeline: each at its time, in its place, and no more files open than are needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import assert_same_picture, png, psnr, write_clip
from vidprod.errors import FileContent, InvalidParameter
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter
from vidprod.ops import compose
from vidprod.ops.compose import GAP, Composition
from vidprod.ops.footage import Showing, _DevicePlates, _graded, _hdr_table, _levels
from vidprod.ops.layouts import cells
from vidprod.ops.log_curves import HDR_CURVES
from vidprod.ops.log_look import log_to_rec709
from vidprod.ops.reframe_plan import PathPoint
from vidprod.ops.render import render
from vidprod.ops.timeline import Kind, Shot, Source, Timeline, TransitionSpan
from vidprod.ops.transitions import Transition
from vidprod.ops.view import View

SIZE = 64
WHOLE = (PathPoint(0.0, 0.0, 0.0, 1.0, 1.0),)


class Material:
    """Two videos whose pictures tell their number by how bright they are, one of them twice as fast; and two photographs."""

    def __init__(self, folder: Path) -> None:
        slow = [np.full((SIZE, SIZE, 3), 20 + 3 * number, np.uint8) for number in range(60)]
        for number, picture in enumerate(slow):
            picture[:, SIZE // 2 :] = 220 - 3 * number
        fast = [np.full((SIZE, SIZE, 3), 20 + 2 * number, np.uint8) for number in range(100)]
        x = np.linspace(0, 255, 200).astype(np.uint8)
        photo = np.stack(
            [np.tile(x, (120, 1)), np.full((120, 200), 60, np.uint8), np.full((120, 200), 200, np.uint8)], -1
        )
        clear = np.concatenate([photo, np.zeros((120, 200, 1), np.uint8)], -1)
        clear[40:80, 60:140, 3] = 255
        (folder / "photo.png").write_bytes(png(photo))
        (folder / "clear.png").write_bytes(png(clear))
        self.paths = [
            write_clip(folder / "slow.mp4", slow, rate=30, g="15"),
            write_clip(folder / "fast.mp4", fast, rate=60, g="30"),
            folder / "photo.png",
            folder / "clear.png",
            folder / "music.mp3",
        ]
        kinds: list[Kind] = ["video", "video", "image", "image", "audio"]
        self.infos = [probe(path) if kind == "video" else None for path, kind in zip(self.paths, kinds, strict=True)]
        self.sources = tuple(
            Source(path.name, kind, (10, 250, 10) if path.stem == "clear" else None)
            for path, kind in zip(self.paths, kinds, strict=True)
        )

    def timeline(self, *shots: Shot, **more: object) -> Timeline:
        basic = Timeline(SIZE, SIZE, "30", self.sources, shots)
        return replace(basic, **more)  # type: ignore[arg-type]

    def composition(self, timeline: Timeline, batch: int = 8) -> Composition:
        return Composition(timeline, self.paths, infos=self.infos, batch=batch)

    def pictures(self, timeline: Timeline, batch: int = 8) -> torch.Tensor:
        """(n, 3, H, W)."""
        made, at = [], 0
        for frames in self.composition(timeline, batch):
            assert frames.index == at
            assert frames.pts == tuple(range(at, at + len(frames)))
            assert frames.time_base == 1 / Fraction(timeline.rate)
            assert 1 <= len(frames) <= batch
            made.append(frames.data)
            at += len(frames)
        assert at == timeline.pictures
        return torch.cat(made)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return Material(tmp_path_factory.mktemp("material"))


def numbers(pictures: torch.Tensor, *, step: int = 3) -> list[int]:
    """Of the pictures of a video that are seen."""
    levels = pictures[:, :, SIZE // 2, SIZE // 4].float().mean(1)
    return [round(float(level - 20) / step) for level in levels]


def test_shots_follow_each_other_frame_by_frame(material: Material) -> None:
    made = material.pictures(
        material.timeline(Shot(0, 1.0, 1.5, 0.0, 0.5), Shot(1, 0.5, 0.8, 0.5, 0.8), Shot(0, 0.2, 0.5, 0.8, 1.1))
    )
    assert numbers(made[:15]) == list(range(30, 45))
    assert numbers(made[15:24], step=2) == list(range(30, 48, 2))
    assert numbers(made[24:]) == list(range(6, 15))


def test_a_shot_may_begin_between_two_pictures(material: Material) -> None:
    made = material.pictures(material.timeline(Shot(0, 1.0 + 0.5 / 30, 1.5 + 0.5 / 30, 0.0, 0.5)))
    assert (np.diff(numbers(made)) == 1).all()


def test_slow_motion_and_time_lapse(material: Material) -> None:
    made = material.pictures(material.timeline(Shot(0, 1.0, 1.2, 0.0, 0.4), Shot(0, 0.0, 1.6, 0.4, 0.8)))
    assert numbers(made[:12]) == [30, 30, 31, 31, 32, 32, 33, 33, 34, 34, 35, 35]
    assert numbers(made[12:]) == list(range(0, 48, 4))


def test_a_stretch_without_length_stands_still(material: Material) -> None:
    made = material.pictures(material.timeline(Shot(0, 1.0, 1.0, 0.0, 0.4)))
    assert numbers(made) == [30] * 12


def test_after_its_end_a_video_stands_still(material: Material) -> None:
    made = material.pictures(material.timeline(Shot(0, 1.8, 2.4, 0.0, 0.6)))
    assert numbers(made) == [54, 55, 56, 57, 58] + [59] * 13


def test_a_photograph_fills_the_frame_or_stands_before_itself(material: Material) -> None:
    made = material.pictures(material.timeline(Shot(2, 0, 0.1, 0, 0.1), Shot(2, 0, 0.1, 0.1, 0.2, path=WHOLE)))
    row = made[0, 0, SIZE // 2].float()
    assert row[0] == pytest.approx(255 * 0.2, abs=4)
    assert row[-1] == pytest.approx(255 * 0.8, abs=4)
    whole = made[3, :, SIZE // 2].float()
    assert whole[0, 0] < 5
    assert whole[0, -1] > 250
    bars = made[3, 2, [0, -1]].float()
    assert (bars < 190).all()  # darker than the picture's 200


def test_what_is_behind_a_transparent_picture(material: Material) -> None:
    made = material.pictures(material.timeline(Shot(3, 0, 0.1, 0, 0.1)))[0]
    assert (made[:, 2, 2].int() - torch.tensor([10, 250, 10])).abs().max() <= 8  # it has a gentle light
    assert made[2, SIZE // 2, SIZE // 2] == 200


def test_windows_move_with_the_time_of_the_source(material: Material) -> None:
    path = (PathPoint(0.0, 0.0, 0.0, 0.3, 0.5), PathPoint(1.0, 0.7, 0.0, 0.3, 0.5))
    made = material.pictures(material.timeline(Shot(2, 0.0, 1.0, 0.0, 2.0, path=path)))
    middles = made[:, 0, SIZE // 2, SIZE // 2].float()
    assert middles[0] == pytest.approx(255 * 0.15, abs=3)
    assert middles[30] == pytest.approx(255 * 0.5, abs=3)
    assert middles[-1] == pytest.approx(255 * 0.85, abs=3)
    assert (middles.diff() >= 0).all()


@pytest.mark.parametrize("style", ["normal", "shift"])
def test_a_transition_lasts_exactly_as_long_as_both_are_seen(material: Material, style: str) -> None:
    one, two = Shot(0, 1.0, 1.6, 0.0, 0.6), Shot(2, 0, 0.6, 0.4, 1.0)
    timeline = material.timeline(one, two, transitions=(TransitionSpan(style, 0.4, 0.6, 5),))
    made = material.pictures(timeline)
    a = material.pictures(material.timeline(one))
    b = material.pictures(material.timeline(replace(two, out_start=0.0, out_end=0.6)))
    assert torch.equal(made[:12], a[:12])
    assert torch.equal(made[18:], b[6:])
    progress = [(number + 0.5) / 6 for number in range(6)]
    assert torch.equal(made[12:18], Transition(style, SIZE, SIZE, seed=5)(a[12:], b[:6], progress))


def test_an_overlap_without_transition_is_cut_in_its_middle(material: Material) -> None:
    made = material.pictures(material.timeline(Shot(0, 1.0, 1.6, 0.0, 0.6), Shot(0, 0.0, 0.6, 0.4, 1.0)))
    assert numbers(made) == [*range(30, 45), *range(3, 18)]


@settings(max_examples=10)
@given(st.integers(1, 20))
def test_batches_do_not_show(material: Material, batch: int) -> None:
    timeline = material.timeline(
        Shot(0, 1.0, 1.6, 0.0, 0.6),
        Shot(2, 0, 1, 0.4, 1.0, path=(PathPoint(0.0, 0.0, 0.0, 0.3, 0.5), PathPoint(1.0, 0.7, 0.0, 0.3, 0.5))),
        transitions=(TransitionSpan("normal", 0.4, 0.6),),
        pulses=(0.2,),
    )
    assert torch.equal(material.pictures(timeline, batch), material.pictures(timeline))


def test_a_pulse_shows_less_of_the_picture_for_a_moment(material: Material) -> None:
    """Nothing happens before it, and nothing is left of it half a second later; it does not look like a cut."""
    still = material.pictures(material.timeline(Shot(2, 0, 1, 0, 1), pulses=(5.0,)))
    made = material.pictures(material.timeline(Shot(2, 0, 1, 0, 1), pulses=(0.3,)))
    edge = made[:, 0, SIZE // 2, -1].float()
    assert torch.equal(made[:9, 0], made[:1, 0].expand(9, -1, -1))
    assert 2 <= edge[0] - edge[9:12].min() <= 4  # of the 153 levels across the frame two percent
    assert abs(edge[-1] - edge[0]) <= 1
    assert_same_picture(made[-1], still[-1])


@pytest.mark.parametrize("layout", ["2-up", "3-strip", "2x2", "1+2"])
def test_puzzles(material: Material, layout: str) -> None:
    places = cells(layout, SIZE, SIZE)
    shots = [
        Shot(2 if at else 0, 0.0 if at else 1.0, 0.5 if at else 1.5, 0, 0.5, effect="puzzle", layout=layout, cell=at)
        for at in range(len(places))
    ]
    made = material.pictures(material.timeline(*reversed(shots)))
    assert made[3, :, 0, 0].tolist() == list(GAP)
    for at, cell in enumerate(places):
        middle = made[:, :, cell.y + cell.height // 2, cell.x + cell.width // 4].float()
        if at:
            assert middle[3, 2] == pytest.approx(200, abs=2)
        else:
            assert [round(float(level - 20) / 3) for level in middle.mean(1)] == list(range(30, 45))


def test_colours_are_matched_and_black_and_white_stay(material: Material) -> None:
    plain = material.pictures(material.timeline(Shot(2, 0, 0.1, 0, 0.1, path=WHOLE)))[0]
    made = material.pictures(material.timeline(Shot(2, 0, 0.1, 0, 0.1, path=WHOLE, gamma=(1.2, 1.0, 0.8))))[0]
    wanted = 255 * (plain[:, SIZE // 2].double() / 255) ** torch.tensor([1.2, 1.0, 0.8])[:, None]
    assert (made[:, SIZE // 2] - wanted).abs().max() <= 2.5
    assert max(made[0, SIZE // 2, 0], plain[0, SIZE // 2, 0]) <= 1
    assert min(made[0, SIZE // 2, -1], plain[0, SIZE // 2, -1]) >= 253


def test_colours_on_a_gpu_without_one(fake_cuda: torch.device) -> None:
    data = torch.zeros(2, 3, 8, 8, dtype=torch.uint8, device=fake_cuda)
    levels = _levels((1.1, 1.0, 0.9))
    assert _graded(data, levels).shape == data.shape
    assert _graded(data, levels).dtype == torch.uint8


@pytest.fixture(scope="module")
def _hdr() -> None:
    """A table that is made of numbers, which there are none of on a GPU that is none."""
    _hdr_table(18, True)


@pytest.mark.usefixtures("_hdr")
@pytest.mark.parametrize("transfer", [1, 18])
def test_videos_on_a_gpu_without_one(material: Material, fake_cuda: torch.device, transfer: int) -> None:
    info = material.infos[0]
    assert info is not None
    info = replace(info, color=replace(info.color, transfer=transfer))
    view = View.of(np.array([[0.25, 0.25, 0.5, 0.5]]), (SIZE, SIZE), (20, 24))
    plates = _DevicePlates(view, info, (1.1, 1.0, 0.9), fake_cuda, 4)
    assert plates.take() == []
    kind = torch.uint16 if transfer == 18 else torch.uint8
    uploaded = torch.zeros(3, 3, SIZE, SIZE, dtype=kind, device=fake_cuda)
    plates._upload = SimpleNamespace(add=lambda _: None, take=lambda: uploaded)  # type: ignore[assignment]
    for _ in range(3):
        plates.add(av.VideoFrame(SIZE, SIZE, "yuv420p"))
    made = plates.take()
    assert [one.shape for one in made] == [(3, *view.size)] * 3
    assert all(one.dtype == torch.uint8 and one.device.type == "cuda" for one in made)


def test_whole_pictures_on_the_device_give_the_same(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of a GPU, on the CPU: pictures are uploaded whole, then cut and scaled."""
    path = (PathPoint(0.0, 0.0, 0.1, 0.5, 0.5), PathPoint(1.0, 0.4, 0.1, 0.5, 0.5))
    timeline = material.timeline(
        Shot(0, 0.5, 1.0, 0.0, 0.5, path=path, gamma=(1.1, 1.0, 0.9)), Shot(1, 0.5, 1.0, 0.5, 1.0), pulses=(0.2,)
    )
    wanted = material.pictures(timeline)

    def plates(showing: Showing, info: VideoInfo, batch: int) -> _DevicePlates:
        view = showing.view((info.display_height, info.display_width))
        return _DevicePlates(view, info, showing.shot.gamma, torch.device("cpu"), batch)

    monkeypatch.setattr("vidprod.ops.footage._plates", plates)
    assert psnr(material.pictures(timeline), wanted) > 40


@pytest.mark.needs_cuda
def test_a_gpu_composes_the_same(material: Material) -> None:
    path = (PathPoint(0.0, 0.0, 0.1, 0.5, 0.5), PathPoint(1.0, 0.4, 0.1, 0.5, 0.5))
    puzzle = [Shot(at, 0, 0.5, 0.7, 1.2, effect="puzzle", layout="2-up", cell=at // 2) for at in (0, 2)]
    timeline = material.timeline(
        Shot(0, 0.5, 1.0, 0.0, 0.5, path=path, gamma=(1.1, 1.0, 0.9)),
        Shot(3, 0, 0.5, 0.3, 0.8, path=WHOLE),
        *puzzle,
        transitions=(TransitionSpan("normal", 0.3, 0.5), TransitionSpan("shift", 0.7, 0.8)),
        pulses=(0.2,),
    )
    composition = Composition(timeline, material.paths, infos=material.infos, device="cuda")
    made = torch.cat([frames.data for frames in composition])
    assert made.device.type == "cuda"
    assert psnr(made.cpu(), material.pictures(timeline)) > 35


def test_tables_are_the_same_for_batches_and_pictures() -> None:
    data = torch.randint(0, 256, (2, 3, 9, 7), dtype=torch.uint8)
    levels = _levels((1.2, 1.0, 0.8))
    assert torch.equal(_graded(data, levels), torch.stack([_graded(one, levels) for one in data]))
    assert _levels((1.0, 1.0, 1.0)) is None


@pytest.mark.parametrize("second", [0.0, 0.45, 9.0])
def test_the_cover_is_the_picture_of_its_time(material: Material, second: float) -> None:
    timeline = material.timeline(Shot(0, 1.0, 1.5, 0, 0.5), Shot(2, 0, 0.5, 0.5, 1.0), cover=second)
    composition = material.composition(timeline)
    made = torch.cat([frames.data for frames in composition])
    assert composition.cover is not None
    assert torch.equal(composition.cover, made[min(round(second * 30), 29)])


def test_few_files_are_open_at_a_time(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[VideoReader] = []
    most = 0

    class Reader(VideoReader):
        def __init__(self, *arguments: object, **more: object) -> None:
            super().__init__(*arguments, **more)  # type: ignore[arg-type]
            opened.append(self)

        def close(self) -> None:
            super().close()
            if self in opened:
                opened.remove(self)

    monkeypatch.setattr("vidprod.ops.footage.VideoReader", Reader)
    shots = [Shot(0, 0.1 * at, 0.1 * at + 0.4, 0.3 * at, 0.3 * at + 0.4) for at in range(12)]
    spans = tuple(TransitionSpan("normal", 0.3 * at, 0.3 * at + 0.1) for at in range(1, 12))
    with material.composition(material.timeline(*shots, transitions=spans), batch=4) as composition:
        for _ in composition:
            most = max(most, len(opened))
    assert most == 2
    assert not opened


def test_leaving_early_closes_everything(material: Material) -> None:
    before = threading.active_count()
    with material.composition(material.timeline(Shot(0, 0, 1, 0, 1), Shot(1, 0, 1, 1, 2))) as composition:
        iterator = iter(composition)
        next(iterator)
        assert threading.active_count() > before
    assert threading.active_count() == before
    # and it can be iterated again
    assert sum(len(frames) for frames in composition) == 60


@pytest.mark.parametrize("size", [(33, 32), (90, 51), (32, 120)])
def test_a_result_of_any_size_can_be_written(material: Material, tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    timeline = material.timeline(
        Shot(0, 1.0, 1.4, 0.0, 0.4),
        Shot(2, 0, 0.4, 0.2, 0.6),
        width=width,
        height=height,
        transitions=(TransitionSpan("fast", 0.2, 0.4),),
    )
    path = tmp_path / "made.mp4"
    info = VideoInfo.of_new(path, width, height, Fraction(30))
    with material.composition(timeline) as composition, VideoWriter(path, like=info) as writer:
        assert render(iter(composition), [], writer) == 18
    made = probe(path)
    assert (made.width, made.height) == (width + width % 2, height + height % 2)
    assert made.frame_count == 18


def test_a_file_without_pictures_is_named(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VideoReader, "since", lambda *_, **__: (_ for _ in range(0)))
    with pytest.raises(FileContent, match="slow"):
        material.pictures(material.timeline(Shot(0, 0, 1, 0, 1)))


PUZZLE = Shot(2, 0, 1, 0, 1, effect="puzzle", layout="2-up")


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        (
            [Shot(0, 0, 1, 0, 1), Shot(5, 0, 1, 1, 2)],
            r"shots\[1\].source is 5, must be the number of a source, below 5",
        ),
        ([Shot(4, 0, 1, 0, 1)], r"shots\[0\].source is 4, music.mp3: it has no pictures"),
        ([Shot(0, 0, 1, 0, 1), Shot(0, 3, 4, 1, 2)], r"shots\[1\] shows 3 to 4 of slow.mp4, which lasts for 2.00 sec"),
        ([Shot(0, 1, 5, 0, 1)], r"shots\[0\] shows 1 to 5 of slow.mp4, which lasts for 2.00 seconds"),
        ([Shot(0, 1, 0.5, 0, 1)], r"shots\[0\] shows 1 to 0.5 of its source: it must not run backwards"),
        ([Shot(0, 0, 1, 1, 1)], r"shots\[0\] is seen from 1 to 1: it must end after it begins"),
        ([], "shots must hold at least one"),
        ([Shot(0, 0, 0.01, 0, 0.01)], r"shots\[0\].out_end is too early for a single picture"),
        ([Shot(2, 0, 1, 0, 1), Shot(0, 0, 1, 0, 1)], r"shots\[1\] is seen at the same time as the one before it"),
        ([PUZZLE], r"shots\[0\] to \[0\] must fill cells 0 to 1 of 2-up"),
        ([PUZZLE, PUZZLE], r"shots\[0\] to \[1\] must fill cells 0 to 1 of 2-up"),
        ([PUZZLE, replace(PUZZLE, layout="2x2")], r"shots\[1\] must be a part of the same puzzle"),
        ([replace(PUZZLE, layout="9x9")], r"shots\[0\].layout is '9x9', must be one of 2-up, 1\+2, 2x2, 3-strip"),
    ],
)
def test_what_cannot_be_shown_is_named(material: Material, shots: Sequence[Shot], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        material.composition(material.timeline(*shots))


def test_an_unknown_transition_is_named(material: Material) -> None:
    span = TransitionSpan("explosion", 0.5, 1)
    with pytest.raises(InvalidParameter, match=r"transitions\[0\].style is 'explosion', must be one of basic"):
        material.composition(material.timeline(Shot(0, 0, 1, 0, 1), Shot(2, 0, 1, 0.5, 2), transitions=(span,)))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0.02, 3), st.floats(0, 0.9)), min_size=1, max_size=8), st.integers(1, 9))
def test_every_picture_is_composed_once(shots: list[tuple[float, float]], batch: int) -> None:
    """Whatever the times are, and however shots overlap."""
    made: list[Shot] = []
    at = 0.0
    for length, overlap in shots:
        begin = (
            max(at - overlap * min(length, made[-1].out_end - made[-1].out_start), made[-1].out_start) if made else 0.0
        )
        made.append(Shot(0, 0, 1, begin, max(begin + length, at)))
        at = made[-1].out_end
    timeline = Timeline(64, 64, "30000/1001", (Source("a", "image"),), tuple(made))
    if timeline.pictures < 1:
        return
    acts = compose._acts(timeline)
    chunks = compose._chunks(acts, batch)
    assert [number for first, stop in chunks for number in range(first, stop)] == list(range(timeline.pictures))
    for first, stop in chunks:
        playing = [act for act in acts if act.first < stop and act.stop > first]
        assert playing
        assert all(act.first <= first and stop <= act.stop for act in playing)


@pytest.mark.needs_media
def test_video_of_hdr_is_brought_to_the_display(media: Path) -> None:
    path = media / "videos" / "hlg10_colorchecker_1080p.mp4"
    info = probe(path)
    assert info.color.is_hdr
    timeline = Timeline(108, 108, "30", (Source("a", "video"),), (Shot(0, 0, 0.1, 0, 0.1),))
    made = next(iter(Composition(timeline, [path], infos=[info]))).data[0]
    with VideoReader(path, info=info, batch=1) as reader:
        signal = next(iter(reader)).data[0, :, :, 420:1500].float() / 65535
    curve = HDR_CURVES[info.color.transfer]
    small = torch.nn.functional.avg_pool2d(signal, 10)
    wanted = log_to_rec709(small.permute(1, 2, 0).double(), curve).permute(2, 0, 1) * 255
    assert psnr(made, wanted) > 30
    assert psnr(made, small * 255) < 25  # it changes much
