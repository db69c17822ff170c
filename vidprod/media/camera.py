"""What a file's text tags tell about the camera and the film."""

from __future__ import annotations

import re

from vidprod.media import _opening
from vidprod.media.probe import VideoInfo

# Tags that stay true of a graded copy.
_KEPT = (
    "title",
    "artist",
    "author",
    "album",
    "comment",
    "copyright",
    "creation_time",
    "date",
    "description",
    "location",
)

# In order: the first that fits counts. The names are those of `ops.log_curves`.
_CURVES = (
    ("logc4", r"log-?\s?c\s?-?4"),
    ("logc3", r"log-?\s?c"),
    ("slog3", r"s-?log-?3"),
    ("vlog", r"v-?log"),
)


def tags(info: VideoInfo) -> dict[str, str]:
    """All text tags of the container and of the video stream, by name in small letters."""
    with _opening.open_input(str(info.path), max_pixels=None) as container:
        found = {**container.metadata, **container.streams[info.stream].metadata}
    return {name.lower(): str(value) for name, value in found.items()}


def kept(found: dict[str, str]) -> dict[str, str]:
    """Those of `tags` that a graded copy should have too."""
    return {name: found[name] for name in _KEPT if name in found}


def recorded_curve(found: dict[str, str]) -> str | None:
    """The log curve that `tags` name, None if they name none.

    ARRI writes `com.arri.camera.ColorGammaSxS: LOG-C`, recorders of other makers `com.apple.proapps.customgamma:
    com.panasonic.vlog`; so tags about gamma are believed, and free texts are not.
    """
    for name, value in found.items():
        if "gamma" not in name:
            continue
        for curve, pattern in _CURVES:
            if re.search(pattern, value.lower()):
                return curve
    return None
