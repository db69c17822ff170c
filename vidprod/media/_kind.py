"""Tells whether an untrusted file holds moving pictures or only sound; runs in a limited child process, as `_opening` does."""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import av


def first_sound(opening: Any, path: str, max_pixels: int, max_errors: int) -> None:
    """Decodes up to the first sound of a file, of the first stream that has any.

    Raises:
        Refused: there is none.
    """
    errors = 0
    with opening.open_input(path, max_pixels=max_pixels) as container:
        streams = [s for s in container.streams.audio if s.codec_context is not None]
        if not streams:
            raise opening.Refused("FileContent", "the file holds neither moving pictures nor sound that can be decoded")
        try:
            for packet in opening.packets(container, *streams):
                try:
                    if any(frame.samples for frame in packet.decode()):
                        return
                except (av.FFmpegError, ValueError):
                    errors += 1
                    if errors > max_errors:
                        break
            if not errors and any(frame.samples for stream in streams for frame in stream.decode(None)):
                return
        except av.FFmpegError:
            errors += 1
    if errors:
        raise opening.Refused("FileDecode", "no sound could be decoded, the data is damaged")
    raise opening.Refused("FileContent", "the file holds no sound")


def kind(opening: Any, path: str, max_pixels: int, max_side: int, max_errors: int) -> dict[str, Any]:
    """The answer: "video" or "audio"."""
    try:
        opening.describe(path, max_pixels, max_side, max_errors)
    except opening.Refused as refused:
        if refused.kind != "FileCategory":
            raise
        first_sound(opening, path, max_pixels, max_errors)
        return {"kind": "audio"}
    return {"kind": "video"}


def main() -> None:
    """The child."""
    # not as a part of the package, whose imports would cost more than the look at the file
    spec = spec_from_file_location("opening", Path(__file__).with_name("_opening.py"))
    assert spec is not None
    assert spec.loader is not None
    opening = module_from_spec(spec)
    spec.loader.exec_module(opening)
    opening.main(sys.argv[1], *map(int, sys.argv[2:]), task=partial(kind, opening))


if __name__ == "__main__":
    main()
