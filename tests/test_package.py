"""The package as it is shipped."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vidprod.stubs import STUB, stub

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_holds_networks_and_weights_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-q",
            "-w",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    shipped = (".py", ".pyi", ".safetensors", ".html", ".css", ".js", ".svg")
    expected = {
        name if name.startswith("vidprod/") else f"vidprod/{name}"
        for name in tracked
        if name.startswith(("vidprod/", "models/", "weights/")) and name.endswith(shipped)
    }
    assert len(expected) > 100
    assert expected <= set(names)
    assert "vidprod/py.typed" in names
    assert "vidprod/weights/manifest.toml" in names
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == {"vidprod"}


def test_the_stub_of_the_python_functions_is_current() -> None:
    assert STUB.read_text(encoding="utf-8") == stub(), "run: python -m vidprod.stubs"


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, vidprod, vidprod.cli; vidprod.super_resolve_video; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
