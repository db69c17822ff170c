"""Files among the parameters of a job, and messages about them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vidprod.actions.generate_video import GenerateVideoParams
from vidprod.actions.spec import ActionSpec, Params, VideoUrl
from vidprod.errors import FileDownload, InternalError
from vidprod.jobs.files import Inputs, fetch_inputs, output_path, publish, without_paths
from vidprod.jobs.ledger import Work
from vidprod.settings import Settings
from vidprod.storage.store import open_store


class Thing(Params):
    """Parameters of nothing."""

    video_url: VideoUrl


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
    assert inputs.public("cannot read: '/data/jobs/1/input-1.mp4'") == "cannot read: 'VideoUrl'"
    assert inputs.public("empty: input-1.mp4") == "empty: VideoUrl"
    assert inputs.public("FileList.2: input-2.mp4 holds sound") == "FileList.2.FileUrl holds sound"
    assert inputs.public("FileList.2: no picture") == "FileList.2: no picture"
    assert inputs.public("my-input-2.mp4 is not input-2.mp4.") == "my-input-2.mp4 is not FileList.2.FileUrl."


def test_a_path_that_begins_another_is_no_trouble() -> None:
    names = {f"/data/jobs/1/input-{n}": f"FileList.{n}.FileUrl" for n in range(1, 13)}
    for path, name in names.items():
        assert Inputs({}, names).public(f"{path} is empty") == f"{name} is empty"


def test_all_files_of_a_list_are_fetched(tmp_path: Path, inputs: Path, inputs_url: str) -> None:
    settings = Settings(data=tmp_path / "data", fetch_allow="127.0.0.0/8")
    store = open_store(settings)
    work = Work("ID", "me", "GenerateVideo", {}, "http://h", "ID", datetime(2026, 3, 20, 12, 59, tzinfo=UTC), 1)

    def fetched(*names: str) -> Inputs:
        files = [{"FileName": name, "FileUrl": f"{inputs_url}/{name}", "Type": "video"} for name in names]
        folder = tmp_path / str(len(names))
        folder.mkdir()
        params = GenerateVideoParams.parse({"FileList": files, "Width": 64})
        return fetch_inputs(work, params, folder, store=store, settings=settings, cancelled=lambda: False)

    found = fetched("six.mp4", "three.mp4")
    params = GenerateVideoParams.parse(dict(found.parameters))
    paths = [Path(file.file_url) for file in params.file_list]
    assert [path.read_bytes() for path in paths] == [(inputs / name).read_bytes() for name in ("six.mp4", "three.mp4")]
    assert [file.file_name for file in params.file_list] == ["six.mp4", "three.mp4"]
    assert params.size == (64, 64)
    assert found.public(f"{paths[1]}: is damaged") == "FileList.2.FileUrl: is damaged"
    with pytest.raises(FileDownload, match=r"^FileList\.3\.FileUrl: .*/none\.mp4.*404"):
        fetched("six.mp4", "three.mp4", "none.mp4")


def test_publishing_twice_leaves_one_object(tmp_path: Path) -> None:
    store = open_store(Settings(data=tmp_path))
    spec = ActionSpec("TestThing", Thing, "", "")
    work = Work("ID", "me", "TestThing", {}, "http://h", "ID", datetime(2026, 3, 20, 12, 59, tzinfo=UTC), 1)
    folder = tmp_path / "work"
    folder.mkdir()
    output = output_path(spec, Thing.model_construct(**{}), folder)
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
