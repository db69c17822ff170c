"""Peers that cannot share our environment, because they ask for other versions of what we use: each has a folder of its own.

The folder is that of the variable VIDPROD_PEERS, or build/peers; it is filled when a benchmark needs it. "none" leaves them out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

VARIABLE = "VIDPROD_PEERS"


def folder() -> Path | None:
    """Where peers are; None if they are not wanted."""
    name = os.environ.get(VARIABLE) or str(Path(__file__).parents[1] / "build" / "peers")
    return None if name == "none" else Path(name)


def environment(*requirements: str) -> Path | None:
    """The Python of a peer's own virtual environment, made if it is missing.

    Args:
        requirements: exact ones, "moviepy==2.2.1"; the first one's name is that of the environment.

    Returns:
        None, with a message, where the peer is not wanted or cannot be installed.
    """
    where = _place(requirements)
    if where is None:
        return None
    python = where / "bin" / "python"
    made = python.exists() or _done([sys.executable, "-m", "venv", str(where)])
    return python if made and _filled(where, requirements, [str(python), "-m", "pip", "install"]) else None


def target(*requirements: str) -> Path | None:
    """A folder for PYTHONPATH with packages, without what they depend on: for what can run on our own torch."""
    where = _place(requirements)
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--upgrade", "--target", str(where)]
    return where if where is not None and _filled(where, requirements, pip) else None


def ask(python: Path | str, script: str, request: Any, *, path: Path | None = None) -> Any:
    """Runs a script that reads JSON and writes JSON, on one thread.

    Args:
        python: the interpreter.
        script: its text; what it prints to standard output must be the answer and nothing else.
        request: what it reads from standard input.
        path: a folder that it may import from.
    """
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    if path is not None:
        surroundings["PYTHONPATH"] = str(path)
    command = [str(python), "-c", script]
    done = subprocess.run(
        command, input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=True, env=surroundings
    )
    return json.loads(done.stdout)


def _place(requirements: tuple[str, ...]) -> Path | None:
    name = requirements[0].split("==")[0]
    base = folder()
    if base is None:
        print(f"without {name}: {VARIABLE} says so", file=sys.stderr)
        return None
    return base / name


def _filled(where: Path, requirements: tuple[str, ...], install: list[str]) -> bool:
    """Installs, unless that has been done."""
    stamp = where / "requirements.txt"
    wanted = "\n".join(requirements) + "\n"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return True
    print(f"installing {', '.join(requirements)} in {where}", file=sys.stderr)
    if not _done([*install, "--quiet", *requirements]):
        print(f"without {requirements[0]}: it cannot be installed here", file=sys.stderr)
        return False
    where.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted, encoding="utf-8")
    return True


def _done(command: list[str]) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
