"""YUV <-> RGB by swscale and by torch against exact arithmetic, on a real picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from tests.media import exact
from vidprod.media.color import (
    FULL,
    LIMITED,
    RGB,
    UNKNOWN,
    ColorTags,
    ToRGB,
    ToYUV,
    nv12_to_rgb,
    picture_from_rgb,
    rgb_to_yuv420,
    yuv_to_rgb,
)
from vidprod.media.reader import VideoReader
from vidprod.media.writer import VideoWriter

CONVERSIONS = [(m, r, b) for m in (1, 6, 9) for r in (LIMITED, FULL) for b in (8, 10)]


@pytest.fixture(scope="module")
def photo(bunny: Path) -> exact.Array:
    """(320, 400, 3) in 0..1, a real picture."""
    with av.open(str(bunny)) as file:
        frame = next(f for i, f in enumerate(file.decode(video=0)) if i == 100)
    return ToRGB(1280, 720, 8, ColorTags(1, 1, 1, 1))(frame)[120:440, 300:700].astype(np.float64) / 255


def _frame(planes: tuple[np.ndarray, ...], bits: int) -> av.VideoFrame:
    """Sent through lossless H.264, so that it comes with the chroma siting that decoders tell."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = planes[0].shape
    encoder.pix_fmt = "yuv420p" if bits == 8 else "yuv420p10le"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qp": "0", "preset": "ultrafast"}
    frame = av.VideoFrame.from_dlpack(planes, format=encoder.pix_fmt)
    frame.pts = 0
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    packets = [*encoder.encode(frame), *encoder.encode(None), None]
    (decoded,) = [f for packet in packets for f in decoder.decode(packet)]
    return decoded


@pytest.mark.parametrize(("matrix", "range", "bits"), CONVERSIONS)
def test_decoding_is_exact(photo: exact.Array, matrix: int, range: int, bits: int) -> None:
    planes = exact.codes(exact.to_yuv(photo, matrix, range == FULL, bits), bits)
    height, width = planes[0].shape
    y, u, v = (p.astype(np.float64) for p in planes)
    u, v = exact.double(u, height, width), exact.double(v, height, width)
    want = exact.to_rgb(y, u, v, matrix, range == FULL, bits)
    tags = ColorTags(range, matrix, 1, 1)
    out_bits, top = (8, 255) if bits == 8 else (16, 65535)

    got = ToRGB(width, height, out_bits, tags)(_frame(planes, bits)).astype(np.float64) / top
    error = (got - want) * 255
    # chroma of 10-bit pictures goes through a bicubic filter
    assert abs(error).mean() < (0.3 if bits == 8 else 0.25)
    assert abs(error.mean((0, 1))).max() < 0.05

    tensors = [torch.from_numpy(p)[None] for p in planes]
    by_torch = yuv_to_rgb(tensors[0], tensors[1], tensors[2], tags, bits=bits)[0].permute(1, 2, 0)
    assert abs(by_torch.to(torch.int32).numpy() / top - want).max() * top <= 0.52


@pytest.mark.parametrize(("matrix", "range", "bits"), CONVERSIONS)
def test_encoding_is_exact(photo: exact.Array, matrix: int, range: int, bits: int) -> None:
    top = 255 if bits == 8 else 65535
    data = torch.from_numpy(np.rint(photo * top).astype(np.uint8 if bits == 8 else np.uint16)).permute(2, 0, 1)
    y, u, v = exact.to_yuv(data.permute(1, 2, 0).to(torch.int32).numpy() / top, matrix, range == FULL, bits)
    want = y, exact.halve(u), exact.halve(v)
    tags = ColorTags(range, matrix, 1, 1)
    step = 1 << (bits - 8)

    for got, plane in zip(rgb_to_yuv420(data[None], tags, bits=bits), want, strict=True):
        assert abs(got[0].to(torch.int32).numpy() - plane).max() <= 0.52

    if range == FULL:
        return  # the writer leaves those to torch, since swscale's chroma is half a level off
    height, width = photo.shape[:2]
    frame = ToYUV(width, height, "yuv420p" if bits == 8 else "yuv420p10le", tags)(picture_from_rgb(data), tags)
    for part, plane in zip(frame.planes, want, strict=True):
        rows: Any = np.frombuffer(memoryview(part), np.uint8 if bits == 8 else np.uint16).reshape(part.height, -1)
        error = (rows[:, : part.width] - plane) / step
        assert abs(error).mean() < 0.3
        assert abs(error.mean()) < 0.05
    assert (frame.colorspace, frame.color_range) == (matrix, range)


@pytest.mark.parametrize("layout", ["interleaved", "planar"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_memory_layout_does_not_matter(layout: str, dtype: torch.dtype) -> None:
    top = torch.iinfo(dtype).max
    data = torch.randint(0, top + 1, (3, 34, 50), dtype=torch.int32).to(dtype)
    if layout == "interleaved":
        data = data.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    frame = picture_from_rgb(data)
    back = ToRGB(50, 34, 8 if dtype == torch.uint8 else 16, ColorTags(1, 1, 1, 1))(frame)
    expected = data.permute(1, 2, 0).to(torch.int32).numpy()
    assert abs(back.astype(int) * (1 if dtype == torch.uint8 else 65535 / 65280) - expected).max() <= 300 * (top > 255)


@pytest.mark.parametrize("name", ["yuv420p10le", "yuv422p10le", "yuv444p12le", "gray10le", "gbrp10le"])
@pytest.mark.parametrize("range", [LIMITED, FULL])
def test_white_is_65535_and_black_is_0(name: str, range: int) -> None:
    bits = int(name[-4:-2])
    step, top = 1 << (bits - 8), (1 << bits) - 1
    full = range == FULL or name.startswith("gbr")
    for wanted, luma in ((65535, top if full else 235 * step), (0, 0 if full else 16 * step)):
        frame = av.VideoFrame(32, 16, name)
        for i, plane in enumerate(frame.planes):
            code = luma if i == 0 or name.startswith("gbr") else 128 * step
            plane.update(np.full(plane.buffer_size // 2, code, np.uint16).tobytes())
        frame.color_range = range
        assert set(np.unique(ToRGB(32, 16, 16, ColorTags(range, 1, 1, 1))(frame))) == {wanted}


def test_bright_red_does_not_wrap_around() -> None:
    frame = av.VideoFrame(32, 16, "yuv420p10le")
    for plane, code in zip(frame.planes, (900, 512, 1000), strict=True):
        plane.update(np.full(plane.buffer_size // 2, code, np.uint16).tobytes())
    for range in (LIMITED, FULL):
        assert ToRGB(32, 16, 16, ColorTags(range, 1, 1, 1))(frame)[..., 0].min() == 65535


def test_p010_has_its_bits_on_top() -> None:
    y, u, v = (torch.randint(64, 940, (1, h, w), dtype=torch.int32) for h, w in ((16, 32), (8, 16), (8, 16)))
    tags = ColorTags(1, 9, 9, 16)
    planar = yuv_to_rgb(y.to(torch.uint16), u.to(torch.uint16), v.to(torch.uint16), tags, bits=10)
    uv = torch.stack([u, v], 3).flatten(2)
    semi = nv12_to_rgb((y << 6).to(torch.uint16), (uv << 6).to(torch.uint16), tags, bits=10)
    assert torch.equal(planar.to(torch.int32), semi.to(torch.int32))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 5), (4, 4), (17, 33)])
def test_any_size(size: tuple[int, int]) -> None:
    rgb = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    y, u, v = rgb_to_yuv420(rgb, ColorTags(1, 1, 1, 1))
    assert y.shape == (2, size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert u.shape == v.shape == (2, y.shape[1] // 2, y.shape[2] // 2)
    back = yuv_to_rgb(y, u, v, ColorTags(1, 1, 1, 1))
    assert back.shape == (2, 3, *y.shape[1:])
    grey = rgb[:, :1].expand(-1, 3, -1, -1)
    again = yuv_to_rgb(*rgb_to_yuv420(grey, ColorTags(1, 1, 1, 1)), ColorTags(1, 1, 1, 1))
    difference = again[:, :, : size[0], : size[1]].to(torch.int32) - grey.to(torch.int32)
    assert int(difference.abs().max()) <= 1


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuyv422", "rgb24", "yuva420p"])
def test_odd_sizes_are_padded_by_repeating_the_edge(name: str) -> None:
    picture = np.linspace(40, 200, 33 * 17 * 3).reshape(17, 33, 3).astype(np.uint8)
    source = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=name)
    tags = ColorTags(1, 6, 6, 6)
    out = ToYUV(34, 18, "yuv420p", tags)(source, tags)
    luma = np.frombuffer(memoryview(out.planes[0]), np.uint8).reshape(18, -1)[:, :34].astype(int)
    assert abs(luma[:, 33] - luma[:, 32]).max() <= 1
    assert abs(luma[17] - luma[16]).max() <= 1
    expected = ToRGB(33, 17, 8, tags)(source).astype(float) @ [0.299, 0.587, 0.114] * 219 / 255 + 16
    assert abs(luma[:17, :33] - expected).mean() < 1.5


def test_unknown_colours_are_guessed_by_height() -> None:
    assert ColorTags().resolved(720) == ColorTags(1, 1, 1, 1)
    assert ColorTags().resolved(576) == ColorTags(1, 6, 6, 6)
    assert ColorTags(FULL, RGB, UNKNOWN, UNKNOWN).resolved(1080) == ColorTags(FULL, 1, 1, 1)
    assert ColorTags(LIMITED, 9, 9, 18).resolved(240) == ColorTags(LIMITED, 9, 9, 18)
    assert ColorTags(0, 9).resolved(240) == ColorTags(LIMITED, 9, 9, 14)


@pytest.mark.parametrize(("matrix", "range", "bits"), CONVERSIONS)
def test_round_trip_through_files(
    photo: exact.Array, matrix: int, range: int, bits: int, clip: Path, tmp_path: Path
) -> None:
    """Decoded, written and decoded again: the colours stay, whatever the tags."""
    import dataclasses

    from vidprod.media.frames import Frames
    from vidprod.media.probe import probe

    like = dataclasses.replace(probe(clip), color=ColorTags(range, matrix, 1, 1), bits=bits)
    top = 255 if bits == 8 else 65535
    data = torch.from_numpy(np.rint(photo * top).astype(np.uint8 if bits == 8 else np.uint16)).permute(2, 0, 1)[None]
    for _ in (1, 2):  # the second generation is made from the decoded first
        out = tmp_path / "out.mp4"
        with VideoWriter(out, like=like, width=400, height=320, crf=2, preset="ultrafast") as writer:
            writer.write(Frames(data, (0,), like.time_base))
        with VideoReader(out) as reader:
            assert reader.info.color == ColorTags(range, matrix, 1, 1)
            (frames,) = list(reader)
        data = frames.data
        error = (data[0].permute(1, 2, 0).to(torch.int32).numpy() / top - photo) * 255
        assert abs(error).mean() < 1.5
        assert abs(error.mean((0, 1))).max() < 0.2


def test_eight_bits_from_sixteen_are_dithered(device: torch.device) -> None:
    """A slow ramp keeps its mean everywhere; what is a level already stays one."""
    ramp = torch.linspace(0.4, 0.42, 512)[None, None, None, :].expand(1, 3, 128, -1)
    data = (ramp * 65535).round().to(torch.int32).to(torch.uint16).to(device)
    y, u, v = (p.cpu().double() for p in rgb_to_yuv420(data, ColorTags(1, 1, 1, 1)))
    want = 16 + 219 * ramp[0, 0].double()
    means = [x.unfold(-2, 16, 16).unfold(-2, 16, 16).mean((-1, -2)) for x in (y[0], want)]
    assert float((means[0] - means[1]).abs().max()) < 0.06
    assert bool((u == 128).all() and (v == 128).all())
    for level, code in ((0, 16), (65535, 235)):
        flat = torch.full((1, 3, 32, 32), level, dtype=torch.int32).to(torch.uint16).to(device)
        assert bool((rgb_to_yuv420(flat, ColorTags(1, 1, 1, 1))[0] == code).all())


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("chroma", [(2, 2), (2, 1), (1, 1)])
def test_on_a_fake_gpu(fake_cuda: torch.device, bits: int, chroma: tuple[int, int]) -> None:
    kind = torch.uint8 if bits == 8 else torch.uint16
    y = torch.empty(2, 36, 64, dtype=kind, device=fake_cuda)
    c = torch.empty(2, 36 // chroma[1], 64 // chroma[0], dtype=kind, device=fake_cuda)
    rgb = yuv_to_rgb(y, c, c, ColorTags(2, 9, 9, 18), bits=bits)
    assert (rgb.shape, rgb.dtype, rgb.device.type) == ((2, 3, 36, 64), kind, "cuda")
    uv = torch.empty(2, 18, 64, dtype=kind, device=fake_cuda)
    assert nv12_to_rgb(y, uv, ColorTags(1, 1, 1, 1), bits=bits).device.type == "cuda"
    planes = rgb_to_yuv420(rgb, ColorTags(1, 1, 1, 1), bits=bits)
    assert [tuple(p.shape) for p in planes] == [(2, 36, 64), (2, 18, 32), (2, 18, 32)]
    assert all(p.dtype == kind and p.device.type == "cuda" for p in planes)
