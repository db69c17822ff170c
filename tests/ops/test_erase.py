"""The loop that erases: pictures that nobody changes are the decoded ones, and of the others only the masked pixels differ."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.corpus.write import display_matrix
from tests.helpers import decode, write_clip
from vidprod.control import Control, Progress
from vidprod.errors import Cancelled
from vidprod.media.patch import Region, owned
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter
from vidprod.ops.erase import Patched, Tally, erase, fitting, like_decoded, region_of
from vidprod.ops.text_boxes import Box


class Recorder(VideoWriter):
    """Keeps the planes of what it is given, before they are encoded."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self.planes: list[list[np.ndarray]] = []
        self.upright: list[Tensor] = []
        self.whole: Region | None = None

    def write_native(self, frame: av.VideoFrame) -> None:
        copy = owned(frame)
        self.planes.append([np.array(plane, copy=True) for plane in map(_array, copy.planes)])
        if self.whole is not None:
            self.upright.append(self.whole.read(copy, self.tags))
        super().write_native(frame)


def _array(plane: Any) -> np.ndarray:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]


class Painter:
    """Paints a spot in the middle of its box red on every third picture, and keeps pictures back for a while."""

    def __init__(self, box: Box, delay: int = 5) -> None:
        self.box = box
        self._delay = delay
        self._held: list[Patched] = []
        self.seen: list[float] = []

    def push(self, index: int, second: Fraction, read: Callable[[], Tensor]) -> list[Patched]:
        self.seen.append(float(second))
        if index % 3:
            self._held.append(Patched(index))
        else:
            picture = read().clone()
            assert picture.shape == (3, self.box.height, self.box.width)
            mask = torch.zeros(picture.shape[1:], dtype=torch.bool)
            mask[4:8, 4:12] = True
            picture[:, mask] = torch.tensor([[255], [0], [0]], dtype=torch.uint8)
            self._held.append(Patched(index, picture, mask, 0.25))
        done, self._held = self._held[: -self._delay], self._held[-self._delay :]
        return done

    def finish(self) -> list[Patched]:
        done, self._held = self._held, []
        return done


def render(path: Path, out: Path, boxes: list[Box], **more: Any) -> tuple[Recorder, Tally, VideoInfo]:
    info = probe(path)
    painters = [Painter(fitting(region_of(info, box)), 3 + 4 * i) for i, box in enumerate(boxes)]
    with Recorder(out, **like_decoded(info, str(path), "ultrafast")) as writer:
        writer.whole = region_of(info, Box(0, 0, info.display_width, info.display_height))
        with VideoReader(path, info=info) as reader:
            tally = erase(reader, painters, writer, **more)
    return writer, tally, info


def run(path: Path, out: Path, eraser: Painter) -> None:
    info = probe(path)
    with VideoWriter(out, **like_decoded(info, str(path), "ultrafast")) as writer, VideoReader(path) as reader:
        erase(reader, [eraser], writer)


@pytest.fixture(scope="module")
def short(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("short") / "short.mp4", decode(clip, 20))


def test_without_erasers_the_decoded_pictures_are_encoded(short: Path, tmp_path: Path) -> None:
    writer, tally, _ = render(short, tmp_path / "out.mp4", [])
    with av.open(str(short)) as container:
        expected = [[_array(plane) for plane in frame.planes] for frame in container.decode(video=0)]
    assert tally == Tally(20, 0, 0, 0.0)
    for made, wanted in zip(writer.planes, expected, strict=True):
        for one, other in zip(made, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_only_masked_pixels_change(short: Path, tmp_path: Path) -> None:
    boxes = [Box(20, 30, 60, 60), Box(100, 10, 140, 50)]
    writer, tally, _ = render(short, tmp_path / "out.mp4", boxes)
    plain, _, _ = render(short, tmp_path / "plain.mp4", [])
    assert tally == Tally(20, 7, 7 * 2 * 32, 0.25 * 7 * 2 * 32)
    for index, (made, was) in enumerate(zip(writer.planes, plain.planes, strict=True)):
        changed = made[0] != was[0]
        allowed = np.zeros_like(changed)
        for box in boxes:
            if index % 3 == 0:
                allowed[box.top + 4 : box.top + 8, box.left + 4 : box.left + 12] = True
        assert not changed[~allowed].any()
        if index % 3 == 0:
            assert changed[allowed].mean() > 0.9
            for plane in (1, 2):
                assert not (made[plane] != was[plane])[~allowed[::2, ::2]].any()


@pytest.mark.parametrize(("rotation", "mirror"), [(0, True), (90, False), (180, False), (270, True)])
def test_turned_and_mirrored_pictures_stay_so(short: Path, rotation: int, mirror: bool, tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    with av.open(str(short)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_matrix(display_matrix(rotation, mirror, 176, 144))
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    info = probe(path)
    assert (info.rotation, info.mirrored) == (rotation, mirror)
    box = Box(20, 30, 60, 60)
    writer, _, _ = render(path, tmp_path / "out.mp4", [box])
    with VideoReader(path, bits=8) as reader, VideoReader(tmp_path / "out.mp4", bits=8) as made:
        before = torch.cat([frames.data for frames in reader])
        after = torch.cat([frames.data for frames in made])
    assert before.shape == after.shape
    spot = after[0, :, box.top + 5 : box.top + 7, box.left + 5 : box.left + 11].float().mean((1, 2))
    assert spot[0] > 200
    assert spot[1] < 60
    # the same way up as before, up to what x264 leaves of it
    assert (before[1].float() - after[1].float()).abs().mean() < 4
    inner = writer.upright[0][:, box.top + 5 : box.top + 7, box.left + 5 : box.left + 11].float().mean((1, 2))
    assert inner[0] > 240


def test_pictures_are_shown_when_they_are_done(short: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def look(second: Fraction, region: Region, read: Callable[[], Tensor], mask: Tensor) -> None:
        picture = read()
        assert int(mask.sum()) == 32
        assert picture.shape == (3, region.height, region.width)
        assert int(picture[0, 6, 8]) > 240
        seen.append(round(second * 25))

    render(short, tmp_path / "out.mp4", [Box(20, 30, 60, 60)], look=look)
    assert seen == [0, 3, 6, 9, 12, 15, 18]


def test_an_eraser_that_loses_a_picture_is_found_out(short: Path, tmp_path: Path) -> None:
    class Loses(Painter):
        def finish(self) -> list[Patched]:
            return []

    with pytest.raises(RuntimeError, match="5 pictures did not come back from the erasers, the first is 15"):
        run(short, tmp_path / "out.mp4", Loses(Box(0, 0, 32, 32)))
    assert not list(tmp_path.iterdir())


def test_a_rectangle_off_the_grid_is_refused(short: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not on the grid of the chroma"):
        run(short, tmp_path / "out.mp4", Painter(Box(1, 0, 32, 32)))


def test_cancelling_leaves_nothing(short: Path, tmp_path: Path) -> None:
    progress: list[Progress] = []
    with pytest.raises(Cancelled):
        render(short, tmp_path / "out.mp4", [], control=Control(progress.append, lambda: len(progress) == 1))
    assert [step.done for step in progress] == [8]
    assert not list(tmp_path.iterdir())
