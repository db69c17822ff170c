"""A server as its operator runs it: `vidprod serve` in a process of its own, and what tests do to it."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vidprod.local import LocalServer

ROOT = Path(__file__).parents[1]
KEY, SECRET = "testid", "testsecret"
OTHER_KEY, OTHER_SECRET = "otherid", "othersecret"

T = TypeVar("T")


class Server(LocalServer):
    """A server that tests may harm. It knows two accounts, and fetches inputs from this machine.

    Args:
        data: the server's folder.
        environment: more settings, by the names of their variables.
    """

    def __init__(self, data: Path, **environment: str) -> None:
        settings = {
            "VIDPROD_ACCESS_KEYS": f"{KEY}:{SECRET},{OTHER_KEY}:{OTHER_SECRET}",
            "VIDPROD_FETCH_ALLOW": "127.0.0.0/8",
            "VIDPROD_PRESET": "ultrafast",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }
        super().__init__(data, **{**settings, **environment})
        self.key, self.secret = KEY, SECRET

    def kill(self) -> None:
        """`kill -9` of the server itself; what it started dies with it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def family(self) -> list[list[int]]:
        """Process ids: the server's, its children's, their children's."""
        assert self.process is not None
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    if fields[0] != "Z":
                        children.setdefault(int(fields[1]), []).append(int(entry.name))
        generations = [[self.process.pid]]
        while generations[-1]:
            generations.append([child for pid in generations[-1] for child in children.get(pid, ())])
        return generations[:-1]


def until(condition: Callable[[], T | None], timeout: float, otherwise: Callable[[], str] = lambda: "never") -> T:
    """The first result that is true."""
    end = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {otherwise()}")
        time.sleep(0.05)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def site(folder: Path) -> Iterator[str]:
    """A plain HTTP server for a folder, as inputs lie on; its URL without a slash at the end."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
