"""What the parts of the service share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from vidprod.actions import ACTIONS
from vidprod.actions.spec import ActionSpec
from vidprod.jobs.queue import JobQueue
from vidprod.service.keys import AccessKeys
from vidprod.service.nonces import NonceStore
from vidprod.service.throttle import Throttle
from vidprod.settings import Settings
from vidprod.storage.store import Store


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Backend:
    """One installation, as its API process sees it.

    Attributes:
        settings: of the installation.
        keys: whose requests are taken.
        queue: of jobs.
        store: of results and uploads.
        nonces: seen so far.
        throttle: counts requests.
        actions: that are served, by the cloud's name.
        clock: the time, aware; another one for tests.
        worker: what the worker of this very process is doing, for `/healthz`; None where it has none of its own.
    """

    settings: Settings
    keys: AccessKeys
    queue: JobQueue
    store: Store
    nonces: NonceStore
    throttle: Throttle
    actions: Mapping[str, ActionSpec[Any]] = field(default_factory=lambda: ACTIONS)
    clock: Callable[[], datetime] = _now
    worker: Callable[[], str | None] = lambda: None
