"""A cloud client in a process of its own, driven line by line."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.sdk import install
from tests.serving import KEY, SECRET

DRIVERS = Path(__file__).parent / "drivers"
PATIENCE = 90.0
"""Seconds for one call; clients themselves give up after 10, but some try several times."""

NODE_CLIENTS = ("pop", "openapi")

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


class CallError(Exception):
    """What a client raised.

    Attributes:
        kind: name of the class.
        code: as the client gives it to its user.
        status: of HTTP, where the client tells it.
    """

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.kind: str = error["kind"]
        self.code: str | None = error["code"]
        self.status: int | None = error.get("status")


class Sdk:
    """One client.

    Args:
        name: of the environment, see `tests.sdk.install`; `pop` and `openapi` are the two for Node.
        endpoint: host and port.
        options: more of what the drivers understand.
        environment: variables of its process.
    """

    def __init__(self, name: str, endpoint: str, *, environment: dict[str, str] | None = None, **options: Any) -> None:
        command, more = _command(name)
        environ = {
            k: v for k, v in os.environ.items() if k not in _PROXIES and k.lower() not in map(str.lower, _PROXIES)
        }
        self.process = subprocess.Popen(
            command,
            env={**environ, "PYTHONPATH": "", **more, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        first = {"endpoint": endpoint, "protocol": "http", "key": KEY, "secret": SECRET, **options}
        self._send(first | ({"client": name} if name in NODE_CLIENTS else {}))

    def call(self, action: str, parameters: dict[str, Any], **options: Any) -> Any:
        """The client's answer; raises CallError."""
        self._send({"action": action, "parameters": parameters, **options})
        assert self.process.stdout is not None
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise AssertionError(f"the driver ended with {self.process.wait(5)}")
        answer = json.loads(line)
        if "error" in answer:
            raise CallError(answer["error"])
        return answer["answer"]

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()


def _command(name: str) -> tuple[list[str], dict[str, str]]:
    """How a client's driver is started, and with which variables; skips where its packages cannot be had."""
    try:
        if name in install.PYTHON:
            driver = DRIVERS / ("core.py" if name == "core" else "tea.py")
            return [str(install.python(name)), str(driver)], {}
        modules = install.ensure("node") / "node_modules"
        return [str(install.node()), str(DRIVERS / "node.js")], {"NODE_PATH": str(modules)}
    except install.InstallError as error:
        if error.offline and os.environ.get("CI") != "true":
            pytest.skip("the package registry cannot be reached")
        raise
