"""Lists of shots for other programs: CSV, an edit decision list (CMX3600), OpenTimelineIO.

Sources: CMX 3600 as editing programs read it (eight digits of timecode, three of event, reel AX); OpenTimelineIO's serialised
schema, https://opentimelineio.readthedocs.io/en/latest/tutorials/otio-serialized-schema.html.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from vidprod.errors import InvalidParameter
from vidprod.ops.shots import Shot, ShotPlan, Transition

FORMATS = ("json", "csv", "edl", "otio")
_MOST_EVENTS = 999_999
_DROPPED: Mapping[Fraction, int] = MappingProxyType({Fraction(30000, 1001): 2, Fraction(60000, 1001): 4})
# Numbers that drop-frame timecode leaves out at the start of every minute but each tenth.


def timecode(frame: int, rate: Fraction) -> str:
    """Timecode of a picture, counted from 0: `hh:mm:ss:ff`; at 29.97 and 59.94 a second with dropped numbers, `hh:mm:ss;ff`.

    Dropping numbers keeps it with the clock. Other rates count up to the rounded rate. Beyond 24 hours it starts again.
    """
    if frame < 0:
        raise ValueError(f"frame must be at least 0, got {frame}")
    nominal = round(rate)
    dropped = _DROPPED.get(rate, 0)
    if dropped:
        minute = nominal * 60 - dropped
        tens, rest = divmod(frame, 10 * minute + dropped)
        frame += 9 * dropped * tens + dropped * max(0, (rest - dropped) // minute)
    seconds, pictures = divmod(frame, nominal)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}:{seconds:02}{';' if dropped else ':'}{pictures:02}"


def export(plan: ShotPlan, form: str, *, video: str, rate: Fraction) -> str:
    """The text of a file.

    Args:
        plan: the shots.
        form: one of `FORMATS`.
        video: path or URL of the file that the shots are of.
        rate: its pictures a second; for one of variable rate the average, from which times then make picture numbers.

    Raises:
        InvalidParameter: for another format, and for more shots than the format can hold.
    """
    rate = _usual(rate)
    if form == "json":
        return as_json(plan, video=video, rate=rate)
    if form == "csv":
        return as_csv(plan)
    if form == "edl":
        return as_edl(plan, video=video, rate=rate)
    if form == "otio":
        return as_otio(plan, video=video, rate=rate)
    raise InvalidParameter(f"format is {form!r}, must be one of {', '.join(FORMATS)}")


def as_json(plan: ShotPlan, *, video: str, rate: Fraction) -> str:
    """The plan, which `ShotPlan.from_dict` reads again."""
    data = {"video": _name(video), "frame_rate": f"{rate.numerator}/{rate.denominator}", **asdict(plan)}
    for shot in data["shots"]:
        shot |= {"start": round(shot["start"], 6), "end": round(shot["end"], 6)}
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def as_csv(plan: ShotPlan) -> str:
    """A line for each shot: its number, pictures and seconds, and the transition that leads into it."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("shot", "first", "stop", "start", "end", "transition", "transition_first", "transition_stop"))
    into = _into(plan)
    for number, shot in enumerate(plan.shots, 1):
        t = into.get(shot.first)
        join = (t.kind, t.first, t.stop) if t else ("", "", "")
        table.writerow((number, shot.first, shot.stop, f"{shot.start:.6f}", f"{shot.end:.6f}", *join))
    return out.getvalue()


def as_edl(plan: ShotPlan, *, video: str, rate: Fraction) -> str:
    """An event for each shot, all joined by cuts: what a dissolve looks like is in the pictures already."""
    if len(plan.shots) > _MOST_EVENTS:
        raise InvalidParameter(f"{len(plan.shots)} shots are more than an EDL can number")
    name = " ".join(_name(video).split())
    lines = [f"TITLE: {name}", f"FCM: {'DROP' if rate in _DROPPED else 'NON-DROP'} FRAME", ""]
    into = _into(plan)
    for number, shot in enumerate(plan.shots, 1):
        first, stop = _frames(shot, rate)
        span = f"{timecode(first, rate)} {timecode(stop, rate)}"
        lines.append(f"{number:03}  AX       V     C        {span} {span}")
        lines.append(f"* FROM CLIP NAME: {name}")
        t = into.get(shot.first)
        if t and t.kind != "cut":
            lines.append(f"* COMMENT: {t.kind.upper()} OF {t.stop - t.first} PICTURES INTO THIS SHOT")
    return "\n".join(lines) + "\n"


def as_otio(plan: ShotPlan, *, video: str, rate: Fraction) -> str:
    """A timeline of one video track with a clip for each shot, and a marker over each gradual transition."""
    frames = [_frames(shot, rate) for shot in plan.shots]
    reference = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": _name(video),
        "available_range": _range(0, frames[-1][1] if frames else 0, rate),
        "target_url": video if "://" in video else Path(video).absolute().as_uri(),
    }
    clips = [
        {
            "OTIO_SCHEMA": "Clip.1",
            "metadata": {},
            "name": f"{_name(video)} {number}",
            "source_range": _range(first, stop, rate),
            "effects": [],
            "markers": [],
            "media_reference": reference,
        }
        for number, (first, stop) in enumerate(frames, 1)
    ]
    markers = [
        {
            "OTIO_SCHEMA": "Marker.2",
            "metadata": {},
            "name": t.kind,
            "color": "YELLOW",
            "marked_range": _range(t.first, t.stop, rate),
        }
        for t in plan.transitions
        if t.kind != "cut"
    ]
    track = _composition("Track.1", "shots", clips) | {"kind": "Video", "markers": markers}
    timeline = {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {},
        "name": _name(video),
        "global_start_time": None,
        "tracks": _composition("Stack.1", "tracks", [track]),
    }
    return json.dumps(timeline, indent=1, ensure_ascii=False) + "\n"


def _usual(rate: Fraction) -> Fraction:
    """The rate of 24, 30, 48, 60 or 120 times 1000/1001 pictures a second that is meant by one very near it."""
    for whole in (24, 30, 48, 60, 120):
        exact = Fraction(1000 * whole, 1001)
        if abs(rate / exact - 1) < Fraction(1, 5000):
            return exact
    return rate


def _name(video: str) -> str:
    return Path(unquote(urlsplit(video).path) if "://" in video else video).name


def _composition(schema: str, name: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": schema,
        "metadata": {},
        "name": name,
        "source_range": None,
        "effects": [],
        "markers": [],
        "children": children,
    }


def _range(first: int, stop: int, rate: Fraction) -> dict[str, Any]:
    def moment(value: int) -> dict[str, Any]:
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(value)}

    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": moment(first), "duration": moment(stop - first)}


def _into(plan: ShotPlan) -> dict[int, Transition]:
    """The transition that leads into the shot that begins with a picture."""
    return {t.boundary: t for t in plan.transitions}


def _frames(shot: Shot, rate: Fraction) -> tuple[int, int]:
    """By time, which for a constant rate is by number, so that a variable one stays with the clock."""
    return round(shot.start * rate), round(shot.end * rate)
