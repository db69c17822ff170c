"""GenerateVideo: a short from videos, photographs and music, cut on the beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vidprod.actions.files import FileMember
from vidprod.actions.spec import ActionSpec, Params

MediaType = Literal["video", "audio", "image"]
Scene = Literal["costume", "general"]
Style = Literal["normal", "fast", "slow"]
TransitionStyle = Literal[
    "basic",
    "slow",
    "fast",
    "normal",
    "ink",
    "glitch",
    "shift",
    "mosaic",
    "shutter",
    "zoom",
    "mask",
    "brush",
    "wind",
    "smog",
]

MOST: Mapping[MediaType, int] = MappingProxyType({"video": 5, "image": 40, "audio": 1})
"""Files of each type at most."""

SUFFIXES: Mapping[MediaType, tuple[str, ...]] = MappingProxyType(
    {
        "video": (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"),
        "image": (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"),
        "audio": (".mp3", ".wav", ".m4a", ".ogg", ".flac"),
    }
)
"""File name endings by type, for files of which nothing else is said."""

DEFAULT_SIDE = 750


class MediaFile(FileMember):
    """One of the files."""

    ENDINGS = MappingProxyType({suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes})

    type: Annotated[MediaType, Field(description="what it holds; the content must agree")]


class GenerateVideoParams(Params):
    """Parameters of GenerateVideo."""

    file_list: Annotated[
        tuple[MediaFile, ...],
        Field(
            description=f"the material: up to {MOST['video']} videos (3 minutes of them), {MOST['image']} images, and "
            f"{MOST['audio']} audio file for the music"
        ),
    ]
    scene: Annotated[
        Scene,
        Field(
            description="costume: people and what they wear first, from the full figure to details; general: variety"
        ),
    ] = "costume"
    width: Annotated[
        int | None,
        Field(ge=32, le=2160, description="of the result, in pixels; default: the height, or 750 without one"),
    ] = None
    height: Annotated[
        int | None,
        Field(ge=32, le=2160, description="of the result, in pixels; default: the width, or 750 without one"),
    ] = None
    style: Annotated[Style, Field(description="the pace of the cuts")] = "normal"
    duration: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False, description="seconds of the result")] = 20.0
    duration_adaption: Annotated[bool, Field(description="the material decides how long it gets, not the duration")] = (
        False
    )
    transition_style: Annotated[
        TransitionStyle | None, Field(description="how shots follow each other; default: such as suit the style")
    ] = None
    smart_effect: Annotated[
        bool, Field(description="cuts on the beat, a pulse on each bar, and photographs that move")
    ] = True
    puzzle_effect: Annotated[bool, Field(description="now and then, several shots are seen side by side")] = False
    mute: Annotated[bool, Field(description="no sound")] = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the result."""
        return self.width or self.height or DEFAULT_SIDE, self.height or self.width or DEFAULT_SIDE

    @property
    def seconds(self) -> float | None:
        """How long the result is to be; None where the material decides."""
        return None if self.duration_adaption else self.duration

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        counts = Counter(file.type for file in self.file_list)
        for kind, most in MOST.items():
            if counts[kind] > most:
                raise ValueError(f"FileList has {counts[kind]} files of Type {kind}: at most {most} may be given")
        if counts["video"] + counts["image"] == 0:
            raise ValueError("FileList has no video and no image: there is nothing to show")
        return self


SPEC = ActionSpec(
    name="GenerateVideo",
    params=GenerateVideoParams,
    summary="Makes a short from videos, photographs and music, cut on the beat.",
    steps_module="vidprod.actions.steps.generate_video",
    cover=True,
    storyboard="vidprod.ops.timeline_board",
)
