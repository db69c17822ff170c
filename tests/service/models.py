"""Parameter sets of all the cloud's actions, as samples for reading values. The real ones stand in `vidprod.actions`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from vidprod.actions.spec import FileUrl, Params, VideoUrl

URL = "http://h/a.mp4"
Side = Annotated[int, Field(ge=32, le=2160)]
Share = Annotated[float, Field(ge=0, le=1)]
Colour = Annotated[int, Field(ge=0, le=255)]


class AbstractEcommerceVideo(Params):
    video_url: VideoUrl
    duration: Annotated[float, Field(gt=0)]
    width: Side | None = None
    height: Side | None = None


class AbstractFilmVideo(Params):
    video_url: VideoUrl
    length: Annotated[int, Field(gt=1)]


class EraseVideoSubtitles(Params):
    video_url: VideoUrl
    bx: Annotated[float, Field(alias="BX", ge=0, le=1)] = 0.0
    by: Annotated[float, Field(alias="BY", ge=0, le=1)] = 0.75
    bw: Annotated[float, Field(alias="BW", ge=0, le=1)] = 1.0
    bh: Annotated[float, Field(alias="BH", ge=0, le=1)] = 0.25


class Box(Params):
    x: Share = 0.0
    y: Share = 0.0
    w: Share
    h: Share


class EraseVideoLogo(Params):
    video_url: VideoUrl
    boxes: tuple[Box, ...] = ()


class ChangeVideoSize(Params):
    video_url: VideoUrl
    width: Side
    height: Side
    crop_type: Literal["smart", "fill", "cut"] = "smart"
    fill_type: Literal["image", "color", "stretch"] = "image"
    tightness: Share = 0.6
    r: Colour = 0
    g: Colour = 0
    b: Colour = 0


class SuperResolveVideo(Params):
    video_url: VideoUrl
    bit_rate: Annotated[int | None, Field(ge=1, le=100)] = None


class AdjustVideoColor(Params):
    video_url: VideoUrl
    mode: Literal["LogC", "Rec709"] = "LogC"
    video_bitrate: Annotated[str | None, Field(pattern=r"^[1-9][0-9]*[kKmM]?$")] = None
    video_codec: Literal["h264", "hevc", "prores"] = "h264"
    video_format: Literal["mov", "mp4"] = "mov"


class MediaFile(Params):
    file_name: str
    file_url: Annotated[str, FileUrl()]
    type: Literal["video", "audio", "image"]


class GenerateVideo(Params):
    file_list: Annotated[list[MediaFile], Field(max_length=46)]
    scene: Literal["costume", "general"] = "costume"
    width: Side | None = None
    height: Side | None = None
    style: Literal["normal", "fast", "slow"] = "normal"
    duration: Annotated[float, Field(ge=5, le=60)] = 20.0
    duration_adaption: bool = False
    transition_style: str | None = None
    smart_effect: bool = True
    puzzle_effect: bool = False
    mute: bool = False


class GetAsyncJobResult(Params):
    job_id: str


ACTIONS: dict[str, type[Params]] = {
    kind.__name__: kind
    for kind in (
        AbstractEcommerceVideo,
        AbstractFilmVideo,
        EraseVideoSubtitles,
        EraseVideoLogo,
        ChangeVideoSize,
        SuperResolveVideo,
        AdjustVideoColor,
        GenerateVideo,
    )
}


# --- types that no action has yet -------------------------------------------------------------------------------------


class Kind(StrEnum):
    ONE = "one"


class Part(Params):
    sizes: tuple[int, ...] = ()
    note: str | None = None


class Layer(Params):
    parts: list[Part]
    frame: Box | None = None


class Scalars(Params):
    """One of each."""

    whole: int = 0
    real: float = 0.0
    yes: bool = False
    words: str = "none"
    kind: Kind | None = None
    rate: int | str | None = None
    number: int | float | None = None
    layers: tuple[Layer, ...] = ()
    extra: Annotated[str, FileUrl()] | None = None
