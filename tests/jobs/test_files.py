"""Files among the parameters of a job, and messages about them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from vidprod.actions.spec import ActionSpec, FileUrl, Params, VideoUrl
from vidprod.errors import InternalError
from vidprod.jobs.files import Inputs, output_path, publish, replace_files, without_paths
from vidprod.jobs.ledger import Work
from vidprod.settings import Settings
from vidprod.storage.store import open_store


class Part(Params):
    """One of several."""

    file_url: Annotated[str, FileUrl()]
    file_name: str = ""


class Everything(Params):
    """Files wherever they may be."""

    video_url: VideoUrl
    extra_url: VideoUrl | None = None
    urls: list[VideoUrl] = Field(default_factory=list)
    file_list: list[Part] = Field(default_factory=list)
    part: Part | None = None
    title: str = "http://not.a/file"


def test_every_file_is_replaced_and_nothing_else() -> None:
    params = Everything(
        video_url="http://h/1",
        extra_url="http://h/2",
        urls=["http://h/3", "http://h/4"],
        file_list=[Part(file_url="http://h/5", file_name="http://h/name"), Part(file_url="http://h/6")],
        part=Part(file_url="http://h/7"),
    )
    seen: dict[str, str] = {}

    def replace(place: str, value: str) -> str:
        seen[place] = value
        return f"/inputs/{len(seen)}"

    replaced = replace_files(params, replace)
    assert seen == {
        "VideoUrl": "http://h/1",
        "ExtraUrl": "http://h/2",
        "Urls.1": "http://h/3",
        "Urls.2": "http://h/4",
        "FileList.1.FileUrl": "http://h/5",
        "FileList.2.FileUrl": "http://h/6",
        "Part.FileUrl": "http://h/7",
    }
    again = Everything.parse(replaced)
    assert again.urls == ["/inputs/3", "/inputs/4"]
    assert again.file_list[0] == Part(file_url="/inputs/5", file_name="http://h/name")
    assert again.title == "http://not.a/file"


def test_files_left_out_are_left_out() -> None:
    assert "ExtraUrl" not in replace_files(Everything(video_url="http://h/1"), lambda place, value: value)


@pytest.mark.parametrize(
    ("message", "public"),
    [
        ("cannot read '/srv/data/jobs/1/input.mp4'", "cannot read 'input.mp4'"),
        ("/srv/weights/net.safetensors: damaged", "net.safetensors: damaged"),
        ("see http://host/a/b and https://host:8080/c/d?e=/f/g", "see http://host/a/b and https://host:8080/c/d?e=g"),
        ("16/9 and 24000/1001, and/or", "16/9 and 24000/1001, and/or"),
        ("", ""),
    ],
)
def test_messages_hold_no_paths(message: str, public: str) -> None:
    assert without_paths(message) == public


def test_messages_name_the_parameter() -> None:
    inputs = Inputs({}, {"/data/jobs/1/input-1.mp4": "VideoUrl", "/data/jobs/1/input-2.mp4": "FileList.2.FileUrl"})
    assert inputs.public("/data/jobs/1/input-2.mp4: empty") == "FileList.2.FileUrl: empty"


def test_publishing_twice_leaves_one_object(tmp_path: Path) -> None:
    store = open_store(Settings(data=tmp_path))
    spec = ActionSpec("TestThing", Everything, "", "")
    work = Work("ID", "me", "TestThing", {}, "http://h", "ID", datetime(2026, 3, 20, 12, 59, tzinfo=UTC), 1)
    folder = tmp_path / "work"
    folder.mkdir()
    output = output_path(spec, Everything.model_construct(**{}), folder)
    for content in (b"first", b"second"):
        output.unlink(missing_ok=True)
        output.write_bytes(content)
        keys = publish(work, spec, {"VideoUrl": str(output)}, folder, store)
    assert keys == {"VideoUrl": "test-thing/2026-03-20-12/ID.mp4"}
    (found,) = (path for path in (tmp_path / "objects").rglob("*") if path.is_file() and path.name != ".lock")
    assert found.read_bytes() == b"second"
    with pytest.raises(InternalError, match="left VideoUrl outside of its folder"):
        publish(work, spec, {"VideoUrl": "/etc/passwd"}, folder, store)


def test_what_is_preloaded_leaves_the_gpu_alone() -> None:
    """A process that has woken up CUDA cannot be forked."""
    code = (
        "import torch, signal\n"
        "def boom(*arguments): raise AssertionError('the GPU was touched')\n"
        "torch.cuda.is_available = torch.cuda.device_count = torch.cuda.init = boom\n"
        "import vidprod.jobs.preload\n"
        "assert not torch.cuda.is_initialized()\n"
        "assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
