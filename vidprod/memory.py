"""How the C library deals with memory that is freed."""

from __future__ import annotations

import ctypes
import functools

KEPT, LARGEST = 128 << 20, 64 << 20
"""Bytes: how much of what was freed is kept for the next picture, and from what size on a piece never is."""

ARENAS = 2
"""Separate heaps: by default each thread gets its own, and what one has freed no other can use."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of glibc's malloc.h


@functools.cache
def keep_freed() -> None:
    """Lets this process keep freed memory, where the C library is glibc.

    By default it goes back to the kernel at once, which has to clear every page of it for the next picture: a third of the time
    that erasing a logo takes on the CPU, and more of a transition's. Kept pages cost at most `KEPT`.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_TRIM_THRESHOLD, KEPT)
    mallopt(_MMAP_THRESHOLD, LARGEST)
    mallopt(_ARENA_MAX, ARENAS)
