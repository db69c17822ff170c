"""The whole corpus of awkward files through probe, reader and writer, checked by content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pytest
import torch

from tests.corpus import compare, readback, surgery
from tests.corpus.impostors import NAMES
from tests.corpus.pictures import Array, psnr
from tests.corpus.spec import Case
from tests.corpus.table import CASES, KNOWN_LIMITS, Corpus
from tests.corpus.watch import watch
from vidprod.errors import FileDownload, VidprodError
from vidprod.media import decode
from vidprod.media.frames import Frames
from vidprod.media.probe import VideoInfo, probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter

SOUND = [c for c in CASES if not c.expect.error and not c.expect.damaged]
DAMAGED = [c for c in CASES if c.expect.damaged and not c.expect.error]
REFUSED = [c for c in CASES if c.expect.error]


def _params(cases: Iterable[Case], check: str) -> list[object]:
    found: list[object] = []
    for case in cases:
        why = KNOWN_LIMITS.get((case.name, check))
        marks = [pytest.mark.xfail(reason=why, strict=True)] if why else []
        found.append(pytest.param(case, id=ascii(case.name)[1:-1], marks=marks))
    return found


def _ok(differences: Iterator[str]) -> None:
    found = list(differences)
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def infos() -> dict[str, VideoInfo]:
    """What was probed so far, so that each file is probed once."""
    return {}


def _info(case: Case, corpus: Corpus, infos: dict[str, VideoInfo]) -> VideoInfo:
    if case.name not in infos:
        infos[case.name] = probe(corpus.path(case))
    return infos[case.name]


def _images(frames: Frames) -> list[Array]:
    peak = np.iinfo(str(frames.data.dtype).removeprefix("torch.")).max
    values = frames.data.permute(0, 2, 3, 1).numpy()
    return [image.astype(np.float32) / np.float32(peak) for image in values]


def _read(reader: VideoReader) -> tuple[list[float], list[Array]]:
    seconds: list[float] = []
    images: list[Array] = []
    for frames in reader:
        seconds += [float(t) for t in frames.seconds]
        images += _images(frames)
    return seconds, images


@pytest.mark.parametrize("case", _params([*SOUND, *DAMAGED], "probe"))
def test_probe(case: Case, corpus: Corpus, infos: dict[str, VideoInfo]) -> None:
    info, expect = _info(case, corpus, infos), case.expect
    assert (info.display_width, info.display_height) == expect.size
    assert info.codec == expect.codec
    assert info.bits == expect.bits
    assert info.sample_aspect_ratio == expect.sar
    assert info.rotation == expect.rotation
    assert info.interlaced == expect.interlaced
    assert expect.container in ("", info.container)
    assert [(a.codec, a.channels) for a in info.audio] == [(a.codec, len(a.tones)) for a in expect.audio]
    assert info.subtitles == len(expect.subtitles)
    wanted = expect.tags
    assert (info.color.primaries, info.color.transfer) == (wanted.primaries, wanted.transfer)
    if expect.matrix:
        assert (info.color.range == 2) == (wanted.range == 2)
        resolved = info.color.resolved(info.height).matrix
        assert resolved == expect.matrix or {resolved, expect.matrix} == set(compare.BT601)


@pytest.mark.parametrize("case", _params(SOUND, "read"))
def test_read(case: Case, corpus: Corpus, infos: dict[str, VideoInfo]) -> None:
    """Every picture, upright and in its colours, at its time."""
    with VideoReader(corpus.path(case), info=_info(case, corpus, infos), batch=7) as reader:
        batches = list(reader)
        stats = reader.stats
    assert [b.index for b in batches] == list(range(0, len(case.expect.numbers), 7))
    assert str(batches[0].data.dtype) == ("torch.uint16" if case.expect.bits > 8 else "torch.uint8")
    images = [image for b in batches for image in _images(b)]
    _ok(compare.times([float(t) for b in batches for t in b.seconds], case.expect))
    _ok(compare.pictures(images, case.expect, case.expect.psnr))
    assert case.expect.repaired in (None, bool(stats.repaired or stats.splices))
    assert (stats.damaged, stats.concealed, stats.truncated) == (0, 0, False)
    if case.expect.bits > 8 and min(case.expect.size) > 64:
        assert len(np.unique(np.round(np.stack(images) * 65535))) > 300, "the low bits are lost"


@pytest.mark.parametrize("case", _params(SOUND, "range"))
def test_read_a_range(case: Case, corpus: Corpus, infos: dict[str, VideoInfo], monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is exactly what lies there in the whole, also when the reader jumps to it."""
    info, path, count = _info(case, corpus, infos), corpus.path(case), len(case.expect.numbers)
    with VideoReader(path, info=info) as reader:
        whole = Frames.cat(list(reader))
    monkeypatch.setattr(decode, "_NEAR", 0)
    for start, stop in {(0, count // 2), (count // 2, count), (count // 3, count - count // 3), (count - 1, count + 5)}:
        with VideoReader(path, info=info, start=start, stop=stop, batch=5) as reader:
            batches = list(reader)
        assert [t for b in batches for t in b.pts] == list(whole.pts[start:stop]), f"{start}..{stop}"
        assert [b.index for b in batches] == list(range(start, min(stop, count), 5))
        for got in batches:
            assert torch.equal(got.data, whole[got.index : got.index + len(got)].data), f"{start}..{stop}"


@pytest.mark.parametrize("case", _params(DAMAGED, "read"))
def test_read_damaged(case: Case, corpus: Corpus, infos: dict[str, VideoInfo]) -> None:
    """What damage did not reach is right and in its place; the damage is told."""
    with VideoReader(corpus.path(case), info=_info(case, corpus, infos)) as reader:
        seconds, images = _read(reader)
        stats = reader.stats
    _ok(compare.survivors(list(zip(seconds, images, strict=True)), case.expect, 38))
    assert bool(stats.notes()) != case.expect.only_sound, "damage must be reported"
    assert stats.truncated == case.expect.truncated


def _transcode(source: Path, info: VideoInfo, out: Path, *, native: bool) -> VideoReader:
    """A copy with hardly any loss; returns the reader for its stats."""
    with VideoReader(source, info=info) as reader:
        # The writer neither turns nor mirrors what it is given natively; it tells players to turn it.
        size: dict[str, Any] = {"width": info.width, "height": info.height, "rotation": info.rotation} if native else {}
        with VideoWriter(out, like=info, crf=6, preset="ultrafast", audio_from=info, threads=1, **size) as writer:
            if native:
                for frame in reader.native():
                    writer.write_native(frame)
            else:
                for frames in reader:
                    writer.write(frames)
    return reader


def _check_copy(out: Path, case: Case, *, turned: int = 0, codec: str = "h264") -> None:
    expect, found = case.expect, readback.read(out)
    coded = expect.size if turned % 180 == 0 else expect.size[::-1]
    even = tuple(s + s % 2 for s in coded)
    assert found.codec == codec
    if codec == "prores":
        assert (found.size, found.pix_fmt) == ((even[0], coded[1]), "yuv422p10le")
    else:
        wanted = "yuv420p10le" if expect.bits > 8 else "yuv420p"
        assert (found.size, found.pix_fmt.replace("yuvj", "yuv")) == (even, wanted)
    assert found.rotation % 360 == -turned % 360
    assert found.sar == (1 / expect.sar if turned % 180 else expect.sar)
    assert not found.interlaced
    assert "video" not in found.broken
    _ok(compare.tags(found, expect))
    images = [np.rot90(image[: coded[1], : coded[0]], -turned // 90) for image in found.pictures]
    _ok(compare.pictures(images, expect, expect.copied))
    _ok(compare.times(found.times, expect))
    # Where AVI leaves the place of the pictures open, the sound's is still certain.
    moved = found.times[0] - float(expect.times[0]) if expect.shed else 0.0
    _ok(compare.sounds(found, expect, moved))
    _ok(compare.texts(found, expect, moved))
    whole = found.pictures[0]
    inside = whole[: coded[1], : coded[0]]
    edges = np.pad(inside, ((0, whole.shape[0] - coded[1]), (0, whole.shape[1] - coded[0]), (0, 0)), mode="edge")
    outside = np.ones(whole.shape[:2], dtype=bool)
    outside[: coded[1], : coded[0]] = False
    assert not outside.any() or psnr(whole[outside], edges[outside]) > 30, "padding must repeat the edge"


@pytest.mark.parametrize("case", _params(SOUND, "mp4"))
def test_transcode_mp4(case: Case, corpus: Corpus, infos: dict[str, VideoInfo], tmp_path: Path) -> None:
    """Through RGB into MP4: everything that was in the file is in the copy, at its place."""
    _transcode(corpus.path(case), _info(case, corpus, infos), tmp_path / "out.mp4", native=False)
    _check_copy(tmp_path / "out.mp4", case)


@pytest.mark.parametrize("case", _params(SOUND, "mov"))
def test_transcode_native_mov(case: Case, corpus: Corpus, infos: dict[str, VideoInfo], tmp_path: Path) -> None:
    """Without RGB between, into MOV."""
    if case.expect.mirrored:
        pytest.skip("natively, a mirrored picture stays mirrored")
    _transcode(corpus.path(case), _info(case, corpus, infos), tmp_path / "out.mov", native=True)
    _check_copy(tmp_path / "out.mov", case, turned=case.expect.rotation)


@pytest.mark.slow
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("case", _params(SOUND, "others"))
def test_transcode_others(
    case: Case, native: bool, corpus: Corpus, infos: dict[str, VideoInfo], tmp_path: Path
) -> None:
    """The two combinations that the quick tests leave out."""
    if case.expect.mirrored and native:
        pytest.skip("natively, a mirrored picture stays mirrored")
    out = tmp_path / ("out.mp4" if native else "out.mov")
    _transcode(corpus.path(case), _info(case, corpus, infos), out, native=native)
    _check_copy(out, case, turned=case.expect.rotation if native else 0)


@pytest.mark.parametrize(("codec", "suffix"), [("hevc", "mp4"), ("hevc", "mov"), ("prores", "mov")])
@pytest.mark.parametrize(
    "name", ["b_frames.mp4", "vfr_phone.mp4", "sar_turned.mp4", "odd_161x121.webm", "hdr10_pq.mp4"]
)
def test_transcode_to_other_codecs(
    name: str,
    codec: Literal["hevc", "prores"],
    suffix: str,
    corpus: Corpus,
    infos: dict[str, VideoInfo],
    tmp_path: Path,
) -> None:
    """Times, shape and colour do not depend on the codec."""
    case = next(c for c in CASES if c.name == name)
    out = tmp_path / f"out.{suffix}"
    info = _info(case, corpus, infos)
    quality: dict[str, Any] = {"crf": 4, "preset": "ultrafast"} if codec == "hevc" else {}
    with (
        VideoReader(corpus.path(case), info=info) as reader,
        VideoWriter(out, like=info, codec=codec, audio_from=info, threads=1, **quality) as writer,
    ):
        for frames in reader:
            writer.write(frames)
    _check_copy(out, case, codec=codec)
    with av.open(str(out)) as file:
        assert file.streams.video[0].codec_context.codec_tag == ("hvc1" if codec == "hevc" else "apch")


@pytest.mark.parametrize("case", _params(DAMAGED, "copy"))
@pytest.mark.parametrize("suffix", ["mp4", pytest.param("mov", marks=pytest.mark.slow)])
def test_transcode_damaged(
    case: Case, suffix: str, corpus: Corpus, infos: dict[str, VideoInfo], tmp_path: Path
) -> None:
    """A file that plays comes out, with what could be saved at its place, sound included."""
    out = tmp_path / f"out.{suffix}"
    reader = _transcode(corpus.path(case), _info(case, corpus, infos), out, native=False)
    found = readback.read(out)
    assert "video" not in found.broken
    assert len(found.times) == reader.stats.pictures
    assert found.times[-1] < 4, "no source lasts longer than 3 s"
    assert all(length < 4 for length in found.lengths), found.lengths
    _ok(compare.survivors(list(zip(found.times, found.pictures, strict=True)), case.expect, 36))
    assert len(found.audio) == len(case.expect.audio)
    for heard, wanted in zip(found.audio, case.expect.audio, strict=True):
        # The first beep was recorded before the damage.
        assert heard.beeps[0] == pytest.approx(wanted.beeps[0], abs=compare.SOUND_OFF)


@pytest.mark.parametrize("case", _params(REFUSED, "refuse"))
def test_refused(case: Case, corpus: Corpus) -> None:
    """Refused with the documented code, in one line, and no other file opened."""
    path = corpus.path(case)
    assert case.expect.error
    with watch(*(corpus.folder / name for name in case.guards)) as opened, pytest.raises(case.expect.error) as caught:
        probe(path)
    assert not opened
    message = caught.value.message
    assert "\n" not in message
    assert len(message) < 300
    assert path.stem in message.encode(errors="replace").decode(errors="replace")


@pytest.mark.parametrize("case", _params([c for c in REFUSED if c.guards], "other doors"))
def test_no_other_door(case: Case, corpus: Corpus, infos: dict[str, VideoInfo], tmp_path: Path) -> None:
    """Who gets past the probe (a file replaced between probe and use) meets the same walls in reader and writer."""
    hostile = corpus.path(case)
    good = next(c for c in CASES if c.name == "plain.mp4")
    info = _info(good, corpus, infos)
    with watch(*(corpus.folder / name for name in case.guards)) as opened:
        with pytest.raises(VidprodError), VideoReader(hostile, info=replace(info, path=hostile)) as reader:
            list(reader)
        with pytest.raises(VidprodError):
            VideoWriter(tmp_path / "out.mp4", like=info, audio_from=hostile)
    assert not opened
    assert not list(tmp_path.iterdir())


def test_relative_names(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names with a meaning for FFmpeg mean nothing when they are given relative to the working folder."""
    named = [c for c in CASES if c.name in NAMES]
    for case in named:
        corpus.path(case)
    monkeypatch.chdir(corpus.folder)
    for case in named:
        assert probe(case.name).path.name == case.name
    corpus.path(next(c for c in CASES if c.name == "plain.mp4"))
    with watch(corpus.folder / "plain.mp4") as opened:
        for name in (
            "concat:plain.mp4|plain.mp4",
            "subfile,,start,0,end,0,,:plain.mp4",
            "file:plain.mp4",
            "cache:plain.mp4",
        ):
            with pytest.raises(FileDownload):
                probe(name)
    assert not opened


FUZZED = (
    "plain.mp4",
    "subtitles_two.mov",
    "chapters.mkv",
    "plain.ts",
    "plain.flv",
    "plain.webm",
    "plain.wmv",
    "packed.avi",
    "b_frames.mpg",
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", FUZZED)
def test_random_damage(name: str, seed: int, corpus: Corpus, tmp_path: Path) -> None:
    """Whatever is wrong with a file: either a copy comes out, or an error with a documented code and nothing else."""
    case = next(c for c in CASES if c.name == name)
    data = corpus.path(case).read_bytes()
    bad, out = tmp_path / f"bad{corpus.path(case).suffix}", tmp_path / "out.mp4"
    # Half of the seeds spoil the head, where the structure is.
    bad.write_bytes(surgery.noise(data, 0, 1 if seed % 2 else 0.1, 4 + 4 * seed, seed))
    try:
        _transcode(bad, probe(bad), out, native=False)
    except VidprodError:
        assert {p.name for p in tmp_path.iterdir()} == {bad.name}
    else:
        assert readback.read(out).times
