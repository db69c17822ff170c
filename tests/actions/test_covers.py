"""Cover pictures of all actions that make one: there with their video, and not without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vidprod
from vidprod.errors import InternalError
from vidprod.media.pending import PendingFile
from vidprod.media.writer import VideoWriter

ACTIONS: dict[str, dict[str, Any]] = {
    "change_video_size": {"width": 64, "height": 64, "crop_type": "cut"},
    "abstract_ecommerce_video": {"duration": 1},
    "generate_video": {"width": 64, "duration": 0.2},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_no_cover_without_its_video(action: str, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk may get full when nothing but the end of the video is to be written."""

    def full(self: PendingFile) -> None:
        raise InternalError("No space left on device")

    close = VideoWriter.close

    def closing(self: VideoWriter) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(PendingFile, "commit", full)
            close(self)

    monkeypatch.setattr(VideoWriter, "close", closing)
    video = str(inputs / "three.mp4")
    files = {"file_list": [video]} if action == "generate_video" else {"video_url": video}
    with pytest.raises(InternalError, match="No space left"):
        getattr(vidprod, action)(**files, **ACTIONS[action], output=tmp_path / "out.mp4", device="cpu")
    assert not list(tmp_path.iterdir())
