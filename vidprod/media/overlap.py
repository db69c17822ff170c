"""Decoding, computing and encoding at the same time: iterators and sinks that run in a thread behind a short queue.

FFmpeg, swscale and torch release the interpreter lock, so threads are enough. Queues are short because each item may be a batch
of large pictures: memory stays bounded by `depth`.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

# A thread that does not end within this many seconds after it was told to is left behind (as a daemon) rather than waited for.
_PATIENCE = 60.0


class Closed(Exception):
    """The other side has gone."""


class _Channel(Generic[T]):
    """A bounded queue that either side may close, and that carries an exception from the one side to the other."""

    def __init__(self, depth: int) -> None:
        self._items: deque[T] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._ended = False  # nothing more will be put
        self._abandoned = False  # nothing more will be taken
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._depth or self._abandoned)
            if self._abandoned:
                if self._error is not None:
                    raise self._error
                raise Closed
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended or self._abandoned)
            if self._items and not self._abandoned:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            raise Closed

    def end(self, error: BaseException | None = None) -> None:
        """The putting side is done; what is queued will still be taken."""
        with self._changed:
            self._ended = True
            self._error = self._error or error
            self._changed.notify_all()

    def abandon(self, error: BaseException | None = None) -> None:
        """The taking side is done; what is queued is thrown away, and `put` raises from now on."""
        with self._changed:
            self._abandoned = True
            self._error = self._error or error
            self._items.clear()
            self._changed.notify_all()

    @property
    def error(self) -> BaseException | None:
        return self._error


class prefetch(Iterator[T]):  # noqa: N801 - used like a function, as the built-in iterators are
    """Iterates over `source` in a thread, up to `depth` items ahead.

    An exception of the source is raised where its item would have come. Leaving early (`close`, the end of a `with` block, or
    dropping the last reference) stops the thread and closes the source if it is a generator.
    """

    def __init__(self, source: Iterable[T], depth: int = 2) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        self._channel: _Channel[T] = _Channel(depth)
        # The thread must not refer to `self`, or an abandoned iterator could never be collected.
        self._thread = threading.Thread(target=_produce, args=(source, self._channel), name="prefetch", daemon=True)
        self._thread.start()

    def __next__(self) -> T:
        try:
            return self._channel.get()
        except Closed:
            raise StopIteration from None

    def close(self) -> None:
        """Stops the thread. Idempotent."""
        self._channel.abandon()
        if self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_channel"):
            self._channel.abandon()


def _produce(source: Iterable[T], channel: _Channel[T]) -> None:
    iterator: Iterator[T] | None = None
    try:
        iterator = iter(source)
        for item in iterator:
            channel.put(item)
    except Closed:
        pass
    except BaseException as error:  # also KeyboardInterrupt and the like: the consumer decides
        channel.end(error)
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            with contextlib.suppress(Exception):
                close()
        channel.end()


class Sink(Protocol[T_contra]):
    """Something that takes items."""

    def write(self, item: T_contra, /) -> None:
        """Takes the next item."""


class Background(Generic[T]):
    """Calls `sink.write` in a thread, up to `depth` items behind. Does not close the sink.

    An exception of the sink is raised by the next `write`, or by `close`. When the body of a `with` block fails, what is still
    queued is thrown away.
    """

    def __init__(self, sink: Sink[T], depth: int = 2) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        self._channel: _Channel[T] = _Channel(depth)
        self._thread = threading.Thread(target=_consume, args=(sink, self._channel), name="background", daemon=True)
        self._thread.start()

    def write(self, item: T) -> None:
        """Queues an item; waits while the queue is full."""
        self._channel.put(item)

    def close(self) -> None:
        """Waits until everything queued is written; raises what went wrong."""
        self._channel.end()
        self._thread.join()
        if self._channel.error is not None:
            raise self._channel.error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        self._channel.abandon()
        self._thread.join(_PATIENCE)


def _consume(sink: Sink[T], channel: _Channel[T]) -> None:
    try:
        while True:
            sink.write(channel.get())
    except Closed:
        pass
    except BaseException as error:
        channel.abandon(error)
