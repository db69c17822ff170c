"""What `--plan` writes: JSON, or what other programs read, where an action's plan has a form for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidprod.actions.spec import ActionSpec
from vidprod.errors import InvalidParameter
from vidprod.storage.fetch import is_url

Writer = Callable[[Mapping[str, Any], Sequence[str]], str]
"""Gets the plan, and the paths or URLs of the input files."""


def forms(spec: ActionSpec[Any]) -> str:
    """What an action's plan can be written as, for the help."""
    others = [f"{words} as {suffix}" for suffix, (action, words, _) in _FORMS.items() if spec.kebab_name == action]
    return ", or ".join(["as JSON", *others])


def check(path: Path, spec: ActionSpec[Any]) -> None:
    """Raises InvalidParameter for a file that the plan cannot be written to, before the work begins."""
    for suffix, (action, words, _) in _FORMS.items():
        if path.suffix.lower() == suffix and spec.kebab_name != action:
            raise InvalidParameter(f"--plan {path.name}: only {action} has {words} to write as {suffix}")


def written(plan: Mapping[str, Any], path: Path, files: Sequence[str]) -> str:
    """A plan as its file's suffix demands."""
    if path.suffix.lower() not in _FORMS:
        return json.dumps(plan, indent=1) + "\n"
    _, _, writer = _FORMS[path.suffix.lower()]
    return writer(plan, [file if is_url(file) else str(Path(file).absolute()) for file in files])


def _srt(plan: Mapping[str, Any], files: Sequence[str]) -> str:
    from vidprod.ops.text_srt import srt  # slow to import

    entries = []
    for number, event in enumerate(plan.get("events", ()), start=1):
        lines = [f"[subtitle {number}: x {b['x']} y {b['y']} w {b['w']} h {b['h']}]" for b in event["boxes"]]
        entries.append((event["start"], event["end"], lines))
    return srt(entries)


def _otio(plan: Mapping[str, Any], files: Sequence[str]) -> str:
    from vidprod.ops.timeline_otio import otio_json

    return otio_json(plan, files)


_FORMS: Mapping[str, tuple[str, str, Writer]] = {
    ".srt": ("erase-video-subtitles", "times", _srt),
    ".otio": ("generate-video", "a timeline", _otio),
}
"""By suffix: the action whose plans have this form, what is in them, and what writes them."""
