"""`VideoReader` on real clips; the corpus has the awkward ones."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.sidedata.sidedata import Type

from tests.helpers import noise, write_clip
from vidprod.media import decode
from vidprod.media.color import ColorTags, ToRGB
from vidprod.media.frames import Frames
from vidprod.media.overlap import prefetch
from vidprod.media.probe import probe
from vidprod.media.qp import mean_qp
from vidprod.media.reader import VideoReader, upright


def test_frames_are_what_was_decoded(clip: Path) -> None:
    with VideoReader(clip, batch=7) as reader:
        batches = list(reader)
    assert [len(b) for b in batches] == [7] * 17 + [1]
    assert [b.index for b in batches] == [*range(0, 120, 7)]
    whole = Frames.cat(batches)
    assert (whole.data.dtype, tuple(whole.data.shape)) == (torch.uint8, (120, 3, 144, 176))
    assert batches[0].data.permute(0, 2, 3, 1).is_contiguous()
    assert reader.stats.notes() == ()
    with av.open(str(clip)) as file:
        convert = ToRGB(176, 144, 8, ColorTags(1, 6, 6, 6))
        for i, frame in enumerate(file.decode(video=0)):
            assert frame.pts == whole.pts[i]
            assert np.array_equal(whole.data[i].permute(1, 2, 0).numpy(), convert(frame))


def test_reading_twice_gives_the_same(clip: Path) -> None:
    with VideoReader(clip, stop=20) as reader:
        first, second = (Frames.cat(list(reader)) for _ in range(2))
    assert torch.equal(first.data, second.data)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (5, 5), (30, 47), (100, None), (119, 500), (120, None), (None, 3)])
@pytest.mark.parametrize("near", [0, 50])
def test_a_range(bikes: Path, start: int | None, stop: int | None, near: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_NEAR", near)
    with VideoReader(bikes, start=start, stop=stop) as reader:
        part = [(f.pts, f.to_ndarray().tobytes()) for f in reader.native()]
    with VideoReader(bikes, stop=250) as reader:
        assert part == [(f.pts, f.to_ndarray().tobytes()) for f in reader.native()][start:stop]


@pytest.mark.parametrize("bad", [{"batch": 0}, {"start": -1}, {"start": 5, "stop": 4}])
def test_bad_arguments(clip: Path, bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="got"):
        VideoReader(clip, **bad)  # type: ignore[arg-type]


def test_deep_pictures_on_request(clip: Path) -> None:
    with VideoReader(clip, stop=1) as shallow, VideoReader(clip, stop=1, bits=16) as deep:
        (a,), (b,) = list(shallow), list(deep)
    assert b.data.dtype == torch.uint16
    difference = b.data.to(torch.int32) / 257 - a.data.to(torch.int32)
    assert difference.abs().mean() < 0.6


def test_qp_follows_the_quantiser(tmp_path: Path) -> None:
    pictures = [p.permute(1, 2, 0).numpy() for p in noise(8, 64, 96)]
    for qp in (12, 30):
        options: Any = {"qp": str(qp), "x264-params": "ipratio=1:pbratio=1", "crf": "-1"}
        path = write_clip(tmp_path / f"{qp}.mp4", pictures, **options)
        with VideoReader(path, qp=True) as reader:
            (frames,) = list(reader)
            assert len(frames.qp) == 8
            assert all(q == pytest.approx(qp, abs=0.1) for q in frames.qp)
            assert [reader.qp_of(f) for f in reader.native()] == list(frames.qp)
    with VideoReader(path) as reader:
        assert next(iter(reader)).qp == ()
        assert reader.qp_of(next(reader.native())) is None


def test_qp_of_each_block_counts(clip: Path) -> None:
    """Against av's own, slow reading of the same structure."""
    with av.open(str(clip)) as file:
        stream = file.streams.video[0]
        stream.codec_context.options = {"export_side_data": "venc_params"}
        for i, frame in enumerate(file.decode(stream)):
            side_data: Any = frame.side_data
            blocks = side_data[Type.VIDEO_ENC_PARAMS]
            assert mean_qp(frame, "h264") == pytest.approx(float(blocks.qp_map().mean()))
            if i == 5:
                break


def test_leaving_early_closes_the_file(clip: Path) -> None:
    before = threading.active_count()
    with VideoReader(clip) as reader:
        for frames in reader:
            assert len(frames) == 8
            break
        with prefetch(reader) as batches:
            next(batches)
    assert threading.active_count() == before


def test_native_pictures_are_not_written_to(clip: Path) -> None:
    """The decoder predicts from them: the same pictures must come whether or not they were converted on the way."""
    with VideoReader(clip, stop=30) as reader:
        plain = [f.to_ndarray().tobytes() for f in reader.native()]
        watched = []
        convert = ToRGB(176, 144, 8, ColorTags(1, 6, 6, 6))
        for frame in reader.native():
            convert(frame)
            watched.append(frame.to_ndarray().tobytes())
    assert plain == watched


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_upright(turn: int, mirrored: bool, kind: type[np.generic]) -> None:
    picture = np.arange(5 * 7 * 3, dtype=kind).reshape(5, 7, 3)
    want = np.rot90(picture[:, ::-1] if mirrored else picture, -turn // 90)
    out = np.empty(want.shape, kind)
    upright(picture, turn, mirrored, out)
    assert np.array_equal(out, want)


@pytest.mark.needs_media
@pytest.mark.parametrize(
    ("name", "pictures"),
    [("cat_vfr_568x320.mp4", 149), ("seattle_handheld_640x360.avi", 496), ("stream_of_water.webm", 90)],
)
def test_real_files_of_other_kinds(media: Path, name: str, pictures: int) -> None:
    path = media / "videos" / name
    with av.open(str(path)) as file:
        times = [f.pts * f.time_base for f in file.decode(video=0) if f.pts is not None and f.time_base is not None]
    with VideoReader(path) as reader:
        found = [f.pts * reader.info.time_base for f in reader.native() if f.pts is not None]
    assert len(found) == pictures
    assert found == [t - reader.info.start for t in times]


def test_info_of_a_file_that_changed(clip: Path, tmp_path: Path) -> None:
    from vidprod.errors import FileDecode, FileDownload

    path = tmp_path / "a.mp4"
    path.write_bytes(clip.read_bytes())
    info = probe(path)
    path.write_bytes(b"something else")
    with pytest.raises(FileDecode):
        list(VideoReader(path, info=info))
    path.unlink()
    with pytest.raises(FileDownload):
        list(VideoReader(path, info=info))
    path.write_bytes(clip.read_bytes())
    with pytest.raises(FileDecode, match="cannot be opened again"):
        list(VideoReader(path, info=dataclasses.replace(info, stream=3)))
