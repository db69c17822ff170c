"""What the numbers of a picture mean: `ColorTags`, and YUV <-> RGB by swscale (CPU) or torch (any device).

R'G'B' in this package is always full range and keeps the transfer function of the source: nothing here converts gamma or gamut.
Left alone, swscale takes every YUV picture for BT.601 at limited range, so matrix and range are always given explicitly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from av import VideoFrame
from av.filter import Graph
from av.video.reformatter import Interpolation, VideoReformatter
from torch import Tensor

from vidprod.media.dither import thresholds

# FFmpeg's numbers (libavutil/pixfmt.h), where they are needed by name.
LIMITED, FULL = 1, 2
RGB, BT709, UNKNOWN, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020 = 0, 1, 2, 4, 5, 6, 7, 9

# AVColorSpace -> (Kr, Kb), ITU-T H.273 table 4.
COEFFICIENTS: dict[int, tuple[float, float]] = {
    BT709: (0.2126, 0.0722),
    FCC: (0.30, 0.11),
    BT470BG: (0.299, 0.114),
    SMPTE170M: (0.299, 0.114),
    SMPTE240M: (0.212, 0.087),
    BT2020: (0.2627, 0.0593),
    10: (0.2627, 0.0593),  # BT.2020 constant luminance, decoded as non-constant as everyone does
}
# AVColorSpace -> swscale's own numbering, and -> the scale filter's names.
_SWS = {BT709: 1, FCC: 4, BT470BG: 5, SMPTE170M: 5, SMPTE240M: 7, BT2020: 9, 10: 9}
_SCALE_FILTER = {
    BT709: "bt709", FCC: "fcc", BT470BG: "bt470bg", SMPTE170M: "smpte170m", SMPTE240M: "smpte240m", BT2020: "bt2020", 10: "bt2020",
}  # fmt: skip
# Primaries and transfer that go with a matrix when the file does not say.
_COMPANIONS = {
    BT709: (1, 1),
    FCC: (4, 4),
    BT470BG: (5, 6),
    SMPTE170M: (6, 6),
    SMPTE240M: (7, 7),
    BT2020: (9, 14),
    10: (9, 14),
}

# Without these two flags swscale takes a short cut: nearest chroma, and results about one level too dark (mean error 1.2
# levels against 0.23, which is rounding alone).
_TO_RGB = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_TO_YUV_FLAGS = "bicubic+accurate_rnd+full_chroma_inp"


@dataclass(frozen=True)
class ColorTags:
    """Colour description of a video, as FFmpeg's enum values.

    Attributes:
        range: 1 limited (16..235), 2 full, 0 unknown.
        matrix: AVColorSpace: 1 BT.709, 5 and 6 BT.601, 9 BT.2020, 0 RGB, 2 unknown.
        primaries: AVColorPrimaries; 2 unknown.
        transfer: AVColorTransferCharacteristic; 1 BT.709, 16 PQ, 18 HLG, 2 unknown.
    """

    range: int = 0
    matrix: int = UNKNOWN
    primaries: int = UNKNOWN
    transfer: int = UNKNOWN

    def resolved(self, height: int) -> ColorTags:
        """The same with every unknown replaced by what players assume: BT.709 from 720 lines on, BT.601 below, limited range.

        A matrix that cannot be converted (RGB, YCgCo, ICtCp) counts as unknown.
        """
        known = self.matrix in COEFFICIENTS
        matrix = self.matrix if known else BT709 if height >= 720 else SMPTE170M
        primaries, transfer = _COMPANIONS[matrix]
        return ColorTags(
            range=FULL if self.range == FULL else LIMITED,
            matrix=matrix,
            primaries=primaries if self.primaries in (0, UNKNOWN) else self.primaries,
            transfer=transfer if self.transfer in (0, UNKNOWN) else self.transfer,
        )

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer function is PQ or HLG."""
        return self.transfer in (16, 18)


class ToRGB:
    """Decoded pictures -> RGB in memory, by swscale. Keeps its swscale context: use one per stream and thread."""

    def __init__(self, width: int, height: int, bits: int, tags: ColorTags) -> None:
        """`width` and `height` of the result (pictures of another size are scaled), `bits` 8 or 16, `tags` resolved."""
        self._size = width, height
        self._format = "rgb24" if bits == 8 else "rgb48le"
        self._dtype = np.dtype(np.uint8 if bits == 8 else "<u2")
        self._tags = tags
        self._swscale = VideoReformatter()
        self._expansion: npt.NDArray[Any] | None = None

    def __call__(self, frame: VideoFrame) -> npt.NDArray[Any]:
        """(H, W, 3) uint8 or uint16 over 0..65535."""
        width, height = self._size
        tags = tags_of(frame, self._tags)
        source: dict[str, int] = {}
        if not frame.format.is_rgb:
            source = {"src_colorspace": _SWS[tags.matrix], "src_color_range": tags.range}
        # Bilinear chroma, but for 16-bit results: swscale's bilinear code for those gives garbage.
        plain = self._dtype == np.uint8 and (frame.width, frame.height) == self._size
        picture = self._swscale.reformat(
            frame,
            width,
            height,
            self._format,
            dst_color_range=FULL,
            interpolation=int(_TO_RGB | (Interpolation.BILINEAR if plain else Interpolation.BICUBIC)),
            threads=1,
            **source,
        )
        plane = picture.planes[0]
        # The array keeps the plane, and so the picture, alive.
        rows = np.frombuffer(memoryview(plane), self._dtype, count=plane.line_size // self._dtype.itemsize * height)
        rgb = rows.reshape(height, -1)[:, : width * 3].reshape(height, width, 3)
        if frame.format.is_rgb:
            return rgb
        if self._dtype == np.uint16:
            rgb = _stretch(rgb, 8 if tags.range == LIMITED else frame.format.components[0].bits)
        if frame.format.name.startswith("gray") and tags.range == LIMITED:
            rgb = self._expand(rgb)
        return rgb

    def _expand(self, rgb: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Limited to full range: swscale takes every grey picture for full range, whatever it is told."""
        if self._expansion is None:
            top = np.iinfo(self._dtype).max
            codes = (np.arange(top + 1) * (255 / top) - 16) * (top / 219)
            self._expansion = np.clip(np.rint(codes), 0, top).astype(self._dtype)
        expanded: npt.NDArray[Any] = self._expansion[rgb]
        return expanded


def _stretch(rgb: npt.NDArray[Any], digits: int) -> npt.NDArray[Any]:
    """Brings white to 65535: swscale puts it at 255 << 8 from limited range, at (2^bits - 1) << (16 - bits) from full."""
    rgb = np.minimum(rgb, ((1 << digits) - 1) << (16 - digits))
    rgb += rgb >> digits
    return rgb


class ToYUV:
    """Pictures of any format -> the encoder's format, matrix and range, by swscale, with left-sited chroma."""

    def __init__(self, width: int, height: int, pix_fmt: str, tags: ColorTags) -> None:
        """What comes out; `tags` resolved. Smaller pictures are padded at the right and bottom by repeating the edge."""
        self._size = width, height
        self._pix_fmt = pix_fmt
        self._tags = tags
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()

    def __call__(self, frame: VideoFrame, source: ColorTags) -> VideoFrame:
        """`source`: what the numbers in `frame` mean (resolved); ignored for RGB. The result has no pts."""
        width, height = self._size
        if width - frame.width in (0, 1) and height - frame.height in (0, 1):
            frame = _padded(frame, width, height)
        key = (frame.width, frame.height, frame.format.name, source)
        if self._graph is None or key != self._key:
            self._graph, self._key = self._build(frame, source), key
        # swscale must not see tags that contradict the graph's
        frame.colorspace = RGB if frame.format.is_rgb else source.matrix
        frame.color_range = FULL if frame.format.is_rgb else source.range
        self._graph.vpush(frame)
        out = self._graph.vpull()
        tag(out, self._tags)
        return out

    def _build(self, frame: VideoFrame, source: ColorTags) -> Graph:
        width, height = self._size
        rgb = frame.format.is_rgb
        grey_as_is = frame.format.name.startswith("gray") and source.range == self._tags.range
        graph = Graph()
        graph.threads = 1
        nodes = [
            graph.add(
                "buffer",
                video_size=f"{frame.width}x{frame.height}",
                pix_fmt=frame.format.name,
                time_base="1/1000",
                pixel_aspect="1/1",
                colorspace=str(RGB if rgb else source.matrix),
                range=str(FULL if rgb else source.range),
            )
        ]
        scale = {
            "w": str(width),
            "h": str(height),
            "in_range": "full" if rgb or source.range == FULL else "limited",
            # "full" to "full" leaves the luma of grey pictures as it is, which swscale always takes for full range
            "out_range": "full" if self._tags.range == FULL or grey_as_is else "limited",
            "out_color_matrix": _SCALE_FILTER[self._tags.matrix],
            "out_chroma_loc": "left",
            "flags": _TO_YUV_FLAGS,
        }
        if not rgb:
            scale["in_color_matrix"] = _SCALE_FILTER[source.matrix]
        nodes += [graph.add("scale", **scale), graph.add("format", pix_fmts=self._pix_fmt), graph.add("buffersink")]
        graph.link_nodes(*nodes)
        graph.configure()
        return graph


def _padded(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """The frame with its last column or row repeated where it is one short. (FFmpeg's pad filter would cut an odd one off.)"""
    if (width, height) == (frame.width, frame.height):
        return frame
    name = frame.format.name
    parts = frame.format.components
    planar = len(frame.planes) == len(parts) and not name.endswith("be") and not frame.format.has_palette
    if not planar and name not in ("rgb24", "rgb48le"):
        frame = VideoReformatter().reformat(frame, format="rgb48le" if max(c.bits for c in parts) > 8 else "rgb24")
        name = frame.format.name
    samples = 1 if planar else 3  # per pixel of a plane
    dtype = np.dtype("<u2" if max(c.bits for c in parts) > 8 else np.uint8)
    planes: list[npt.NDArray[Any]] = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), dtype, count=plane.line_size // dtype.itemsize * plane.height)
        picture = rows.reshape(plane.height, -1)[:, : plane.width * samples].reshape(plane.height, plane.width, samples)
        # a subsampled plane may have its last column already
        x = width // 2 if plane.width < frame.width else width
        y = height // 2 if plane.height < frame.height else height
        picture = np.pad(picture, ((0, y - plane.height), (0, x - plane.width), (0, 0)), mode="edge")
        planes.append(picture[..., 0] if planar else picture)
    if planar:
        return VideoFrame.from_dlpack(tuple(map(np.ascontiguousarray, planes)), format=name)
    return VideoFrame.from_numpy_buffer(planes[0], format=name)


def tags_of(frame: VideoFrame, fallback: ColorTags) -> ColorTags:
    """What a frame's numbers mean; `fallback` (resolved) tells what the frame does not. They may change within a stream."""
    return ColorTags(
        range=frame.color_range if frame.color_range in (LIMITED, FULL) else fallback.range,
        matrix=frame.colorspace if frame.colorspace in COEFFICIENTS else fallback.matrix,
        primaries=fallback.primaries,
        transfer=fallback.transfer,
    )


def tag(frame: VideoFrame, tags: ColorTags) -> None:
    """Writes `tags` on a frame; encoders read them there too."""
    frame.color_range, frame.colorspace = tags.range, tags.matrix
    frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer


def picture_from_rgb(data: Tensor) -> VideoFrame:
    """(3, H, W) uint8 or uint16 on the CPU -> a frame for swscale.

    8-bit pictures whose memory is (H, W, 3) or (3, H, W) are not copied.
    """
    wide = data.dtype == torch.uint16
    picture = data.numpy()
    if wide:
        picture = picture - (picture >> 8)  # white is 255 << 8 to swscale
    packed = picture.transpose(1, 2, 0)
    if packed.flags.c_contiguous:
        return VideoFrame.from_numpy_buffer(packed, format="rgb48le" if wide else "rgb24")
    r, g, b = np.ascontiguousarray(picture)
    return VideoFrame.from_dlpack((g, b, r), format="gbrp16le" if wide else "gbrp")


# ---------------------------------------------------------------- on the device


def _matrix(tags: ColorTags, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """(3, 3) and (3,): RGB in 0..1 = M @ (YUV - offset), for YUV as fractions of the largest code of 8 bits."""
    kr, kb = COEFFICIENTS[tags.matrix]
    kg = 1 - kr - kb
    luma, chroma, black = (1.0, 1.0, 0.0) if tags.range == FULL else (255 / 219, 255 / 224, 16 / 255)
    rows = [
        [luma, 0.0, 2 * (1 - kr) * chroma],
        [luma, -2 * kb * (1 - kb) / kg * chroma, -2 * kr * (1 - kr) / kg * chroma],
        [luma, 2 * (1 - kb) * chroma, 0.0],
    ]
    return torch.tensor(rows, dtype=dtype, device=device), torch.tensor(
        [black, 128 / 255, 128 / 255], dtype=dtype, device=device
    )


def _fractions(plane: Tensor, bits: int) -> Tensor:
    """Codes of `bits` bits -> float32 fractions of the largest 8-bit code. Limited-range codes of n bits are 8-bit codes << n-8."""
    return plane.float() * (1.0 / (255 << (bits - 8)))


def _upsample(chroma: Tensor, height: int, width: int) -> Tensor:
    """(N, 2, h, w) -> (N, 2, H, W), bilinear; chroma lies between two rows, and on the left one of two columns."""
    n, c, h, w = chroma.shape
    if h != height:
        up = torch.cat([chroma[:, :, :1], chroma, chroma[:, :, -1:]], 2)
        even, odd = up[:, :, 1:-1] * 0.75 + up[:, :, :-2] * 0.25, up[:, :, 1:-1] * 0.75 + up[:, :, 2:] * 0.25
        chroma = torch.stack([even, odd], 3).reshape(n, c, 2 * h, w)[:, :, :height]
    if w != width:
        right = torch.cat([chroma[..., 1:], chroma[..., -1:]], 3)
        chroma = torch.stack([chroma, (chroma + right) * 0.5], 4).reshape(n, c, chroma.shape[2], 2 * w)[..., :width]
    return chroma


def yuv_to_rgb(
    y: Tensor, u: Tensor, v: Tensor, tags: ColorTags, *, bits: int = 8, out_bits: int | None = None
) -> Tensor:
    """Planar 4:2:0, 4:2:2 or 4:4:4 -> (N, 3, H, W) R'G'B', computed in float32 on the planes' device.

    Args:
        y: (N, H, W) uint8 or uint16.
        u: (N, h, w), as `v`; h and w tell the subsampling.
        v: see `u`.
        tags: resolved matrix and range.
        bits: significant bits of the planes (8, 10, 12; in the low bits).
        out_bits: 8 for uint8, 16 for uint16; by default 8 for 8-bit planes.
    """
    height, width = y.shape[1:]
    chroma = _upsample(torch.stack([_fractions(u, bits), _fractions(v, bits)], 1), height, width)
    yuv = torch.cat([_fractions(y, bits)[:, None], chroma], 1)
    if tags.range == FULL and bits > 8:
        # the largest code of n bits is 2^n - 1, not 255 << n-8; the middle of chroma stays 1 << n-1
        scale = (255 << (bits - 8)) / ((1 << bits) - 1)
        middle = torch.tensor([0.0, 128 / 255, 128 / 255], device=y.device).view(3, 1, 1)
        yuv = (yuv - middle) * scale + middle
    matrix, offset = _matrix(tags, yuv.dtype, yuv.device)
    rgb = F.conv2d(yuv - offset.view(3, 1, 1), matrix.view(3, 3, 1, 1))
    return _quantise(rgb, out_bits or (8 if bits == 8 else 16))


def nv12_to_rgb(y: Tensor, uv: Tensor, tags: ColorTags, *, bits: int = 8, out_bits: int | None = None) -> Tensor:
    """Semi-planar 4:2:0 -> (N, 3, H, W). `y` (N, H, W), `uv` (N, H/2, W) or (N, H/2, W/2, 2); P010 has its 10 bits on top."""
    uv = uv.reshape(uv.shape[0], uv.shape[1], -1, 2)
    if y.dtype == torch.uint8:
        return yuv_to_rgb(y, uv[..., 0], uv[..., 1], tags, bits=8, out_bits=out_bits)
    # P010/P016: shift down in int32, since few operations know uint16
    y, u, v = (p.to(torch.int32) >> (16 - bits) for p in (y, uv[..., 0], uv[..., 1]))
    return yuv_to_rgb(y, u, v, tags, bits=bits, out_bits=out_bits)


def rgb_to_yuv420(rgb: Tensor, tags: ColorTags, *, bits: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 3, H, W) uint8 or uint16 -> planes y (N, H', W'), u, v (N, H'/2, W'/2) with H', W' even, left-sited chroma.

    Odd sizes are padded by repeating the edge. Planes are uint8, or uint16 with `bits` significant low bits. Eight bits from
    sixteen are dithered.
    """
    _, _, height, width = rgb.shape
    x = rgb.float() * (1 / 255 if rgb.dtype == torch.uint8 else 1 / 65535)
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
    kr, kb = COEFFICIENTS[tags.matrix]
    weights = torch.tensor([kr, 1 - kr - kb, kb], dtype=x.dtype, device=x.device).view(3, 1, 1)
    y = (x * weights).sum(1, keepdim=True)
    chroma = torch.cat([(x[:, 2:] - y) / (2 * (1 - kb)), (x[:, :1] - y) / (2 * (1 - kr))], 1)
    chroma = (chroma[:, :, 0::2] + chroma[:, :, 1::2]) * 0.5
    left = torch.cat([chroma[..., :1], chroma[..., 1:-1:2]], 3)
    chroma = chroma[..., 0::2] * 0.5 + (left + chroma[..., 1::2]) * 0.25
    top = (1 << bits) - 1
    step = 1 << (bits - 8)
    if tags.range == FULL:
        y, chroma = y * top, chroma * top + (128 << (bits - 8))
    else:
        y, chroma = y * (219 * step) + 16 * step, chroma * (224 * step) + 128 * step
    dtype = torch.uint8 if bits == 8 else torch.uint16
    if bits == 8 and rgb.dtype == torch.uint16:
        # the middle of a threshold's range is rounding, which follows
        y, chroma = (p + (thresholds(p.shape[2], p.shape[3], p.device) - 0.5) for p in (y, chroma))
    y, chroma = (_round(p, top, dtype) for p in (y, chroma))
    return y[:, 0], chroma[:, 0], chroma[:, 1]


def _quantise(rgb: Tensor, bits: int) -> Tensor:
    top = (1 << bits) - 1
    return _round(rgb * top, top, torch.uint8 if bits == 8 else torch.uint16)


def _round(x: Tensor, top: int, dtype: torch.dtype) -> Tensor:
    x = x.round().clamp_(0, top)
    # uint16 has few kernels; int32 -> uint16 is one of them
    return x.to(dtype) if dtype == torch.uint8 else x.to(torch.int32).to(dtype)
