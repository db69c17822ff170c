"""Footage and photographs for measuring grades: none of it was trained on. Small pictures of each scene."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]  # (N, H, W, 3) or (H, W, 3) R'G'B'

SIDE = 160
# file: (kind, seconds at which a shot begins and ends)
CLIPS: dict[str, tuple[str, float, float]] = {
    "friday_bw_film_480p.mp4": ("black-and-white film", 0, 6),
    "flower_field_540p_17s.mp4": ("film", 4, 12),
    "psd_testvideo_720p_24s.mp4": ("film", 2, 5),
    "sintel_trailer_848x480_26s.mp4": ("animation", 21, 24),
    "promo_vertical_12s.mov": ("animation", 3, 10),
    "kohlipe_drone_hevc_37s.mp4": ("drone", 0, 12),
    "lofoten_drone_1024x750.mp4": ("drone", 0, 4),
    "phone_roof_pan_360p_17s.mp4": ("phone", 0, 8),
    "selfie_rot90_hevc.mp4": ("phone", 0, 1.8),
    "seattle_handheld_640x360.avi": ("phone", 6, 12),
    "cat_vfr_568x320.mp4": ("phone", 0, 5),
    "cockatoo_720p_yuv444.mp4": ("phone", 9, 12),
    "carphone_qcif.mp4": ("face", 0, 4),
    "marathon_720x400.mp4": ("street", 0, 5),
    "stream_of_water.webm": ("nature", 0, 3),
    "rot90_10bit_hevc_1080p.mp4": ("HLG", 0, 2.5),
    "hlg10_colorchecker_1080p.mp4": ("HLG", 0, 0.3),
    "roadtrip_vp9_10bit_subtitle.webm": ("HLG", 0, 3),
}
PHOTOS = ("islands_4000x3000.jpg", "lake_crater_4000x3000.jpg", "pano_4000x1020.jpg")


@dataclass(frozen=True, eq=False)
class Scene:
    """A shot: `pictures` (N, H, W, 3) uint8, at most 160 pixels long; one for a photograph."""

    name: str
    kind: str
    pictures: Bytes

    @property
    def still(self) -> bool:
        """Whether it is a photograph."""
        return len(self.pictures) == 1


def shot(path: Path, first: float, last: float, count: int) -> Bytes:
    """`count` pictures of a clip between two moments, evenly spread, in seconds; unknown colours taken as players do."""
    from vidprod.media.color import ToRGB
    from vidprod.media.reader import VideoReader

    small: list[Bytes] = []
    with VideoReader(path) as reader:
        info = reader.info
        convert = ToRGB(info.width, info.height, 8, info.color.resolved(info.height))
        scale = SIDE / max(info.width, info.height)
        size = tuple(round(n * scale / 2) * 2 for n in (info.width, info.height))
        wanted = list(np.linspace(first, last, count, endpoint=False))
        for frame in reader.native():
            assert frame.pts is not None
            second = float(frame.pts * info.time_base)
            if second < wanted[0]:
                continue
            small.append(np.asarray(cv2.resize(convert(frame), size, interpolation=cv2.INTER_AREA), np.uint8))
            while wanted and wanted[0] <= second:
                wanted.pop(0)
            if not wanted:
                break
    return np.stack(small)


def scenes(media: Path, count: int = 3) -> list[Scene]:
    """All of them, clips first."""
    found = [
        Scene(name.split("_")[0], kind, shot(media / "videos" / name, first, last, count))
        for name, (kind, first, last) in CLIPS.items()
    ]
    photos = [*sorted((media / "sr" / "Kodak24").glob("*.png"))[::3], *(media / "photos" / name for name in PHOTOS)]
    for path in photos:
        picture = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
        assert picture is not None, path
        scale = SIDE / max(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[..., ::-1]
        found.append(Scene(path.stem.split("_")[0], "photograph", np.ascontiguousarray(picture)[None].astype(np.uint8)))
    return found


def coded(pictures: Bytes) -> Bytes:
    """The pictures after H.264 at CRF 16: 4:2:0, 8 bits, limited range, BT.709."""
    n, height, width, _ = pictures.shape
    even = pictures[:, : height // 2 * 2, : width // 2 * 2]
    flags = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
    scaler = VideoReformatter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coded.mkv"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", rate=25, options={"crf": "16", "preset": "veryfast", "threads": "1"})
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width, stream.pix_fmt = even.shape[1], even.shape[2], "yuv420p"
            for i, picture in enumerate(even):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
                frame = scaler.reformat(
                    frame, format="yuv420p", dst_colorspace=1, dst_color_range=1, src_color_range=2, interpolation=flags
                )
                frame.pts, frame.time_base = i, Fraction(1, 25)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        back = []
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                rgb = scaler.reformat(
                    frame, format="rgb24", src_colorspace=1, src_color_range=1, dst_color_range=2, interpolation=flags
                )
                back.append(rgb.to_ndarray())
    result = pictures.copy()
    result[:, : even.shape[1], : even.shape[2]] = np.stack(back)[:n]
    return result
