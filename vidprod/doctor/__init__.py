"""What works on this machine, and what to do about the rest. Everything reported was tried just now."""

from __future__ import annotations

from collections.abc import Iterator

from vidprod.doctor import machine, places
from vidprod.doctor.finding import Finding, State, guarded
from vidprod.doctor.work import in_child
from vidprod.settings import Settings

__all__ = ["Finding", "State", "examine"]


def examine(settings: Settings) -> Iterator[Finding]:
    """All checks, each as soon as it is done. None raises.

    What a check makes it takes away again, save the tables of the queue in an empty PostgreSQL database.

    Args:
        settings: of the server. It need not run; one that runs is not disturbed.
    """
    yield from guarded("python", machine.python)
    yield from guarded("weights", machine.weights)
    yield from guarded("work", lambda: in_child(settings))  # device, encoder, decoder, network
    yield from guarded("data", lambda: places.data(settings))
    yield from guarded("store", lambda: places.store(settings))
    yield from guarded("database", lambda: places.database(settings))
    yield from guarded("keys", lambda: places.keys(settings))
    yield from guarded("port", lambda: machine.port(settings))
    yield from guarded("tls", lambda: machine.tls(settings))
    yield from guarded("clock", machine.clock)
