"""The ways to and from a GPU, as far as they can be walked without one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import av
import pytest
import torch

from tests.helpers import noise
from vidprod.media import hardware
from vidprod.media.color import ColorTags
from vidprod.media.frames import Frames
from vidprod.media.hardware import Abilities, ToDevice, ToEncoder, abilities, decoder_for, to_host
from vidprod.media.probe import probe
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter

CPU = torch.device("cpu")


def test_the_cpu_has_no_video_engines(clip: Path) -> None:
    assert abilities(CPU) == Abilities(decode=False, encoders=frozenset())
    assert decoder_for(probe(clip), CPU) is None


def test_what_nvdec_is_asked_for(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "abilities", lambda _: Abilities(decode=True))
    monkeypatch.setattr(hardware, "_accelerator", lambda _: "accelerator")
    info, device = probe(clip), torch.device("cuda")
    assert decoder_for(info, device) is not None
    for change in (
        {"interlaced": True},
        {"pix_fmt": "yuv444p"},
        {"pix_fmt": "yuv420p12le"},
        {"pix_fmt": "rgb24"},
        {"width": 175},
        {"codec": "mpeg4"},
    ):
        assert decoder_for(dataclasses.replace(info, **change), device) is None


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_uploaded_pictures_are_those_of_the_cpu_path(clip: Path, turn: int, mirrored: bool) -> None:
    info = dataclasses.replace(probe(clip), rotation=turn, mirrored=mirrored)
    with VideoReader(clip, info=info, stop=5, batch=5) as reader:
        (want,) = list(reader)
        convert = ToDevice(info, CPU, 8, 5)
        for frame in reader.native():
            convert.add(frame)
    assert (convert.take().to(torch.int32) - want.data.to(torch.int32)).abs().max() <= 2


def test_unusual_pictures_in_the_middle(clip: Path) -> None:
    """Those with other tags, or that are not planar YUV at all, are converted one by one."""
    with VideoReader(clip, stop=4, batch=4) as reader:
        (want,) = list(reader)
        convert = ToDevice(reader.info, CPU, 8, 4)
        for i, frame in enumerate(reader.native()):
            convert.add(frame.reformat(format="rgb24") if i == 2 else frame)
    got = convert.take()
    for i in (0, 1, 3):
        assert (got[i].to(torch.int32) - want.data[i].to(torch.int32)).abs().max() <= 2
    assert (got[2].to(torch.int32) - want.data[2].to(torch.int32)).abs().float().mean() < 3


@pytest.mark.parametrize("bits", [8, 10])
def test_upload_to_a_fake_gpu(clip: Path, bits: int, fake_cuda: torch.device) -> None:
    info = probe(clip)
    name = "yuv420p" if bits == 8 else "yuv420p10le"
    info = dataclasses.replace(info, pix_fmt=name, bits=bits, rotation=90, mirrored=True)
    convert = ToDevice(info, fake_cuda, 8 if bits == 8 else 16, 4)
    with torch.utils._python_dispatch._disable_current_modes():  # the pictures themselves are real
        for _ in range(3):
            convert.add(av.VideoFrame(176, 144, name))
    data = convert.take()
    assert (data.device.type, tuple(data.shape)) == ("cuda", (3, 3, 176, 144))
    assert data.dtype == (torch.uint8 if bits == 8 else torch.uint16)


@pytest.mark.parametrize("bits", [8, 10])
def test_pictures_for_a_software_encoder(bits: int) -> None:
    rgb = noise(3, 35, 63)
    frames = ToEncoder(CPU).host_frames(rgb, ColorTags(1, 1, 1, 1), bits=bits)
    assert [(f.width, f.height, f.format.name, f.colorspace) for f in frames] == [
        (64, 36, "yuv420p" if bits == 8 else "yuv420p10le", 1)
    ] * 3


def test_host_memory_is_plain_without_a_gpu() -> None:
    assert not hardware.host_memory((3, 4), torch.uint8, torch.device("cuda")).is_pinned()
    tensor = noise(1)
    assert to_host(tensor) is tensor


@pytest.mark.needs_cuda
def test_read_on_the_gpu(bunny: Path) -> None:
    with VideoReader(bunny, stop=40) as host, VideoReader(bunny, stop=40, device="cuda") as device:
        want, got = Frames.cat(list(host)), Frames.cat(list(device))
    assert got.data.is_cuda
    assert got.pts == want.pts
    difference = (got.data.cpu().to(torch.int32) - want.data.to(torch.int32)).abs()
    assert difference.float().mean() < 0.6


@pytest.mark.needs_cuda
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_write_from_the_gpu(bunny: Path, tmp_path: Path, codec: str) -> None:
    out = tmp_path / "out.mp4"
    with VideoReader(bunny, stop=40, device="cuda") as reader:
        wanted = Frames.cat(list(reader))
        with VideoWriter(out, like=reader.info, codec=codec, crf=10, device="cuda", audio_from=bunny) as writer:  # type: ignore[arg-type]
            writer.write(wanted)
    with VideoReader(out) as reader:
        got = Frames.cat(list(reader))
    assert got.seconds == wanted.seconds
    assert (got.data.to(torch.int32) - wanted.data.cpu().to(torch.int32)).abs().float().mean() < 3
