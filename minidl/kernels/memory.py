"""Let freed memory stay with the process, so that the arrays of the next step need no fresh pages.

glibc gives a large array's pages back to the system when it is freed, and the next array gets new ones, zeroed and
mapped one by one: up to a quarter of a training step of a deep, narrow network. Elsewhere (macOS, Windows, musl) this
file does nothing.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's names and numbers, malloc.h


def keep_freed_memory() -> bool:
    """Tell the C library to keep what is freed for the next array, from now on; return whether it could be told.

    The process does not grow beyond its peak, but it stays there: what is freed is used again, not given back.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    all_from_heap = libc.mallopt(M_MMAP_MAX, 0)  # no array has pages of its own, which would go when it is freed
    heap_never_shrinks = libc.mallopt(M_TRIM_THRESHOLD, -1)
    return bool(all_from_heap and heap_never_shrinks)
