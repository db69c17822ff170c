"""A server process for all tests of the wire that do no harm to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.front import Front


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Short time limits; no worker."""
    data = tmp_path_factory.mktemp("front") / "data"
    limits = (
        "protocol.HEAD_TIMEOUT = protocol.WRITE_TIMEOUT = 1.0",
        "app.BODY_TIMEOUT = 1.0",
        "uploads.FORM_TIMEOUT = uploads.IDLE_TIMEOUT = 1.0",
        "protocol.LINGER = 0.5",
    )
    with Front(data, *limits, VIDPROD_MAX_UPLOAD_BYTES="20M") as running:
        yield running
        # What is a bug is told to clients as an internal error, and to us here.
        assert '"level": "error"' not in running.log
        assert "Traceback" not in running.log
        assert running.stop() == 0
